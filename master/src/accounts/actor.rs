//! `AccountsActor`: owns the pool in which passwords are checked, and the counts of those that were wrong.
//!
//! Sessions ask it. A restart forgets who failed lately, and nothing else: accounts and bans are in the store. When more
//! logins wait for their check than the queue holds, the next one is [`LoginError::Busy`]; the actor itself never waits.

use std::net::IpAddr;

use actix::{
    Actor, ActorFutureExt, Context, Handler, MessageResult, ResponseActFuture, Supervised,
    WrapFuture,
};
use drftpd_actors::{Blocking, BlockingError, Clock, Ping, failpoint};
use drftpd_protocol::{Network, StoreId};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::address::counted_as;
use super::bans::{Ban, StoreBan, network_of};
use super::client::LoginError;
use super::guesses::{Failures, Known};
use super::masks;
use super::messages::{LogIn, LookUp};
use super::password::salt;
use super::people::People;
use super::table::{self, RenewHash, Seen, Stored};
use super::types::{Account, Whose};
use crate::outbox::Outbox;
use crate::store::Store;

/// What the actor was given. Clone, no state.
#[derive(Clone)]
pub struct AccountsDeps {
    /// Where accounts are.
    pub store: Store,
    /// What everybody shares.
    pub people: People,
    /// Where passwords are hashed: a pool of its own, with a short queue.
    pub pool: Blocking,
    /// The time of day.
    pub clock: Clock,
    /// Is told of logins and downloads.
    pub outbox: Outbox,
    /// Networks that are not banned for failed logins, beside those of `[accounts]`.
    pub exempt: Vec<Network>,
}

/// The accounts.
pub struct AccountsActor {
    deps: AccountsDeps,
    by_address: Failures<IpAddr>,
    by_name: Failures<String>,
    known: Known,
}

impl AccountsActor {
    /// Not started yet.
    pub fn new(deps: AccountsDeps) -> Self {
        Self {
            deps,
            by_address: Failures::default(),
            by_name: Failures::default(),
            known: Known::default(),
        }
    }
}

impl Actor for AccountsActor {
    type Context = Context<Self>;
}

impl Supervised for AccountsActor {
    fn restarting(&mut self, _: &mut Self::Context) {
        *self = Self::new(self.deps.clone());
    }
}

impl Handler<LogIn> for AccountsActor {
    type Result = ResponseActFuture<Self, Result<Account, LoginError>>;

    fn handle(&mut self, msg: LogIn, _: &mut Self::Context) -> Self::Result {
        let refused = self.refused(&msg).err();
        let how = How {
            locked: self.is_locked(&msg.user),
            stranger: !self.known.contains(&counted_as(msg.from)),
        };
        let (deps, user, from) = (self.deps.clone(), msg.user.clone(), msg.from);
        let judged = async move {
            match refused {
                Some(why) => Err(why),
                None => log_in(deps, msg, how).await,
            }
        };
        Box::pin(judged.into_actor(self).map(move |judged, act, _| {
            act.count(&user, from, &judged);
            judged
        }))
    }
}

impl Handler<LookUp> for AccountsActor {
    type Result = Result<Whose, LoginError>;

    fn handle(&mut self, msg: LookUp, _: &mut Self::Context) -> Self::Result {
        let store = &self.deps.store;
        let found = store.read(|sql| table::find(sql, &msg.user))?;
        Ok(match found.filter(Stored::can_log_in) {
            Some(stored) => Whose::Account(stored.account),
            None => Whose::Nobody(lot(store.identity().store, &msg.user)),
        })
    }
}

/// Always the same one for a name, also after a restart, and nobody outside the cluster can tell which.
pub(super) fn lot(store: StoreId, name: &str) -> u64 {
    let key = blake3::derive_key("drftpd names of nobody", &store.0);
    let hash = blake3::keyed_hash(&key, name.as_bytes());
    let first = hash.as_bytes().first_chunk().copied();
    u64::from_be_bytes(first.unwrap_or_default())
}

impl Handler<Ping> for AccountsActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) -> Self::Result {
        MessageResult(ping.answer())
    }
}

impl AccountsActor {
    /// Banned addresses are not looked at.
    fn refused(&self, msg: &LogIn) -> Result<(), LoginError> {
        if let Err(why) = failpoint("actor.accounts") {
            warn!(%why, "login not looked at");
            return Err(LoginError::Busy);
        }
        let deps = &self.deps;
        if deps.people.bans.holds(msg.from, deps.clock.unix()) {
            return Err(LoginError::Banned);
        }
        Ok(())
    }

    /// Whether too many logins under a name have failed, where that is asked for.
    fn is_locked(&self, user: &str) -> bool {
        let config = self.deps.people.config();
        let failed = self
            .by_name
            .count(&user.to_owned(), config.ban_window, Instant::now());
        config.lock_after > 0 && failed >= config.lock_after
    }

    fn count(&mut self, user: &str, from: IpAddr, judged: &Result<Account, LoginError>) {
        let address = counted_as(from);
        match judged {
            Ok(_) => {
                self.by_address.clear(&address);
                self.by_name.clear(&user.to_owned());
                self.known.add(address);
            }
            Err(LoginError::Incorrect) => self.failed(user, from),
            Err(_) => {}
        }
    }

