//! Bad lines over a real socket, bad configuration, two masters, panics.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::points::Points;
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};

#[test]
fn bad_lines_get_their_codes_and_the_session_lives_on() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let mut ftp = cluster.login()?;
    for (bytes, code) in [
        (&b"NOSUCHVERB x\r\n"[..], 502),
        (b"\r\n", 500),
        (b"DELE a\x01b\r\n", 501),
        (b"DELE a\0b\r\n", 501),
        (b"DELE a\rb\r\n", 501),
        (b"MKD\r\n", 501),
        (b"REST twelve\r\n", 501),
        (b"PORT 1,2,3\r\n", 501),
        (b"TYPE X\r\n", 504),
        (b"RNTO nowhere\r\n", 503),
        (b"CWD /no/such\r\n", 550),
        (b"MKD ..\r\n", 550),
        (b"NOOP\n", 200),
        (b"NO\xff\xf1OP\r\n", 200),
    ] {
        ftp.send_bytes(bytes)?;
        let (got, lines) = ftp.reply()?;
        let same_class = got / 100 == code / 100 && (code == 550 || got == code);
        ensure!(
            same_class,
            "{:?}: {lines:?} instead of {code}",
            bytes.escape_ascii().to_string()
        );
    }
    ensure!(ftp.ask("PWD", 257)?.contains("\"/\""));
    Ok(())
}

#[test]
fn an_endless_line_is_cut_off_and_costs_no_memory() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let master = cluster.master.as_ref().context("runs")?;
    let before = master.resident_kib()?;
    for logged_in in [false, true] {
        let mut ftp = match logged_in {
            true => cluster.login()?,
            false => Ftp::connect(cluster.ftp)?,
        };
        let chunk = vec![b'a'; 64 << 10];
        // 64 MiB at the most; the server closes long before.
        let refused = (0..1024).any(|_| ftp.send_bytes(&chunk).is_err());
        ensure!(refused, "64 MiB of one line were taken");
    }
    let after = master.resident_kib()?;
    ensure!(
        after < before + (16 << 10),
        "{before} KiB before, {after} KiB after"
    );
    ensure!(cluster.login().is_ok());
    Ok(())
}

#[test]
fn what_follows_an_over_long_line_is_not_run() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let mut ftp = cluster.login()?;
    let line = [
        b"MKD ".to_vec(),
        vec![b'a'; 9000],
        b"\r\nMKD smuggled\r\n".to_vec(),
    ]
    .concat();
    ftp.send_bytes(&line)?;
    ensure!(ftp.reply()?.0 == 500);
    ensure!(ftp.is_closed());
    ensure!(cluster.login()?.names(Mode::Pasv, "/")?.is_empty());
    Ok(())
}

#[test]
fn a_web_browser_is_sent_away() -> Result<()> {
    let cluster = Cluster::start(0)?;
    let mut ftp = Ftp::connect(cluster.ftp)?;
    ftp.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
    ensure!(ftp.is_closed());
    Ok(())
}

#[test]
fn random_bytes_never_bring_the_master_down() -> Result<()> {
    let mut cluster = Cluster::start(0)?;
    let seed = drftpd_actors::testkit::seed();
    for round in 0..40 {
        let mut ftp = match round % 2 {
            0 => Ftp::connect(cluster.ftp)?,
            _ => cluster.login()?,
        };
        let mut bytes = Bytes::vec(seed.wrapping_add(round), 20_000);
        // Line ends here and there, so that it is many lines.
        bytes
            .chunks_mut(37)
            .for_each(|line| line[line.len() - 1] = b'\n');
        // The server may close in the middle; that is its right.
        drop(ftp.send_bytes(&bytes));
    }
    ensure!(
        cluster.master.as_mut().context("runs")?.is_alive()?,
        "seed {seed}"
    );
    ensure!(
        cluster.login()?.ask("PWD", 257)?.contains('/'),
        "seed {seed}"
    );
    Ok(())
}

#[test]
fn every_error_of_a_configuration_is_named_with_file_and_key() -> Result<()> {
    let (_gone, dir) = drftpd_integration_tests::client::folder()?;
    let bad = dir.join("bad.toml");
    std::fs::write(
        &bad,
        "[ftp]\nlistne = [\"127.0.0.1:0\"]\nidle_timeout = \"soon\"\n[store]\ndurability = \"maybe\"\n[nonsense]\n",
    )?;
    for (name, args) in [
        ("drftpd-master", &["config", "check", "--config"][..]),
        ("drftpd-master", &["run", "--config"]),
    ] {
        let output = Command::new(program(name)?).args(args).arg(&bad).output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(2),
            "{args:?}: {:?} {text}",
            output.status
        );
        for key in [
            "bad.toml",
            "ftp.listne",
            "ftp.idle_timeout",
            "store.durability",
            "nonsense",
        ] {
            ensure!(text.contains(key), "{key} is not named: {text}");
        }
    }
    std::fs::write(
        &bad,
        "[master]\nadress = \"127.0.0.1:1\"\n[storage]\nfsync = \"perhaps\"\n",
    )?;
    let mut check = Command::new(program("drftpd-slave")?);
    let output = check
        .args(["config", "check", "--config"])
        .arg(&bad)
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(2),
        "{:?} {text}",
        output.status
    );
    for key in ["bad.toml", "master.adress", "storage.fsync"] {
        ensure!(text.contains(key), "{key} is not named: {text}");
    }
    Ok(())
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
    ensure!(!output.status.success(), "it started");
    ensure!(text.to_lowercase().contains("another master"), "{text}");
    ensure!(cluster.login().is_ok(), "the first goes on");
    Ok(())
}

