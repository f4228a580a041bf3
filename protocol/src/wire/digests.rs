//! Digests of directories: what a walk tells instead of entries where both ends may well agree.

use serde::{Deserialize, Serialize};

use crate::ids::{DirId, OpSeq, RootId};
use crate::path::Name;

/// Directories that a walk has read whole, each with the digest of what lies in it; at most [`WalkDigests::MAX`].
///
/// Only where all that lies in a directory carries an identity; of any other its entries are told. They cost credit like
/// a page, and the credit that comes back says which of them are to be told in detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkDigests {
    /// The root.
    pub root: RootId,
    /// The walk.
    pub walk: u64,
    /// The directories.
    pub dirs: Vec<DirDigest>,
}

impl WalkDigests {
    /// Directories of one notice at most.
    pub const MAX: usize = 128;
}

/// One directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirDigest {
    /// Its number in this walk; they ascend.
    pub number: u64,
    /// Its identity; the root directory's for the top.
    pub dir: DirId,
    /// Identity of the directory that it lies in.
    pub above: DirId,
    /// Its name there; `None` for the top.
    pub name: Option<Name>,
    /// Sum of the digests of the files in it, little-endian; see [`crate::digest::digest`].
    #[serde(with = "serde_bytes")]
    pub sum: [u8; 16],
    /// What the disk had followed of the root's log on this link when it was begun to be read.
    pub applied: OpSeq,
}
