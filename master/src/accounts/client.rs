//! The narrow door to the accounts.

use std::net::IpAddr;

use drftpd_actors::AskError;
use drftpd_protocol::ftp::reply::Reply;

use super::types::Account;

/// Handle to the accounts; cheap to clone, one per holder.
#[derive(Clone)]
pub struct AccountsClient {}

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
    /// The actor did not answer.
    #[error("the accounts did not answer")]
    Ask(#[from] AskError),
}

impl LoginError {
    /// Says it to the client. No other code turns this error into a reply.
    pub fn reply(&self) -> Reply {
        match self {
            Self::Incorrect => Reply::new(530, "Login incorrect"),
            Self::Busy | Self::Ask(_) => Reply::new(421, "Too busy, try again later"),
        }
    }
}

#[allow(clippy::todo, clippy::unused_async)]
impl AccountsClient {
    /// Checks a password; the same time for known and unknown users.
    pub async fn log_in(
        &self,
        user: &str,
        password: &[u8],
        from: IpAddr,
    ) -> Result<Account, LoginError> {
        todo!("{user} {from} {}", password.len())
    }
}
