//! A machine that gives less than the programs would take: open files, and the disk of the store.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

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
