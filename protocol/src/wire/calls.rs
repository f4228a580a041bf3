//! Calls: what the master asks of a slave, each with its answer.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ops::{Place, RootOp};
use super::revision::Revision;
use super::{kinds, reread, tls, transfer};
use crate::ids::{FileId, OpSeq, RootId};
use crate::path::Name;

/// A question of the master with the type of its answer.
pub trait Call: Serialize + DeserializeOwned {
    /// Its number.
    const KIND: u16;
    /// The revision that brought it.
    const SINCE: Revision;
    /// What is answered when it does not fail.
    type Answer: Serialize + DeserializeOwned;
}

macro_rules! call {
    ($($name:ty = $kind:expr => $answer:ty;)*) => {
    $(
        impl Call for $name {
            const KIND: u16 = $kind;
            const SINCE: Revision = Revision::R1;
            type Answer = $answer;
        }
    )*
        /// The kinds of all calls, for the test that a slave answers every one of them.
        pub const CALL_KINDS: &[u16] = &[$($kind),*];
    };
}

call! {
    Ping = kinds::PING => Pong;
    transfer::OpenData = kinds::OPEN_DATA => transfer::DataOpened;
    transfer::BeginTransfer = kinds::BEGIN_TRANSFER => transfer::Begun;
    transfer::AbortTransfer = kinds::ABORT_TRANSFER => ();
    transfer::SetRate = kinds::SET_RATE => ();
    Checksum = kinds::CHECKSUM => ChecksumDone;
    ApplyOps = kinds::APPLY_OPS => OpsApplied;
    WalkRoot = kinds::WALK_ROOT => WalkStarted;
    Goodbye = kinds::GOODBYE => ();
    tls::FtpCertificate = kinds::FTP_CERTIFICATE => ();
    reread::Reread = kinds::REREAD => reread::RereadDone;
    reread::StopReread = kinds::STOP_REREAD => ();
}

/// Is the slave's link alive? Answered at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {}

/// Yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {}

/// A checksum's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// CRC-32 of IEEE 802.3, as XCRC and sfv files have it.
    Crc32,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// BLAKE3.
    Blake3,
}

/// Reads a file, or a part of it, and answers its checksum. Long: tells progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// The root.
    pub root: RootId,
    /// The file's identity; `None` for one that was found without.
    pub file: Option<FileId>,
    /// Where it is.
    pub at: Place,
    /// The method.
    pub algorithm: Algorithm,
    /// First byte.
    pub offset: u64,
    /// Number of bytes; `None` up to the end.
    pub length: Option<u64>,
    /// Not before the root's log is applied up to here.
    pub after: OpSeq,
}

/// The checksum, raw bytes in the usual order (CRC-32 big-endian).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksumDone {
    /// The checksum.
    #[serde(with = "serde_bytes")]
    pub sum: Vec<u8>,
    /// How many bytes it is of.
    pub bytes: u64,
}

/// Carries out operations of a root's log, in order. Those at or below what was already done on
/// this link are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyOps {
    /// The root.
    pub root: RootId,
    /// Each with its position, ascending.
    pub ops: Vec<(OpSeq, RootOp)>,
}

/// They are done, and durable as the slave's `fsync` setting says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpsApplied {
    /// Everything up to here needs not be sent again.
    pub through: OpSeq,
    /// Operations that found something else on the disk, for the log.
    pub remarks: Vec<(OpSeq, String)>,
}

/// Walks a root and reports what lies there, as notices, on credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkRoot {
    /// The root.
    pub root: RootId,
    /// Number of this walk, repeated in its notices; a new walk of a root ends an older one.
    pub walk: u64,
    /// How many pages may be sent before more credit comes.
    pub credit: u32,
    /// Whether digests are told of directories in which everything carries an identity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub digests: bool,
    /// What of it is walked, and nothing of its staging folder; empty for all there is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<WalkPart>,
}

/// A part of a root that is walked alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WalkPart {
    /// The way to a directory from the top of the root down, as it is on the disk.
    pub way: Vec<Name>,
    /// Entries of it that are looked at, with nothing that lies below them; empty for the directory with all below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Name>,
}

/// The walk has begun.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkStarted {
    /// Whether other programs may change what lies there, and are believed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

/// The master goes away on purpose: keep your transfers, come back with back-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    /// For the log.
    pub why: String,
}
