//! A slave that dies, fills up or comes back.

use std::io::Write;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode};

#[test]
fn a_slave_killed_in_an_upload_gives_426_and_partial_and_resume_while_others_go_on() -> Result<()> {
    let mut cluster = Cluster::start(2)?;
    let mut ftp = cluster.login()?;
    let whole = Bytes::vec(41, 3_000_000);
    let data = ftp.data(Mode::Pret, "STOR", "big.bin")?;
    ftp.ask("STOR big.bin", 150)?;
    let mut stream = data.stream()?;
    stream.write_all(&whole[..2_000_000])?;
    // Its bytes are in the staging folder of the slave that has it.
    let busy = |cluster: &Cluster| {
        cluster.slaves.iter().position(|slave| {
            let staging = slave.root.join(".drftpd/staging");
            let staged = std::fs::read_dir(staging).into_iter().flatten().flatten();
            staged
                .into_iter()
                .any(|f| f.metadata().is_ok_and(|m| m.len() >= 1_000_000))
        })
    };
    cluster.wait_until("bytes in staging", |cluster| Ok(busy(cluster).is_some()))?;
    let index = busy(&cluster).context("a slave has it")?;
    cluster.kill_slave(index)?;
    drop(stream);
    ftp.expect(426)?;
    // Another slave takes uploads meanwhile, on the same connection.
    ftp.put(Mode::Pret, "meanwhile.bin", b"goes on")?;
    ensure!(ftp.get(Mode::Pret, "meanwhile.bin")? == b"goes on");
    ftp.data(Mode::Pasv, "", "")?;
    ftp.ask("RETR big.bin", 450)?;

    cluster.start_slave(index)?;
    cluster.wait_online(2)?;
    let mut ftp = cluster.login()?;
    ftp.data(Mode::Pasv, "", "")?;
    ftp.ask("RETR big.bin", 450)?;
    let size = ftp.ask("SIZE big.bin", 213)?;
    let kept: usize = size.rsplit(' ').next().context("a size")?.parse()?;
    ensure!(kept > 0 && kept <= 2_000_000, "{kept}");
    ftp.ask(&format!("REST {kept}"), 350)?;
    ftp.put(Mode::Pret, "big.bin", &whole[kept..])?;
    ensure!(ftp.get(Mode::Pret, "big.bin")? == whole);
    Ok(())
}

#[test]
fn a_full_disk_gives_452_and_its_space_back_and_the_next_upload_goes_elsewhere() -> Result<()> {
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        ..ClusterSpec::default()
    })?;
    // The second slave's root is a filesystem of 32 MiB, alone in a mount namespace of its own.
    let small = Small::mount(cluster.path().join("small"))?;
    cluster.add_slave(2, small.path.clone())?;
    cluster.wait_online(2)?;
    let mut ftp = cluster.login()?;
    cluster.kill_slave(0)?;
    cluster.wait_online(1)?;
    ftp.put(Mode::Pret, "fits.bin", &Bytes::vec(1, 1_000_000))?;

    let data = ftp.data(Mode::Pret, "STOR", "too big.bin")?;
    ftp.ask("STOR too big.bin", 150)?;
    let mut stream = data.stream()?;
    // The slave closes when its disk is full; how far this gets is the kernel's affair.
    let sent = stream.write_all(&Bytes::vec(2, 64_000_000));
    drop(stream);
    ftp.expect(452)?;
    ensure!(sent.is_err() || !ftp.names(Mode::Pret, "/")?.is_empty());
    ftp.send("DELE too big.bin")?;
    ftp.reply()?;
    cluster.wait_until("space is given back", |_| Ok(small.free()? > 25 << 20))?;

    cluster.start_slave(0)?;
    cluster.wait_online(2)?;
    let big = Bytes::vec(3, 64_000_000);
    let mut ftp = cluster.login()?;
    ftp.ask(&format!("ALLO {}", big.len()), 200)?;
    ftp.put(Mode::Pret, "elsewhere.bin", &big)?;
    ensure!(std::fs::metadata(cluster.slaves[0].root.join("elsewhere.bin"))?.len() == 64_000_000);
    ensure!(ftp.get(Mode::Pret, "fits.bin")? == Bytes::vec(1, 1_000_000));
    Ok(())
}

/// A small filesystem in memory, unmounted when it is dropped.
struct Small {
    path: std::path::PathBuf,
}

impl Small {
    fn mount(path: std::path::PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&path)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=32m", "drftpd-test"])
            .arg(&path)
            .status()?;
        ensure!(
            mounted.success(),
            "this test mounts a small filesystem and must run as root"
        );
        Ok(Small { path })
    }

    fn free(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(&self.path)?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.path).status());
    }
}

#[test]
fn a_file_deleted_or_renamed_while_its_slave_is_away_stays_so() -> Result<()> {
    let mut cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD d", 257)?;
    ftp.put(Mode::Pret, "d/gone.bin", b"to be deleted")?;
    ftp.put(Mode::Pret, "d/kept.bin", b"to be renamed")?;
    cluster.kill_slave(0)?;
    cluster.wait_online(0)?;
    ftp.ask("DELE d/gone.bin", 250)?;
    ftp.ask("RNFR d", 350)?;
    ftp.ask("RNTO e", 250)?;
    ftp.ask("RNFR e/kept.bin", 350)?;
    ftp.ask("RNTO e/new name.bin", 250)?;
    cluster.start_slave(0)?;
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    ensure!(ftp.names(Mode::Pret, "/")? == ["e"]);
    ensure!(ftp.names(Mode::Pret, "e")?.len() == 1);
    ensure!(ftp.get(Mode::Pret, "e/new name.bin")? == b"to be renamed");
    let root = cluster.slaves[0].root.clone();
    cluster.wait_until("the disk follows", |_| {
        Ok(root.join("e/new name.bin").exists()
            && !root.join("d").exists()
            && !root.join("e/gone.bin").exists())
    })
}

#[test]
fn a_transfer_goes_on_while_the_master_is_told_nothing_and_is_reported_later() -> Result<()> {
    // A slave whose link is cut by a stopped master keeps its transfer: SIGSTOP, then SIGCONT.
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    let data = ftp.data(Mode::Pret, "STOR", "a.bin")?;
    ftp.ask("STOR a.bin", 150)?;
    let mut stream = data.stream()?;
    let master = cluster.master.as_ref().context("runs")?;
    master.signal(rustix::process::Signal::STOP)?;
    let bytes = Bytes::vec(5, 4_000_000);
    stream.write_all(&bytes)?;
    drop(stream);
    master.signal(rustix::process::Signal::CONT)?;
    ftp.expect(226)?;
    ensure!(ftp.get(Mode::Pret, "a.bin")? == bytes);
    Ok(())
}
