//! Places: where an actor runs. `here` in tests and in the simulation, a pool of arbiters in production.
//!
//! An arbiter is a thread with a tokio current-thread runtime and a `LocalSet`. No actix `System` is needed, so
//! the same code runs under a simulated clock and network.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tracing::{debug, error};

use crate::supervise::panic_text;

/// Blocking threads an arbiter of a pool may have. Nearly all blocking work goes through `Blocking`, which uses those
/// of `main`; this is for what tokio itself does so (name look-ups, `tokio::fs`).
const ARBITERS_THREADS: usize = 16;
/// Blocking threads of `main`: more than any limit of a `Blocking`, made only when they are used.
const MAINS_THREADS: usize = 512;
/// How long an ending arbiter waits for blocking work that still runs.
const LAST_WORK: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// Where actors run. Cloning gives another handle to the same place.
#[derive(Clone, Debug)]
pub struct Place(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Here,
    Pool(Arc<Pool>),
}

#[derive(Debug)]
struct Pool {
    name: String,
    arbiters: Vec<Arbiter>,
    next: AtomicUsize,
    stop: watch::Sender<bool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// One arbiter, as a pool knows it.
#[derive(Debug)]
struct Arbiter {
    jobs: mpsc::UnboundedSender<Job>,
    /// Actors that this pool has put there and that live.
    guests: Arc<AtomicUsize>,
}

impl Arbiter {
    fn new(jobs: mpsc::UnboundedSender<Job>) -> Self {
        let guests = Arc::default();
        Self { jobs, guests }
    }
}

/// Says that an actor lives on its arbiter, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Guest(Option<Arc<AtomicUsize>>);

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(guests) = &self.0 {
            guests.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Place {
    /// The thread that calls; it must be inside a `LocalSet` (see [`block_on`] and `testkit::sim`).
    pub fn here() -> Self {
        Self(Kind::Here)
    }

    /// `n` new arbiters (at least one). They live until [`Place::stop`], also when every handle is gone. Threads are
    /// called `name-0`, `name-1`, …
    ///
    /// # Errors
    /// When the system gives no thread or no event queue.
    pub fn pool(name: &str, n: usize) -> io::Result<Self> {
        Self::with(Vec::new(), name, n.max(1))
    }

    /// This place's arbiters and `n` new ones behind them. What is put on the shared ones spares the hops between two
    /// threads when it talks to who lives there. Stopping ends the new ones only.
    ///
    /// # Errors
    /// As for [`Place::pool`].
    pub fn and(&self, name: &str, n: usize) -> io::Result<Self> {
        let shared = match &self.0 {
            Kind::Here => vec![serve_here()],
            Kind::Pool(pool) => {
                let jobs = pool.arbiters.iter().map(|arbiter| arbiter.jobs.clone());
                jobs.map(Arbiter::new).collect()
            }
        };
        Self::with(shared, name, n)
    }

    fn with(mut arbiters: Vec<Arbiter>, name: &str, n: usize) -> io::Result<Self> {
        let (stop, _) = watch::channel(false);
        let mut threads = Vec::new();
        for i in 0..n {
            let (jobs, queue) = mpsc::unbounded_channel();
            let thread = format!("{name}-{i}");
            let runtime = runtime(ARBITERS_THREADS)?;
            let stopped = stop.subscribe();
            let work = move || arbiter(runtime, queue, stopped);
            threads.push(std::thread::Builder::new().name(thread).spawn(work)?);
            arbiters.push(Arbiter::new(jobs));
        }
        let (name, next, threads) = (name.to_owned(), AtomicUsize::new(0), Mutex::new(threads));
        Ok(Self(Kind::Pool(Arc::new(Pool {
            name,
            arbiters,
            next,
            stop,
            threads,
        }))))
    }

    /// Runs a function: here at once, or on the next arbiter of the pool. Tells whether it will run; it does
    /// not when the place has ended.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) -> bool {
        match &self.0 {
            Kind::Here => {
                work();
                true
            }
            Kind::Pool(pool) => {
                let at = pool.next.fetch_add(1, Ordering::Relaxed) % pool.arbiters.len();
                pool.arbiters[at].jobs.send(Box::new(work)).is_ok()
            }
        }
    }

    /// Puts an actor here, or where the fewest of this pool's are: on the first of those, so that who is alone is where
    /// [`Place::and`] wants it.
    pub(crate) fn settle(&self, work: impl FnOnce(Guest) + Send + 'static) {
        match &self.0 {
            Kind::Here => work(Guest(None)),
            Kind::Pool(pool) => {
                let guests = |arbiter: &&Arbiter| arbiter.guests.load(Ordering::Relaxed);
                let Some(least) = pool.arbiters.iter().min_by_key(guests) else {
                    return;
                };
                least.guests.fetch_add(1, Ordering::Relaxed);
                let guest = Guest(Some(Arc::clone(&least.guests)));
                // Where the arbiter has ended, the job is dropped, and its actor with it.
                drop(least.jobs.send(Box::new(move || work(guest))));
            }
        }
    }

    /// Runs a function on every arbiter of this place; it is told the arbiter's number.
    pub fn each(&self, work: impl FnOnce(usize) + Send + Clone + 'static) {
        match &self.0 {
            Kind::Here => work(0),
            Kind::Pool(pool) => {
                for (i, arbiter) in pool.arbiters.iter().enumerate() {
                    let work = work.clone();
                    if arbiter.jobs.send(Box::new(move || work(i))).is_err() {
                        debug!(place = pool.name, "place has ended");
                    }
                }
            }
        }
    }

    /// How many arbiters there are.
    pub fn arbiters(&self) -> usize {
        match &self.0 {
            Kind::Here => 1,
            Kind::Pool(pool) => pool.arbiters.len(),
        }
    }

    /// Ends the arbiters of a pool: their tasks are dropped at the next await, actors run `stopping` and
    /// `stopped`. Does nothing for `here`. Does not wait; see [`Place::join`].
    pub fn stop(&self) {
        if let Kind::Pool(pool) = &self.0 {
            pool.stop.send_replace(true);
        }
    }

    /// Waits until the threads of a stopped pool have ended. Blocks: for the end of `main`, never on an arbiter.
    pub fn join(&self) {
        if let Kind::Pool(pool) = &self.0 {
            let mut threads = pool.threads.lock().unwrap_or_else(PoisonError::into_inner);
            for thread in threads.drain(..) {
                if thread.join().is_err() {
                    error!(place = pool.name, "arbiter panicked");
                }
            }
        }
    }
}

/// Runs a future on this thread as `main` does: a current-thread runtime and a `LocalSet` around it, so that
/// [`Place::here`] can be used inside. Whatever still runs when the future is done is dropped.
///
/// # Errors
/// When the system gives no event queue.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = runtime(MAINS_THREADS)?;
    let output = on(&runtime, future);
    runtime.shutdown_timeout(LAST_WORK);
    Ok(output)
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(threads)
        .build()
}

