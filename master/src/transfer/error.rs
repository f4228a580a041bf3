//! Why a transfer was not begun.

use drftpd_actors::AskError;
use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::reply::Reply;

use super::types::Direction;

/// Why a transfer was not begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// No slave can take or give it.
    #[error("no slave can serve the {direction:?} of {path}: {why}")]
    NoSlave {
        /// Which way.
        direction: Direction,
        /// What.
        path: VfsPath,
        /// The reasons of the filters, for the log.
        why: String,
    },
    /// Too many slots are held.
    #[error("all transfer slots are in use")]
    Full,
    /// The actor did not answer.
    #[error("the coordinator did not answer")]
    Ask(#[from] AskError),
}

impl TransferError {
    /// Says it to the client. No other code turns this error into a reply.
    pub fn reply(&self) -> Reply {
        match self {
            Self::NoSlave {
                direction: Direction::Upload,
                ..
            } => Reply::new(452, "No slave can take this file right now"),
            Self::NoSlave { .. } => Reply::new(450, "No slave that has this file is available"),
            Self::Full => Reply::new(450, "Too many transfers, try again later"),
            Self::Ask(_) => Reply::new(451, "Transfers are busy, try again"),
        }
    }
}
