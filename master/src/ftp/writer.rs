//! The way out of a session: one task that writes one reply after the other, each with a write and a flush of its
//! own, so that no reply is ever split into small writes and no two replies share one.
//!
//! The channel in front is short. A client that does not read makes the verb wait that has something to say; after
//! the time limit the task gives up, and the session ends with it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use tracing::{Instrument, debug};

use super::error::FtpError;

/// Replies that wait behind the one that is being written. One verb at a time says something, and few say twice.
const QUEUE: usize = 8;
/// How long the last words may take: the client may be gone already.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a client may take for all that still waits when its session is over: the connection counts no more.
const AFTER_THE_END: Duration = Duration::from_secs(10);

enum Out {
    Bytes(Bytes, Option<oneshot::Sender<()>>),
    Last(Bytes),
}

/// Where replies go in. Cloning gives another handle to the same client.
#[derive(Clone)]
pub(super) struct Outbox(mpsc::Sender<Out>, Arc<watch::Sender<bool>>);

impl Outbox {
    /// Puts a reply behind those that wait; waits for room.
    pub async fn send(&self, bytes: Bytes) -> Result<(), FtpError> {
        let sent = self.0.send(Out::Bytes(bytes, None)).await;
        sent.map_err(|_closed| FtpError::ClientGone)
    }

    /// Like [`Outbox::send`], and waits until it has left for the client.
    pub async fn send_and_flush(&self, bytes: Bytes) -> Result<(), FtpError> {
        let (flushed, done) = oneshot::channel();
        let sent = self.0.send(Out::Bytes(bytes, Some(flushed))).await;
        sent.map_err(|_closed| FtpError::ClientGone)?;
        done.await.map_err(|_closed| FtpError::ClientGone)
    }

    /// Puts in something that nobody misses if there is no room for it.
    pub fn try_send(&self, bytes: Bytes) {
        drop(self.0.try_send(Out::Bytes(bytes, None)));
    }

    /// The last words: after them our side of the connection is closed. Tells whether there was room for them.
    pub fn last(&self, bytes: Bytes) -> bool {
        self.1.send_replace(true);
        self.0.try_send(Out::Last(bytes)).is_ok()
    }
}

/// Starts the task. It ends after the last words, when a write takes longer than `limit` or fails, and when all
/// outboxes are gone; the receiver hears that. What waits at the end of the session is not waited for as long.
pub(super) fn start(
    io: impl AsyncWrite + Unpin + 'static,
    limit: Duration,
) -> (Outbox, oneshot::Receiver<()>) {
    let (outbox, queue) = mpsc::channel(QUEUE);
    let (ended, end) = oneshot::channel();
    let (over, is_over) = watch::channel(false);
    let task = async move {
        let written = tokio::select! {
            biased;
            written = write(io, queue, limit) => written,
            () = after_the_end(is_over, limit.min(AFTER_THE_END)) => Err(io::ErrorKind::TimedOut.into()),
        };
        if let Err(why) = written {
            debug!(%why, "replies cannot be written");
        }
        ended.send(()).ok();
    };
    drop(tokio::task::spawn_local(task.in_current_span()));
    (Outbox(outbox, Arc::new(over)), end)
}

/// Waits until the last words are said, or nobody can say any, and then a little.
async fn after_the_end(mut is_over: watch::Receiver<bool>, limit: Duration) {
    drop(is_over.wait_for(|over| *over).await);
    sleep(limit).await;
}

async fn write(
    mut io: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Out>,
    limit: Duration,
) -> io::Result<()> {
    while let Some(out) = queue.recv().await {
        match out {
            Out::Bytes(bytes, flushed) => {
                timeout(limit, put(&mut io, &bytes)).await??;
                if let Some(flushed) = flushed {
                    flushed.send(()).ok();
                }
            }
            Out::Last(bytes) => {
                queue.close();
                timeout(limit.min(LAST_WORDS), put(&mut io, &bytes)).await??;
                break;
            }
        }
    }
    timeout(LAST_WORDS, io.shutdown()).await?
}

async fn put(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    io.write_all(bytes).await?;
    io.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_actors::testkit::sim;
    use tokio::io::AsyncReadExt;

    #[test]
    fn last_words_come_after_everything_else_and_then_the_connection_ends() {
        sim(async {
            let (near, mut far) = tokio::io::duplex(1024);
            let (outbox, _end) = start(near, Duration::from_secs(60));
            outbox.send(Bytes::from_static(b"150 a\r\n")).await.unwrap();
            assert!(outbox.last(Bytes::from_static(b"226 b\r\n")));
            let mut got = String::new();
            far.read_to_string(&mut got).await.unwrap();
            assert_eq!(got, "150 a\r\n226 b\r\n");
            assert!(outbox.send(Bytes::new()).await.is_err());
        });
    }

    #[test]
    fn a_client_that_does_not_read_is_given_up_after_the_limit() {
        sim(async {
            let (near, _far) = tokio::io::duplex(16);
            let (outbox, end) = start(near, Duration::from_secs(60));
            let before = tokio::time::Instant::now();
            let said = outbox.send_and_flush(Bytes::from(vec![b'x'; 64])).await;
            assert!(matches!(said, Err(FtpError::ClientGone)));
            end.await.unwrap();
            assert_eq!(before.elapsed(), Duration::from_secs(60));
        });
    }

    #[test]
    fn a_client_that_does_not_read_is_given_up_soon_when_its_session_is_over() {
        sim(async {
            for said in [true, false] {
                let (near, _far) = tokio::io::duplex(16);
                let (outbox, end) = start(near, Duration::from_secs(60));
                outbox.send(Bytes::from(vec![b'x'; 64])).await.unwrap();
                let before = tokio::time::Instant::now();
                if said {
                    assert!(outbox.last(Bytes::from_static(b"221 b\r\n")));
                } else {
                    drop(outbox);
                }
                end.await.unwrap();
                assert_eq!(before.elapsed(), AFTER_THE_END);
            }
        });
    }

    #[test]
    fn a_flushed_reply_has_left_before_the_next_is_begun() {
        sim(async {
            let (near, mut far) = tokio::io::duplex(1024);
            let (outbox, _end) = start(near, Duration::from_secs(60));
            outbox
                .send_and_flush(Bytes::from_static(b"150 a\r\n"))
                .await
                .unwrap();
            let mut buffer = [0; 64];
            assert_eq!(far.read(&mut buffer).await.unwrap(), 7);
        });
    }
}
