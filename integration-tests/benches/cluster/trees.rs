//! What does not move bytes: listings, and a first remerge.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use drftpd_integration_tests::{Cluster, Mode};

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
