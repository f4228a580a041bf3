//! Uploads: bytes grow in the staging folder under their identity until they are prepared.
//!
//! A staged file is *prepared* when its mark has its identity and its size; without, the upload
//! broke off. While it is written it has no mark, so that an operation never publishes half a
//! file; an operation that deletes it takes the name away and tells the writer.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crc32fast::Hasher;
use drftpd_protocol::ids::FileId;
use drftpd_protocol::wire::{Base, Blake3Sum};
use rustix::io::Errno;

use super::ending::drop_staged;
use super::error::{Doing, StorageError};
use super::live::Live;
use super::mark;
use super::root::{Root, lock};
use super::space::Promise;
use crate::sys::{copy, entry, space};

/// Bytes that are read at a time for the checksum of what is kept.
const CHUNK: usize = 1 << 20;

/// A file's name in staging.
pub(super) fn staged_name(file: FileId) -> Vec<u8> {
    file.to_string().into_bytes()
}

/// An upload that is being written. Dropped without an end it stays as what broke off.
pub struct Staging {
    /// The file; what was received is its first [`Staging::len`] bytes.
    pub file: File,
    /// Bytes that are there.
    pub len: u64,
    /// CRC-32 of all of them.
    pub crc: Hasher,
    /// BLAKE3 of all of them, where somebody wants it.
    blake3: Option<Box<blake3::Hasher>>,
    pub(super) id: FileId,
    root: Root,
    pub(super) live: Arc<Live>,
    promise: Promise,
    running: Running,
    /// The disk is as the end of the upload left it: nothing is tidied when this is dropped.
    pub(super) ended: bool,
}

impl Staging {
    /// Its identity.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// CRC-32 of what is there.
    pub fn crc32(&self) -> u32 {
        self.crc.clone().finalize()
    }

    /// From now on BLAKE3 is summed too. What is kept is read again for that.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn sum_blake3(&mut self) -> Result<(), StorageError> {
        let mut sum = Box::new(blake3::Hasher::new());
        let read = each_chunk(&self.file, self.len, |bytes| {
            sum.update(bytes);
        });
        read.doing("reading what is kept of an upload")?;
        self.blake3 = Some(sum);
        Ok(())
    }

    /// BLAKE3 of what is there, if it is summed.
    pub fn blake3(&self) -> Option<Blake3Sum> {
        let sum = self.blake3.as_ref()?;
        Some(Blake3Sum(*sum.finalize().as_bytes()))
    }

    /// Whether an operation deleted it meanwhile: nobody wants the bytes any more.
    pub fn is_revoked(&self) -> bool {
        self.running.revoked.load(Ordering::Relaxed)
    }

    /// Writes bytes behind those that are there. The trash is emptied if the disk is full.
    ///
    /// # Errors
    /// [`StorageError::Revoked`], a full disk, or a disk that failed, which makes the root
    /// read-only. What was there before is still there and counted.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        if self.is_revoked() {
            return Err(StorageError::Revoked(self.id));
        }
        let count = bytes.len() as u64;
        let mut written = self.file.write_all_at(bytes, self.len);
        if let Err(error) = &written
            && Errno::from_io_error(error) == Some(Errno::NOSPC)
            && self.root.make_room(&self.live, count) > 0
        {
            written = self.file.write_all_at(bytes, self.len);
        }
        self.root.judge_write(written.doing("writing an upload"))?;
        self.crc.update(bytes);
        if let Some(sum) = &mut self.blake3 {
            sum.update(bytes);
        }
        self.len += count;
        self.promise.used(count);
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.ended
            && let Err(error) = self.file.set_len(self.len)
        {
            tracing::warn!(root = %self.root.id(), file = %self.id, %error, "space of an upload that broke off was not freed");
        }
    }
}

impl std::fmt::Debug for Staging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Staging({}, {} bytes)", self.id, self.len)
    }
}

/// Says that an upload runs, until it is dropped.
struct Running {
    root: Root,
    id: FileId,
    revoked: Arc<AtomicBool>,
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.root.0.running).remove(&self.id);
    }
}

impl Root {
    /// Begins an upload, or goes on with one, and reserves space for the bytes that are expected.
    /// What is kept is read again for the running checksum, which takes time.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if one with this identity runs, [`StorageError::NoSuchFile`],
    /// [`StorageError::TooShort`] or [`StorageError::OtherIdentity`] if what is to be kept is not there or went bad, a full
    /// disk, a read-only root, and those of the disk.
    pub fn stage(&self, file: FileId, base: &Base, expected: u64) -> Result<Staging, StorageError> {
        let live = self.writable()?;
        let running = self.run(file)?;
        let staged = self.judge(self.begin(&live, file, base, expected));
        let (out, keep, promise) = staged.inspect_err(|_| {
            if !matches!(base, Base::Staged { .. }) {
                let _gone = entry::unlink(live.staging.as_fd(), &staged_name(file));
            }
        })?;
        let crc = checksum(&out, keep).doing("reading what is kept of an upload")?;
        Ok(Staging {
            file: out,
            len: keep,
            crc,
            blake3: None,
            id: file,
            root: self.clone(),
            live,
            promise,
            running,
            ended: false,
        })
    }

