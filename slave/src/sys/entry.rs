//! Entries of one open directory: look, make, rename, remove, make durable.
//!
//! Everything names one entry of a directory that is held open, so that nobody can put a link in
//! between. Nothing here follows a link.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

pub use super::listing::Listing;

/// Mode of files, before the process's mask.
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);
/// Mode of directories, before the process's mask.
const DIR_MODE: Mode = Mode::from_raw_mode(0o755);

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A directory.
    Dir,
    /// A link, a pipe, a socket or a device.
    Other,
}

impl Kind {
    fn of(kind: FileType) -> Kind {
        match kind {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            _ => Kind::Other,
        }
    }
}

/// What the filesystem says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// What it is.
    pub kind: Kind,
    /// Size in bytes.
    pub size: u64,
    /// Time of modification, Unix seconds.
    pub modified: i64,
    /// The same, nanoseconds since 1970.
    pub modified_nanos: i64,
    /// Its filesystem.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// How many names it has.
    pub links: u64,
    /// Whose it is.
    pub owner: u32,
}

impl From<rustix::fs::Stat> for Look {
    fn from(stat: rustix::fs::Stat) -> Look {
        Look {
            kind: Kind::of(FileType::from_raw_mode(stat.st_mode)),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: stat.st_mtime,
            modified_nanos: nanos(stat.st_mtime, stat.st_mtime_nsec),
            device: stat.st_dev,
            inode: stat.st_ino,
            links: stat.st_nlink,
            owner: stat.st_uid,
        }
    }
}

/// Nanoseconds since 1970; what lies beyond the year 2262 becomes some number that is always the same.
fn nanos(seconds: i64, nanos: impl TryInto<i64>) -> i64 {
    let nanos = nanos.try_into().unwrap_or(0);
    seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)
}

/// What lies under `name`; `None` if nothing does.
///
/// # Errors
/// The operating system's, except that nothing is there.
pub fn look(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Look>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What an open file or directory is.
///
/// # Errors
/// The operating system's.
pub fn look_at(fd: BorrowedFd<'_>) -> io::Result<Look> {
    Ok(rustix::fs::fstat(fd)?.into())
}

/// Opens a file for reading and writing; `fresh` makes it and fails if something has that name,
/// otherwise it is made if it is missing.
///
/// # Errors
/// The operating system's; `ELOOP` for a link.
pub fn create(dir: BorrowedFd<'_>, name: &[u8], fresh: bool) -> io::Result<File> {
    let mut flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    flags |= OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::EXCL, fresh);
    Ok(rustix::fs::openat(dir, name, flags, FILE_MODE)?.into())
}

/// Opens a file that exists for reading and writing.
///
/// # Errors
/// The operating system's; `ELOOP` for a link.
pub fn open_writable(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(rustix::fs::openat(dir, name, flags | OFlags::NOCTTY, Mode::empty())?.into())
}

/// Makes a directory.
///
/// # Errors
/// The operating system's.
pub fn make_dir(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::mkdirat(dir, name, DIR_MODE)?)
}

/// Makes a directory that only its owner may enter.
///
/// # Errors
/// The operating system's.
pub fn make_private_dir(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::mkdirat(dir, name, Mode::RWXU)?)
}

/// Removes a file or a link.
///
/// # Errors
/// The operating system's.
pub fn unlink(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?)
}

/// Removes an empty directory; `false` if it is not empty.
///
/// # Errors
/// The operating system's, except that it is not empty.
pub fn remove_dir(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<bool> {
    match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Renames and never replaces.
///
/// The portable form looks first and renames then: whoever calls holds the root's lock, so that
/// only somebody else on that machine can come in between.
///
/// # Errors
/// `EEXIST` if something has the new name, else the operating system's.
pub fn rename(
    from: BorrowedFd<'_>,
    name: &[u8],
    to: BorrowedFd<'_>,
    new_name: &[u8],
) -> io::Result<()> {
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
            Err(error) if super::not_here(error) => {}
            done => return Ok(done?),
        }
    }
    if look(to, new_name)?.is_some() {
        return Err(Errno::EXIST.into());
    }
    Ok(rustix::fs::renameat(from, name, to, new_name)?)
}

/// Renames over whatever file has the new name: for our own files in the reserved folder, and for
/// a file and its exact copy.
///
/// # Errors
/// The operating system's.
pub fn replace(dir: BorrowedFd<'_>, name: &[u8], to: BorrowedFd<'_>, new: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::renameat(dir, name, to, new)?)
}

/// Makes what was made, renamed or removed in a directory, or written to a file, durable.
///
/// # Errors
/// The operating system's. What was written before may be lost then, whatever a later call says.
pub fn sync(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::fs::fsync(fd)?)
}

