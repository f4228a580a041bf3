//! Directories of a root's tree: finding, making, pruning, and making durable.
//!
//! A way is walked name by name with every directory held open, so that it cannot be swapped for
//! a link. What an operation changed is remembered and made durable before it is answered.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use drftpd_protocol::ids::{DirId, FileId};
use drftpd_protocol::path::Name;
use drftpd_protocol::wire::{DirStep, Place};

use super::error::{Doing, StorageError, is_barrier};
use super::live::Live;
use super::mark::{self, FileMark, Mark, Seen};
use super::root::Root;
use super::roots::Fsync;
use crate::sys::{beneath, entry};

/// How many files and directories wait at most until they are made durable, each for itself. When
/// there are more (a tree that is adopted has thousands) the filesystem is asked once for all.
const MAX_DIRTY: usize = 64;
/// How often a step is tried again when somebody else changes it meanwhile.
const TRIES: u32 = 8;

/// Operations under way on one root.
pub(super) struct Work<'a> {
    pub(super) root: &'a Root,
    pub(super) live: &'a Live,
    dirty: BTreeMap<(u64, u64), OwnedFd>,
    /// There was more than `dirty` holds.
    overflowed: bool,
    /// What was found and not expected, for the log.
    remarks: Vec<String>,
}

/// A way from the top of the root down, every directory of it open.
pub(super) struct Chain<'a> {
    live: &'a Live,
    dirs: Vec<(Name, OwnedFd)>,
}

/// What lies under a name.
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A plain file.
    File(entry::Look, Seen),
    /// A directory.
    Dir(Seen),
    /// A link, a pipe, a socket or a device.
    Other,
    /// Another filesystem is mounted there.
    Mount,
}

impl Found {
    /// The mark of a plain file with this identity.
    pub(super) fn is_file(&self, file: FileId) -> Option<FileMark> {
        match self {
            Found::File(_, seen) => seen.file().filter(|mark| mark.file == file),
            _ => None,
        }
    }

    pub(super) fn is_dir(&self, dir: DirId) -> bool {
        matches!(self, Found::Dir(seen) if seen.dir() == Some(dir))
    }
}

