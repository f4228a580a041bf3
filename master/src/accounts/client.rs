//! The narrow door to the accounts.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Recipient};
use drftpd_actors::{AskError, ask_recipient};
use drftpd_protocol::ftp::reply::Reply;
use drftpd_protocol::{SlaveId, TransferId};
use tracing::warn;

use super::actor::{AccountsActor, AccountsDeps};
use super::credits;
use super::downloads::{Costs, Downloaded, Hold, HoldError, Over};
use super::edit::{By, Edit, EditError, users};
use super::mailbox;
use super::messages::{LogIn, LookUp};
use super::period::Period;
use super::quota::{self, Moved, Quota};
use super::table::{self, Stored};
use super::tally::{self, Figures};
use super::types::{Account, Whose};
use crate::outbox::Event;
use crate::store::{Batch, StoreError};
use crate::transfer::Direction;

/// A login waits in a queue for its check; longer than this no client waits.
const LIMIT: Duration = Duration::from_secs(55);

/// What a client hears whose address is banned.
pub const BANNED: &str = "Your address is banned for a while";

/// Handle to the accounts; cheap to clone, one per holder.
#[derive(Clone)]
pub struct AccountsClient {
    log_in: Recipient<LogIn>,
    look_up: Recipient<LookUp>,
    /// Where accounts are read again; nothing in tests that know no store.
    deps: Option<Arc<AccountsDeps>>,
}

/// What has become of an account since somebody logged in with it.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Same,
    /// It was changed.
    Changed(Arc<Account>),
    /// It cannot be used any more; this is what the user hears.
    Over(String),
}

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Unknown user, wrong password, not from here: nobody can tell which.
    #[error("login incorrect")]
    Incorrect,
    /// The password was right, and the account cannot be used.
    #[error("the account cannot be used: {0}")]
    ShutOut(String),
    /// Too many failed logins of the client's address.
    #[error("the address is banned")]
    Banned,
    /// Too many logins are being checked.
    #[error("too many logins at once")]
    Busy,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The actor did not answer.
    #[error("the accounts did not answer")]
    Ask(#[from] AskError),
}

impl LoginError {
    /// Says it to the client. No other code turns this error into a reply.
    pub fn reply(&self) -> Reply {
        match self {
            Self::Incorrect => Reply::new(530, "Login incorrect"),
            Self::ShutOut(why) => Reply::new(530, why.clone()),
            Self::Banned => Reply::new(421, BANNED),
            Self::Busy | Self::Store(_) | Self::Ask(_) => {
                Reply::new(421, "Too busy, try again later")
            }
        }
    }
}

impl AccountsClient {
    /// A handle over whoever checks logins, and whoever knows names.
    pub fn new(log_in: Recipient<LogIn>, look_up: Recipient<LookUp>) -> Self {
        let deps = None;
        Self {
            log_in,
            look_up,
            deps,
        }
    }

    /// The same, with a store to read accounts from.
    #[cfg(test)]
    pub(crate) fn over(self, deps: AccountsDeps) -> Self {
        let deps = Some(Arc::new(deps));
        Self { deps, ..self }
    }

    /// A handle over the accounts.
    pub fn of(actor: &Addr<AccountsActor>, deps: AccountsDeps) -> Self {
        Self {
            deps: Some(Arc::new(deps)),
            ..Self::new(actor.clone().recipient(), actor.clone().recipient())
        }
    }

    /// Whether an address is banned now.
    pub fn is_banned(&self, address: IpAddr) -> bool {
        let deps = self.deps.as_ref();
        deps.is_some_and(|deps| deps.people.bans.holds(address, deps.clock.unix()))
    }

    /// [`super::AccountsConfig::most_logins`].
    pub fn most_logins(&self, who: &Account) -> Option<usize> {
        self.deps.as_ref()?.people.config().most_logins(who)
    }

