//! Roots and their logs of operations.

use drftpd_protocol::wire::{Moved, RootOp};
use drftpd_protocol::{FileId, OpSeq, RootId, SlaveId};

use super::Tree;
use crate::store::{Row, Sql, StoreError, id, number, params};

/// A root as tables name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RootKey(pub i64);

/// A root of which nothing counts that it says.
const HELD: i64 = 1;
/// A root that is none any more: only its identity is kept, so that nobody shows it again.
const RETIRED: i64 = 2;

/// The newest position of a root's log while a command runs.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    root: RootId,
    newest: OpSeq,
}

/// One root's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRow {
    pub key: RootKey,
    pub id: RootId,
    /// The slave that last showed it.
    pub slave: String,
    /// Last position of its log.
    pub newest: OpSeq,
    /// What its disk has followed.
    pub done: OpSeq,
    /// Whether nothing that it says counts until an operator has looked at it.
    pub held: bool,
    /// How many copies its walk missed when it was held; its next one may, when that was confirmed.
    pub missing: u64,
    /// How many walks of it were begun.
    pub walks: i64,
}

impl RootRow {
    /// What an order must wait for: the last position, or nothing when the disk has followed all of
    /// the log. A slave that began anew knows only positions that it applied since.
    pub fn pending(&self) -> OpSeq {
        match self.done < self.newest {
            true => self.newest,
            false => OpSeq::NONE,
        }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT key, id, slave, newest, done, state, missing, walks FROM root ",
            $rest
        )
    };
}

/// A root by its identity; none that is retired.
pub fn root(sql: &Sql<'_>, root: RootId) -> Result<Option<RootRow>, StoreError> {
    sql.get(select!("WHERE id = ?1 AND state < 2"), [&root.0[..]], read)
}

/// All roots but those that are retired.
pub fn roots(sql: &Sql<'_>) -> Result<Vec<RootRow>, StoreError> {
    sql.all(select!("WHERE state < 2 ORDER BY key"), [], read)
}

/// The key of a root that is retired.
pub fn retired(sql: &Sql<'_>, root: RootId) -> Result<Option<RootKey>, StoreError> {
    let query = "SELECT key FROM root WHERE id = ?1 AND state = ?2";
    sql.get(query, params![&root.0[..], RETIRED], |row| {
        row.get(0).map(RootKey)
    })
}

