//! The narrow door to the accounts.

use std::net::IpAddr;
use std::time::Duration;

use actix::{Addr, Recipient};
use drftpd_actors::{AskError, ask_recipient};
use drftpd_protocol::ftp::reply::Reply;

use super::actor::AccountsActor;
use super::messages::{LogIn, LookUp};
use super::types::{Account, Whose};
use crate::store::StoreError;

/// A login waits in a queue for its check; longer than this no client waits.
const LIMIT: Duration = Duration::from_secs(55);

/// Handle to the accounts; cheap to clone, one per holder.
#[derive(Clone)]
pub struct AccountsClient {
    log_in: Recipient<LogIn>,
    look_up: Recipient<LookUp>,
}

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Unknown user, wrong password, not from here: nobody can tell which.
    #[error("login incorrect")]
    Incorrect,
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
            Self::Busy | Self::Store(_) | Self::Ask(_) => {
                Reply::new(421, "Too busy, try again later")
            }
        }
    }
}

impl From<&Addr<AccountsActor>> for AccountsClient {
    fn from(actor: &Addr<AccountsActor>) -> Self {
        Self::new(actor.clone().recipient(), actor.clone().recipient())
    }
}

impl AccountsClient {
    /// A handle over whoever checks logins, and whoever knows names.
    pub fn new(log_in: Recipient<LogIn>, look_up: Recipient<LookUp>) -> Self {
        Self { log_in, look_up }
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
    pub async fn log_in(
        &self,
        user: &str,
        password: &[u8],
        from: IpAddr,
    ) -> Result<Account, LoginError> {
        let msg = LogIn {
            user: user.to_owned(),
            password: password.to_vec(),
            from,
        };
        ask_recipient(&self.log_in, msg, LIMIT).await?
    }
}
