//! Configurations that cannot be used, and a second program where there may be only one.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Cluster, Mode};

/// Both ways to meet a configuration, of both programs.
const WAYS: [&[&str]; 2] = [&["config", "check", "--config"], &["run", "--config"]];

/// Runs a program with a configuration; it must say 2 and name all of this.
fn is_refused(name: &str, file: &Path, named: &[&str]) -> Result<()> {
    for way in WAYS {
        let output = Command::new(program(name)?).args(way).arg(file).output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        ensure!(code == Some(2), "{name} {way:?}: {code:?} {text}");
        for what in named {
            ensure!(
                text.contains(what),
                "{name} {way:?}: {what} is not named: {text}"
            );
        }
    }
    Ok(())
}

#[test]
fn every_error_of_a_configuration_is_named_with_file_and_key() -> Result<()> {
    let (_gone, dir) = drftpd_integration_tests::client::folder()?;
    let bad = dir.join("bad.toml");
    std::fs::write(
        &bad,
        r#"
        [ftp]
        listne = ["127.0.0.1:0"]
        idle_timeout = "soon"
        [store]
        durability = "maybe"
        [nonsense]
        [[transfer.upload.filter]]
        name = "minfreespace"
        min = "much"
        [[transfer.upload.filter]]
        name = "nonesuch"
        "#,
    )?;
    let named = [
        "bad.toml",
        "ftp.listne",
        "ftp.idle_timeout",
        "store.durability",
        "nonsense",
        "transfer.upload.filter[0].min",
        "transfer.upload.filter[1].name",
    ];
    is_refused("drftpd-master", &bad, &named)?;
    std::fs::write(
        &bad,
        r#"
        [master]
        adress = "127.0.0.1:1"
        [storage]
        fsync = "perhaps"
        [transfer]
        passive_ports = "9-1"
        [[root]]
        paht = "/nowhere"
        "#,
    )?;
    let named = [
        "bad.toml",
        "master.adress",
        "storage.fsync",
        "transfer.passive_ports",
        "paht",
    ];
    is_refused("drftpd-slave", &bad, &named)
}

#[test]
fn a_configuration_that_cannot_even_be_read_is_named_with_its_file() -> Result<()> {
    let (_gone, dir) = drftpd_integration_tests::client::folder()?;
    let broken = dir.join("broken.toml");
    std::fs::write(&broken, "[ftp\nlisten = ")?;
    let binary = dir.join("binary.toml");
    std::fs::write(&binary, b"[ftp]\ngreeting = \"\xff\xfe\"\n")?;
    let folder = dir.join("folder.toml");
    std::fs::create_dir(&folder)?;
    let missing = dir.join("missing.toml");
    for name in ["drftpd-master", "drftpd-slave"] {
        is_refused(name, &broken, &["broken.toml", "line 1"])?;
        is_refused(name, &binary, &["binary.toml"])?;
        is_refused(name, &folder, &["folder.toml"])?;
        is_refused(name, &missing, &["missing.toml"])?;
    }
    Ok(())
}

#[test]
fn every_error_of_permissions_is_named_with_file_and_line() -> Result<()> {
    let (_gone, dir) = drftpd_integration_tests::client::folder()?;
    let config = dir.join("master.toml");
    std::fs::write(&config, "[rights]\nfile = \"perms.conf\"\n")?;
    is_refused("drftpd-master", &config, &["perms.conf"])?;
    let lines = "upload * *\nuplaod * *\nprivpath staff =staff\ndelete * siteop\n";
    std::fs::write(dir.join("perms.conf"), lines)?;
    let named = [
        "perms.conf: line 2: uplaod",
        "perms.conf: line 3",
        "perms.conf: line 4: delete",
    ];
    is_refused("drftpd-master", &config, &named)
}

#[test]
fn permissions_that_became_wrong_change_nothing() -> Result<()> {
    let mut cluster = Cluster::start(0)?;
    let file = cluster.path().join("perms.conf");
    std::fs::write(&file, "makedir /in/* *\nmakedir /in *\n")?;
    cluster.kill_master()?;
    let change = format!("rights.file=\"{}\"", file.display());
    drftpd_integration_tests::cluster::edit(&cluster.master_config(), &[change])?;
    cluster.start_master()?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD out", 550)?;
    ftp.ask("MKD in", 257)?;
    std::fs::write(&file, "makedir * *\nmakedir out\n")?;
    let refused = cluster.ctl(&["reload"]).map_err(|why| why.to_string());
    ensure!(
        refused.as_ref().is_err_and(|why| why.contains("line 2")),
        "{refused:?}"
    );
    ftp.ask("MKD out", 550)?;
    std::fs::write(&file, "makedir * *\n")?;
    let reloaded = cluster.ctl(&["reload"])?;
    ensure!(reloaded.to_string().contains("rights"), "{reloaded}");
    ftp.ask("MKD out", 257).map(drop)
}

#[test]
fn a_second_master_on_one_directory_is_refused() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let mut second = Command::new(program("drftpd-master")?);
    let output = second
        .arg("run")
        .arg("--config")
        .arg(cluster.master_config())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1),
        "{:?} {text}",
        output.status
    );
    ensure!(text.to_lowercase().contains("another master"), "{text}");
    let mut ftp = cluster.login().context("the first goes on")?;
    ftp.ask("MKD d", 257).map(drop)
}

#[test]
fn a_second_slave_on_one_root_is_refused() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut second = Command::new(program("drftpd-slave")?);
    let output = second
        .arg("run")
        .arg("--config")
        .arg(&cluster.slaves[0].config)
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "it started");
    let root = cluster.slaves[0].root.display().to_string();
    ensure!(
        text.contains("another slave") && text.contains(&root),
        "{text}"
    );
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "x", b"the first goes on")
}
