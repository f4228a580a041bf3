//! Which root holds which file, which directories a root has something of, and the digest of each.
//!
//! `root_dir` has a row for every directory that a root has, or ever had, something at or below of:
//! a row is made with all rows above it and goes only with its directory, so finding one means
//! that nothing above needs to be made. A rename of a directory is told to the roots of its rows
//! and to no other. The digest of a row is the sum modulo 2^128 of [`digest`] over the copies in
//! that directory itself.

use drftpd_protocol::{DirId, NodeId, OpSeq, RootId, SlaveId};

use super::jobs;
use super::log::{self, RootKey};
use super::{Tree, walk};
use crate::store::{Row, Sql, StoreError, id, number, params};
use crate::vfs::error::VfsError;
use crate::vfs::types::{Entry, Holder};

/// A copy that is what the file list says.
const GOOD: i64 = 0;
/// Since when a good copy is known that nobody has put there but by an order of ours.
const ORDERED: i64 = 0;
/// A copy with other bytes: set aside, not served.
const CORRUPT: i64 = 1;
/// A copy that a walk did not find. Its root still hears of renames and deletes: it may come back.
const MISSING: i64 = 2;
/// A copy that was read and is not what it should be. It lies where it lay, is not served, and goes only when good
/// bytes come to its place.
const DAMAGED: i64 = 3;

/// What a command changes of a directory's row.
#[derive(Debug, Default, Clone, Copy)]
pub struct Touched {
    sum: u128,
    placed: bool,
}

/// What one copy adds to its directory's digest.
pub fn digest(entry: &Entry) -> u128 {
    let name = entry.name.as_ref().map_or(&b""[..], |name| name.as_bytes());
    drftpd_protocol::digest::digest(name, entry.file(), entry.size)
}

/// Roots in use that hold good bytes of a file, each with the position of its log that must be waited
/// for: the last one, or none when its disk has followed all of the log.
pub fn holders(sql: &Sql<'_>, node: NodeId) -> Result<Vec<(RootId, OpSeq)>, StoreError> {
    let query = "SELECT root.id, CASE WHEN root.done < root.newest THEN root.newest ELSE 0 END
                 FROM copy JOIN root ON root.key = copy.root
                 WHERE copy.node = ?1 AND copy.state = 0 AND root.state < 2 ORDER BY root.key";
    sql.all(query, [number(node.0)], |row| {
        Ok((RootId(row.get(0)?), OpSeq(id(row, 1)?)))
    })
}

/// Columns of a [`Holder`], of a copy joined with its root.
const HOLDER: &str = "root.id, root.slave,
    CASE WHEN root.done < root.newest THEN root.newest ELSE 0 END,
    EXISTS (SELECT 1 FROM slave WHERE slave.name = root.slave AND slave.evacuated IS NOT NULL)";

/// As [`holders`], with all that making and removing copies needs.
pub fn held_by(sql: &Sql<'_>, node: NodeId) -> Result<Vec<Holder>, StoreError> {
    let query = format!(
        "SELECT {HOLDER} FROM copy JOIN root ON root.key = copy.root
         WHERE copy.node = ?1 AND copy.state = 0 AND root.state < 2 ORDER BY root.key"
    );
    sql.all(&query, [number(node.0)], |row| holder(row, 0))
}

/// So many complete files behind `after`: identity, parent, since when it is as it is, and one holder; a row for each
/// holder, in the order of files.
pub fn each_held(
    sql: &Sql<'_>,
    after: NodeId,
    limit: u32,
    mut take: impl FnMut(NodeId, DirId, i64, Option<Holder>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let query = format!(
        "WITH file AS (SELECT id, parent, max(created, modified) AS since FROM node
             WHERE id > ?1 AND kind = 1 AND state = 2 ORDER BY id LIMIT ?2)
         SELECT file.id, file.parent, file.since, {HOLDER} FROM file
         LEFT JOIN (copy JOIN root ON root.key = copy.root AND root.state < 2)
             ON copy.node = file.id AND copy.state = 0
         ORDER BY file.id, root.key"
    );
    sql.each(&query, params![number(after.0), limit], |row| {
        let none = row.get::<_, Option<Vec<u8>>>(3)?.is_none();
        let holder = if none { None } else { Some(holder(row, 3)?) };
        take(
            NodeId(id(row, 0)?),
            NodeId(id(row, 1)?),
            row.get(2)?,
            holder,
        )
    })
}

