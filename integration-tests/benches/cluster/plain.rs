//! Files in clear: large ones against a bare `sendfile`, the relay against the direct way, small ones.

use std::cell::RefCell;
use std::fs::File;
use std::net::Shutdown;
use std::process::Command;

use anyhow::{Result, ensure};
use drftpd_integration_tests::cluster::{SlaveProcess, run};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};

use crate::bare::{self, discard, pour};
use crate::{GIB, compare, for_small_files, small_files, timed, with_big_file};

fn download(ftp: &mut Ftp, mode: Mode) -> Result<()> {
    let data = ftp.data(mode, "RETR", "big.bin")?;
    ftp.ask("RETR big.bin", 150)?;
    let got = discard(data.stream()?)?;
    ftp.expect(226)?;
    ensure!(got == GIB, "{got} bytes");
    Ok(())
}

fn upload(ftp: &mut Ftp, mode: Mode) -> Result<()> {
    let data = ftp.data(mode, "STOR", "up.bin")?;
    ftp.ask("STOR up.bin", 150)?;
    let mut stream = data.stream()?;
    pour(&mut stream)?;
    stream.shutdown(Shutdown::Write)?;
    ftp.expect(226)?;
    ftp.ask("DELE up.bin", 250)?;
    Ok(())
}

pub fn bulk() -> Result<()> {
    let cluster = with_big_file()?;
    let ftp = RefCell::new(cluster.login()?);
    let stored = cluster.path().join("bare.bin");
    pour(&mut File::create(&stored)?)?;
    bare::sendfile(&stored)?;

    let down = |mode| download(&mut ftp.borrow_mut(), mode);
    let up = |mode| upload(&mut ftp.borrow_mut(), mode);
    let bare = &mut || bare::sendfile(&stored);
    let written = cluster.path().join("written.bin");
    compare(
        &cluster,
        ("download, PRET + PASV", &mut || down(Mode::Pret)),
        ("bare sendfile", bare),
        Some(0.85),
    )?;
    compare(
        &cluster,
        ("upload with CRC-32, PRET + PASV, fsync never", &mut || {
            up(Mode::Pret)
        }),
        ("bare sendfile", bare),
        Some(0.6),
    )?;
    compare(
        &cluster,
        ("the same", &mut || up(Mode::Pret)),
        ("bare receiver that writes a file", &mut || {
            bare::receiver(&written)
        }),
        None,
    )?;
    compare(
        &cluster,
        ("download through the relay", &mut || down(Mode::Pasv)),
        ("direct", &mut || down(Mode::Pret)),
        Some(0.5),
    )?;
    compare(
        &cluster,
        ("the same", &mut || down(Mode::Pasv)),
        ("bare splice relay", &mut || bare::relay(&stored)),
        None,
    )?;
    compare(
        &cluster,
        ("upload through the relay, fsync never", &mut || {
            up(Mode::Pasv)
        }),
        ("direct", &mut || up(Mode::Pret)),
        Some(0.5),
    )
}

/// Bytes per second that each slave of [`segmented`] may send.
const RATE: usize = 2_000_000;

/// A download in four segments by lftp, of a file that two slaves have.
pub fn segmented() -> Result<()> {
    let cluster = Cluster::with(ClusterSpec {
        slaves: 2,
        master: vec!["copies.rules=[{ copies = 2 }]".into()],
        slave: vec![format!("transfer.send_rate=\"{RATE}B\"")],
        ..ClusterSpec::default()
    })?;
    let size = 20 * RATE;
    cluster
        .login()?
        .put(Mode::Pret, "big", &Bytes::vec(4, size))?;
    cluster.wait_until("two copies", |cluster| {
        let there = |slave: &SlaveProcess| slave.root.join("big").exists();
        Ok(cluster.slaves.iter().all(there))
    })?;
    let fetch = |how: &str| {
        let to = cluster.path().join("got");
        let script = format!(
            "set ssl:verify-certificate no; set xfer:clobber yes; open {}; {how} big -o {}; exit",
            cluster.url(),
            to.display()
        );
        let mut lftp = Command::new("lftp");
        lftp.args(["--norc", "-c", &script]);
        let took = timed(|| run(lftp).map(drop))?;
        ensure!(std::fs::metadata(to)?.len() == size as u64);
        anyhow::Ok(size as f64 / took / RATE as f64)
    };
    println!(
        "two slaves that may send R each: lftp get {:.2} R, pget -n 4 {:.2} R (wanted 1.80)",
        fetch("get")?,
        fetch("pget -n 4")?
    );
    Ok(())
}

pub fn small_relaxed() -> Result<()> {
    small("relaxed", "never")
}

pub fn small_full() -> Result<()> {
    small("full", "always")
}

/// Files of 10 KiB on one connection, one after the other.
fn small(durability: &str, fsync: &str) -> Result<()> {
    let cluster = for_small_files(durability, fsync)?;
    let ftp = RefCell::new(cluster.login()?);
    let bytes = Bytes::vec(3, 10 << 10);
    for mode in [Mode::Pret, Mode::Pasv, Mode::Port] {
        ftp.borrow_mut().ask(&format!("MKD {mode:?}"), 257)?;
        let name = |n: usize| format!("{mode:?}/{n}");
        small_files(
            &cluster,
            &format!("{mode:?}, durability {durability}, fsync {fsync}"),
            &mut |n| ftp.borrow_mut().put(mode, &name(n), &bytes),
            &mut |n| ftp.borrow_mut().get(mode, &name(n)).map(drop),
        )?;
    }
    Ok(())
}
