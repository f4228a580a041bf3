//! Copies that a walk of a root should have seen and did not.
//!
//! The file list goes on while a walk does. What the walk must have met is only what nothing has touched since the
//! position of the root's log up to which its disk had followed when the walk began: a copy whose directory was not
//! touched behind it, and of which no directory above was moved behind it. All else is left to a later walk.

use std::collections::BTreeMap;

use drftpd_protocol::{DirId, NodeId, OpSeq};

use super::copies;
use super::log::RootKey;
use super::nodes;
use crate::store::{Sql, StoreError, id, number, params};

/// Nodes that a walk met: files, wherever they lay, or that it could not judge; directories of which it saw all.
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

/// Holds the files that a walk saw, and the directories that agree, against what the root should have; both are sorted.
pub fn unseen(
    sql: &Sql<'_>,
    root: RootKey,
    since: OpSeq,
    (seen, agreed): (&Seen, &Seen),
) -> Result<Unseen, StoreError> {
    let count = "SELECT count(*) FROM copy WHERE root = ?1 AND state = 0";
    let copies = sql.get(count, [root.0], |row| id(row, 0))?;
    let mut found = Unseen {
        copies: copies.unwrap_or(0),
        ..Unseen::default()
    };
    let mut settled = Settled::new(root, since);
    let dirs = "SELECT dir FROM root_dir WHERE root = ?1 AND digest <> zeroblob(16)";
    sql.each(dirs, [root.0], |row| {
        let dir = NodeId(id(row, 0)?);
        if agreed.has(dir) {
            return Ok(());
        }
        let missing = unseen_in(sql, root, dir, seen)?;
        if missing.is_empty() {
            return Ok(());
        }
        match settled.is(sql, dir)? {
            true => found.missing.extend(missing),
            false => found.unsettled += missing.len() as u64,
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(found)
}

fn unseen_in(
    sql: &Sql<'_>,
    root: RootKey,
    dir: DirId,
    seen: &Seen,
) -> Result<Vec<NodeId>, StoreError> {
    let mut missing = Vec::new();
    let query = "SELECT node.id FROM node JOIN copy ON copy.node = node.id
                 WHERE node.parent = ?1 AND copy.root = ?2 AND copy.state = 0";
    sql.each(query, params![number(dir.0), root.0], |row| {
        let node = NodeId(id(row, 0)?);
        if !seen.has(node) {
            missing.push(node);
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(missing)
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
        let row = copies::dir_row(sql, dir, self.root)?;
        let untouched = row.is_some_and(|row| row.touched <= self.since);
        Ok(untouched && self.in_place(sql, dir)?)
    }

    fn in_place(&mut self, sql: &Sql<'_>, dir: DirId) -> Result<bool, StoreError> {
        let (mut way, mut at) = (Vec::new(), dir);
        let verdict = loop {
            if let Some(known) = self.places.get(&at) {
                break *known;
            }
            way.push(at);
            let row = copies::dir_row(sql, at, self.root)?;
            let unmoved = row.is_some_and(|row| row.placed <= self.since);
            match nodes::by_id(sql, at)? {
                Some(entry) if unmoved => at = entry.parent,
                _ => break false,
            }
        };
        self.places
            .extend(way.into_iter().map(|dir| (dir, verdict)));
        Ok(verdict)
    }
}
