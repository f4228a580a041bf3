//! The network inside a turmoil simulation: partitions, latency and crashes, repeatable by seed, without TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, LocalBoxFuture, poll_fn};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::net::{BoxIo, Incoming, Io, Listener, Net, Secured};
use crate::tokio_net::literal;

/// Connections that may wait to be accepted.
const BACKLOG: usize = 128;

/// The network of the turmoil host on which it is used. Hosts find each other by the names they have in turmoil.
#[derive(Debug, Clone, Copy, Default)]
pub struct TurmoilNet;

impl Net for TurmoilNet {
    fn bind(&self, at: SocketAddr) -> LocalBoxFuture<'_, io::Result<Box<dyn Listener>>> {
        async move {
            let listener = turmoil::net::TcpListener::bind(at).await?;
            Ok(Box::new(Backlog::begin(listener)?) as Box<dyn Listener>)
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

/// A listener to which clients are connected before anybody accepts them, as a kernel does it; in turmoil itself they
/// would wait until then. The port is free as soon as this is dropped.
struct Backlog {
    at: SocketAddr,
    queue: tokio::sync::Mutex<mpsc::Receiver<Incoming>>,
    /// What accepts: it owns the listener.
    work: Arc<Mutex<Option<BoxFuture<'static, ()>>>>,
    task: AbortHandle,
}

impl Backlog {
    fn begin(listener: turmoil::net::TcpListener) -> io::Result<Self> {
        let at = listener.local_addr()?;
        let (tx, rx) = mpsc::channel(BACKLOG);
        let work = Arc::new(Mutex::new(Some(take(listener, tx).boxed())));
        let polled = Arc::clone(&work);
        let task = tokio::task::spawn_local(poll_fn(move |cx| {
            let mut work = polled.lock().unwrap_or_else(PoisonError::into_inner);
            work.as_mut()
                .map_or(Poll::Ready(()), |work| work.poll_unpin(cx))
        }));
        Ok(Self {
            at,
            queue: tokio::sync::Mutex::new(rx),
            work,
            task: task.abort_handle(),
        })
    }
}

async fn take(listener: turmoil::net::TcpListener, queue: mpsc::Sender<Incoming>) {
    while let Ok(room) = queue.reserve().await {
        let Ok((stream, peer)) = listener.accept().await else {
            return;
        };
        let local = stream.local_addr().unwrap_or(peer);
        let adopt = move || Ok(Box::new(stream) as BoxIo);
        room.send(Incoming::new(peer, local, adopt));
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        drop(
            self.work
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        self.task.abort();
    }
}

impl Listener for Backlog {
    fn accept(&self) -> LocalBoxFuture<'_, io::Result<Incoming>> {
        async move {
            let next = self.queue.lock().await.recv().await;
            next.ok_or_else(|| io::ErrorKind::NotConnected.into())
        }
        .boxed_local()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
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
