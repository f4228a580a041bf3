//! Passes over the copies of roots that are read again, and what they have found.

use drftpd_protocol::{FileId, Generation, NodeId, RootId, VfsPath};

use super::Tree;
use super::log::RootKey;
use crate::store::{Row, Sql, StoreError, id, number, params};
use crate::vfs::scrub::{Finding, Found, Pass};

/// It waits for its time.
const WAITS: i64 = 0;
/// It is under way.
const RUNS: i64 = 1;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT root.id, below, scrub_pass.state, began, ended, at, files, bytes, damaged
             FROM scrub_pass JOIN root ON root.key = scrub_pass.root AND root.state < 2 ",
            $rest
        )
    };
}

/// All passes of roots that are in use.
pub fn all(sql: &Sql<'_>) -> Result<Vec<Pass>, StoreError> {
    sql.all(select!("ORDER BY root.key, below"), [], read)
}

/// What is to be read next of a root: first what somebody asked for. Nothing while the root is held.
pub fn next(sql: &Sql<'_>, root: RootId) -> Result<Option<Pass>, StoreError> {
    let query = select!(
        "WHERE root.id = ?1 AND root.state = 0 AND scrub_pass.state = ?2
         ORDER BY below = ?3, began LIMIT 1"
    );
    let of = params![&root.0[..], RUNS, number(NodeId::ROOT.0)];
    sql.get(query, of, read)
}

/// Roots of which no pass was ever noted.
pub fn unknown(sql: &Sql<'_>) -> Result<Vec<RootKey>, StoreError> {
    let query = "SELECT key FROM root WHERE state < 2 AND NOT EXISTS
                 (SELECT 1 FROM scrub_pass WHERE root = root.key AND below = ?1)";
    sql.all(query, [number(NodeId::ROOT.0)], |row| {
        row.get(0).map(RootKey)
    })
}

/// A root is known from now on: its first pass is due when its time has passed.
pub fn know(tree: &Tree<'_>, root: RootKey) -> Result<(), StoreError> {
    enter(tree, root, NodeId::ROOT, WAITS)
}

/// A pass begins, unless it is under way.
pub fn begin(tree: &Tree<'_>, root: RootKey, below: NodeId) -> Result<(), StoreError> {
    enter(tree, root, below, RUNS)?;
    let sql =
        "UPDATE scrub_pass SET state = ?3, began = ?4, at = 0, files = 0, bytes = 0, damaged = 0
               WHERE root = ?1 AND below = ?2 AND state <> ?3";
    tree.run(sql, params![root.0, number(below.0), RUNS, tree.now])?;
    Ok(())
}

fn enter(tree: &Tree<'_>, root: RootKey, below: NodeId, state: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO scrub_pass (root, below, state, began, at, files, bytes, damaged)
               VALUES (?1, ?2, ?3, ?4, 0, 0, 0, 0) ON CONFLICT DO NOTHING";
    tree.run(sql, params![root.0, number(below.0), state, tree.now])?;
    Ok(())
}

/// All passes over whole roots that began before a time begin anew.
pub fn begin_due(tree: &Tree<'_>, before: i64) -> Result<usize, StoreError> {
    let sql =
        "UPDATE scrub_pass SET state = ?1, began = ?2, at = 0, files = 0, bytes = 0, damaged = 0
               WHERE state = ?3 AND below = ?4 AND began <= ?5";
    let below = number(NodeId::ROOT.0);
    tree.run(sql, params![RUNS, tree.now, WAITS, below, before])
}

/// A pass has read so much, up to this file.
pub fn advance(
    tree: &Tree<'_>,
    (root, below): (RootKey, NodeId),
    at: NodeId,
    (files, bytes, damaged): (usize, u64, usize),
) -> Result<(), StoreError> {
    let sql = "UPDATE scrub_pass SET at = ?3, files = files + ?4, bytes = bytes + ?5, damaged = damaged + ?6
               WHERE root = ?1 AND below = ?2 AND state = ?7";
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (files, damaged, bytes) = (count(files), count(damaged), number(bytes));
    let (below, at) = (number(below.0), number(at.0));
    tree.run(sql, params![root.0, below, at, files, bytes, damaged, RUNS])?;
    Ok(())
}

/// A pass came to its end; of one that somebody asked for nothing stays.
pub fn end(tree: &Tree<'_>, root: RootKey, below: NodeId) -> Result<(), StoreError> {
    let below_column = number(below.0);
    if below == NodeId::ROOT {
        let sql = "UPDATE scrub_pass SET state = ?3, ended = ?4 WHERE root = ?1 AND below = ?2";
        tree.run(sql, params![root.0, below_column, WAITS, tree.now])?;
    } else {
        let sql = "DELETE FROM scrub_pass WHERE root = ?1 AND below = ?2";
        tree.run(sql, params![root.0, below_column])?;
    }
    Ok(())
}

