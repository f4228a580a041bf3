//! Reading a directory, entry by entry.

use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Dir, FileType};

/// A directory that is read entry by entry.
pub struct Listing {
    dir: Dir,
}

impl Listing {
    /// Reads the directory from its beginning.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new(dir: OwnedFd) -> io::Result<Listing> {
        Ok(Listing {
            dir: Dir::new(dir)?,
        })
    }

    /// Reads a directory that stays open for its owner too.
    ///
    /// # Errors
    /// The operating system's.
    pub fn of(dir: BorrowedFd<'_>) -> io::Result<Listing> {
        Ok(Listing {
            dir: Dir::read_from(dir)?,
        })
    }

    /// The directory.
    ///
    /// # Errors
    /// The operating system's.
    pub fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        Ok(self.dir.fd()?)
    }

    /// The next name that is, or may be, that of a directory; `None` at the end.
    ///
    /// # Errors
    /// As [`Self::next_name`].
    pub fn next_dir(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some(entry) = self.dir.read() else {
                return Ok(None);
            };
            let entry = entry?;
            let may_be = matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
            match entry.file_name().to_bytes() {
                b"." | b".." => {}
                name if may_be => return Ok(Some(name.to_vec())),
                _ => {}
            }
        }
    }

    /// The next name, without `.` and `..`; `None` at the end.
    ///
    /// # Errors
    /// The operating system's; nothing more comes then.
    pub fn next_name(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some(entry) = self.dir.read() else {
                return Ok(None);
            };
            let entry = entry?;
            let name: &CStr = entry.file_name();
            match name.to_bytes() {
                b"." | b".." => {}
                name => return Ok(Some(name.to_vec())),
            }
        }
    }
}
