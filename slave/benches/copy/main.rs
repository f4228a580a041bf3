//! Downloads and uploads of a slave's data channels, against bare loops over the same loopback.
//!
//! `cargo bench -p drftpd-slave --bench copy` prints divan's table and then, measured in turns so
//! that both see the same machine, the share of the bare loop's speed that the slave reaches. With
//! `-- tls` behind it only what is under TLS is measured, with `-- handshake` only handshakes.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod handshake;
mod plain;
mod slave;
mod tls;

use std::thread;
use std::time::Instant;

use plain::Bench;

/// A file whose bytes count.
const LARGE: u64 = 1 << 30;
/// A file whose beginning and end count.
const SMALL: u64 = 10 << 10;
/// How many of those one client moves.
const SMALL_FILES: u64 = 500;
/// What clients and bare loops move at a time.
const CHUNK: usize = 256 << 10;

fn main() {
    divan::main();
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let only = |what: &str| std::env::args().any(|arg| arg == what);
    if only("handshake") {
        return handshake::compare();
    }
    let bench = Bench::start();
    if !only("tls") {
        plain(&bench);
    }
    tls(&bench);
    handshake::compare();
}

fn plain(bench: &Bench) {
    ratio(
        "download of 1 GiB / bare sendfile",
        || bench.bare_down(),
        || bench.down(LARGE),
    );
    ratio(
        "upload of 1 GiB / bare sendfile",
        || bench.bare_down(),
        || bench.up(LARGE),
    );
    ratio(
        "upload of 1 GiB / bare recv and write",
        || bench.bare_up(),
        || bench.up(LARGE),
    );
    ratio(
        "4 downloads of 1 GiB / 4 bare sendfiles",
        || four(|| bench.bare_down()),
        || four(|| bench.down(LARGE)),
    );
    ratio(
        "4 uploads of 1 GiB / 4 bare loops",
        || four(|| bench.bare_up()),
        || four(|| bench.up(LARGE)),
    );
    small("", bench, [Bench::down, Bench::up]);
}

fn tls(bench: &Bench) {
    ratio(
        "TLS 1.3 download of 1 GiB / bare rustls sender",
        || bench.bare_tls_down(),
        || bench.tls_down(LARGE),
    );
    ratio(
        "TLS 1.3 upload of 1 GiB / bare rustls receiver",
        || bench.bare_tls_up(false),
        || bench.tls_up(LARGE),
    );
    ratio(
        "TLS 1.3 upload of 1 GiB / bare rustls receiver with large reads",
        || bench.bare_tls_up(true),
        || bench.tls_up(LARGE),
    );
    small("TLS 1.3, ", bench, [Bench::tls_down, Bench::tls_up]);
}

/// Small files one after the other, from one client and from eight.
fn small(what: &str, bench: &Bench, [down, up]: [fn(&Bench, u64); 2]) {
    for (way, run) in [("down", down), ("up", up)] {
        for clients in [1, 8] {
            let cpu = cpu_seconds();
            let took = seconds(|| {
                thread::scope(|scope| {
                    for _ in 0..clients {
                        scope.spawn(|| (0..SMALL_FILES).for_each(|_| run(bench, SMALL)));
                    }
                });
            });
            let files = (clients * SMALL_FILES) as f64;
            let cpu = 1e3 * (cpu_seconds() - cpu) / files;
            let rate = files / took;
            println!(
                "{what}files of 10 KiB {way}, {clients} at a time: {rate:.0}/s, {cpu:.3} ms of CPU"
            );
        }
    }
}

/// Processor time of this process: slave, client and bare loops together.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |n: usize| {
        after_name
            .split_ascii_whitespace()
            .nth(n)?
            .parse::<f64>()
            .ok()
    };
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

fn four(run: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(&run);
        }
    });
}

/// Runs both in turns and prints what share of the bare speed ours has: of the medians, of the best.
fn ratio(what: &str, bare: impl Fn(), ours: impl Fn()) {
    let mut times = (Vec::new(), Vec::new());
    let mut cpu = (0.0, 0.0);
    for _ in 0..7 {
        let begun = cpu_seconds();
        times.0.push(seconds(&bare));
        let between = cpu_seconds();
        times.1.push(seconds(&ours));
        cpu.0 += between - begun;
        cpu.1 += cpu_seconds() - between;
    }
    times.0.sort_by(f64::total_cmp);
    times.1.sort_by(f64::total_cmp);
    let (median, best) = (times.0[3] / times.1[3], times.0[0] / times.1[0]);
    let speed = 1024.0 / times.1[3];
    let cpu = (cpu.0 / 7.0, cpu.1 / 7.0);
    println!(
        "{what}: {median:.2} (best {best:.2}), {speed:.0} MiB/s a stream, CPU {:.2} s / {:.2} s",
        cpu.1, cpu.0
    );
}

fn seconds(run: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    run();
    begun.elapsed().as_secs_f64()
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn download_1_gib(bencher: divan::Bencher) {
    let bench = Bench::start();
    bencher.bench_local(|| bench.down(LARGE));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn upload_1_gib(bencher: divan::Bencher) {
    let bench = Bench::start();
    bencher.bench_local(|| bench.up(LARGE));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn bare_sendfile_1_gib(bencher: divan::Bencher) {
    let bench = Bench::start();
    bencher.bench_local(|| bench.bare_down());
}
