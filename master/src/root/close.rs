//! Ends a master in the reverse order of its start, in phases that are named in the log.

use std::time::Duration;

use drftpd_actors::{Drain, StillHeld};
use tokio::time::{Instant, timeout};
use tracing::info;

use super::MasterError;
use super::start::Parts;
use crate::ftp::{DRAIN_SESSIONS, DRAIN_TRANSFERS};
use crate::store::{Batch, Command, StoreError};

/// Sessions whose transfer was cut at the deadline still say why, and requests of the API get their answers.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How long slaves may take to hear that the master goes away.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long the store may take to commit what it was given.
const FLUSH: Duration = Duration::from_secs(30);

impl Parts {
    /// Waits for transfers and sessions until the deadline of the drain, says goodbye to slaves, and flushes the store.
    /// The acceptor refuses new clients since the drain began, and idle sessions have heard 421.
    pub(super) async fn close(&mut self, drain: &Drain) -> Result<(), MasterError> {
        let deadline = || drain.deadline().unwrap_or_else(Instant::now);
        // Both say in the log whom they still wait for; who is late then was cut.
        drop(wait(drain, DRAIN_TRANSFERS).await);
        let last = deadline().max(Instant::now()) + LAST_WORDS;
        drop(drain.wait(DRAIN_SESSIONS, last).await);
        if let Some(api) = self.api.take() {
            api.close(LAST_WORDS).await;
        }
        self.serving
            .slaves
            .goodbye("the master shuts down", GOODBYE)
            .await;
        info!(phase = "goodbye", "drained");
        let flushed = timeout(FLUSH, self.store.change(Flush)).await;
        drop(self.control.take());
        for task in [self.level.take(), self.space.take()] {
            task.into_iter().for_each(|task| task.abort());
        }
        match flushed {
            Ok(flushed) => flushed.map_err(MasterError::NotFlushed),
            Err(_) => Err(MasterError::NotFlushed(StoreError::Closed)),
        }?;
        info!(phase = "store", "drained");
        Ok(())
    }
}

/// Waits for a phase until the deadline, which a second signal may bring nearer.
async fn wait(drain: &Drain, phase: &'static str) -> Result<(), StillHeld> {
    let deadline = drain.deadline().unwrap_or_else(Instant::now);
    tokio::select! {
        biased;
        waited = drain.wait(phase, deadline) => waited,
        () = drain.overdue() => drain.wait(phase, Instant::now()).await,
    }
}

/// Does nothing, after everything that was queued before it.
struct Flush;

impl Command for Flush {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, _: &Batch<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}
