//! How fast a whole cluster is, against bare loops in the same run on the same machine.
//!
//! `cargo build --release -p drftpd-master -p drftpd-slave && cargo bench -p drftpd-integration-tests
//! --bench cluster [-- NAME …]`. Prints medians, ratios and the CPU seconds of the server processes.
//! Machines are shared and noisy: compare ratios and CPU seconds, repeat in a quiet window.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};

const GIB: u64 = 1 << 30;
const ROUNDS: usize = 7;

type Bench = fn() -> Result<()>;

const ALL: [(&str, Bench); 5] = [
    ("bulk", bulk),
    ("small-relaxed", small_relaxed),
    ("small-full", small_full),
    ("listing", listing),
    ("remerge", remerge),
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

fn discard(mut stream: TcpStream, buffer: &mut [u8]) -> Result<u64> {
    let mut all = 0;
    loop {
        match stream.read(buffer)? {
            0 => return Ok(all),
            n => all += n as u64,
        }
    }
}

/// A bare `sendfile` loop from this file over loopback, read as the FTP client reads.
fn bare_sendfile(file: &Path, buffer: &mut [u8]) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?;
    let file = File::open(file)?;
    let sender = thread::spawn(move || -> Result<()> {
        let (socket, _) = listener.accept()?;
        let mut offset = 0;
        while rustix::fs::sendfile(&socket, file.as_fd(), Some(&mut offset), 1 << 30)? > 0 {}
        Ok(())
    });
    let got = discard(TcpStream::connect(at)?, buffer)?;
    sender
        .join()
        .map_err(|_| anyhow::anyhow!("the sender panicked"))??;
    ensure!(got == GIB, "{got} bytes");
    Ok(())
}

fn download(ftp: &mut Ftp, mode: Mode, buffer: &mut [u8]) -> Result<()> {
    let data = ftp.data(mode, "RETR", "big.bin")?;
    ftp.ask("RETR big.bin", 150)?;
    let got = discard(data.stream()?, buffer)?;
    ftp.expect(226)?;
    ensure!(got == GIB, "{got} bytes");
    Ok(())
}

fn upload(ftp: &mut Ftp, mode: Mode, chunk: &[u8]) -> Result<()> {
    let data = ftp.data(mode, "STOR", "up.bin")?;
    ftp.ask("STOR up.bin", 150)?;
    let mut stream = data.stream()?;
    for _ in 0..GIB / chunk.len() as u64 {
        stream.write_all(chunk)?;
    }
    stream.shutdown(Shutdown::Write)?;
    ftp.expect(226)?;
    ftp.ask("DELE up.bin", 250)?;
    Ok(())
}

fn bulk() -> Result<()> {
    let slave = vec!["storage.fsync=\"never\"".to_string()];
    let cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        slave,
        ..ClusterSpec::default()
    })?;
    let mut ftp = cluster.login()?;
    ftp.upload(Mode::Pret, "STOR", "big.bin", Bytes::new(1, GIB))?;
    let mut buffer = vec![0; 1 << 20];
    let chunk = Bytes::vec(2, 1 << 20);
    let stored = cluster.path().join("bare.bin");
    let mut bare = File::create(&stored)?;
    for _ in 0..GIB / chunk.len() as u64 {
        bare.write_all(&chunk)?;
    }
    bare_sendfile(&stored, &mut buffer)?;

    type Run<'a> = Box<dyn FnMut(&mut Ftp, &mut [u8]) -> Result<()> + 'a>;
    let runs: [(&str, f64, Run); 4] = [
        (
            "download, PRET + PASV",
            0.85,
            Box::new(|ftp, buffer| download(ftp, Mode::Pret, buffer)),
        ),
        (
            "upload with CRC-32, PRET + PASV, fsync never",
            0.6,
            Box::new(|ftp, _| upload(ftp, Mode::Pret, &chunk)),
        ),
        (
            "download through the relay",
            0.0,
            Box::new(|ftp, buffer| download(ftp, Mode::Pasv, buffer)),
        ),
        (
            "upload through the relay, fsync never",
            0.0,
            Box::new(|ftp, _| upload(ftp, Mode::Pasv, &chunk)),
        ),
    ];
    for (what, wanted, mut run) in runs {
        let (mut ours, mut bare, mut ratios) = (vec![], vec![], vec![]);
        let before = cpu(&cluster)?;
        for _ in 0..ROUNDS {
            let a = timed(|| run(&mut ftp, &mut buffer))?;
            let b = timed(|| bare_sendfile(&stored, &mut buffer))?;
            ours.push(a);
            bare.push(b);
            ratios.push(b / a);
        }
        let after = cpu(&cluster)?;
        let rate = |seconds: f64| GIB as f64 / 1e6 / seconds;
        println!(
            "{what}: {:.0} MB/s, bare sendfile {:.0} MB/s, ratio {:.2} (wanted {wanted:.2}); \
             CPU s per GiB: master {:.3}, slave {:.3}",
            rate(median(ours)),
            rate(median(bare)),
            median(ratios),
            (after.0 - before.0) / ROUNDS as f64,
            (after.1 - before.1) / ROUNDS as f64,
        );
    }
    Ok(())
}

