//! Walking a root: what lies in staging, then what lies in the tree, a little at a time.
//!
//! Between two steps nothing runs, so a walk can be slowed down or given up at any time. Memory
//! is bounded by the depth: each open directory remembers the directories of its last page only,
//! and those are walked before it is read on. Staging comes first: a file that is published
//! meanwhile is seen twice and not never.
//!
//! A walk may be of parts alone: of some directories with all below them, or of some entries of a directory.
//!
//! A directory is told by its entries, page by page; or, where the master wants that and everything in it carries an
//! identity, by one digest. The master judges digests; the entries of those that it wants to see are told then.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use drftpd_protocol::ids::{FileId, NodeId, RootId};
use drftpd_protocol::path::{MAX_DEPTH, Name};
use drftpd_protocol::wire::{
    DirStep, WalkDigests, WalkDone, WalkEntry, WalkNode, WalkPage, WalkPart, WalkStaged,
};

use super::error::{Doing, StorageError, is_barrier};
use super::live::Live;
use super::mark;
use super::root::Root;
use crate::sys::beneath;
use crate::sys::entry::{self, Listing};
use sums::{Digests, Sum};

mod entries;
mod parts;
mod staged;
mod sums;

pub use sums::AppliedNow;

/// How many problems are told.
const MAX_PROBLEMS: usize = 50;
/// Longest text of one.
const MAX_PROBLEM: usize = 512;
/// What filesystems make for themselves at their top.
const LOST_FOUND: &[u8] = b"lost+found";

/// One piece of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkItem {
    /// Files in staging: at least one of these comes, before all pages.
    Staged(WalkStaged),
    /// Entries of one directory. A directory without entries has no page.
    Page(WalkPage),
    /// Digests of directories.
    Digests(WalkDigests),
    /// So many entries were read, and nothing is to be told yet.
    Read(usize),
    /// Everything was read; digests wait for the master's judgement.
    Waiting,
    /// The end.
    Done(WalkDone),
}

/// A walk over one root. It ends with [`WalkItem::Done`], whatever happens.
pub struct Walk {
    root: Root,
    live: Arc<Live>,
    number: u64,
    running: BTreeSet<FileId>,
    staged: Option<Listing>,
    /// Parts that are walked when what is open was.
    parts: VecDeque<WalkPart>,
    stack: Vec<Level>,
    /// The way to the deepest open directory; one less than there are open ones.
    path: Vec<DirStep>,
    digests: Option<Digests>,
    seen: WalkDone,
    problems_left_out: u64,
    ended: bool,
}

/// One open directory on the way down.
struct Level {
    listing: Listing,
    /// Directories of its last page that are to be walked before it is read on.
    inside: VecDeque<Name>,
    read: bool,
    told: Told,
}

/// How a directory is told.
enum Told {
    /// By its entries.
    Entries,
    /// By its entries, once more: what lies below was told.
    EntriesOnly,
    /// By its digest.
    Sum(Sum),
}

impl Root {
    /// Begins a walk with this number. Staged files of `running` uploads, and of those that this
    /// process is writing, are left out. With `digests` (which tells how far the root's log is done) directories are
    /// told by their digests where that can be.
    ///
    /// # Errors
    /// When the root is absent or cannot be read at all.
    pub fn walk(
        &self,
        number: u64,
        running: BTreeSet<FileId>,
        digests: Option<AppliedNow>,
    ) -> Result<Walk, StorageError> {
        let live = self.live()?;
        let staged = Listing::of(live.staging.as_fd()).doing("reading staging")?;
        let top = Listing::of(live.top.as_fd()).doing("reading a root")?;
        let digests = digests.map(Digests::new);
        let told = sums::told(digests.as_ref(), NodeId::ROOT);
        Ok(Walk {
            seen: WalkDone {
                root: self.id(),
                walk: number,
                dirs: 0,
                files: 0,
                problems: Vec::new(),
                complete: true,
                running: Vec::new(),
            },
            root: self.clone(),
            live,
            number,
            running,
            staged: Some(staged),
            parts: VecDeque::new(),
            stack: vec![Level::new(top, told)],
            path: Vec::new(),
            digests,
            problems_left_out: 0,
            ended: false,
        })
    }
}

impl Level {
    fn new(listing: Listing, told: Told) -> Level {
        Level {
            listing,
            inside: VecDeque::new(),
            read: false,
            told,
        }
    }
}

impl Iterator for Walk {
    type Item = WalkItem;

