//! Reading stored files again, slowly: clients' bytes come first.
//!
//! One file of a root at a time: [`Rereads`] knows the reading that runs, and a newer one, or the word to stop, ends
//! it. Bytes are forgotten by the operating system before and after they are read: what counts is what is on the disk,
//! and the memory belongs to clients.

mod pace;

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drftpd_actors::{Blocking, BlockingError};
use drftpd_protocol::RootId;
use drftpd_protocol::wire::{
    Algorithm, Blake3Sum, Fault, FaultCode, Reread, RereadDone, StopReread,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::pace::{Pace, Step};
use super::checksum::{Reading, Sum};
use super::{OpCx, Operation};
use crate::storage::{Root, Roots, Stamp};
use crate::sys::cache;

/// How long the operations before it may take.
const APPLIED_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked whether transfers still run.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The readings that run, one for each root at most.
#[derive(Debug, Clone, Default)]
pub struct Rereads(Arc<Mutex<BTreeMap<RootId, CancellationToken>>>);

impl Rereads {
    /// A reading of a root begins and ends the one before; it goes on until its token is cancelled.
    fn begin(&self, root: RootId) -> CancellationToken {
        let token = CancellationToken::new();
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(older) = running.insert(root, token.clone()) {
            older.cancel();
        }
        token
    }

    fn stop(&self, root: RootId) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = running.remove(&root) {
            token.cancel();
        }
    }
}

impl Operation for Reread {
    const NAME: &'static str = "reread";
    const BEGINS_WORK: bool = true;

    async fn run(self, cx: OpCx) -> Result<RereadDone, Fault> {
        let token = cx.rereads.begin(self.root);
        let read = async {
            let applied = &cx.applied;
            applied
                .reached(self.root, self.after, APPLIED_WITHIN)
                .await?;
            reread(&cx.roots, &cx.blocking, &self, |done, total| {
                cx.progress.tell(done, total);
            })
            .await
        };
        let stopped = || Fault::new(FaultCode::ABORTED, "the reading was stopped");
        let done = token.run_until_cancelled(read).await;
        done.unwrap_or_else(|| Err(stopped()))
    }
}

impl Operation for StopReread {
    const NAME: &'static str = "stop reread";

    async fn run(self, cx: OpCx) -> Result<(), Fault> {
        cx.rereads.stop(self.root);
        Ok(())
    }
}

/// Reads a file at its pace and sums it. `tell` hears how far it is, at least every few seconds. Dropped, it ends
/// after the turn that runs.
async fn reread(
    roots: &Roots,
    blocking: &Blocking,
    request: &Reread,
    mut tell: impl FnMut(u64, u64),
) -> Result<RereadDone, Fault> {
    let failed = |error: BlockingError| Fault::new(FaultCode::FAILED, error.to_string());
    let root = roots.get(request.root).map_err(|error| error.fault())?;
    let mut pace = Pace::new(request.max_rate, request.busy_rate);
    let (opened, request) = (root.clone(), request.clone());
    let open = blocking.run(move || open(&opened, &request));
    let (mut reading, stamp) = open.await.map_err(failed)??;
    loop {
        tell(reading.done(), reading.length());
        let before = reading.done();
        match pace.step(root.is_in_use()) {
            Step::Wait => sleep(LOOK_EVERY).await,
            Step::Read(most) => {
                let turn = blocking.run(move || turn(reading, most));
                reading = turn.await.map_err(failed)??;
                let over = reading.is_over();
                sleep(pace.rest(reading.done() - before, over)).await;
                if over {
                    return done(reading, stamp);
                }
            }
        }
    }
}

fn open(root: &Root, request: &Reread) -> Result<(Reading, Option<Stamp>), Fault> {
    let file = request.file;
    let stored = root.open_file(Some(file), &request.at);
    let stored = stored.map_err(|error| error.fault())?;
    if stored.staged && stored.crc32.is_none() {
        let text = format!("{file} is being received");
        return Err(Fault::new(FaultCode::NO_SUCH_FILE, text));
    }
    let blake3 = request.blake3.then_some(Algorithm::Blake3);
    let methods = [Algorithm::Crc32].into_iter().chain(blake3);
    let sums = methods.map(Sum::new).collect();
    let reading = Reading::new(stored.file, 0, stored.size, sums);
    Ok((reading, stored.stamp))
}

fn turn(reading: Reading, most: u64) -> Result<Reading, Fault> {
    let at = reading.done();
    forget(&reading, at, most);
    let reading = reading.turn(most)?;
    forget(&reading, at, reading.done() - at);
    Ok(reading)
}

fn forget(reading: &Reading, at: u64, length: u64) {
    if let Err(error) = cache::forget(reading.file().as_fd(), at, length) {
        tracing::debug!(%error, "bytes are read as the system remembers them");
    }
}

fn done(reading: Reading, stamp: Option<Stamp>) -> Result<RereadDone, Fault> {
    let same = stamp.map_or(Ok(true), |stamp| stamp.holds(reading.file()));
    if !same.map_err(|error| Fault::new(FaultCode::DISK, error.to_string()))? {
        let text = "somebody wrote to it while it was read";
        return Err(Fault::new(FaultCode::OTHER_IDENTITY, text));
    }
    let size = reading.done();
    let (mut crc32, mut blake3) = (None, None);
    for sum in reading.into_sums() {
        match sum {
            Sum::Crc32(sum) => crc32 = Some(sum.finalize()),
            Sum::Blake3(sum) => blake3 = Some(Blake3Sum(*sum.finalize().as_bytes())),
            _ => {}
        }
    }
    let crc32 = crc32.ok_or_else(|| Fault::new(FaultCode::FAILED, "nothing was summed"))?;
    Ok(RereadDone {
        size,
        crc32,
        blake3,
    })
}

#[cfg(test)]
mod tests;
