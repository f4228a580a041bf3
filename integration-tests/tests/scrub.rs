//! Files whose bytes change on a slave's disk behind the daemon's back are found by reading them again, repaired where
//! there are good bytes, and shown where there are none: with real processes, that are killed meanwhile.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode};
use serde_json::Value;

/// Two copies of everything below `/two`.
fn spec(more: &[&str]) -> ClusterSpec {
    let rules = r#"copies.rules=[{ paths = ["/two"], copies = 2 }]"#;
    let quick = ["copies.retry_from=\"1s\"", "copies.retry_to=\"1s\""];
    let master = [rules].into_iter().chain(quick).chain(more.iter().copied());
    ClusterSpec {
        slaves: 2,
        master: master.map(str::to_owned).collect(),
        ..ClusterSpec::default()
    }
}

/// Turns some bits of a file on a disk over.
fn flip(file: &PathBuf, at: u64) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[!byte[0]], at)?;
    Ok(file.sync_all()?)
}

/// The slaves on whose disks a file lies with these bytes.
fn with_bytes(cluster: &Cluster, at: &str, bytes: &[u8]) -> usize {
    let paths = cluster.slaves.iter().map(|slave| slave.root.join(at));
    let same = |path: &PathBuf| std::fs::read(path).is_ok_and(|found| found == bytes);
    paths.filter(same).count()
}

fn array(value: &Value, key: &str) -> Result<Vec<Value>> {
    let found = value[key].as_array().cloned();
    found.with_context(|| format!("no {key} in {value}"))
}

/// What the report says of a path: the states, newest first.
fn states(cluster: &Cluster, path: &str) -> Result<Vec<String>> {
    let report = cluster.ctl(&["scrub", "report"])?;
    let all = array(&report, "findings")?;
    let of_it = all.iter().filter(|found| found["path"] == path);
    let state = |found: &Value| found["state"].as_str().unwrap_or_default().to_owned();
    Ok(of_it.map(state).collect())
}

/// Files that all passes have read so far, and whether one is under way.
fn progress(cluster: &Cluster) -> Result<(u64, bool)> {
    let status = cluster.ctl(&["scrub", "status"])?;
    let passes = array(&status, "passes")?;
    let files = passes.iter().filter_map(|pass| pass["files"].as_u64());
    let runs = passes.iter().any(|pass| pass["runs"] == true);
    Ok((files.sum(), runs))
}

fn wait_for_the_end(cluster: &Cluster) -> Result<()> {
    cluster.wait_until("everything is read again", |cluster| {
        Ok(!progress(cluster)?.1)
    })
}

/// A file with a copy on each slave.
fn two_copies(cluster: &Cluster, name: &str, bytes: &[u8]) -> Result<()> {
    cluster.wait_until("two copies", |cluster| {
        Ok(with_bytes(cluster, name, bytes) == 2)
    })
}

#[test]
fn a_spoilt_copy_is_found_not_served_and_repaired_from_the_good_one() -> Result<()> {
    let cluster = Cluster::with(spec(&[]))?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD two", 257)?;
    let (file, other) = (Bytes::vec(1, 700_000), Bytes::vec(2, 5_000));
    ftp.put(Mode::Pret, "two/file", &file)?;
    ftp.put(Mode::Pret, "two/other", &other)?;
    two_copies(&cluster, "two/file", &file)?;
    two_copies(&cluster, "two/other", &other)?;
    let bad = cluster.slaves[0].root.join("two/file");
    flip(&bad, 300_000)?;
    let spoilt = std::fs::read(&bad)?;
    cluster.ctl(&["scrub", "start"])?;
    cluster.wait_until("found", |cluster| {
        Ok(!states(cluster, "/two/file")?.is_empty())
    })?;
    // From now on only good bytes are served, as often as it is asked for.
    for _ in 0..6 {
        ensure!(ftp.get(Mode::Pret, "two/file")? == file);
    }
    two_copies(&cluster, "two/file", &file)?;
    cluster.wait_until("repaired", |cluster| {
        Ok(states(cluster, "/two/file")? == ["repaired"])
    })?;
    wait_for_the_end(&cluster)?;
    ensure!(states(&cluster, "/two/other")?.is_empty());
    // The bad bytes are in the trash.
    let trash = cluster.reserved("trash")?;
    let there = trash
        .iter()
        .any(|file| std::fs::read(file).is_ok_and(|found| found == spoilt));
    ensure!(there, "not in the trash: {trash:?}");
    let check = cluster.ctl(&["check"])?;
    ensure!(check["wrong"] == 0, "{check}");
    // A second time nothing is found.
    cluster.ctl(&["scrub", "start"])?;
    wait_for_the_end(&cluster)?;
    ensure!(states(&cluster, "/two/file")? == ["repaired"]);
    Ok(())
}

