//! Digests of directories as a walk tells them, against those that the file list keeps.

use drftpd_protocol::wire::DirDigest;
use drftpd_protocol::{DirId, NodeId, OpSeq};

use super::copies::{self, DirRow};
use super::log::RootKey;
use super::nodes;
use crate::store::{Sql, StoreError};
use crate::vfs::types::Kind;

/// What the file list says of directories that a walk told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Directories in which everything is as it should be.
    pub agreed: Vec<DirId>,
    /// Numbers of those whose entries are to be told.
    pub list: Vec<u64>,
    /// How many differ, but were touched behind what the disk had followed: for a later walk.
    pub later: u64,
}

/// Judges directories of a root; `since` is what its disk had followed when the walk began.
pub fn judge(
    sql: &Sql<'_>,
    root: RootKey,
    since: OpSeq,
    dirs: &[DirDigest],
) -> Result<Judged, StoreError> {
    let mut judged = Judged::default();
    for told in dirs {
        let row = copies::dir_row(sql, told.dir, root)?.unwrap_or_default();
        let applied = told.applied.max(since);
        let placed = is_at(sql, told)?;
        let equal = row.digest == u128::from_le_bytes(told.sum);
        if placed && equal {
            judged.agreed.push(told.dir);
        } else if is_behind(&row, applied, placed) {
            judged.later += 1;
        } else {
            judged.list.push(told.number);
        }
    }
    Ok(judged)
}

fn is_behind(row: &DirRow, applied: OpSeq, placed: bool) -> bool {
    let concerns = if placed { row.touched } else { row.placed };
    concerns > applied
}

/// Whether a directory lies where the tree has it.
fn is_at(sql: &Sql<'_>, told: &DirDigest) -> Result<bool, StoreError> {
    if told.dir == NodeId::ROOT {
        return Ok(told.name.is_none());
    }
    let entry = nodes::by_id(sql, told.dir)?;
    Ok(entry.is_some_and(|entry| {
        let here = (entry.parent, entry.name.as_ref()) == (told.above, told.name.as_ref());
        here && entry.kind == Kind::Dir
    }))
}
