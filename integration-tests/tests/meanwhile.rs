//! Files that are renamed or deleted while somebody sends or fetches them: a rename keeps the transfer, a delete ends
//! it with 426, and no slave and no upload is left hanging by either.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::{Bytes, Cluster, Ftp, Mode};

/// More than all buffers on the way hold, so that a transfer waits for its client.
const BIG: usize = 48_000_000;
/// Straight to the slave, and through the master.
const WAYS: [Mode; 3] = [Mode::Pret, Mode::Pasv, Mode::Port];

/// Begins an upload and sends so much of it, which is on the slave's disk then.
fn sends(
    cluster: &Cluster,
    ftp: &mut Ftp,
    way: Mode,
    name: &str,
    bytes: &[u8],
) -> Result<TcpStream> {
    let data = ftp.data(way, "STOR", name)?;
    ftp.ask(&format!("STOR {name}"), 150)?;
    let mut stream = data.stream()?;
    stream.write_all(bytes)?;
    cluster.wait_until("bytes in staging", |cluster| {
        let staged = staged(cluster)?;
        Ok(staged.contains(&(bytes.len() as u64)))
    })?;
    Ok(stream)
}

/// Sizes of what lies in staging folders.
fn staged(cluster: &Cluster) -> Result<Vec<u64>> {
    let mut sizes = Vec::new();
    for file in cluster.reserved("staging")? {
        // One that goes meanwhile is none.
        sizes.extend(file.metadata().ok().map(|file| file.len()));
    }
    Ok(sizes)
}

/// Begins a download of which the client takes nothing yet.
fn fetches(ftp: &mut Ftp, way: Mode, name: &str) -> Result<TcpStream> {
    let data = ftp.data(way, "RETR", name)?;
    ftp.ask(&format!("RETR {name}"), 150)?;
    data.stream()
}

fn rename(ftp: &mut Ftp, from: &str, to: &str) -> Result<()> {
    ftp.ask(&format!("RNFR {from}"), 350)?;
    ftp.ask(&format!("RNTO {to}"), 250).map(drop)
}

/// Nothing hangs: the slave never went, nothing is staged, the store is sound, and the next transfers work.
fn all_is_well(cluster: &Cluster, ftp: &mut Ftp, since: &serde_json::Value) -> Result<()> {
    ensure!(
        online(cluster)? == *since,
        "the slave's link is another one"
    );
    cluster.wait_until(
        "staging is empty",
        |cluster| Ok(staged(cluster)?.is_empty()),
    )?;
    cluster.wait_until("no transfer runs", |cluster| {
        Ok(cluster.ctl(&["slave", "list"])?["slaves"][0]["transfers"] == 0)
    })?;
    let checked = cluster.ctl(&["check"])?;
    ensure!(checked["wrong"] == 0, "{checked}");
    ftp.put(Mode::Pret, "next.bin", b"next")?;
    ensure!(ftp.get(Mode::Pret, "next.bin")? == b"next");
    ftp.ask("DELE next.bin", 250).map(drop)
}

/// Since when the slave is online.
fn online(cluster: &Cluster) -> Result<serde_json::Value> {
    let since = cluster.ctl(&["slave", "list"])?["slaves"][0]["since"].clone();
    ensure!(since.is_i64(), "the slave is gone");
    Ok(since)
}

#[test]
fn an_upload_goes_on_under_its_new_name_and_in_its_renamed_directory() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let (mut ftp, mut other) = (cluster.login()?, cluster.login()?);
    let since = online(&cluster)?;
    let whole = Bytes::vec(1, 900_000);
    for way in WAYS {
        other.ask("MKD a", 257)?;
        other.ask("MKD a/b", 257)?;
        let mut stream = sends(&cluster, &mut ftp, way, "a/b/one.bin", &whole[..300_000])?;
        rename(&mut other, "a/b/one.bin", "a/b/two.bin")?;
        stream.write_all(&whole[300_000..600_000])?;
        rename(&mut other, "a", "c")?;
        rename(&mut other, "c/b/two.bin", "three.bin")?;
        rename(&mut other, "c/b", "d")?;
        rename(&mut other, "three.bin", "d/three.bin")?;
        stream.write_all(&whole[600_000..])?;
        drop(stream);
        ftp.expect(226)?;
        ensure!(ftp.get(way, "d/three.bin")? == whole, "{way:?}");
        cluster.wait_until("the disk has followed", |cluster| {
            Ok(cluster.slaves[0].root.join("d/three.bin").exists())
        })?;
        other.ask("DELE d/three.bin", 250)?;
        other.ask("RMD d", 250)?;
        other.ask("RMD c", 250)?;
    }
    all_is_well(&cluster, &mut ftp, &since)
}

