//! The tree itself: entries in directories that are there, totals, digests, identities that were given out.

use std::collections::BTreeMap;

use drftpd_protocol::path::MAX_DEPTH;
use drftpd_protocol::{DirId, NodeId};

use super::findings::Findings;
use super::text;
use crate::store::{Issued, Sql, StoreError, id, number, params};
use crate::vfs::tree::{copies, nodes, walk};
use crate::vfs::types::{Entry, FileState, Kind};

/// Goes through all entries once, directory by directory.
pub fn entries(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    let mut pass = Pass {
        sql,
        found,
        last: None,
        sums: None,
    };
    nodes::each(sql, |read| match read {
        Ok(entry) => pass.entry(&entry),
        Err((node, why)) => {
            let what = format!("entry {node} cannot be read: {}", text(&why));
            pass.found.add("tree", what);
            Ok(())
        }
    })?;
    pass.close()?;
    if walk::path_of(sql, NodeId::ROOT).is_err() {
        found.add("tree", "the root directory is not there");
    }
    Ok(())
}

/// What the entries of one directory come to.
struct Sums {
    dir: DirId,
    size: u64,
    files: u64,
    digests: BTreeMap<i64, u128>,
}

struct Pass<'p, 'c> {
    sql: &'p Sql<'c>,
    found: &'p mut Findings,
    /// The incarnation that was last looked up, and the greatest number it gave out.
    last: Option<(u64, u64)>,
    sums: Option<Sums>,
}

impl Pass<'_, '_> {
    fn entry(&mut self, entry: &Entry) -> Result<(), StoreError> {
        match entry.kind {
            Kind::Dir => self.found.seen.directories += 1,
            Kind::File => self.found.seen.files += 1,
            Kind::Link => {}
        }
        if entry.id == NodeId::ROOT {
            return Ok(()); // in no directory
        }
        if self
            .sums
            .as_ref()
            .is_none_or(|sums| sums.dir != entry.parent)
        {
            self.close()?;
            self.sums = Some(Sums {
                dir: entry.parent,
                size: 0,
                files: 0,
                digests: BTreeMap::new(),
            });
        }
        self.given_out(entry)?;
        if entry.state == FileState::Complete {
            self.complete(entry)
        } else {
            self.incomplete(entry)
        }
    }

    fn complete(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let Some(sums) = self.sums.as_mut().filter(|_| entry.kind != Kind::Link) else {
            return Ok(());
        };
        sums.size = sums.size.wrapping_add(entry.size);
        let files = if entry.kind == Kind::File {
            1
        } else {
            entry.files
        };
        sums.files = sums.files.wrapping_add(files);
        if entry.kind == Kind::File {
            let digest = copies::digest(entry);
            let query = "SELECT root FROM copy WHERE node = ?1 AND state = 0";
            let seen = &mut self.found.seen.copies;
            self.sql.each(query, [number(entry.id.0)], |row| {
                let sum = sums.digests.entry(row.get(0)?).or_default();
                *sum = sum.wrapping_add(digest);
                *seen += 1;
                Ok::<_, StoreError>(())
            })?;
        }
        Ok(())
    }

    fn incomplete(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let query = "SELECT 1 FROM upload WHERE node = ?1";
        let upload = self.sql.get(query, [number(entry.id.0)], |_| Ok(()))?;
        if entry.kind != Kind::File {
            let what = format!("{} is no file and not complete", path(self.sql, entry.id));
            self.found.add("tree", what);
        } else if upload.is_none() {
            let path = path(self.sql, entry.id);
            let what = format!("{path} is not complete, and there is no upload of it");
            self.found.add("uploads", what);
        }
        Ok(())
    }

    /// Every number in the tree must count as given out, or it could be given out once more.
    fn given_out(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let generation = Some(entry.generation.0).filter(|_| entry.generation.0 > 1);
        for n in [Some(entry.id.0), generation].into_iter().flatten() {
            let of = Issued::of(n);
            if self.last.is_none_or(|(last, _)| last != of.incarnation) {
                let query = "SELECT issued FROM incarnation WHERE n = ?1";
                let most = self
                    .sql
                    .get(query, [number(of.incarnation)], |row| id(row, 0))?;
                self.last = Some((of.incarnation, most.unwrap_or(0)));
            }
            if self.last.is_none_or(|(_, most)| of.counter > most) {
                let path = path(self.sql, entry.id);
                let what = format!("{path} has number {n}, which was never given out");
                self.found.add("identities", what);
            }
        }
        Ok(())
    }

