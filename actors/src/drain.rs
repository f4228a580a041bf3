//! Shutting down in order: who must know that it has begun, who still holds on, and until when.
//!
//! One `Drain` is handed to everybody. `begin` starts it with one deadline; sessions hear it by `draining`, work
//! that must not be cut takes a `Hold`, and the root waits for one phase after the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

/// How often a wait says what it still waits for.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// How many holders are named in one log line.
const NAMED: usize = 8;

/// The shutdown of one process or of one embedded part. Cloning gives another handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    stage: watch::Sender<Stage>,
    holders: Mutex<Holders>,
    /// Moves whenever a holder lets go.
    released: watch::Sender<u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Stage {
    phase: Option<&'static str>,
    deadline: Option<Instant>,
}

#[derive(Debug, Default)]
struct Holders {
    next: u64,
    by_number: BTreeMap<u64, (Option<&'static str>, String)>,
}

/// The deadline passed; these still held on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{phase}: {} still held on", .holders.len())]
pub struct StillHeld {
    /// The phase that was waited for.
    pub phase: &'static str,
    /// What held on, oldest first.
    pub holders: Vec<String>,
}

/// Keeps a phase from ending until it is dropped.
#[derive(Debug)]
#[must_use = "it holds only as long as it lives"]
pub struct Hold {
    drain: Drain,
    number: u64,
}

impl Drain {
    /// Nothing is shutting down.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to drain; everything must be over after `limit`. A second call can only bring the deadline nearer.
    pub fn begin(&self, limit: Duration) {
        let asked = Instant::now() + limit;
        self.0.stage.send_modify(|stage| {
            stage.deadline = Some(stage.deadline.map_or(asked, |already| already.min(asked)));
        });
    }

    /// Whether draining has begun.
    pub fn is_draining(&self) -> bool {
        self.deadline().is_some()
    }

    /// When everything must be over; nothing before [`Drain::begin`].
    pub fn deadline(&self) -> Option<Instant> {
        self.0.stage.borrow().deadline
    }

    /// The phase that is waited for now.
    pub fn phase(&self) -> Option<&'static str> {
        self.0.stage.borrow().phase
    }

