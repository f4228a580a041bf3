//! The narrow door to the coordinator.

use drftpd_protocol::{SlaveId, TransferId};

use super::error::TransferError;
use super::types::{Slot, Want};

/// Handle to the coordinator; cheap to clone, one per holder.
#[derive(Clone)]
pub struct TransfersClient {}

/// One line of a dry run: what the filters say of a slave's root.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The slave.
    pub slave: SlaveId,
    /// The root's folder.
    pub root: String,
    /// Its score, or why it is out.
    pub verdict: Result<i64, String>,
    /// Each filter with what it said.
    pub steps: Vec<(String, String)>,
}

#[allow(clippy::todo, clippy::unused_async)]
impl TransfersClient {
    /// Chooses a slave and holds a slot on it; answered at once, from what the slaves last told.
    pub async fn hold(&self, want: Want) -> Result<Slot, TransferError> {
        todo!("{want:?}")
    }

    /// The slot's transfer has begun: the slot does not run out any more.
    pub fn begun(&self, transfer: TransferId) {
        todo!("{transfer}")
    }

    /// The slot is free again.
    pub fn free(&self, transfer: TransferId) {
        todo!("{transfer}")
    }

    /// What the filters would say; holds nothing.
    pub async fn dry_run(&self, want: Want) -> Result<Vec<Judged>, TransferError> {
        todo!("{want:?}")
    }
}
