//! What copy is to be made, and why one was not.

use drftpd_protocol::wire::{Base, Job, ReceiveJob, SendJob};
use drftpd_protocol::{FileId, OpSeq, RootId, SlaveId};

use crate::slaves::SlaveError;
use crate::transfer::{Slot, TransferError};
use crate::vfs::{Copied, VfsError};

/// A copy to be made.
#[derive(Debug, Clone)]
pub struct Order {
    pub copied: Copied,
    /// Holders that can be read.
    pub from: Vec<RootId>,
    /// Roots that may take it.
    pub to: Vec<RootId>,
    /// Bytes of it that one of them has already.
    pub kept: Option<Kept>,
}

/// What a copy that broke off has left in staging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub file: FileId,
    pub root: RootId,
    pub bytes: u64,
}

/// Why a copy was not made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Slots(#[from] TransferError),
    #[error(transparent)]
    Files(#[from] VfsError),
    #[error("slave {0}: {1}")]
    Slave(SlaveId, #[source] SlaveError),
    #[error("the slaves did not find each other")]
    NotReached,
    #[error("it broke off after {bytes} bytes: {why}")]
    Broken {
        bytes: u64,
        why: String,
        kept: Option<Kept>,
    },
    #[error("the disk that takes it is behind with earlier operations on it")]
    Behind,
    #[error("no byte moves, and others may take it")]
    Stuck,
    #[error("the bytes that came are not those of the file list")]
    OtherBytes,
}

impl CopyError {
    /// What is left of it in staging.
    pub fn kept(&self) -> Option<Kept> {
        match self {
            Self::Broken { kept, .. } => *kept,
            _ => None,
        }
    }
}

impl Order {
    /// What the giver does, and after which operation.
    pub fn give(&self, slot: &Slot, taker: &Slot) -> (Job, OpSeq) {
        let holder = self
            .copied
            .holders
            .iter()
            .find(|holder| holder.root == slot.root);
        let after = holder.map_or(OpSeq::NONE, |holder| holder.after);
        let job = SendJob {
            root: slot.root,
            file: self.copied.entry.file(),
            at: self.copied.at.clone(),
            offset: self.kept_on(taker).map_or(0, |kept| kept.bytes),
            length: None,
        };
        (Job::Send(job), after)
    }

    /// What the taker does; it sums BLAKE3 where files have it, or this one does.
    pub fn take(&self, slot: &Slot, blake3: bool) -> Job {
        let base = match self.kept_on(slot) {
            Some(kept) => Base::Staged { keep: kept.bytes },
            None => Base::Empty,
        };
        Job::Receive(ReceiveJob {
            root: slot.root,
            file: self.copied.entry.file(),
            base,
            expected: self.copied.entry.size,
            blake3: blake3 || self.copied.entry.blake3.is_some(),
            most: None,
        })
    }

    fn kept_on(&self, slot: &Slot) -> Option<Kept> {
        let file = self.copied.entry.file();
        self.kept
            .filter(|kept| kept.root == slot.root && kept.file == file && kept.bytes > 0)
    }
}
