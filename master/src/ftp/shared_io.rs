//! One control connection for its reader and its writer, which live on one thread; and the bytes that the system would
//! keep from the reader.
//!
//! Clients send ABOR, or the mark before it, with a last byte that is urgent (RFC 959; Python's ftplib does). Such a byte
//! is left in line here, but a read ends in front of it, and tokio takes a short read for a sign that nothing is left:
//! [`SharedIo::read_more`] looks once more.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use drftpd_actors::BoxIo;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::debug;

/// A control connection. Cloning gives another handle to the same.
#[derive(Clone)]
pub(super) struct SharedIo(Rc<RefCell<BoxIo>>);

impl SharedIo {
    /// Takes a connection.
    pub fn new(io: BoxIo) -> Self {
        if let Some(socket) = io.as_tcp()
            && let Err(why) = socket2::SockRef::from(socket).set_out_of_band_inline(true)
        {
            debug!(%why, "urgent data is not read in line");
        }
        Self(Rc::new(RefCell::new(io)))
    }

    /// What is there already behind an urgent mark; never waits. Nothing where there is no plain socket.
    pub fn read_more(&self, buffer: &mut [u8]) -> usize {
        let io = self.0.borrow();
        let Some(socket) = io.as_tcp() else { return 0 };
        // Nothing there, the end or an error: the next read of the connection tells.
        recv(socket, buffer, RecvFlags::DONTWAIT).map_or(0, |(read, _)| read)
    }
}

impl AsyncRead for SharedIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for SharedIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::reader::{Inbound, LineReader, Tap};
    use drftpd_actors::{Net, TokioNet};
    use futures_util::StreamExt;
    use std::time::Duration;
    use tokio::time::timeout;

    #[test]
    fn lines_with_urgent_bytes_in_them_come_whole_and_at_once() {
        let talk = async {
            let net = TokioNet::new();
            let listener = net.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
            let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let io = SharedIo::new(listener.accept().await.unwrap().adopt().unwrap());
            let mut lines = LineReader::new(io.clone(), Tap::default()).with_socket(io);
            let urgent = socket2::SockRef::from(&client);
            for said in [
                &b"ABOR\r\n"[..],
                b"\xFF\xF4\xFF",
                b"\xF2ABOR\r\n",
                b"ABOR\r",
                b"\n",
            ] {
                assert_eq!(urgent.send_out_of_band(said).unwrap(), said.len());
            }
            for _ in 0..3 {
                let line = timeout(Duration::from_secs(60), lines.next())
                    .await
                    .unwrap();
                assert!(matches!(line, Some(Inbound::Line(Ok(line))) if line.verb == "ABOR"));
            }
        };
        drftpd_actors::block_on(talk).unwrap();
    }
}
