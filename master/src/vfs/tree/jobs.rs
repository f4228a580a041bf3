//! Files whose copies are to be looked at: a durable queue, one row for each.
//!
//! A row is made in the batch that gives a reason for it, so no crash comes between the two. `asked` counts the
//! reasons: a row goes only if nothing was asked since it was looked at.

use drftpd_protocol::NodeId;

use super::{Tree, walk};
use crate::store::{Row, Sql, StoreError, id, number, params};
use crate::vfs::error::VfsError;
use crate::vfs::types::{CopyJob, Entry};

/// A file for which a rule may want something has changed, or its copies have.
pub fn look_after(tree: &Tree<'_>, entry: &Entry) -> Result<(), StoreError> {
    if tree.copies.rules.is_empty() {
        return Ok(());
    }
    // Rules speak of directories: what they say of this one they say of all files in it.
    match walk::path_of(tree, entry.parent) {
        Ok(directory) if tree.copies.concerns(&directory) => want(tree, entry.id),
        Err(VfsError::Store(why)) => Err(why),
        _ => Ok(()),
    }
}

/// A file is to be looked at.
pub fn want(tree: &Tree<'_>, node: NodeId) -> Result<(), StoreError> {
    tree.run(
        "INSERT INTO copy_job (node, asked, since, due, tries) VALUES (?1, 1, ?2, ?2, 0)
         ON CONFLICT (node) DO UPDATE SET asked = asked + 1, due = min(due, excluded.due)",
        params![number(node.0), tree.now],
    )?;
    tree.asked.set(true);
    Ok(())
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT node, asked, since, due, tries, why FROM copy_job ",
            $rest
        )
    };
}

/// Files that are due, those that wait longest first.
pub fn due(sql: &Sql<'_>, now: i64, limit: usize) -> Result<Vec<CopyJob>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let query = select!("WHERE due <= ?1 ORDER BY due, node LIMIT ?2");
    sql.all(query, params![now, limit], read)
}

/// When the next one is due, behind this time.
pub fn next_due(sql: &Sql<'_>, now: i64) -> Result<Option<i64>, StoreError> {
    let query = "SELECT min(due) FROM copy_job WHERE due > ?1";
    let due = sql.get(query, [now], |row| row.get::<_, Option<i64>>(0))?;
    Ok(due.flatten())
}

/// Some of all, in the order of the files' identities, which is that of their age: when they are due changes.
pub fn behind(sql: &Sql<'_>, after: NodeId, limit: usize) -> Result<Vec<CopyJob>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let query = select!("WHERE node > ?1 ORDER BY node LIMIT ?2");
    sql.all(query, params![number(after.0), limit], read)
}

/// How many there are.
pub fn count(sql: &Sql<'_>) -> Result<u64, StoreError> {
    let count = sql.get("SELECT count(*) FROM copy_job", [], |row| id(row, 0))?;
    Ok(count.unwrap_or(0))
}

/// Nothing is to be done any more, as it was when `asked` was read.
pub fn done(tree: &Tree<'_>, node: NodeId, asked: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM copy_job WHERE node = ?1 AND asked = ?2";
    tree.run(sql, params![number(node.0), asked])?;
    Ok(())
}

/// To be looked at again later.
pub fn later(tree: &Tree<'_>, job: &CopyJob) -> Result<(), StoreError> {
    let sql = "UPDATE copy_job SET due = ?3, tries = ?4, why = ?5 WHERE node = ?1 AND asked = ?2";
    let (node, tries) = (number(job.node.0), i64::from(job.tries));
    tree.run(sql, params![node, job.asked, job.due, tries, job.why])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<CopyJob> {
    Ok(CopyJob {
        node: NodeId(id(row, 0)?),
        asked: row.get(1)?,
        since: row.get(2)?,
        due: row.get(3)?,
        tries: row.get(4)?,
        why: row.get(5)?,
    })
}
