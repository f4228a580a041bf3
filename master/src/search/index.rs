//! The index in the store: the queue of what is to come into it, and how far it is.
//!
//! `meta` says how far: nothing where there is no index, the number of the entry up to which the tree was taken in, or
//! [`WHOLE`].

use drftpd_protocol::NodeId;

use super::words::indexed;
use crate::store::{Batch, Command, Sql, StoreError, id, number, params};
use crate::vfs::{Kind, name_by_id};

/// Entries that one command takes in.
const AT_ONCE: usize = 256;
/// Rows of the queue that one command throws away.
const FORGET_AT_ONCE: u64 = 20_000;
/// The index has the whole tree, but for what waits in the queue.
const WHOLE: &str = "whole";
const KEY: &str = "search";

/// How far the index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is none.
    Nothing,
    /// It is made from the tree, in the order of numbers, and is behind this one.
    Building(NodeId),
    /// It has everything but what waits in the queue.
    Whole,
}

/// How far the index is, and how many changes wait for it.
///
/// # Errors
/// When the database fails.
pub fn progress(sql: &Sql<'_>) -> Result<(Progress, u64), StoreError> {
    let query = "SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM search_queue";
    let waiting = sql.get(query, [], |row| id(row, 0))?;
    Ok((far(sql)?, waiting.unwrap_or(0)))
}

fn far(sql: &Sql<'_>) -> Result<Progress, StoreError> {
    let query = "SELECT value FROM meta WHERE key = ?1";
    let noted = sql.get(query, [KEY], |row| row.get::<_, String>(0))?;
    Ok(match noted.as_deref() {
        None => Progress::Nothing,
        Some(WHOLE) => Progress::Whole,
        // What cannot be read is made anew.
        Some(at) => Progress::Building(NodeId(at.parse().unwrap_or(0))),
    })
}

fn is_now(batch: &Batch<'_>, far: &str) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
    batch.run(sql, params![KEY, far])?;
    Ok(())
}

/// Takes some of the queue into the index; answers whether there may be more. Lost by a power loss it is done again.
#[derive(Debug)]
pub(super) struct TakeQueue;

impl Command for TakeQueue {
    type Answer = bool;
    type Error = StoreError;

    fn is_unheard(&self) -> bool {
        true
    }

    fn apply(self, batch: &Batch<'_>) -> Result<bool, StoreError> {
        let query = "SELECT seq, node FROM search_queue ORDER BY seq LIMIT ?1";
        let rows = batch.all(query, [number(AT_ONCE as u64)], |row| {
            Ok((id(row, 0)?, NodeId(id(row, 1)?)))
        })?;
        let Some((last, _)) = rows.last() else {
            return Ok(false);
        };
        let mut nodes: Vec<NodeId> = rows.iter().map(|(_, node)| *node).collect();
        // In the order of the index; some are there twice.
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            take_in(batch, node)?;
        }
        batch.run("DELETE FROM search_queue WHERE seq <= ?1", [number(*last)])?;
        Ok(rows.len() == AT_ONCE)
    }
}

/// Takes some of the tree into the index that is made; answers whether there may be more.
#[derive(Debug)]
pub(super) struct TakeTree;

impl Command for TakeTree {
    type Answer = bool;
    type Error = StoreError;

    fn is_unheard(&self) -> bool {
        true
    }

    fn apply(self, batch: &Batch<'_>) -> Result<bool, StoreError> {
        let at = match far(batch)? {
            Progress::Whole => return Ok(false),
            Progress::Nothing => {
                empty(batch)?;
                NodeId::ROOT
            }
            Progress::Building(at) => at,
        };
        let query = "SELECT id FROM node WHERE id > ?1 ORDER BY id LIMIT ?2";
        let nodes = batch.all(query, [number(at.0), number(AT_ONCE as u64)], |row| {
            Ok(NodeId(id(row, 0)?))
        })?;
        for node in &nodes {
            take_in(batch, *node)?;
        }
        match nodes.last().filter(|_| nodes.len() == AT_ONCE) {
            Some(last) => is_now(batch, &last.0.to_string())?,
            None => is_now(batch, WHOLE)?,
        }
        Ok(nodes.len() == AT_ONCE)
    }
}

/// One entry as it is now, or no more.
fn take_in(batch: &Batch<'_>, node: NodeId) -> Result<(), StoreError> {
    if node == NodeId::ROOT {
        return Ok(());
    }
    let row: Option<(Kind, Vec<u8>)> = name_by_id(batch, node)?;
    match row {
        Some((kind, name)) => {
            let sql = "INSERT OR REPLACE INTO search (rowid, words) VALUES (?1, ?2)";
            batch.run(sql, params![number(node.0), indexed(kind, &name)])?;
        }
        None => {
            batch.run("DELETE FROM search WHERE rowid = ?1", [number(node.0)])?;
        }
    }
    Ok(())
}

fn empty(batch: &Batch<'_>) -> Result<(), StoreError> {
    batch.run("INSERT INTO search (search) VALUES ('delete-all')", [])?;
    Ok(())
}

/// Throws the index away, so that it is made anew from the tree.
#[derive(Debug)]
pub struct Rebuild;

impl Command for Rebuild {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        batch.run("DELETE FROM meta WHERE key = ?1", [KEY])?;
        Ok(())
    }
}

/// The search is off: what happens from now on would not be in the index, so there is none. Answers whether there may be
/// more to throw away.
#[derive(Debug)]
pub(super) struct Forget;

impl Command for Forget {
    type Answer = bool;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<bool, StoreError> {
        if far(batch)? != Progress::Nothing {
            empty(batch)?;
            Rebuild.apply(batch)?;
        }
        let sql = "DELETE FROM search_queue WHERE seq IN (SELECT seq FROM search_queue ORDER BY seq LIMIT ?1)";
        let gone = batch.run(sql, [number(FORGET_AT_ONCE)])? as u64;
        Ok(gone == FORGET_AT_ONCE)
    }
}
