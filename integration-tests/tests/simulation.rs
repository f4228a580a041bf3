//! A whole cluster in one thread, its network and its hosts broken by a seed.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // tests may fail as they like

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use drftpd_integration_tests::Bytes;
use drftpd_integration_tests::sim::{Plan, Shape, World, run};
use drftpd_integration_tests::users::{Ftp, Trace, Way};

/// Seeds of a normal run of the tests; `DRFTPD_SIM_SEEDS` asks for another number.
const SEEDS: u64 = 208;
/// Seeds of them that are run twice.
const SEEDS_TWICE: usize = 4;

/// What seeds are about, in turns.
const SHAPES: [Shape; 5] = [
    shape(2, 1),
    shape(2, 2),
    shape(3, 2),
    shape(3, 1),
    Shape {
        at_226: 2,
        ..shape(3, 2)
    },
];

const fn shape(slaves: usize, copies: usize) -> Shape {
    Shape {
        slaves,
        copies,
        at_226: 1,
    }
}

fn plan(seed: u64) -> Plan {
    Plan {
        shape: SHAPES[(seed % SHAPES.len() as u64) as usize],
        users: 3,
        works: Duration::from_secs(12),
        breaks: true,
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The seeds to run: so many, or the one that is asked for.
fn seeds() -> Vec<u64> {
    match number("DRFTPD_TEST_SEED") {
        Some(seed) => vec![seed],
        None => {
            let from = number("DRFTPD_SIM_FROM").unwrap_or(1);
            (from..from + number("DRFTPD_SIM_SEEDS").unwrap_or(SEEDS)).collect()
        }
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_whatever_breaks() {
    let (seeds, next) = (seeds(), AtomicUsize::new(0));
    let failed = Mutex::new(Vec::new());
    let works = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(why) = run(*seed, plan(*seed)) {
                println!("{why:#}");
                failed.lock().unwrap().push(*seed);
            }
        }
    };
    // One thread for each processor: a seed is one thread's.
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..threads.min(seeds.len()) {
            scope.spawn(works);
        }
        works();
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "repeat with DRFTPD_TEST_SEED=n, failed: {failed:?}"
    );
}

#[test]
fn nothing_is_lost_or_denied_where_nothing_breaks() {
    let plan = Plan {
        breaks: false,
        works: Duration::from_secs(20),
        ..plan(0)
    };
    run(1, plan).unwrap();
}

#[test]
fn a_file_goes_up_and_comes_back_in_every_way() {
    let world = World::new(1, shape(1, 1)).unwrap();
    let mut sim = world.build();
    let trace = Trace::default();
    let site = world.site(&trace);
    sim.client("user", async move {
        let mut ftp = Ftp::login("user", &site).await?;
        for (number, way) in [Way::Pret, Way::Pasv, Way::Port].into_iter().enumerate() {
            let bytes = Bytes::vec(number as u64, 100_000);
            let path = format!("/file-{number}");
            ftp.put(way, &path, &bytes).await?;
            assert_eq!(ftp.fetch(way, "RETR", &path).await?, bytes);
        }
        Ok(())
    });
    loop {
        match world.step(&mut sim) {
            Ok(true) => break,
            Ok(false) => {}
            Err(why) => panic!("{why:#}\n{}", trace.tail(60)),
        }
    }
    drop(sim);
    assert_eq!(
        std::fs::read(world.root("slave-1").join("file-2"))
            .unwrap()
            .len(),
        100_000
    );
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_one_another() {
    let seeds: Vec<u64> = seeds().into_iter().take(SEEDS_TWICE).collect();
    let mut before = Vec::new();
    for seed in seeds {
        let once = || run(seed, plan(seed)).unwrap();
        let (first, again) = (once(), once());
        if let Some(at) = first.iter().zip(&again).position(|(a, b)| a != b) {
            let shown = first[at.saturating_sub(20)..at].join("\n");
            let (first, again) = (&first[at], &again[at]);
            panic!("two runs of seed {seed} differ:\n{shown}\n--- then\n{first}\n--- or\n{again}");
        }
        assert_eq!(first.len(), again.len());
        assert_ne!(first, before);
        before = first;
    }
}
