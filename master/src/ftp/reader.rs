//! The way in of a session: a stream of command lines, which stops reading while too many wait.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use drftpd_protocol::ftp::{Line, LineCodec, LineFault};
use futures_util::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::codec::Decoder;
use tracing::debug;

use super::shared_io::SharedIo;

/// Bytes read at once. Lines are short; what is pipelined comes in several rounds.
const CHUNK: usize = 2048;
/// Bytes that are taken before lines are looked for in them.
const MOST_AT_ONCE: usize = 16 * 1024;

/// Bytes that are read, to be thrown away, after our last words. Who sends more is not listening to them.
const MOST_AFTER: usize = 1024 * 1024;

/// What came from the client.
pub(super) enum Inbound {
    /// A line, or what is wrong with it.
    Line(Result<Line, LineFault>),
    /// Answers to Telnet options, to be sent as they are.
    Telnet(Bytes),
    /// The connection is broken, not merely closed on the client's side.
    Broken,
}

/// What the session tells its reader. Cloning gives another handle to the same reader.
#[derive(Clone, Default)]
pub(super) struct Tap(Rc<Told>);

#[derive(Default)]
struct Told {
    logged_in: Cell<bool>,
    closed: Cell<bool>,
    over: Cell<bool>,
    held: Cell<bool>,
    anew: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Tap {
    /// Whether longer lines may come.
    pub fn logged_in(&self, yes: bool) {
        self.0.logged_in.set(yes);
    }

    /// Our last words are said: what still comes is thrown away, and is not read for ever.
    pub fn over(&self) {
        self.0.over.set(true);
        self.close(false);
    }

    /// Whether more was read than the lines that came of it.
    pub fn holds_more(&self) -> bool {
        self.0.held.get()
    }

    /// Begins again as on a new connection; what was read before is forgotten.
    pub fn anew(&self) {
        self.0.anew.set(true);
        self.close(false);
    }

    /// Closed, nothing is read; what the client sends stays in the socket.
    pub fn close(&self, closed: bool) {
        self.0.closed.set(closed);
        if !closed && let Some(waker) = self.0.waiting.take() {
            waker.wake();
        }
    }
}

/// Lines of one control connection.
pub(super) struct LineReader<R> {
    io: R,
    /// The same connection, where it is a socket that may have urgent bytes.
    socket: Option<SharedIo>,
    codec: LineCodec,
    buffer: BytesMut,
    tap: Tap,
    broken: bool,
    /// Bytes that were thrown away.
    after: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub fn new(io: R, tap: Tap) -> Self {
        Self {
            io,
            socket: None,
            codec: LineCodec::new(),
            buffer: BytesMut::new(),
            tap,
            broken: false,
            after: 0,
        }
    }

    /// Looks for urgent bytes there when a read ends in the middle of a line.
    pub fn with_socket(mut self, socket: SharedIo) -> Self {
        self.socket = Some(socket);
        self
    }

    /// Takes what was read, and what stands behind an urgent mark.
    fn take(&mut self, read: &[u8]) {
        self.buffer.extend_from_slice(read);
        let mut more = [0; CHUNK];
        while let Some(socket) = &self.socket
            && !self.buffer.ends_with(b"\n")
            && self.buffer.len() < MOST_AT_ONCE
        {
            match socket.read_more(&mut more) {
                0 => return,
                read => self.buffer.extend_from_slice(&more[..read]),
            }
        }
    }

