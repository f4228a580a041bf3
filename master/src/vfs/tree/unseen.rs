//! Copies that a walk of a root should have seen and did not.
//!
//! The file list goes on while a walk does. What the walk must have met is only what nothing has touched since the
//! position of the root's log up to which its disk had followed when the walk began: a copy whose directory was not
//! touched behind it, and of which no directory above was moved behind it. All else is left to a later walk.

use std::collections::{BTreeMap, BTreeSet};

use drftpd_protocol::{DirId, Name, NodeId, OpSeq};

use super::log::RootKey;
use super::{copies, nodes, passes};
use crate::store::{Row, Sql, StoreError, id, number, params};
use crate::vfs::types::{Entry, Kind};

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

    /// Whether it is among them; they must be sorted.
    pub fn has(&self, node: NodeId) -> bool {
        self.0.binary_search(&node.0).is_ok()
    }
}

/// What a walk that saw everything leaves of a root's copies.
#[derive(Debug, Default)]
pub struct Unseen {
    /// Copies that the root should have; not counted by a walk of parts that misses none.
    pub copies: u64,
    /// Those that are not there.
    pub missing: Vec<NodeId>,
    /// Those that were not seen, and may have been on their way.
    pub unsettled: u64,
    /// Directories at whose places alone nothing was, as far as nothing happened to them since.
    pub gone_dirs: Vec<DirId>,
}

/// What of a root a walk was of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Within {
    /// All of it.
    #[default]
    All,
    /// Parts.
    Parts {
        /// Ways to directories that were walked with all below them.
        below: Vec<Vec<Name>>,
        /// Entries of the tree at whose places nothing was.
        gone: Vec<NodeId>,
    },
}

/// Holds the files that a walk saw, and the directories that agree, against what the root should have; both are sorted.
pub fn unseen(
    sql: &Sql<'_>,
    root: RootKey,
    since: OpSeq,
    within: &Within,
    (seen, agreed): (&Seen, &Seen),
) -> Result<Unseen, StoreError> {
    let mut unseen = Unseen::default();
    let mut settled = Settled::new(root, since);
    let mut is_left = |dir, missing: Vec<NodeId>| {
        if missing.is_empty() {
            return Ok(());
        }
        match settled.is(sql, dir)? {
            true => unseen.missing.extend(missing),
            false => unseen.unsettled += missing.len() as u64,
        }
        Ok::<_, StoreError>(())
    };
    let mut gone_dirs = Vec::new();
    let (dirs, gone) = match within {
        Within::All => (None, Vec::new()),
        Within::Parts { below, gone } => {
            let (dirs, files) = parts(sql, below, gone, &mut gone_dirs)?;
            (Some(dirs), files)
        }
    };
    let mut dir_is_left = |row: &Row<'_>| {
        let dir = NodeId(id(row, 0)?);
        match agreed.has(dir) {
            true => Ok(()),
            false => is_left(dir, unseen_in(sql, root, dir, seen)?),
        }
    };
    match dirs {
        None => sql.each(
            "SELECT dir FROM root_dir WHERE root = ?1 AND digest <> zeroblob(16)",
            [root.0],
            &mut dir_is_left,
        )?,
        Some(dirs) => {
            for dir in dirs {
                sql.each(BELOW, params![root.0, number(dir.0)], &mut dir_is_left)?;
            }
        }
    }
    for file in gone {
        if copies::held(sql, file.id, root)? == Some(true) && !seen.has(file.id) {
            is_left(file.parent, vec![file.id])?;
        }
    }
    for dir in gone_dirs {
        if settled.is(sql, dir)? {
            unseen.gone_dirs.push(dir);
        }
    }
    if *within == Within::All || !unseen.missing.is_empty() {
        let count = "SELECT count(*) FROM copy WHERE root = ?1 AND state = 0";
        unseen.copies = sql.get(count, [root.0], |row| id(row, 0))?.unwrap_or(0);
    }
    Ok(unseen)
}

/// Damaged copies that such a walk should have met too, and did not.
pub fn unseen_damaged(
    sql: &Sql<'_>,
    root: RootKey,
    since: OpSeq,
    within: &Within,
    seen: &Seen,
) -> Result<Vec<NodeId>, StoreError> {
    let of = match within {
        Within::All => None,
        Within::Parts { below, gone } => Some((parts(sql, below, gone, &mut Vec::new())?, gone)),
    };
    let (mut settled, mut unseen) = (Settled::new(root, since), Vec::new());
    for node in passes::damaged_on(sql, root)? {
        let Some(entry) = nodes::by_id(sql, node)?.filter(|_| !seen.has(node)) else {
            continue;
        };
        let looked = match &of {
            None => true,
            Some(((dirs, _), gone)) => gone.contains(&node) || is_below(sql, node, dirs)?,
        };
        if looked && settled.is(sql, entry.parent)? {
            unseen.push(node);
        }
    }
    Ok(unseen)
}

/// Directories of a root at and below one.
const BELOW: &str = "
    WITH RECURSIVE below (dir) AS (
        VALUES (?2)
        UNION SELECT node.id FROM below JOIN node ON node.parent = below.dir
            JOIN root_dir ON root_dir.dir = node.id AND root_dir.root = ?1 WHERE node.kind = 0)
    SELECT root_dir.dir FROM below JOIN root_dir ON root_dir.dir = below.dir AND root_dir.root = ?1
    WHERE digest <> zeroblob(16)";

/// The directories of the tree of which all below was walked, none of them below another, and files that are gone.
fn parts(
    sql: &Sql<'_>,
    below: &[Vec<Name>],
    gone: &[NodeId],
    gone_dirs: &mut Vec<DirId>,
) -> Result<(BTreeSet<DirId>, Vec<Entry>), StoreError> {
    let (mut dirs, mut files) = (BTreeSet::new(), Vec::new());
    for way in below {
        dirs.extend(at(sql, way)?);
    }
    for node in gone {
        match nodes::by_id(sql, *node)? {
            Some(entry) if entry.kind == Kind::Dir => {
                dirs.insert(entry.id);
                gone_dirs.push(entry.id);
            }
            Some(entry) => files.push(entry),
            None => {}
        }
    }
    let mut tops = dirs.clone();
    for dir in &dirs {
        if is_below(sql, *dir, &dirs)? {
            tops.remove(dir);
        }
    }
    Ok((tops, files))
}

/// Whether something lies below one of these directories.
fn is_below(sql: &Sql<'_>, node: NodeId, dirs: &BTreeSet<DirId>) -> Result<bool, StoreError> {
    let mut at = node;
    while at != NodeId::ROOT {
        let Some(entry) = nodes::by_id(sql, at)? else {
            break;
        };
        at = entry.parent;
        if dirs.contains(&at) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The directory of the tree with exactly these names.
fn at(sql: &Sql<'_>, way: &[Name]) -> Result<Option<DirId>, StoreError> {
    let mut dir = NodeId::ROOT;
    for name in way {
        match nodes::child(sql, dir, name)? {
            Some(entry) if entry.kind == Kind::Dir && entry.name.as_ref() == Some(name) => {
                dir = entry.id;
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(dir))
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

    /// The same; a directory of which the root never had anything is as it was.
    pub fn is_if_known(&mut self, sql: &Sql<'_>, dir: DirId) -> Result<bool, StoreError> {
        match copies::dir_row(sql, dir, self.root)? {
            Some(_) => self.is(sql, dir),
            None => Ok(true),
        }
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