    /// Keeps a user out until then, as the site itself decides; they hear why.
    ///
    /// # Errors
    /// When there is no such user, it is the last operator, or the store fails.
    pub async fn ban(&self, user: &str, until: i64, why: &str) -> Result<(), EditError> {
        let Some(deps) = &self.deps else {
            return Ok(());
        };
        let (outbox, now) = (deps.outbox.clone(), deps.clock.unix());
        let (user, why) = (user.to_owned(), why.to_owned());
        let work = move |batch: &Batch<'_>| {
            users::ban(batch, &By::Owner, &user, Some((until, &why)))?;
            outbox.note(batch, now, || {
                Ok::<_, EditError>(Event::AccountChanged {
                    command: "user ban".to_owned(),
                    args: format!("user={user} reason={why}"),
                    by: "traffic".to_owned(),
                })
            })
        };
        let changes = deps.people.changes.clone();
        deps.store.change(Edit { changes, work }).await
    }

    /// Credits that must be left when a download has taken its own.
    pub fn least_credits(&self) -> i64 {
        let deps = self.deps.as_ref();
        deps.map_or(0, |deps| deps.people.config().least_credits())
    }

    /// Whether credits suffice for so many bytes.
    ///
    /// # Errors
    /// [`HoldError`].
    pub fn suffice(&self, costs: &Costs, bytes: u64) -> Result<(), HoldError> {
        let Some(deps) = &self.deps else {
            return Ok(());
        };
        let now = deps.clock.unix();
        deps.store
            .read(|sql| costs.suffice(sql, bytes, now))
            .map(drop)
    }

    /// Holds credits for a download, until it is settled.
    ///
    /// # Errors
    /// [`HoldError`].
    pub async fn hold(
        &self,
        costs: &Costs,
        bytes: u64,
        (transfer, slave): (TransferId, SlaveId),
    ) -> Result<(), HoldError> {
        let Some(deps) = &self.deps else {
            return Ok(());
        };
        let hold = Hold {
            transfer,
            slave,
            costs: costs.clone(),
            bytes,
            now: deps.clock.unix(),
        };
        deps.store.change(hold).await
    }

    /// Settles a download that is over, and counts it for `account` where nothing was held. What is given back is to be
    /// waited for where something was.
    ///
    /// # Errors
    /// When it is not stored.
    pub fn downloaded(
        &self,
        transfer: TransferId,
        moved: Figures,
        (account, event): (Option<String>, Option<Event>),
    ) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let pending = self.deps.as_ref().map(|deps| {
            deps.store.submit(Downloaded {
                over: Over {
                    transfer,
                    moved,
                    now: deps.clock.unix(),
                },
                account,
                event,
                outbox: deps.outbox.clone(),
            })
        });
        async move {
            match pending {
                Some(pending) => pending?.answer().await,
                None => Ok(()),
            }
        }
    }

    /// What somebody has moved in a period.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn tally(&self, who: &str, period: Period, way: Direction) -> Result<Figures, StoreError> {
        match &self.deps {
            Some(deps) => {
                let now = deps.clock.unix();
                let tally = deps.store.read(|sql| tally::of(sql, who, period, now))?;
                Ok(tally.way(way))
            }
            None => Ok(Figures::default()),
        }
    }

    /// What somebody may still move.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn quota(&self, who: &Account, way: Direction) -> Result<Quota, StoreError> {
        match &self.deps {
            Some(deps) => deps
                .store
                .read(|sql| quota::left(sql, who, way, deps.clock.unix())),
            None => Ok(Quota::default()),
        }
    }

    /// What somebody may take, and says of themselves; nothing where that cannot be read.
    pub fn credits_and_tagline(&self, user: &str) -> (i64, String) {
        let found = self.deps.as_ref().map(|deps| {
            let now = deps.clock.unix();
            deps.store.read(|sql| {
                let there = credits::balance(sql, user, now)?.unwrap_or_default();
                Ok::<_, StoreError>(
                    table::find(sql, user)?.map(|found| (there.credits, found.tagline)),
                )
            })
        });
        match found {
            Some(Ok(Some(found))) => found,
            Some(Err(why)) => {
                warn!(%why, user, "account cannot be read");
                Default::default()
            }
            _ => Default::default(),
        }
    }

    /// How many messages somebody has not read.
    pub fn unread(&self, user: &str) -> u64 {
        let Some(deps) = &self.deps else { return 0 };
        let found = deps.store.read(|sql| mailbox::unread(sql, user));
        found.unwrap_or_else(|why: StoreError| {
            warn!(%why, user, "messages cannot be counted");
            0
        })
    }

    /// Counts bytes that somebody has moved, soon.
    pub fn moved(&self, user: &str, way: Direction, bytes: u64) {
        let Some(deps) = self.deps.clone() else {
            return;
        };
        let moved = Moved {
            user: user.to_owned(),
            way,
            bytes,
            now: deps.clock.unix(),
        };
        drop(actix::spawn(async move {
            if let Err(why) = deps.store.change(moved).await {
                warn!(%why, "moved bytes not counted");
            }
        }));
    }

    /// What has become of an account; looks only where any was changed since `seen`, which is brought up to date. Cheap:
    /// a session asks before each of its commands.
    pub fn standing(&self, account: &Account, seen: &mut Option<u64>) -> Standing {
        let Some(deps) = &self.deps else {
            return Standing::Same;
        };
        let now = deps.people.changes.now();
        if *seen == Some(now) {
            return Standing::Same;
        }
        let found = deps.store.read(|sql| table::find(sql, &account.name));
        let found = match found {
            Ok(found) => found.filter(Stored::can_log_in),
            // Whoever cannot be looked up may nothing.
            Err(why) => {
                warn!(%why, user = %account.name, "account cannot be read again");
                return Standing::Over("Your account cannot be looked at".to_owned());
            }
        };
        let Some(found) = found else {
            return Standing::Over("Your account cannot be used any more".to_owned());
        };
        if let Some(why) = found.shut_out(deps.clock.unix()) {
            return Standing::Over(why);
        }
        *seen = Some(now);
        let current = deps.as_seen(found.account);
        match current == *account {
            true => Standing::Same,
            false => Standing::Changed(Arc::new(current)),
        }
    }

    /// Whose a name is, for rules that must be judged before the password is said. What is answered to the client must
    /// not tell an account from [`Whose::Nobody`].
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn whose(&self, user: &str) -> Result<Whose, LoginError> {
        let user = user.to_owned();
        ask_recipient(&self.look_up, LookUp { user }, LIMIT).await?
    }

    /// Checks a password; the same work for known and unknown users.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn log_in(&self, msg: LogIn) -> Result<Account, LoginError> {
        ask_recipient(&self.log_in, msg, LIMIT).await?
    }
}
