//! One end of a connection, in clear or by TLS, for clients and servers of the tests.

use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use drftpd_actors::tls::{Believed, ftp_client};
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection, StreamOwned,
};

use crate::process::PATIENCE;

/// A connection.
pub enum Wire {
    /// In clear.
    Clear(TcpStream),
    /// By TLS; this end began the handshake.
    Client(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// By TLS; the other end began it.
    Server(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    /// In clear, with a limit for every wait.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn new(tcp: TcpStream) -> Result<Self> {
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        Ok(Wire::Clear(tcp))
    }

    /// TLS that this end begins; any certificate is believed.
    ///
    /// # Errors
    /// When the socket is gone, or no settings can be made.
    pub fn client(tcp: TcpStream) -> Result<Self> {
        let config = ftp_client(Believed::Anybody).map_err(std::io::Error::other)?;
        Wire::client_by(tcp, Arc::new(config))
    }

    /// TLS that this end begins, by settings that may know a session to resume.
    ///
    /// # Errors
    /// When the socket is gone, or the settings are of no use.
    pub fn client_by(tcp: TcpStream, config: Arc<ClientConfig>) -> Result<Self> {
        let name = ServerName::from(tcp.peer_addr()?.ip());
        let tls = ClientConnection::new(config, name).map_err(std::io::Error::other)?;
        Ok(Wire::Client(Box::new(StreamOwned::new(tls, tcp))))
    }

    /// TLS that the other end begins.
    ///
    /// # Errors
    /// When the settings are of no use.
    pub fn server(tcp: TcpStream, config: Arc<ServerConfig>) -> Result<Self> {
        let tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
        Ok(Wire::Server(Box::new(StreamOwned::new(tls, tcp))))
    }

    /// How the handshake that this end began was; nothing before it is over.
    pub fn handshake(&self) -> Option<HandshakeKind> {
        match self {
            Wire::Client(tls) => tls.conn.handshake_kind(),
            Wire::Clear(_) | Wire::Server(_) => None,
        }
    }

    /// The socket below.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Wire::Clear(tcp) => tcp,
            Wire::Client(tls) => &tls.sock,
            Wire::Server(tls) => &tls.sock,
        }
    }

    /// The socket, taken out.
    pub fn into_tcp(self) -> TcpStream {
        match self {
            Wire::Clear(tcp) => tcp,
            Wire::Client(tls) => tls.into_parts().1,
            Wire::Server(tls) => tls.into_parts().1,
        }
    }

    /// Says that nothing follows, and waits for the end of the other side.
    ///
    /// # Errors
    /// When the other side breaks off.
    pub fn finish(mut self) -> Result<()> {
        match &mut self {
            Wire::Clear(_) => {}
            Wire::Client(tls) => tls.conn.send_close_notify(),
            Wire::Server(tls) => tls.conn.send_close_notify(),
        }
        self.flush()?;
        let mut tcp = self.into_tcp();
        tcp.shutdown(Shutdown::Write)?;
        std::io::copy(&mut tcp, &mut std::io::sink()).map(drop)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Wire::Clear(tcp) => tcp.read(buffer),
            Wire::Client(tls) => tls.read(buffer),
            Wire::Server(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        match self {
            Wire::Clear(tcp) => tcp.write(buffer),
            Wire::Client(tls) => tls.write(buffer),
            Wire::Server(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Wire::Clear(tcp) => tcp.flush(),
            Wire::Client(tls) => tls.flush(),
            Wire::Server(tls) => tls.flush(),
        }
    }
}
