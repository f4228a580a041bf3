//! Files in clear: large ones against a bare `sendfile`, the relay against the direct way, small ones.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;

use anyhow::{Result, ensure};
use drftpd_integration_tests::{Bytes, Ftp, Mode};

use crate::{CHUNK, GIB, compare, for_small_files, small_files, with_big_file};

/// Reads to the end; answers how many bytes that were.
pub fn discard(mut stream: impl Read) -> Result<u64> {
    let (mut buffer, mut all) = (vec![0; CHUNK], 0);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(all),
            n => all += n as u64,
        }
    }
}

/// Writes 1 GiB.
pub fn pour(stream: &mut impl Write) -> Result<()> {
    let chunk = Bytes::vec(2, CHUNK);
    for _ in 0..GIB / CHUNK as u64 {
        stream.write_all(&chunk)?;
    }
    Ok(())
}

/// A bare `sendfile` loop from this file over loopback, read as the FTP client reads.
fn bare_sendfile(file: &Path) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?;
    let file = File::open(file)?;
    let sender = thread::spawn(move || -> Result<()> {
        let (socket, _) = listener.accept()?;
        let mut offset = 0;
        while rustix::fs::sendfile(&socket, file.as_fd(), Some(&mut offset), 1 << 30)? > 0 {}
        Ok(())
    });
    let got = discard(TcpStream::connect(at)?)?;
    joined(sender)?;
    ensure!(got == GIB, "{got} bytes");
    Ok(())
}

/// The end of a bare server.
pub fn joined(server: thread::JoinHandle<Result<()>>) -> Result<()> {
    let ended = server.join();
    ended.map_err(|_| anyhow::anyhow!("the bare server panicked"))?
}

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
    bare_sendfile(&stored)?;

    let down = |mode| download(&mut ftp.borrow_mut(), mode);
    let up = |mode| upload(&mut ftp.borrow_mut(), mode);
    let bare = &mut || bare_sendfile(&stored);
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
        ("download through the relay", &mut || down(Mode::Pasv)),
        ("direct", &mut || down(Mode::Pret)),
        Some(0.5),
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
