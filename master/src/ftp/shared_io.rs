//! One control connection for its reader and its writer, which live on one thread; and the bytes that the system would
//! keep from the reader.
//!
//! AUTH takes the connection out for its handshake ([`SharedIo::take`]); whoever reads or writes meanwhile waits until it
//! is back, or hears that it is lost.
//!
//! Clients send ABOR, or the mark before it, with a last byte that is urgent (RFC 959; Python's ftplib does). Such a byte
//! is left in line here, but a read ends in front of it, and tokio takes a short read for a sign that nothing is left:
//! [`SharedIo::read_more`] looks once more.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use drftpd_actors::BoxIo;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::debug;

/// A control connection. Cloning gives another handle to the same.
#[derive(Clone)]
pub(super) struct SharedIo(Rc<RefCell<Wire>>);

enum Wire {
    Here(BoxIo),
    /// Taken out; those who want to read or write wait.
    Away(Vec<Waker>),
    /// It did not come back.
    Lost,
}

impl SharedIo {
    /// Takes a connection.
    pub fn new(io: BoxIo) -> Self {
        inline(&io, true);
        Self(Rc::new(RefCell::new(Wire::Here(io))))
    }

    /// What is there already behind an urgent mark; never waits. Nothing where there is no plain socket.
    pub fn read_more(&self, buffer: &mut [u8]) -> usize {
        let wire = self.0.borrow();
        let Wire::Here(io) = &*wire else { return 0 };
        let Some(socket) = io.as_tcp() else { return 0 };
        // Nothing there, the end or an error: the next read of the connection tells.
        recv(socket, buffer, RecvFlags::DONTWAIT).map_or(0, |(read, _)| read)
    }

    /// Takes the connection out. Whoever drops the second value without giving one back has lost it.
    ///
    /// # Errors
    /// When it is not here.
    pub fn take(&self) -> io::Result<(BoxIo, Away)> {
        let mut wire = self.0.borrow_mut();
        match std::mem::replace(&mut *wire, Wire::Away(Vec::new())) {
            Wire::Here(io) => {
                // An urgent byte would not be TLS; outside of the line it is lost, and does no harm.
                inline(&io, false);
                Ok((io, Away(self.clone())))
            }
            other => {
                *wire = other;
                Err(io::ErrorKind::NotConnected.into())
            }
        }
    }

    fn put(&self, wire: Wire) {
        if let Wire::Away(waiting) = self.0.replace(wire) {
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Does something with the connection, if it is here.
    fn with<T>(
        &self,
        cx: &mut Context<'_>,
        work: impl FnOnce(Pin<&mut BoxIo>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.0.borrow_mut() {
            Wire::Here(io) => work(Pin::new(io), cx),
            Wire::Away(waiting) => {
                waiting.retain(|other| !other.will_wake(cx.waker()));
                waiting.push(cx.waker().clone());
                Poll::Pending
            }
            Wire::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

/// Whether urgent bytes are read where they were written.
fn inline(io: &BoxIo, yes: bool) {
    if let Some(socket) = io.as_tcp()
        && let Err(why) = socket2::SockRef::from(socket).set_out_of_band_inline(yes)
    {
        debug!(%why, inline = yes, "urgent data is read as it comes");
    }
}

/// The place of a connection that was taken out.
pub(super) struct Away(SharedIo);

impl Away {
    /// Puts a connection there.
    pub fn back(self, io: BoxIo) {
        self.0.put(Wire::Here(io));
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let away = matches!(&*self.0.0.borrow(), Wire::Away(_));
        if away {
            self.0.put(Wire::Lost);
        }
    }
}

impl AsyncRead for SharedIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(cx, |io, cx| io.poll_read(cx, buffer))
    }
}

impl AsyncWrite for SharedIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(cx, |io, cx| io.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(cx, |io, cx| io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(cx, |io, cx| io.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::reader::{Inbound, LineReader, Tap};
    use drftpd_actors::{Net, TokioNet};
    use futures_util::StreamExt;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

    #[test]
    fn whoever_reads_or_writes_while_it_is_away_goes_on_when_it_is_back() {
        drftpd_actors::testkit::sim(async {
            let net = drftpd_actors::testkit::MemNet::new();
            let listener = net.bind(([127, 0, 0, 1], 21).into()).await.unwrap();
            let at = listener.local_addr().unwrap();
            let mut client = net.connect(None, at).await.unwrap();
            let mut shared = SharedIo::new(listener.accept().await.unwrap().adopt().unwrap());
            let (io, away) = SharedIo::take(&shared).unwrap();
            assert!(SharedIo::take(&shared).is_err());
            let mut other = shared.clone();
            let waits = tokio::task::spawn_local(async move { other.write_all(b"220").await });
            client.write_all(b"x").await.unwrap();
            let mut got = [0; 3];
            assert!(futures_util::poll!(Box::pin(shared.read(&mut got))).is_pending());
            away.back(io);
            assert_eq!(shared.read(&mut got).await.unwrap(), 1);
            waits.await.unwrap().unwrap();
            client.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"220");

            let (_, away) = SharedIo::take(&shared).unwrap();
            drop(away);
            assert!(shared.write_all(b"x").await.is_err());
        });
    }
}
