//! Deletes of a directory with everything in it, a part at a time: changes of others come in between.

use drftpd_protocol::NodeId;

use super::remove::{delete, remove_dir};
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand, nodes, walk};
use crate::vfs::types::{Entry, Kind, Meant};

/// Entries that are looked at together.
const PAGE: usize = 64;

/// What a wipe has taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wiped {
    /// Files, complete or not.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Directories.
    pub dirs: u64,
    /// Links.
    pub links: u64,
    /// Whether nothing is left of it.
    pub done: bool,
}

/// Takes away an entry with all below it, at most so many entries of it.
pub struct Wipe {
    pub what: Meant,
    pub limit: usize,
    /// Who does it.
    pub by: Option<String>,
}

impl TreeCommand for Wipe {
    type Answer = Wiped;

    fn apply(self, tree: &Tree<'_>) -> Result<Wiped, VfsError> {
        let top = walk::meant(tree, &self.what)?;
        if top.id == NodeId::ROOT {
            return Err(VfsError::BadMove(self.what.path));
        }
        let mut wiped = Wiped::default();
        if top.kind != Kind::Dir {
            wiped.count(&top);
            delete(tree, &top, self.by)?;
            wiped.done = true;
            return Ok(wiped);
        }
        let mut way = vec![top];
        for _ in 0..self.limit {
            let Some(dir) = way.last() else { break };
            let page = nodes::behind(tree, dir.id, &[], PAGE)?;
            match self.leaves(tree, page, &mut wiped)? {
                Some(below) => way.push(below),
                None if nodes::is_empty(tree, dir.id)? => {
                    wiped.dirs += 1;
                    remove_dir(tree, dir, self.by.clone())?;
                    way.pop();
                }
                None => {}
            }
            if wiped.entries() >= self.limit {
                break;
            }
        }
        wiped.done = way.is_empty();
        Ok(wiped)
    }
}

impl Wipe {
    /// Deletes entries up to the first directory, which it answers.
    fn leaves(
        &self,
        tree: &Tree<'_>,
        page: Vec<Entry>,
        wiped: &mut Wiped,
    ) -> Result<Option<Entry>, VfsError> {
        for entry in page {
            if entry.kind == Kind::Dir {
                return Ok(Some(entry));
            }
            wiped.count(&entry);
            delete(tree, &entry, self.by.clone())?;
        }
        Ok(None)
    }
}

impl Wiped {
    fn count(&mut self, entry: &Entry) {
        match entry.kind {
            Kind::Link => self.links += 1,
            _ => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(entry.size);
            }
        }
    }

    fn entries(&self) -> usize {
        usize::try_from(self.files + self.dirs + self.links).unwrap_or(usize::MAX)
    }

    /// Both together.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            files: self.files + more.files,
            bytes: self.bytes.saturating_add(more.bytes),
            dirs: self.dirs + more.dirs,
            links: self.links + more.links,
            done: more.done,
        }
    }
}