#[test]
fn a_change_that_crc_32_cannot_see_is_found_by_blake3() -> Result<()> {
    let cluster = Cluster::with(spec(&["storage.blake3=true"]))?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD two", 257)?;
    let bytes = Bytes::vec(5, 50_000);
    ftp.put(Mode::Pret, "two/file", &bytes)?;
    two_copies(&cluster, "two/file", &bytes)?;
    // The polynomial of CRC-32 itself: added anywhere it changes no remainder.
    let file = cluster.slaves[1].root.join("two/file");
    let mut spoilt = std::fs::read(&file)?;
    for (byte, change) in spoilt[1000..]
        .iter_mut()
        .zip([0x41, 0x06, 0x71, 0xDB, 0x01])
    {
        *byte ^= change;
    }
    let on_disk = OpenOptions::new().write(true).open(&file)?;
    on_disk.write_all_at(&spoilt, 0)?;
    on_disk.sync_all()?;
    cluster.ctl(&["scrub", "start", "/two"])?;
    wait_for_the_end(&cluster)?;
    let report = cluster.ctl(&["scrub", "report"])?;
    let why = report["findings"][0]["why"].as_str().unwrap_or_default();
    ensure!(why.starts_with("BLAKE3 "), "{report}");
    two_copies(&cluster, "two/file", &bytes)
}

#[test]
fn the_only_copy_is_shown_as_damaged_kept_and_good_again_with_good_bytes() -> Result<()> {
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        ..spec(&[])
    })?;
    let mut ftp = cluster.login()?;
    let bytes = Bytes::vec(3, 100_000);
    for name in ["file", "fine"] {
        ftp.put(Mode::Pret, name, &bytes)?;
    }
    cluster.wait_settled()?;
    let file = cluster.slaves[0].root.join("file");
    flip(&file, 99_999)?;
    let spoilt = std::fs::read(&file)?;
    cluster.ctl(&["scrub", "start", "/file"])?;
    wait_for_the_end(&cluster)?;
    ensure!(states(&cluster, "/file")? == ["damaged"]);
    ensure!(ftp.get(Mode::Pret, "file").is_err(), "it was served");
    drop(ftp);
    // Neither a walk nor a restart of anything makes it good, or throws anything away.
    cluster.kill_slave(0)?;
    cluster.start_slave(0)?;
    cluster.wait_online(1)?;
    cluster.kill_master()?;
    cluster.start_master()?;
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    ensure!(ftp.get(Mode::Pret, "file").is_err(), "it was served");
    ensure!(std::fs::read(&file)? == spoilt && cluster.reserved("trash")?.is_empty());
    ensure!(ftp.get(Mode::Pret, "fine")? == bytes);
    let stat = cluster.ctl(&["stat"])?;
    ensure!(
        stat["damaged_copies"] == 1 && stat["damaged_files"] == 1,
        "{stat}"
    );
    cluster.wait_until("nobody waits for what nobody has", |cluster| {
        Ok(cluster.ctl(&["copy", "list"])?["waiting"] == 0)
    })?;
    // The operator brings the bytes back.
    flip(&file, 99_999)?;
    cluster.ctl(&["scrub", "start", "/file"])?;
    wait_for_the_end(&cluster)?;
    ensure!(states(&cluster, "/file")? == ["repaired"]);
    ensure!(ftp.get(Mode::Pret, "file")? == bytes);
    Ok(())
}

#[test]
fn it_goes_on_where_it_was_whoever_is_killed_and_clients_come_first() -> Result<()> {
    // A second for each copy.
    let slow = ["scrub.max_rate=\"64KiB\"", "scrub.busy_rate=\"0B\""];
    let mut cluster = Cluster::with(spec(&slow))?;
    let mut ftp = cluster.login()?;
    let files: Vec<(String, Vec<u8>)> = (0..12)
        .map(|n| (format!("file-{n:02}"), Bytes::vec(n, 60_000)))
        .collect();
    ftp.ask("MKD two", 257)?;
    for (name, bytes) in &files {
        ftp.put(Mode::Pret, &format!("two/{name}"), bytes)?;
    }
    for (name, bytes) in &files {
        two_copies(&cluster, &format!("two/{name}"), bytes)?;
    }
    let last = "two/file-11";
    flip(&cluster.slaves[1].root.join(last), 1)?;
    cluster.ctl(&["scrub", "start"])?;
    let mut read = 0;
    for killed in ["slave", "master"] {
        cluster.wait_until("some are read", |cluster| Ok(progress(cluster)?.0 > read))?;
        read = progress(&cluster)?.0;
        drop(ftp);
        match killed {
            "slave" => {
                cluster.kill_slave(1)?;
                cluster.start_slave(1)?;
            }
            _ => {
                cluster.kill_master()?;
                cluster.start_master()?;
            }
        }
        cluster.wait_online(2)?;
        let (now, runs) = progress(&cluster)?;
        ensure!(runs && now >= read, "{now} after {read} were read");
        // A client reads meanwhile, and gets good bytes of what is not found to be damaged yet.
        ftp = cluster.login()?;
        for (name, bytes) in &files[..11] {
            ensure!(ftp.get(Mode::Pret, &format!("two/{name}"))? == *bytes);
        }
    }
    // A slave that could not be read is left alone for a minute, unless somebody says otherwise.
    cluster.ctl(&["scrub", "start"])?;
    wait_for_the_end(&cluster)?;
    let (all, _) = progress(&cluster)?;
    ensure!(all == 24, "{all} copies were read: none twice, all of them");
    cluster.wait_until("repaired", |cluster| {
        Ok(states(cluster, "/two/file-11")? == ["repaired"])
    })?;
    two_copies(&cluster, last, &files[11].1)
}
