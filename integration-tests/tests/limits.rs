//! A machine that gives less than the programs would take: open files, and the disk of the store.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::process::PATIENCE;
use drftpd_integration_tests::{Cluster, Mode};
use rustix::process::Resource;

/// A client that says nothing, and the first line it heard; empty if it was closed without a word.
fn knock(cluster: &Cluster) -> Result<(TcpStream, String)> {
    let stream = TcpStream::connect(cluster.ftp)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    // A reset is a word too.
    drop(BufReader::new(&stream).read_line(&mut line));
    Ok((stream, line))
}

fn livez(cluster: &Cluster) -> Result<String> {
    let mut stream = TcpStream::connect(cluster.at("admin")?)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn both_programs_raise_their_limit_of_open_files_as_far_as_they_may() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let master = cluster.master.as_ref().context("it runs")?.pid();
    let slave = cluster.slaves[0].process.as_ref().context("it runs")?.pid();
    for pid in [master, slave] {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits"))?;
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let line = line.context("a limit of open files")?;
        let words: Vec<&str> = line.split_whitespace().collect();
        ensure!(words[3] == words[4], "{line}");
    }
    Ok(())
}

#[test]
fn clients_hear_421_before_open_files_run_out_and_everything_else_goes_on() -> Result<()> {
    let mut cluster = Cluster::start(1)?;
    let mut early = cluster.login()?;
    let master = cluster.master.as_ref().context("it runs")?;
    let limit = master.open_files()? + 100;
    master.limit(Resource::Nofile, limit)?;
    let mut clients = Vec::new();
    let mut refused = Vec::new();
    for _ in 0..300 {
        let (stream, line) = knock(&cluster)?;
        if line.starts_with("220") {
            clients.push(stream);
        } else {
            ensure!(line.is_empty() || line.starts_with("421"), "{line}");
            refused.push(line);
        }
    }
    ensure!(
        clients.len() >= 20 && clients.len() <= 70,
        "{}",
        clients.len()
    );
    ensure!(
        refused[0].starts_with("421"),
        "the first is told: {refused:?}"
    );

    cluster.ctl(&["who"])?;
    let health = livez(&cluster)?;
    ensure!(health.starts_with("HTTP/1.1 200"), "{health}");
    early.put(Mode::Pret, "a.bin", b"goes on")?;
    ensure!(early.names(Mode::Pasv, "/")? == ["a.bin"]);
    let root = cluster.path().join("root-2");
    cluster.add_slave(2, root)?;
    cluster.wait_online(2)?;
    drop(clients);
    cluster.wait_until("there is room again", |cluster| {
        Ok(knock(cluster)?.1.starts_with("220"))
    })?;
    let log = cluster.master.as_ref().context("it runs")?.log();
    ensure!(!log.contains("cannot be accepted"), "{log}");
    Ok(())
}

/// A small filesystem in memory, unmounted when it is dropped.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path) -> Result<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "drftpd-test"]);
        let mounted = mount.arg(path).status()?.success();
        ensure!(mounted, "this test mounts a small filesystem: run as root");
        Ok(Small(path.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_of_the_store_gives_452_and_503_and_is_over_when_there_is_space() -> Result<()> {
    let mut cluster = Cluster::start(1)?;
    cluster.kill_master()?;
    let (store, kept) = (
        cluster.path().join("master/store"),
        cluster.path().join("kept"),
    );
    std::fs::rename(&store, &kept)?;
    std::fs::create_dir(&store)?;
    let _small = Small::mount(&store)?;
    for file in std::fs::read_dir(&kept)? {
        let file = file?;
        std::fs::copy(file.path(), store.join(file.file_name()))?;
    }
    cluster.start_master()?;
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD before", 257)?;
    let ballast = store.join("ballast");
    ensure!(std::fs::write(&ballast, vec![7; 16 << 20]).is_err());
    // What the log of the database has room for is still taken.
    let mut made = 0;
    loop {
        ftp.send(&format!("MKD d{made}"))?;
        match ftp.reply()?.0 {
            257 => made += 1,
            code => {
                ensure!(code == 452, "{code} after {made}");
                break;
            }
        }
        ensure!(made < 20_000, "it never gets full");
    }
    let health = livez(&cluster)?;
    ensure!(
        health.starts_with("HTTP/1.1 503") && health.contains("store is full"),
        "{health}"
    );
    ensure!(ftp.names(Mode::Pasv, "/")?.len() == made + 1, "reads go on");
    ftp.ask("RMD before", 452)?;

    std::fs::remove_file(&ballast)?;
    cluster.wait_until("it finds the space by itself", |cluster| {
        Ok(livez(cluster)?.starts_with("HTTP/1.1 200"))
    })?;
    ftp.ask("MKD after", 257)?;
    ftp.ask("RMD before", 250)?;
    let log = cluster.master.as_ref().context("it runs")?.log();
    ensure!(
        log.matches("the disk of the store is full").count() == 1,
        "{log}"
    );
    Ok(())
}