#[test]
fn a_download_goes_on_whatever_its_file_is_called_meanwhile() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let (mut ftp, mut other) = (cluster.login()?, cluster.login()?);
    let since = online(&cluster)?;
    let whole = Bytes::vec(2, BIG);
    ftp.ask("MKD a", 257)?;
    ftp.put(Mode::Pret, "a/one.bin", &whole)?;
    for way in WAYS {
        let mut stream = fetches(&mut ftp, way, "a/one.bin")?;
        rename(&mut other, "a/one.bin", "a/two.bin")?;
        rename(&mut other, "a", "b")?;
        cluster.wait_until("the disk has followed", |cluster| {
            Ok(cluster.slaves[0].root.join("b/two.bin").exists())
        })?;
        let mut got = Vec::new();
        stream.read_to_end(&mut got)?;
        ensure!(got == whole, "{way:?}: {} bytes", got.len());
        ftp.expect(226)?;
        rename(&mut other, "b/two.bin", "b/one.bin")?;
        rename(&mut other, "b", "a")?;
    }
    all_is_well(&cluster, &mut ftp, &since)
}

#[test]
fn a_delete_ends_an_upload_with_426_and_the_name_is_free() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let (mut ftp, mut other) = (cluster.login()?, cluster.login()?);
    let since = online(&cluster)?;
    let part = Bytes::vec(3, 500_000);
    for way in WAYS {
        // Its client says nothing meanwhile: it is not its next byte that ends it.
        let stream = sends(&cluster, &mut ftp, way, "file.bin", &part)?;
        other.ask("DELE file.bin", 250)?;
        let said = ftp.expect(426)?;
        ensure!(
            said[0].contains("deleted") || said[0].contains("abort"),
            "{said:?}"
        );
        drop(stream);
        ensure!(ftp.names(Mode::Pasv, "/")?.is_empty(), "{way:?}");
        ftp.put(way, "file.bin", b"sent anew")?;
        ensure!(ftp.get(way, "file.bin")? == b"sent anew");

        // An overwrite ends with what it would have replaced.
        let stream = sends(&cluster, &mut ftp, way, "file.bin", &part)?;
        other.ask("DELE file.bin", 250)?;
        ftp.expect(426)?;
        drop(stream);
        ensure!(ftp.names(Mode::Pasv, "/")?.is_empty(), "{way:?}");
    }
    all_is_well(&cluster, &mut ftp, &since)
}

#[test]
fn a_delete_ends_a_download_with_426() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let (mut ftp, mut other) = (cluster.login()?, cluster.login()?);
    let since = online(&cluster)?;
    let whole = Bytes::vec(4, BIG);
    for way in WAYS {
        ftp.put(Mode::Pret, "file.bin", &whole)?;
        let mut stream = fetches(&mut ftp, way, "file.bin")?;
        let mut first = [0; 1000];
        stream.read_exact(&mut first)?;
        other.ask("DELE file.bin", 250)?;
        let said = ftp.expect(426)?;
        ensure!(said[0].contains("deleted"), "{said:?}");
        let mut rest = Vec::new();
        // A reset is an end, too.
        let got = stream.read_to_end(&mut rest);
        ensure!(
            got.is_err() || rest.len() + 1000 < BIG,
            "{way:?} got all of it"
        );
    }
    all_is_well(&cluster, &mut ftp, &since)
}

#[test]
fn a_whole_directory_of_transfers_is_renamed_and_then_deleted_file_by_file() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut other = cluster.login()?;
    let since = online(&cluster)?;
    other.ask("MKD d", 257)?;
    let part = Bytes::vec(5, 100_000);
    let mut running = Vec::new();
    for n in 0..12 {
        let mut ftp = cluster.login()?;
        let way = WAYS[n % WAYS.len()];
        let name = format!("d/{n}");
        let data = ftp.data(way, "STOR", &name)?;
        ftp.ask(&format!("STOR {name}"), 150)?;
        let mut stream = data.stream()?;
        stream.write_all(&part)?;
        running.push((ftp, stream));
    }
    rename(&mut other, "d", "e")?;
    for (n, (mut ftp, mut stream)) in running.into_iter().enumerate() {
        if n % 2 == 0 {
            other.ask(&format!("DELE e/{n}"), 250)?;
            ftp.expect(426)?;
        } else {
            stream.write_all(&part)?;
            drop(stream);
            ftp.expect(226)?;
            ensure!(ftp.get(Mode::Pret, &format!("e/{n}"))?.len() == 200_000);
        }
    }
    let mut left = other.names(Mode::Pasv, "e")?;
    left.sort();
    ensure!(left == ["1", "11", "3", "5", "7", "9"], "{left:?}");
    let mut last = cluster.login().context("still there")?;
    all_is_well(&cluster, &mut last, &since)
}
