//! Why the file list did not do something, and what an FTP client hears of it.

use drftpd_actors::AskError;
use drftpd_protocol::ftp::reply::Reply;
use drftpd_protocol::{NameError, PathError, RootId, VfsPath};

use crate::accounts::disk::Full;
use crate::store::StoreError;

/// Why the file list did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VfsError {
    /// No such entry, or a directory on the way is none.
    #[error("{0} does not exist")]
    NotFound(VfsPath),
    /// A directory where a file is wanted.
    #[error("{0} is a directory")]
    IsDirectory(VfsPath),
    /// A file where a directory is wanted.
    #[error("{0} is not a directory")]
    NotADirectory(VfsPath),
    /// Something is there already.
    #[error("{0} exists")]
    Exists(VfsPath),
    /// A directory that is not empty.
    #[error("{0} is not empty")]
    NotEmpty(VfsPath),
    /// An upload to it runs.
    #[error("{0} is being uploaded")]
    Busy(VfsPath),
    /// It was found on a disk while somebody was about to store it.
    #[error("{0} was just found on a disk")]
    JustFound(VfsPath),
    /// Its upload broke off and was not finished.
    #[error("{0} is incomplete")]
    Incomplete(VfsPath),
    /// Its upload broke off with its slave, which has not told yet how much is kept.
    #[error("{path} is still being closed")]
    Closing {
        /// The file.
        path: VfsPath,
        /// Where its bytes are.
        root: RootId,
    },
    /// REST names a byte that is not there.
    #[error("offset {offset} is beyond the {size} bytes that are there")]
    BadOffset {
        /// What was asked.
        offset: u64,
        /// What is there.
        size: u64,
    },
    /// A directory cannot be moved below itself, the root not at all.
    #[error("{0} cannot be moved there")]
    BadMove(VfsPath),
    /// The upload is not known any more.
    #[error("the upload is not known any more")]
    NoUpload,
    /// No slave ever showed this root.
    #[error("root {0} is not known")]
    UnknownRoot(RootId),
    /// Nobody may show it any more.
    #[error("root {0} is retired")]
    RetiredRoot(RootId),
    /// Uploads run to it.
    #[error("{uploads} uploads run to root {root}: drain its slave and wait until they are over")]
    RootInUse {
        /// Which.
        root: RootId,
        /// How many.
        uploads: u64,
    },
    /// The store may be older than its disks.
    #[error("the site is in recovery: the store is older than its disks")]
    Recovering,
    /// Its owner, or its group, may not have so much.
    #[error("disk quota exceeded: {0}")]
    OverQuota(Full),
    /// Something that belongs to it must not be.
    #[error("{0}")]
    Unwanted(String),
    /// Not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Links that lead in a circle, or too many.
    #[error("too many links on the way to {0}")]
    TooManyLinks(VfsPath),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The actor did not answer.
    #[error("the file list did not answer")]
    Ask(#[from] AskError),
}

impl VfsError {
    /// Says it to the client. No other code turns this error into a reply.
    pub fn reply(&self) -> Reply {
        match self {
            Self::NotFound(_) => Reply::new(550, "No such file or directory"),
            Self::IsDirectory(_) => Reply::new(550, "Is a directory"),
            Self::NotADirectory(_) => Reply::new(550, "Not a directory"),
            Self::Exists(_) => Reply::new(550, "That name already exists"),
            Self::NotEmpty(_) => Reply::new(550, "Directory is not empty"),
            Self::Busy(_) => Reply::new(450, "File is being uploaded, try again later"),
            Self::JustFound(_) => Reply::new(450, "File was just found on a disk, try again"),
            Self::Closing { .. } => Reply::new(
                450,
                "The upload that broke off is still being closed, try again",
            ),
            Self::Incomplete(_) => Reply::new(450, "Upload of this file is not complete"),
            Self::BadOffset { size, .. } => Reply::new(
                554,
                format!("Restart position is beyond the {size} bytes there"),
            ),
            Self::BadMove(_) => Reply::new(553, "Cannot be renamed to that place"),
            Self::Name(why) => Reply::new(553, why.to_string()),
            Self::Path(why) => Reply::new(553, why.to_string()),
            Self::OverQuota(full) => Reply::new(552, format!("Disk quota exceeded: {full}")),
            Self::Unwanted(why) => Reply::new(550, why.clone()),
            Self::TooManyLinks(_) => Reply::new(550, "Too many links on the way"),
            Self::NoUpload
            | Self::UnknownRoot(_)
            | Self::RetiredRoot(_)
            | Self::RootInUse { .. }
            | Self::Recovering => Reply::new(451, "Upload was ended, try again"),
            Self::Store(why) if why.is_full() => Reply::new(
                452,
                "No space left for the file list, nothing can be changed now",
            ),
            Self::Store(_) | Self::Ask(_) => Reply::new(451, "File list is busy, try again"),
        }
    }
}
