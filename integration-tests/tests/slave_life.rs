//! What an operator decides about slaves and their disks: drained, worked on, given up; and one slave twice.

use std::cell::Cell;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Bytes, Cluster, Ftp, Mode, Running};

/// Which slave has a file at its place.
fn holder(cluster: &Cluster, name: &str) -> Result<usize> {
    cluster.wait_until("the file at its place", |cluster| {
        Ok(cluster.roots().iter().any(|root| root.join(name).exists()))
    })?;
    let roots = cluster.roots();
    let holder = roots.iter().position(|root| root.join(name).exists());
    holder.context("a slave has it")
}

/// Uploads some files; answers who has them.
fn put_some(cluster: &Cluster, ftp: &mut Ftp, stem: &str) -> Result<Vec<usize>> {
    let mut holders = Vec::new();
    for n in 0..4 {
        // Directories of their own, so that nothing keeps them together.
        ftp.ask(&format!("MKD {stem}{n}"), 257)?;
        let name = format!("{stem}{n}/file.bin");
        ftp.put(Mode::Pret, &name, stem.as_bytes())?;
        holders.push(holder(cluster, &name)?);
    }
    Ok(holders)
}

fn is_unavailable(ftp: &mut Ftp, name: &str) -> Result<()> {
    ftp.data(Mode::Pasv, "", "")?;
    ftp.ask(&format!("RETR {name}"), 450).map(drop)
}

fn row(cluster: &Cluster, index: usize) -> Result<serde_json::Value> {
    let listed = cluster.ctl(&["slave", "list"])?;
    let all = listed["slaves"].as_array().context("slaves")?.clone();
    let name = cluster.slaves[index].name.as_str();
    all.into_iter()
        .find(|row| row["name"] == name)
        .context("listed")
}

#[test]
fn a_drained_slave_takes_no_new_files_serves_what_it_has_and_stays_so_over_restarts() -> Result<()>
{
    let mut cluster = Cluster::start(2)?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "first.bin", b"first")?;
    let drained = holder(&cluster, "first.bin")?;
    let (name, other) = (cluster.slaves[drained].name.clone(), 1 - drained);
    cluster.ctl(&["slave", "drain", &name])?;
    ensure!(row(&cluster, drained)?["drained"].is_i64());
    ensure!(put_some(&cluster, &mut ftp, "a")? == [other; 4]);
    ensure!(ftp.get(Mode::Pret, "first.bin")? == b"first");
    let judged = cluster.ctl(&["transfer", "dry-run", "/new.bin", "up"])?;
    let roots = judged["roots"].as_array().context("roots")?;
    let of = roots.iter().find(|root| root["slave"] == name.as_str());
    let why = of.context("judged")?["rejected"].to_string();
    ensure!(why.contains("drained"), "{why}");

    cluster.kill_master()?;
    cluster.start_master()?;
    cluster.wait_online(2)?;
    let mut ftp = cluster.login()?;
    ensure!(put_some(&cluster, &mut ftp, "b")? == [other; 4]);
    ensure!(ftp.get(Mode::Pret, "first.bin")? == b"first");
    cluster.ctl(&["slave", "undrain", &name])?;
    ensure!(row(&cluster, drained)?["drained"].is_null());
    // Not at once: what it received at first may count for some time, and what the other one did since not yet.
    let tries = Cell::new(0);
    cluster.wait_until("it takes new files again", |cluster| {
        let names = format!("c{}-", tries.replace(tries.get() + 1));
        let on = put_some(cluster, &mut cluster.login()?, &names)?;
        Ok(on.contains(&drained))
    })
}

#[test]
fn what_only_a_slave_in_maintenance_has_is_offline_until_it_is_back() -> Result<()> {
    let cluster = Cluster::start(2)?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "file.bin", b"bytes")?;
    let holder = holder(&cluster, "file.bin")?;
    let name = cluster.slaves[holder].name.clone();
    cluster.ctl(&["slave", "maintenance", &name, "on"])?;
    is_unavailable(&mut ftp, "file.bin")?;
    ensure!(ftp.names(Mode::Pasv, "/")? == ["file.bin"]);
    ensure!(put_some(&cluster, &mut ftp, "a")? == [1 - holder; 4]);
    ensure!(row(&cluster, holder)?["maintenance"].is_i64());
    cluster.ctl(&["slave", "maintenance", &name, "off"])?;
    ensure!(ftp.get(Mode::Pret, "file.bin")? == b"bytes");
    Ok(())
}