    fn begin(
        &self,
        live: &Live,
        file: FileId,
        base: &Base,
        expected: u64,
    ) -> Result<(File, u64, Promise), StorageError> {
        let (out, keep) = match base {
            Base::Empty => (fresh(live, file)?, 0),
            Base::Staged { keep } => (again(live, file, *keep)?, *keep),
            Base::Copy {
                file: source,
                at,
                keep,
            } => (self.copy(live, file, (*source, at), *keep)?, *keep),
        };
        let promise = self.reserve(live, &out, keep, expected)?;
        Ok((out, keep, promise))
    }

    fn copy(
        &self,
        live: &Live,
        file: FileId,
        (from, at): (FileId, &drftpd_protocol::wire::Place),
        keep: u64,
    ) -> Result<File, StorageError> {
        let source = self.open_file(Some(from), at)?;
        if source.size < keep {
            let there = source.size;
            return Err(StorageError::TooShort { file, there, keep });
        }
        // Bytes that went bad would get a checksum of their own, and be good for ever.
        if let Some(crc32) = source.crc32
            && checksum(&source.file, source.size)
                .doing("reading what an upload keeps")?
                .finalize()
                != crc32
        {
            return Err(StorageError::OtherIdentity {
                wanted: Some(from),
                what: "its bytes are not those of its checksum".to_owned(),
            });
        }
        let out = fresh(live, file)?;
        copy::beginning(&source.file, &out, keep).doing("copying what an upload keeps")?;
        Ok(out)
    }

    /// Sets space aside: on the disk where the filesystem can, by a promise where it cannot.
    fn reserve(
        &self,
        live: &Live,
        out: &File,
        keep: u64,
        expected: u64,
    ) -> Result<Promise, StorageError> {
        let promised = self.0.space.promised(live.device);
        let free = || -> Result<u64, StorageError> {
            let space = space::of(live.top.as_fd()).doing("asking for the space of a root")?;
            Ok(space.free)
        };
        let there = || Ok::<u64, StorageError>(free()?.saturating_sub(promised.bytes()));
        let mut left = there()?;
        if left < expected {
            self.make_room(live, expected - left);
            left = there()?;
        }
        let none = |free| StorageError::NoSpace {
            wanted: expected,
            free,
        };
        if left < expected {
            return Err(none(left));
        }
        match space::allocate(out.as_fd(), keep, expected) {
            Ok(true) => Ok(promised.nothing()),
            Ok(false) => promised.promise(expected, free)?.map_err(none),
            Err(error) => {
                out.set_len(keep).doing("giving reserved space back")?;
                match Errno::from_io_error(&error) {
                    Some(Errno::NOSPC) => Err(none(left)),
                    _ => Err(error).doing("reserving space"),
                }
            }
        }
    }

    fn run(&self, file: FileId) -> Result<Running, StorageError> {
        let mut running = lock(&self.0.running);
        if running.contains_key(&file) {
            return Err(StorageError::Busy(file));
        }
        let revoked = Arc::new(AtomicBool::new(false));
        running.insert(file, Arc::clone(&revoked));
        Ok(Running {
            root: self.clone(),
            id: file,
            revoked,
        })
    }
}

/// A new, empty file in staging; what has its name goes, without touching what is read from it.
fn fresh(live: &Live, file: FileId) -> Result<File, StorageError> {
    drop_staged(live, file)?;
    entry::create(live.staging.as_fd(), &staged_name(file), true).doing("making a staged file")
}

/// The staged file that is gone on with, cut to what is kept and without its mark.
fn again(live: &Live, file: FileId, keep: u64) -> Result<File, StorageError> {
    let out = match entry::open_writable(live.staging.as_fd(), &staged_name(file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StorageError::NoSuchFile(Some(file)));
        }
        opened => opened.doing("opening a staged file")?,
    };
    let seen = entry::look_at(out.as_fd()).doing("looking at a staged file")?;
    if seen.kind != entry::Kind::File {
        return Err(StorageError::OtherIdentity {
            wanted: Some(file),
            what: "it is no plain file".to_owned(),
        });
    }
    if seen.size < keep {
        let there = seen.size;
        return Err(StorageError::TooShort { file, there, keep });
    }
    mark::remove(out.as_fd())?;
    out.set_len(keep).doing("cutting a staged file")?;
    Ok(out)
}

fn checksum(file: &File, length: u64) -> io::Result<Hasher> {
    let mut crc = Hasher::new();
    each_chunk(file, length, |bytes| crc.update(bytes))?;
    Ok(crc)
}

/// Reads the beginning of a file.
fn each_chunk(file: &File, length: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; usize::try_from(length).map_or(CHUNK, |length| length.min(CHUNK))];
    let mut done = 0;
    while done < length {
        let want = usize::try_from(length - done).map_or(CHUNK, |left| left.min(CHUNK));
        match file.read_at(&mut buffer[..want], done)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                take(&buffer[..read]);
                done += read as u64;
            }
        }
    }
    Ok(())
}