fn holder(row: &Row<'_>, from: usize) -> rusqlite::Result<Holder> {
    Ok(Holder {
        root: RootId(row.get(from)?),
        slave: slave(row, from + 1)?,
        after: OpSeq(id(row, from + 2)?),
        leaving: row.get(from + 3)?,
    })
}

fn slave(row: &Row<'_>, column: usize) -> rusqlite::Result<SlaveId> {
    SlaveId::new(row.get::<_, String>(column)?).map_err(|why| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, why.into())
    })
}

/// Every root that has, or had, bytes of the current generation of a file; none that is retired.
pub fn roots_of(sql: &Sql<'_>, node: NodeId) -> Result<Vec<RootKey>, StoreError> {
    let query = "SELECT copy.root FROM copy JOIN root ON root.key = copy.root
                 WHERE copy.node = ?1 AND root.state < 2 ORDER BY copy.root";
    sql.all(query, [number(node.0)], |row| row.get(0).map(RootKey))
}

/// Since when a file has had no copy, as far as the last walk that missed one says; 0 where nothing does.
pub fn lost_since(sql: &Sql<'_>, node: NodeId) -> Result<i64, StoreError> {
    let query = "SELECT coalesce(max(since), 0) FROM copy WHERE node = ?1 AND state = ?2";
    let since = sql.get(query, params![number(node.0), MISSING], |row| row.get(0))?;
    Ok(since.unwrap_or(0))
}

/// Whether a root is a holder of a file, and whether its copy is good.
pub fn held(sql: &Sql<'_>, node: NodeId, root: RootKey) -> Result<Option<bool>, StoreError> {
    let query = "SELECT state FROM copy WHERE node = ?1 AND root = ?2";
    let state = sql.get(query, params![number(node.0), root.0], |row| {
        row.get::<_, i64>(0)
    })?;
    Ok(state.map(|state| state == GOOD))
}

/// Whether a root's copy of a file was found to be damaged, and nothing better is there.
pub fn is_damaged(sql: &Sql<'_>, node: NodeId, root: RootKey) -> Result<bool, StoreError> {
    let query = "SELECT 1 FROM copy WHERE node = ?1 AND root = ?2 AND state = ?3";
    let found = sql.get(query, params![number(node.0), root.0, DAMAGED], |_| Ok(()))?;
    Ok(found.is_some())
}

/// Roots in use whose copy of a file is damaged.
pub fn damaged(sql: &Sql<'_>, node: NodeId) -> Result<Vec<RootId>, StoreError> {
    let query = "SELECT root.id FROM copy JOIN root ON root.key = copy.root
                 WHERE copy.node = ?1 AND copy.state = ?2 AND root.state < 2 ORDER BY root.key";
    sql.all(query, params![number(node.0), DAMAGED], |row| {
        row.get(0).map(RootId)
    })
}

/// Copies of a root that can be read, good ones and damaged ones, behind a node.
pub fn behind(
    sql: &Sql<'_>,
    root: RootKey,
    after: NodeId,
    limit: usize,
) -> Result<Vec<NodeId>, StoreError> {
    let query = "SELECT node FROM copy WHERE node > ?1 AND root = ?2 AND state IN (?3, ?4)
                 ORDER BY node LIMIT ?5";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let of = params![number(after.0), root.0, GOOD, DAMAGED, limit];
    sql.all(query, of, |row| id(row, 0).map(NodeId))
}

/// A root holds a file. Tells whether that is news.
pub fn add(tree: &Tree<'_>, entry: &Entry, root: RootKey) -> Result<bool, StoreError> {
    hold(tree, entry, root, ORDERED)
}

/// As [`add`], where a walk found the copy: one that is news was put there by somebody else.
pub fn found(tree: &Tree<'_>, entry: &Entry, root: RootKey) -> Result<bool, StoreError> {
    hold(tree, entry, root, tree.now)
}

fn hold(tree: &Tree<'_>, entry: &Entry, root: RootKey, since: i64) -> Result<bool, StoreError> {
    match held(tree, entry.id, root)? {
        Some(true) => return Ok(false),
        Some(false) => set_state(tree, entry.id, root, GOOD)?,
        None => {
            let sql = "INSERT INTO copy (node, root, state, since) VALUES (?1, ?2, ?3, ?4)";
            tree.run(sql, params![number(entry.id.0), root.0, GOOD, since])?;
        }
    }
    sum(tree, entry.parent, root, digest(entry));
    match damaged(tree, entry.id)?.is_empty() {
        true => jobs::look_after(tree, entry)?,
        false => jobs::want(tree, entry.id)?, // the others can be repaired from it
    }
    Ok(true)
}

