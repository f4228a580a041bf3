//! The network inside a turmoil simulation: partitions, latency and crashes, repeatable by seed, without TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;

use crate::net::{BoxIo, Incoming, Io, Listener, Net, Secured};
use crate::tokio_net::literal;

/// The network of the turmoil host on which it is used. Hosts find each other by the names they have in turmoil.
#[derive(Debug, Clone, Copy, Default)]
pub struct TurmoilNet;

impl Net for TurmoilNet {
    fn bind(&self, at: SocketAddr) -> LocalBoxFuture<'_, io::Result<Box<dyn Listener>>> {
        async move {
            let listener = turmoil::net::TcpListener::bind(at).await?;
            Ok(Box::new(listener) as Box<dyn Listener>)
        }
        .boxed_local()
    }

    /// A host has one address here, so `from` is of no account.
    fn connect(
        &self,
        _from: Option<IpAddr>,
        to: SocketAddr,
    ) -> LocalBoxFuture<'_, io::Result<BoxIo>> {
        async move {
            let stream = turmoil::net::TcpStream::connect(to).await?;
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
            let ip = literal(host).unwrap_or_else(|| turmoil::lookup(host));
            Ok(vec![SocketAddr::new(ip, port)])
        }
        .boxed_local()
    }

    fn serve_tls(
        &self,
        io: BoxIo,
        _: Arc<ServerConfig>,
    ) -> LocalBoxFuture<'_, io::Result<Secured>> {
        async move { Ok(Secured::unchanged(io)) }.boxed_local()
    }

    fn dial_tls(
        &self,
        io: BoxIo,
        _: Arc<ClientConfig>,
        _: ServerName<'static>,
    ) -> LocalBoxFuture<'_, io::Result<Secured>> {
        async move { Ok(Secured::unchanged(io)) }.boxed_local()
    }

    fn proves_peers(&self) -> bool {
        false
    }
}

impl Listener for turmoil::net::TcpListener {
    fn accept(&self) -> LocalBoxFuture<'_, io::Result<Incoming>> {
        async move {
            let (stream, peer) = turmoil::net::TcpListener::accept(self).await?;
            let local = stream.local_addr()?;
            Ok(Incoming::new(peer, local, move || {
                Ok(Box::new(stream) as BoxIo)
            }))
        }
        .boxed_local()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        turmoil::net::TcpListener::local_addr(self)
    }
}

impl Io for turmoil::net::TcpStream {
    fn as_tcp(&self) -> Option<&TcpStream> {
        None
    }

    fn into_tcp(self: Box<Self>) -> Result<TcpStream, BoxIo> {
        Err(self)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        turmoil::net::TcpStream::peer_addr(self)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        turmoil::net::TcpStream::local_addr(self)
    }
}
