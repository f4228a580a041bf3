//! Guards that make cancelling a verb safe: whatever a verb holds on a slave or in the file list is given back when
//! its future is dropped, by ABOR, by a lost control connection or by a panic.
//!
//! Giving back takes questions, and a drop cannot wait; so the rest is done by a task that [`Cleanup`] counts. ABOR
//! waits (for a limited time) until the session's count is zero; a session that ends does not wait.

mod upload;

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use drftpd_protocol::wire::{
    AbortTransfer, BeginTransfer, Begun, DataOpened, DataPath, DataTls, Job, OpenData, Outcome,
    SetRate, SpaceSeen, TlsSeen, TransferEnded,
};
use drftpd_protocol::{OpSeq, VfsPath};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::debug;

use super::charge::{Charge, bytes_of};
pub use super::cleanup::Cleanup;
use super::data::share::lower;
use super::services::Services;
use crate::accounts::downloads::{Costs, HoldError};
use crate::slaves::SlaveError;
use crate::transfer::Slot;
pub use upload::UploadGuard;

/// A slot on a slave with all that hangs on it: the open channel, the transfer, the upload. Dropped before
/// [`TransferGuard::finish`], the transfer is aborted on the slave, its upload is settled and the slot is freed.
pub struct TransferGuard {
    held: Option<Held>,
}

struct Held {
    services: Rc<Services>,
    cleanup: Cleanup,
    slot: Slot,
    stage: Stage,
    upload: Option<UploadGuard>,
    charge: Option<Charge>,
    /// Bytes that it had moved when it was last heard of, and milliseconds that it took.
    moved: (u64, u64),
    /// What its data connection had.
    tls: Option<TlsSeen>,
    /// What an upload left free in the end.
    space: Option<SpaceSeen>,
    /// Nothing of an upload is kept that is not committed.
    keeps_nothing: bool,
}

enum Stage {
    /// A slot, nothing on the slave.
    Held,
    /// The slave has a channel, or is being asked for one.
    Open,
    /// The transfer runs.
    Begun {
        ended: oneshot::Receiver<TransferEnded>,
        progress: watch::Receiver<u64>,
    },
    /// It is over.
    Ended(Outcome),
    /// Its slave is gone, and did not say how it ended.
    Lost,
}

impl TransferGuard {
    /// Takes charge of a slot.
    pub fn new(services: &Rc<Services>, cleanup: &Cleanup, slot: Slot) -> Self {
        Self {
            held: Some(Held {
                services: Rc::clone(services),
                cleanup: cleanup.clone(),
                slot,
                stage: Stage::Held,
                upload: None,
                charge: None,
                moved: (0, 0),
                tls: None,
                space: None,
                keeps_nothing: false,
            }),
        }
    }

    /// The slot.
    pub fn slot(&self) -> Option<&Slot> {
        self.held.as_ref().map(|held| &held.slot)
    }

    /// What TLS the data connection had, once it has ended.
    pub fn tls(&self) -> Option<&TlsSeen> {
        self.held.as_ref()?.tls.as_ref()
    }

    /// Opens the channel on the slave; `connect` is how long the other end may take to appear.
    ///
    /// # Errors
    /// What the slave says; the channel is given up when the guard is dropped.
    pub async fn open(
        &mut self,
        path: DataPath,
        connect: Duration,
        limit: Duration,
    ) -> Result<DataOpened, SlaveError> {
        let Some(held) = &mut self.held else {
            return Err(SlaveError::Ask(drftpd_actors::AskError::Gone));
        };
        held.stage = Stage::Open;
        let open = OpenData {
            transfer: held.slot.transfer,
            path,
            connect_timeout_ms: millis(connect),
        };
        held.services
            .slaves
            .call(&held.slot.slave, open, limit)
            .await
    }

    /// Holds what a download of so many bytes costs, until it is over.
    ///
    /// # Errors
    /// [`HoldError`].
    pub async fn charge(
        &mut self,
        costs: &Costs,
        (path, bytes): (&VfsPath, u64),
    ) -> Result<(), HoldError> {
        if let Some(held) = &mut self.held {
            let slot = (held.slot.transfer, held.slot.slave.clone());
            let accounts = held.services.accounts.clone();
            let (costs, path) = (costs.clone(), path.clone());
            // Cut in the middle, nobody would give back what is held.
            let begin = async move { Charge::begin(&accounts, slot, &costs, (&path, bytes)).await };
            held.charge = held.cleanup.uncut(begin).await.transpose()?;
        }
        Ok(())
    }

