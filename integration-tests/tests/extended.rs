//! A master that was made from the library with a plugin, a command and a filter of its own, and those of the tree.

use std::io::Write;
use std::net::Shutdown;
use std::process::Command;

use anyhow::{Result, ensure};
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp, Mode};

const PROGRAM: &str = "drftpd-master-extended";

fn extended() -> Result<Cluster> {
    let filter =
        r#"transfer.upload.filter=[{ name = "avoid", dir = "private", slaves = ["slave-1"] }]"#;
    let master = [
        filter,
        r#"plugins.tally={ refuse = [".exe"] }"#,
        "plugins.nuke={}",
    ];
    Cluster::with(ClusterSpec {
        program: PROGRAM,
        master: master.map(str::to_owned).to_vec(),
        ..ClusterSpec::default()
    })
}

/// What the program's own command line says.
fn ctl(cluster: &Cluster, words: &[&str]) -> Result<String> {
    let mut command = Command::new(program(PROGRAM)?);
    command
        .args(["ctl", "--dir"])
        .arg(cluster.path().join("master"));
    let done = command.args(words).output()?;
    let (out, err) = (
        done.stdout,
        String::from_utf8_lossy(&done.stderr).into_owned(),
    );
    ensure!(done.status.success(), "{words:?}: {err}");
    Ok(String::from_utf8(out)?)
}

/// What curl is told in answer to a command.
fn curl(cluster: &Cluster, command: &str) -> Result<String> {
    let url = format!("ftp://{}/", cluster.ftp);
    let mut curl = Command::new("curl");
    curl.args([
        "-sv",
        "-l",
        "-Q",
        command,
        "-u",
        &format!("{USER}:{PASSWORD}"),
        &url,
    ]);
    Ok(String::from_utf8_lossy(&curl.output()?.stderr).into_owned())
}

/// The whole reply to one upload.
fn sent(ftp: &mut Ftp, name: &str) -> Result<Vec<String>> {
    let data = ftp.data(Mode::Pret, "STOR", name)?;
    ftp.ask(&format!("STOR {name}"), 150)?;
    let mut stream = data.stream()?;
    stream.write_all(b"bytes")?;
    stream.shutdown(Shutdown::Write)?;
    ftp.expect(226)
}

#[test]
fn a_master_of_ones_own_has_its_plugin_its_command_and_its_filter() -> Result<()> {
    let mut cluster = extended()?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD private", 257)?;
    for number in 0..4 {
        ftp.put(Mode::Pret, &format!("private/{number}"), b"bytes")?;
    }
    ftp.put(Mode::Pret, "last", b"bytes")?;
    cluster.wait_settled()?;
    let on = |slave: usize| cluster.slaves[slave].root.join("private").exists();
    ensure!(!on(0) && on(1), "the filter keeps them off the first slave");
    // By every way that leads to an upload, also where it is only announced.
    for line in ["STOR a.exe", "APPE private/../a.exe", "PRET STOR a.exe"] {
        let reply = ftp.ask(line, 553)?;
        ensure!(reply.contains(".exe"), "{reply}");
    }
    cluster.wait_until("all is counted", |cluster| {
        Ok(ctl(cluster, &["tally", "show", "admin"])?.contains("5 files, 25 bytes"))
    })?;
    let told = sent(&mut ftp, "one-more")?;
    ensure!(told[0].contains("files so far"), "{told:?}");
    cluster.kill_master()?;
    cluster.start_master()?;
    let mut ftp = cluster.login()?;
    cluster.wait_until("it is counted once", |cluster| {
        Ok(curl(cluster, "SITE TALLY admin")?.contains("200 admin has sent 6 files, 30 bytes"))
    })?;
    // What is in the tree is in it, too.
    let nuked = ftp.ask("SITE NUKE private 1 not here", 200)?;
    ensure!(nuked.contains("End"), "{nuked}");
    ftp.ask("CWD [NUKED]-private", 250).map(drop)
}