/// Notes what was found.
pub fn note(
    tree: &Tree<'_>,
    root: RootKey,
    file: FileId,
    (path, why): (&VfsPath, &str),
) -> Result<(), StoreError> {
    let sql = "INSERT INTO scrub_finding (root, node, generation, since, path, why)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (node, generation) = (number(file.node.0), number(file.generation.0));
    let path = path.to_bytes();
    tree.run(sql, params![root.0, node, generation, tree.now, path, why])?;
    Ok(())
}

/// Forgets what was found before a time, but for what is still damaged.
pub fn forget(tree: &Tree<'_>, before: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM scrub_finding WHERE since < ?1 AND NOT EXISTS
               (SELECT 1 FROM copy WHERE copy.node = scrub_finding.node
                AND copy.root = scrub_finding.root AND copy.state = 3)";
    tree.run(sql, [before])?;
    Ok(())
}

/// How many findings there are.
pub fn count_findings(sql: &Sql<'_>) -> Result<u64, StoreError> {
    let count = sql.get("SELECT count(*) FROM scrub_finding", [], |row| id(row, 0))?;
    Ok(count.unwrap_or(0))
}

/// The newest findings of those before one.
pub fn findings(
    sql: &Sql<'_>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Finding>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let query = "SELECT root.id, root.slave, f.node, f.generation, f.since, f.path, f.why,
                     node.generation, copy.state,
                     EXISTS (SELECT 1 FROM copy AS other JOIN root ON root.key = other.root
                             WHERE other.node = f.node AND other.state = 0 AND root.state < 2),
                     f.id
                 FROM scrub_finding AS f JOIN root ON root.key = f.root
                 LEFT JOIN node ON node.id = f.node
                 LEFT JOIN copy ON copy.node = f.node AND copy.root = f.root
                 WHERE ?1 IS NULL OR f.id < ?1
                 ORDER BY f.id DESC LIMIT ?2";
    sql.all(query, params![before.map(number), limit], |row| {
        let generation = id(row, 3)?;
        let live = row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned);
        let is_live = live == Some(generation);
        Ok(Finding {
            id: id(row, 10)?,
            root: RootId(row.get(0)?),
            slave: row.get(1)?,
            file: FileId {
                node: NodeId(id(row, 2)?),
                generation: Generation(generation),
            },
            since: row.get(4)?,
            path: String::from_utf8_lossy(&row.get::<_, Vec<u8>>(5)?).into_owned(),
            why: row.get(6)?,
            now: match (is_live, row.get(8)?, row.get(9)?) {
                (true, Some(3_i64), true) => Found::Repairing,
                (true, Some(3), false) => Found::Damaged,
                (true, Some(0), _) => Found::Repaired,
                _ => Found::Gone,
            },
        })
    })
}

/// How many copies are damaged, and of how many of their files there is no good one.
pub fn damaged(sql: &Sql<'_>) -> Result<(u64, u64), StoreError> {
    let query = "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS
                     (SELECT 1 FROM copy AS other JOIN root ON root.key = other.root
                      WHERE other.node = copy.node AND other.state = 0 AND root.state < 2))
                 FROM (SELECT DISTINCT node, root FROM scrub_finding) AS f
                 JOIN copy ON copy.node = f.node AND copy.root = f.root AND copy.state = 3
                 JOIN root ON root.key = copy.root AND root.state < 2";
    let found = sql.get(query, [], |row| Ok((id(row, 0)?, id(row, 1)?)))?;
    Ok(found.unwrap_or_default())
}

/// Files of which a root's copy is damaged.
pub fn damaged_on(sql: &Sql<'_>, root: RootKey) -> Result<Vec<NodeId>, StoreError> {
    let query = "SELECT DISTINCT copy.node FROM scrub_finding AS f
                 JOIN copy ON copy.node = f.node AND copy.root = f.root AND copy.state = 3
                 WHERE f.root = ?1 ORDER BY copy.node";
    sql.all(query, [root.0], |row| id(row, 0).map(NodeId))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Pass> {
    Ok(Pass {
        root: RootId(row.get(0)?),
        below: NodeId(id(row, 1)?),
        runs: row.get::<_, i64>(2)? == RUNS,
        began: row.get(3)?,
        ended: row.get(4)?,
        at: NodeId(id(row, 5)?),
        files: id(row, 6)?,
        bytes: id(row, 7)?,
        damaged: id(row, 8)?,
    })
}
