//! A page of a walk: one directory of a root against the file list, in one command.
//!
//! What is new is adopted in place, what is known is confirmed or brought to its place, what is not wanted any more is set
//! aside. What is missing is found when the walk is over: an entry is never erased because a copy is not there.

use std::collections::BTreeSet;

use drftpd_protocol::wire::{DirStep, Moved, Place, RootOp, WalkEntry, WalkNode};
use drftpd_protocol::{DirId, FileId, Generation, Name, NodeId, OpSeq, RootId, SlaveId};

use super::found::{self, conflict_names};
use super::shared;
use super::unknown::Marked;
use crate::outbox::{At, Event};
use crate::vfs::client::{Merged, Stray};
use crate::vfs::config::Foreign;
use crate::vfs::error::VfsError;
use crate::vfs::tree::differences::{self, Why};
use crate::vfs::tree::log::RootRow;
use crate::vfs::tree::reach::{self, Reach};
use crate::vfs::tree::{Tree, TreeCommand, copies, log, nodes, totals, walk};
use crate::vfs::types::{Entry, FileState, Kind};

/// Merges a page of a walk.
pub struct MergePage {
    pub root: RootId,
    pub slave: SlaveId,
    pub dir: Vec<DirStep>,
    pub entries: Vec<WalkEntry>,
    /// Names that alone were looked at.
    pub looked: Vec<Name>,
    /// On a shared root: what its disk had followed when the walk began.
    pub shared: Option<OpSeq>,
}

impl TreeCommand for MergePage {
    type Answer = Merged;

    fn apply(self, tree: &Tree<'_>) -> Result<Merged, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let mut merged = Merged::default();
        if root.held {
            return Ok(merged); // nothing that it says counts
        }
        let Some(here) = Here::find(tree, &self.slave, self.dir)? else {
            merged.refused = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
            return Ok(merged);
        };
        let mut page = Page {
            tree,
            root,
            slave: self.slave,
            here,
            merged,
            adopted_bytes: 0,
            shared: self.shared,
        };
        page.bring_dir_to_its_place()?;
        page.note_gone(self.looked, &self.entries)?;
        for entry in self.entries {
            page.take(entry)?;
        }
        page.finish()
    }
}

/// The directory of a page: on the disk, and in the tree.
pub(super) struct Here {
    /// The way to it on the disk, with the identities found there.
    pub disk: Vec<DirStep>,
    /// The deepest directory of the way that the tree has.
    dir: DirId,
    /// Names below it that the tree does not have; made when there is something to adopt.
    missing: Vec<Name>,
    /// The way to `dir` in the tree.
    steps: Vec<DirStep>,
    /// How long that way is, with what is missing of it.
    way: Reach,
    /// Whether the tree has the whole way by these names.
    pub in_place: bool,
    /// Whether the last directory itself is elsewhere in the tree.
    strayed: bool,
    /// Whether the tree has something else where a directory of the way is: what has no identity belongs beside it.
    pub displaced: bool,
    /// Whether every directory carries the identity it should.
    identified: bool,
}

impl Here {
    /// The directory of a place on a disk. `None` where no name is left for a directory in whose way something stands in the tree.
    pub fn find(
        tree: &Tree<'_>,
        slave: &SlaveId,
        disk: Vec<DirStep>,
    ) -> Result<Option<Self>, VfsError> {
        let mut here = Self {
            dir: NodeId::ROOT,
            missing: Vec::new(),
            steps: Vec::new(),
            way: Reach::NOTHING,
            in_place: true,
            strayed: false,
            displaced: false,
            identified: true,
            disk: Vec::new(),
        };
        for step in &disk {
            if !here.go(tree, slave, step)? {
                return Ok(None);
            }
        }
        here.steps = walk::steps(tree, here.dir)?;
        let there = here.steps.iter().map(|step| &step.name);
        here.way = reach::along(there.chain(&here.missing));
        here.disk = disk;
        Ok(Some(here))
    }

    /// Goes down one directory: by its identity where the tree knows it, else by its name.
    fn go(&mut self, tree: &Tree<'_>, slave: &SlaveId, step: &DirStep) -> Result<bool, VfsError> {
        let by_id = match step.id {
            NodeId(0) => None,
            id => nodes::by_id(tree, id)?.filter(|entry| entry.kind == Kind::Dir),
        };
        if let Some(dir) = by_id {
            let here = dir.parent == self.dir && dir.name.as_ref() == Some(&step.name);
            self.strayed = !here || !self.missing.is_empty();
            self.in_place &= !self.strayed;
            self.displaced = false;
            self.dir = dir.id;
            self.missing.clear();
            return Ok(true);
        }
        self.strayed = false;
        self.identified = false;
        let by_name = match self.missing.is_empty() {
            true => nodes::child(tree, self.dir, &step.name)?,
            false => None,
        };
        match by_name {
            Some(dir) if dir.kind == Kind::Dir => {
                self.in_place &= dir.name.as_ref() == Some(&step.name);
                self.dir = dir.id;
            }
            Some(_) => return self.go_beside(tree, slave, &step.name),
            None => self.missing.push(step.name.clone()),
        }
        Ok(true)
    }