    /// Of an upload that is not committed nothing will be kept.
    pub fn keep_nothing(&mut self) {
        if let Some(held) = &mut self.held {
            held.keeps_nothing = true;
        }
    }

    /// Milliseconds that the transfer took, once it has ended.
    pub fn took_ms(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.moved.1)
    }

    /// Begins the transfer of the open channel; an upload comes with its guard.
    ///
    /// # Errors
    /// What the slave says; drop the guard then.
    pub async fn begin(
        &mut self,
        what: (Job, Option<DataTls>),
        after: OpSeq,
        (stall, max_rate): (Duration, Option<u64>),
        upload: Option<UploadGuard>,
    ) -> Result<Begun, SlaveError> {
        let gone = || SlaveError::Ask(drftpd_actors::AskError::Gone);
        let mut held = self.held.take().ok_or_else(gone)?;
        held.upload = upload;
        let cleanup = held.cleanup.clone();
        // Cut in the middle, nobody would hear the end: so it is not cut, and undone afterwards.
        let begin = async move {
            let order = BeginTransfer {
                transfer: held.slot.transfer,
                job: what.0,
                after,
                stall_timeout_ms: millis(stall),
                max_rate,
                tls: what.1,
            };
            let begun = held.services.slaves.begin(&held.slot.slave, order).await;
            if let (Err(SlaveError::Fault(fault)), Some(upload)) = (&begun, &mut held.upload) {
                upload.refused(fault);
            }
            let begun = begun.map(|running| {
                held.stage = Stage::Begun {
                    ended: running.ended,
                    progress: running.progress,
                };
                running.begun
            });
            (TransferGuard { held: Some(held) }, begun)
        };
        let (guard, begun) = cleanup.uncut(begin).await.ok_or_else(gone)?;
        *self = guard;
        if let (Ok(begun), Some(held)) = (&begun, &self.held) {
            let transfers = &held.services.transfers;
            transfers.begun(held.slot.transfer, begun.space.clone());
        }
        begun
    }

    /// Bytes that are there or were sent, as the slave last told; `None` before it has begun.
    pub fn progress(&self) -> Option<watch::Receiver<u64>> {
        match &self.held.as_ref()?.stage {
            Stage::Begun { progress, .. } => Some(progress.clone()),
            _ => None,
        }
    }

    /// Tells the slave each other speed that the transfer may have, `most` at most, one after the other; never ends.
    pub fn follows(
        &self,
        mut rate: watch::Receiver<Option<u64>>,
        most: Option<u64>,
    ) -> impl Future<Output = ()> + use<> {
        let held = self.held.as_ref();
        let to = held.map(|held| (Rc::clone(&held.services), held.slot.clone()));
        async move {
            while let Some((services, slot)) = &to
                && rate.changed().await.is_ok()
            {
                let max_rate = lower(*rate.borrow_and_update(), most);
                let (transfer, limit) = (slot.transfer, services.config.abort_timeout);
                let set = SetRate { transfer, max_rate };
                if let Err(why) = services.slaves.call(&slot.slave, set, limit).await {
                    debug!(slave = %slot.slave, %transfer, %why, "transfer keeps its speed");
                }
            }
            std::future::pending().await
        }
    }

    /// Waits for the end of the transfer that has begun. May be dropped and called again.
    ///
    /// # Errors
    /// [`SlaveError::Offline`] when the slave is lost for good.
    pub async fn ended(&mut self) -> Result<Outcome, SlaveError> {
        let Some(held) = &mut self.held else {
            return Err(SlaveError::Ask(drftpd_actors::AskError::Gone));
        };
        match &mut held.stage {
            Stage::Begun { ended, progress } => match ended.await {
                Ok(end) => {
                    held.moved = (bytes_of(&end.outcome), end.took_ms);
                    held.tls = end.tls;
                    held.space = end.space;
                    held.stage = Stage::Ended(end.outcome.clone());
                    Ok(end.outcome)
                }
                Err(_lost) => {
                    held.moved.0 = *progress.borrow();
                    held.stage = Stage::Lost;
                    Err(SlaveError::Offline(held.slot.slave.clone()))
                }
            },
            Stage::Ended(outcome) => Ok(outcome.clone()),
            Stage::Lost => Err(SlaveError::Offline(held.slot.slave.clone())),
            Stage::Held | Stage::Open => Err(SlaveError::Ask(drftpd_actors::AskError::Gone)),
        }
    }

    /// The end was dealt with (a download that went out, an upload that was committed): the slave may forget it.
    pub fn finish(mut self) {
        if let Some(mut held) = self.held.take() {
            if let Some(upload) = held.upload.take() {
                upload.disarm();
            }
            held.services
                .transfers
                .free(held.slot.transfer, held.space.take());
            let charge = held.charge.take();
            let is_held = charge.as_ref().is_some_and(Charge::is_held);
            let settled = charge.map(|charge| charge.complete(held.moved.0, held.moved.1));
            match settled.filter(|_| is_held) {
                Some(settled) => {
                    let cleanup = held.cleanup.clone();
                    drop(cleanup.uncut(async move {
                        if settled.await {
                            held.seen();
                        }
                    }));
                }
                None => held.seen(),
            }
        }
    }

    /// What the drop does, to be waited for: abort if it runs, settle the upload, free the slot.
    pub async fn undo(mut self) {
        if let Some(held) = self.held.take() {
            let cleanup = held.cleanup.clone();
            cleanup.uncut(held.undo()).await;
        }
    }
}

