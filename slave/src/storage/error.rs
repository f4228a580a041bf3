//! Why storage did not do what it was asked, and how that is said to the master.

use std::io;
use std::path::PathBuf;

use drftpd_protocol::ids::{FileId, RootId};
use drftpd_protocol::wire::{Fault, FaultCode};
use rustix::io::Errno;

/// Why storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The configuration has no root with this identity.
    #[error("no root {0} here")]
    NoSuchRoot(RootId),
    /// The root's identity file is not there now.
    #[error("root {root} is absent: {} shows no identity", path.display())]
    Absent {
        /// The root.
        root: RootId,
        /// Its folder.
        path: PathBuf,
    },
    /// A write failed before, or the filesystem is mounted read-only.
    #[error("root {0} is read-only")]
    ReadOnly(RootId),
    /// Neither in staging nor at its place.
    #[error("no file {}", name(.0))]
    NoSuchFile(Option<FileId>),
    /// Something else lies there, or it was altered.
    #[error("not file {}: {what}", name(wanted))]
    OtherIdentity {
        /// What was asked for.
        wanted: Option<FileId>,
        /// What was found.
        what: String,
    },
    /// A link, a file or another mount on the way, or no way at all.
    #[error("no way to {what}")]
    BadPlace {
        /// Where to.
        what: String,
        /// Why not, if the operating system said so.
        #[source]
        source: Option<io::Error>,
    },
    /// The disk is full, or would be.
    #[error("no space for {wanted} bytes, {free} are free")]
    NoSpace {
        /// Bytes that were wanted.
        wanted: u64,
        /// Bytes there are.
        free: u64,
    },
    /// An upload with this identity is running.
    #[error("an upload of {0} is running")]
    Busy(FileId),
    /// The staged bytes of a running upload were deleted by an operation.
    #[error("the staged bytes of {0} were deleted")]
    Revoked(FileId),
    /// Fewer bytes of a file are there than are to be kept.
    #[error("{file} has {there} bytes and {keep} are to be kept")]
    TooShort {
        /// Which.
        file: FileId,
        /// Bytes that are there.
        there: u64,
        /// Bytes that were asked for.
        keep: u64,
    },
    /// The operating system said no.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The root's folder has no identity file, so it is no root, or not mounted.
    #[error("{} is no root: it has no identity file", .0.display())]
    NoIdentity(PathBuf),
    /// The identity file cannot be understood.
    #[error("the identity file of {} is damaged: {why}", path.display())]
    BadIdentity {
        /// The root's folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Two configured folders have one identity.
    #[error("{} and {} are both root {root}", first.display(), second.display())]
    Twice {
        /// The identity.
        root: RootId,
        /// One folder.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// One root lies in another one.
    #[error("{} lies in the root {}", inner.display(), outer.display())]
    Nested {
        /// The outer folder.
        outer: PathBuf,
        /// The inner folder.
        inner: PathBuf,
    },
    /// The filesystem has no extended attributes for users.
    #[error("{} has no user attributes: mount {} with them", path.display(), mount.display())]
    NoAttributes {
        /// The root's folder.
        path: PathBuf,
        /// The mount it is on.
        mount: PathBuf,
    },
    /// Another slave uses the root.
    #[error("{} is used by another slave", .0.display())]
    Locked(PathBuf),
}

fn name(file: &Option<FileId>) -> String {
    file.map_or_else(|| "without identity".to_owned(), |file| file.to_string())
}

impl StorageError {
    /// Says it to the master.
    pub fn fault(&self) -> Fault {
        let code = match self {
            Self::NoSuchRoot(_) | Self::Absent { .. } | Self::NoIdentity(_) => {
                FaultCode::NO_SUCH_ROOT
            }
            Self::NoSuchFile(_) => FaultCode::NO_SUCH_FILE,
            Self::OtherIdentity { .. } | Self::TooShort { .. } => FaultCode::OTHER_IDENTITY,
            Self::BadPlace { .. } => FaultCode::BAD_PLACE,
            Self::NoSpace { .. } => FaultCode::NO_SPACE,
            Self::Busy(_) => FaultCode::BUSY,
            Self::Revoked(_) => FaultCode::ABORTED,
            Self::Io { source, .. } if is_full(source) => FaultCode::NO_SPACE,
            Self::Io { .. } | Self::ReadOnly(_) => FaultCode::DISK,
            _ => FaultCode::FAILED,
        };
        let fault = Fault::new(code, self.to_string());
        match self {
            Self::TooShort { there, .. } => fault.with_bytes(*there),
            _ => fault,
        }
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::NoSpace { .. } => true,
            Self::Io { source, .. } => is_full(source),
            _ => false,
        }
    }

    /// Whether the disk itself failed, so that nothing more should be written to it.
    pub(super) fn is_failure(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_failure(source),
            _ => false,
        }
    }
}

/// Whether the disk, or what this user or this process may have of it, is full.
fn is_full(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG)
    )
}

fn is_failure(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::IO | Errno::ROFS | Errno::NXIO | Errno::NODEV | Errno::UCLEAN | Errno::BADMSG)
    )
}

/// Whether an open met a link, a file or another mount on its way.
pub(super) fn is_barrier(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::LOOP | Errno::NOTDIR | Errno::XDEV)
    )
}

/// Says what was being done when the operating system said no.
pub(super) trait Doing<T> {
    /// A gerund: "opening the staging folder".
    fn doing(self, doing: &'static str) -> Result<T, StorageError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T, StorageError> {
        self.map_err(|source| StorageError::Io { doing, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let io = |errno: Errno| StorageError::Io {
            doing: "writing",
            source: errno.into(),
        };
        assert_eq!(io(Errno::NOSPC).fault().code, FaultCode::NO_SPACE);
        assert_eq!(io(Errno::DQUOT).fault().code, FaultCode::NO_SPACE);
        assert_eq!(io(Errno::FBIG).fault().code, FaultCode::NO_SPACE);
        assert_eq!(io(Errno::IO).fault().code, FaultCode::DISK);
        assert_eq!(io(Errno::ROFS).fault().code, FaultCode::DISK);
        assert!(io(Errno::IO).is_failure() && !io(Errno::NOSPC).is_failure());
    }
}
