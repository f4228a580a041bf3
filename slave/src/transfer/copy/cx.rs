//! What every copy has beside its file and its connection: threads, limits, counters, and the word
//! to stop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::Blocking;
use drftpd_protocol::wire::SpaceSeen;
use tokio::time::{Instant, sleep, timeout};

use super::super::error::TransferError;
use super::super::meter::Meter;
use super::super::pace::{Grant, Limits, Patience};
use super::super::stop::Stop;
use super::turn::Terms;

/// What a copy may use.
#[derive(Debug)]
pub struct CopyCx {
    /// Threads for the disk.
    pub blocking: Blocking,
    /// The word to stop.
    pub stop: Stop,
    /// How long no byte may move.
    pub stall: Duration,
    /// How long a peer that took all may take to close where the system cannot say that it has.
    pub close_wait: Duration,
    /// The transfer's counter.
    pub meter: Arc<Meter>,
    /// The speed limits.
    pub limits: Limits,
    /// Whether threads wait for this connection.
    pub patience: Patience,
    /// When the first byte moved.
    pub first_byte: Option<Instant>,
    /// What was free when an upload had ended.
    pub space: Option<SpaceSeen>,
}

impl CopyCx {
    /// Waits for the connection: not longer than a stall may last, and not beyond the word to stop.
    ///
    /// # Errors
    /// Either of these, or the connection's own.
    pub async fn on_wire<T>(
        &self,
        work: impl Future<Output = io::Result<T>>,
    ) -> Result<T, TransferError> {
        tokio::select! {
            biased;
            stopped = self.stop.said() => Err(stopped.into()),
            done = timeout(self.stall, work) => match done {
                Ok(done) => done.map_err(TransferError::Connection),
                Err(_elapsed) => Err(TransferError::Stalled),
            },
        }
    }

    /// How many bytes may move now; waits while the speed limits grant none.
    ///
    /// # Errors
    /// The word to stop.
    pub async fn grant(&mut self) -> Result<u64, TransferError> {
        loop {
            self.stop.check()?;
            if self.limits.are_none() {
                return Ok(u64::MAX);
            }
            match self.limits.grant(Instant::now()) {
                Grant::Now(bytes) => return Ok(bytes),
                Grant::After(wait) => tokio::select! {
                    biased;
                    stopped = self.stop.said() => return Err(stopped.into()),
                    () = sleep(wait) => {}
                },
            }
        }
    }

    /// So many bytes moved.
    pub fn moved(&mut self, bytes: u64) {
        self.limits.moved(bytes);
    }

    /// Bytes move from now on.
    pub fn moves(&mut self) {
        self.first_byte.get_or_insert_with(Instant::now);
    }

    /// The terms of the next turn.
    pub fn terms(&self, limit: u64) -> Terms {
        Terms {
            limit,
            patience: self.patience.wait(),
            stop: self.stop.clone(),
            meter: Arc::clone(&self.meter),
        }
    }

    /// Milliseconds since the first byte.
    pub fn took_ms(&self) -> u64 {
        let took = self.first_byte.map_or(Duration::ZERO, |at| at.elapsed());
        u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
    }
}
