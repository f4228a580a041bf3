//! Uploads that have two copies before 226, with real processes: what was acknowledged outlives either disk, and what was
//! not leaves nothing behind.

use std::io::Write;
use std::net::Shutdown;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::ftps::{Ftps, Handshake};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode};

/// Two copies of everything before 226.
fn spec(slaves: usize, more: &[&str]) -> ClusterSpec {
    let rule = "copies.rules=[{ copies = 2, ack_copies = 2 }]";
    let quick = [
        "copies.retry_from=\"1s\"",
        "copies.retry_to=\"1s\"",
        "copies.ack_timeout=\"3s\"",
        "slaves.lost_transfer_after=\"1s\"",
    ];
    let master = [rule].into_iter().chain(quick).chain(more.iter().copied());
    ClusterSpec {
        slaves,
        master: master.map(str::to_owned).collect(),
        ..ClusterSpec::default()
    }
}

/// The slaves that have something in staging.
fn staged(cluster: &Cluster) -> Vec<usize> {
    let has = |index: &usize| {
        let staging = cluster.slaves[*index].root.join(".drftpd/staging");
        std::fs::read_dir(staging).is_ok_and(|mut staged| staged.next().is_some())
    };
    (0..cluster.slaves.len()).filter(has).collect()
}

fn with_bytes(cluster: &Cluster, name: &str, bytes: &[u8]) -> usize {
    let paths = cluster.slaves.iter().map(|slave| slave.root.join(name));
    let same = paths.filter(|path| std::fs::read(path).is_ok_and(|found| found == bytes));
    same.count()
}

#[test]
fn what_was_acknowledged_outlives_either_slave_however_it_was_sent() -> Result<()> {
    let mut cluster = Cluster::with(spec(2, &[]))?;
    let modes = [Mode::Pret, Mode::Pasv, Mode::Port, Mode::Epsv];
    for (round, mode) in modes.into_iter().enumerate() {
        for gone in 0..2 {
            let name = format!("file-{round}-{gone}");
            let bytes = Bytes::vec(round as u64, 700_000 * round + 5000);
            // In clear and under TLS; between the slaves there is TLS in any case.
            match gone {
                0 => cluster.login()?.put(mode, &name, &bytes)?,
                _ => Ftps::explicit(cluster.ftp, Handshake::Full)?.put(mode, &name, &bytes)?,
            }
            cluster.kill_slave(gone)?;
            cluster.wait_online(1)?;
            ensure!(cluster.login()?.get(Mode::Pret, &name)? == bytes, "{name}");
            cluster.start_slave(gone)?;
            cluster.wait_online(2)?;
            cluster.wait_until("two copies", |cluster| {
                Ok(with_bytes(cluster, &name, &bytes) == 2)
            })?;
        }
    }
    cluster.wait_settled()?;
    ensure!(staged(&cluster).is_empty());
    let sound = cluster.ctl(&["check"])?;
    ensure!(sound["findings"] == serde_json::json!([]), "{sound}");
    Ok(())
}

#[test]
fn a_slave_that_dies_in_the_middle_is_replaced_or_ends_the_upload_and_never_more() -> Result<()> {
    let mut cluster = Cluster::with(spec(3, &[]))?;
    for round in 0..4 {
        let (name, bytes) = (format!("file-{round}"), Bytes::vec(round, 2_000_000));
        let mut ftp = cluster.login()?;
        let data = ftp.data(Mode::Pret, "STOR", &name)?;
        ftp.ask(&format!("STOR {name}"), 150)?;
        let mut stream = data.stream()?;
        stream.write_all(&bytes[..1_000_000])?;
        cluster.wait_until("two slaves receive", |cluster| {
            Ok(staged(cluster).len() == 2)
        })?;
        // The one that receives, or the second one.
        let gone = staged(&cluster)[usize::try_from(round % 2)?];
        cluster.kill_slave(gone)?;
        let sent = stream.write_all(&bytes[1_000_000..]);
        let sent = sent.and_then(|()| stream.shutdown(Shutdown::Write));
        let (code, said) = ftp.reply()?;
        if code == 226 {
            sent?;
            ensure!(with_bytes(&cluster, &name, &bytes) <= 2);
            let mut other = cluster.login()?;
            ensure!(
                other.get(Mode::Pret, &name)? == bytes,
                "{name} without {gone}"
            );
            cluster.wait_until("two copies", |cluster| {
                Ok(with_bytes(cluster, &name, &bytes) == 2)
            })?;
        } else {
            ensure!(code == 426, "{said:?}");
        }
        cluster.start_slave(gone)?;
        cluster.wait_online(3)?;
        if code != 226 {
            let only = |cluster: &Cluster| staged(cluster).iter().all(|index| *index == gone);
            cluster.wait_until("what is left lies where it was received", |cluster| {
                Ok(only(cluster))
            })?;
            let mut other = cluster.login()?;
            other.put(Mode::Pret, &name, &bytes)?;
        }
        cluster.wait_until("nothing is left", |cluster| Ok(staged(cluster).is_empty()))?;
    }
    Ok(())
}

