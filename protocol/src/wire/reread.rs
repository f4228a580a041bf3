//! Reading stored files again, to see whether they are still what they were.

use serde::{Deserialize, Serialize};

use super::ops::Place;
use super::sums::Blake3Sum;
use crate::ids::{FileId, OpSeq, RootId};

/// Reads a whole file at its leisure and answers what it adds up to. Long: tells progress. A slave reads one file of a
/// root at a time: a newer one ends an older one, which is then answered as aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reread {
    /// The root.
    pub root: RootId,
    /// The file's identity.
    pub file: FileId,
    /// Where it is.
    pub at: Place,
    /// Not before the root's log is applied up to here.
    pub after: OpSeq,
    /// Bytes per second at most; 0 without a limit.
    pub max_rate: u64,
    /// Bytes per second at most while transfers of the root run; 0 waits until there are none.
    pub busy_rate: u64,
    /// Whether BLAKE3 is asked for too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blake3: bool,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RereadDone {
    /// How many bytes.
    pub size: u64,
    /// Their CRC-32.
    pub crc32: u32,
    /// Their BLAKE3, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<Blake3Sum>,
}

/// Ends the reading of a file of a root again; none that runs is no fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReread {
    /// The root.
    pub root: RootId,
}