/// Whether [`sync_filesystem`] works here.
pub const CAN_SYNC_FILESYSTEM: bool = cfg!(all(target_os = "linux", not(feature = "portable")));

/// Makes everything durable that was written to a filesystem: for when [`sync`] of each of many
/// things would take far longer. Not to be asked unless [`CAN_SYNC_FILESYSTEM`].
///
/// # Errors
/// As [`sync`]; of all that was written since `fd` was opened.
pub fn sync_filesystem(fd: BorrowedFd<'_>) -> io::Result<()> {
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    return Ok(rustix::fs::syncfs(fd)?);
    #[cfg(not(all(target_os = "linux", not(feature = "portable"))))]
    {
        let _ = fd;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Sets the time of modification, Unix seconds; the time of access stays.
///
/// # Errors
/// The operating system's.
pub fn set_modified(fd: BorrowedFd<'_>, seconds: i64) -> io::Result<()> {
    let keep = Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_OMIT,
    };
    let times = Timestamps {
        last_access: keep,
        last_modification: Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        },
    };
    Ok(rustix::fs::futimens(fd, &times)?)
}

/// Does something to a file that its owner may not be allowed to write: if so, he is for as long
/// as it takes. Somebody else's file stays as it is.
pub fn while_writable<T>(fd: BorrowedFd<'_>, what: impl FnOnce() -> T) -> T {
    let was = rustix::fs::fstat(fd).map(|stat| Mode::from_raw_mode(stat.st_mode));
    let changed = match was {
        Ok(was) if !was.contains(Mode::WUSR) => rustix::fs::fchmod(fd, was | Mode::WUSR)
            .is_ok()
            .then_some(was),
        _ => None,
    };
    let done = what();
    if let Some(was) = changed
        && let Err(error) = rustix::fs::fchmod(fd, was)
    {
        tracing::warn!(%error, "a file stays writable that was not");
    }
    done
}

/// Whether this process may give a file an attribute: it may write it, or its owner may be allowed to.
///
/// # Errors
/// The operating system's.
pub fn may_be_marked(dir: BorrowedFd<'_>, name: &[u8], look: &Look) -> io::Result<bool> {
    if look.owner == rustix::process::geteuid().as_raw() {
        return Ok(true);
    }
    match rustix::fs::accessat(dir, name, Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes the lock of an open file for as long as it is open; `false` if somebody else has it.
///
/// # Errors
/// The operating system's.
pub fn try_lock(fd: BorrowedFd<'_>) -> io::Result<bool> {
    match rustix::fs::flock(fd, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::beneath::open_top;

    #[test]
    fn a_rename_never_replaces() {
        let dir = tempfile::tempdir().expect("a folder");
        let top = open_top(dir.path()).expect("open");
        std::fs::write(dir.path().join("a"), "a").expect("a file");
        std::fs::write(dir.path().join("b"), "b").expect("a file");
        let error = rename(top.as_fd(), b"a", top.as_fd(), b"b").expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        rename(top.as_fd(), b"a", top.as_fd(), b"c").expect("free");
        let read = |name| std::fs::read_to_string(dir.path().join(name)).expect("there");
        assert_eq!((read("b"), read("c")), ("b".into(), "a".into()));
    }

    #[test]
    fn a_lock_belongs_to_one_open_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let top = open_top(dir.path()).expect("open");
        let first = create(top.as_fd(), b"lock", false).expect("made");
        let second = create(top.as_fd(), b"lock", false).expect("opened");
        assert!(try_lock(first.as_fd()).expect("asked"));
        assert!(!try_lock(second.as_fd()).expect("asked"));
        drop(first);
        assert!(try_lock(second.as_fd()).expect("asked"));
    }

    #[test]
    fn a_file_that_may_not_be_written_may_be_for_a_moment() {
        let file = tempfile::tempfile().expect("a file");
        let mode = || rustix::fs::fstat(&file).expect("looked").st_mode & 0o777;
        rustix::fs::fchmod(&file, Mode::RUSR).expect("set");
        assert_eq!(while_writable(file.as_fd(), mode), 0o600);
        assert_eq!(mode(), 0o400);
    }

    #[test]
    fn a_time_is_set_without_the_other() {
        let dir = tempfile::tempdir().expect("a folder");
        let top = open_top(dir.path()).expect("open");
        let file = create(top.as_fd(), b"f", true).expect("made");
        set_modified(file.as_fd(), 1_000_000_000).expect("set");
        let seen = look(top.as_fd(), b"f").expect("looked").expect("there");
        assert_eq!((seen.modified, seen.kind), (1_000_000_000, Kind::File));
    }
}
