//! Times that clients set.

use drftpd_protocol::wire::RootOp;

use crate::store::{number, params};
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand, copies, log, walk};
use crate::vfs::types::{Entry, Kind, Meant, Times};

/// Sets times of an entry. The copies of a file follow its time of modification; that of creation is known here alone.
pub struct SetTimes {
    pub what: Meant,
    pub times: Times,
}

impl TreeCommand for SetTimes {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let entry = walk::meant(tree, &self.what)?;
        let Times { modified, created } = self.times;
        let sql = "UPDATE node SET modified = coalesce(?2, modified), created = coalesce(?3, created) WHERE id = ?1";
        tree.run(sql, params![number(entry.id.0), modified, created])?;
        match modified {
            Some(modified) => follow(tree, &entry, modified),
            None => Ok(()),
        }
    }
}

/// The copies of a file get its time of modification, too; of what is no file there are none.
pub(super) fn follow(tree: &Tree<'_>, entry: &Entry, modified: i64) -> Result<(), VfsError> {
    if entry.kind != Kind::File {
        return Ok(());
    }
    let (file, place) = (entry.file(), walk::place_of(tree, entry)?);
    for root in copies::roots_of(tree, entry.id)? {
        let at = place.clone();
        log::append(tree, root, &RootOp::SetTime { file, at, modified })?;
    }
    Ok(())
}