#[test]
fn a_client_that_was_refused_goes_on_where_it_was_when_the_second_slave_is_back() -> Result<()> {
    let mut cluster = Cluster::with(spec(2, &[]))?;
    let bytes = Bytes::vec(9, 1_500_000);
    let mut ftp = cluster.login()?;
    let data = ftp.data(Mode::Pasv, "STOR", "file")?;
    // No second slave: nothing begins.
    cluster.kill_slave(1)?;
    cluster.wait_online(1)?;
    ftp.ask("STOR file", 451)?;
    drop(data);
    cluster.start_slave(1)?;
    cluster.wait_online(2)?;
    let data = ftp.data(Mode::Pret, "STOR", "file")?;
    ftp.ask("STOR file", 150)?;
    let mut stream = data.stream()?;
    stream.write_all(&bytes[..700_000])?;
    cluster.wait_until("both receive", |cluster| Ok(staged(cluster).len() == 2))?;
    // Whichever it is: the one that receives, or the second one.
    cluster.kill_slave(1)?;
    let sent = stream.write_all(&bytes[700_000..]);
    drop(sent.and_then(|()| stream.shutdown(Shutdown::Write)));
    let (code, said) = ftp.reply()?;
    cluster.start_slave(1)?;
    cluster.wait_online(2)?;
    if code == 426 {
        return again(&cluster, &bytes);
    }
    ensure!(code == 451, "{said:?}");
    let size = ftp.ask("SIZE file", 213)?;
    ensure!(size.ends_with(&bytes.len().to_string()), "{size}");
    ftp.ask(&format!("REST {}", bytes.len()), 350)?;
    ftp.put(Mode::Pret, "file", b"")?;
    cluster.wait_until("two copies", |cluster| {
        Ok(with_bytes(cluster, "file", &bytes) == 2)
    })
}

/// A second try, from the beginning.
fn again(cluster: &Cluster, bytes: &[u8]) -> Result<()> {
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "file", bytes)?;
    cluster.wait_until("two copies", |cluster| {
        Ok(with_bytes(cluster, "file", bytes) == 2)
    })
}

#[test]
fn a_master_that_is_killed_around_the_commit_leaves_two_copies_or_a_partial_upload() -> Result<()> {
    for (point, committed) in [("commit.before", false), ("commit.after", true)] {
        let mut cluster = Cluster::with(ClusterSpec {
            master_failpoints: format!("{point}=1:crash"),
            ..spec(2, &[])
        })?;
        let bytes = Bytes::vec(3, 900_000);
        let mut ftp = cluster.login()?;
        ensure!(ftp.put(Mode::Pret, "file", &bytes).is_err());
        cluster.master.take().context("was started")?.wait()?;
        cluster.spec.master_failpoints.clear();
        cluster.start_master()?;
        cluster.wait_online(2)?;
        let mut ftp = cluster.login()?;
        if !committed {
            cluster.wait_until("only the first one has it", |cluster| {
                Ok(staged(cluster).len() == 1)
            })?;
            ensure!(with_bytes(&cluster, "file", &bytes) == 0);
            ftp.ask(&format!("REST {}", bytes.len()), 350)?;
            ftp.put(Mode::Pret, "file", b"")?;
        }
        cluster.wait_until("two copies", |cluster| {
            Ok(with_bytes(cluster, "file", &bytes) == 2)
        })?;
        ensure!(ftp.get(Mode::Pret, "file")? == bytes);
        cluster.wait_until("nothing is left", |cluster| Ok(staged(cluster).is_empty()))?;
        let sound = cluster.ctl(&["check"])?;
        ensure!(sound["findings"] == serde_json::json!([]), "{sound}");
    }
    Ok(())
}
