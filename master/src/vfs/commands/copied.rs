//! Further copies of files: wanted, made, or one too many.

use drftpd_protocol::wire::RootOp;
use drftpd_protocol::{FileId, NodeId, RootId};

use super::scrub::learn;
use crate::vfs::error::VfsError;
use crate::vfs::scrub::Sums;
use crate::vfs::tree::{Tree, TreeCommand, copies, jobs, log, nodes, walk};
use crate::vfs::types::{CopyJob, Entry, FileState, PreparedBytes};

/// A root has prepared a copy of a file: it is a holder if the bytes are those of the file list. Answers whether.
pub struct AddCopy {
    pub file: FileId,
    pub root: RootId,
    pub bytes: PreparedBytes,
}

impl TreeCommand for AddCopy {
    type Answer = bool;

    fn apply(self, tree: &Tree<'_>) -> Result<bool, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let file = self.file;
        let entry = nodes::by_id(tree, file.node)?.filter(|entry| self.is_of(entry));
        let Some(entry) = entry else {
            // Deleted or overwritten meanwhile, or damaged on the way.
            log::append(tree, root.key, &RootOp::DiscardStaged { file })?;
            return Ok(false);
        };
        learn(tree, &entry, &self.sums())?;
        let at = walk::place_of(tree, &entry)?;
        copies::add(tree, &entry, root.key)?;
        // Also where a walk has found one meanwhile: it may have been what an earlier attempt left, and these bytes took its
        // place in staging before it was published.
        log::append(tree, root.key, &RootOp::Publish { file, at })?;
        Ok(true)
    }
}

impl AddCopy {
    fn sums(&self) -> Sums {
        Sums {
            size: self.bytes.size,
            crc32: Some(self.bytes.crc32),
            blake3: self.bytes.blake3,
        }
    }

    fn is_of(&self, entry: &Entry) -> bool {
        let complete = entry.file() == self.file && entry.state == FileState::Complete;
        complete && Sums::of(entry).wrong(&self.sums()).is_none()
    }
}

/// A root's copy is one too many: it goes if there are so many good ones elsewhere. Answers whether it went.
pub struct RemoveCopy {
    pub file: FileId,
    pub root: RootId,
    /// At least one.
    pub least: u32,
}

impl TreeCommand for RemoveCopy {
    type Answer = bool;

    fn apply(self, tree: &Tree<'_>) -> Result<bool, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let file = self.file;
        let complete = |entry: &Entry| entry.file() == file && entry.state == FileState::Complete;
        let Some(entry) = nodes::by_id(tree, file.node)?.filter(complete) else {
            return Ok(false);
        };
        let good = copies::held(tree, entry.id, root.key)? == Some(true);
        if !good || copies::others(tree, entry.id, root.key)? < self.least.max(1) {
            return Ok(false);
        }
        copies::remove(tree, &entry, root.key)?;
        let at = walk::place_of(tree, &entry)?;
        log::append(tree, root.key, &RootOp::Delete { file, at })?;
        Ok(true)
    }
}

/// What is staged of a copy on a root is not needed.
pub struct DropStaged {
    pub file: FileId,
    pub root: RootId,
}

impl TreeCommand for DropStaged {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let file = self.file;
        log::append(tree, root.key, &RootOp::DiscardStaged { file })?;
        Ok(())
    }
}

/// Files whose copies are to be looked at.
pub struct WantCopies {
    pub files: Vec<NodeId>,
}

impl TreeCommand for WantCopies {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        for node in self.files {
            jobs::want(tree, node)?;
        }
        Ok(())
    }
}

/// What looking at files came to.
pub struct SettleJobs {
    /// Nothing to be done: as they were read.
    pub done: Vec<CopyJob>,
    /// To be looked at again when it says.
    pub later: Vec<CopyJob>,
}

impl TreeCommand for SettleJobs {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        for job in &self.done {
            jobs::done(tree, job.node, job.asked)?;
        }
        for job in &self.later {
            jobs::later(tree, job)?;
        }
        Ok(())
    }
}
