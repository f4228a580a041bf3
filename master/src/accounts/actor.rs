//! `AccountsActor`: owns the table of accounts, and the pool in which passwords are checked.
//!
//! Sessions ask it. A restart loses nothing: everything is in the store. When more logins wait for their check than
//! the queue holds, the next one is [`LoginError::Busy`]; the actor itself never waits.

use actix::{Actor, Context, Handler, MessageResult, ResponseFuture, Supervised};
use drftpd_actors::{Blocking, BlockingError, Dice, Ping, failpoint};
use drftpd_protocol::StoreId;
use tracing::{debug, error, warn};

use super::client::LoginError;
use super::messages::{LogIn, LookUp};
use super::password::{Hasher, salt};
use super::table::{self, RenewHash, Stored};
use super::types::{Account, Whose};
use crate::store::Store;

/// What the actor was given. Clone, no state.
#[derive(Clone)]
pub struct AccountsDeps {
    /// Where accounts are.
    pub store: Store,
    /// How passwords are hashed.
    pub hasher: Hasher,
    /// Where they are: a pool of its own, with a short queue.
    pub pool: Blocking,
    /// Whether administrators may FXP.
    pub administrators_fxp: bool,
    /// Whether administrators may overwrite.
    pub administrators_overwrite: bool,
    /// For salts.
    pub dice: Dice,
}

/// The accounts.
pub struct AccountsActor {
    deps: AccountsDeps,
}

impl AccountsActor {
    /// Not started yet.
    pub fn new(deps: AccountsDeps) -> Self {
        Self { deps }
    }
}

impl Actor for AccountsActor {
    type Context = Context<Self>;
}

impl Supervised for AccountsActor {}

impl Handler<LogIn> for AccountsActor {
    type Result = ResponseFuture<Result<Account, LoginError>>;

    fn handle(&mut self, msg: LogIn, _: &mut Self::Context) -> Self::Result {
        if let Err(why) = failpoint("actor.accounts") {
            warn!(%why, "login not looked at");
            return Box::pin(std::future::ready(Err(LoginError::Busy)));
        }
        Box::pin(log_in(self.deps.clone(), msg))
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

async fn log_in(deps: AccountsDeps, msg: LogIn) -> Result<Account, LoginError> {
    let LogIn {
        user,
        password,
        from,
    } = msg;
    let found = deps.store.read(|sql| table::find(sql, &user))?;
    let checked = deps.check(found, password).await?;
    let Some((stored, renewed)) = checked else {
        debug!(%from, "password is wrong, or nobody has that name");
        return Err(LoginError::Incorrect);
    };
    if let Some(renewed) = renewed {
        deps.store_renewed(&stored, renewed).await;
    }
    let account = stored.account;
    Ok(Account {
        fxp: account.admin && deps.administrators_fxp,
        overwrite: account.admin && deps.administrators_overwrite,
        ..account
    })
}

/// Somebody whose password is right, and the hash that should follow theirs.
type Proven = Option<(Stored, Option<String>)>;

impl AccountsDeps {
    /// Checks a password in the pool: one hash for whoever it is, so that time does not tell who exists.
    async fn check(&self, found: Option<Stored>, password: Vec<u8>) -> Result<Proven, LoginError> {
        let (hasher, salt) = (self.hasher.clone(), salt(&self.dice));
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
}
