//! What does not move bytes: listings, a first remerge, and slaves that come back.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::cluster::edit;
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp, Mode};

use crate::counted::Counted;
use crate::{ROUNDS, cpu, median, timed};

pub fn listing() -> Result<()> {
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

pub fn remerge() -> Result<()> {
    let (cluster, first) = adopted(100_000)?;
    let used = cpu(&cluster)?;
    let master = cluster.master.as_ref().context("a master")?;
    println!(
        "first remerge of 100,000 files: {first:.1} s (wanted 5); CPU s: master {:.1}, slave {:.1}; {} MiB of the master's memory (wanted 150)",
        used.0,
        used.1,
        master.resident_kib()? / 1024
    );
    Ok(())
}

/// A cluster whose one slave was joined with a tree of `count` files in folders of 20,000, and the
/// seconds from the start of the slave until all is in the file list.
fn adopted(count: usize) -> Result<(Cluster, f64)> {
    let mut cluster = Cluster::start(0)?;
    let root = cluster.path().join("tree");
    fill(&root, count, 20_000)?;
    let begin = Instant::now();
    cluster.add_slave(1, root)?;
    cluster.wait_online(1)?;
    let took = begin.elapsed();
    ensure!(took < Duration::from_secs(600));
    let last = format!("d{}", (count - 1) / 20_000);
    ensure!(cluster.login()?.names(Mode::Pret, &last)?.len() == 20_000);
    Ok((cluster, took.as_secs_f64()))
}

/// Files of one byte, so many in each folder.
fn fill(root: &Path, count: usize, each: usize) -> Result<()> {
    for n in 0..count {
        let dir = root.join(format!("d{}", n / each));
        if n % each == 0 {
            std::fs::create_dir_all(&dir)?;
        }
        std::fs::write(dir.join(format!("some file {n:06}.bin")), b"x")?;
    }
    Ok(())
}

/// Starts the slave again when the master has noticed that it is away; answers when it began.
fn comes_back(cluster: &mut Cluster) -> Result<Instant> {
    cluster.wait_until("the slave is away", |cluster| {
        Ok(cluster.ctl(&["slave", "list"])?["slaves"][0]["state"] == "offline")
    })?;
    let begin = Instant::now();
    cluster.start_slave(0)?;
    Ok(begin)
}

/// Whether a file can be fetched now.
fn fetches(ftp: &mut Ftp, name: &str) -> Result<bool> {
    let data = ftp.data(Mode::Pasv, "", "")?;
    ftp.send(&format!("RETR {name}"))?;
    if ftp.reply()?.0 != 150 {
        return Ok(false);
    }
    std::io::copy(&mut data.stream()?, &mut std::io::sink())?;
    Ok(ftp.reply()?.0 == 226)
}

/// A slave that comes back with 100,000 files that are known, and nothing changed.
pub fn reconnect() -> Result<()> {
    let (mut cluster, _) = adopted(100_000)?;
    cluster.wait_settled()?;
    let (mut usable, mut verified) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        cluster.kill_slave(0)?;
        let begin = comes_back(&mut cluster)?;
        let mut ftp = cluster.login()?;
        while !fetches(&mut ftp, "d4/some file 099999.bin")? {}
        usable.push(begin.elapsed().as_secs_f64());
        cluster.wait_online(1)?;
        verified.push(begin.elapsed().as_secs_f64());
    }
    println!(
        "reconnect with 100,000 known files: usable after {:.3} s (wanted 0.2), verified after {:.2} s (wanted 2)",
        median(usable),
        median(verified)
    );
    Ok(())
}

/// A slave that comes back with 1,000,000 files in 10,000 directories, of which 100 were changed by hand.
pub fn reconnect_million() -> Result<()> {
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 0,
        slave: vec![
            "storage.walk_rate=0".into(),
            "storage.fsync=\"never\"".into(),
        ],
        ..ClusterSpec::default()
    })?;
    let root = cluster.path().join("tree");
    fill(&root, 1_000_000, 100)?;
    let begin = Instant::now();
    cluster.add_slave(1, root.clone())?;
    let over = |cluster: &Cluster| -> Result<bool> {
        let roots = cluster.ctl(&["root", "list"])?;
        let online = cluster.ctl(&["slave", "list"])?["slaves"][0]["state"] == "online";
        Ok(online && roots["roots"][0]["waiting_operations"] == 0)
    };
    while !over(&cluster)? {
        ensure!(begin.elapsed() < Duration::from_secs(1800));
        std::thread::sleep(Duration::from_millis(200));
    }
    println!(
        "first remerge of 1,000,000 files: {:.0} s",
        begin.elapsed().as_secs_f64()
    );
    cluster.kill_slave(0)?;
    for n in 0..100 {
        let n = n * 10_000;
        let file = root.join(format!("d{}/some file {n:06}.bin", n / 100));
        std::fs::OpenOptions::new()
            .append(true)
            .open(file)?
            .write_all(b"more")?;
    }
    let counted = Counted::start(cluster.at("slaves")?)?;
    let address = format!("master.address=\"{}\"", counted.address);
    edit(&cluster.slaves[0].config, &[address])?;
    let begin = comes_back(&mut cluster)?;
    while !over(&cluster)? {
        ensure!(begin.elapsed() < Duration::from_secs(600));
        std::thread::sleep(Duration::from_millis(10));
    }
    let took = begin.elapsed().as_secs_f64();
    let bytes = counted.bytes() as f64 / f64::from(1 << 20);
    println!(
        "reconnect with 1,000,000 files, 100 changed: {bytes:.2} MiB on the wire (wanted 5), {took:.1} s"
    );
    Ok(())
}
