//! What every operation may use, and how a long one says that it is alive.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::Addr;
use drftpd_actors::Blocking;
use drftpd_protocol::RootId;
use drftpd_protocol::wire::{Envelope, Fault, FaultCode, Progress, kinds};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::applied::Applied;
use super::files::RootWorker;
use super::reread::Rereads;
use super::walk::RootScanner;
use crate::storage::Roots;
use crate::transfer::Transfers;

/// Handles that all operations share; they outlive the link.
pub struct OpDeps {
    /// The disks.
    pub roots: Roots,
    /// Data channels and what moves over them.
    pub transfers: Transfers,
    /// How far each root's log is done.
    pub applied: Applied,
    /// Where disk work runs.
    pub blocking: Blocking,
    /// Files that are being read again.
    pub rereads: Rereads,
    /// The actors of each root that was ever seen. A disk may be mounted later than the start.
    pub actors: watch::Receiver<BTreeMap<RootId, RootActors>>,
}

/// The actors of one root.
#[derive(Clone)]
pub struct RootActors {
    /// Carries out its operations.
    pub worker: Addr<RootWorker>,
    /// Walks it.
    pub scanner: Addr<RootScanner>,
}

/// Everything an operation may use: the slave's shared handles and its own call. Cheap to clone.
#[derive(Clone)]
pub struct OpCx {
    /// Shared handles.
    pub deps: Arc<OpDeps>,
    /// Number of the link that the call came over; another link has another.
    pub link: u64,
    /// Where frames for the master go, and whoever keeps it must let it go when [`Self::ends`] says so.
    pub out: mpsc::Sender<Envelope>,
    /// Cancelled when the link is lost.
    pub ends: CancellationToken,
    /// Tells the master that this call is alive.
    pub progress: ProgressTeller,
}

impl OpCx {
    /// The actors of a root.
    ///
    /// # Errors
    /// `NO_SUCH_ROOT`.
    pub fn root(&self, root: RootId) -> Result<RootActors, Fault> {
        let actors = self.deps.actors.borrow().get(&root).cloned();
        actors.ok_or_else(|| {
            let text = format!("this slave has no root {root}");
            Fault::new(FaultCode::NO_SUCH_ROOT, text)
        })
    }
}

impl std::ops::Deref for OpCx {
    type Target = OpDeps;

    fn deref(&self) -> &OpDeps {
        &self.deps
    }
}

/// Tells how far one call is. Nothing waits for it: what does not fit is left out.
#[derive(Clone, Debug)]
pub struct ProgressTeller {
    call: u32,
    out: mpsc::Sender<Envelope>,
}

impl ProgressTeller {
    /// For the call with this number, into the link's queue.
    pub fn new(call: u32, out: mpsc::Sender<Envelope>) -> Self {
        ProgressTeller { call, out }
    }

    /// Tells it: units done, of how many (0 when unknown). Call it about once a second.
    pub fn tell(&self, done: u64, total: u64) {
        let frame = Envelope::new(self.call, kinds::PROGRESS, &Progress { done, total });
        if let Ok(frame) = frame
            && self.out.try_send(frame).is_err()
        {
            tracing::trace!(call = self.call, "progress left out, the link is busy");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_carries_the_number_of_its_call_and_is_left_out_when_the_link_is_busy() {
        let (out, mut told) = mpsc::channel(1);
        let progress = ProgressTeller::new(7, out);
        progress.tell(1, 10);
        progress.tell(2, 10);
        let frame = told.try_recv().expect("one frame");
        assert_eq!((frame.call, frame.kind), (7, kinds::PROGRESS));
        let progress: Progress = frame.open().expect("decodes");
        assert_eq!(progress, Progress { done: 1, total: 10 });
        assert!(told.try_recv().is_err(), "the second did not fit");
    }
}