    /// Completes when draining begins; at once if it has.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + 'static {
        self.until(|stage| stage.deadline.is_some())
    }

    /// Completes when `phase` is waited for. Phases that are over are not seen any more: be there early.
    pub fn entered(&self, phase: &'static str) -> impl Future<Output = ()> + Send + 'static {
        self.until(move |stage| stage.phase == Some(phase))
    }

    /// Completes when the deadline passes; never before draining has begun.
    pub fn overdue(&self) -> impl Future<Output = ()> + Send + 'static {
        let drain = self.clone();
        async move {
            drain.draining().await;
            while let Some(deadline) = drain
                .deadline()
                .filter(|deadline| *deadline > Instant::now())
            {
                // The deadline may be brought nearer meanwhile.
                let nearer =
                    drain.until(move |stage| stage.deadline.is_some_and(|at| at < deadline));
                drop(timeout_at(deadline, nearer).await);
            }
        }
    }

    /// Holds back every phase until the guard is dropped; `what` is for the log.
    pub fn hold(&self, what: impl Into<String>) -> Hold {
        self.take(None, what.into())
    }

    /// Holds back one phase until the guard is dropped.
    pub fn hold_in(&self, phase: &'static str, what: impl Into<String>) -> Hold {
        self.take(Some(phase), what.into())
    }

    /// What holds `phase` back, oldest first.
    pub fn holders(&self, phase: &'static str) -> Vec<String> {
        let holders = self
            .0
            .holders
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of_phase = |of: &Option<&'static str>| of.is_none_or(|of| of == phase);
        holders
            .by_number
            .values()
            .filter(|(of, _)| of_phase(of))
            .map(|(_, what)| what.clone())
            .collect()
    }

    /// Enters `phase` and waits until nothing holds it back, saying now and then what it still waits for.
    ///
    /// # Errors
    /// When `deadline` passes; the caller goes on to the next phase all the same.
    pub async fn wait(&self, phase: &'static str, deadline: Instant) -> Result<(), StillHeld> {
        let mut released = self.0.released.subscribe();
        self.0.stage.send_modify(|stage| stage.phase = Some(phase));
        let mut say = Instant::now();
        loop {
            let holders = self.holders(phase);
            let now = Instant::now();
            if holders.is_empty() {
                info!(phase, "drained");
                return Ok(());
            }
            if now >= deadline {
                warn!(phase, count = holders.len(), holders = ?first(&holders), "deadline passed");
                return Err(StillHeld { phase, holders });
            }
            if now >= say {
                info!(phase, count = holders.len(), holders = ?first(&holders), left = ?(deadline - now), "waits");
                say = now + SAY_EVERY;
            }
            // Whichever comes first: somebody lets go, it is time to say something, the deadline.
            drop(timeout_at(say.min(deadline), released.changed()).await);
        }
    }

    fn until(
        &self,
        reached: impl FnMut(&Stage) -> bool + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let mut stage = self.0.stage.subscribe();
        let keep = self.clone(); // so that the sender lives and the wait cannot fail
        async move {
            let reached = stage.wait_for(reached).await.is_ok();
            debug_assert!(reached, "the sender is kept");
            drop(keep);
        }
    }

    fn take(&self, phase: Option<&'static str>, what: String) -> Hold {
        let mut holders = self
            .0
            .holders
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let number = holders.next;
        holders.next += 1;
        holders.by_number.insert(number, (phase, what));
        Hold {
            drain: self.clone(),
            number,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let inner = &self.drain.0;
        inner
            .holders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_number
            .remove(&self.number);
        inner
            .released
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

fn first(holders: &[String]) -> &[String] {
    &holders[..holders.len().min(NAMED)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    fn after(secs: u64) -> Instant {
        Instant::now() + Duration::from_secs(secs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_phase_ends_when_the_last_holder_lets_go() {
        let drain = Drain::new();
        let hold = drain.hold_in("transfers", "transfer 7");
        let begun = Instant::now();
        let letting_go = async {
            sleep(Duration::from_secs(12)).await;
            drop(hold);
        };
        let (waited, ()) = tokio::join!(drain.wait("transfers", after(60)), letting_go);
        assert_eq!(waited, Ok(()));
        assert_eq!(begun.elapsed(), Duration::from_secs(12));
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_names_who_still_holds_on() {
        let drain = Drain::new();
        let _seven = drain.hold_in("transfers", "transfer 7");
        let _store = drain.hold("store");
        let _other = drain.hold_in("goodbye", "slave 1");
        let begun = Instant::now();
        let still = drain.wait("transfers", after(60)).await.unwrap_err();
        assert_eq!(still.holders, ["transfer 7", "store"]);
        assert_eq!(begun.elapsed(), Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_hears_that_draining_has_begun() {
        let drain = Drain::new();
        let early = drain.draining();
        assert!(!drain.is_draining());
        drain.begin(Duration::from_secs(60));
        early.await;
        drain.clone().draining().await;
        assert!(drain.is_draining());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_beginning_only_brings_the_deadline_nearer() {
        let drain = Drain::new();
        let begun = Instant::now();
        drain.begin(Duration::from_secs(60));
        let overdue = tokio::spawn(drain.overdue());
        tokio::task::yield_now().await;
        drain.begin(Duration::from_secs(90));
        assert_eq!(drain.deadline(), Some(begun + Duration::from_secs(60)));
        drain.begin(Duration::from_secs(5));
        overdue.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_phase_is_seen_by_those_who_listen_for_it() {
        let drain = Drain::new();
        let hold = drain.hold("something");
        let seen = drain.entered("goodbye");
        let listener = async {
            seen.await;
            assert_eq!(drain.phase(), Some("goodbye"));
            drop(hold);
        };
        let (waited, ()) = tokio::join!(drain.wait("goodbye", after(9)), listener);
        assert_eq!(waited, Ok(()));
    }
}
