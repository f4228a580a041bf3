//! A connection lent to a thread for a turn: what stands in its place meanwhile.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use drftpd_actors::{BoxIo, Io};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Takes a connection for a turn; put it back when the turn is over. If the thread fails, the connection is closed
/// with it, and every use of what stands here is an error.
pub fn lend(io: &mut BoxIo) -> BoxIo {
    std::mem::replace(io, Box::new(Lent))
}

struct Lent;

fn lent<T>() -> io::Result<T> {
    Err(io::ErrorKind::NotConnected.into())
}

impl Io for Lent {
    fn as_tcp(&self) -> Option<&TcpStream> {
        None
    }

    fn into_tcp(self: Box<Self>) -> Result<TcpStream, BoxIo> {
        Err(self)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        lent()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        lent()
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(lent())
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(lent())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(lent())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(lent())
    }
}
