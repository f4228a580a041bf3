//! Parts of a root that are walked alone, and ways to directories that are opened anew.

use std::os::fd::{AsFd, OwnedFd};

use drftpd_protocol::ids::NodeId;
use drftpd_protocol::path::Name;
use drftpd_protocol::wire::{DirStep, WalkPage, WalkPart};

use super::{Level, Told, Walk, open, sums};
use crate::sys::entry::Listing;

impl Walk {
    /// The same walk, of these parts alone and of nothing in staging.
    #[must_use]
    pub fn only(mut self, parts: Vec<WalkPart>) -> Walk {
        self.staged = None;
        self.stack.clear();
        self.parts = parts.into();
        self
    }

    /// Turns to a part. One of single entries is told at once, whether they are there or not; of a directory that is
    /// not there nothing is told.
    pub(super) fn begin_part(&mut self, part: WalkPart) -> Option<WalkPage> {
        self.path.clear();
        if !part.names.is_empty() {
            return self.look_for(part);
        }
        let fd = self.open_way(part.way)?;
        let dir = self.path.last().map_or(NodeId::ROOT, |step| step.id);
        let told = sums::told(self.digests.as_ref(), dir);
        self.tell(fd, told);
        None
    }

    fn look_for(&mut self, part: WalkPart) -> Option<WalkPage> {
        let complete = self.seen.complete;
        let opened = self.open_way(part.way.clone());
        let mut entries = Vec::new();
        match opened.map(Listing::new) {
            Some(Ok(dir)) => {
                let dir = Level::new(dir, Told::Entries);
                let names = part.names.iter();
                entries.extend(names.filter_map(|name| self.entry(&dir, name.as_bytes().to_vec())));
            }
            Some(Err(error)) => self.incomplete(b"", &error.to_string()),
            // Where others work it may have moved, with all that was looked for: that is told with the directory above.
            None if self.root.shared().is_some() => return None,
            None => self.path = part.way.into_iter().map(unknown).collect(),
        }
        if complete && !self.seen.complete {
            return None; // what could not be read is not called gone
        }
        self.count(&entries);
        Some(WalkPage {
            root: self.root.id(),
            walk: self.number,
            dir: std::mem::take(&mut self.path),
            entries,
            looked: part.names,
        })
    }

    /// Opens the directories of a way by their names, and takes it as the way to the deepest one; `None` if they are
    /// not there.
    pub(super) fn open_way(&mut self, way: Vec<Name>) -> Option<OwnedFd> {
        let Ok(mut fd) = self.live.top.as_fd().try_clone_to_owned() else {
            self.incomplete(b"", "cannot be opened again");
            return None;
        };
        for name in way {
            let opened = open(fd.as_fd(), &name);
            let Some((step, opened)) = self.opened(name, opened) else {
                self.path.clear();
                return None;
            };
            fd = opened;
            self.path.push(step);
        }
        Some(fd)
    }

    /// Goes into the directory at the end of the way.
    pub(super) fn tell(&mut self, fd: OwnedFd, told: Told) {
        // Read from its beginning, whoever else reads it.
        match Listing::of(fd.as_fd()) {
            Ok(listing) => self.stack.push(Level::new(listing, told)),
            Err(error) => {
                self.incomplete(b"", &error.to_string());
                self.path.clear();
            }
        }
    }
}

/// A directory that is not there, or not as one.
fn unknown(name: Name) -> DirStep {
    let id = NodeId(0);
    DirStep { id, name }
}
