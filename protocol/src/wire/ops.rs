//! Operations of a root's log: what the file list decided and the disk must follow.
//!
//! They name identities, so doing one twice does no harm; what stands in the way on disk is
//! moved aside, never overwritten.

use serde::{Deserialize, Serialize};

use crate::ids::{DirId, FileId};
use crate::path::Name;

/// One directory on the way to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirStep {
    /// The directory's identity, kept in its extended attribute.
    pub id: DirId,
    /// Its name in the directory above.
    pub name: Name,
}

/// Where something lies below a root: the directories from the top down, and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// From the top of the root down; empty for the top itself.
    pub dirs: Vec<DirStep>,
    /// The entry's name.
    pub name: Name,
}

/// What a [`RootOp::Move`] moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moved {
    /// A file with this identity.
    File(FileId),
    /// A directory with this identity, and all below it.
    Dir(DirId),
}

/// One operation. Places are as they were when it was decided, with all earlier ones done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootOp {
    /// Bytes that were prepared in staging go to their place.
    Publish {
        /// The prepared file.
        file: FileId,
        /// Where it goes; directories are made as needed.
        at: Place,
    },
    /// A file's bytes go, wherever they are: staging or its place.
    Delete {
        /// The deleted file.
        file: FileId,
        /// Where it was.
        at: Place,
    },
    /// A file or a directory has another place or name.
    Move {
        /// What.
        what: Moved,
        /// Where it was.
        from: Place,
        /// Where it goes.
        to: Place,
    },
    /// A directory is gone from the file list; on disk it goes if it is empty.
    RemoveDir {
        /// The directory.
        dir: DirId,
        /// Where it was.
        at: Place,
    },
    /// A file has another time of modification.
    SetTime {
        /// The file.
        file: FileId,
        /// Where it is.
        at: Place,
        /// Unix seconds, UTC.
        modified: i64,
    },
    /// A file found without identity, or with an older one of the same node, gets this one, if it still has that size.
    Identify {
        /// Its identity from now on.
        file: FileId,
        /// Where it was found.
        at: Place,
        /// Its size then.
        size: u64,
    },
    /// A file found without identity, whose place is taken by another, is kept beside it.
    KeepBeside {
        /// Its identity from now on.
        file: FileId,
        /// Where it was found.
        from: Place,
        /// Where it goes.
        to: Place,
        /// Its size then.
        size: u64,
    },
    /// A file that the file list does not know any more goes to the root's trash.
    SetAside {
        /// The identity it must have.
        file: FileId,
        /// Where it was found.
        at: Place,
    },
    /// A copy of something that another program made with its attributes, on a shared root: it, and all below it,
    /// carries no identity any more.
    Disown {
        /// The identity it must have.
        what: Moved,
        /// Where it was found.
        at: Place,
    },
    /// Staged bytes that nobody will go on with are thrown away.
    DiscardStaged {
        /// Their identity.
        file: FileId,
    },
    /// Staged bytes of an upload that is in no file list go to the root's trash.
    SetAsideStaged {
        /// Their identity.
        file: FileId,
    },
}
