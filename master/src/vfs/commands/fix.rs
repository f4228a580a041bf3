//! Totals of directories that are not what their entries come to, and those of owners.

use drftpd_protocol::path::MAX_DEPTH;
use drftpd_protocol::{DirId, NodeId};

use crate::store::{Sql, StoreError, id, number, params};
use crate::vfs::check::owned;
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand, nodes};
use crate::vfs::types::{Entry, Kind};

/// Counts directories again, each with those above it as far as that changes them; answers how many were wrong.
pub struct FixTotals {
    pub dirs: Vec<DirId>,
}

impl TreeCommand for FixTotals {
    type Answer = u64;

    fn apply(self, tree: &Tree<'_>) -> Result<u64, VfsError> {
        let mut fixed = 0;
        for dir in self.dirs {
            let mut at = dir;
            // No deeper than paths are, whatever a damaged store says.
            for _ in 0..=MAX_DEPTH {
                let entry = nodes::by_id(tree, at)?;
                let Some(entry) = entry.filter(|entry| entry.kind == Kind::Dir) else {
                    break; // removed meanwhile
                };
                if !fix(tree, &entry)? {
                    break;
                }
                fixed += 1;
                if at == NodeId::ROOT {
                    break;
                }
                at = entry.parent;
            }
        }
        Ok(fixed)
    }
}

/// Counts again what users and groups have, all of it in one command; answers how many sums were wrong.
pub struct FixOwned;

impl TreeCommand for FixOwned {
    type Answer = u64;

    fn apply(self, tree: &Tree<'_>) -> Result<u64, VfsError> {
        let wrong = owned::wrong(tree)?;
        for ((whose, name), _, (files, bytes)) in &wrong {
            let sql = "INSERT OR REPLACE INTO owned VALUES (?1, ?2, ?3, ?4)";
            tree.run(sql, params![whose, name, files, bytes])?;
        }
        Ok(wrong.len() as u64)
    }
}

fn fix(tree: &Tree<'_>, dir: &Entry) -> Result<bool, StoreError> {
    let (size, files) = counted(tree, dir.id)?;
    if (size, files) == (dir.size, dir.files) {
        return Ok(false);
    }
    let sql = "UPDATE node SET size = ?2, files = ?3 WHERE id = ?1";
    tree.run(sql, params![number(dir.id.0), number(size), number(files)])?;
    Ok(true)
}

/// Bytes and files that a directory's entries come to.
fn counted(sql: &Sql<'_>, dir: DirId) -> Result<(u64, u64), StoreError> {
    let query = "SELECT coalesce(sum(size), 0), coalesce(sum(CASE kind WHEN 0 THEN files ELSE 1 END), 0)
                 FROM node WHERE parent = ?1 AND id <> ?1 AND (kind = 0 OR (kind = 1 AND state = 2))";
    let row = sql.get(query, [number(dir.0)], |row| Ok((id(row, 0)?, id(row, 1)?)))?;
    Ok(row.unwrap_or_default())
}

/// Directories whose totals are not what their entries come to, a few of them.
pub fn wrong(sql: &Sql<'_>, most: usize) -> Result<Vec<DirId>, StoreError> {
    let query = "SELECT dir.id FROM node AS dir LEFT JOIN
            (SELECT parent, sum(size) AS size, sum(CASE kind WHEN 0 THEN files ELSE 1 END) AS files FROM node
             WHERE id <> 1 AND (kind = 0 OR (kind = 1 AND state = 2)) GROUP BY parent) AS below
        ON below.parent = dir.id
        WHERE dir.kind = 0 AND (dir.size <> coalesce(below.size, 0) OR dir.files <> coalesce(below.files, 0))
        LIMIT ?1";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    sql.all(query, [most], |row| id(row, 0).map(NodeId))
}
