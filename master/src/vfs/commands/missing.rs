//! What a walk that saw everything did not find: copies that are missing, and roots that miss too much to be believed.

use drftpd_protocol::{NodeId, OpSeq, RootId};

use crate::vfs::client::Begins;
use crate::vfs::error::VfsError;
use crate::vfs::tree::unseen::Settled;
use crate::vfs::tree::{Tree, TreeCommand, copies, log, nodes};
use crate::vfs::types::FileState;

/// A walk of a root begins; nothing happens to one that is held.
pub struct BeginWalk {
    pub root: RootId,
}

impl TreeCommand for BeginWalk {
    type Answer = Begins;

    fn apply(self, tree: &Tree<'_>) -> Result<Begins, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        if !root.held {
            log::walk_begins(tree, root.key)?;
        }
        Ok(Begins {
            since: root.done,
            held: root.held,
        })
    }
}

/// Notes copies of a root as missing, unless something happened to them since the walk began. The entries stay.
/// Answers how many are missing now, and how many of those were the last ones.
pub struct LoseCopies {
    pub root: RootId,
    /// What its disk had followed when the walk began.
    pub since: OpSeq,
    pub nodes: Vec<NodeId>,
}

impl TreeCommand for LoseCopies {
    type Answer = (u64, u64);

    fn apply(self, tree: &Tree<'_>) -> Result<(u64, u64), VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let mut settled = Settled::new(root.key, self.since);
        let (mut missing, mut lost) = (0, 0);
        for node in self.nodes.into_iter().filter(|_| !root.held) {
            let entry = nodes::by_id(tree, node)?;
            let complete = entry.filter(|entry| entry.state == FileState::Complete);
            let Some(entry) = complete else { continue };
            if settled.is(tree, entry.parent)? && copies::lose(tree, &entry, root.key)? {
                missing += 1;
                lost += u64::from(copies::holders(tree, node)?.is_empty());
            }
        }
        Ok((missing, lost))
    }
}

/// A root's walk missed so much that nothing it says counts until an operator confirms it.
pub struct HoldRoot {
    pub root: RootId,
    pub missing: u64,
}

impl TreeCommand for HoldRoot {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        Ok(log::hold(tree, root.key, self.missing)?)
    }
}

/// An operator confirms that what a held root misses is gone: its next walk is believed. Answers how many copies that
/// were; `None` when it is not held.
pub struct ConfirmRoot {
    pub root: RootId,
}

impl TreeCommand for ConfirmRoot {
    type Answer = Option<u64>;

    fn apply(self, tree: &Tree<'_>) -> Result<Option<u64>, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        Ok(log::release(tree, root.key)?.then_some(root.missing))
    }
}
