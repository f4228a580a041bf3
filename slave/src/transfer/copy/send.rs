//! A download: from a file to the connection, also from one that still grows.
//!
//! Where the connection is a plain socket the bytes go by `sendfile` in turns on a thread; else
//! they are read in pieces by a thread and written by the arbiter. A small file was read when it was
//! opened and needs no thread any more.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drftpd_actors::{BoxIo, failpoint};
use drftpd_protocol::wire::Outcome;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::super::error::TransferError;
use super::super::growing::{Follower, GrowthState};
use super::cx::CopyCx;
use super::lend::lend;
use super::linger;
use super::sealed;
use super::turn::{self, TurnEnd, Wire};
use crate::storage::Stamp;
use crate::sys::socket::{self, Ready};

/// Bytes that are read at a time where `sendfile` cannot be used.
const CHUNK: u64 = 256 << 10;

/// A download whose file is open.
#[derive(Debug)]
pub struct Download {
    /// The file.
    pub file: Arc<File>,
    /// Next byte to go out.
    pub at: u64,
    /// End of what is there to be sent, as far as it is known.
    pub end: u64,
    /// Where to stop although the file goes on.
    pub stop_at: Option<u64>,
    /// The upload of the same file, while it runs.
    pub follower: Option<Follower>,
    /// The bytes from `at` on, if the file is so small that they were read at once.
    pub head: Option<Bytes>,
    /// On a shared root: how the file looks as long as nobody writes to it.
    pub stamp: Option<Stamp>,
}

/// Sends until the end, and says how it ended.
pub async fn send(io: &mut BoxIo, mut download: Download, cx: &mut CopyCx) -> Outcome {
    let begin = download.at;
    let sent = all(io, &mut download, cx).await;
    let bytes = download.at - begin;
    let done = match sent.and_then(|()| download.is_one_file()) {
        Ok(()) => linger::until_taken(io, cx).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => Outcome::Sent { bytes },
        Err(error) => {
            super::reset(io);
            Outcome::Broken {
                fault: error.fault(),
                bytes,
                kept: None,
            }
        }
    }
}

async fn all(
    io: &mut BoxIo,
    download: &mut Download,
    cx: &mut CopyCx,
) -> Result<(), TransferError> {
    failpoint("download.read").map_err(TransferError::Disk)?;
    cx.moves();
    if let Some(head) = download.head.take() {
        return write_all(io, &head, &mut download.at, cx).await;
    }
    loop {
        let more = download.more();
        if download.at < download.end {
            if io.as_tls().is_some() {
                send_sealed(io, download, cx).await?;
            } else if let Some(tcp) = io.as_tcp() {
                send_file(tcp, download, cx).await?;
            } else {
                read_and_write(io, download, cx).await?;
            }
        } else {
            match more {
                More::Never => return Ok(()),
                More::Broken => return Err(TransferError::UploadBroke),
                More::Maybe => {
                    cx.on_wire(io.flush()).await?;
                    download.wait(cx).await?;
                }
            }
        }
    }
}

impl Download {
    /// What was sent is bytes of one file, not of two: nobody wrote to it meanwhile.
    fn is_one_file(&self) -> Result<(), TransferError> {
        let Some(stamp) = self.stamp else {
            return Ok(());
        };
        match stamp.holds(&self.file).map_err(TransferError::Disk)? {
            true => Ok(()),
            false => Err(TransferError::Changed),
        }
    }
}

/// Whether there will be bytes beyond the known end.
enum More {
    Never,
    Maybe,
    Broken,
}

impl Download {
    /// Looks how far the file has grown. Whether more comes is looked at before the length counts,
    /// so that the last bytes are not missed.
    fn more(&mut self) -> More {
        let Some(follower) = &self.follower else {
            return More::Never;
        };
        let growth = follower.now();
        let stop_at = self.stop_at.unwrap_or(u64::MAX);
        self.end = growth.len.min(stop_at);
        match growth.state {
            _ if growth.len >= stop_at => More::Never,
            GrowthState::Growing => More::Maybe,
            GrowthState::Complete => More::Never,
            GrowthState::Broken => More::Broken,
        }
    }

    async fn wait(&mut self, cx: &CopyCx) -> Result<(), TransferError> {
        let at = self.at;
        let Some(follower) = &mut self.follower else {
            return Ok(());
        };
        // No limit of its own: the upload has one for its stalls, and ends.
        tokio::select! {
            biased;
            stopped = cx.stop.said() => Err(stopped.into()),
            _ = follower.beyond(at) => Ok(()),
        }
    }
}

