//! A root that is there: its open folders and its lock.
//!
//! Everything is reached from the folders that are held open here, so that whoever swaps a folder
//! for a link meanwhile changes nothing. What runs keeps them open; when the disk is gone they are
//! let go, so that it can be unmounted.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use drftpd_protocol::ids::RootId;
use rustix::io::Errno;

use super::error::{Doing, StorageError};
use super::identity;
use crate::sys::{attribute, beneath, entry, space};

const STAGING: &[u8] = b"staging";
const TRASH: &[u8] = b"trash";
const LOCK: &[u8] = b"lock";
/// An attribute that is written once to see whether the filesystem has any.
const PROBE: &str = "user.drftpd.probe";

/// The open folders of a root that is there.
pub(super) struct Live {
    pub(super) top: OwnedFd,
    pub(super) staging: OwnedFd,
    pub(super) trash: OwnedFd,
    /// Filesystem of the root.
    pub(super) device: u64,
    /// Mounted so that nothing can be written.
    read_only: AtomicBool,
    inode: u64,
    /// Held as long as the root is in use.
    _lock: File,
}

impl Live {
    /// Opens the root in a folder, takes its lock, and says which one it is.
    pub(super) fn open(path: &Path) -> Result<(RootId, Live), StorageError> {
        let top = match beneath::open_top(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StorageError::NoIdentity(path.to_owned()));
            }
            opened => opened.doing("opening the folder of a root")?,
        };
        let Some(root) = identity::read(top.as_fd(), path)? else {
            return Err(StorageError::NoIdentity(path.to_owned()));
        };
        let reserved = beneath::open_entry(top.as_fd(), identity::RESERVED, beneath::Open::Dir)
            .doing("opening the reserved folder")?;
        let space = space::of(top.as_fd()).doing("asking for the space of a root")?;
        let lock = take_lock(reserved.as_fd(), path, space.read_only)?;
        let seen = entry::look_at(top.as_fd()).doing("looking at the folder of a root")?;
        let live = Live {
            staging: folder(reserved.as_fd(), STAGING)?,
            trash: folder(reserved.as_fd(), TRASH)?,
            device: seen.device,
            read_only: AtomicBool::new(space.read_only),
            inode: seen.inode,
            _lock: lock,
            top,
        };
        Ok((root, live))
    }

    /// Mounted so that nothing can be written, when it was last looked.
    pub(super) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// Looks whether it is mounted otherwise now.
    pub(super) fn look_whether_writable(&self) {
        if let Ok(space) = space::of(self.top.as_fd())
            && self.read_only.swap(space.read_only, Ordering::Relaxed) != space.read_only
        {
            tracing::warn!(
                device = self.device,
                read_only = space.read_only,
                "root is mounted otherwise"
            );
        }
    }

    /// Whether the folder still shows this very root.
    pub(super) fn is_still_at(&self, path: &Path, root: RootId) -> bool {
        let Ok(top) = beneath::open_top(path) else {
            return false;
        };
        let same = entry::look_at(top.as_fd())
            .is_ok_and(|seen| (seen.device, seen.inode) == (self.device, self.inode));
        same && matches!(identity::read(top.as_fd(), path), Ok(Some(id)) if id == root)
    }
}

fn folder(reserved: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, StorageError> {
    match entry::make_private_dir(reserved, name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if Errno::from_io_error(&error) == Some(Errno::ROFS) => {}
        made => made.doing("making a reserved folder")?,
    }
    beneath::open_entry(reserved, name, beneath::Open::Dir).doing("opening a reserved folder")
}

fn take_lock(reserved: BorrowedFd<'_>, path: &Path, read_only: bool) -> Result<File, StorageError> {
    let lock = match read_only {
        true => beneath::open_entry(reserved, LOCK, beneath::Open::Read).map(File::from),
        false => entry::create(reserved, LOCK, false),
    }
    .doing("opening a root's lock")?;
    if !entry::try_lock(lock.as_fd()).doing("taking a root's lock")? {
        return Err(StorageError::Locked(path.to_owned()));
    }
    let probed = match read_only {
        true => attribute::read(lock.as_fd(), PROBE).map(drop),
        false => attribute::write(lock.as_fd(), PROBE, b"x")
            .and_then(|()| attribute::remove(lock.as_fd(), PROBE)),
    };
    judge_probe(probed, path)?;
    Ok(lock)
}

fn judge_probe(probed: io::Result<()>, path: &Path) -> Result<(), StorageError> {
    match probed {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::OPNOTSUPP) => {
            Err(StorageError::NoAttributes {
                path: path.to_owned(),
                mount: mount_of(path),
            })
        }
        probed => probed.doing("trying the filesystem's attributes"),
    }
}

/// The mount that a folder is on: the highest one above it on the same filesystem.
fn mount_of(path: &Path) -> PathBuf {
    let mut mount = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let device = |path: &Path| path.metadata().map(|seen| seen.dev()).ok();
    while let Some(above) = mount.parent()
        && device(above) == device(&mount)
    {
        mount = above.to_owned();
    }
    mount
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filesystem_without_attributes_is_refused_by_the_name_of_its_mount() {
        let refused = judge_probe(Err(Errno::OPNOTSUPP.into()), Path::new("/proc/self"));
        let text = refused.expect_err("refused").to_string();
        assert!(text.contains("mount /proc with them"), "{text}");
        assert!(judge_probe(Ok(()), Path::new("/")).is_ok());
    }
}
