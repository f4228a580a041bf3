//! Copies that a walk of a root should have seen and did not.
//!
//! The file list goes on while a walk does. What the walk must have met is only what nothing has touched since the
//! position of the root's log up to which its disk had followed when the walk began: a copy whose directory was not
//! touched behind it, and of which no directory above was moved behind it. All else is left to a later walk.

use std::collections::BTreeMap;

use drftpd_protocol::{DirId, NodeId, OpSeq};

use super::log::RootKey;
use super::nodes;
use crate::store::{Sql, StoreError, id, number, params};

/// The files of a root that a walk of it met, wherever they lay, or could not judge.
#[derive(Debug, Clone, Default)]
pub struct Seen(Vec<u64>);

impl Seen {
    /// Adds some.
    pub fn extend(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        self.0.extend(nodes.into_iter().map(|node| node.0));
    }

    /// All of them, in order.
    pub fn sorted(mut self) -> Self {
        self.0.sort_unstable();
        self.0.dedup();
        self
    }

    fn has(&self, node: NodeId) -> bool {
        self.0.binary_search(&node.0).is_ok()
    }
}

/// What a walk that saw everything leaves of a root's copies.
#[derive(Debug, Default)]
pub struct Unseen {
    /// Copies that the root should have.
    pub copies: u64,
    /// Those that are not there.
    pub missing: Vec<NodeId>,
    /// Those that were not seen, and may have been on their way.
    pub unsettled: u64,
}

/// Holds what a walk saw against what the root should have; `seen` is sorted.
pub fn unseen(
    sql: &Sql<'_>,
    root: RootKey,
    since: OpSeq,
    seen: &Seen,
) -> Result<Unseen, StoreError> {
    let mut found = Unseen::default();
    let mut settled = Settled::new(root, since);
    let query = "SELECT node FROM copy WHERE root = ?1 AND state = 0";
    sql.each(query, [root.0], |row| {
        let node = NodeId(id(row, 0)?);
        found.copies += 1;
        if seen.has(node) {
            return Ok(());
        }
        match nodes::by_id(sql, node)? {
            Some(entry) if settled.is(sql, entry.parent)? => found.missing.push(node),
            _ => found.unsettled += 1,
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(found)
}

/// Which directories nothing has touched or moved behind a position of a root's log.
pub struct Settled {
    root: RootKey,
    since: OpSeq,
    /// Whether a directory's place is as it was.
    places: BTreeMap<DirId, bool>,
}

impl Settled {
    /// Knows none yet.
    pub fn new(root: RootKey, since: OpSeq) -> Self {
        let places = BTreeMap::from([(NodeId::ROOT, true)]);
        Self {
            root,
            since,
            places,
        }
    }

    /// Whether what the list says of a directory was on the disk, at its place, when the walk began.
    pub fn is(&mut self, sql: &Sql<'_>, dir: DirId) -> Result<bool, StoreError> {
        let row = self.row(sql, dir)?;
        let untouched = row.is_some_and(|(touched, _)| touched <= self.since);
        Ok(untouched && self.in_place(sql, dir)?)
    }

    fn in_place(&mut self, sql: &Sql<'_>, dir: DirId) -> Result<bool, StoreError> {
        let (mut way, mut at) = (Vec::new(), dir);
        let verdict = loop {
            if let Some(known) = self.places.get(&at) {
                break *known;
            }
            way.push(at);
            let unmoved = self
                .row(sql, at)?
                .is_some_and(|(_, placed)| placed <= self.since);
            match nodes::by_id(sql, at)? {
                Some(entry) if unmoved => at = entry.parent,
                _ => break false,
            }
        };
        self.places
            .extend(way.into_iter().map(|dir| (dir, verdict)));
        Ok(verdict)
    }

    fn row(&self, sql: &Sql<'_>, dir: DirId) -> Result<Option<(OpSeq, OpSeq)>, StoreError> {
        let query = "SELECT touched, placed FROM root_dir WHERE dir = ?1 AND root = ?2";
        sql.get(query, params![number(dir.0), self.root.0], |row| {
            Ok((OpSeq(id(row, 0)?), OpSeq(id(row, 1)?)))
        })
    }
}
