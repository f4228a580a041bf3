//! The one function that says who may do what where: pure, on the resolved target, for every way
//! that leads there. Fails closed.

use drftpd_protocol::VfsPath;

use super::types::{Account, Action};

/// Not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not allowed")]
pub struct Denied;

/// Whether `who` may do `what` at `path` (resolved).
///
/// # Errors
/// [`Denied`] when not.
pub fn may(who: &Account, what: Action, path: &VfsPath) -> Result<(), Denied> {
    match what {
        // The root stays, whoever asks.
        Action::RemoveDir | Action::RenameFrom | Action::RenameTo | Action::Delete
            if path.is_root() =>
        {
            Err(Denied)
        }
        _ if who.admin => Ok(()),
        _ => Err(Denied),
    }
}
