//! How far the directories below a directory reach: so many names deeper, so many bytes longer.
//!
//! Kept with each directory as bounds, so that a move costs the same whatever lies below: they grow
//! with the tree and do not shrink. A directory's bounds are never below those that a directory in
//! it asks for, so whoever raises them may stop where nothing is to be raised. Only where they would
//! forbid a move is all that lies below measured.

use drftpd_protocol::path::{MAX_DEPTH, MAX_NAME, MAX_PATH};
use drftpd_protocol::{DirId, Name, NodeId, PathError};

#[cfg(test)]
use super::nodes;
use super::{Tree, walk};
use crate::store::{Sql, StoreError, id, number, params};
use crate::vfs::error::VfsError;
use crate::vfs::types::Entry;

/// A way, or the longest of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Names on it.
    pub names: u64,
    /// Bytes of it, with a slash before each name.
    pub bytes: u64,
}

impl Reach {
    /// No way at all.
    pub const NOTHING: Self = Self { names: 0, bytes: 0 };
    const MOST: Self = Self {
        names: MAX_DEPTH as u64,
        bytes: MAX_PATH as u64,
    };

    fn and(self, more: Self) -> Self {
        Self {
            names: self.names + more.names,
            bytes: self.bytes + more.bytes,
        }
    }

    /// And one more name of so many bytes.
    pub fn and_name(self, bytes: usize) -> Self {
        self.and(Self {
            names: 1,
            bytes: 1 + bytes as u64,
        })
    }

    /// Whether nothing of it is more than of the other.
    fn is_within(self, other: Self) -> bool {
        self.names <= other.names && self.bytes <= other.bytes
    }

    /// Whether a path may be so long.
    pub fn is_path(self) -> bool {
        self.is_within(Self::MOST)
    }
}

/// The way from the top to an entry of a directory.
pub fn to(sql: &Sql<'_>, dir: DirId, name: &Name) -> Result<Reach, VfsError> {
    let steps = walk::steps(sql, dir)?;
    Ok(along(steps.iter().map(|step| &step.name).chain([name])))
}

/// A way of these names.
pub fn along<'n>(names: impl Iterator<Item = &'n Name>) -> Reach {
    names.fold(Reach::NOTHING, |way, name| {
        way.and_name(name.as_bytes().len())
    })
}

/// How far directories below this one reach at most.
fn of(sql: &Sql<'_>, dir: DirId) -> Result<Reach, StoreError> {
    let query = "SELECT deep, long FROM node WHERE id = ?1";
    let found = sql.get(query, [number(dir.0)], |row| {
        let (names, bytes) = (id(row, 0)?, id(row, 1)?);
        Ok(Reach { names, bytes })
    })?;
    Ok(found.unwrap_or(Reach::MOST))
}

/// A directory `name` is in `dir`, which reaches as far as `below`: all above it reach that far.
pub fn raise(tree: &Tree<'_>, dir: DirId, name: &Name, below: Reach) -> Result<(), StoreError> {
    let sql = "UPDATE node SET deep = max(deep, ?2), long = max(long, ?3)
               WHERE id = ?1 AND (deep < ?2 OR long < ?3)
               RETURNING parent, deep, long, length(coalesce(name, key))";
    let (mut at, mut reach) = (dir, below.and_name(name.as_bytes().len()));
    while at != NodeId::ROOT {
        // More than that says nothing more.
        let names = number(reach.names.min(Reach::MOST.names));
        let bytes = number(reach.bytes.min(Reach::MOST.bytes));
        let raised = tree.get(sql, params![number(at.0), names, bytes], |row| {
            let (names, bytes) = (id(row, 1)?, id(row, 2)?);
            Ok((id(row, 0)?, Reach { names, bytes }, row.get::<_, u16>(3)?))
        })?;
        let Some((above, now, name)) = raised else {
            return Ok(());
        };
        (at, reach) = (NodeId(above), now.and_name(name.into()));
    }
    Ok(())
}

/// How far all that is below a directory really reaches.
fn measure(sql: &Sql<'_>, dir: DirId) -> Result<Reach, StoreError> {
    let query = "WITH RECURSIVE below (id, names, bytes) AS (
            SELECT ?1, 0, 0
            UNION ALL
            SELECT node.id, below.names + 1, below.bytes + 1 + length(coalesce(node.name, node.key))
            FROM below JOIN node ON node.parent = below.id)
        SELECT max(names), max(bytes) FROM below";
    let found = sql.get(query, [number(dir.0)], |row| {
        let (names, bytes) = (id(row, 0)?, id(row, 1)?);
        Ok(Reach { names, bytes })
    })?;
    Ok(found.unwrap_or(Reach::NOTHING))
}

/// Refuses to give a directory another place if something below it would be too deep, or its path
/// too long.
///
/// # Errors
/// [`PathError::TooLong`].
pub fn allow_move(tree: &Tree<'_>, from: &Entry, dir: DirId, name: &Name) -> Result<(), VfsError> {
    let new = to(tree, dir, name)?;
    let file = Reach::NOTHING.and_name(MAX_NAME);
    if new.and(of(tree, from.id)?).and(file).is_path() {
        return Ok(());
    }
    if let Some(old) = &from.name
        && new.is_within(to(tree, from.parent, old)?)
    {
        return Ok(());
    }
    match new.and(measure(tree, from.id)?).is_path() {
        true => Ok(()),
        false => Err(PathError::TooLong.into()),
    }
}

/// A directory has another place: what is above it now reaches as far as it does.
pub fn moved(tree: &Tree<'_>, dir: &Entry) -> Result<(), StoreError> {
    match &dir.name {
        Some(name) => raise(tree, dir.parent, name, of(tree, dir.id)?),
        None => Ok(()),
    }
}

/// Whether bounds say less than there is, for tests.
#[cfg(test)]
pub fn is_bounded(sql: &Sql<'_>, dir: &Entry) -> bool {
    let (bound, real) = (of(sql, dir.id).unwrap(), measure(sql, dir.id).unwrap());
    let file = Reach::NOTHING.and_name(MAX_NAME);
    let above = match (&dir.name, nodes::by_id(sql, dir.parent).unwrap()) {
        (Some(name), Some(above)) if above.id != NodeId::ROOT => {
            let asked = bound.and_name(name.as_bytes().len());
            let (names, bytes) = (
                asked.names.min(Reach::MOST.names),
                asked.bytes.min(Reach::MOST.bytes),
            );
            Reach { names, bytes }.is_within(of(sql, above.id).unwrap())
        }
        _ => true,
    };
    above && real.is_within(bound.and(file))
}
