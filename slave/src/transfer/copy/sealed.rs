//! Turns of a transfer under TLS: as those of [`super::turn`], with the session between file and socket.
//!
//! The thread has the whole connection for a turn, so nothing is copied that need not be: a piece of the file is
//! read into one buffer, encrypted, and given to the socket in one call; what comes in is taken from the socket in
//! large pieces, decrypted, and written when a buffer is full.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use drftpd_actors::BoxIo;
use drftpd_actors::tls::{TlsParts, TlsSession};

use super::super::error::TransferError;
use super::intake::Intake;
use super::send::read_into;
use super::turn::{Budget, Terms, TurnEnd, WORTH_WRITING};
use crate::sys::socket::{self, Ready};

/// What is read from a file, encrypted and given to the socket at a time.
const PIECE: usize = 128 << 10;
/// What is taken from the socket at a time, and what is written to a file at a time.
const BUFFER: usize = 256 << 10;

thread_local! {
    /// Buffers of each thread of the pool: what is encrypted, and what is not.
    static BYTES: RefCell<(Vec<u8>, Vec<u8>)> = RefCell::new((vec![0; BUFFER], vec![0; BUFFER]));
}

/// Sends bytes of a file from `at` on. Gives how many are encrypted, also when it failed then. After
/// [`TurnEnd::UsedUp`] the socket has all of them.
pub fn send(io: &mut BoxIo, file: &File, at: u64, terms: &Terms) -> (u64, TurnEnd) {
    let Some(mut line) = Line::of(io, terms.patience) else {
        return (0, not_here());
    };
    BYTES.with_borrow_mut(|(_, plain)| {
        let mut sent = 0;
        let end = line.send(file, at, &mut sent, terms, &mut plain[..PIECE]);
        (sent, end.unwrap_or_else(TurnEnd::Failed))
    })
}

/// Receives into a file. What came is written, also when it failed then.
pub fn receive(io: &mut BoxIo, intake: &mut Intake, terms: &Terms) -> TurnEnd {
    let Some(mut line) = Line::of(io, terms.patience) else {
        return not_here();
    };
    BYTES.with_borrow_mut(|(sealed, plain)| {
        let mut file = Filling {
            intake,
            terms,
            plain,
            filled: 0,
        };
        let end = line.receive(sealed, &mut file);
        let written = file.write();
        match (end, written) {
            (_, Err(error)) | (Err(error), _) => TurnEnd::Failed(error),
            (Ok(end), Ok(())) => end,
        }
    })
}

/// Closes both ways when everything has come: the peer need not wait for the disk.
pub fn close(io: &mut BoxIo) {
    if let Some(mut line) = Line::of(io, Duration::ZERO) {
        line.session.close_notify();
        drop(line.flush()); // whoever is gone needs no word
        if let Err(error) = socket::shutdown(line.socket) {
            tracing::trace!(%error, "the peer is gone already");
        }
    }
}

fn not_here() -> TurnEnd {
    let gone = io::ErrorKind::NotConnected;
    TurnEnd::Failed(TransferError::Connection(gone.into()))
}

struct Line<'a> {
    socket: BorrowedFd<'a>,
    session: TlsSession<'a>,
    patience: Duration,
}

/// What the end of an attempt at the socket means.
enum Went {
    On,
    Dry,
}

impl<'a> Line<'a> {
    fn of(io: &'a mut BoxIo, patience: Duration) -> Option<Self> {
        let TlsParts { socket, session } = io.as_tls()?;
        Some(Line {
            socket: socket.as_fd(),
            session,
            patience,
        })
    }

    fn send(
        &mut self,
        file: &File,
        at: u64,
        sent: &mut u64,
        terms: &Terms,
        piece: &mut [u8],
    ) -> Result<TurnEnd, TransferError> {
        let mut budget = Budget::of(terms);
        loop {
            terms.stop.check()?;
            if let Went::Dry = self.flush()? {
                return Ok(TurnEnd::Dry);
            }
            if budget.used_up() {
                return Ok(TurnEnd::UsedUp);
            }
            let count = usize::try_from(budget.left).map_or(PIECE, |left| left.min(PIECE));
            let read = read_into(file, at + *sent, &mut piece[..count]);
            match read.map_err(TransferError::Disk)? {
                0 => return Err(TransferError::Shorter),
                read => {
                    let sealed = self.session.seal(&piece[..read]);
                    sealed.map_err(TransferError::Connection)?;
                    *sent += read as u64;
                    budget.left -= read as u64;
                    terms.meter.sent(read as u64);
                }
            }
        }
    }

