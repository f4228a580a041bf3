//! A file list of millions of entries: it is made as a dump and loaded, and no disk holds the files.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::cluster::run;
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Cluster, Mode};
use serde_json::{Value, json};

use crate::{median, timed};

/// Files of each directory.
const EACH: u64 = 1000;
/// How often something is done that is done in no time.
const OFTEN: usize = 21;

pub fn ten_millions() -> Result<()> {
    let (mut cluster, loaded) = grown(10_000_000)?;
    println!("load of 10,000,000 files: {loaded:.0} s");
    let mut starts = vec![];
    for _ in 0..5 {
        if cluster.master.is_some() {
            cluster.kill_master()?;
        }
        let begin = Instant::now();
        cluster.start_master()?;
        let mut ftp = cluster.login()?;
        starts.push(begin.elapsed().as_secs_f64());
        ftp.ask("PWD", 257)?;
    }
    let idle = resident(&cluster)?;
    let mut ftp = cluster.login()?;
    let listings = (0..OFTEN)
        .map(|n| timed(|| ftp.names(Mode::Pret, &format!("big/{n}")).map(drop)))
        .collect::<Result<Vec<f64>>>()?;
    println!(
        "10,000,000 files: start to first login {:.2} s (wanted 1), {idle:.0} MiB idle (wanted 400), NLST of 1000 {:.1} ms, then {:.0} MiB",
        median(starts),
        median(listings) * 1e3,
        resident(&cluster)?
    );
    Ok(())
}

pub fn million() -> Result<()> {
    let mut cluster = grown(1_000_000)?.0;
    cluster.start_master()?;
    cluster.start_slave(0)?;
    cluster.wait_until("none of the files is there: the root is held", |cluster| {
        Ok(cluster.ctl(&["slave", "list"])?["slaves"][0]["state"] == "held")
    })?;
    let mut ftp = cluster.login()?;
    let (mut from, mut renames) = ("big".to_string(), vec![]);
    for n in 0..OFTEN {
        let to = format!("renamed {n}");
        ftp.ask(&format!("RNFR {from}"), 350)?;
        renames.push(timed(|| ftp.ask(&format!("RNTO {to}"), 250).map(drop))?);
        from = to;
    }
    println!(
        "rename of a directory with 1,000,000 files below: reply after {:.1} ms, at most {:.1} (wanted 20)",
        median(renames.clone()) * 1e3,
        renames.into_iter().fold(0.0, f64::max) * 1e3
    );
    let quiet = Duration::from_secs(3);
    std::thread::sleep(quiet);
    let before = cpu_ms(&cluster)?;
    std::thread::sleep(quiet);
    let idle = cpu_ms(&cluster)?;
    cluster.kill_slave(0)?;
    std::thread::sleep(quiet);
    let after = cpu_ms(&cluster)?;
    println!(
        "slave with 1,000,000 files goes offline: {:.1} ms of the master's processor in {quiet:?} (wanted 10), {:.1} ms without",
        after - idle,
        idle - before
    );
    Ok(())
}

/// MiB of the master's memory.
fn resident(cluster: &Cluster) -> Result<f64> {
    let master = cluster.master.as_ref().context("a master")?;
    Ok(master.resident_kib()? as f64 / 1024.0)
}

/// What the master's threads have used, finer than ticks.
fn cpu_ms(cluster: &Cluster) -> Result<f64> {
    let pid = cluster.master.as_ref().context("a master")?.pid();
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let said = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += said.split(' ').next().context("no times")?.parse::<u64>()?;
    }
    Ok(nanos as f64 / 1e6)
}

/// A cluster whose processes are down and whose file list has so many files below `big`, of which one slave is said to
/// hold all; and the seconds that loading took.
fn grown(files: u64) -> Result<(Cluster, f64)> {
    let mut cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD big", 257)?;
    ftp.put(Mode::Pret, "big/seed", b"x")?;
    cluster.wait_settled()?;
    cluster.kill_slave(0)?;
    cluster.kill_master()?;
    let (seed, dump) = (cluster.path().join("seed"), cluster.path().join("dump"));
    master(&cluster, "dump", &seed)?;
    grow(&seed, &dump, files)?;
    std::fs::remove_dir_all(cluster.path().join("master/store"))?;
    let took = timed(|| master(&cluster, "load", &dump))?;
    std::fs::remove_file(dump)?;
    Ok((cluster, took))
}

fn master(cluster: &Cluster, verb: &str, file: &Path) -> Result<()> {
    let mut command = Command::new(program("drftpd-master")?);
    command
        .arg(verb)
        .arg(file)
        .arg("--config")
        .arg(cluster.master_config());
    run(command).map(drop)
}

/// Writes a dump again with directories of files below `big`, each like the seed.
fn grow(seed: &Path, to: &Path, files: u64) -> Result<()> {
    let mut rows = Vec::new();
    for line in BufReader::new(File::open(seed)?).lines() {
        rows.push(serde_json::from_str::<Value>(&line?)?);
    }
    let end = rows.pop().context("an empty dump")?;
    ensure!(end["end"]["rows"].is_u64(), "a dump ends otherwise: {end}");
    let named = |name: &str| {
        let mut nodes = rows.iter().map(|row| &row["node"]);
        let node = nodes.find(|node| node["key"] == name).cloned();
        node.with_context(|| format!("no node {name}"))
    };
    let (big, file) = (named("big")?, named("seed")?);
    let of = |table: &str, key: &str, id: &Value| {
        let mut rows = rows.iter().map(|row| &row[table]);
        let row = rows.find(|row| &row[key] == id).cloned();
        row.with_context(|| format!("no {table} of {id}"))
    };
    let copy = of("copy", "node", &file["id"])?;
    let held = of("root_dir", "dir", &big["id"])?;
    let mut out = Counted {
        out: BufWriter::new(File::create(to)?),
        rows: 0,
    };
    for row in &mut rows {
        let node = &mut row["node"];
        if node["id"] == big["id"] || node["id"] == 1 {
            node["size"] = json!(files + 1);
            node["files"] = json!(files + 1);
        }
        if node.is_null() {
            row.as_object_mut().context("no row")?.remove("node");
        }
        out.row(row)?;
    }
    let first = file["id"].as_u64().context("no identity")? + 1;
    for dir in 0..files / EACH {
        let id = first + dir * (EACH + 1);
        let mut row = big.clone();
        (row["parent"], row["key"], row["id"]) =
            (big["id"].clone(), json!(dir.to_string()), json!(id));
        (row["size"], row["files"]) = (json!(EACH), json!(EACH));
        out.row(&json!({ "node": row }))?;
        let mut row = held.clone();
        row["dir"] = json!(id);
        out.row(&json!({ "root_dir": row }))?;
        for n in 1..=EACH {
            let mut row = file.clone();
            (row["parent"], row["id"]) = (json!(id), json!(id + n));
            row["key"] = json!(format!("some file {n:06}.bin"));
            out.row(&json!({ "node": row }))?;
            let mut row = copy.clone();
            row["node"] = json!(id + n);
            out.row(&json!({ "copy": row }))?;
        }
    }
    // The header is no row.
    let end = json!({ "end": { "rows": out.rows - 1 } });
    out.row(&end)?;
    Ok(out.out.flush()?)
}

/// Lines of a dump, counted.
struct Counted {
    out: BufWriter<File>,
    rows: u64,
}

impl Counted {
    fn row(&mut self, row: &Value) -> Result<()> {
        self.rows += 1;
        Ok(writeln!(self.out, "{row}")?)
    }
}
