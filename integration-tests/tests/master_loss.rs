//! A master that dies while transfers run: what the slaves have is not lost, what they send goes on, and every client goes on.

use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::{Bytes, Cluster, Ftp, Mode};

const UPLOADS: u64 = 100;
const WHOLE: usize = 300_000;
const SENT: usize = 150_000;

fn name(n: u64) -> String {
    format!("file-{n}.bin")
}

/// Bytes in all staging folders.
fn staged(cluster: &Cluster) -> u64 {
    let folders = cluster
        .slaves
        .iter()
        .map(|slave| slave.root.join(".drftpd/staging"));
    let files =
        folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    files
        .filter_map(|file| file.metadata().ok())
        .map(|file| file.len())
        .sum()
}

fn begin(cluster: &Cluster, n: u64) -> Result<(Ftp, std::net::TcpStream)> {
    let mut ftp = cluster.login()?;
    // Straight to the slave, and through the master.
    let mode = if n.is_multiple_of(2) {
        Mode::Pret
    } else {
        Mode::Pasv
    };
    let data = ftp.data(mode, "STOR", &name(n))?;
    ftp.ask(&format!("STOR {}", name(n)), 150)?;
    let mut stream = data.stream()?;
    stream.write_all(&Bytes::vec(n, WHOLE)[..SENT])?;
    Ok((ftp, stream))
}

#[test]
fn a_master_killed_while_a_hundred_uploads_run_lets_all_of_them_be_resumed() -> Result<()> {
    let mut cluster = Cluster::start(2)?;
    let mut clients = (0..UPLOADS)
        .map(|n| begin(&cluster, n))
        .collect::<Result<Vec<_>>>()?;
    let all = UPLOADS * SENT as u64;
    cluster.wait_until("all bytes are in staging", |cluster| {
        Ok(staged(cluster) >= all)
    })?;
    cluster.kill_master()?;
    // Some clients hang up at once, some only notice when the master is back.
    let later = clients.split_off(50);
    drop(clients);
    cluster.start_master()?;
    drop(later);
    cluster.wait_online(2)?;
    let mut ftp = cluster.login()?;
    ensure!(ftp.names(Mode::Pasv, "/")?.len() as u64 == UPLOADS);
    for n in 0..UPLOADS {
        let (name, whole) = (name(n), Bytes::vec(n, WHOLE));
        ftp.data(Mode::Pasv, "", "")?;
        ftp.ask(&format!("RETR {name}"), 450)?;
        cluster.wait_until(&format!("{name} is resumed"), |cluster| {
            // Its slave may still have to tell how much it has.
            let mut ftp = cluster.login()?;
            let line = ftp.ask(&format!("SIZE {name}"), 213)?;
            let kept: usize = line.rsplit(' ').next().context("a size")?.parse()?;
            ftp.ask(&format!("REST {kept}"), 350)?;
            Ok(kept == SENT && ftp.put(Mode::Pret, &name, &whole[kept..]).is_ok())
        })?;
        ensure!(ftp.get(Mode::Pret, &name)? == whole, "{name}");
    }
    cluster.wait_until("nothing is left in staging", |cluster| {
        Ok(staged(cluster) == 0)
    })
}

#[test]
fn downloads_go_on_when_their_master_is_killed_and_what_went_through_it_is_resumed() -> Result<()> {
    // More than the sockets of both ends hold.
    const SIZE: u64 = 32 << 20;
    const READ: usize = 100_000;
    let mut cluster = Cluster::start(1)?;
    let whole = Bytes::vec(7, SIZE as usize);
    cluster.login()?.put(Mode::Pret, "big.bin", &whole)?;
    let mut clients = Vec::new();
    for n in 0..8 {
        let mut ftp = cluster.login()?;
        let mode = if n % 2 == 0 { Mode::Pret } else { Mode::Pasv };
        let data = ftp.data(mode, "RETR", "big.bin")?;
        ftp.ask("RETR big.bin", 150)?;
        let (mut stream, mut got) = (data.stream()?, vec![0; READ]);
        stream.read_exact(&mut got)?;
        clients.push((mode, ftp, stream, got));
    }
    cluster.kill_master()?;
    let mut kept = Vec::new();
    for (mode, ftp, mut stream, mut got) in clients {
        let ended = stream.read_to_end(&mut got);
        ensure!(whole.starts_with(&got), "wrong bytes by {mode:?}");
        if mode == Mode::Pret {
            ended.context("the slave sends on without the master")?;
            ensure!(got.len() == whole.len(), "{} of a whole file", got.len());
        } else {
            ensure!(got.len() < whole.len(), "nobody is there to relay");
            kept.push(got.len());
        }
        drop(ftp);
    }
    cluster.start_master()?;
    cluster.wait_online(1)?;
    for from in kept {
        let mut ftp = cluster.login()?;
        let data = ftp.data(Mode::Pasv, "RETR", "big.bin")?;
        ftp.ask(&format!("REST {from}"), 350)?;
        ftp.ask("RETR big.bin", 150)?;
        let mut rest = Vec::new();
        data.stream()?.read_to_end(&mut rest)?;
        ftp.expect(226)?;
        ensure!(rest == whole[from..], "resumed at {from}");
    }
    cluster.wait_until("the slave has no transfer left", |cluster| {
        Ok(cluster.ctl(&["slave", "list"])?["slaves"][0]["transfers"] == 0)
    })
}