/// Runs `future` in a `LocalSet` that is dropped while the runtime still stands, for the actors' `stopped`.
fn on<F: Future>(runtime: &Runtime, future: F) -> F::Output {
    let local = LocalSet::new();
    let output = local.block_on(runtime, future);
    let _inside = runtime.enter();
    drop(local);
    output
}

fn arbiter(
    runtime: Runtime,
    mut jobs: mpsc::UnboundedReceiver<Job>,
    mut stop: watch::Receiver<bool>,
) {
    on(&runtime, async move {
        let stopped = async move { stop.wait_for(|stop| *stop).await.is_ok() };
        let work = async move {
            while let Some(job) = jobs.recv().await {
                carry_out(job);
            }
        };
        tokio::select! {
            true = stopped => {}
            () = async { work.await; std::future::pending().await } => {}
        }
    });
    runtime.shutdown_timeout(LAST_WORK);
}

/// Takes jobs for the calling thread, until its `LocalSet` ends.
fn serve_here() -> Arbiter {
    let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
    tokio::task::spawn_local(async move {
        while let Some(job) = queue.recv().await {
            carry_out(job);
        }
    });
    Arbiter::new(jobs)
}

fn carry_out(job: Job) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
        error!(cause = panic_text(&*panic), "work on an arbiter panicked");
    }
}

#[cfg(test)]
mod tests;
