//! Totals of directories: bytes and files of everything complete below, kept up to date in the
//! command that changes it.

use drftpd_protocol::{DirId, NodeId};

use super::Tree;
use crate::store::{StoreError, id, number, params};

/// Adds to a directory and all above it; negative numbers take away.
pub fn add(tree: &Tree<'_>, dir: DirId, bytes: i64, files: i64) -> Result<(), StoreError> {
    if bytes == 0 && files == 0 {
        return Ok(());
    }
    let sql = "UPDATE node SET size = size + ?2, files = files + ?3 WHERE id = ?1
               RETURNING parent";
    let mut at = dir;
    loop {
        let above = tree.get(sql, params![number(at.0), bytes, files], |row| id(row, 0))?;
        match above {
            Some(above) if at != NodeId::ROOT => at = NodeId(above),
            _ => return Ok(()),
        }
    }
}

/// Adds a file.
pub fn add_file(tree: &Tree<'_>, dir: DirId, size: u64) -> Result<(), StoreError> {
    add(tree, dir, number(size), 1)
}

/// Takes a file away.
pub fn take_file(tree: &Tree<'_>, dir: DirId, size: u64) -> Result<(), StoreError> {
    add(tree, dir, -number(size), -1)
}