/// A root is none any more, and its log is at its end.
pub fn retire(tree: &Tree<'_>, root: RootKey) -> Result<(), StoreError> {
    let sql = "UPDATE root SET state = ?2, done = newest WHERE key = ?1";
    tree.run(sql, params![root.0, RETIRED])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<RootRow> {
    Ok(RootRow {
        key: RootKey(row.get(0)?),
        id: RootId(row.get(1)?),
        slave: row.get(2)?,
        newest: OpSeq(id(row, 3)?),
        done: OpSeq(id(row, 4)?),
        held: row.get::<_, i64>(5)? == HELD,
        missing: id(row, 6)?,
        walks: row.get(7)?,
    })
}

/// A root is shown by a slave: its row is made, or says so.
pub fn show(tree: &Tree<'_>, root_: RootId, slave: &SlaveId) -> Result<RootRow, StoreError> {
    tree.run(
        "INSERT INTO root (id, slave, state, newest, done, shown) VALUES (?1, ?2, 0, 0, 0, ?3)
         ON CONFLICT (id) DO UPDATE SET slave = excluded.slave, shown = excluded.shown",
        params![&root_.0[..], slave.as_str(), tree.now],
    )?;
    let row = root(tree, root_)?;
    row.ok_or_else(|| StoreError::Damaged("a root's row is not there".into()))
}

/// Nothing that a root says counts from now on: its walk missed so many copies.
pub fn hold(tree: &Tree<'_>, root: RootKey, missing: u64) -> Result<(), StoreError> {
    let sql = "UPDATE root SET state = ?2, missing = ?3 WHERE key = ?1 AND state = 0";
    tree.run(sql, params![root.0, HELD, number(missing)])?;
    Ok(())
}

/// A root that is held is in use again; false when it is not held.
pub fn release(tree: &Tree<'_>, root: RootKey) -> Result<bool, StoreError> {
    let sql = "UPDATE root SET state = 0 WHERE key = ?1 AND state = ?2";
    Ok(tree.run(sql, params![root.0, HELD])? > 0)
}

/// A walk of a root begins.
pub fn walk_begins(tree: &Tree<'_>, root: RootKey) -> Result<(), StoreError> {
    let sql = "UPDATE root SET walks = walks + 1 WHERE key = ?1";
    tree.run(sql, [root.0])?;
    Ok(())
}

/// A walk that missed what was confirmed is over.
pub fn forget_missing(tree: &Tree<'_>, root: RootKey) -> Result<(), StoreError> {
    let sql = "UPDATE root SET missing = 0 WHERE key = ?1 AND state = 0 AND missing <> 0";
    tree.run(sql, [root.0])?;
    Ok(())
}

/// Appends an operation to a root's log, whether the root is present or not.
pub fn append(tree: &Tree<'_>, root: RootKey, op: &RootOp) -> Result<OpSeq, StoreError> {
    let seq = next(tree, root)?;
    let bytes = rmp_serde::to_vec_named(op).map_err(|why| StoreError::Damaged(why.to_string()))?;
    let sql = "INSERT INTO root_log (root, seq, op) VALUES (?1, ?2, ?3)";
    tree.run(sql, params![root.0, number(seq.0), bytes])?;
    Ok(seq)
}

fn next(tree: &Tree<'_>, root: RootKey) -> Result<OpSeq, StoreError> {
    let mut heads = tree.heads.borrow_mut();
    let mut head = match heads.get(&root) {
        Some(head) => *head,
        None => stored_head(tree, root)?,
    };
    head.newest = head.newest.next();
    heads.insert(root, head);
    Ok(head.newest)
}

fn stored_head(sql: &Sql<'_>, root: RootKey) -> Result<Head, StoreError> {
    let head = sql.get(select!("WHERE key = ?1"), [root.0], |row| {
        let row = read(row)?;
        Ok(Head {
            root: row.id,
            newest: row.newest,
        })
    })?;
    head.ok_or_else(|| StoreError::Damaged(format!("root {} is not there", root.0)))
}

/// The last position of a root's log, with what this command has appended.
pub fn newest(tree: &Tree<'_>, root: RootKey) -> Result<OpSeq, StoreError> {
    if let Some(head) = tree.heads.borrow().get(&root) {
        return Ok(head.newest);
    }
    Ok(stored_head(tree, root)?.newest)
}

/// A root's log has no positions up to here: those that follow are greater.
pub fn raise(tree: &Tree<'_>, root: &RootRow, least: OpSeq) {
    let newest = root.newest.max(least);
    let head = Head {
        root: root.id,
        newest,
    };
    tree.heads.borrow_mut().insert(root.key, head);
}

/// Writes the heads that this command has moved.
pub(super) fn write_heads(tree: &Tree<'_>) -> Result<Vec<(RootId, OpSeq)>, StoreError> {
    let heads = tree.heads.borrow();
    let mut moved = Vec::with_capacity(heads.len());
    for (key, head) in heads.iter() {
        let sql = "UPDATE root SET newest = ?2 WHERE key = ?1";
        tree.run(sql, params![key.0, number(head.newest.0)])?;
        moved.push((head.root, head.newest));
    }
    Ok(moved)
}

/// Operations of a root's log behind a position.
pub fn behind(
    sql: &Sql<'_>,
    root: RootKey,
    after: OpSeq,
    limit: usize,
) -> Result<Vec<(OpSeq, RootOp)>, StoreError> {
    let query = "SELECT seq, op FROM root_log WHERE root = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut ops = Vec::new();
    sql.each(query, params![root.0, number(after.0), limit], |row| {
        let seq = OpSeq(id(row, 0)?);
        ops.push((seq, op_of(row)?));
        Ok::<_, StoreError>(())
    })?;
    Ok(ops)
}

/// Hands on every operation of a root's log behind a position; one that cannot be read as why not.
pub fn each(
    sql: &Sql<'_>,
    root: RootKey,
    after: OpSeq,
    mut take: impl FnMut(OpSeq, Result<RootOp, StoreError>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let query = "SELECT seq, op FROM root_log WHERE root = ?1 AND seq > ?2 ORDER BY seq";
    sql.each(query, params![root.0, number(after.0)], |row| {
        take(OpSeq(id(row, 0)?), op_of(row))
    })
}

/// The file that an operation is about; none where that is a directory.
pub fn file_of(op: &RootOp) -> Option<FileId> {
    match op {
        RootOp::Publish { file, .. }
        | RootOp::Delete { file, .. }
        | RootOp::SetTime { file, .. }
        | RootOp::Identify { file, .. }
        | RootOp::KeepBeside { file, .. }
        | RootOp::SetAside { file, .. }
        | RootOp::DiscardStaged { file }
        | RootOp::SetAsideStaged { file }
        | RootOp::Move {
            what: Moved::File(file),
            ..
        }
        | RootOp::Disown {
            what: Moved::File(file),
            ..
        } => Some(*file),
        RootOp::Move { .. } | RootOp::Disown { .. } | RootOp::RemoveDir { .. } => None,
    }
}

fn op_of(row: &Row<'_>) -> Result<RootOp, StoreError> {
    let bytes: Vec<u8> = row.get(1)?;
    let op = rmp_serde::from_slice(&bytes);
    op.map_err(|why| {
        let seq = id(row, 0).unwrap_or_default();
        StoreError::Damaged(format!("operation {seq}: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_waits_for_nothing_once_the_disk_has_followed() {
        let row = |newest, done| RootRow {
            key: RootKey(1),
            id: RootId([1; 16]),
            slave: "disk-1".into(),
            newest: OpSeq(newest),
            done: OpSeq(done),
            held: false,
            missing: 0,
            walks: 0,
        };
        assert_eq!(row(7, 6).pending(), OpSeq(7));
        assert_eq!(row(7, 7).pending(), OpSeq::NONE);
        assert_eq!(row(0, 0).pending(), OpSeq::NONE);
    }
}
