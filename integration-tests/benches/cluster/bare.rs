//! Bare loops that do nothing else: what a machine lets each kind of transfer reach.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;

use anyhow::{Result, ensure};
use drftpd_integration_tests::Bytes;

use crate::{CHUNK, GIB};

/// What the pipe of a relay holds, as that of ours.
const PIPE: usize = 256 * 1024;

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
pub fn sendfile(file: &Path) -> Result<()> {
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

/// A bare receiver that does nothing but write what comes into a file: what this machine lets an upload reach.
pub fn receiver(file: &Path) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?;
    let mut file = File::create(file)?;
    let receiver = thread::spawn(move || -> Result<()> {
        let (mut socket, _) = listener.accept()?;
        let mut buffer = vec![0; CHUNK];
        loop {
            match socket.read(&mut buffer)? {
                0 => return Ok(()),
                n => file.write_all(buffer.get(..n).unwrap_or_default())?,
            }
        }
    });
    let mut stream = TcpStream::connect(at)?;
    pour(&mut stream)?;
    stream.shutdown(Shutdown::Write)?;
    joined(receiver)
}

/// A bare relay between a bare `sendfile` and its reader: what this machine lets a relay reach.
pub fn relay(file: &Path) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let behind = TcpListener::bind("127.0.0.1:0")?;
    let (at, to) = (listener.local_addr()?, behind.local_addr()?);
    let file = File::open(file)?;
    let sender = thread::spawn(move || -> Result<()> {
        let (socket, _) = behind.accept()?;
        let mut offset = 0;
        while rustix::fs::sendfile(&socket, file.as_fd(), Some(&mut offset), 1 << 30)? > 0 {}
        Ok(())
    });
    let relay = thread::spawn(move || -> Result<()> {
        let (client, _) = listener.accept()?;
        let slave = TcpStream::connect(to)?;
        let (drain, fill) = rustix::pipe::pipe()?;
        rustix::pipe::fcntl_setpipe_size(&fill, PIPE)?;
        let (most, flags) = (CHUNK, rustix::pipe::SpliceFlags::MOVE);
        loop {
            let mut left = rustix::pipe::splice(&slave, None, &fill, None, most, flags)?;
            if left == 0 {
                return Ok(());
            }
            while left > 0 {
                left -= rustix::pipe::splice(&drain, None, &client, None, left, flags)?;
            }
        }
    });
    let got = discard(TcpStream::connect(at)?)?;
    joined(sender)?;
    joined(relay)?;
    ensure!(got == GIB, "{got} bytes");
    Ok(())
}

/// The end of a bare server.
pub fn joined(server: thread::JoinHandle<Result<()>>) -> Result<()> {
    let ended = server.join();
    ended.map_err(|_| anyhow::anyhow!("the bare server panicked"))?
}
