//! A slave that dies in the middle of something, or is away while something happens.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};

/// A master that gives up the transfers of a lost slave soon.
fn impatient(slaves: usize) -> ClusterSpec {
    ClusterSpec {
        slaves,
        master: vec!["slaves.lost_transfer_after=\"1s\"".into()],
        ..ClusterSpec::default()
    }
}

/// Which slave has an upload of at least so many bytes in staging.
fn receiving(cluster: &Cluster, bytes: u64) -> Option<usize> {
    cluster.slaves.iter().position(|slave| {
        let staging = slave.root.join(".drftpd/staging");
        let staged = std::fs::read_dir(staging).into_iter().flatten().flatten();
        let mut staged = staged.filter_map(|file| file.metadata().ok());
        staged.any(|file| file.len() >= bytes)
    })
}

/// Begins an upload and sends so much of it; answers the open connection and who has it.
fn begin(cluster: &Cluster, ftp: &mut Ftp, name: &str, bytes: &[u8]) -> Result<(TcpStream, usize)> {
    let data = ftp.data(Mode::Pret, "STOR", name)?;
    ftp.ask(&format!("STOR {name}"), 150)?;
    let mut stream = data.stream()?;
    stream.write_all(bytes)?;
    let all = bytes.len() as u64;
    cluster.wait_until("bytes in staging", |cluster| {
        Ok(receiving(cluster, all).is_some())
    })?;
    let index = receiving(cluster, all).context("a slave has it")?;
    Ok((stream, index))
}

/// The bytes that the master says are there.
fn size(ftp: &mut Ftp, name: &str) -> Result<usize> {
    let line = ftp.ask(&format!("SIZE {name}"), 213)?;
    Ok(line.rsplit(' ').next().context("a size")?.parse()?)
}

/// RETR says 450.
fn is_unavailable(ftp: &mut Ftp, name: &str) -> Result<()> {
    ftp.data(Mode::Pasv, "", "")?;
    ftp.ask(&format!("RETR {name}"), 450).map(drop)
}

/// Sends what is missing behind the bytes that are there.
fn resume(ftp: &mut Ftp, name: &str, whole: &[u8]) -> Result<usize> {
    let kept = size(ftp, name)?;
    ftp.ask(&format!("REST {kept}"), 350)?;
    ftp.put(Mode::Pret, name, &whole[kept..])?;
    ensure!(ftp.get(Mode::Pret, name)? == whole, "{name} is not whole");
    Ok(kept)
}

#[test]
fn a_slave_killed_in_an_upload_gives_426_and_partial_and_resume_while_others_go_on() -> Result<()> {
    let mut cluster = Cluster::with(impatient(2))?;
    let mut ftp = cluster.login()?;
    let whole = Bytes::vec(41, 3_000_000);
    let (stream, index) = begin(&cluster, &mut ftp, "big.bin", &whole[..2_000_000])?;
    cluster.kill_slave(index)?;
    // Another slave takes uploads meanwhile.
    let mut other = cluster.login()?;
    cluster.wait_online(1)?;
    other.put(Mode::Pret, "meanwhile.bin", b"goes on")?;
    ensure!(other.get(Mode::Pret, "meanwhile.bin")? == b"goes on");
    drop(stream);
    ftp.expect(426)?;
    is_unavailable(&mut ftp, "big.bin")?;
    ftp.ask("REST 1000000", 350)?;
    ftp.data(Mode::Pasv, "", "")?;
    ftp.ask("STOR big.bin", 450)?;

    cluster.start_slave(index)?;
    cluster.wait_online(2)?;
    is_unavailable(&mut ftp, "big.bin")?;
    let kept = resume(&mut ftp, "big.bin", &whole)?;
    ensure!(kept == 2_000_000, "{kept} bytes were kept");
    Ok(())
}

