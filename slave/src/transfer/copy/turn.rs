//! One turn of a transfer on a thread of the blocking pool: as long as the socket is ready and the
//! turn is not used up, bytes move without any hop between threads.
//!
//! A turn ends when its share is moved, its time is over, or the socket is not ready within a
//! moment; then the thread is free for others, and the arbiter waits for the socket. So a slow disk
//! or a slow peer holds one thread for one turn and nobody else.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::error::TransferError;
use super::super::meter::Meter;
use super::super::stop::Stop;
use super::intake::Intake;
use crate::sys::socket::{self, Ready};

/// Longest turn. Whoever waits for a thread waits for turns of this length.
const TURN: Duration = Duration::from_millis(20);
/// Most bytes of one turn.
const SHARE: u64 = 64 << 20;
/// Most bytes of one `sendfile`: few calls, and still a look at the clock between them.
const SEND_CHUNK: u64 = 4 << 20;
/// Buffer for what comes in: large enough for few calls, small enough for a core's cache.
const BUFFER: usize = 256 << 10;
/// What is worth a write of its own when no more has come.
pub const WORTH_WRITING: usize = 64 << 10;

/// A socket that a turn uses while the connection itself stays with its arbiter.
#[derive(Debug, Clone)]
pub struct Wire(Arc<TcpStream>);

impl Wire {
    /// Another handle to a plain socket.
    ///
    /// # Errors
    /// When there are no more file descriptors.
    pub fn of(socket: &tokio::net::TcpStream) -> io::Result<Self> {
        let handle = socket.as_fd().try_clone_to_owned()?;
        Ok(Wire(Arc::new(handle.into())))
    }

    /// The socket.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Says that nothing goes out, and that all was taken: the peer need not wait for the disk.
    pub fn shutdown(&self) {
        if let Err(error) = self.0.shutdown(Shutdown::Both) {
            tracing::trace!(%error, "the peer is gone already");
        }
    }
}

/// What a turn may use.
#[derive(Debug)]
pub struct Terms {
    /// Bytes that may move at most.
    pub limit: u64,
    /// How long to wait on the thread when the socket is not ready.
    pub patience: Duration,
    /// The word to stop.
    pub stop: Stop,
    /// Counts as bytes move.
    pub meter: Arc<Meter>,
}

/// How a turn ended.
#[derive(Debug)]
pub enum TurnEnd {
    /// Its share or its time is used up; the socket may be ready.
    UsedUp,
    /// The socket was not ready.
    Dry,
    /// Nothing more comes.
    End,
    /// It cannot go on.
    Failed(TransferError),
}

/// What a turn may still do.
pub struct Budget {
    /// Bytes.
    pub left: u64,
    until: Instant,
}

impl Budget {
    /// At the beginning of a turn.
    pub fn of(terms: &Terms) -> Self {
        Budget {
            left: terms.limit.min(SHARE),
            until: Instant::now() + TURN,
        }
    }

    /// Whether the turn ends.
    pub fn used_up(&self) -> bool {
        self.left == 0 || Instant::now() >= self.until
    }
}

/// Sends bytes of a file from `at` on. Gives how many went out, also when it failed then.
pub fn send(wire: &Wire, file: &File, at: u64, terms: &Terms) -> (u64, TurnEnd) {
    let mut budget = Budget::of(terms);
    let mut sent = 0;
    while !budget.used_up() {
        if let Err(stopped) = terms.stop.check() {
            return (sent, TurnEnd::Failed(stopped.into()));
        }
        let count = usize::try_from(budget.left.min(SEND_CHUNK)).unwrap_or(usize::MAX);
        match socket::send_file(wire.fd(), file, at + sent, count) {
            Ok(0) => return (sent, TurnEnd::Failed(TransferError::Shorter)),
            Ok(moved) => {
                sent += moved as u64;
                budget.left -= moved as u64;
                terms.meter.sent(moved as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match socket::poll(wire.fd(), Ready::Out, terms.patience) {
                    Ok(true) => {}
                    Ok(false) => return (sent, TurnEnd::Dry),
                    Err(error) => return (sent, failed(TransferError::Connection(error))),
                }
            }
            Err(error) => return (sent, failed(TransferError::of_sending(error))),
        }
    }
    (sent, TurnEnd::UsedUp)
}

fn failed(error: TransferError) -> TurnEnd {
    TurnEnd::Failed(error)
}

thread_local! {
    /// One buffer for each thread of the pool, for as long as the thread lives.
    static BYTES: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// Receives into a file. What came is written, also when it failed then.
pub fn receive(wire: &Wire, intake: &mut Intake, terms: &Terms) -> TurnEnd {
    BYTES.with_borrow_mut(|buffer| fill_and_write(wire, intake, terms, buffer))
}

fn fill_and_write(wire: &Wire, intake: &mut Intake, terms: &Terms, buffer: &mut [u8]) -> TurnEnd {
    let mut budget = Budget::of(terms);
    while !budget.used_up() {
        if let Err(stopped) = terms.stop.check() {
            return TurnEnd::Failed(stopped.into());
        }
        let most = usize::try_from(budget.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let (filled, end) = fill(wire, &mut buffer[..most], terms.patience);
        budget.left -= filled as u64;
        if let Err(error) = intake.write(&buffer[..filled], &terms.meter) {
            return TurnEnd::Failed(error);
        }
        if let Some(end) = end {
            return end;
        }
    }
    TurnEnd::UsedUp
}

/// Fills the buffer, or stops when what is there is worth writing and no more has come.
fn fill(wire: &Wire, buffer: &mut [u8], patience: Duration) -> (usize, Option<TurnEnd>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match socket::receive(wire.fd(), &mut buffer[filled..]) {
            Ok(0) => return (filled, Some(TurnEnd::End)),
            Ok(came) => filled += came,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if filled >= WORTH_WRITING {
                    return (filled, None);
                }
                match socket::poll(wire.fd(), Ready::In, patience) {
                    Ok(true) => {}
                    Ok(false) => return (filled, Some(TurnEnd::Dry)),
                    Err(error) => {
                        return (filled, Some(failed(TransferError::Connection(error))));
                    }
                }
            }
            Err(error) => return (filled, Some(failed(TransferError::Connection(error)))),
        }
    }
    (filled, None)
}