    /// The directory is at its end: is all that is kept of it what its entries come to?
    fn close(&mut self) -> Result<(), StoreError> {
        let Some(sums) = self.sums.take() else {
            return Ok(());
        };
        let query = "SELECT kind, size, files FROM node WHERE id = ?1";
        let row = self.sql.get(query, [number(sums.dir.0)], |row| {
            Ok((row.get::<_, i64>(0)?, id(row, 1)?, id(row, 2)?))
        })?;
        match row {
            Some((0, size, files)) => {
                if (size, files) != (sums.size, sums.files) {
                    let what = totals(self.sql, sums.dir, (size, files), (sums.size, sums.files));
                    self.found.add("totals", what);
                }
            }
            Some(_) => {
                let what = format!("entries lie in {}, which is no directory", sums.dir);
                self.found.add("tree", what);
            }
            None => {
                let what = format!("entries lie in directory {}, which is not there", sums.dir);
                self.found.add("tree", what);
            }
        }
        self.digests(sums)
    }

    fn digests(&mut self, mut sums: Sums) -> Result<(), StoreError> {
        let query = "SELECT root, digest FROM root_dir WHERE dir = ?1";
        let mut wrong = Vec::new();
        self.sql.each(query, [number(sums.dir.0)], |row| {
            let (root, kept) = (row.get(0)?, row.get::<_, [u8; 16]>(1)?);
            let counted = sums.digests.remove(&root).unwrap_or_default();
            if u128::from_le_bytes(kept) != counted {
                wrong.push((root, "the digest is another than that of the copies"));
            }
            Ok::<_, StoreError>(())
        })?;
        let unmarked = sums.digests.into_keys();
        wrong.extend(unmarked.map(|root| (root, "there are copies, and no digest")));
        for (root, why) in wrong {
            let what = format!("root {root}, {}: {why}", path(self.sql, sums.dir));
            self.found.add("digests", what);
        }
        Ok(())
    }
}

fn totals(sql: &Sql<'_>, dir: DirId, kept: (u64, u64), counted: (u64, u64)) -> String {
    let path = path(sql, dir);
    let ((size, files), (real_size, real_files)) = (kept, counted);
    format!(
        "{path}: {files} files of {size} bytes; its entries come to {real_files} of {real_size}"
    )
}

/// Where something is, for people: its number where it is nowhere.
pub(super) fn path(sql: &Sql<'_>, node: NodeId) -> String {
    match walk::path_of(sql, node) {
        Ok(path) => path.to_string(),
        Err(_) => format!("entry {node}"),
    }
}

/// Directories without entries have nothing below them.
pub fn childless(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    let query = "SELECT id, size, files FROM node WHERE kind = 0 AND (size <> 0 OR files <> 0)
                 AND NOT EXISTS (SELECT 1 FROM node AS below WHERE below.parent = node.id)";
    sql.each(query, [], |row| {
        let kept = (id(row, 1)?, id(row, 2)?);
        found.add("totals", totals(sql, NodeId(id(row, 0)?), kept, (0, 0)));
        Ok::<_, StoreError>(())
    })?;
    let query = "SELECT dir, root FROM root_dir WHERE digest <> zeroblob(16)
                 AND NOT EXISTS (SELECT 1 FROM node WHERE node.parent = root_dir.dir)";
    sql.each(query, [], |row| {
        let (dir, root) = (NodeId(id(row, 0)?), row.get::<_, i64>(1)?);
        let path = path(sql, dir);
        let what = format!("root {root}, {path}: there is a digest, and nothing in it");
        found.add("digests", what);
        Ok(())
    })
}

/// From every directory the way up ends at the root. (One whose directory is missing is told by [`entries`].)
pub fn circles(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    let up = "SELECT parent FROM node WHERE id = ?1";
    sql.each("SELECT id FROM node WHERE kind = 0", [], |row| {
        let dir = id(row, 0)?;
        let mut at = Some(dir).filter(|dir| *dir != NodeId::ROOT.0);
        for _ in 0..=MAX_DEPTH {
            let Some(here) = at else {
                return Ok(());
            };
            let above = sql.get(up, params![number(here)], |row| id(row, 0))?;
            at = above.filter(|above| *above != NodeId::ROOT.0);
        }
        let what = format!("directory {dir}: the way up from it does not end at the root");
        found.add("tree", what);
        Ok(())
    })
}
