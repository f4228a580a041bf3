//! Hearing of what other programs do on a shared root.
//!
//! Every directory is watched before it is read, also those that come later: nothing in them is missed by both the watch
//! and the walk. A watch knows the ways of its directories by their names, and follows those that are moved about.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use drftpd_protocol::path::{MAX_DEPTH, Name};

use super::error::{Doing, StorageError, is_barrier};
use super::identity::RESERVED;
use super::live::Live;
use super::root::Root;
use crate::sys::beneath;
use crate::sys::entry::{self, Listing};
use crate::sys::inotify::{Heard, How, Queue, Watched};

/// Something that happened on a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// To an entry of a directory; the directory has this way.
    Entry(Vec<Name>, Name),
    /// A directory is there that was not, with whatever is in it.
    Dir(Vec<Name>),
    /// More than could be followed.
    Anything,
}

/// Hears of changes on a root.
pub struct Watch {
    queue: Queue,
    live: Arc<Live>,
    dirs: HashMap<Watched, Dir>,
    /// Directories by the one above and their name there.
    names: HashMap<(Watched, Vec<u8>), Watched>,
}

struct Dir {
    /// The directory above; `None` for the top.
    above: Option<Watched>,
    name: Vec<u8>,
}

impl Root {
    /// Hears of changes from now on.
    ///
    /// # Errors
    /// When the root is absent, or not all of it can be watched.
    pub fn watch(&self) -> Result<Watch, StorageError> {
        let live = self.live()?;
        let queue = Queue::new().doing("watching a root")?;
        let top = live.top.as_fd().try_clone_to_owned();
        let mut watch = Watch {
            queue,
            live,
            dirs: HashMap::new(),
            names: HashMap::new(),
        };
        let top = top.doing("watching a root")?;
        watch
            .enter(None, Vec::new(), top, 0)
            .doing("watching a root")?;
        Ok(watch)
    }
}

impl Watch {
    /// What was heard, some of it; `true` when there may be more.
    ///
    /// # Errors
    /// The operating system's, also when a new directory cannot be watched.
    pub fn read(&mut self, changes: &mut Vec<Change>) -> io::Result<bool> {
        let mut heard = Vec::new();
        let more = self.queue.read(&mut heard)?;
        for heard in heard {
            match heard {
                Heard::TooMuch => changes.push(Change::Anything),
                Heard::Ended(dir) => self.forget(dir),
                Heard::Entry {
                    dir,
                    name,
                    how,
                    is_dir,
                } => self.happened((dir, name), how, is_dir, changes)?,
            }
        }
        Ok(more)
    }

    fn happened(
        &mut self,
        (dir, name): (Watched, Vec<u8>),
        how: How,
        is_dir: bool,
        changes: &mut Vec<Change>,
    ) -> io::Result<()> {
        let Some(way) = self.way(dir) else {
            return Ok(()); // it was moved out of the root
        };
        if way.is_empty() && name == RESERVED {
            return Ok(());
        }
        let Ok(named) = Name::new(name.clone()) else {
            return Ok(()); // no name that the tree can have
        };
        if is_dir && how == How::Came {
            let new = [way.clone(), vec![named.clone()]].concat();
            self.came(dir, name, &new)?;
            changes.push(Change::Dir(new));
        } else if is_dir && let Some(gone) = self.names.remove(&(dir, name)) {
            // Its way leads nowhere until it comes somewhere else.
            self.dirs.remove(&gone);
        }
        changes.push(Change::Entry(way, named));
        Ok(())
    }

    /// A directory came: it is watched, with those in it unless they are already.
    fn came(&mut self, above: Watched, name: Vec<u8>, way: &[Name]) -> io::Result<()> {
        let path: Vec<u8> = way
            .iter()
            .map(Name::as_bytes)
            .collect::<Vec<_>>()
            .join(&b'/');
        match beneath::open(self.live.top.as_fd(), &path, beneath::Open::Dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_barrier(&error) => Ok(()),
            opened => self.enter_if_there(Some(above), name, opened?, way.len()),
        }
    }

    fn enter(
        &mut self,
        above: Option<Watched>,
        name: Vec<u8>,
        dir: OwnedFd,
        deep: usize,
    ) -> io::Result<()> {
        if deep >= MAX_DEPTH || entry::look_at(dir.as_fd())?.device != self.live.device {
            return Ok(());
        }
        let here = self.queue.watch(dir.as_fd())?;
        if let Some(above) = above {
            self.names.insert((above, name.clone()), here);
        }
        self.dirs.insert(here, Dir { above, name });
        let mut listing = Listing::of(dir.as_fd())?;
        while let Some(name) = listing.next_dir()? {
            if deep == 0 && name == RESERVED {
                continue;
            }
            match beneath::open_entry(dir.as_fd(), &name, beneath::Open::Dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound || is_barrier(&error) => {}
                // A walk says what cannot be read.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                opened => self.enter_if_there(Some(here), name, opened?, deep + 1)?,
            }
        }
        Ok(())
    }

    /// One that was removed since it was opened is none of the root's any more: the system refuses to list it.
    pub(super) fn enter_if_there(
        &mut self,
        above: Option<Watched>,
        name: Vec<u8>,
        dir: OwnedFd,
        deep: usize,
    ) -> io::Result<()> {
        match self.enter(above, name, dir, deep) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            entered => entered,
        }
    }

    fn forget(&mut self, gone: Watched) {
        if let Some(Dir { above, name }) = self.dirs.remove(&gone)
            && let Some(above) = above
            && self.names.get(&(above, name.clone())) == Some(&gone)
        {
            self.names.remove(&(above, name));
        }
    }

    /// The way to a directory; `None` if it is not below the top any more.
    fn way(&self, dir: Watched) -> Option<Vec<Name>> {
        let (mut way, mut at) = (Vec::new(), dir);
        loop {
            let here = self.dirs.get(&at)?;
            let Some(above) = here.above else {
                way.reverse();
                return Some(way);
            };
            way.push(Name::new(here.name.clone()).ok()?);
            if way.len() > MAX_DEPTH {
                return None;
            }
            at = above;
        }
    }
}