    /// Gives the socket everything that is encrypted.
    fn flush(&mut self) -> Result<Went, TransferError> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Socket(self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.ready(Ready::Out)? {
                        return Ok(Went::Dry);
                    }
                }
                Err(error) => return Err(TransferError::Connection(error)),
            }
        }
        Ok(Went::On)
    }

    fn ready(&self, ready: Ready) -> Result<bool, TransferError> {
        socket::poll(self.socket, ready, self.patience).map_err(TransferError::Connection)
    }

    fn receive(
        &mut self,
        sealed: &mut [u8],
        file: &mut Filling<'_>,
    ) -> Result<TurnEnd, TransferError> {
        let mut budget = Budget::of(file.terms);
        if self.drain(file)? {
            return Ok(TurnEnd::End);
        }
        while !budget.used_up() {
            file.terms.stop.check()?;
            let most = usize::try_from(budget.left).map_or(BUFFER, |left| left.min(BUFFER));
            match socket::receive(self.socket, &mut sealed[..most]) {
                Ok(0) => {
                    let text = "closed without close_notify";
                    let cut = io::Error::new(io::ErrorKind::UnexpectedEof, text);
                    return Err(TransferError::Connection(cut));
                }
                Ok(came) => {
                    budget.left -= came as u64;
                    if self.take(&sealed[..came], file)? {
                        return Ok(TurnEnd::End);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if file.filled >= WORTH_WRITING {
                        file.write()?;
                    } else if !self.ready(Ready::In)? {
                        return Ok(TurnEnd::Dry);
                    }
                }
                Err(error) => return Err(TransferError::Connection(error)),
            }
        }
        Ok(TurnEnd::UsedUp)
    }

    /// Decrypts all of what came; whether that was the end.
    fn take(&mut self, mut came: &[u8], file: &mut Filling<'_>) -> Result<bool, TransferError> {
        while !came.is_empty() {
            let taken = self.session.read_tls(&mut came);
            if taken.map_err(TransferError::Connection)? == 0 {
                return Ok(true); // behind close_notify nothing counts
            }
            let opened = self.session.open();
            if let Err(error) = opened {
                drop(self.flush()); // the alert, if it can go
                let bad = io::Error::new(io::ErrorKind::InvalidData, error);
                return Err(TransferError::Connection(bad));
            }
            if self.drain(file)? {
                return Ok(true);
            }
        }
        if self.session.wants_write() {
            // An answer to the peer's new key. What the socket does not take now goes with the next one.
            drop(self.session.write_tls(&mut Socket(self.socket)));
        }
        Ok(false)
    }

    /// Moves what is decrypted to the file; whether that was the end.
    fn drain(&mut self, file: &mut Filling<'_>) -> Result<bool, TransferError> {
        loop {
            if file.is_full() {
                file.write()?;
            }
            match self.session.reader().read(file.room()) {
                Ok(0) => return Ok(true),
                Ok(read) => file.filled += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(TransferError::Connection(error)),
            }
        }
    }
}

/// A buffer that is written to the file when it is full.
struct Filling<'a> {
    intake: &'a mut Intake,
    terms: &'a Terms,
    plain: &'a mut [u8],
    filled: usize,
}

impl Filling<'_> {
    fn is_full(&self) -> bool {
        self.filled == self.plain.len()
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.plain[self.filled..]
    }

    fn write(&mut self) -> Result<(), TransferError> {
        let filled = std::mem::take(&mut self.filled);
        self.intake.write(&self.plain[..filled], &self.terms.meter)
    }
}

/// The socket as rustls writes to it.
struct Socket<'a>(BorrowedFd<'a>);

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        socket::send(self.0, bytes)
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        socket::send_pieces(self.0, pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