impl Chain<'_> {
    /// The directory at its end.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.dirs
            .last()
            .map_or(self.live.top.as_fd(), |(_, fd)| fd.as_fd())
    }

    fn above(&self) -> BorrowedFd<'_> {
        match self.dirs.len() {
            0 | 1 => self.live.top.as_fd(),
            deep => self.dirs[deep - 2].1.as_fd(),
        }
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(root: &'a Root, live: &'a Live) -> Work<'a> {
        Work {
            root,
            live,
            dirty: BTreeMap::new(),
            overflowed: false,
            remarks: Vec::new(),
        }
    }

    pub(super) fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    pub(super) fn take_remarks(&mut self) -> Option<String> {
        let remarks = std::mem::take(&mut self.remarks);
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }

    /// Something in this directory, or it itself, must be durable before the answer.
    pub(super) fn touched(&mut self, fd: BorrowedFd<'_>) -> Result<(), StorageError> {
        if self.root.0.policy.fsync == Fsync::Never || self.overflowed {
            return Ok(());
        }
        let seen = entry::look_at(fd).doing("looking at a directory")?;
        if self.dirty.len() >= MAX_DIRTY {
            self.overflowed = entry::CAN_SYNC_FILESYSTEM;
            if self.overflowed {
                return Ok(());
            }
            self.sync()?;
        }
        let fd = fd.try_clone_to_owned().doing("keeping a directory open")?;
        self.dirty.insert((seen.device, seen.inode), fd);
        Ok(())
    }

    /// Makes everything durable that was done. A disk that cannot is not written to any more.
    pub(super) fn sync(&mut self) -> Result<(), StorageError> {
        if std::mem::take(&mut self.overflowed) {
            self.dirty.clear();
            let synced = entry::sync_filesystem(self.live.top.as_fd());
            let synced = synced.doing("making many operations durable");
            return self.root.judge_write(synced);
        }
        for (_, fd) in std::mem::take(&mut self.dirty) {
            let synced = entry::sync(fd.as_fd()).doing("making an operation durable");
            self.root.judge_write(synced)?;
        }
        Ok(())
    }

    /// The staging folder.
    pub(super) fn staging(&self) -> BorrowedFd<'a> {
        self.live.staging.as_fd()
    }

    /// What lies under a name.
    pub(super) fn inspect(&self, dir: BorrowedFd<'_>, name: &[u8]) -> Result<Found, StorageError> {
        let seen = entry::look(dir, name).doing("looking at an entry")?;
        let Some(seen) = seen else {
            return Ok(Found::Nothing);
        };
        if seen.device != self.live.device {
            return Ok(Found::Mount);
        }
        if seen.kind == entry::Kind::Other {
            return Ok(Found::Other);
        }
        let mark = match mark::read_entry(dir, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) if is_barrier(&error) => return Ok(Found::Other),
            // What we wrote we can read.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Seen::Nothing,
            mark => mark.doing("reading an identity")?,
        };
        Ok(match seen.kind {
            entry::Kind::Dir => Found::Dir(mark),
            _ => Found::File(seen, mark),
        })
    }

    /// The way to a place by its names, whatever identities the directories have; `None` if it is
    /// not there. A directory that was set beside comes back to its name.
    pub(super) fn find(&mut self, dirs: &[DirStep]) -> Result<Option<Chain<'a>>, StorageError> {
        let mut chain = self.top();
        for step in dirs {
            let fd = match self.enter(&chain, &step.name)? {
                Some(fd) => fd,
                None if self.bring_back(chain.fd(), step)? => {
                    match self.enter(&chain, &step.name)? {
                        Some(fd) => fd,
                        None => return Ok(None),
                    }
                }
                None => return Ok(None),
            };
            chain.dirs.push((step.name.clone(), fd));
        }
        Ok(Some(chain))
    }

    /// The way to a place, and what lies there; `None` if there is no such way.
    pub(super) fn look(&mut self, at: &Place) -> Result<Option<(Chain<'a>, Found)>, StorageError> {
        let Some(chain) = self.find(&at.dirs)? else {
            return Ok(None);
        };
        let found = self.inspect(chain.fd(), at.name.as_bytes())?;
        Ok(Some((chain, found)))
    }

    /// The way to a place, made where it is missing. A directory without identity gets the one
    /// that the file list gives it; one with another identity stands in the way.
    pub(super) fn make(&mut self, dirs: &[DirStep]) -> Result<Chain<'a>, StorageError> {
        let mut chain = self.top();
        for step in dirs {
            let fd = self.make_step(&chain, step)?;
            chain.dirs.push((step.name.clone(), fd));
        }
        Ok(chain)
    }

    /// The directories of a way that was found by its names get the identities that the file list
    /// gives them, whatever they had: what lies in them belongs there.
    pub(super) fn take_over(
        &mut self,
        chain: &Chain<'_>,
        dirs: &[DirStep],
    ) -> Result<(), StorageError> {
        for ((_, fd), step) in chain.dirs.iter().zip(dirs) {
            if mark::read(fd.as_fd())?.dir() != Some(step.id) {
                mark::write(fd.as_fd(), Mark::Dir(step.id))?;
                self.touched(fd.as_fd())?;
            }
        }
        Ok(())
    }

    fn top(&self) -> Chain<'a> {
        Chain {
            live: self.live,
            dirs: Vec::new(),
        }
    }

    /// Opens one directory; `None` if nothing, or no directory, has that name.
    fn enter(&mut self, chain: &Chain<'_>, name: &Name) -> Result<Option<OwnedFd>, StorageError> {
        let fd = match beneath::open_entry(chain.fd(), name.as_bytes(), beneath::Open::Dir) {
            Ok(fd) => fd,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if is_barrier(&error) => {
                self.remark(format!("{name} is no directory"));
                return Ok(None);
            }
            Err(error) => return Err(error).doing("opening a directory"),
        };
        let seen = entry::look_at(fd.as_fd()).doing("looking at a directory")?;
        if seen.device != self.live.device {
            self.remark(format!("{name} is another mount"));
            return Ok(None);
        }
        Ok(Some(fd))
    }

    fn make_step(&mut self, chain: &Chain<'_>, step: &DirStep) -> Result<OwnedFd, StorageError> {
        let name = step.name.as_bytes();
        for _ in 0..TRIES {
            if let Some(fd) = self.enter(chain, &step.name)? {
                match mark::read(fd.as_fd())? {
                    Seen::Mark(Mark::Dir(id)) if id == step.id => return Ok(fd),
                    Seen::Nothing => {
                        mark::write(fd.as_fd(), Mark::Dir(step.id))?;
                        self.touched(fd.as_fd())?;
                        return Ok(fd);
                    }
                    _ => {}
                }
            } else if self.bring_back(chain.fd(), step)? {
                continue;
            }
            self.clear_way(chain.fd(), name, None)?;
            match entry::make_dir(chain.fd(), name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.doing("making a directory")?,
            }
            self.touched(chain.fd())?;
        }
        Err(StorageError::BadPlace {
            what: step.name.to_string(),
            source: None,
        })
    }

    /// Removes the directories of a way that are empty now and have an identity of ours, from the
    /// deepest up. Not on a shared root: other programs may want their directories also when they are empty.
    pub(super) fn prune(&mut self, mut chain: Chain<'_>) -> Result<(), StorageError> {
        if self.root.shared().is_some() {
            return Ok(());
        }
        while let Some((name, fd)) = chain.dirs.last() {
            let ours = mark::read(fd.as_fd())?.dir().is_some();
            if !ours || !self.is_named(chain.above(), name, fd)? {
                return Ok(());
            }
            match entry::remove_dir(chain.above(), name.as_bytes()) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if is_barrier(&error) => return Ok(()),
                Err(error) => return Err(error).doing("removing an empty directory"),
            }
            self.touched(chain.above())?;
            chain.dirs.pop();
        }
        Ok(())
    }

    /// Whether the name still leads to this open directory: making room may have moved it.
    fn is_named(
        &self,
        above: BorrowedFd<'_>,
        name: &Name,
        fd: &OwnedFd,
    ) -> Result<bool, StorageError> {
        let named = entry::look(above, name.as_bytes()).doing("looking at a directory")?;
        let open = entry::look_at(fd.as_fd()).doing("looking at a directory")?;
        Ok(named.is_some_and(|named| (named.device, named.inode) == (open.device, open.inode)))
    }
}