/// A root's copy has other bytes than the file list says. Tells whether that is news.
pub fn spoil(tree: &Tree<'_>, entry: &Entry, root: RootKey) -> Result<bool, StoreError> {
    no_longer_good(tree, entry, root, CORRUPT)
}

/// A root's copy was read and is not what it should be. Tells whether that is news.
pub fn condemn(tree: &Tree<'_>, entry: &Entry, root: RootKey) -> Result<bool, StoreError> {
    let news = no_longer_good(tree, entry, root, DAMAGED)?;
    if news {
        jobs::want(tree, entry.id)?;
    }
    Ok(news)
}

/// A root's copy is not there any more. Tells whether that is news.
pub fn lose(tree: &Tree<'_>, entry: &Entry, root: RootKey) -> Result<bool, StoreError> {
    no_longer_good(tree, entry, root, MISSING)
}

fn no_longer_good(
    tree: &Tree<'_>,
    entry: &Entry,
    root: RootKey,
    state: i64,
) -> Result<bool, StoreError> {
    if held(tree, entry.id, root)? != Some(true) {
        return Ok(false);
    }
    set_state(tree, entry.id, root, state)?;
    sum(tree, entry.parent, root, digest(entry).wrapping_neg());
    jobs::look_after(tree, entry)?;
    Ok(true)
}

fn set_state(tree: &Tree<'_>, node: NodeId, root: RootKey, state: i64) -> Result<(), StoreError> {
    let since = match state {
        MISSING | DAMAGED => tree.now,
        _ => 0,
    };
    let sql = "UPDATE copy SET state = ?3, since = ?4 WHERE node = ?1 AND root = ?2";
    tree.run(sql, params![number(node.0), root.0, state, since])?;
    Ok(())
}

