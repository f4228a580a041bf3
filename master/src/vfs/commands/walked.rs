//! A walk that saw everything: what it would have told of lost uploads, and did not, is not there.

use std::collections::BTreeSet;

use drftpd_protocol::{FileId, NodeId, RootId};

use super::end::break_off;
use crate::store::{id, params};
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, StoredState};
use crate::vfs::tree::{Tree, TreeCommand, differences, log, nodes};

/// Ends uploads to this root of which nobody knows and nothing is left; what an operator confirmed of missing copies
/// was for this walk.
pub struct Walked {
    pub root: RootId,
    /// Still being received: their end will be told.
    pub running: BTreeSet<FileId>,
}

impl TreeCommand for Walked {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let query = "SELECT node FROM upload WHERE root = ?1 AND state = ?2";
        let unknown = StoredState::Unknown.number();
        let nodes = tree.all(query, params![root.key.0, unknown], |row| {
            id(row, 0).map(NodeId)
        })?;
        for node in nodes {
            let Some(upload) = plan::stored(tree, node)? else {
                continue;
            };
            if let Some(entry) = nodes::by_id(tree, node)?
                && !self.running.contains(&upload.file)
            {
                break_off(tree, entry, &upload, None)?;
            }
        }
        Ok(log::forget_missing(tree, root.key)?)
    }
}

/// What earlier walks of a root noted and its last one, which saw everything, did not, is not there any more. Some at a
/// time; answers how many.
pub struct ForgetDifferences {
    pub root: RootId,
    pub limit: usize,
}

impl TreeCommand for ForgetDifferences {
    type Answer = usize;

    fn apply(self, tree: &Tree<'_>) -> Result<usize, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        Ok(differences::forget_older(tree, &root, self.limit)?)
    }
}