    /// Reads a page of a directory at most.
    fn next(&mut self) -> Option<WalkItem> {
        if let Some(listing) = self.staged.take() {
            return Some(WalkItem::Staged(self.staged_page(listing)));
        }
        loop {
            if let Some(full) = self.take_digests(WalkDigests::MAX) {
                return Some(WalkItem::Digests(full));
            }
            self.begin_listing();
            let Some(level) = self.stack.last_mut() else {
                if self.end_listing() {
                    continue;
                }
                match self.parts.pop_front() {
                    Some(part) => match self.begin_part(part) {
                        Some(page) => return Some(WalkItem::Page(page)),
                        None => continue,
                    },
                    None => break,
                }
            };
            if let Some(name) = level.inside.pop_front() {
                self.enter(name);
            } else if level.read {
                self.leave();
            } else if let Some(item) = self.read_on() {
                return Some(item);
            }
        }
        if let Some(rest) = self.take_digests(1) {
            return Some(WalkItem::Digests(rest));
        }
        if self.ended {
            return None;
        }
        if self.is_waiting() {
            return Some(WalkItem::Waiting);
        }
        self.ended = true;
        Some(WalkItem::Done(self.end()))
    }
}

impl Walk {
    /// The root that is walked.
    pub fn root(&self) -> RootId {
        self.root.id()
    }

    /// Goes into a directory of the last page.
    fn enter(&mut self, name: Name) {
        let Some(level) = self.stack.last() else {
            return;
        };
        if self.path.len() + 1 >= MAX_DEPTH {
            return self.incomplete(name.as_bytes(), "too deep");
        }
        let opened = level.listing.fd().and_then(|above| open(above, &name));
        if let Some((step, fd)) = self.opened(name, opened) {
            let told = sums::told(self.digests.as_ref(), step.id);
            self.push(step, fd, told);
        }
    }

    /// A directory on the way, if it is ours to walk.
    fn opened(
        &mut self,
        name: Name,
        opened: io::Result<(OwnedFd, entry::Look)>,
    ) -> Option<(DirStep, OwnedFd)> {
        let (fd, seen) = match opened {
            Ok(opened) => opened,
            // Gone or swapped since it was listed: an operation, or somebody at the machine.
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_barrier(&error) => {
                return None;
            }
            Err(error) => {
                self.incomplete(name.as_bytes(), &error.to_string());
                return None;
            }
        };
        if seen.device != self.live.device {
            self.incomplete(name.as_bytes(), "another mount");
            return None;
        }
        match mark::read(fd.as_fd()) {
            Ok(seen) => {
                let id = seen.dir().unwrap_or(NodeId(0));
                Some((DirStep { id, name }, fd))
            }
            Err(error) => {
                self.incomplete(name.as_bytes(), &error.to_string());
                None
            }
        }
    }

    fn push(&mut self, step: DirStep, fd: OwnedFd, told: Told) {
        match Listing::new(fd) {
            Ok(listing) => {
                self.stack.push(Level::new(listing, told));
                self.path.push(step);
            }
            Err(error) => self.incomplete(step.name.as_bytes(), &error.to_string()),
        }
    }

    /// Reads the deepest directory on, up to a page; `None` if there was nothing.
    fn read_on(&mut self) -> Option<WalkItem> {
        let mut level = self.stack.pop()?;
        let mut entries = Vec::new();
        let mut read = 0;
        while read < WalkPage::MAX {
            match level.listing.next_name() {
                Ok(Some(name)) => {
                    read += 1;
                    entries.extend(self.entry(&level, name));
                }
                Ok(None) => {
                    level.read = true;
                    break;
                }
                Err(error) => {
                    self.incomplete(b"", &error.to_string());
                    level.read = true;
                    break;
                }
            }
        }
        if !matches!(level.told, Told::EntriesOnly) {
            self.count(&entries);
            let dirs = entries.iter().filter(|entry| is_dir(entry));
            level.inside.extend(dirs.map(|entry| entry.name.clone()));
        }
        let summed = level.sum(&entries);
        self.stack.push(level);
        if summed {
            return Some(WalkItem::Read(read));
        }
        let page = WalkPage {
            root: self.root.id(),
            walk: self.number,
            dir: self.path.clone(),
            entries,
            looked: Vec::new(),
        };
        (!page.entries.is_empty()).then_some(WalkItem::Page(page))
    }

    fn count(&mut self, entries: &[WalkEntry]) {
        let dirs = entries.iter().filter(|entry| is_dir(entry)).count();
        self.seen.dirs += dirs as u64;
        self.seen.files += (entries.len() - dirs) as u64;
    }

    fn end(&mut self) -> WalkDone {
        let there = self.live.is_still_at(self.root.path(), self.root.id());
        if !there {
            self.incomplete(b"", "the root went away");
        }
        if self.problems_left_out > 0 {
            let more = format!("{} more", self.problems_left_out);
            self.seen.problems.push(more);
        }
        self.seen.running = self.running.iter().copied().collect();
        self.seen.clone()
    }
}

fn is_dir(entry: &WalkEntry) -> bool {
    matches!(entry.node, WalkNode::Dir { .. })
}

fn open(above: std::os::fd::BorrowedFd<'_>, name: &Name) -> io::Result<(OwnedFd, entry::Look)> {
    let fd = beneath::open_entry(above, name.as_bytes(), beneath::Open::Dir)?;
    let seen = entry::look_at(fd.as_fd())?;
    Ok((fd, seen))
}
