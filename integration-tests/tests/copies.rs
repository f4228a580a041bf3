//! Further copies of files, made from slave to slave by real processes, whatever dies meanwhile.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::cluster::edit;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode};

/// Two copies of everything below `/two`, tried again soon.
fn two_copies(more: &[&str]) -> ClusterSpec {
    let rules = r#"copies.rules=[{ paths = ["/two"], copies = 2 }]"#;
    let quick = ["copies.retry_from=\"1s\"", "copies.retry_to=\"1s\""];
    let soon = ["slaves.lost_transfer_after=\"1s\""];
    let master = [rules]
        .into_iter()
        .chain(quick)
        .chain(soon)
        .chain(more.iter().copied());
    ClusterSpec {
        slaves: 2,
        master: master.map(str::to_owned).collect(),
        ..ClusterSpec::default()
    }
}

/// The slaves on whose disks a file lies with these bytes.
fn with_bytes(cluster: &Cluster, at: &str, bytes: &[u8]) -> usize {
    let paths = cluster.slaves.iter().map(|slave| slave.root.join(at));
    let same = |path: &PathBuf| std::fs::read(path).is_ok_and(|found| found == bytes);
    paths.filter(same).count()
}

fn waiting(cluster: &Cluster) -> Result<u64> {
    let listed = cluster.ctl(&["copy", "list"])?;
    listed["waiting"].as_u64().context("a number of files")
}

fn wait_for_copies(cluster: &Cluster) -> Result<()> {
    cluster.wait_until("nothing to be copied", |cluster| Ok(waiting(cluster)? == 0))
}

/// No slave has anything left in staging.
fn nothing_is_staged(cluster: &Cluster) -> bool {
    cluster.slaves.iter().all(|slave| {
        let staged = std::fs::read_dir(slave.root.join(".drftpd/staging"));
        staged.is_ok_and(|mut staged| staged.next().is_none())
    })
}

#[test]
fn each_file_of_the_rule_gets_a_second_copy_and_is_served_without_the_first() -> Result<()> {
    let mut cluster = Cluster::with(two_copies(&[]))?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD two", 257)?;
    let files: Vec<(String, Vec<u8>)> = (0..12)
        .map(|n| (format!("two/{n}"), Bytes::vec(n, 1 + 200_000 * n as usize)))
        .collect();
    for (name, bytes) in &files {
        ftp.put(Mode::Pret, name, bytes)?;
    }
    ftp.put(Mode::Pret, "one", b"alone")?;
    wait_for_copies(&cluster)?;
    for (name, bytes) in &files {
        cluster.wait_until("two copies", |cluster| {
            Ok(with_bytes(cluster, name, bytes) == 2)
        })?;
    }
    ensure!(with_bytes(&cluster, "one", b"alone") == 1);
    for gone in 0..2 {
        cluster.kill_slave(gone)?;
        cluster.wait_online(1)?;
        for (name, bytes) in &files {
            ensure!(
                ftp.get(Mode::Pret, name)? == *bytes,
                "{name} without slave {gone}"
            );
        }
        cluster.start_slave(gone)?;
        cluster.wait_online(2)?;
    }
    // A file that is there on both is deleted on both.
    ftp.ask("DELE two/3", 250)?;
    let gone = |cluster: &Cluster| {
        cluster
            .slaves
            .iter()
            .all(|slave| !slave.root.join("two/3").exists())
    };
    cluster.wait_until("deleted on both", |cluster| Ok(gone(cluster)))
}

