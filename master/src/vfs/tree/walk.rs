//! Ways through the tree: from a path to an entry, and from a node to its path.

use std::collections::VecDeque;

use drftpd_protocol::wire::{DirStep, Place};
use drftpd_protocol::{DirId, Name, NodeId, VfsPath};

use super::nodes;
use crate::store::{Sql, StoreError, id, number};
use crate::vfs::error::VfsError;
use crate::vfs::types::{Entry, Kind, Meant};

/// Links that one path may lead through.
const MAX_LINKS: usize = 8;
/// Directories above each other at most, against a damaged store.
const MAX_CLIMB: usize = 10_000;

/// Where a path leads.
#[derive(Debug, Clone)]
pub struct Found {
    /// The path without links, spelled as stored as far as it exists.
    pub path: VfsPath,
    /// The directory that holds, or would hold, it.
    pub parent: DirId,
    /// What stands there.
    pub entry: Option<Entry>,
    /// The links that were followed, each at its own place.
    pub via: Vec<VfsPath>,
}

/// Follows a path; every directory on the way must be there, its last name need not. `last`:
/// whether a link at the end is followed too.
pub fn find(sql: &Sql<'_>, path: &VfsPath, last: bool) -> Result<Found, VfsError> {
    let missing = || VfsError::NotFound(path.clone());
    let mut via = Vec::new();
    let mut names: VecDeque<Name> = path.names().iter().cloned().collect();
    let mut here = root(sql)?;
    let (mut real, mut parent) = (VfsPath::root(), NodeId::ROOT);
    while let Some(name) = names.pop_front() {
        if here.kind != Kind::Dir {
            return Err(missing());
        }
        parent = here.id;
        let Some(entry) = nodes::child(sql, parent, &name)? else {
            if !names.is_empty() {
                return Err(missing());
            }
            let path = real.join(name)?;
            return Ok(Found {
                path,
                parent,
                entry: None,
                via,
            });
        };
        if entry.kind == Kind::Link && (last || !names.is_empty()) {
            if via.len() >= MAX_LINKS {
                return Err(VfsError::TooManyLinks(path.clone()));
            }
            via.push(real.join(entry.name.clone().unwrap_or(name))?);
            // Lexically: relative to the directory that the link stands in, never above the root.
            let target = real.resolve(entry.target.as_deref().unwrap_or_default())?;
            for name in target.names().iter().rev() {
                names.push_front(name.clone());
            }
            (real, parent, here) = (VfsPath::root(), NodeId::ROOT, root(sql)?);
            continue;
        }
        real = real.join(entry.name.clone().unwrap_or(name))?;
        here = entry;
    }
    Ok(Found {
        path: real,
        parent,
        entry: Some(here),
        via,
    })
}

fn root(sql: &Sql<'_>) -> Result<Entry, StoreError> {
    let root = nodes::by_id(sql, NodeId::ROOT)?;
    root.ok_or_else(|| StoreError::Damaged("the root directory is gone".into()))
}

/// What stands at a path.
pub fn existing(sql: &Sql<'_>, path: &VfsPath, last: bool) -> Result<Entry, VfsError> {
    let found = find(sql, path, last)?;
    found.entry.ok_or_else(|| VfsError::NotFound(path.clone()))
}

/// What a change is about, links followed but for the last name, if it still stands there.
pub fn meant(sql: &Sql<'_>, meant: &Meant) -> Result<Entry, VfsError> {
    let entry = existing(sql, &meant.path, false)?;
    match meant.node.is_none_or(|node| node == entry.id) {
        true => Ok(entry),
        false => Err(VfsError::NotFound(meant.path.clone())),
    }
}

/// The directories from the top down to this one, itself included; empty for the root.
pub fn steps(sql: &Sql<'_>, dir: DirId) -> Result<Vec<DirStep>, VfsError> {
    let mut steps = Vec::new();
    let mut at = dir;
    while at != NodeId::ROOT {
        let gone = || VfsError::Store(StoreError::Damaged(format!("node {at} hangs loose")));
        let (above, name) = above(sql, at)?.ok_or_else(gone)?;
        steps.push(DirStep { id: at, name });
        if steps.len() > MAX_CLIMB {
            return Err(gone());
        }
        at = above;
    }
    steps.reverse();
    Ok(steps)
}

fn above(sql: &Sql<'_>, node: NodeId) -> Result<Option<(DirId, Name)>, VfsError> {
    let query = "SELECT parent, coalesce(name, key) FROM node WHERE id = ?1";
    let row = sql.get(query, [number(node.0)], |row| {
        Ok((NodeId(id(row, 0)?), row.get::<_, Vec<u8>>(1)?))
    })?;
    let Some((parent, name)) = row else {
        return Ok(None);
    };
    Ok(Some((parent, Name::new(name)?)))
}

/// Whether `dir` is `below` or lies below it.
pub fn is_within(sql: &Sql<'_>, dir: DirId, below: DirId) -> Result<bool, VfsError> {
    Ok(below == NodeId::ROOT || steps(sql, dir)?.iter().any(|step| step.id == below))
}

/// Where `name` of a directory lies below every root.
pub fn place(sql: &Sql<'_>, dir: DirId, name: Name) -> Result<Place, VfsError> {
    let dirs = steps(sql, dir)?;
    Ok(Place { dirs, name })
}

/// Where an entry lies below every root; the root itself nowhere.
pub fn place_of(sql: &Sql<'_>, entry: &Entry) -> Result<Place, VfsError> {
    match &entry.name {
        Some(name) => place(sql, entry.parent, name.clone()),
        None => Err(VfsError::BadMove(VfsPath::root())),
    }
}

/// The path of a node.
pub fn path_of(sql: &Sql<'_>, node: NodeId) -> Result<VfsPath, VfsError> {
    let mut path = VfsPath::root();
    if nodes::by_id(sql, node)?.is_none() {
        return Err(VfsError::NotFound(path));
    }
    for step in steps(sql, node)? {
        path = path.join(step.name)?;
    }
    Ok(path)
}
