//! A master that dies while uploads run: what their slaves have is not lost, and every client goes on.

use std::io::Write;

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
