//! The real network: tokio's sockets and rustls.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rustls::{ClientConfig, CommonState, HandshakeKind, ServerConfig};
use rustls_pki_types::ServerName;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tracing::debug;

use crate::net::{BoxIo, Incoming, Io, Listener, Net, Secured};
use crate::tls::{TlsParts, TlsSession};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// The network of the machine.
///
/// `[::]` listens for IPv4 as well, unless [`TokioNet::v6_only`]; every other IPv6 address is for IPv6 alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioNet {
    v6_only: bool,
}

impl TokioNet {
    /// The network of the machine, with `[::]` for both families.
    pub fn new() -> Self {
        Self::default()
    }

    /// `[::]` is for IPv6 alone, where `0.0.0.0` is listened at beside it.
    #[must_use]
    pub fn v6_only(mut self) -> Self {
        self.v6_only = true;
        self
    }

    fn listen(self, at: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        if at.is_ipv6() {
            socket.set_only_v6(self.v6_only || at.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    }
}

impl Net for TokioNet {
    fn bind(&self, at: SocketAddr) -> LocalBoxFuture<'_, io::Result<Box<dyn Listener>>> {
        async move { Ok(Box::new(self.listen(at)?) as Box<dyn Listener>) }.boxed_local()
    }

    fn connect(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
    ) -> LocalBoxFuture<'_, io::Result<BoxIo>> {
        async move {
            let socket = if to.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            if let Some(from) = from {
                socket.bind(SocketAddr::new(from, 0))?;
            }
            let stream = socket.connect(to).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxIo)
        }
        .boxed_local()
    }

    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async move {
            if let Some(ip) = literal(host) {
                return Ok(vec![SocketAddr::new(ip, port)]);
            }
            Ok(tokio::net::lookup_host((host, port)).await?.collect())
        }
        .boxed_local()
    }

    fn serve_tls(
        &self,
        io: BoxIo,
        config: Arc<ServerConfig>,
    ) -> LocalBoxFuture<'_, io::Result<Secured>> {
        async move { Ok(secured(TlsAcceptor::from(config).accept(io).await?.into())) }.boxed_local()
    }

    fn dial_tls(
        &self,
        io: BoxIo,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> LocalBoxFuture<'_, io::Result<Secured>> {
        async move {
            Ok(secured(
                TlsConnector::from(config).connect(name, io).await?.into(),
            ))
        }
        .boxed_local()
    }

    fn proves_peers(&self) -> bool {
        true
    }
}

/// An address written as text, with or without brackets.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    bare.parse().ok()
}

impl Listener for TcpListener {
    fn accept(&self) -> LocalBoxFuture<'_, io::Result<Incoming>> {
        async move {
            loop {
                match TcpListener::accept(self).await {
                    Ok((stream, peer)) => match incoming(stream, peer) {
                        Ok(incoming) => return Ok(incoming),
                        Err(why) => debug!(%peer, %why, "connection lost before it was accepted"),
                    },
                    Err(why) if is_the_peers_fault(&why) => {
                        debug!(%why, "connection lost before it was accepted")
                    }
                    Err(why) => return Err(why),
                }
            }
        }
        .boxed_local()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

fn incoming(stream: TcpStream, peer: SocketAddr) -> io::Result<Incoming> {
    let local = stream.local_addr()?;
    stream.set_nodelay(true)?;
    let socket = stream.into_std()?; // leaves this arbiter's reactor
    let descriptor = u64::try_from(socket.as_raw_fd()).unwrap_or(0);
    let adopt = move || Ok(Box::new(TcpStream::from_std(socket)?) as BoxIo);
    Ok(Incoming::new(peer, local, adopt).with_descriptor(descriptor))
}

fn is_the_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

impl Io for TcpStream {
    fn as_tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }

    fn into_tcp(self: Box<Self>) -> Result<TcpStream, BoxIo> {
        Ok(*self)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        TcpStream::peer_addr(self)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpStream::local_addr(self)
    }
}

/// A connection under TLS, over whatever connection.
struct Tls(TlsStream<BoxIo>);

fn secured(stream: TlsStream<BoxIo>) -> Secured {
    let (_, state): (_, &CommonState) = stream.get_ref();
    Secured {
        peer_certificates: state
            .peer_certificates()
            .map(<[_]>::to_vec)
            .unwrap_or_default(),
        resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        protocol: state.protocol_version(),
        cipher: state.negotiated_cipher_suite().map(|suite| suite.suite()),
        io: Box::new(Tls(stream)),
    }
}

impl Io for Tls {
    fn as_tcp(&self) -> Option<&TcpStream> {
        None
    }

    fn socket(&self) -> Option<&TcpStream> {
        self.0.get_ref().0.socket()
    }

    fn as_tls(&mut self) -> Option<TlsParts<'_>> {
        let (io, session) = match &mut self.0 {
            TlsStream::Server(stream) => {
                let (io, session) = stream.get_mut();
                (io, TlsSession::Server(session))
            }
            TlsStream::Client(stream) => {
                let (io, session) = stream.get_mut();
                (io, TlsSession::Client(session))
            }
        };
        let socket = io.as_tcp()?;
        Some(TlsParts { socket, session })
    }

    fn into_tcp(self: Box<Self>) -> Result<TcpStream, BoxIo> {
        Err(self)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.local_addr()
    }
}

impl AsyncRead for Tls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
