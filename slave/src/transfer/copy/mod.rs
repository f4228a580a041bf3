//! Moving the bytes of one transfer: its task waits for the connection, copies, and says how it
//! ended. It decides nothing else.

pub mod cx;
mod gather;
mod hop;
mod intake;
mod lend;
mod linger;
pub mod queue;
pub mod receive;
mod sealed;
pub mod send;
pub mod turn;

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::time::Duration;

use drftpd_actors::BoxIo;
use drftpd_protocol::wire::{Outcome, SpaceSeen, TlsSeen};
use socket2::SockRef;

use self::cx::CopyCx;
use self::receive::Upload;
use self::send::Download;
use super::error::TransferError;
use super::tls::{Entered, Entrance};

/// What moves.
#[derive(Debug)]
pub enum Work {
    /// A file goes out.
    Send(Download),
    /// A file comes in.
    Receive(Upload),
}

/// How a transfer ended.
#[derive(Debug)]
pub struct Report {
    /// As it is told to the master.
    pub outcome: Outcome,
    /// Milliseconds since its first byte.
    pub took_ms: u64,
    /// What the handshake told.
    pub tls: Option<TlsSeen>,
    /// What an upload left free.
    pub space: Option<SpaceSeen>,
}

/// Waits for the connection and moves the bytes.
pub async fn run(work: Work, entrance: Entrance, mut cx: CopyCx) -> Report {
    let (outcome, tls) = match entrance.wait(&cx.stop).await {
        Ok(Entered { io, seen }) => (over(io, work, &mut cx).await, seen),
        Err(error) => (give_up(work, error, &mut cx).await, None),
    };
    Report {
        outcome,
        took_ms: cx.took_ms(),
        tls,
        space: cx.space,
    }
}

async fn over(mut io: BoxIo, work: Work, cx: &mut CopyCx) -> Outcome {
    match work {
        Work::Send(download) => send::send(&mut io, download, cx).await,
        Work::Receive(upload) => receive::receive(&mut io, upload, cx).await,
    }
}

/// Ends work that never had a connection. What an upload has in staging is kept.
pub async fn give_up(work: Work, error: TransferError, cx: &mut CopyCx) -> Outcome {
    match work {
        Work::Receive(upload) => receive::give_up(upload, error, cx).await,
        Work::Send(_) => Outcome::Broken {
            fault: error.fault(),
            bytes: 0,
            kept: None,
        },
    }
}

/// Makes the other end see that this connection broke: it will be reset, not closed, when it is
/// dropped. A receiving server would take a plain close for the end of the file.
pub fn reset(io: &BoxIo) {
    if let Some(tcp) = io.socket()
        && let Err(error) = SockRef::from(tcp).set_linger(Some(Duration::ZERO))
    {
        tracing::debug!(%error, "a broken connection could not be reset");
    }
}

/// How the other end has ended a connection on which no byte waits; nothing as long as it lives, or where there is no
/// socket. A reset is told once: who asks must not take what is read afterwards, an end, for an orderly one.
pub fn has_ended(io: &BoxIo) -> Option<io::Result<()>> {
    match SockRef::from(io.socket()?).peek(&mut [MaybeUninit::uninit()]) {
        Ok(0) => Some(Ok(())),
        Ok(_) => None,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            None
        }
        Err(error) => Some(Err(error)),
    }
}
