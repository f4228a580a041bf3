//! For tests: one thread with a clock that jumps, neighbours that collect or answer, networks in memory.

mod mem_net;
mod probe;
mod turmoil_net;

use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::dice::Dice;

pub use mem_net::MemNet;
pub use probe::{Probe, Stub};
pub use turmoil_net::TurmoilNet;

/// Simulated time after which [`sim`] takes a test for hanging.
const HANGS_AFTER: Duration = Duration::from_secs(2 * 24 * 3600);

/// Runs a test on one thread with a paused clock: whenever everything waits, the clock jumps to the next timer, so
/// hours pass in milliseconds. Actors may be started inside (`Place::here`).
///
/// # Panics
/// When the future is not done after two simulated days.
pub fn sim<F: Future>(future: F) -> F::Output {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(why) => panic!("no runtime: {why}"),
    };
    let local = LocalSet::new();
    let done = local.block_on(&runtime, async {
        tokio::time::timeout(HANGS_AFTER, future).await
    });
    let _inside = runtime.enter();
    drop(local);
    match done {
        Ok(output) => output,
        Err(_) => panic!("hangs: not done after {HANGS_AFTER:?} of simulated time"),
    }
}

/// Lets every task that can run do so, without moving the clock.
pub async fn settle() {
    // Each turn lets all woken tasks run once; a message seldom needs more than a few turns to be dealt with.
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// The seed of this run: from the environment variable `DRFTPD_TEST_SEED`, else a new one. It is printed, so a
/// failure shows it.
///
/// # Panics
/// When the variable holds no number.
#[allow(clippy::print_stdout)] // only the test harness reads it, and shows it when the test fails
pub fn seed() -> u64 {
    let seed = match std::env::var("DRFTPD_TEST_SEED") {
        Ok(text) => match text.trim().parse() {
            Ok(seed) => seed,
            Err(_) => panic!("DRFTPD_TEST_SEED holds no number: {text}"),
        },
        Err(_) => Dice::system().u64(),
    };
    println!("repeat with DRFTPD_TEST_SEED={seed}");
    seed
}
