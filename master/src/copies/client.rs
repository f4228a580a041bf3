//! The narrow door to the copier.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::Addr;
use drftpd_actors::tell;
use drftpd_protocol::{NodeId, RootId, SlaveId};
use tokio::sync::watch;

use super::actor::{Copier, LookAround};

/// Copies that are being made, by their file.
pub type UnderWay = Arc<BTreeMap<NodeId, Under>>;

/// A copy that is being made.
#[derive(Debug, Clone)]
pub struct Under {
    /// The slave that gives it.
    pub from: SlaveId,
    /// The slave that takes it.
    pub to: SlaveId,
    /// The root on it.
    pub root: RootId,
    /// Bytes that are there, as last told.
    pub bytes: watch::Receiver<u64>,
}

/// Handle to the copier; cheap to clone, one per holder.
#[derive(Clone)]
pub struct CopiesClient {
    pub(super) copier: Addr<Copier>,
    pub(super) under_way: watch::Receiver<UnderWay>,
}

impl CopiesClient {
    /// Looks through the whole file list for files with too few copies, soon and in the background.
    pub fn look_around(&self) {
        tell(&self.copier, LookAround);
    }

    /// Copies that are being made.
    pub fn under_way(&self) -> UnderWay {
        self.under_way.borrow().clone()
    }
}
