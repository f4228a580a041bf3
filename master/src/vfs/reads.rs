//! What readers see: a committed snapshot with running uploads laid over it.

use std::collections::{BTreeMap, BTreeSet};

use drftpd_protocol::{DirId, Name, NodeId, OpSeq, RootId, VfsPath};

use super::error::VfsError;
use super::plan;
use super::tree::{copies, log, nodes, walk};
use super::types::{Entry, FileState, Kind, Looked, Page, Readable};
use super::uploads::Uploads;
use crate::store::{Sql, StoreError, number, params};

/// Entries of one page at most.
const MAX_PAGE: usize = 4096;
/// Files of one directory that are counted for a placement at most.
const COUNTED: i64 = 10_000;

/// What stands at a path.
pub(super) fn stat(
    sql: &Sql<'_>,
    live: &Uploads,
    path: &VfsPath,
    last: bool,
) -> Result<Entry, VfsError> {
    let looked = look(sql, live, path, last)?;
    looked.entry.ok_or_else(|| VfsError::NotFound(path.clone()))
}

/// Where a path leads, and what stands there, if anything does.
pub(super) fn look(
    sql: &Sql<'_>,
    live: &Uploads,
    path: &VfsPath,
    last: bool,
) -> Result<Looked, VfsError> {
    let found = walk::find(sql, path, last)?;
    let unstored = || {
        let key = sql.case().fold(found.path.name()?.as_bytes());
        live.unstored(found.parent, &key)
    };
    let entry = match found.entry {
        Some(entry) => Some(live.live(entry)),
        None => unstored(),
    };
    Ok(Looked {
        path: found.path,
        entry,
        via: found.via,
    })
}

/// Some entries of a directory.
pub(super) fn list(
    sql: &Sql<'_>,
    live: &Uploads,
    dir: DirId,
    after: Option<&Name>,
    limit: usize,
) -> Result<Page, VfsError> {
    let limit = limit.clamp(1, MAX_PAGE);
    let here = nodes::by_id(sql, dir)?;
    if here.is_none_or(|here| here.kind != Kind::Dir) {
        return Err(VfsError::NotFound(VfsPath::root()));
    }
    let after = after.map(|name| sql.case().fold(name.as_bytes()));
    let after = after.unwrap_or_default();
    let mut entries = nodes::behind(sql, dir, &after, limit + 1)?;
    let mut more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| more);
    let last = last.map(|entry| key_of(sql, entry));
    let unstored = live.unstored_in(dir, &after, last.as_deref());
    let mut entries: Vec<Entry> = entries.into_iter().map(|entry| live.live(entry)).collect();
    if !unstored.is_empty() {
        lay_over(sql, &mut entries, unstored);
        more |= entries.len() > limit;
        entries.truncate(limit);
    }
    let next = entries.last().and_then(|entry| entry.name.clone());
    Ok(Page {
        entries,
        next: next.filter(|_| more),
    })
}

fn key_of(sql: &Sql<'_>, entry: &Entry) -> Vec<u8> {
    let name = entry.name.as_ref().map_or(&b""[..], |name| name.as_bytes());
    sql.case().fold(name)
}

/// Which of some complete files have no good copy on any of these roots.
pub(super) fn offline(
    sql: &Sql<'_>,
    files: &[NodeId],
    present: &BTreeSet<RootId>,
) -> Result<BTreeSet<NodeId>, VfsError> {
    let mut offline = BTreeSet::new();
    for file in files {
        let holders = copies::holders(sql, *file)?;
        if !holders.iter().any(|(root, _)| present.contains(root)) {
            offline.insert(*file);
        }
    }
    Ok(offline)
}

/// Puts entries between others; those that have come into the store meanwhile are there already.
fn lay_over(sql: &Sql<'_>, entries: &mut Vec<Entry>, unstored: Vec<(Vec<u8>, Entry)>) {
    for (key, entry) in unstored {
        let at = entries.binary_search_by(|other| key_of(sql, other).cmp(&key));
        if let Err(at) = at {
            entries.insert(at, entry);
        }
    }
}

/// A file with everything an order to read it needs.
pub(super) fn readable(
    sql: &Sql<'_>,
    live: &Uploads,
    path: &VfsPath,
) -> Result<Readable, VfsError> {
    let entry = stat(sql, live, path, true)?;
    if entry.kind != Kind::File {
        return Err(VfsError::IsDirectory(path.clone()));
    }
    let holders = match entry.state {
        FileState::Complete => copies::holders(sql, entry.id)?,
        FileState::Partial => return Err(VfsError::Incomplete(path.clone())),
        FileState::Uploading => uploading(sql, live, &entry)?,
    };
    let (file, at) = (entry.file(), walk::place_of(sql, &entry)?);
    Ok(Readable {
        entry,
        file,
        at,
        holders,
    })
}

/// The root that takes a first upload.
/// How many files of a path's directory lie on which root; those of a very large directory are not all counted.
pub(super) fn siblings(sql: &Sql<'_>, path: &VfsPath) -> Result<BTreeMap<RootId, u32>, VfsError> {
    let directory = walk::find(sql, path, true)?.parent;
    let query = "SELECT root.id, count(*)
        FROM (SELECT id FROM node WHERE parent = ?1 AND kind = 1 LIMIT ?2) AS file
        JOIN copy ON copy.node = file.id AND copy.state = 0
        JOIN root ON root.key = copy.root GROUP BY root.key";
    let counts = sql.all(query, params![number(directory.0), COUNTED], |row| {
        Ok((RootId(row.get(0)?), row.get(1)?))
    })?;
    Ok(counts.into_iter().collect())
}

fn uploading(
    sql: &Sql<'_>,
    live: &Uploads,
    entry: &Entry,
) -> Result<Vec<(RootId, OpSeq)>, VfsError> {
    let stored = || plan::stored(sql, entry.id).map(|upload| upload.map(|upload| upload.root));
    let root = match live.root(entry.file()) {
        Some(root) => Some(root),
        None => stored()?,
    };
    let row = root.map(|root| log::root(sql, root)).transpose()?.flatten();
    Ok(row.map(|row| (row.id, row.pending())).into_iter().collect())
}

/// The newest position of every root's log.
pub(super) fn heads(sql: &Sql<'_>) -> Result<Vec<(RootId, OpSeq)>, StoreError> {
    let roots = log::roots(sql)?;
    Ok(roots.into_iter().map(|row| (row.id, row.newest)).collect())
}
