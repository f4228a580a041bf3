//! How fast a whole cluster is, against bare loops in the same run on the same machine.
//!
//! `cargo build --release -p drftpd-master -p drftpd-slave && cargo bench -p drftpd-integration-tests
//! --bench cluster [-- NAME …]`. Prints medians, ratios and the CPU seconds of the server processes.
//! Machines are shared and noisy: compare ratios and CPU seconds, repeat in a quiet window.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

mod bare;
mod counted;
mod millions;
mod people;
mod plain;
mod tls;
mod trees;

use std::time::Instant;

use anyhow::{Context, Result};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode};

const GIB: u64 = 1 << 30;
/// What clients and bare loops move at a time.
const CHUNK: usize = 256 << 10;
const ROUNDS: usize = 7;
/// Files of a run of small ones.
const SMALL_FILES: usize = 1000;

type Bench = fn() -> Result<()>;

const ALL: [(&str, Bench); 15] = [
    ("bulk", plain::bulk),
    ("bulk-tls", tls::bulk),
    ("small-relaxed", plain::small_relaxed),
    ("small-full", plain::small_full),
    ("small-tls", tls::small),
    ("segmented", plain::segmented),
    ("listing", trees::listing),
    ("remerge", trees::remerge),
    ("reconnect", trees::reconnect),
    ("reconnect-million", trees::reconnect_million),
    ("million", millions::million),
    ("ten-millions", millions::ten_millions),
    ("login", people::login_among_many),
    ("who", people::who_of_many),
    ("guesses", people::guesses),
];

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    for (name, bench) in ALL {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            println!("== {name}");
            bench().with_context(|| name.to_string())?;
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed().as_secs_f64())
}

/// CPU seconds of the master and of all slaves so far.
fn cpu(cluster: &Cluster) -> Result<(f64, f64)> {
    let master = cluster.master.as_ref().context("a master")?.cpu_seconds()?;
    let slaves = cluster.slaves.iter().filter_map(|s| s.process.as_ref());
    Ok((
        master,
        slaves.map(|s| s.cpu_seconds()).sum::<Result<f64>>()?,
    ))
}

/// One slave that leaves syncing to the kernel, with `big.bin` of 1 GiB.
fn with_big_file() -> Result<Cluster> {
    let cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        slave: vec!["storage.fsync=\"never\"".to_string()],
        ..ClusterSpec::default()
    })?;
    let mut ftp = cluster.login()?;
    ftp.upload(Mode::Pret, "STOR", "big.bin", Bytes::new(1, GIB))?;
    Ok(cluster)
}

/// One slave, for small files.
fn for_small_files(durability: &str, fsync: &str) -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        slaves: 1,
        master: vec![format!("store.durability=\"{durability}\"")],
        slave: vec![format!("storage.fsync=\"{fsync}\"")],
        ..ClusterSpec::default()
    })
}

/// A way to move 1 GiB.
type Run<'a> = &'a mut dyn FnMut() -> Result<()>;

/// Moves 1 GiB by the cluster and otherwise, in turns so that both see the same machine, and prints what share of the
/// other one's speed the cluster has.
fn compare(
    cluster: &Cluster,
    (what, ours): (&str, Run<'_>),
    (against, bare): (&str, Run<'_>),
    wanted: Option<f64>,
) -> Result<()> {
    let (mut times, mut others, mut ratios) = (vec![], vec![], vec![]);
    let mut used = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let before = cpu(cluster)?;
        let a = timed(&mut *ours)?;
        let after = cpu(cluster)?;
        let b = timed(&mut *bare)?;
        used = (used.0 + after.0 - before.0, used.1 + after.1 - before.1);
        times.push(a);
        others.push(b);
        ratios.push(b / a);
    }
    let rate = |seconds: f64| GIB as f64 / 1e6 / seconds;
    let wanted = wanted.map_or_else(String::new, |it| format!(" (wanted {it:.2})"));
    println!(
        "{what}: {:.0} MB/s, {against} {:.0} MB/s, ratio {:.2}{wanted}; CPU s per GiB: master {:.3}, slave {:.3}",
        rate(median(times)),
        rate(median(others)),
        median(ratios),
        used.0 / ROUNDS as f64,
        used.1 / ROUNDS as f64,
    );
    Ok(())
}

/// Moves small files one after the other, up and down again, and prints how many a second.
fn small_files(
    cluster: &Cluster,
    what: &str,
    up: &mut dyn FnMut(usize) -> Result<()>,
    down: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<()> {
    let before = cpu(cluster)?;
    let to = timed(|| (0..SMALL_FILES).try_for_each(&mut *up))?;
    let between = cpu(cluster)?;
    let from = timed(|| (0..SMALL_FILES).try_for_each(&mut *down))?;
    let after = cpu(cluster)?;
    let per = |seconds: f64| seconds * 1e3 / SMALL_FILES as f64;
    println!(
        "{what}: up {:.0}/s (CPU ms a file: master {:.2}, slave {:.2}), down {:.0}/s (master {:.2}, slave {:.2})",
        SMALL_FILES as f64 / to,
        per(between.0 - before.0),
        per(between.1 - before.1),
        SMALL_FILES as f64 / from,
        per(after.0 - between.0),
        per(after.1 - between.1),
    );
    Ok(())
}