#[test]
fn a_copy_that_breaks_off_goes_on_and_ends_whole() -> Result<()> {
    // Slow enough to be in the middle of it.
    let mut cluster = Cluster::with(two_copies(&["copies.max_rate=\"4MB\""]))?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD two", 257)?;
    let whole = Bytes::vec(7, 8_000_000);
    ftp.put(Mode::Pret, "two/big", &whole)?;
    let has = |cluster: &Cluster, index: usize| cluster.slaves[index].root.join("two/big").exists();
    cluster.wait_until(
        "published",
        |cluster| Ok(has(cluster, 0) || has(cluster, 1)),
    )?;
    let taker = usize::from(has(&cluster, 0));
    let staged = |cluster: &Cluster| -> u64 {
        let staging = cluster.slaves[taker].root.join(".drftpd/staging");
        let files = std::fs::read_dir(staging).into_iter().flatten().flatten();
        files
            .filter_map(|file| Some(file.metadata().ok()?.len()))
            .sum()
    };
    for killed in ["taker", "giver", "master"] {
        let before = staged(&cluster);
        cluster.wait_until("bytes are moving", |cluster| {
            Ok(staged(cluster) > before || has(cluster, taker))
        })?;
        match killed {
            "taker" => {
                cluster.kill_slave(taker)?;
                cluster.start_slave(taker)?;
            }
            "giver" => {
                cluster.kill_slave(1 - taker)?;
                cluster.start_slave(1 - taker)?;
            }
            _ => {
                cluster.kill_master()?;
                cluster.start_master()?;
            }
        }
        cluster.wait_online(2)?;
    }
    cluster.wait_until("two copies", |cluster| {
        Ok(with_bytes(cluster, "two/big", &whole) == 2)
    })?;
    wait_for_copies(&cluster)?;
    cluster.wait_until("nothing is left", |cluster| Ok(nothing_is_staged(cluster)))
}

#[test]
fn a_rule_that_is_new_counts_for_files_that_were_there_before() -> Result<()> {
    let mut spec = two_copies(&[]);
    let rules = spec.master.remove(0);
    let mut cluster = Cluster::with(spec)?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD two", 257)?;
    for n in 0..5 {
        ftp.put(Mode::Pret, &format!("two/{n}"), &Bytes::vec(n, 1000))?;
    }
    ensure!(waiting(&cluster)? == 0);
    drop(ftp);
    cluster.kill_master()?;
    edit(&cluster.master_config(), &[rules])?;
    cluster.start_master()?;
    cluster.wait_online(2)?;
    for n in 0..5 {
        let (name, bytes) = (format!("two/{n}"), Bytes::vec(n, 1000));
        cluster.wait_until("two copies", |cluster| {
            Ok(with_bytes(cluster, &name, &bytes) == 2)
        })?;
    }
    wait_for_copies(&cluster)
}

/// How many files a slave has of a directory; one that has none may not have the directory.
fn files_on(cluster: &Cluster, index: usize, directory: &str) -> usize {
    let there = std::fs::read_dir(cluster.slaves[index].root.join(directory));
    there.map_or(0, Iterator::count)
}

#[test]
fn an_evacuated_slave_can_be_retired_without_losing_a_file_while_clients_go_on() -> Result<()> {
    let soon = ["copies.retry_from=\"1s\"", "copies.retry_to=\"1s\""];
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 2,
        master: soon.map(str::to_owned).to_vec(),
        ..ClusterSpec::default()
    })?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD d", 257)?;
    let bytes = |n: u64| Bytes::vec(n, 50_000);
    for n in 0..20 {
        ftp.put(Mode::Pret, &format!("d/{n}"), &bytes(n))?;
    }
    cluster.wait_settled()?;
    let leaver = usize::from(files_on(&cluster, 1, "d") > 0);
    let name = format!("slave-{}", leaver + 1);
    ensure!(files_on(&cluster, leaver, "d") > 0);
    let refused = cluster.ctl(&["slave", "retire", &name]);
    ensure!(refused.is_err(), "the last copies are there");
    cluster.ctl(&["slave", "evacuate", &name])?;
    for n in 20..40 {
        ftp.put(Mode::Pret, &format!("d/{n}"), &bytes(n))?;
        ensure!(ftp.get(Mode::Pasv, &format!("d/{}", n - 20))? == bytes(n - 20));
    }
    cluster.wait_until("no file is on that slave alone", |cluster| {
        Ok(cluster.ctl(&["slave", "evacuate", &name])?["last"] == 0)
    })?;
    wait_for_copies(&cluster)?;
    cluster.ctl(&["slave", "retire", &name])?;
    cluster.kill_slave(leaver)?;
    for n in 0..40 {
        ensure!(ftp.get(Mode::Pret, &format!("d/{n}"))? == bytes(n), "d/{n}");
    }
    let sound = cluster.ctl(&["check"])?;
    ensure!(sound["findings"] == serde_json::json!([]), "{sound}");
    Ok(())
}

