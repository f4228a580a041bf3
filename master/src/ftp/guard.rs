//! Guards that make cancelling a verb safe: whatever a verb holds on a slave or in the file list is given back when
//! its future is dropped, by ABOR, by a lost control connection or by a panic.
//!
//! Giving back takes questions, and a drop cannot wait; so the rest is done by a task that [`Cleanup`] counts. ABOR
//! waits (for a limited time) until the session's count is zero; a session that ends does not wait.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use drftpd_protocol::wire::{
    AbortTransfer, Base, BeginTransfer, Begun, DataOpened, DataPath, DataTls, Fault, FaultCode,
    Job, OpenData, Outcome, SpaceSeen, TlsSeen, TransferEnded,
};
use drftpd_protocol::{FileId, OpSeq, RootId, VfsPath};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::debug;

pub use super::cleanup::Cleanup;
use super::services::Services;
use crate::slaves::SlaveError;
use crate::transfer::Slot;
use crate::vfs::{Owner, Upload, UploadMode, VfsError};

/// An upload that the file list knows of: settled there when dropped, unless its transfer took over.
pub struct UploadGuard {
    services: Rc<Services>,
    cleanup: Cleanup,
    file: FileId,
    root: RootId,
    /// Bytes in staging from before, which stay if nothing is received.
    kept: Option<u64>,
    armed: bool,
}

impl UploadGuard {
    /// Begins an upload in the file list, in a way that cannot be cut in the middle.
    ///
    /// # Errors
    /// What the file list says.
    pub async fn begin(
        services: &Rc<Services>,
        cleanup: &Cleanup,
        path: VfsPath,
        mode: UploadMode,
        owner: Owner,
        root: RootId,
    ) -> Result<(Upload, Self), VfsError> {
        let (services, undo) = (Rc::clone(services), cleanup.clone());
        let begin = async move {
            let upload = services.vfs.begin_upload(&path, mode, owner, root).await?;
            let kept = match upload.base {
                Base::Staged { keep } => Some(keep),
                Base::Empty | Base::Copy { .. } => None,
            };
            let guard = Self {
                file: upload.file,
                services,
                cleanup: undo,
                root,
                kept,
                armed: true,
            };
            Ok((upload, guard))
        };
        cleanup
            .uncut(begin)
            .await
            .unwrap_or(Err(VfsError::NoUpload))
    }

    /// Which bytes these are.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// The root that takes them.
    pub fn root(&self) -> RootId {
        self.root
    }

    /// The slave does not go on with it: it may have less of it in staging than was thought, or nothing.
    fn refused(&mut self, why: &Fault) {
        let known = self.kept.filter(|_| why.code != FaultCode::NO_SUCH_FILE);
        self.kept = known.map(|kept| why.there.unwrap_or(kept));
    }

    /// Tells the file list that nobody knows how the upload ended: its slave is gone.
    async fn lose(mut self) {
        self.armed = false;
        let lost = self.services.vfs.lose_upload(self.file, self.root);
        if let Err(why) = lost.await {
            debug!(file = %self.file, %why, "lost upload not noted, the next start will");
        }
    }

    /// The file list knows the end.
    fn disarm(mut self) {
        self.armed = false;
    }

    /// Tells the file list that the upload ended without a commit.
    async fn settle(mut self, kept: Option<u64>) {
        self.armed = false;
        let settled = self.services.vfs.break_upload(self.file, self.root, kept);
        if let Err(why) = settled.await {
            debug!(file = %self.file, %why, "broken upload not settled, the next walk of its root will");
        }
    }
}

impl Drop for UploadGuard {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (services, file, root, kept) =
            (Rc::clone(&self.services), self.file, self.root, self.kept);
        drop(self.cleanup.uncut(async move {
            if let Err(why) = services.vfs.break_upload(file, root, kept).await {
                debug!(%file, %why, "unused upload not settled");
            }
        }));
    }
}

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
    /// What its data connection had.
    tls: Option<TlsSeen>,
    /// What an upload left free in the end.
    space: Option<SpaceSeen>,
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
                tls: None,
                space: None,
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

    /// Waits for the end of the transfer that has begun. May be dropped and called again.
    ///
    /// # Errors
    /// [`SlaveError::Offline`] when the slave is lost for good.
    pub async fn ended(&mut self) -> Result<Outcome, SlaveError> {
        let Some(held) = &mut self.held else {
            return Err(SlaveError::Ask(drftpd_actors::AskError::Gone));
        };
        match &mut held.stage {
            Stage::Begun { ended, .. } => match ended.await {
                Ok(end) => {
                    held.tls = end.tls;
                    held.space = end.space;
                    held.stage = Stage::Ended(end.outcome.clone());
                    Ok(end.outcome)
                }
                Err(_lost) => {
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
                .slaves
                .seen(&held.slot.slave, held.slot.transfer);
            held.services.transfers.free(held.slot.transfer, held.space);
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
            Stage::Begun { ended, .. } => match timeout(limit, ended).await {
                Ok(Ok(end)) => {
                    self.space = end.space;
                    Some(end.outcome)
                }
                _ => {
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
        if let Some(outcome) = outcome {
            if let Some(upload) = self.upload.take() {
                upload.settle(kept(&outcome)).await;
            }
            self.services.slaves.seen(&slave, transfer);
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
