//! Opening a stored file for reading.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use drftpd_protocol::ids::FileId;
use drftpd_protocol::path::MAX_DEPTH;
use drftpd_protocol::wire::Place;

use super::error::{Doing, StorageError, is_barrier};
use super::live::Live;
use super::mark::{self, FileMark, Seen};
use super::root::Root;
use super::staging::staged_name;
use crate::sys::{beneath, entry};

/// A stored file, open for reading.
#[derive(Debug)]
pub struct StoredFile {
    /// The file. Read it at offsets: its position is shared with nobody, and used by nobody.
    pub file: File,
    /// Its size now; a staged one may grow.
    pub size: u64,
    /// Whether it lies in staging: not published yet, perhaps not complete.
    pub staged: bool,
    /// Its CRC-32, if its mark has it; `None` while it is not complete.
    pub crc32: Option<u32>,
    /// On a shared root: how it looks as long as nobody writes to it.
    pub stamp: Option<Stamp>,
}

/// How a file of a shared root looked when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    size: u64,
    modified: i64,
}

impl Stamp {
    fn of(look: &entry::Look) -> Stamp {
        Stamp {
            size: look.size,
            modified: look.modified_nanos,
        }
    }

    /// Whether nobody wrote to the file since.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn holds(self, file: &File) -> io::Result<bool> {
        Ok(Stamp::of(&entry::look_at(file.as_fd())?) == self)
    }
}

impl Root {
    /// Opens a file with this identity: in staging, else at its place. `None` opens a file
    /// without identity at the place.
    ///
    /// # Errors
    /// [`StorageError::NoSuchFile`], [`StorageError::OtherIdentity`] when something else lies
    /// there or it was altered since it was marked, [`StorageError::BadPlace`], and those of the
    /// disk.
    pub fn open_file(&self, file: Option<FileId>, at: &Place) -> Result<StoredFile, StorageError> {
        let live = self.live()?;
        let Some(wanted) = file else {
            return foreign(&live, at);
        };
        if let Some(staged) = staged(&live, wanted)? {
            return Ok(staged);
        }
        match self.placed(&live, wanted, at) {
            // An operation may have moved it between the two looks.
            Err(StorageError::NoSuchFile(_)) => {
                staged(&live, wanted)?.ok_or(StorageError::NoSuchFile(file))
            }
            found => found,
        }
    }
}

fn staged(live: &Live, wanted: FileId) -> Result<Option<StoredFile>, StorageError> {
    let name = staged_name(wanted);
    let opened = beneath::open_entry(live.staging.as_fd(), &name, beneath::Open::Read);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => File::from(opened.doing("opening a staged file")?),
    };
    let seen = entry::look_at(file.as_fd()).doing("looking at a staged file")?;
    if seen.kind != entry::Kind::File {
        return Ok(None);
    }
    let prepared = mark::read(file.as_fd())?.file();
    let prepared = prepared.filter(|mark| is_prepared(mark, wanted, seen.size));
    Ok(Some(StoredFile {
        file,
        size: seen.size,
        staged: true,
        crc32: prepared.and_then(|mark| mark.crc32),
        stamp: None,
    }))
}

/// Whether a staged file with this mark and size is complete.
pub(super) fn is_prepared(mark: &FileMark, wanted: FileId, size: u64) -> bool {
    mark.file == wanted && mark.size == size
}

impl Root {
    fn placed(&self, live: &Live, wanted: FileId, at: &Place) -> Result<StoredFile, StorageError> {
        let (file, seen) = plain(live, Some(wanted), at)?;
        let other = |what: String| StorageError::OtherIdentity {
            wanted: Some(wanted),
            what,
        };
        match mark::read(file.as_fd())? {
            Seen::Mark(mark::Mark::File(mark)) if mark.file != wanted => {
                Err(other(format!("it is {}", mark.file)))
            }
            Seen::Mark(mark::Mark::File(mark)) if mark.size != seen.size => Err(other(format!(
                "it has {} bytes instead of {}",
                seen.size, mark.size
            ))),
            Seen::Mark(mark::Mark::File(mark))
                if self.shared().is_some() && mark.is_outdated(&seen) =>
            {
                Err(other("somebody wrote to it".to_owned()))
            }
            Seen::Mark(mark::Mark::File(mark)) => Ok(StoredFile {
                file,
                size: seen.size,
                staged: false,
                crc32: mark.crc32,
                stamp: self.shared().map(|_| Stamp::of(&seen)),
            }),
            _ => Err(other("it has no identity".to_owned())),
        }
    }
}

fn foreign(live: &Live, at: &Place) -> Result<StoredFile, StorageError> {
    let (file, seen) = plain(live, None, at)?;
    match mark::read(file.as_fd())? {
        Seen::Nothing => Ok(StoredFile {
            file,
            size: seen.size,
            staged: false,
            crc32: None,
            stamp: Some(Stamp::of(&seen)),
        }),
        _ => Err(StorageError::OtherIdentity {
            wanted: None,
            what: "it has an identity".to_owned(),
        }),
    }
}

/// Opens the plain file at a place.
fn plain(
    live: &Live,
    wanted: Option<FileId>,
    at: &Place,
) -> Result<(File, entry::Look), StorageError> {
    check_depth(at)?;
    let path = path_of(at);
    let file = match beneath::open(live.top.as_fd(), &path, beneath::Open::Read) {
        Ok(file) => File::from(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StorageError::NoSuchFile(wanted));
        }
        Err(error) if is_barrier(&error) => {
            return Err(StorageError::BadPlace {
                what: path.escape_ascii().to_string(),
                source: Some(error),
            });
        }
        Err(error) => return Err(error).doing("opening a file"),
    };
    let seen = entry::look_at(file.as_fd()).doing("looking at a file")?;
    match seen.kind {
        entry::Kind::File => Ok((file, seen)),
        _ => Err(StorageError::OtherIdentity {
            wanted,
            what: "it is no plain file".to_owned(),
        }),
    }
}

/// A place's path below the root.
pub(super) fn path_of(at: &Place) -> Vec<u8> {
    let mut path = Vec::new();
    for dir in &at.dirs {
        path.extend_from_slice(dir.name.as_bytes());
        path.push(b'/');
    }
    path.extend_from_slice(at.name.as_bytes());
    path
}

/// Refuses a place that is deeper than a path may be.
pub(super) fn check_depth(at: &Place) -> Result<(), StorageError> {
    match at.dirs.len() < MAX_DEPTH {
        true => Ok(()),
        false => Err(StorageError::BadPlace {
            what: "a place that is too deep".to_owned(),
            source: None,
        }),
    }
}