#[test]
fn files_of_a_rule_move_to_its_slave_and_those_too_many_go() -> Result<()> {
    let mut cluster = Cluster::with(two_copies(&[]))?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD two", 257)?;
    let bytes = |n: u64| Bytes::vec(n, 100_000);
    for n in 0..10 {
        ftp.put(Mode::Pret, &format!("two/{n}"), &bytes(n))?;
    }
    wait_for_copies(&cluster)?;
    cluster.wait_settled()?;
    let lie = |cluster: &Cluster| [0, 1].map(|index| files_on(cluster, index, "two"));
    ensure!(lie(&cluster) == [10, 10]);
    // One copy is enough now, and of the second slave alone.
    let rule = r#"copies.rules=[{ paths = ["/two"], older_than = "1s", copies = 1, slaves = ["slave-2"], only = true, surplus = "remove" }]"#;
    cluster.kill_master()?;
    edit(&cluster.master_config(), &[rule.to_owned()])?;
    cluster.start_master()?;
    cluster.wait_online(2)?;
    cluster.ctl(&["copy", "look"])?;
    cluster.wait_until("moved", |cluster| {
        if waiting(cluster)? == 0 {
            cluster.ctl(&["copy", "look"])?;
        }
        Ok(lie(cluster) == [0, 10])
    })?;
    // A new one, too, wherever it was put first, and whoever reads it meanwhile.
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "two/new", &bytes(10))?;
    cluster.wait_until("moved when it is old enough", |cluster| {
        cluster.ctl(&["copy", "look"])?;
        Ok(lie(cluster) == [0, 11])
    })?;
    for n in 0..10 {
        ensure!(ftp.get(Mode::Pret, &format!("two/{n}"))? == bytes(n));
    }
    ensure!(ftp.get(Mode::Pret, "two/new")? == bytes(10));
    let sound = cluster.ctl(&["check"])?;
    ensure!(sound["findings"] == serde_json::json!([]), "{sound}");
    Ok(())
}

#[test]
fn a_download_in_segments_draws_on_both_slaves_that_have_the_file() -> Result<()> {
    // Slow enough to be seen.
    let cluster = Cluster::with(ClusterSpec {
        slave: vec!["transfer.send_rate=\"1MB\"".into()],
        ..two_copies(&[])
    })?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD two", 257)?;
    let whole = Bytes::vec(3, 4_000_000);
    ftp.put(Mode::Pret, "two/big", &whole)?;
    wait_for_copies(&cluster)?;
    let folder = tempfile::tempdir()?;
    let got = folder.path().join("got");
    let script = format!(
        "set ssl:verify-certificate no; open {}; pget -n 4 two/big -o {}; exit",
        cluster.url(),
        got.display()
    );
    let lftp = Command::new("lftp")
        .args(["--norc", "-c", &script])
        .stdin(Stdio::null())
        .spawn()?;
    cluster.wait_until("segments from each slave", |cluster| {
        let slaves = cluster.ctl(&["slave", "list"])?;
        let all = slaves["slaves"].as_array().cloned().unwrap_or_default();
        Ok(all
            .iter()
            .all(|slave| slave["transfers"].as_u64() >= Some(1)))
    })?;
    let ended = lftp.wait_with_output()?;
    ensure!(ended.status.success(), "{ended:?}");
    ensure!(std::fs::read(got)? == whole);
    Ok(())
}
