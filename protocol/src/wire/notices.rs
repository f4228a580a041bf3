//! Notices: what is told unasked. Those of a slave about space, transfers and what lies on its
//! disks; those of the master about what it has taken.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::calls::WalkPart;
use super::digests::WalkDigests;
use super::kinds;
use super::ops::DirStep;
use super::space::{Look, SpaceSeen};
use super::sums::Blake3Sum;
use super::tls::TlsSeen;
use super::transfer::Outcome;
use crate::ids::{DirId, FileId, RootId, TransferId};
use crate::path::Name;

/// A notice of a slave.
pub trait Notice: Serialize + DeserializeOwned {
    /// Its number.
    const KIND: u16;
}

/// A notice of the master.
pub trait MasterNotice: Serialize + DeserializeOwned {
    /// Its number.
    const KIND: u16;
}

macro_rules! notice {
    ($which:ident: $($name:ty = $kind:expr;)*) => {$(
        impl $which for $name {
            const KIND: u16 = $kind;
        }
    )*};
}

notice! { Notice:
    Alive = kinds::ALIVE;
    TransferProgress = kinds::TRANSFER_PROGRESS;
    TransferEnded = kinds::TRANSFER_ENDED;
    WalkPage = kinds::WALK_PAGE;
    WalkStaged = kinds::WALK_STAGED;
    WalkDone = kinds::WALK_DONE;
    WalkDigests = kinds::WALK_DIGESTS;
    RootChanged = kinds::ROOT_CHANGED;
}

notice! { MasterNotice:
    EndedSeen = kinds::ENDED_SEEN;
    WalkCredit = kinds::WALK_CREDIT;
}

/// A long call is alive: belongs to the call with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 when unknown.
    pub total: u64,
}

/// Heartbeat of a slave: sent at least as often as the welcome asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// Every root it is configured with.
    pub roots: Vec<RootStatus>,
    /// Data channels and transfers that it has.
    pub transfers: u32,
    /// Bytes per second that come in, over the last heartbeat.
    pub receiving: u64,
    /// Bytes per second that go out.
    pub sending: u64,
}

/// One root of a slave as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootStatus {
    /// Its identity.
    pub root: RootId,
    /// Its folder, for people.
    pub path: String,
    /// Whether it can be used.
    pub state: RootState,
    /// Bytes in all.
    pub total: u64,
    /// Bytes free for us, reservations taken off.
    pub free: u64,
    /// The filesystem: roots of one slave with the same number share their space.
    pub filesystem: u64,
    /// When it was looked at.
    #[serde(default)]
    pub look: Look,
}

/// Whether a root can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootState {
    /// Readable and writable.
    Present,
    /// Readable; a write failed.
    ReadOnly,
    /// Its identity file is not there: not mounted. Absent is not empty.
    Absent,
}

/// How far running transfers are; those that moved since the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferProgress {
    /// Channel and bytes of the file that are there (uploads) or were sent (downloads).
    pub moved: Vec<(TransferId, u64)>,
}

/// A transfer is over. Told again on every new link until the master says [`EndedSeen`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferEnded {
    /// The channel.
    pub transfer: TransferId,
    /// The root and file of an upload, so that a master that restarted knows it.
    pub upload: Option<(RootId, FileId)>,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took from its first byte, in milliseconds.
    pub took_ms: u64,
    /// What the handshake agreed on; `None` where there was none, or it failed.
    #[serde(default)]
    pub tls: Option<TlsSeen>,
    /// What an upload left free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceSeen>,
}

/// Some entries of one directory of a root; at most [`WalkPage::MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkPage {
    /// The root.
    pub root: RootId,
    /// The walk.
    pub walk: u64,
    /// Which directory: from the top down, with the identities that were found (0 for none).
    pub dir: Vec<DirStep>,
    /// What lies there.
    pub entries: Vec<WalkEntry>,
    /// Names that alone were looked at: what of them is not among the entries is not there, and a directory of the way
    /// without identity may not be there either. Empty where a directory is told as it was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looked: Vec<Name>,
}

impl WalkPage {
    /// Entries of one page at most.
    pub const MAX: usize = 512;
}

/// One entry that a walk found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkEntry {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub node: WalkNode,
    /// Time of modification on the disk, Unix seconds.
    pub modified: i64,
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WalkNode {
    /// A directory, with the identity it carries.
    Dir {
        /// Its identity.
        id: Option<DirId>,
    },
    /// A plain file, with the identity it carries.
    File {
        /// Size on the disk.
        size: u64,
        /// Its identity.
        file: Option<FileId>,
        /// CRC-32 that its attribute has.
        crc32: Option<u32>,
        /// BLAKE3 that its attribute has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blake3: Option<Blake3Sum>,
        /// On a shared root: whether it was written to since it got its identity.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        edited: bool,
        /// On a shared root: whether somebody may still be writing it. It is looked at again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        busy: bool,
    },
}

/// Other programs changed something on a shared root. Told only after a walk of all of it on the same link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootChanged {
    /// The root.
    pub root: RootId,
    /// What is to be walked; empty for all of it.
    pub parts: Vec<WalkPart>,
}

impl RootChanged {
    /// Parts at most; where more changed all of it is to be walked.
    pub const MAX: usize = 1024;
}

/// Files in a root's staging folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkStaged {
    /// The root.
    pub root: RootId,
    /// The walk.
    pub walk: u64,
    /// What lies there; those of running transfers are left out.
    pub files: Vec<StagedEntry>,
}

/// One file in staging.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedEntry {
    /// Its identity.
    pub file: FileId,
    /// Its size.
    pub size: u64,
    /// CRC-32 of a prepared one; `None`: the upload broke off.
    pub prepared: Option<u32>,
}

/// A root was walked to its end, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkDone {
    /// The root.
    pub root: RootId,
    /// The walk.
    pub walk: u64,
    /// Directories seen.
    pub dirs: u64,
    /// Files seen.
    pub files: u64,
    /// What could not be read or named, some of it, for the log.
    pub problems: Vec<String>,
    /// Whether all was seen.
    pub complete: bool,
    /// Files that were being received when the walk began: their end is told by itself, and what
    /// lies in staging of them was left out.
    #[serde(default)]
    pub running: Vec<FileId>,
}

/// The master has stored what the transfer's end says; the slave may forget it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSeen {
    /// The channel.
    pub transfer: TransferId,
}

/// More pages of a walk may come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkCredit {
    /// The root.
    pub root: RootId,
    /// The walk.
    pub walk: u64,
    /// That many more.
    pub pages: u32,
    /// Digests of directories up to this number are judged; 0 for none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub judged: u64,
    /// Those of them whose entries are to be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<u64>,
}

impl WalkCredit {
    /// Credit alone.
    pub fn of_pages(root: RootId, walk: u64, pages: u32) -> Self {
        Self {
            root,
            walk,
            pages,
            judged: 0,
            list: Vec::new(),
        }
    }
}

fn is_none(number: &u64) -> bool {
    *number == 0
}