fn small_relaxed() -> Result<()> {
    small("relaxed", "never")
}

fn small_full() -> Result<()> {
    small("full", "always")
}

/// 1000 files of 10 KiB on one connection, one after the other.
fn small(durability: &str, fsync: &str) -> Result<()> {
    const COUNT: usize = 1000;
    let cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        master: vec![format!("store.durability=\"{durability}\"")],
        slave: vec![format!("storage.fsync=\"{fsync}\"")],
        ..ClusterSpec::default()
    })?;
    let mut ftp = cluster.login()?;
    let bytes = Bytes::vec(3, 10 << 10);
    for mode in [Mode::Pret, Mode::Pasv, Mode::Port] {
        ftp.ask(&format!("MKD {mode:?}"), 257)?;
        let name = |n: usize| format!("{mode:?}/{n}");
        let before = cpu(&cluster)?;
        let up = timed(|| (0..COUNT).try_for_each(|n| ftp.put(mode, &name(n), &bytes)))?;
        let between = cpu(&cluster)?;
        let down = timed(|| (0..COUNT).try_for_each(|n| ftp.get(mode, &name(n)).map(drop)))?;
        let after = cpu(&cluster)?;
        let per = |seconds: f64| seconds * 1e3 / COUNT as f64;
        println!(
            "{mode:?}, durability {durability}, fsync {fsync}: up {:.0}/s (CPU ms a file: master {:.2}, slave {:.2}), \
             down {:.0}/s (master {:.2}, slave {:.2})",
            COUNT as f64 / up,
            per(between.0 - before.0),
            per(between.1 - before.1),
            COUNT as f64 / down,
            per(after.0 - between.0),
            per(after.1 - between.1),
        );
    }
    Ok(())
}

fn listing() -> Result<()> {
    let cluster = adopted(20_000)?.0;
    let mut ftp = cluster.login()?;
    for verb in ["LIST", "MLSD", "NLST"] {
        let before = cpu(&cluster)?;
        let all = (0..ROUNDS * 3)
            .map(|_| timed(|| ftp.download(Mode::Pret, verb, "d0").map(drop)))
            .collect::<Result<Vec<f64>>>()?;
        let used = cpu(&cluster)?.0 - before.0;
        println!(
            "{verb} of 20,000 entries: {:.1} ms, CPU ms of the master {:.1}",
            median(all) * 1e3,
            used * 1e3 / (ROUNDS * 3) as f64
        );
    }
    Ok(())
}

fn remerge() -> Result<()> {
    let (cluster, first) = adopted(100_000)?;
    let used = cpu(&cluster)?;
    println!(
        "first remerge of 100,000 files: {first:.1} s; CPU s: master {:.1}, slave {:.1}",
        used.0, used.1
    );
    Ok(())
}

/// A cluster whose one slave was joined with a tree of `count` files in folders of 20,000, and the
/// seconds from the start of the slave until all is in the file list.
fn adopted(count: usize) -> Result<(Cluster, f64)> {
    let mut cluster = Cluster::start(0)?;
    let root = cluster.path().join("tree");
    for n in 0..count {
        let dir = root.join(format!("d{}", n / 20_000));
        if n % 20_000 == 0 {
            std::fs::create_dir_all(&dir)?;
        }
        std::fs::write(dir.join(format!("some file {n:06}.bin")), b"x")?;
    }
    let begin = Instant::now();
    cluster.add_slave(1, root)?;
    cluster.wait_online(1)?;
    let took = begin.elapsed();
    ensure!(took < Duration::from_secs(600));
    let last = format!("d{}", (count - 1) / 20_000);
    ensure!(cluster.login()?.names(Mode::Pret, &last)?.len() == 20_000);
    Ok((cluster, took.as_secs_f64()))
}
