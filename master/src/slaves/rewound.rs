//! A connection whose first bytes were read and are to be read again.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use drftpd_actors::{BoxIo, Io};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection with some bytes put back in front.
pub(super) struct Rewound {
    head: Vec<u8>,
    io: BoxIo,
}

impl Rewound {
    /// Puts `head` back.
    pub fn new(head: impl Into<Vec<u8>>, io: BoxIo) -> Self {
        let head = head.into();
        Self { head, io }
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let fits = self.head.len().min(buf.remaining());
        let rest = self.head.split_off(fits);
        buf.put_slice(&self.head);
        self.head = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Io for Rewound {
    fn as_tcp(&self) -> Option<&TcpStream> {
        None
    }

    fn into_tcp(self: Box<Self>) -> Result<TcpStream, BoxIo> {
        Err(self)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }
}