#[test]
fn an_upload_of_a_slave_that_only_lost_its_link_is_resumed_as_soon_as_it_is_back() -> Result<()> {
    // The slave stands still: for the master it is gone, its channel and its client are not.
    let master = ["heartbeat=\"300ms\"", "lost_transfer_after=\"8s\""];
    let spec = ClusterSpec {
        slaves: 1,
        master: master.map(|set| format!("slaves.{set}")).to_vec(),
        ..ClusterSpec::default()
    };
    let cluster = Cluster::with(spec)?;
    let mut ftp = cluster.login()?;
    let whole = Bytes::vec(46, 3_000_000);
    let (stream, _) = begin(&cluster, &mut ftp, "big.bin", &whole[..2_000_000])?;
    let process = cluster.slaves[0].process.as_ref().context("runs")?;
    process.signal(rustix::process::Signal::STOP)?;
    ftp.expect(426)?;
    ftp.ask("REST 1000000", 350)?;
    ftp.data(Mode::Pasv, "", "")?;
    let said = ftp.ask("STOR big.bin", 450)?;
    ensure!(said.contains("still being closed"), "{said}");
    process.signal(rustix::process::Signal::CONT)?;
    cluster.wait_online(1)?;
    // The first attempt; the client's old connection is still open.
    ftp.ask("REST 2000000", 350)?;
    ftp.put(Mode::Pret, "big.bin", &whole[2_000_000..])?;
    ensure!(ftp.get(Mode::Pret, "big.bin")? == whole);
    drop(stream);
    Ok(())
}

#[test]
fn a_slave_that_is_back_at_once_gives_426_at_once_and_resume() -> Result<()> {
    // Nothing but its return ends the transfer.
    let mut spec = impatient(1);
    spec.master = vec!["slaves.lost_transfer_after=\"1h\"".into()];
    let mut cluster = Cluster::with(spec)?;
    let mut ftp = cluster.login()?;
    let whole = Bytes::vec(42, 1_500_000);
    let (stream, index) = begin(&cluster, &mut ftp, "big.bin", &whole[..1_000_000])?;
    cluster.kill_slave(index)?;
    cluster.start_slave(index)?;
    ftp.expect(426)?;
    drop(stream);
    cluster.wait_online(1)?;
    ensure!(resume(&mut ftp, "big.bin", &whole)? == 1_000_000);
    Ok(())
}

#[test]
fn an_upload_to_a_lost_slave_begins_anew_elsewhere_and_its_old_bytes_are_thrown_away() -> Result<()>
{
    let mut cluster = Cluster::with(impatient(2))?;
    let mut ftp = cluster.login()?;
    let whole = Bytes::vec(43, 1_500_000);
    let (stream, index) = begin(&cluster, &mut ftp, "big.bin", &whole[..1_000_000])?;
    cluster.kill_slave(index)?;
    drop(stream);
    ftp.expect(426)?;
    ftp.put(Mode::Pret, "big.bin", &whole)?;
    ensure!(ftp.get(Mode::Pret, "big.bin")? == whole);
    cluster.start_slave(index)?;
    cluster.wait_online(2)?;
    ensure!(ftp.get(Mode::Pret, "big.bin")? == whole);
    cluster.wait_until("the old bytes go", |cluster| {
        Ok(receiving(cluster, 1).is_none())
    })
}

#[test]
fn a_slave_killed_in_a_download_gives_426_and_the_file_is_back_with_it() -> Result<()> {
    let mut cluster = Cluster::with(impatient(1))?;
    let mut ftp = cluster.login()?;
    // More than all buffers on the way can hold.
    let whole = Bytes::vec(44, 64 << 20);
    ftp.put(Mode::Pret, "big.bin", &whole)?;
    let data = ftp.data(Mode::Pret, "RETR", "big.bin")?;
    ftp.ask("RETR big.bin", 150)?;
    let mut stream = data.stream()?;
    stream.read_exact(&mut vec![0; 1 << 20])?;
    cluster.kill_slave(0)?;
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    ensure!(
        ended.is_err() || rest.len() < (63 << 20),
        "it came to its end"
    );
    ftp.expect(426)?;
    is_unavailable(&mut ftp, "big.bin")?;
    ensure!(size(&mut ftp, "big.bin")? == whole.len());
    cluster.start_slave(0)?;
    cluster.wait_online(1)?;
    ensure!(ftp.get(Mode::Pret, "big.bin")? == whole);
    Ok(())
}

