//! What roots must still do: no position missing or too many, every order about something that was.

use std::collections::BTreeMap;

use drftpd_protocol::wire::{Moved, RootOp};
use drftpd_protocol::{FileId, NodeId, OpSeq};

use super::findings::Findings;
use super::text;
use crate::store::{Sql, StoreError, id, number, params};
use crate::vfs::tree::log::{self, RootKey, RootRow};

/// Orders for files that are gone which are looked for at once: each time the rest of the log is read.
const AT_ONCE: usize = 10_000;

/// Every log, and orders of none.
pub fn logs(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    let query = "SELECT root, count(*) FROM root_log
                 WHERE root NOT IN (SELECT key FROM root) GROUP BY root";
    sql.each(query, [], |row| {
        let (root, orders) = (row.get::<_, i64>(0)?, id(row, 1)?);
        let what = format!("{orders} orders are for root {root}, which is not there");
        found.add("logs", what);
        Ok::<_, StoreError>(())
    })?;
    for root in log::roots(sql)? {
        positions(sql, &root, found)?;
        orders(sql, &root, found)?;
    }
    Ok(())
}

/// A log has exactly the positions from what is acknowledged to the last.
fn positions(sql: &Sql<'_>, root: &RootRow, found: &mut Findings) -> Result<(), StoreError> {
    let (done, newest) = (root.done.0, root.newest.0);
    let mut wrong = |what: String| found.add("logs", format!("{}: {what}", name(root)));
    if done > newest {
        wrong(format!(
            "acknowledged up to {done}, and the last is {newest}"
        ));
    }
    let query = "SELECT count(*), count(*) FILTER (WHERE seq <= ?2),
                     count(*) FILTER (WHERE seq > ?3) FROM root_log WHERE root = ?1";
    let counts = params![root.key.0, number(done), number(newest)];
    let counts = sql.get(query, counts, |row| {
        Ok((id(row, 0)?, id(row, 1)?, id(row, 2)?))
    })?;
    let (all, old, beyond) = counts.unwrap_or_default();
    if old > 0 {
        wrong(format!("{old} orders are kept that were acknowledged"));
    }
    if beyond > 0 {
        wrong(format!("{beyond} orders lie behind the last, {newest}"));
    }
    let expected = newest.saturating_sub(done);
    let there = all.saturating_sub(old + beyond);
    if there < expected {
        let missing = expected - there;
        wrong(format!(
            "{missing} orders are missing between {done} and {newest}"
        ));
    }
    Ok(())
}

fn name(root: &RootRow) -> String {
    format!("root {} ({} of {})", root.key.0, root.id, root.slave)
}

/// Every order can be read, is about what this store gave a number, and what it brings to its place is there or goes
/// later on.
fn orders(sql: &Sql<'_>, root: &RootRow, found: &mut Findings) -> Result<(), StoreError> {
    let mut gone = Gone::default();
    log::each(sql, root.key, OpSeq::NONE, |seq, op| {
        found.seen.orders += 1;
        match op {
            Ok(op) => {
                if let Some(node) = subject(&op)
                    && !sql.issued(node.0)?
                {
                    let what = format!("order {seq} is about {node}, which was never given out");
                    found.add("logs", format!("{}: {what}", name(root)));
                    return Ok(());
                }
                gone.order(sql, root.key, seq, &op)
            }
            Err(why) => {
                let what = format!("order {seq} cannot be read: {}", text(&why));
                found.add("logs", format!("{}: {what}", name(root)));
                Ok(())
            }
        }
    })?;
    loop {
        for (file, seq) in &gone.files {
            let what = format!("order {seq} brings file {file} to its place, which is not there");
            found.add("logs", format!("{}: {what}", name(root)));
        }
        let Some(next) = gone.next.take() else {
            return Ok(());
        };
        gone.files.clear();
        log::each(
            sql,
            root.key,
            OpSeq(next.0.saturating_sub(1)),
            |seq, op| match op {
                Ok(op) => gone.order(sql, root.key, seq, &op),
                Err(_) => Ok(()),
            },
        )?;
    }
}

/// Orders for files that the root does not hold any more, until the order to delete them is met.
#[derive(Default)]
struct Gone {
    files: BTreeMap<FileId, OpSeq>,
    /// The first that was too many.
    next: Option<OpSeq>,
}

impl Gone {
    fn order(
        &mut self,
        sql: &Sql<'_>,
        root: RootKey,
        seq: OpSeq,
        op: &RootOp,
    ) -> Result<(), StoreError> {
        match op {
            RootOp::Delete { file, .. } | RootOp::SetAside { file, .. } => {
                self.files.remove(file);
            }
            RootOp::Publish { file, .. }
            | RootOp::Identify { file, .. }
            | RootOp::KeepBeside { file, .. }
                if self.next.is_none() && !holds(sql, root, *file)? =>
            {
                match self.files.len() < AT_ONCE {
                    true => self.files.insert(*file, seq),
                    false => self.next.replace(seq),
                };
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a root has, or had, this very generation of a file.
fn holds(sql: &Sql<'_>, root: RootKey, file: FileId) -> Result<bool, StoreError> {
    let query = "SELECT 1 FROM node JOIN copy ON copy.node = node.id
                 WHERE node.id = ?1 AND node.generation = ?2 AND copy.root = ?3";
    let (node, generation) = (number(file.node.0), number(file.generation.0));
    let row = sql.get(query, params![node, generation, root.0], |_| Ok(()))?;
    Ok(row.is_some())
}

/// The entry that an order is about. (Staged bytes may be of an upload that was never stored.)
fn subject(op: &RootOp) -> Option<NodeId> {
    match op {
        RootOp::Publish { file, .. }
        | RootOp::Delete { file, .. }
        | RootOp::SetTime { file, .. }
        | RootOp::Identify { file, .. }
        | RootOp::KeepBeside { file, .. } => Some(file.node),
        RootOp::Move { what, .. } => Some(match what {
            Moved::File(file) => file.node,
            Moved::Dir(dir) => *dir,
        }),
        RootOp::RemoveDir { dir, .. } => Some(*dir),
        // What a disk has and the list does not may be of another store.
        RootOp::Disown { .. }
        | RootOp::SetAside { .. }
        | RootOp::DiscardStaged { .. }
        | RootOp::SetAsideStaged { .. } => None,
    }
}