    fn failed(&mut self, user: &str, from: IpAddr) {
        let (config, now) = (self.deps.people.config(), Instant::now());
        if config.lock_after > 0 {
            self.by_name.add(user.to_owned(), config.ban_window, now);
        }
        let mut exempt = self.deps.exempt.iter().chain(&config.ban_exempt);
        let exempt = exempt.any(|network| network.contains(from));
        if config.ban_after == 0 || exempt {
            return;
        }
        let failed = self
            .by_address
            .add(counted_as(from), config.ban_window, now);
        if failed >= config.ban_after {
            self.by_address.clear(&counted_as(from));
            self.deps.ban(from, failed);
        }
    }
}

/// What is known of a login before it is looked at.
#[derive(Debug, Clone, Copy)]
struct How {
    /// Too many under this name have failed.
    locked: bool,
    /// Nobody has logged in from there.
    stranger: bool,
}

async fn log_in(deps: AccountsDeps, msg: LogIn, how: How) -> Result<Account, LoginError> {
    let LogIn {
        user,
        password,
        from,
        ident,
        certificate,
    } = msg;
    let _turn = match how.stranger {
        true => Some(deps.people.strangers.turn().await.ok_or(LoginError::Busy)?),
        false => None,
    };
    let found = deps.store.read(|sql| table::find(sql, &user))?;
    let checked = deps.check(found.filter(|_| !how.locked), password).await?;
    let Some((stored, renewed)) = checked else {
        debug!(%from, "password is wrong, or nobody has that name");
        return Err(LoginError::Incorrect);
    };
    // What follows is only looked at when the password was right, so that it tells nothing to whoever guesses.
    let without = !deps.people.config().require_mask;
    let in_masks = masks::let_in(&stored.masks, ident.as_deref(), from, without);
    let shown = certificate.as_ref().map(<[u8; 32]>::as_slice);
    let proved = stored.certificate.is_none() || stored.certificate.as_deref() == shown;
    if !in_masks || !proved {
        info!(%from, user, in_masks, proved, "the password was right, and that is not enough");
        return Err(LoginError::Incorrect);
    }
    let now = deps.clock.unix();
    if let Some(why) = stored.shut_out(now) {
        return Err(LoginError::ShutOut(why));
    }
    if let Some(renewed) = renewed {
        deps.store_renewed(&stored, renewed).await;
    }
    let name = stored.account.name.clone();
    let seen = Seen {
        name,
        at: now,
        from,
        outbox: deps.outbox.clone(),
    };
    if let Err(why) = deps.store.change(seen).await {
        warn!(%why, "login not noted");
    }
    Ok(deps.as_seen(stored.account))
}

/// Somebody whose password is right, and the hash that should follow theirs.
type Proven = Option<(Stored, Option<String>)>;

impl AccountsDeps {
    /// An account as its sessions see it.
    pub fn as_seen(&self, account: Account) -> Account {
        let config = self.people.config();
        Account {
            fxp: account.admin && config.administrators_fxp,
            overwrite: account.admin && config.administrators_overwrite,
            ..account
        }
    }

    /// Checks a password in the pool: one hash for whoever it is, so that time does not tell who exists. Who is anonymous
    /// has none, and everybody knows.
    async fn check(&self, found: Option<Stored>, password: Vec<u8>) -> Result<Proven, LoginError> {
        if let Some(stored) = found
            .as_ref()
            .filter(|it| it.account.anonymous && it.can_log_in())
        {
            return Ok(Some((stored.clone(), None)));
        }
        let (hasher, salt) = (self.people.hasher().clone(), salt(self.people.dice()));
        let work = move || {
            let found = found.filter(Stored::can_log_in);
            let Some((stored, hash)) = found.and_then(|mut stored| {
                let hash = stored.password.take()?;
                Some((stored, hash))
            }) else {
                hasher.matches_nobody(&password);
                return None;
            };
            let right = hasher.matches(&password, &hash);
            let renewed = (right && hasher.is_outdated(&hash))
                .then(|| hasher.hash(&password, &salt).ok())
                .flatten();
            let stored = Stored {
                password: Some(hash),
                ..stored
            };
            right.then_some((stored, renewed))
        };
        self.pool.try_run(work).await.map_err(|why| {
            if why != BlockingError::Busy {
                error!(%why, "password check failed");
            }
            LoginError::Busy
        })
    }

    /// A hash that is not renewed now is renewed at the next login.
    async fn store_renewed(&self, stored: &Stored, new: String) {
        let renew = RenewHash {
            name: stored.account.name.clone(),
            old: stored.password.clone().unwrap_or_default(),
            new,
        };
        if let Err(why) = self.store.change(renew).await {
            warn!(%why, "password hash not renewed");
        }
    }

    /// Bans an address; at once in memory, and soon in the store.
    fn ban(&self, from: IpAddr, failed: u32) {
        let (now, config) = (self.clock.unix(), self.people.config());
        let long = i64::try_from(config.ban_time.as_secs()).unwrap_or(i64::MAX);
        let ban = Ban {
            network: network_of(from),
            since: now,
            until: Some(now.saturating_add(long)),
            author: String::new(),
            why: format!("{failed} failed logins"),
        };
        warn!(%from, failed, "address banned");
        self.people.bans.put(ban.clone());
        let store = self.store.clone();
        drop(actix::spawn(async move {
            if let Err(why) = store.change(StoreBan(ban)).await {
                warn!(%why, "ban not stored, the next start forgets it");
            }
        }));
    }
}