#[test]
fn a_slave_killed_after_an_upload_is_prepared_and_before_it_is_committed_loses_nothing()
-> Result<()> {
    for point in ["upload.received", "upload.prepared"] {
        let mut spec = impatient(1);
        spec.slave_failpoints = format!("{point}=crash");
        let mut cluster = Cluster::with(spec)?;
        let mut ftp = cluster.login()?;
        let whole = Bytes::vec(45, 300_000);
        let data = ftp.data(Mode::Pret, "STOR", "a.bin")?;
        ftp.ask("STOR a.bin", 150)?;
        let mut stream = data.stream()?;
        stream.write_all(&whole)?;
        drop(stream);
        ftp.expect(426)?;
        is_unavailable(&mut ftp, "a.bin")?;
        let process = cluster.slaves[0].process.as_mut().context("was started")?;
        ensure!(!process.wait()?.success(), "{point}: it was not killed");
        cluster.spec.slave_failpoints.clear();
        cluster.start_slave(0)?;
        cluster.wait_online(1)?;
        is_unavailable(&mut ftp, "a.bin")?;
        let kept = resume(&mut ftp, "a.bin", &whole)?;
        ensure!(kept == whole.len(), "{point}: {kept} bytes were kept");
    }
    Ok(())
}

#[test]
fn a_slave_killed_while_it_publishes_has_the_file_at_its_place_when_it_is_back() -> Result<()> {
    for point in ["publish.before", "publish.after"] {
        let mut spec = impatient(1);
        spec.slave_failpoints = format!("{point}=crash");
        let mut cluster = Cluster::with(spec)?;
        let mut ftp = cluster.login()?;
        ftp.ask("MKD d", 257)?;
        ftp.put(Mode::Pret, "d/a.bin", b"acknowledged")?;
        let process = cluster.slaves[0].process.as_mut().context("was started")?;
        ensure!(!process.wait()?.success(), "{point}: it was not killed");
        cluster.spec.slave_failpoints.clear();
        cluster.start_slave(0)?;
        cluster.wait_online(1)?;
        ensure!(
            ftp.get(Mode::Pret, "d/a.bin")? == b"acknowledged",
            "{point}"
        );
        let place = cluster.slaves[0].root.join("d/a.bin");
        ensure!(std::fs::read(place)? == b"acknowledged", "{point}");
    }
    Ok(())
}

#[test]
fn a_file_deleted_or_renamed_while_its_slave_is_away_stays_so() -> Result<()> {
    let mut cluster = Cluster::with(impatient(1))?;
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
    ensure!(ftp.names(Mode::Pret, "/")? == ["e"]);
    ensure!(ftp.names(Mode::Pret, "e")? == ["new name.bin"]);
    ensure!(ftp.get(Mode::Pret, "e/new name.bin")? == b"to be renamed");
    // Its log comes before anything else, so the disk has followed.
    let root = &cluster.slaves[0].root;
    ensure!(root.join("e/new name.bin").exists());
    ensure!(!root.join("d").exists() && !root.join("e/gone.bin").exists());
    Ok(())
}

#[test]
fn a_transfer_goes_on_while_the_master_is_told_nothing_and_is_reported_later() -> Result<()> {
    // The master stands still: SIGSTOP, then SIGCONT.
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
    cluster.wait_until("the slave has all of it", |cluster| {
        Ok(receiving(cluster, 4_000_000).is_some())
    })?;
    master.signal(rustix::process::Signal::CONT)?;
    ftp.expect(226)?;
    ensure!(ftp.get(Mode::Pret, "a.bin")? == bytes);
    Ok(())
}