    /// Goes down a directory where the tree has a file: what is in it belongs into one of a name beside.
    fn go_beside(
        &mut self,
        tree: &Tree<'_>,
        slave: &SlaveId,
        name: &Name,
    ) -> Result<bool, VfsError> {
        (self.in_place, self.displaced) = (false, true);
        for name in conflict_names(name, slave) {
            let name = name?;
            match nodes::child(tree, self.dir, &name)? {
                None => self.missing.push(name),
                Some(dir) if dir.kind == Kind::Dir => self.dir = dir.id,
                Some(_) => continue,
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// The directory in the tree, if all of it is there.
    pub fn dir(&self) -> Option<DirId> {
        self.missing.is_empty().then_some(self.dir)
    }

    /// Whether an entry with a name of so many bytes may be in it: a disk may have longer paths.
    pub fn takes(&self, name: usize) -> bool {
        self.way.and_name(name).is_path()
    }

    /// Where an entry lies on the disk.
    pub fn on_disk(&self, name: Name) -> Place {
        let dirs = self.disk.clone();
        Place { dirs, name }
    }

    /// Where an entry of this directory belongs; the directory must be in the tree.
    pub fn in_tree(&self, name: Name) -> Place {
        let dirs = self.steps.clone();
        Place { dirs, name }
    }
}

/// A page while it is merged.
pub(super) struct Page<'a, 'b> {
    pub tree: &'a Tree<'b>,
    pub root: RootRow,
    pub slave: SlaveId,
    pub here: Here,
    pub merged: Merged,
    /// Bytes that were adopted into the directory.
    pub adopted_bytes: i64,
    /// On a shared root: what its disk had followed when the walk began.
    pub shared: Option<OpSeq>,
}

impl Page<'_, '_> {
    /// A directory that somebody moved on the disk goes where the tree has it.
    fn bring_dir_to_its_place(&mut self) -> Result<(), VfsError> {
        let (Some(dir), true) = (self.here.dir(), self.here.strayed) else {
            return Ok(());
        };
        let last = |mut dirs: Vec<DirStep>| {
            let name = dirs.pop()?.name;
            Some(Place { dirs, name })
        };
        let (disk, steps) = (self.here.disk.clone(), self.here.steps.clone());
        let (Some(from), Some(to)) = (last(disk), last(steps)) else {
            return Ok(());
        };
        if self.shared.is_some() {
            let (node, at) = (dir, from);
            self.merged.strays.push(Stray { node, at });
            return Ok(());
        }
        let what = Moved::Dir(dir);
        self.append(&RootOp::Move { what, from, to })?;
        self.merged.moved += 1;
        Ok(())
    }

    /// Of names that were looked at, what the tree has and the disk has not.
    fn note_gone(&mut self, looked: Vec<Name>, found: &[WalkEntry]) -> Result<(), VfsError> {
        let Some(dir) = self.here.dir().filter(|_| self.here.in_place) else {
            return Ok(());
        };
        let found: BTreeSet<&Name> = found.iter().map(|entry| &entry.name).collect();
        for name in looked.iter().filter(|name| !found.contains(name)) {
            let gone = nodes::child(self.tree, dir, name)?;
            // Where case does not count another spelling may be there.
            let gone = gone.filter(|entry| entry.name.as_ref() == Some(name));
            self.merged.gone.extend(gone.map(|entry| entry.id));
        }
        Ok(())
    }

    fn take(&mut self, entry: WalkEntry) -> Result<(), VfsError> {
        match entry.node {
            WalkNode::Dir { id: Some(dir) } if self.shared.is_some() => {
                shared::dir(self, entry.name, dir, entry.modified)
            }
            WalkNode::Dir { id: None } => self.adopt_dir(entry.name, entry.modified),
            // One that is known has its own page, or is empty.
            WalkNode::Dir { id: Some(_) } => Ok(()),
            WalkNode::File { size, .. } if size > nodes::MAX_SIZE => {
                self.merged.refused += 1;
                Ok(())
            }
            WalkNode::File { busy: true, .. } if self.shared.is_some() => {
                shared::busy(self, entry.name)
            }
            WalkNode::File {
                size,
                file: Some(file),
                crc32,
                blake3,
                edited,
                ..
            } => {
                let marked = Marked {
                    file,
                    size,
                    crc32,
                    blake3,
                    modified: entry.modified,
                };
                match self.shared {
                    Some(since) => shared::known(self, entry.name, marked, (edited, since)),
                    None => found::known(self, entry.name, marked),
                }
            }
            WalkNode::File {
                size, file: None, ..
            } => match self.shared {
                Some(since) => shared::foreign(self, entry.name, (size, entry.modified), since),
                None => found::foreign(self, entry.name, size, entry.modified),
            },
        }
    }

    pub fn adopt_dir(&mut self, name: Name, modified: i64) -> Result<(), VfsError> {
        let quarantine = self.tree.config.foreign == Foreign::Quarantine;
        if quarantine || !self.here.in_place || !self.here.takes(name.as_bytes().len()) {
            return Ok(());
        }
        let free = match self.here.dir() {
            Some(dir) => nodes::child(self.tree, dir, &name)?.is_none(),
            None => true,
        };
        if free {
            let dir = self.make_missing()?;
            let made = make_dir(self.tree, dir, name, modified)?;
            copies::mark(self.tree, made.id, self.root.key);
        }
        Ok(())
    }

    /// The directory of this page, with all that is missing above it made.
    pub fn make_missing(&mut self) -> Result<DirId, VfsError> {
        for name in std::mem::take(&mut self.here.missing) {
            let made = make_dir(self.tree, self.here.dir, name.clone(), self.tree.now)?;
            self.here.dir = made.id;
            self.here.steps.push(DirStep { id: made.id, name });
            copies::mark(self.tree, made.id, self.root.key);
        }
        Ok(self.here.dir)
    }

    /// Appends to the walked root's log.
    pub fn append(&self, op: &RootOp) -> Result<(), VfsError> {
        log::append(self.tree, self.root.key, op)?;
        Ok(())
    }

    /// Notes something on the disk that is not in the tree.
    pub fn differs(&self, name: Name, what: (Why, Option<FileId>, u64)) -> Result<(), VfsError> {
        let at = self.here.on_disk(name);
        Ok(differences::note(self.tree, &self.root, &at, what)?)
    }

    /// Leaves what stands at a found file's place to the next walk: it is not missing.
    pub fn leave(&mut self, there: &Entry) -> Result<(), VfsError> {
        self.merged.seen.push(there.id);
        self.merged.left += 1;
        Ok(())
    }

    /// Whether the disk has not yet followed all that was decided before this page.
    pub fn is_behind(&self) -> bool {
        self.root.done < self.root.newest
    }

    /// A good file in a directory that lacks its identity: the operation brings it.
    pub fn identify_dirs(&mut self, entry: &Entry, name: &Name) -> Result<(), VfsError> {
        if self.here.identified || !self.here.in_place {
            return Ok(());
        }
        self.here.identified = true;
        let at = self.here.in_tree(name.clone());
        self.append(&RootOp::Move {
            what: Moved::File(entry.file()),
            from: at.clone(),
            to: at,
        })
    }

    fn finish(self) -> Result<Merged, VfsError> {
        let files = i64::try_from(self.merged.adopted + self.merged.kept_beside.len() as u64);
        let files = files.unwrap_or(i64::MAX);
        totals::add(self.tree, self.here.dir, self.adopted_bytes, files)?;
        Ok(self.merged)
    }
}

/// A directory that was found.
fn make_dir(tree: &Tree<'_>, parent: DirId, name: Name, modified: i64) -> Result<Entry, VfsError> {
    let mut entry = found_entry(tree, parent, name, modified)?;
    entry.kind = Kind::Dir;
    entry.mode = 0o755;
    entry.files = 0;
    entry.generation = Generation(0);
    nodes::insert(tree, &entry)?;
    tree.tell(|| {
        let path = At(walk::path_of(tree, entry.id)?);
        Ok(Event::DirFound { path })
    })?;
    Ok(entry)
}

/// A file that was found, of no size yet.
pub(super) fn found_entry(
    tree: &Tree<'_>,
    parent: DirId,
    name: Name,
    modified: i64,
) -> Result<Entry, VfsError> {
    Ok(Entry {
        id: tree.ids().node()?,
        parent,
        name: Some(name),
        kind: Kind::File,
        owner: tree.config.adopt_owner.clone(),
        group: tree.config.adopt_group.clone(),
        mode: 0o644,
        modified,
        created: modified,
        size: 0,
        files: 1,
        generation: Generation(1),
        crc32: None,
        blake3: None,
        state: FileState::Complete,
        target: None,
    })
}
