//! Roots that slaves show, and how far their disks have followed their logs.

use drftpd_protocol::{OpSeq, RootId, SlaveId};

use crate::store::{number, params};
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand, log};

/// A slave shows a root; answers the position up to which its disk has followed the log.
pub struct ShowRoot {
    pub root: RootId,
    pub slave: SlaveId,
}

impl TreeCommand for ShowRoot {
    type Answer = OpSeq;

    fn apply(self, tree: &Tree<'_>) -> Result<OpSeq, VfsError> {
        if log::retired(tree, self.root)?.is_some() {
            return Err(VfsError::RetiredRoot(self.root));
        }
        let row = log::show(tree, self.root, &self.slave)?;
        log::raise(tree, &row, OpSeq::NONE);
        Ok(row.done)
    }
}

/// A root's disk has followed its log up to here. Positions that the log never had (the store was
/// restored from a backup) are passed over from now on.
pub struct OpsDone {
    pub root: RootId,
    pub through: OpSeq,
}

impl TreeCommand for OpsDone {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let row = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        if self.through <= row.done {
            return Ok(());
        }
        let through = number(self.through.0);
        let sql = "DELETE FROM root_log WHERE root = ?1 AND seq <= ?2";
        tree.run(sql, params![row.key.0, through])?;
        let sql = "UPDATE root SET done = ?2 WHERE key = ?1";
        tree.run(sql, params![row.key.0, through])?;
        if self.through > row.newest {
            log::raise(tree, &row, self.through);
        }
        Ok(())
    }
}