/// Good copies of a file on other roots than this one that are in use and not held.
pub fn others(sql: &Sql<'_>, node: NodeId, root: RootKey) -> Result<u32, StoreError> {
    let query = "SELECT count(*) FROM copy JOIN root ON root.key = copy.root
                 WHERE copy.node = ?1 AND copy.root <> ?2 AND copy.state = 0 AND root.state = 0";
    let count = sql.get(query, params![number(node.0), root.0], |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

/// Whether some good copy of a file, on a root in use, was put there by somebody else.
pub fn is_brought(sql: &Sql<'_>, node: NodeId) -> Result<bool, StoreError> {
    let query = "SELECT 1 FROM copy JOIN root ON root.key = copy.root
                 WHERE copy.node = ?1 AND copy.state = 0 AND copy.since <> ?2 AND root.state < 2";
    let brought = sql.get(query, params![number(node.0), ORDERED], |_| Ok(()))?;
    Ok(brought.is_some())
}

/// A root's good copy counts no more.
pub fn remove(tree: &Tree<'_>, entry: &Entry, root: RootKey) -> Result<(), StoreError> {
    let sql = "DELETE FROM copy WHERE node = ?1 AND root = ?2";
    tree.run(sql, params![number(entry.id.0), root.0])?;
    sum(tree, entry.parent, root, digest(entry).wrapping_neg());
    Ok(())
}

/// Nobody holds this generation of a file any more; answers who did.
pub fn remove_all(tree: &Tree<'_>, entry: &Entry) -> Result<Vec<RootKey>, StoreError> {
    let roots = roots_of(tree, entry.id)?;
    for root in &roots {
        if held(tree, entry.id, *root)? == Some(true) {
            sum(tree, entry.parent, *root, digest(entry).wrapping_neg());
        }
    }
    tree.run("DELETE FROM copy WHERE node = ?1", [number(entry.id.0)])?;
    Ok(roots)
}

/// A file's copies count for another directory or under another name; answers who holds it.
pub fn moved(tree: &Tree<'_>, from: &Entry, to: &Entry) -> Result<Vec<RootKey>, StoreError> {
    let roots = roots_of(tree, from.id)?;
    for root in &roots {
        let good = held(tree, from.id, *root)? == Some(true);
        let (old, new) = match good {
            true => (digest(from).wrapping_neg(), digest(to)),
            false => (0, 0),
        };
        sum(tree, from.parent, *root, old);
        sum(tree, to.parent, *root, new);
    }
    jobs::look_after(tree, to)?;
    Ok(roots)
}

/// A root has something in a directory.
pub fn mark(tree: &Tree<'_>, dir: DirId, root: RootKey) {
    sum(tree, dir, root, 0);
}

fn sum(tree: &Tree<'_>, dir: DirId, root: RootKey, add: u128) {
    let mut touched = tree.touched.borrow_mut();
    let row = touched.entry((dir, root)).or_default();
    row.sum = row.sum.wrapping_add(add);
}

/// Roots that have, or had, something at or below a directory; none that is retired.
pub fn roots_below(sql: &Sql<'_>, dir: DirId) -> Result<Vec<RootKey>, StoreError> {
    let query = "SELECT root_dir.root FROM root_dir JOIN root ON root.key = root_dir.root
                 WHERE root_dir.dir = ?1 AND root.state < 2 ORDER BY root_dir.root";
    sql.all(query, [number(dir.0)], |row| row.get(0).map(RootKey))
}

/// A directory lies in another one: whoever has something of it has something of what is above.
pub fn dir_moved(tree: &Tree<'_>, dir: DirId, to: DirId) -> Result<Vec<RootKey>, StoreError> {
    let roots = roots_below(tree, dir)?;
    for root in &roots {
        mark(tree, to, *root);
        let mut touched = tree.touched.borrow_mut();
        touched.entry((dir, *root)).or_default().placed = true;
    }
    Ok(roots)
}

/// A directory is gone; answers who had something of it.
pub fn dir_removed(tree: &Tree<'_>, dir: DirId) -> Result<Vec<RootKey>, StoreError> {
    let roots = roots_below(tree, dir)?;
    tree.run("DELETE FROM root_dir WHERE dir = ?1", [number(dir.0)])?;
    Ok(roots)
}

/// Writes the rows that this command has changed, each with the position of the log now.
pub(super) fn write_touched(tree: &Tree<'_>) -> Result<(), StoreError> {
    let touched = tree.touched.borrow();
    for ((dir, root), change) in touched.iter() {
        let seq = log::newest(tree, *root)?;
        if let Some(old) = stored(tree, *dir, *root)? {
            let sql = "UPDATE root_dir SET digest = ?3, touched = ?4, placed = iif(?5, ?4, placed)
                       WHERE dir = ?1 AND root = ?2";
            let new = old.wrapping_add(change.sum).to_le_bytes();
            let (dir, seq) = (number(dir.0), number(seq.0));
            tree.run(sql, params![dir, root.0, &new[..], seq, change.placed])?;
        } else {
            add_row(tree, *dir, *root, change.sum, seq)?;
            add_rows_above(tree, *dir, *root, seq)?;
        }
    }
    Ok(())
}

fn add_rows_above(
    tree: &Tree<'_>,
    dir: DirId,
    root: RootKey,
    seq: OpSeq,
) -> Result<(), StoreError> {
    let steps = walk::steps(tree, dir).map_err(|why| match why {
        VfsError::Store(why) => why,
        other => StoreError::Damaged(other.to_string()),
    })?;
    let above = steps.iter().rev().skip(1).map(|step| step.id);
    let above = above.chain((dir != NodeId::ROOT).then_some(NodeId::ROOT));
    for dir in above {
        if stored(tree, dir, root)?.is_some() {
            break;
        }
        add_row(tree, dir, root, 0, seq)?;
    }
    Ok(())
}

fn add_row(
    tree: &Tree<'_>,
    dir: DirId,
    root: RootKey,
    sum: u128,
    seq: OpSeq,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO root_dir (dir, root, digest, touched) VALUES (?1, ?2, ?3, ?4)";
    let sum = sum.to_le_bytes();
    tree.run(sql, params![number(dir.0), root.0, &sum[..], number(seq.0)])?;
    Ok(())
}

fn stored(sql: &Sql<'_>, dir: DirId, root: RootKey) -> Result<Option<u128>, StoreError> {
    Ok(dir_row(sql, dir, root)?.map(|row| row.digest))
}

/// What a root has of a directory.
#[derive(Debug, Default, Clone, Copy)]
pub struct DirRow {
    /// Sum of the digests of its copies.
    pub digest: u128,
    /// The position of the root's log that last changed it.
    pub touched: OpSeq,
    /// The one that last moved the directory itself.
    pub placed: OpSeq,
}

/// What a root has of a directory; `None` if it never had anything of it.
pub fn dir_row(sql: &Sql<'_>, dir: DirId, root: RootKey) -> Result<Option<DirRow>, StoreError> {
    let query = "SELECT digest, touched, placed FROM root_dir WHERE dir = ?1 AND root = ?2";
    sql.get(query, params![number(dir.0), root.0], |row| {
        Ok(DirRow {
            digest: u128::from_le_bytes(row.get(0)?),
            touched: OpSeq(id(row, 1)?),
            placed: OpSeq(id(row, 2)?),
        })
    })
}
