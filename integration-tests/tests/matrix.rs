//! Users work while everything breaks: rounds of the fault matrix. `./integration-tests/soak` runs more of them.
#![allow(clippy::disallowed_methods, clippy::print_stderr)] // a round takes real time, and says what it was about

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use drftpd_integration_tests::matrix::{Deck, Kind, Plan, round};

/// Rounds of a normal run of the tests: always the same ones, so that a change is judged and not the luck of a seed.
/// `soak` takes others.
const ROUNDS: u64 = 6;
/// The seed of the first of them.
const FIRST: u64 = 1;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Kinds of faults: all, or those that are asked for.
fn kinds() -> Vec<Kind> {
    let Ok(asked) = std::env::var("DRFTPD_MATRIX_FAULTS") else {
        return Kind::ALL.to_vec();
    };
    let is_asked = |kind: &Kind| asked.split(',').any(|name| name == format!("{kind:?}"));
    Kind::ALL.into_iter().filter(is_asked).collect()
}

#[test]
fn the_file_list_is_right_whatever_happens_to_master_slaves_links_and_disks() -> Result<()> {
    let first = number("DRFTPD_TEST_SEED").unwrap_or(FIRST);
    let rounds = number("DRFTPD_TEST_ROUNDS").unwrap_or(ROUNDS);
    let minutes = number("DRFTPD_TEST_MINUTES");
    let end = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let (mut failed, mut done) = (Vec::new(), 0);
    let kinds = kinds();
    for seed in first..first.saturating_add(rounds) {
        if end.is_some_and(|end| Instant::now() > end) {
            break;
        }
        done += 1;
        match round(seed, Plan::of(seed), &mut Deck::of(&kinds, seed)) {
            Ok(summary) => eprintln!("{summary}"),
            Err(why) => {
                eprintln!("{why:#}");
                failed.push(seed);
            }
        }
    }
    eprintln!("{done} rounds from seed {first}, {} failed", failed.len());
    ensure!(
        failed.is_empty(),
        "repeat with DRFTPD_TEST_SEED=n, failed: {failed:?}"
    );
    Ok(())
}
