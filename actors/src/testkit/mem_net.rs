//! A network in memory: duplex pipes between addresses. One thread or several, no real time; TLS only where asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::net::{BoxIo, Incoming, Io, Listener, Net, Secured};
use crate::tokio_net::{TokioNet, literal};

/// Bytes that one direction of a connection holds before the writer waits.
const PIPE: usize = 64 * 1024;
/// Connections that may wait to be accepted; the next is refused.
const BACKLOG: usize = 128;
/// Ports given where none is asked for.
const FREE_PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

/// A network in memory. Cloning gives another handle to the same network.
#[derive(Clone)]
pub struct MemNet {
    wires: Arc<Mutex<Wires>>,
    ip: IpAddr,
    tls: Option<TokioNet>,
}

struct Wires {
    listeners: BTreeMap<SocketAddr, mpsc::Sender<Incoming>>,
    names: BTreeMap<String, IpAddr>,
    next_port: u16,
    walls: BTreeSet<(IpAddr, IpAddr)>,
}

impl MemNet {
    /// A network without anybody, seen from 127.0.0.1.
    pub fn new() -> Self {
        let names = BTreeMap::from([("localhost".to_owned(), IpAddr::from(Ipv4Addr::LOCALHOST))]);
        let wires = Wires {
            listeners: BTreeMap::new(),
            names,
            next_port: *FREE_PORTS.start(),
            walls: BTreeSet::new(),
        };
        Self {
            wires: Arc::new(Mutex::new(wires)),
            ip: Ipv4Addr::LOCALHOST.into(),
            tls: None,
        }
    }

    /// The same network seen from another address: connections come from there unless they say otherwise.
    #[must_use]
    pub fn at(&self, ip: impl Into<IpAddr>) -> Self {
        Self {
            wires: Arc::clone(&self.wires),
            ip: ip.into(),
            tls: self.tls,
        }
    }

    /// The same network with real TLS over its pipes; in the beginning it has none.
    #[must_use]
    pub fn with_tls(mut self) -> Self {
        self.tls = Some(TokioNet::new());
        self
    }

    /// Gives an address a name that `resolve` knows.
    pub fn name(&self, name: &str, ip: impl Into<IpAddr>) {
        self.wires().names.insert(name.to_owned(), ip.into());
    }

    /// From now on nobody gets through from one address to another.
    pub fn wall(&self, from: impl Into<IpAddr>, to: impl Into<IpAddr>) {
        self.wires().walls.insert((from.into(), to.into()));
    }

    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, mut at: SocketAddr) -> io::Result<MemListener> {
        let mut wires = self.wires();
        if at.port() == 0 {
            at.set_port(wires.free_port());
        } else if wires
            .listeners
            .get(&at)
            .is_some_and(|there| !there.is_closed())
        {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (tx, rx) = mpsc::channel(BACKLOG);
        wires.listeners.insert(at, tx);
        Ok(MemListener {
            at,
            queue: tokio::sync::Mutex::new(rx),
        })
    }

    fn dial(&self, from: Option<IpAddr>, to: SocketAddr) -> io::Result<MemIo> {
        let mut wires = self.wires();
        let from = SocketAddr::new(from.unwrap_or(self.ip), wires.free_port());
        if wires.walls.contains(&(from.ip(), to.ip())) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let listener = wires.listener(to).ok_or(io::ErrorKind::ConnectionRefused)?;
        let (near, far) = tokio::io::duplex(PIPE);
        let far = MemIo {
            pipe: far,
            local: to,
            peer: from,
        };
        let incoming = Incoming::new(from, to, move || Ok(Box::new(far) as BoxIo));
        listener
            .try_send(incoming)
            .map_err(|_full_or_gone| io::ErrorKind::ConnectionRefused)?;
        Ok(MemIo {
            pipe: near,
            local: from,
            peer: to,
        })
    }
}

impl Default for MemNet {
    fn default() -> Self {
        Self::new()
    }
}

impl Wires {
    /// The next port that nobody listens at, in turn.
    fn free_port(&mut self) -> u16 {
        self.listeners.retain(|_, listener| !listener.is_closed());
        for _ in FREE_PORTS {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(*FREE_PORTS.start());
            if !self.listeners.keys().any(|at| at.port() == port) {
                return port;
            }
        }
        0
    }

    fn listener(&self, to: SocketAddr) -> Option<&mpsc::Sender<Incoming>> {
        let everywhere = [
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            std::net::Ipv6Addr::UNSPECIFIED.into(),
        ];
        let anywhere = || {
            everywhere
                .iter()
                .find_map(|ip| self.listeners.get(&SocketAddr::new(*ip, to.port())))
        };
        self.listeners.get(&to).or_else(anywhere)
    }
}

impl Net for MemNet {
    fn bind(&self, at: SocketAddr) -> LocalBoxFuture<'_, io::Result<Box<dyn Listener>>> {
        async move { Ok(Box::new(self.listen(at)?) as Box<dyn Listener>) }.boxed_local()
    }

    fn connect(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
    ) -> LocalBoxFuture<'_, io::Result<BoxIo>> {
        async move { Ok(Box::new(self.dial(from, to)?) as BoxIo) }.boxed_local()
    }

    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async move {
            let ip = literal(host).or_else(|| self.wires().names.get(host).copied());
            Ok(vec![SocketAddr::new(
                ip.ok_or(io::ErrorKind::NotFound)?,
                port,
            )])
        }
        .boxed_local()
    }

    fn serve_tls(
        &self,
        io: BoxIo,
        config: Arc<ServerConfig>,
    ) -> LocalBoxFuture<'_, io::Result<Secured>> {
        match &self.tls {
            Some(tls) => tls.serve_tls(io, config),
            None => async move { Ok(Secured::unchanged(io)) }.boxed_local(),
        }
    }

    fn dial_tls(
        &self,
        io: BoxIo,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> LocalBoxFuture<'_, io::Result<Secured>> {
        match &self.tls {
            Some(tls) => tls.dial_tls(io, config, name),
            None => async move { Ok(Secured::unchanged(io)) }.boxed_local(),
        }
    }

    fn proves_peers(&self) -> bool {
        self.tls.is_some()
    }
}

struct MemListener {
    at: SocketAddr,
    queue: tokio::sync::Mutex<mpsc::Receiver<Incoming>>,
}

impl Listener for MemListener {
    fn accept(&self) -> LocalBoxFuture<'_, io::Result<Incoming>> {
        async move {
            // The network keeps the sender until the listener is dropped.
            self.queue
                .lock()
                .await
                .recv()
                .await
                .ok_or_else(|| io::ErrorKind::NotConnected.into())
        }
        .boxed_local()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }
}

struct MemIo {
    pipe: DuplexStream,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Io for MemIo {
    fn as_tcp(&self) -> Option<&TcpStream> {
        None
    }

    fn into_tcp(self: Box<Self>) -> Result<TcpStream, BoxIo> {
        Err(self)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl AsyncRead for MemIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for MemIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
