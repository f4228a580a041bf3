//! Everything below a directory, entry by entry, and where to go on later: a directory comes before what lies in it, and
//! entries by the bytes of their names.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use drftpd_protocol::{DirId, VfsPath};

use super::VfsClient;
use super::error::VfsError;
use super::tree::{nodes, walk};
use super::types::{Entry, Kind};
use crate::store::Sql;

/// Entries that are read at a time.
const PAGE: usize = 256;

/// Is shown entries.
pub trait Visitor: Send + 'static {
    /// Whether a directory is gone into, and an entry there shown at all. It must say the same whenever it is asked.
    fn sees(&mut self, path: &VfsPath) -> bool;

    /// One entry. `Break`: this is the last one.
    ///
    /// # Errors
    /// When something of it cannot be read.
    fn visit(
        &mut self,
        sql: &Sql<'_>,
        path: &VfsPath,
        entry: &Entry,
    ) -> Result<ControlFlow<()>, VfsError>;
}

/// How a visit ended.
#[derive(Debug)]
pub struct Visited<V> {
    /// The visitor, with what it has gathered.
    pub visitor: V,
    /// The last entry that was looked at, where there may be more behind it.
    pub next: Option<VfsPath>,
}

impl VfsClient {
    /// Shows a visitor what lies below a directory (or the one entry that is no directory), behind `after`, of committed
    /// entries at most so many, seen or not.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], or what the visitor says.
    pub async fn visit<V: Visitor>(
        &self,
        top: &VfsPath,
        after: Option<VfsPath>,
        most: usize,
        visitor: V,
    ) -> Result<Visited<V>, VfsError> {
        let top = top.clone();
        let read = move |sql: &Sql<'_>| visit(sql, &top, after.as_ref(), most, visitor);
        self.store.read_on(&self.blocking, read).await
    }
}

fn visit<V: Visitor>(
    sql: &Sql<'_>,
    top: &VfsPath,
    after: Option<&VfsPath>,
    most: usize,
    mut visitor: V,
) -> Result<Visited<V>, VfsError> {
    let entry = walk::existing(sql, top, false)?;
    let mut next = None;
    if entry.kind == Kind::Dir {
        next = inside(sql, (top, entry.id), after, most, &mut visitor)?;
    } else if after.is_none() {
        let _only = visitor.visit(sql, top, &entry)?;
    }
    Ok(Visited { visitor, next })
}

fn inside<V: Visitor>(
    sql: &Sql<'_>,
    (top, dir): (&VfsPath, DirId),
    after: Option<&VfsPath>,
    most: usize,
    visitor: &mut V,
) -> Result<Option<VfsPath>, VfsError> {
    let mut way = way_to(sql, (top, dir), after, visitor)?;
    let mut looked = 0;
    while let Some(level) = way.last_mut() {
        let Some(entry) = level.next(sql)? else {
            way.pop();
            continue;
        };
        let Some(name) = entry.name.clone() else {
            continue;
        };
        let path = level.path.join(name)?;
        looked += 1;
        if visitor.sees(&path) {
            let goes_on = visitor.visit(sql, &path, &entry)?;
            if entry.kind == Kind::Dir {
                way.push(Level::new(path.clone(), entry.id, Vec::new()));
            }
            if goes_on.is_break() {
                return Ok(Some(path));
            }
        }
        if looked >= most {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The levels behind the last entry of an earlier visit, as far as they are there still and seen.
fn way_to<V: Visitor>(
    sql: &Sql<'_>,
    (top, dir): (&VfsPath, DirId),
    after: Option<&VfsPath>,
    visitor: &mut V,
) -> Result<Vec<Level>, VfsError> {
    let mut way = vec![Level::new(top.clone(), dir, Vec::new())];
    let Some(after) = after.filter(|after| top.contains(after)) else {
        return Ok(way);
    };
    for name in &after.names()[top.names().len()..] {
        let Some(level) = way.last_mut() else { break };
        level.last = sql.case().fold(name.as_bytes());
        let path = level.path.join(name.clone())?;
        let entry = nodes::child(sql, level.dir, name)?;
        match entry.filter(|entry| entry.kind == Kind::Dir && visitor.sees(&path)) {
            Some(entry) => way.push(Level::new(path, entry.id, Vec::new())),
            None => break,
        }
    }
    Ok(way)
}

/// A directory that is looked through.
struct Level {
    path: VfsPath,
    dir: DirId,
    /// The folded name behind which it goes on.
    last: Vec<u8>,
    read: VecDeque<Entry>,
    ended: bool,
}

impl Level {
    fn new(path: VfsPath, dir: DirId, last: Vec<u8>) -> Self {
        Self {
            path,
            dir,
            last,
            read: VecDeque::new(),
            ended: false,
        }
    }

    fn next(&mut self, sql: &Sql<'_>) -> Result<Option<Entry>, VfsError> {
        if self.read.is_empty() && !self.ended {
            self.read = nodes::behind(sql, self.dir, &self.last, PAGE)?.into();
            self.ended = self.read.len() < PAGE;
            if let Some(name) = self.read.back().and_then(|entry| entry.name.as_ref()) {
                self.last = sql.case().fold(name.as_bytes());
            }
        }
        Ok(self.read.pop_front())
    }
}
