//! The network as the rest of the program sees it: one for tokio, others for tests and the simulation.
//!
//! A socket belongs to the reactor of the arbiter that made it; moved as it is, it fails when that arbiter ends.
//! So a listener gives an `Incoming`, and the arbiter that will serve it *adopts* it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, ServerConfig};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::tls::TlsParts;

/// A connection of whatever kind.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {
    /// The socket itself, where there is one and nothing lies over it (for sendfile and splice).
    fn as_tcp(&self) -> Option<&TcpStream>;

    /// The socket at the bottom, whatever lies over it: for its options, and for what the system knows of it.
    fn socket(&self) -> Option<&TcpStream> {
        self.as_tcp()
    }

    /// The TLS session and the plain socket beneath it, where there are both.
    fn as_tls(&mut self) -> Option<TlsParts<'_>> {
        None
    }

    /// The socket itself, to own.
    ///
    /// # Errors
    /// Gives the connection back where it is no plain socket.
    fn into_tcp(self: Box<Self>) -> Result<TcpStream, BoxIo>;

    /// The other end.
    ///
    /// # Errors
    /// When the connection is closed.
    fn peer_addr(&self) -> io::Result<SocketAddr>;

    /// This end.
    ///
    /// # Errors
    /// When the connection is closed.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// Any connection.
pub type BoxIo = Box<dyn Io>;

impl fmt::Debug for dyn Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Io({:?} <- {:?})",
            self.local_addr().ok(),
            self.peer_addr().ok()
        )
    }
}

/// The only way to the network.
///
/// None of these has a time limit of its own; the caller puts one around.
pub trait Net: Send + Sync + 'static {
    /// Listens at an address; port 0 means any free one.
    fn bind(&self, at: SocketAddr) -> LocalBoxFuture<'_, io::Result<Box<dyn Listener>>>;

    /// Connects, from a given local address if one is named.
    fn connect(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
    ) -> LocalBoxFuture<'_, io::Result<BoxIo>>;

    /// The addresses of a host name or of an address written as text (with or without brackets).
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, io::Result<Vec<SocketAddr>>>;

    /// The server's side of a TLS handshake.
    fn serve_tls(
        &self,
        io: BoxIo,
        config: Arc<ServerConfig>,
    ) -> LocalBoxFuture<'_, io::Result<Secured>>;

    /// The client's side of a TLS handshake.
    fn dial_tls(
        &self,
        io: BoxIo,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> LocalBoxFuture<'_, io::Result<Secured>>;

    /// Whether `serve_tls` and `dial_tls` are real. Where they are not (simulation) they give the connection back
    /// unchanged, without certificates, and whoever wants proof must do without.
    fn proves_peers(&self) -> bool;
}

/// A connection after its TLS handshake, and what the handshake told.
#[derive(Debug)]
pub struct Secured {
    /// The connection; what is written to it is encrypted.
    pub io: BoxIo,
    /// The peer's certificates, its own first; empty if it showed none.
    pub peer_certificates: Vec<CertificateDer<'static>>,
    /// Whether an earlier TLS session was resumed.
    pub resumed: bool,
    /// The version agreed on; nothing where TLS is absent.
    pub protocol: Option<ProtocolVersion>,
    /// The cipher suite agreed on; nothing where TLS is absent.
    pub cipher: Option<CipherSuite>,
}

impl Secured {
    /// A connection as it is, for networks without TLS.
    pub fn unchanged(io: BoxIo) -> Self {
        Self {
            io,
            peer_certificates: Vec::new(),
            resumed: false,
            protocol: None,
            cipher: None,
        }
    }
}

/// Waits for connections. Closed when dropped.
pub trait Listener: Send {
    /// The next connection. May be dropped and called again without losing one.
    ///
    /// After an error (usually: no more file descriptors) wait a little before the next call.
    fn accept(&self) -> LocalBoxFuture<'_, io::Result<Incoming>>;

    /// Where it listens, with the real port.
    ///
    /// # Errors
    /// When the system does not know.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

type Adopt = Box<dyn FnOnce() -> io::Result<BoxIo> + Send>;

/// A connection that was accepted and does not belong to an arbiter yet. Dropping it closes the connection.
pub struct Incoming {
    /// The other end.
    pub peer: SocketAddr,
    /// The address the peer connected to.
    pub local: SocketAddr,
    descriptor: Option<u64>,
    adopt: Adopt,
}

impl Incoming {
    /// For those who write a network: `adopt` is called once, on the arbiter that takes the connection.
    pub fn new(
        peer: SocketAddr,
        local: SocketAddr,
        adopt: impl FnOnce() -> io::Result<BoxIo> + Send + 'static,
    ) -> Self {
        Self {
            peer,
            local,
            descriptor: None,
            adopt: Box::new(adopt),
        }
    }

    /// Says which file descriptor it has.
    #[must_use]
    pub fn with_descriptor(mut self, descriptor: u64) -> Self {
        self.descriptor = Some(descriptor);
        self
    }

    /// Its file descriptor, where it has one of its own.
    pub fn descriptor(&self) -> Option<u64> {
        self.descriptor
    }

    /// Takes the connection to the arbiter on which this is called.
    ///
    /// # Errors
    /// When the arbiter's reactor cannot take it.
    pub fn adopt(self) -> io::Result<BoxIo> {
        (self.adopt)()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({} <- {})", self.local, self.peer)
    }
}