#[test]
fn a_root_is_retired_with_its_last_copies_only_by_force_and_entries_stay() -> Result<()> {
    let mut cluster = Cluster::start(2)?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "lost.bin", b"nowhere else")?;
    let leaving = holder(&cluster, "lost.bin")?;
    let (name, stays) = (cluster.slaves[leaving].name.clone(), 1 - leaving);
    let roots = cluster.ctl(&["root", "list"])?;
    let roots = roots["roots"].as_array().context("roots")?.clone();
    let root = roots.iter().find(|root| root["slave"] == name.as_str());
    let root = root.context("its root")?["root"]
        .as_str()
        .context("text")?
        .to_owned();
    let refused = cluster
        .ctl(&["root", "retire", &root])
        .expect_err("last copies");
    let refused = format!("{refused:#}");
    ensure!(
        refused.contains("1 files") && refused.contains("/lost.bin"),
        "{refused}"
    );
    ensure!(ftp.get(Mode::Pret, "lost.bin")? == b"nowhere else");

    let done = cluster.ctl(&["root", "retire", &root, "force"])?;
    ensure!(done["last_copies"] == 1, "{done}");
    is_unavailable(&mut ftp, "lost.bin")?;
    ensure!(ftp.names(Mode::Pasv, "/")? == ["lost.bin"]);
    ensure!(put_some(&cluster, &mut ftp, "a")? == [stays; 4]);
    // Its slave comes back and shows it once more.
    cluster.kill_slave(leaving)?;
    cluster.wait_online(1)?;
    cluster.start_slave(leaving)?;
    cluster.wait_until("the retired root refused", |cluster| {
        Ok(row(cluster, leaving)?["state"] == "online" && row(cluster, leaving)?["roots"] == 0)
    })?;
    is_unavailable(&mut ftp, "lost.bin")?;
    // The same bytes once more.
    ftp.put(Mode::Pret, "lost.bin", b"sent again")?;
    ensure!(ftp.get(Mode::Pret, "lost.bin")? == b"sent again");
    let checked = cluster.ctl(&["check"])?;
    ensure!(checked["wrong"] == 0, "{checked}");

    let gone = cluster.ctl(&["slave", "retire", &name])?;
    ensure!(gone["slave"] == name.as_str(), "{gone}");
    ensure!(row(&cluster, leaving).is_err(), "still listed");
    Ok(())
}

#[test]
fn a_second_machine_with_the_certificate_of_a_slave_is_refused_while_that_one_is_there()
-> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    let bytes = Bytes::vec(7, 300_000);
    ftp.put(Mode::Pret, "file.bin", &bytes)?;
    // All that the slave has, copied, with a root of its own.
    let first = cluster.slaves[0].config.parent().context("a folder")?;
    let (second, root) = (
        cluster.path().join("copy"),
        cluster.path().join("copied root"),
    );
    std::fs::create_dir(&second)?;
    std::fs::create_dir(&root)?;
    for entry in std::fs::read_dir(first)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), second.join(entry.file_name()))?;
        }
    }
    let config = second.join("slave.toml");
    let text = std::fs::read_to_string(&config)?;
    let old = cluster.slaves[0].root.display().to_string();
    ensure!(text.contains(&old), "{text}");
    std::fs::write(&config, text.replace(&old, &root.display().to_string()))?;
    let mut command = Command::new(program("drftpd-slave")?);
    command
        .current_dir(&second)
        .arg("run")
        .arg("--config")
        .arg(&config);
    let log = cluster.path().join("copy.log");
    let mut twin = Running::start(command, &log)?;
    cluster.wait_until("the second refused", |_| {
        Ok(std::fs::read_to_string(&log)?.contains("is online"))
    })?;
    ensure!(twin.is_alive()?, "it tries again later");
    ensure!(row(&cluster, 0)?["roots"] == 1);
    ensure!(ftp.get(Mode::Pret, "file.bin")? == bytes);
    twin.kill()
}
