//! Hearing of changes in directories: Linux's inotify, with just the events that say something.
//!
//! Opening and reading is none of them, so that a walk hears nothing of itself. The portable form hears nothing at all:
//! who asks is told so, and walks from time to time.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// A directory that is watched.
pub type Watched = i32;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// More than the system keeps: anything may have happened.
    TooMuch,
    /// A directory is not watched any more: it is gone.
    Ended(Watched),
    /// An entry of a directory came, went or was written to.
    Entry {
        /// The directory.
        dir: Watched,
        /// Its name.
        name: Vec<u8>,
        /// What happened to it.
        how: How,
        /// Whether it is a directory itself.
        is_dir: bool,
    },
}

/// What happened to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was made, or moved there.
    Came,
    /// It was removed, or moved away.
    Went,
    /// Its bytes changed.
    Written,
}

/// What was heard and not yet read.
pub struct Queue(OwnedFd);

#[cfg(all(target_os = "linux", not(feature = "portable")))]
mod native {
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use rustix::io::Errno;

    use super::*;

    /// Bytes that are read at a time.
    const BUFFER: usize = 16 << 10;
    /// Events of one reading at most: others get their turn.
    const MOST: usize = 4096;

    impl Queue {
        /// Hears of nothing yet.
        ///
        /// # Errors
        /// The operating system's; `EMFILE` when the user has too many of them.
        pub fn new() -> io::Result<Queue> {
            let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
            Ok(Queue(inotify::init(flags)?))
        }

        /// Hears of an open directory from now on; one that is watched already has the same number.
        ///
        /// # Errors
        /// The operating system's; `ENOSPC` when the user watches too many.
        pub fn watch(&self, dir: BorrowedFd<'_>) -> io::Result<Watched> {
            let flags = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::MODIFY
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::ONLYDIR;
            // The open directory and nothing that has its name meanwhile.
            let path = format!("/proc/self/fd/{}", dir.as_raw_fd());
            Ok(inotify::add_watch(&self.0, path, flags)?)
        }

        /// Reads what was heard, some of it; `true` when there may be more.
        ///
        /// # Errors
        /// The operating system's.
        pub fn read(&self, heard: &mut Vec<Heard>) -> io::Result<bool> {
            let mut buffer = [MaybeUninit::uninit(); BUFFER];
            let mut reader = Reader::new(&self.0, &mut buffer);
            for _ in 0..MOST {
                match reader.next() {
                    Ok(event) => {
                        let name = event.file_name().map(|name| name.to_bytes().to_vec());
                        heard.extend(of(event.wd(), event.events(), name));
                    }
                    Err(Errno::AGAIN) => return Ok(false),
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            // What is left in the buffer must not be lost.
            while !reader.is_buffer_empty() {
                let event = reader.next()?;
                let name = event.file_name().map(|name| name.to_bytes().to_vec());
                heard.extend(of(event.wd(), event.events(), name));
            }
            Ok(true)
        }
    }

    fn of(dir: Watched, what: ReadFlags, name: Option<Vec<u8>>) -> Option<Heard> {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            return Some(Heard::TooMuch);
        }
        if what.contains(ReadFlags::IGNORED) {
            return Some(Heard::Ended(dir));
        }
        let how = if what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            How::Came
        } else if what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
            How::Went
        } else if what.intersects(ReadFlags::MODIFY | ReadFlags::CLOSE_WRITE) {
            How::Written
        } else {
            return None;
        };
        Some(Heard::Entry {
            dir,
            name: name?,
            how,
            is_dir: what.contains(ReadFlags::ISDIR),
        })
    }
}

#[cfg(not(all(target_os = "linux", not(feature = "portable"))))]
impl Queue {
    /// Nothing can be heard here.
    ///
    /// # Errors
    /// Always.
    pub fn new() -> io::Result<Queue> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// See [`Queue::new`].
    ///
    /// # Errors
    /// Always.
    pub fn watch(&self, _: BorrowedFd<'_>) -> io::Result<Watched> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// See [`Queue::new`].
    ///
    /// # Errors
    /// Always.
    pub fn read(&self, _: &mut Vec<Heard>) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The setting of the system that an error of this module says is too small.
pub fn setting(error: &io::Error) -> Option<&'static str> {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC) => Some("fs.inotify.max_user_watches"),
        Some(Errno::MFILE) => Some("fs.inotify.max_user_instances"),
        _ => None,
    }
}
