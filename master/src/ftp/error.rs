//! Why a verb did not do what it was asked: one enum over the errors of all areas, and what the client hears.

use drftpd_protocol::PathError;
use drftpd_protocol::ftp::{ArgError, Reply};
use drftpd_protocol::wire::Fault;

use super::data::DataError;
use crate::accounts::LoginError;
use crate::extend::Stopped;
use crate::rights::ViewError;
use crate::slaves::{SlaveError, fault_reply};
use crate::transfer::TransferError;
use crate::vfs::VfsError;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FtpError {
    /// The argument has not the form it must have.
    #[error(transparent)]
    Arg(#[from] ArgError),
    /// The argument is no path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The file list says no.
    #[error(transparent)]
    Vfs(#[from] VfsError),
    /// The accounts say no.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The coordinator says no.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// A slave says no.
    #[error(transparent)]
    Slave(#[from] SlaveError),
    /// A transfer broke off on a slave.
    #[error("the transfer broke off")]
    Broken(#[source] Fault),
    /// The data connection did not come about, or broke.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Seen by the user, and not allowed.
    #[error("not allowed")]
    Denied,
    /// Nothing of the user's may have that name there.
    #[error("a name that is not wanted")]
    BadName,
    /// A plugin does not want it.
    #[error("stopped by a plugin: {}", .0.why())]
    Stopped(Stopped),
    /// Nobody is logged in.
    #[error("nobody is logged in")]
    NotLoggedIn,
    /// Something else must come first.
    #[error("bad sequence of commands: {0}")]
    Sequence(&'static str),
    /// The new name of an entry is taken.
    #[error("the name is taken")]
    NameTaken,
    /// Anything else, with what the client hears.
    #[error("refused with {}", .0.code())]
    Said(Reply),
    /// The client does not take replies any more; nobody hears this.
    #[error("the client is gone")]
    ClientGone,
}

impl From<Stopped> for FtpError {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

impl From<ViewError> for FtpError {
    fn from(why: ViewError) -> Self {
        match why {
            ViewError::Vfs(why) => Self::Vfs(why),
            ViewError::Denied => Self::Denied,
            ViewError::BadName => Self::BadName,
            ViewError::NameTaken => Self::NameTaken,
            ViewError::Stopped(stopped) => Self::Stopped(stopped),
        }
    }
}

impl FtpError {
    /// Says it to the client.
    pub fn reply(&self) -> Reply {
        match self {
            Self::Arg(error) => error.reply(),
            Self::Path(error) => Reply::new(553, error.to_string()),
            Self::Vfs(error) => error.reply(),
            Self::Login(error) => error.reply(),
            Self::Transfer(error) => error.reply(),
            Self::Slave(error) => error.reply(),
            Self::Broken(fault) => fault_reply(fault),
            Self::Data(error) => error.reply(),
            Self::Denied => Reply::permission_denied(),
            Self::BadName => Reply::new(553, "That name is not allowed here"),
            Self::Stopped(stopped) => stopped.reply(),
            Self::NotLoggedIn => Reply::not_logged_in(),
            Self::Sequence(text) => Reply::bad_sequence(*text),
            Self::NameTaken => Reply::file_exists(),
            Self::Said(reply) => reply.clone(),
            Self::ClientGone => Reply::closing("Connection lost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::NameError;

    #[test]
    fn bad_names_are_553() {
        let bad = FtpError::from(PathError::Name(NameError::BadByte));
        assert_eq!(bad.reply().code(), 553);
        assert_eq!(FtpError::BadName.reply().code(), 553);
    }
}
