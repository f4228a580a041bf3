//! What the file list says of an entry, and what an upload or a remerge needs of it.

use std::sync::Arc;

use drftpd_protocol::wire::{Base, Blake3Sum, Outcome, Place};
use drftpd_protocol::{DirId, FileId, Generation, Name, NodeId, OpSeq, RootId, SlaveId, VfsPath};

use super::quota::Room;

/// Kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A file.
    File,
    /// A symbolic link: a name for another path of the tree.
    Link,
}

/// State of a file as the store has it. `offline` and `lost` are derived from its holders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileState {
    /// A first upload runs; owned by its transfer.
    Uploading,
    /// A first upload broke off; kept for a resume.
    Partial,
    /// Everything else.
    Complete,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// Where it stands; a link at the end is meant itself.
    pub path: VfsPath,
    /// The entry for which somebody was judged: another one that has come there since is not meant. `None`: whatever
    /// stands there.
    pub node: Option<NodeId>,
}

impl Meant {
    /// The entry that was judged.
    #[must_use]
    pub fn judged(path: &VfsPath, entry: &Entry) -> Self {
        let (path, node) = (path.clone(), Some(entry.id));
        Self { path, node }
    }
}

impl From<&VfsPath> for Meant {
    fn from(path: &VfsPath) -> Self {
        let path = path.clone();
        Self { path, node: None }
    }
}

/// One entry of the file list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its identity.
    pub id: NodeId,
    /// The directory that holds it; the root's is the root.
    pub parent: DirId,
    /// Its name; `None` for the root.
    pub name: Option<Name>,
    /// What it is.
    pub kind: Kind,
    /// Owner's user name.
    pub owner: String,
    /// Owner's group name.
    pub group: String,
    /// Permission bits, for show (0o644, 0o755).
    pub mode: u16,
    /// Time of modification, Unix seconds UTC.
    pub modified: i64,
    /// When it was made, Unix seconds UTC; what was found on a disk was made when it was last changed there.
    pub created: i64,
    /// Bytes: of a file (live while it uploads), or of all complete files below a directory.
    pub size: u64,
    /// Files below a directory; 1 for a file.
    pub files: u64,
    /// Which contents of a file.
    pub generation: Generation,
    /// CRC-32 of a file where it is known.
    pub crc32: Option<u32>,
    /// BLAKE3 of a file where it is known.
    pub blake3: Option<Blake3Sum>,
    /// State of a file; `Complete` for all else.
    pub state: FileState,
    /// Where a link points, as it was given.
    pub target: Option<Vec<u8>>,
}

impl Entry {
    /// Identity of a file's bytes.
    pub fn file(&self) -> FileId {
        FileId {
            node: self.id,
            generation: self.generation,
        }
    }
}

/// Where a path leads.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The path without links, spelled as stored as far as it exists.
    pub path: VfsPath,
    /// What stands there.
    pub entry: Option<Entry>,
    /// The links that were followed, each at its own place.
    pub via: Vec<VfsPath>,
}

/// Times of an entry that somebody sets, Unix seconds UTC; `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Of modification.
    pub modified: Option<i64>,
    /// Of creation.
    pub created: Option<i64>,
}

/// A complete file with its copies, and everything that an order to make another one needs.
#[derive(Debug, Clone)]
pub struct Copied {
    /// The entry.
    pub entry: Entry,
    /// Its path.
    pub path: VfsPath,
    /// Where it is below every root.
    pub at: Place,
    /// Who has a good copy.
    pub holders: Vec<Holder>,
    /// Roots with a damaged one.
    pub damaged: Vec<RootId>,
}

/// A root with a good copy of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The root.
    pub root: RootId,
    /// The slave that showed it last.
    pub slave: SlaveId,
    /// Whether that one is evacuated: what it holds others are to hold.
    pub leaving: bool,
    /// The last position of its log (see [`Readable::holders`]).
    pub after: OpSeq,
}

