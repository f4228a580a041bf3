//! A TLS session apart from its connection, for a thread that moves bytes through it in long turns.

use std::io::{self, Read, Write};

use rustls::{ClientConnection, IoState, Reader, ServerConnection};
use tokio::net::TcpStream;

/// A connection under TLS over a plain socket, taken apart for a while.
pub struct TlsParts<'a> {
    /// The socket; what goes over it is encrypted.
    pub socket: &'a TcpStream,
    /// What encrypts it.
    pub session: TlsSession<'a>,
}

/// A session of either side, after its handshake.
pub enum TlsSession<'a> {
    /// That answered the handshake.
    Server(&'a mut ServerConnection),
    /// That began it.
    Client(&'a mut ClientConnection),
}

/// What rustls has as its limit in the beginning.
const DEFAULT_LIMIT: usize = 64 << 10;

macro_rules! either {
    ($session:expr, $name:ident => $does:expr) => {
        match $session {
            TlsSession::Server($name) => $does,
            TlsSession::Client($name) => $does,
        }
    };
}

impl TlsSession<'_> {
    /// Whether something encrypted waits to go out.
    pub fn wants_write(&self) -> bool {
        either!(self, session => session.wants_write())
    }

    /// Encrypts all of it, however much that is; it goes out by [`Self::write_tls`].
    ///
    /// # Errors
    /// Never after a handshake.
    pub fn seal(&mut self, plain: &[u8]) -> io::Result<()> {
        either!(self, session => {
            session.set_buffer_limit(None);
            let sealed = session.writer().write_all(plain);
            session.set_buffer_limit(Some(DEFAULT_LIMIT));
            sealed
        })
    }

    /// Gives out what is encrypted; as much as is taken.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_tls(&mut self, out: &mut dyn Write) -> io::Result<usize> {
        either!(self, session => session.write_tls(out))
    }

    /// Takes in a part of what came over the socket. After each call, [`Self::open`] and then empty [`Self::reader`].
    ///
    /// # Errors
    /// Those of `from`, or that one of the other two was not called.
    pub fn read_tls(&mut self, from: &mut dyn Read) -> io::Result<usize> {
        either!(self, session => session.read_tls(from))
    }

    /// Decrypts what was taken in.
    ///
    /// # Errors
    /// What is no TLS, or was changed on its way. An alert for the peer waits to go out then.
    pub fn open(&mut self) -> Result<IoState, rustls::Error> {
        either!(self, session => session.process_new_packets())
    }

    /// What was decrypted.
    pub fn reader(&mut self) -> Reader<'_> {
        either!(self, session => session.reader())
    }

    /// Whether nothing is known of what follows until more comes over the socket.
    pub fn waits_for_more(&mut self) -> bool {
        let known = either!(self, session => session.reader().into_first_chunk().map(drop));
        known.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Says that nothing more goes out.
    pub fn close_notify(&mut self) {
        either!(self, session => session.send_close_notify());
    }
}
