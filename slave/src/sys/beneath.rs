//! Opening below a directory, and nowhere else.
//!
//! A path from the master is not trusted: links are never followed, `..` never goes up, other
//! mounts are never entered. Linux does it in one call (`openat2`); the portable form opens name
//! by name without following links.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno;

/// How something is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// A directory.
    Dir,
    /// A file, for reading. Waits for nobody, also where a pipe was planted.
    Read,
}

impl Open {
    fn flags(self) -> OFlags {
        let common = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match self {
            Open::Dir => common | OFlags::DIRECTORY,
            Open::Read => common | OFlags::NONBLOCK | OFlags::NOCTTY,
        }
    }
}

/// Opens the folder that the configuration names; links on the way to it are the operator's.
///
/// # Errors
/// The operating system's.
pub fn open_top(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Opens `path`, names with slashes between, below `top`; the empty path is `top` itself.
///
/// # Errors
/// `ELOOP` or `ENOTDIR` for a link on the way or at the end, `EXDEV` for a way out or another
/// mount, else the operating system's.
pub fn open(top: BorrowedFd<'_>, path: &[u8], how: Open) -> io::Result<OwnedFd> {
    let path = if path.is_empty() {
        b".".as_slice()
    } else {
        path
    };
    if path.starts_with(b"/") || path.split(|&b| b == b'/').any(|name| name == b"..") {
        return Err(Errno::XDEV.into());
    }
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    if native::available(top) {
        return Ok(native::open(top, path, how)?);
    }
    Ok(by_name(top, path, how)?)
}

/// Opens the entry `name` of a directory.
///
/// # Errors
/// `ELOOP` or `ENOTDIR` for a link, else the operating system's.
pub fn open_entry(dir: BorrowedFd<'_>, name: &[u8], how: Open) -> io::Result<OwnedFd> {
    if name.contains(&b'/') || name == b".." {
        return Err(Errno::XDEV.into());
    }
    Ok(openat(dir, name, how.flags(), Mode::empty())?)
}

fn by_name(top: BorrowedFd<'_>, path: &[u8], how: Open) -> Result<OwnedFd, Errno> {
    let device = fstat(top)?.st_dev;
    let (dirs, name) = match path.iter().rposition(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    let mut at = openat(top, ".", Open::Dir.flags(), Mode::empty())?;
    for dir in dirs.split(|&b| b == b'/').filter(|dir| !dir.is_empty()) {
        at = openat(&at, dir, Open::Dir.flags(), Mode::empty())?;
        same_device(&at, device)?;
    }
    let found = openat(&at, name, how.flags(), Mode::empty())?;
    same_device(&found, device)?;
    Ok(found)
}

fn same_device(fd: impl AsFd, device: u64) -> Result<(), Errno> {
    match fstat(fd)?.st_dev == device {
        true => Ok(()),
        false => Err(Errno::XDEV),
    }
}

#[cfg(all(target_os = "linux", not(feature = "portable")))]
mod native {
    use std::os::fd::{BorrowedFd, OwnedFd};
    use std::sync::OnceLock;

    use rustix::fs::{Mode, ResolveFlags, openat2};
    use rustix::io::Errno;

    use super::Open;

    /// How often an open is repeated that a rename disturbed.
    const TRIES: u32 = 16;

    /// Whether the kernel has `openat2`; asked once, said once.
    pub(super) fn available(top: BorrowedFd<'_>) -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| match open(top, b".", Open::Dir) {
            Err(error @ (Errno::NOSYS | Errno::PERM)) => {
                tracing::warn!(%error, "openat2 is not available, opening name by name");
                false
            }
            _ => true,
        })
    }

    pub(super) fn open(top: BorrowedFd<'_>, path: &[u8], how: Open) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let mut tries = 0;
        loop {
            match openat2(top, path, how.flags(), Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn top(dir: &tempfile::TempDir) -> OwnedFd {
        open_top(dir.path()).expect("the folder opens")
    }

    #[test]
    fn a_file_below_opens_and_nothing_above_does() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("a/b")).expect("folders");
        std::fs::write(dir.path().join("a/b/f"), "x").expect("a file");
        let top = top(&dir);
        assert!(open(top.as_fd(), b"a/b/f", Open::Read).is_ok());
        assert!(open(top.as_fd(), b"", Open::Dir).is_ok());
        for out in [&b"../x"[..], b"/etc/passwd", b"a/../../x", b".."] {
            assert!(open(top.as_fd(), out, Open::Read).is_err(), "{out:?}");
        }
    }

    #[test]
    fn a_link_is_followed_neither_on_the_way_nor_at_the_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("another folder");
        std::fs::write(outside.path().join("secret"), "x").expect("a file");
        symlink(outside.path(), dir.path().join("dir")).expect("a link");
        symlink(outside.path().join("secret"), dir.path().join("file")).expect("a link");
        let top = top(&dir);
        for link in [&b"dir/secret"[..], b"file", b"dir"] {
            let error = open(top.as_fd(), link, Open::Read).expect_err("a link");
            let errno = Errno::from_io_error(&error);
            assert!(
                matches!(errno, Some(Errno::LOOP | Errno::NOTDIR)),
                "{link:?}: {error}"
            );
        }
        assert!(open_entry(top.as_fd(), b"file", Open::Read).is_err());
        assert!(open_entry(top.as_fd(), b"dir", Open::Dir).is_err());
    }

    #[test]
    fn a_pipe_does_not_make_the_reader_wait() {
        let dir = tempfile::tempdir().expect("a folder");
        let top = top(&dir);
        rustix::fs::mkfifoat(&top, "pipe", Mode::RWXU).expect("a pipe");
        assert!(open(top.as_fd(), b"pipe", Open::Read).is_ok());
    }
}