    /// What the bytes read so far make. Answers to Telnet options follow the lines that came with them.
    fn next_item(&mut self) -> Option<Inbound> {
        if let Ok(Some(line)) = self.codec.decode(&mut self.buffer) {
            return Some(Inbound::Line(line));
        }
        let refusals = self.codec.take_refusals();
        (!refusals.is_empty()).then_some(Inbound::Telnet(refusals))
    }
}

impl<R: AsyncRead + Unpin> Stream for LineReader<R> {
    type Item = Inbound;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Inbound>> {
        let this = &mut *self;
        if this.broken {
            return Poll::Ready(None);
        }
        if this.tap.0.closed.get() {
            this.tap.0.waiting.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        if this.tap.0.anew.take() {
            this.buffer = BytesMut::new();
            this.codec = LineCodec::new();
        }
        this.codec.logged_in(this.tap.0.logged_in.get());
        loop {
            let over = this.tap.0.over.get();
            if over && this.after > MOST_AFTER {
                return Poll::Ready(None);
            }
            let item = if over { None } else { this.next_item() };
            let held = !this.buffer.is_empty() || this.codec.is_mid_line();
            this.tap.0.held.set(held);
            if let Some(item) = item {
                return Poll::Ready(Some(item));
            }
            let mut chunk = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut chunk);
            match ready!(Pin::new(&mut this.io).poll_read(cx, &mut chunk)) {
                Ok(()) if chunk.filled().is_empty() => return Poll::Ready(None),
                Ok(()) if over => this.after += chunk.filled().len(),
                Ok(()) => this.take(chunk.filled()),
                // Many clients close without the last word of TLS; a line is whole or none.
                Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(None),
                Err(why) => {
                    debug!(%why, "control connection broke");
                    this.broken = true;
                    return Poll::Ready(Some(Inbound::Broken));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_closed_tap_leaves_lines_where_they_are() {
        let (mut client, near) = tokio::io::duplex(1024);
        let tap = Tap::default();
        let mut lines = LineReader::new(near, tap.clone());
        client.write_all(b"NOOP\r\nPWD\r\n").await.unwrap();
        assert!(matches!(lines.next().await, Some(Inbound::Line(Ok(line))) if line.verb == "NOOP"));
        tap.close(true);
        assert!(futures_util::poll!(lines.next()).is_pending());
        tap.close(false);
        assert!(matches!(lines.next().await, Some(Inbound::Line(Ok(line))) if line.verb == "PWD"));
    }

    #[tokio::test]
    async fn what_was_read_behind_a_line_is_known_and_forgotten_when_it_begins_anew() {
        let (mut client, near) = tokio::io::duplex(1024);
        let tap = Tap::default();
        let mut lines = LineReader::new(near, tap.clone());
        client.write_all(b"NOOP\r\n").await.unwrap();
        assert!(lines.next().await.is_some() && !tap.holds_more());
        client.write_all(b"AUTH TLS\r\nUS").await.unwrap();
        assert!(matches!(lines.next().await, Some(Inbound::Line(Ok(line))) if line.verb == "AUTH"));
        assert!(tap.holds_more());
        tap.close(true);
        tap.anew();
        client.write_all(b"PWD\r\n").await.unwrap();
        assert!(matches!(lines.next().await, Some(Inbound::Line(Ok(line))) if line.verb == "PWD"));
    }

    #[tokio::test]
    async fn a_flood_after_the_last_words_ends_the_connection() {
        let (mut client, near) = tokio::io::duplex(1 << 20);
        let tap = Tap::default();
        let mut lines = LineReader::new(near, tap.clone());
        client.write_all(b"NOOP\r\n").await.unwrap();
        assert!(lines.next().await.is_some());
        tap.over();
        client.write_all(b"NOOP\r\n").await.unwrap();
        assert!(futures_util::poll!(lines.next()).is_pending());
        let flood = tokio::spawn(async move {
            let flood = vec![b'a'; MOST_AFTER];
            let sent = client.write_all(&flood).await;
            (client, sent)
        });
        assert!(lines.next().await.is_none());
        assert!(flood.await.unwrap().1.is_ok());
    }

    #[tokio::test]
    async fn telnet_options_are_refused() {
        let (mut client, near) = tokio::io::duplex(1024);
        let mut lines = LineReader::new(near, Tap::default());
        client.write_all(b"\xFF\xFD\x01NO").await.unwrap();
        let Some(Inbound::Telnet(bytes)) = lines.next().await else {
            panic!("no answer");
        };
        assert_eq!(&bytes[..], b"\xFF\xFC\x01");
        client.write_all(b"OP\r\n").await.unwrap();
        drop(client);
        assert!(matches!(lines.next().await, Some(Inbound::Line(Ok(line))) if line.verb == "NOOP"));
        assert!(lines.next().await.is_none());
    }
}