impl Held {
    /// The slave may forget how it ended.
    fn seen(&self) {
        let slot = &self.slot;
        self.services.slaves.seen(&slot.slave, slot.transfer);
    }

    async fn undo(mut self) {
        let (slave, transfer) = (self.slot.slave.clone(), self.slot.transfer);
        let limit = self.services.config.abort_timeout;
        if matches!(self.stage, Stage::Open | Stage::Begun { .. }) {
            let abort = AbortTransfer { transfer };
            if let Err(why) = self.services.slaves.call(&slave, abort, limit).await {
                debug!(%slave, %transfer, %why, "abort not confirmed");
            }
        }
        let outcome = match self.stage {
            Stage::Begun { ended, progress } => match timeout(limit, ended).await {
                Ok(Ok(end)) => {
                    self.moved = (bytes_of(&end.outcome), end.took_ms);
                    self.space = end.space;
                    Some(end.outcome)
                }
                _ => {
                    self.moved.0 = *progress.borrow();
                    self.services.slaves.give_up(&slave, transfer);
                    lose(self.upload.take()).await;
                    None
                }
            },
            Stage::Ended(outcome) => Some(outcome),
            Stage::Lost => {
                lose(self.upload.take()).await;
                None
            }
            Stage::Held | Stage::Open => None,
        };
        let settled = match self.charge.take() {
            Some(charge) => charge.broken(self.moved.0, self.moved.1).await,
            None => true,
        };
        if let Some(outcome) = outcome {
            if let Some(upload) = self.upload.take() {
                let kept = kept(&outcome).map(|kept| if self.keeps_nothing { 0 } else { kept });
                upload.settle(kept).await;
            }
            if settled {
                self.services.slaves.seen(&slave, transfer);
            }
        }
        self.services.transfers.free(transfer, self.space);
    }
}

/// The end may still come, if the slave is only slow or its link is down: the registry settles it then.
async fn lose(upload: Option<UploadGuard>) {
    if let Some(upload) = upload {
        upload.lose().await;
    }
}

impl Drop for TransferGuard {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            let cleanup = held.cleanup.clone();
            drop(cleanup.uncut(held.undo()));
        }
    }
}

impl fmt::Debug for TransferGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransferGuard({:?})", self.slot())
    }
}

/// Bytes of an upload that lie in staging.
fn kept(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::Prepared { size, .. } => Some(*size),
        Outcome::Broken { kept, .. } => *kept,
        Outcome::Sent { .. } => None,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