#[test]
fn a_session_that_panics_takes_nobody_with_it() -> Result<()> {
    let spec = ClusterSpec {
        slaves: 1,
        master_failpoints: "actor.ftp_session=3:panic".into(),
        ..ClusterSpec::default()
    };
    let mut cluster = Cluster::with(spec)?;
    let mut good = Ftp::connect(cluster.ftp)?;
    let mut lost = 0;
    for _ in 0..6 {
        let mut other = Ftp::connect(cluster.ftp)?;
        lost += u32::from(other.ask("NOOP", 200).is_err());
    }
    ensure!(lost == 1, "{lost} sessions were lost instead of one");
    good.ask(&format!("USER {USER}"), 331)?;
    good.ask(&format!("PASS {PASSWORD}"), 230)?;
    good.put(Mode::Pret, "x", b"goes on")?;
    ensure!(cluster.master.as_mut().context("runs")?.is_alive()?);
    Ok(())
}

#[test]
fn a_core_actor_that_panics_once_is_back_with_new_state() -> Result<()> {
    let actors = [
        "actor.vfs",
        "actor.transfer_coordinator",
        "actor.accounts",
        "actor.slave_registry",
        "actor.slave_manager",
        "actor.ftp_acceptor",
    ];
    let points = Points::new("panic")?;
    let spec = ClusterSpec {
        slaves: 1,
        master_failpoints: points.spec(&actors),
        ..ClusterSpec::default()
    };
    let mut cluster = Cluster::with(spec)?;
    let attempt = |cluster: &Cluster, name: &str| -> Result<()> {
        let mut ftp = cluster.login()?;
        ftp.put(Mode::Pret, name, b"bytes")?;
        ensure!(ftp.get(Mode::Pasv, name)? == b"bytes");
        Ok(())
    };
    for actor in actors {
        points.arm(actor)?;
        // Some of these meet the panic and hear an error; afterwards everything works again.
        cluster.wait_until(&format!("a panic of {actor}"), |cluster| {
            drop(attempt(cluster, actor));
            Ok(points.failed(actor).is_ok())
        })?;
        cluster.wait_until(&format!("work after a panic of {actor}"), |cluster| {
            Ok(attempt(cluster, "after").is_ok())
        })?;
        let master = cluster.master.as_mut().context("runs")?;
        ensure!(master.is_alive()?, "{actor}");
        let panicked = |line: &str| line.contains("panicked") && line.contains(actor);
        ensure!(master.log().lines().any(panicked), "{actor}");
    }
    Ok(())
}

#[test]
fn a_slaves_actor_that_panics_costs_at_most_its_transfer() -> Result<()> {
    for actor in ["master_link", "transfer", "root_scanner", "space_meter"] {
        let spec = ClusterSpec {
            slaves: 1,
            slave_failpoints: format!("actor.{actor}=1:panic"),
            ..ClusterSpec::default()
        };
        let mut cluster = Cluster::with(spec)?;
        let attempt = |cluster: &Cluster, n: usize| -> Result<()> {
            let mut ftp = cluster.login()?;
            ftp.put(Mode::Pret, &format!("f{n}"), b"bytes")?;
            ensure!(ftp.get(Mode::Pasv, &format!("f{n}"))? == b"bytes");
            Ok(())
        };
        let failed = (0..4).filter(|n| attempt(&cluster, *n).is_err()).count();
        ensure!(failed <= 2, "{actor}: {failed} of 4 failed");
        cluster.wait_until(&format!("work after a panic of {actor}"), |cluster| {
            Ok(attempt(cluster, 99).is_ok())
        })?;
        let slave = cluster.slaves[0].process.as_mut().context("runs")?;
        ensure!(slave.is_alive()?);
        ensure!(
            slave.log().contains(&format!("failpoint actor.{actor}")),
            "{actor} was never reached"
        );
    }
    Ok(())
}

#[test]
fn a_core_actor_that_always_panics_ends_the_master_with_an_error() -> Result<()> {
    let spec = ClusterSpec {
        slaves: 0,
        master_failpoints: "actor.vfs=panic".into(),
        master: vec!["shutdown.drain=\"1s\"".into()],
        ..ClusterSpec::default()
    };
    let mut cluster = Cluster::with(spec)?;
    let ended = (0..200).any(|n| {
        let tried = cluster
            .login()
            .and_then(|mut ftp| ftp.ask(&format!("MKD d{n}"), 257));
        tried.is_err()
            && cluster
                .master
                .as_mut()
                .is_some_and(|m| !m.is_alive().unwrap_or(true))
    });
    let status = cluster.master.take().context("was started")?.wait()?;
    ensure!(
        status.code() == Some(1),
        "ended by itself: {ended}, {status:?}"
    );
    Ok(())
}
