//! One bounded pool for blocking work (disk, hashes, passwords), shared by all arbiters.
//!
//! A semaphore in front of tokio's blocking threads, because every arbiter has a pool of its own and those would
//! add up. In the simulation work runs at once (`inline`), so that its order does not depend on threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use crate::supervise::panic_text;

/// Why blocking work has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockingError {
    /// The work panicked.
    #[error("blocking work panicked: {0}")]
    Panicked(String),
    /// Too much work waits already ([`Blocking::try_run`] only).
    #[error("too much blocking work waits")]
    Busy,
    /// The runtime is ending.
    #[error("the runtime is ending")]
    Ended,
}

/// Runs blocking work. Cloning gives another handle to the same pool.
#[derive(Clone, Debug)]
pub struct Blocking(Option<Arc<Pool>>);

#[derive(Debug)]
struct Pool {
    permits: Arc<Semaphore>,
    limit: usize,
    queue: usize,
    waiting: AtomicUsize,
    /// Where the threads are; the caller's runtime if the pool was made outside of one.
    runtime: Option<Handle>,
}

impl Blocking {
    /// At most `limit` pieces of work at a time (at least one), with as many waiting before [`Blocking::try_run`]
    /// refuses. Made inside a runtime, it uses the threads of that runtime for all arbiters.
    pub fn new(limit: usize) -> Self {
        Self::with_queue(limit, limit)
    }

    /// Like [`Blocking::new`] with another length of the queue.
    pub fn with_queue(limit: usize, queue: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        let permits = Arc::new(Semaphore::new(limit));
        let runtime = Handle::try_current().ok();
        Self(Some(Arc::new(Pool {
            permits,
            limit,
            queue,
            waiting: AtomicUsize::new(0),
            runtime,
        })))
    }

    /// Runs work at once on the calling thread: for the simulation, and where there is no runtime.
    pub fn inline() -> Self {
        Self(None)
    }

    /// Runs work and waits for its result, however long the queue is. Work that has begun runs to its end, also
    /// when nobody waits any more.
    ///
    /// # Errors
    /// When it panics or the runtime ends.
    pub async fn run<R, F>(&self, work: F) -> Result<R, BlockingError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        match &self.0 {
            None => here(work),
            Some(pool) => pool.run(work).await,
        }
    }

    /// Like [`Blocking::run`], but refuses when the queue is full.
    ///
    /// # Errors
    /// Also [`BlockingError::Busy`].
    pub async fn try_run<R, F>(&self, work: F) -> Result<R, BlockingError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        match &self.0 {
            None => here(work),
            Some(pool) if pool.is_busy() => Err(BlockingError::Busy),
            Some(pool) => pool.run(work).await,
        }
    }

    /// How many pieces of work wait for a thread; for metrics.
    pub fn waiting(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |pool| pool.waiting.load(Ordering::Relaxed))
    }

    /// How many pieces of work run now; for metrics.
    pub fn running(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |pool| pool.limit - pool.permits.available_permits())
    }
}

impl Pool {
    fn is_busy(&self) -> bool {
        self.permits.available_permits() == 0 && self.waiting.load(Ordering::Relaxed) >= self.queue
    }

    async fn run<R, F>(&self, work: F) -> Result<R, BlockingError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let permit = self
            .permit()
            .await
            .map_err(|_closed| BlockingError::Ended)?;
        // The work owns its permit: an asker that goes away does not make room that is not there.
        let work = move || {
            let _permit = permit;
            work()
        };
        let begun = match &self.runtime {
            Some(runtime) => runtime.spawn_blocking(work),
            None => tokio::task::spawn_blocking(work),
        };
        begun.await.map_err(BlockingError::from)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        let _waiting = Waiting::new(&self.waiting);
        Arc::clone(&self.permits).acquire_owned().await
    }
}

/// Counts one waiter while it lives, also when its wait is cancelled.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl From<JoinError> for BlockingError {
    fn from(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => Self::Panicked(panic_text(&*panic)),
            Err(_cancelled) => Self::Ended,
        }
    }
}

fn here<R>(work: impl FnOnce() -> R) -> Result<R, BlockingError> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| BlockingError::Panicked(panic_text(&*panic)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::sync::mpsc;

    #[tokio::test]
    async fn no_more_work_runs_than_the_limit_allows() {
        let blocking = Blocking::new(2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = (0..20).map(|_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            blocking.run(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
            })
        });
        for done in futures_util::future::join_all(work).await {
            done.unwrap();
        }
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
        assert_eq!((blocking.running(), blocking.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn a_panic_becomes_an_error_and_frees_its_place() {
        for blocking in [Blocking::new(1), Blocking::inline()] {
            let failed = blocking.run(|| panic!("on purpose")).await;
            assert_eq!(
                failed,
                Err::<(), _>(BlockingError::Panicked("on purpose".into()))
            );
            assert_eq!(blocking.run(|| 7).await, Ok(7));
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_cancelled_wait_frees_it() {
        let blocking = Blocking::with_queue(1, 1);
        let (go, wait) = mpsc::channel::<()>();
        let mut first = Box::pin(blocking.run(move || wait.recv().unwrap()));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(blocking.try_run(|| ()));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!((blocking.running(), blocking.waiting()), (1, 1));
        assert_eq!(blocking.try_run(|| ()).await, Err(BlockingError::Busy));
        drop(second);
        let third = blocking.try_run(|| 3);
        let (first, third) = tokio::join!(first, async {
            go.send(()).unwrap();
            third.await
        });
        assert_eq!((first, third), (Ok(()), Ok(3)));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_keeps_its_place_until_it_is_done() {
        let blocking = Blocking::new(1);
        let (go, wait) = mpsc::channel::<()>();
        let mut work = Box::pin(blocking.run(move || wait.recv().is_ok()));
        assert!((&mut work).now_or_never().is_none());
        drop(work);
        assert_eq!(blocking.running(), 1);
        go.send(()).unwrap();
        assert_eq!(blocking.run(|| 7).await, Ok(7));
    }
}
