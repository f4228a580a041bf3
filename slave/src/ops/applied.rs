//! How far each root's log of operations has been applied, for those who must not act before it.
//!
//! The worker that applies operations sets it; transfers and checksums wait for it, and go on in the
//! order in which they came. Nothing is lost when a reader comes late.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drftpd_protocol::ids::{OpSeq, RootId};
use drftpd_protocol::wire::{Fault, FaultCode};
use tokio::sync::Notify;

/// Position of every root's log that is done on the disk. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Applied(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    roots: Mutex<BTreeMap<RootId, OpSeq>>,
    further: Notify,
}

impl Applied {
    /// Says that the root's log is done up to `seq`. An older position changes nothing.
    pub fn set(&self, root: RootId, seq: OpSeq) {
        let mut roots = self.roots();
        let done = roots.entry(root).or_insert(OpSeq::NONE);
        if seq > *done {
            *done = seq;
            drop(roots);
            self.0.further.notify_waiters();
        }
    }

    /// Forgets all positions: another store may count from elsewhere.
    pub fn forget(&self) {
        self.roots().clear();
    }

    /// Where the root's log stands; [`OpSeq::NONE`] for a root that nothing was said of.
    pub fn of(&self, root: RootId) -> OpSeq {
        self.roots().get(&root).copied().unwrap_or(OpSeq::NONE)
    }

    /// Waits until the root's log is done up to `seq`.
    ///
    /// # Errors
    /// [`FaultCode::BUSY`] when it is not within `limit`.
    pub async fn reached(&self, root: RootId, seq: OpSeq, limit: Duration) -> Result<(), Fault> {
        let there = tokio::time::timeout(limit, self.comes(root, seq)).await;
        there.map_err(|_elapsed| {
            let text = format!("root {root} has not applied its operations up to {seq}");
            Fault::new(FaultCode::BUSY, text)
        })
    }

    async fn comes(&self, root: RootId, seq: OpSeq) {
        loop {
            let mut further = pin!(self.0.further.notified());
            // Before it is looked, or what is set in between would not be heard.
            further.as_mut().enable();
            if self.of(root) >= seq {
                return;
            }
            further.await;
        }
    }

    fn roots(&self) -> MutexGuard<'_, BTreeMap<RootId, OpSeq>> {
        self.0.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: RootId = RootId([1; 16]);
    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn who_needs_nothing_does_not_wait() {
        let applied = Applied::default();
        assert_eq!(applied.reached(ROOT, OpSeq::NONE, LIMIT).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_goes_on_when_its_operation_is_done() {
        let applied = Applied::default();
        let waiter = tokio::spawn({
            let applied = applied.clone();
            async move { applied.reached(ROOT, OpSeq(2), LIMIT).await }
        });
        applied.set(ROOT, OpSeq(1));
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        applied.set(ROOT, OpSeq(2));
        assert_eq!(waiter.await.unwrap(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_has_a_limit_and_another_root_does_not_help() {
        let applied = Applied::default();
        applied.set(RootId([2; 16]), OpSeq(9));
        let fault = applied.reached(ROOT, OpSeq(1), LIMIT).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::BUSY);
    }

    #[test]
    fn positions_of_another_store_are_forgotten() {
        let applied = Applied::default();
        applied.set(ROOT, OpSeq(7));
        applied.forget();
        assert_eq!(applied.of(ROOT), OpSeq::NONE);
    }

    #[test]
    fn a_position_never_goes_back() {
        let applied = Applied::default();
        applied.set(ROOT, OpSeq(7));
        applied.set(ROOT, OpSeq(3));
        assert_eq!(applied.of(ROOT), OpSeq(7));
    }
}
