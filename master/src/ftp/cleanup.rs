//! What a session still has to give back: tasks that go on when the verb that began them was dropped, counted.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::Instrument;

/// Counts what a session still has to give back. Cloning gives another handle to the same count.
#[derive(Clone, Default)]
pub struct Cleanup(Rc<Pending>);

#[derive(Default)]
struct Pending {
    count: Cell<usize>,
    fewer: Notify,
}

/// One task that is counted.
struct Counted(Rc<Pending>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        self.0.fewer.notify_waiters();
    }
}

impl Cleanup {
    /// Runs something to its end, also if the caller (or the whole session) goes away. What it results in is then
    /// dropped, so guards in it undo it.
    pub fn uncut<T: 'static>(
        &self,
        work: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = Option<T>> {
        self.0.count.set(self.0.count.get() + 1);
        let counted = Counted(Rc::clone(&self.0));
        let work = async move {
            let _counted = counted;
            work.await
        };
        let task = tokio::task::spawn_local(work.in_current_span());
        async move { task.await.ok() }
    }

    /// Waits until nothing is left to be given back, at most `limit`. Tells whether it is so.
    pub async fn settled(&self, limit: Duration) -> bool {
        let all = async {
            while self.0.count.get() > 0 {
                self.0.fewer.notified().await;
            }
        };
        timeout(limit, all).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_actors::testkit::sim;
    use tokio::time::{Instant, sleep};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn work_goes_on_when_nobody_waits_for_it_and_is_waited_for_at_the_end() {
        sim(async {
            let (cleanup, done) = (Cleanup::default(), Rc::new(Cell::new(false)));
            let tell = Rc::clone(&done);
            drop(cleanup.uncut(async move {
                sleep(3 * SECOND).await;
                tell.set(true);
            }));
            let before = Instant::now();
            assert!(!cleanup.settled(SECOND).await);
            assert!(cleanup.settled(9 * SECOND).await);
            assert!(done.get());
            assert_eq!(before.elapsed(), 3 * SECOND);
        });
    }

    #[test]
    fn work_that_panics_is_not_waited_for() {
        sim(async {
            let cleanup = Cleanup::default();
            let panics = cleanup.uncut(async { panic!("as the test wants it") });
            assert_eq!(panics.await, None::<()>);
            assert!(cleanup.settled(SECOND).await);
        });
    }
}
