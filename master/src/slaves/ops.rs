//! Sends a root's log of operations to the slave that shows it: in order, one batch at a time,
//! again and again until it is done. Nothing of the log is passed over.

use std::time::Duration;

use drftpd_actors::{Backoff, failpoint};
use drftpd_protocol::OpSeq;
use drftpd_protocol::wire::{ApplyOps, FrameError, MAX_FRAME, RootOp, encode};
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use super::error::SlaveError;
use super::roots::RootCx;
use crate::vfs::VfsError;

/// Operations of one batch at most.
const BATCH: usize = 256;
/// Bytes of a batch: a frame, less what goes around it.
const ROOM: usize = MAX_FRAME - 1024;
/// Remarks of one batch that are logged.
const SAID: usize = 16;
/// The log is looked at this often also when nothing is heard of its growth.
const LOOK_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
enum OpsError {
    #[error(transparent)]
    Files(#[from] VfsError),
    #[error(transparent)]
    Slave(#[from] SlaveError),
    #[error("an operation does not fit a frame")]
    Frame(#[from] FrameError),
    #[error("the slave did not get beyond it")]
    Stuck,
}

/// Keeps one root's disk in step with its log.
pub(super) struct OpsDriver<'a> {
    cx: &'a RootCx,
    done: OpSeq,
    backoff: Backoff,
}

impl<'a> OpsDriver<'a> {
    /// Begins behind `done`.
    pub fn new(cx: &'a RootCx, done: OpSeq) -> Self {
        let backoff = cx.backoff();
        Self { cx, done, backoff }
    }

    /// Returns when everything that is in the log is done.
    pub async fn catch_up(&mut self) {
        loop {
            match self.step().await {
                Ok(true) => self.backoff.reset(),
                Ok(false) => return,
                Err(why) => self.failed(&why).await,
            }
        }
    }

    /// Sends what comes, for ever.
    pub async fn follow(&mut self) {
        let mut head = self.cx.deps.files.ops_heads().follow(self.cx.root);
        loop {
            let done = self.done;
            let more = async { head.wait_for(|head| *head > done).await.map(drop) };
            // A channel that is closed will tell nothing; then the clock must do.
            if let Ok(Err(_)) = timeout(LOOK_EVERY, more).await {
                sleep(Duration::from_secs(1)).await;
                head = self.cx.deps.files.ops_heads().follow(self.cx.root);
            }
            self.catch_up().await;
        }
    }

    /// One batch; false when there is nothing to do.
    async fn step(&mut self) -> Result<bool, OpsError> {
        let (root, deps) = (self.cx.root, &self.cx.deps);
        let ops = deps.files.ops_after(root, self.done, BATCH).await?;
        let Some((body, last)) = self.fitting(ops)? else {
            return Ok(false);
        };
        let call = self
            .cx
            .handle
            .call_encoded::<ApplyOps>(body, deps.config.work_timeout);
        let applied = call.await?;
        self.remarked(&applied.remarks);
        let through = applied.through.min(last);
        if through <= self.done {
            return Err(OpsError::Stuck);
        }
        failpoint("operations.answered").map_err(|_| OpsError::Stuck)?;
        deps.files.ops_done(root, through).await?;
        self.done = through;
        Ok(true)
    }

    fn remarked(&self, remarks: &[(OpSeq, String)]) {
        let (slave, root) = (self.cx.slave(), self.cx.root);
        for (seq, remark) in remarks.iter().take(SAID) {
            warn!(%slave, %root, seq = seq.0, remark, "an operation found something else on the disk");
        }
        if let Some(more) = remarks.len().checked_sub(SAID).filter(|more| *more > 0) {
            warn!(%slave, %root, more, "more operations found something else on the disk");
        }
    }

    /// As many of the first operations as fit a frame, encoded, with the last one's position.
    fn fitting(
        &self,
        mut ops: Vec<(OpSeq, RootOp)>,
    ) -> Result<Option<(Vec<u8>, OpSeq)>, FrameError> {
        loop {
            let Some(last) = ops.last().map(|(seq, _)| *seq) else {
                return Ok(None);
            };
            let root = self.cx.root;
            let batch = ApplyOps { root, ops };
            match encode(&batch) {
                Ok(body) if body.len() <= ROOM => return Ok(Some((body, last))),
                Err(why) if batch.ops.len() == 1 => return Err(why),
                Ok(body) if batch.ops.len() == 1 => return Ok(Some((body, last))),
                _ => {}
            }
            ops = batch.ops;
            ops.truncate(ops.len() / 2);
        }
    }

    async fn failed(&mut self, why: &OpsError) {
        let (slave, root, after) = (self.cx.slave(), self.cx.root, self.done.0);
        let pause = self.backoff.next_wait();
        let cause = std::error::Error::source(why).map(ToString::to_string);
        match why {
            // The link is going down; the log of that says enough.
            OpsError::Slave(SlaveError::Offline(_)) => {}
            _ => error!(%slave, %root, after, %why, cause, ?pause,
                "operations of a root's log are not done, trying again"),
        }
        sleep(pause).await;
    }
}
