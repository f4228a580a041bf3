//! Walking a root: what lies in staging, then what lies in the tree, page by page.
//!
//! Between two pages nothing runs, so a walk can be slowed down or given up at any time. Memory
//! is bounded by the depth: each open directory remembers the directories of its last page only,
//! and those are walked before it is read on. Staging comes first: a file that is published
//! meanwhile is seen twice and not never.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use drftpd_protocol::ids::{FileId, NodeId, RootId};
use drftpd_protocol::path::{MAX_DEPTH, Name};
use drftpd_protocol::wire::{
    DirStep, StagedEntry, WalkDone, WalkEntry, WalkNode, WalkPage, WalkStaged,
};

use super::error::{Doing, StorageError, is_barrier};
use super::identity::RESERVED;
use super::live::Live;
use super::mark::{self, Seen};
use super::open::is_prepared;
use super::root::Root;
use crate::sys::entry::{Kind, Listing, Look};
use crate::sys::{beneath, entry};

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
    stack: Vec<Level>,
    /// The way to the deepest open directory; one less than there are open ones.
    path: Vec<DirStep>,
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
}

impl Root {
    /// Begins a walk with this number. Staged files of `running` uploads, and of those that this
    /// process is writing, are left out.
    ///
    /// # Errors
    /// When the root is absent or cannot be read at all.
    pub fn walk(&self, number: u64, running: BTreeSet<FileId>) -> Result<Walk, StorageError> {
        let live = self.live()?;
        let staged = Listing::of(live.staging.as_fd()).doing("reading staging")?;
        let top = Listing::of(live.top.as_fd()).doing("reading a root")?;
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
            stack: vec![Level::new(top)],
            path: Vec::new(),
            problems_left_out: 0,
            ended: false,
        })
    }
}

impl Level {
    fn new(listing: Listing) -> Level {
        Level {
            listing,
            inside: VecDeque::new(),
            read: false,
        }
    }
}

impl Iterator for Walk {
    type Item = WalkItem;