/// Sends up to the known end with turns on a thread.
async fn send_file(
    tcp: &TcpStream,
    download: &mut Download,
    cx: &mut CopyCx,
) -> Result<(), TransferError> {
    let wire = Wire::of(tcp).map_err(TransferError::Connection)?;
    while download.at < download.end {
        let granted = cx.grant().await?;
        let terms = cx.terms(granted.min(download.end - download.at));
        let (file, at) = (Arc::clone(&download.file), download.at);
        let there = wire.clone();
        let turn = move || turn::send(&there, &file, at, &terms);
        let (sent, ended) = cx.blocking.run(turn).await?;
        download.at += sent;
        cx.moved(sent);
        match ended {
            TurnEnd::UsedUp | TurnEnd::End => {}
            TurnEnd::Dry => {
                cx.patience.in_vain();
                let waited = writable(tcp, cx).await?;
                cx.patience.ready_after(waited);
            }
            TurnEnd::Failed(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends up to the known end with turns on a thread, which has the whole connection meanwhile.
async fn send_sealed(
    io: &mut BoxIo,
    download: &mut Download,
    cx: &mut CopyCx,
) -> Result<(), TransferError> {
    let mut pending = false;
    while download.at < download.end || pending {
        let granted = cx.grant().await?;
        let terms = cx.terms(granted.min(download.end - download.at));
        let (file, at) = (Arc::clone(&download.file), download.at);
        let mut lent = lend(io);
        let turn = move || {
            let done = sealed::send(&mut lent, &file, at, &terms);
            (lent, done)
        };
        let (lent, (sent, ended)) = cx.blocking.run(turn).await?;
        *io = lent;
        download.at += sent;
        cx.moved(sent);
        pending = false;
        match ended {
            TurnEnd::UsedUp | TurnEnd::End => {}
            TurnEnd::Dry => {
                pending = true;
                cx.patience.in_vain();
                if let Some(tcp) = io.socket() {
                    let waited = writable(tcp, cx).await?;
                    cx.patience.ready_after(waited);
                }
            }
            TurnEnd::Failed(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until the socket takes bytes; says how long that was. The socket itself is asked, because
/// the thread used it behind the arbiter's back.
async fn writable(tcp: &TcpStream, cx: &CopyCx) -> Result<Duration, TransferError> {
    use std::os::fd::AsFd;

    let begun = Instant::now();
    let ask = || match socket::poll(tcp.as_fd(), Ready::Out, Duration::ZERO)? {
        true => Ok(()),
        false => Err(io::ErrorKind::WouldBlock.into()),
    };
    cx.on_wire(tcp.async_io(Interest::WRITABLE, ask)).await?;
    Ok(begun.elapsed())
}

/// Sends one piece by reading it on a thread and writing it here.
async fn read_and_write(
    io: &mut BoxIo,
    download: &mut Download,
    cx: &mut CopyCx,
) -> Result<(), TransferError> {
    cx.stop.check()?;
    let length = CHUNK.min(download.end - download.at);
    let (file, at) = (Arc::clone(&download.file), download.at);
    let read = cx.blocking.run(move || read(&file, at, length)).await?;
    match read.map_err(TransferError::Disk)? {
        piece if piece.is_empty() => Err(TransferError::Shorter),
        piece => write_all(io, &piece, &mut download.at, cx).await,
    }
}

/// Reads up to `length` bytes from `at` on; fewer only at the file's end.
///
/// # Errors
/// The operating system's.
pub fn read(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    let filled = read_into(file, at, &mut bytes)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// Fills a buffer from `at` on, and says how far: fewer only at the file's end.
///
/// # Errors
/// The operating system's.
pub fn read_into(file: &File, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

async fn write_all(
    io: &mut BoxIo,
    mut bytes: &[u8],
    at: &mut u64,
    cx: &mut CopyCx,
) -> Result<(), TransferError> {
    while !bytes.is_empty() {
        let granted = usize::try_from(cx.grant().await?).unwrap_or(usize::MAX);
        let piece = &bytes[..granted.min(bytes.len())];
        let written = cx.on_wire(io.write(piece)).await?;
        if written == 0 {
            let gone = io::ErrorKind::WriteZero;
            return Err(TransferError::Connection(gone.into()));
        }
        *at += written as u64;
        cx.moved(written as u64);
        cx.meter.sent(written as u64);
        bytes = &bytes[written..];
    }
    Ok(())
}
