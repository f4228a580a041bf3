//! Times of modification that clients set.

use drftpd_protocol::VfsPath;
use drftpd_protocol::wire::RootOp;

use crate::store::{number, params};
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand, copies, log, walk};
use crate::vfs::types::Kind;

/// Sets a time of modification; the copies of a file follow.
pub struct SetModified {
    pub path: VfsPath,
    /// Unix seconds.
    pub modified: i64,
}

impl TreeCommand for SetModified {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let entry = walk::existing(tree, &self.path, true)?;
        let modified = self.modified;
        let sql = "UPDATE node SET modified = ?2 WHERE id = ?1";
        tree.run(sql, params![number(entry.id.0), modified])?;
        if entry.kind != Kind::File {
            return Ok(());
        }
        let (file, place) = (entry.file(), walk::place_of(tree, &entry)?);
        for root in copies::roots_of(tree, entry.id)? {
            let at = place.clone();
            log::append(tree, root, &RootOp::SetTime { file, at, modified })?;
        }
        Ok(())
    }
}