    fn next(&mut self) -> Option<WalkItem> {
        if let Some(listing) = self.staged.take() {
            return Some(WalkItem::Staged(self.staged_page(listing)));
        }
        while let Some(level) = self.stack.last_mut() {
            if let Some(name) = level.inside.pop_front() {
                self.enter(name);
            } else if level.read {
                self.stack.pop();
                self.path.pop();
            } else if let Some(page) = self.page() {
                return Some(WalkItem::Page(page));
            }
        }
        if self.ended {
            return None;
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

    fn staged_page(&mut self, mut listing: Listing) -> WalkStaged {
        let mut files = Vec::new();
        let mut read = 0;
        while read < WalkPage::MAX {
            match listing.next_name() {
                Ok(Some(name)) => {
                    read += 1;
                    files.extend(self.staged_entry(&name));
                }
                Ok(None) => {
                    return self.staged_done(files, None);
                }
                Err(error) => {
                    self.incomplete(b".drftpd/staging", &error.to_string());
                    return self.staged_done(files, None);
                }
            }
        }
        self.staged_done(files, Some(listing))
    }

    fn staged_done(&mut self, files: Vec<StagedEntry>, more: Option<Listing>) -> WalkStaged {
        self.staged = more;
        WalkStaged {
            root: self.root.id(),
            walk: self.number,
            files,
        }
    }

    fn staged_entry(&mut self, name: &[u8]) -> Option<StagedEntry> {
        let file: FileId = std::str::from_utf8(name).ok()?.parse().ok()?;
        if self.root.is_running(file) {
            self.running.insert(file);
        }
        if self.running.contains(&file) {
            return None;
        }
        let look = match entry::look(self.live.staging.as_fd(), name) {
            Ok(look) => look?,
            Err(error) => {
                self.incomplete(name, &error.to_string());
                return None;
            }
        };
        let staging = self.live.staging.as_fd();
        if look.kind != Kind::File {
            return None;
        }
        let mark = match mark::read_entry(staging, name) {
            Ok(seen) => seen.file(),
            // Published or deleted since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.incomplete(name, &error.to_string());
                return None;
            }
        };
        let prepared = mark.filter(|mark| is_prepared(mark, file, look.size));
        Some(StagedEntry {
            file,
            size: look.size,
            prepared: prepared.and_then(|mark| mark.crc32),
        })
    }

    /// Goes into a directory of the last page.
    fn enter(&mut self, name: Name) {
        let deep = self.stack.len();
        let Some(level) = self.stack.last() else {
            return;
        };
        if deep >= MAX_DEPTH {
            return self.incomplete(name.as_bytes(), "too deep");
        }
        let opened = level.listing.fd().and_then(|above| {
            let fd = beneath::open_entry(above, name.as_bytes(), beneath::Open::Dir)?;
            let seen = entry::look_at(fd.as_fd())?;
            Ok((fd, seen))
        });
        let (fd, seen) = match opened {
            Ok(opened) => opened,
            // Gone or swapped since it was listed: an operation, or somebody at the machine.
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_barrier(&error) => return,
            Err(error) => return self.incomplete(name.as_bytes(), &error.to_string()),
        };
        if seen.device != self.live.device {
            return self.incomplete(name.as_bytes(), "another mount");
        }
        let id = match mark::read(fd.as_fd()) {
            Ok(seen) => seen.dir().unwrap_or(NodeId(0)),
            Err(error) => return self.incomplete(name.as_bytes(), &error.to_string()),
        };
        match Listing::new(fd) {
            Ok(listing) => {
                self.stack.push(Level::new(listing));
                self.path.push(DirStep { id, name });
            }
            Err(error) => self.incomplete(name.as_bytes(), &error.to_string()),
        }
    }

    /// Reads the deepest directory on, up to a page; `None` if there was nothing to tell.
    fn page(&mut self) -> Option<WalkPage> {
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
        let is_dir = |entry: &&WalkEntry| matches!(entry.node, WalkNode::Dir { .. });
        let dirs = entries.iter().filter(is_dir);
        level.inside.extend(dirs.map(|entry| entry.name.clone()));
        self.stack.push(level);
        let page = WalkPage {
            root: self.root.id(),
            walk: self.number,
            dir: self.path.clone(),
            entries,
        };
        (!page.entries.is_empty()).then_some(page)
    }

    fn entry(&mut self, level: &Level, name: Vec<u8>) -> Option<WalkEntry> {
        if self.path.is_empty() && (name == RESERVED || name == LOST_FOUND) {
            return None;
        }
        let name = match Name::new(name.clone()) {
            Ok(name) => name,
            Err(error) => {
                self.problem(&name, &error.to_string());
                return None;
            }
        };
        match look(level, &name) {
            Ok(None) => None,
            Ok(Some((look, seen))) => self.seen(name, look, seen),
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_barrier(&error) => None,
            Err(error) => {
                self.incomplete(name.as_bytes(), &error.to_string());
                None
            }
        }
    }

    fn seen(&mut self, name: Name, look: Look, seen: Seen) -> Option<WalkEntry> {
        if let Seen::Newer(version) = seen {
            let what = format!("its identity has version {version}");
            self.incomplete(name.as_bytes(), &what);
            return None;
        }
        if look.device != self.live.device {
            self.incomplete(name.as_bytes(), "another mount");
            return None;
        }
        let node = match look.kind {
            Kind::Dir => {
                self.seen.dirs += 1;
                WalkNode::Dir { id: seen.dir() }
            }
            Kind::File => {
                self.seen.files += 1;
                let mark = seen.file();
                WalkNode::File {
                    size: look.size,
                    file: mark.map(|mark| mark.file),
                    crc32: mark.and_then(|mark| mark.crc32),
                }
            }
            Kind::Other => {
                self.problem(name.as_bytes(), "neither a file nor a directory");
                return None;
            }
        };
        Some(WalkEntry {
            name,
            node,
            modified: look.modified,
        })
    }

    /// Something was not seen that may be a copy.
    fn incomplete(&mut self, name: &[u8], why: &str) {
        self.seen.complete = false;
        self.problem(name, why);
    }

    fn problem(&mut self, name: &[u8], why: &str) {
        if self.seen.problems.len() >= MAX_PROBLEMS {
            self.problems_left_out += 1;
            return;
        }
        let mut path = String::new();
        for step in &self.path {
            path.push_str(&format!("/{}", step.name));
        }
        let mut text = format!("{path}/{}: {why}", name.escape_ascii());
        if text.len() > MAX_PROBLEM {
            text = text.split_off(text.ceil_char_boundary(text.len() - MAX_PROBLEM));
        }
        self.seen.problems.push(text);
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

/// What lies under a name; links and the like without asking for their mark.
fn look(level: &Level, name: &Name) -> io::Result<Option<(Look, Seen)>> {
    let dir = level.listing.fd()?;
    let Some(look) = entry::look(dir, name.as_bytes())? else {
        return Ok(None);
    };
    let seen = match look.kind {
        Kind::Other => Seen::Nothing,
        _ => mark::read_entry(dir, name.as_bytes())?,
    };
    Ok(Some((look, seen)))
}