/// What tells whether something is to be done for a complete file's copies.
#[derive(Debug, Clone)]
pub struct Held {
    /// The file.
    pub node: NodeId,
    /// The directory that it is in.
    pub directory: Arc<VfsPath>,
    /// When it was made or last changed, whichever is later, Unix seconds.
    pub since: i64,
    /// Who has a good copy.
    pub holders: Vec<Holder>,
}

/// A file whose copies are to be looked at. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyJob {
    /// The file.
    pub node: NodeId,
    /// How often somebody had a reason to ask.
    pub asked: i64,
    /// Since when.
    pub since: i64,
    /// When it is to be looked at.
    pub due: i64,
    /// Failures in a row.
    pub tries: u32,
    /// Why the last one failed.
    pub why: Option<String>,
}

impl PreparedBytes {
    /// What a transfer has prepared; nothing if it ended otherwise.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let Outcome::Prepared {
            bytes,
            size,
            crc32,
            blake3,
        } = *outcome
        else {
            return None;
        };
        Some(Self {
            size,
            crc32,
            blake3,
            received: bytes,
        })
    }

    /// Whether these are the same bytes, as far as their sums tell.
    pub fn is_of(&self, other: &Self) -> bool {
        let blake3 = self.blake3.zip(other.blake3);
        (self.size, self.crc32) == (other.size, other.crc32) && blake3.is_none_or(|(a, b)| a == b)
    }
}

#[cfg(test)]
impl Times {
    /// The time of modification alone.
    pub fn modified(at: i64) -> Self {
        Self {
            modified: Some(at),
            ..Self::default()
        }
    }
}

/// A directory's entries, in the order of their name's bytes, some at a time.
#[derive(Debug, Clone)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Hand this in to get those that follow; `None` at the end.
    pub next: Option<Name>,
}

/// A file that can be read, with everything an order to a slave needs.
#[derive(Debug, Clone)]
pub struct Readable {
    /// The entry.
    pub entry: Entry,
    /// Which bytes: the entry's, or those of the upload that runs.
    pub file: FileId,
    /// Where they are.
    pub at: Place,
    /// Roots that hold them, each with the last position of its log: an order must not be
    /// carried out before that.
    pub holders: Vec<(RootId, OpSeq)>,
}

/// How an upload treats what stands at its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadMode {
    /// STOR: a new file, or a new generation of one that is there.
    Store,
    /// STOR after REST: goes on at that byte, of a partial file or of a complete one.
    Resume {
        /// First byte that comes.
        offset: u64,
    },
    /// APPE: goes on at the end, or begins a new file.
    Append,
}

/// What an upload to some path would do; nothing is reserved yet.
#[derive(Debug, Clone)]
pub struct UploadPlan {
    /// What stands there now.
    pub existing: Option<Entry>,
    /// The only root that can take it (its bytes so far lie there); `None`: any.
    pub only_roots: Option<Vec<RootId>>,
    /// Bytes that are kept of what is there.
    pub offset: u64,
}

/// An upload that has begun: its intent is on the way to the store.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Identity of the new bytes.
    pub file: FileId,
    /// The root that takes them.
    pub root: RootId,
    /// Where they will be (a rename meanwhile is followed by the commit).
    pub at: Place,
    /// What the received bytes follow.
    pub base: Base,
    /// The position of the root's log that the upload must wait for; none when all of it is done.
    pub after: OpSeq,
    /// Whether BLAKE3 is to be summed.
    pub blake3: bool,
    /// How large the file may become, where a quota holds.
    pub room: Option<Room>,
}

impl Upload {
    /// Bytes that the file will have when so many are expected; 0 when that is not known.
    pub fn size_of(&self, expected: Option<u64>) -> u64 {
        let kept = match self.base {
            Base::Empty => 0,
            Base::Staged { keep } | Base::Copy { keep, .. } => keep,
        };
        expected.map_or(0, |expected| kept.saturating_add(expected))
    }
}

/// A file's bytes as a slave has prepared them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreparedBytes {
    /// Size of the file.
    pub size: u64,
    /// CRC-32 of the file.
    pub crc32: u32,
    /// BLAKE3 of the file, where it was asked for.
    pub blake3: Option<Blake3Sum>,
    /// Bytes that came over the connection, for statistics and credits.
    pub received: u64,
}
