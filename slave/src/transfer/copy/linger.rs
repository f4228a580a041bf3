//! The end of a download: whether the other end took all bytes.
//!
//! After the last byte our side is closed. A client that reads to the end closes its side: that is
//! the proof. A reset says that bytes were lost. Some clients keep their side open until they hear
//! 226; for those the system is asked whether anything is still unacknowledged, so that they wait
//! only a moment and a slow line is still waited for. Where the system cannot say, a moment must do.

use std::io;
use std::time::Duration;

use drftpd_actors::BoxIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::super::error::TransferError;
use super::cx::CopyCx;
use super::queue::{self, Unacknowledged};

/// When the system is asked first: most lines have brought everything over by then, and a client that waits for
/// 226 waits no longer for a small file.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// How often a slow line is looked at in the end.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What a client may send back to a download before it is taken for something else.
const MOST_BACK: usize = 64 << 10;

/// Closes our side and waits until the other end has taken everything.
///
/// # Errors
/// When the connection was reset, the peer stopped taking, or the transfer was told to stop.
pub async fn until_taken(io: &mut BoxIo, cx: &CopyCx) -> Result<(), TransferError> {
    cx.on_wire(io.shutdown()).await?;
    let mut queue = Queue::new();
    let mut pause = FIRST_LOOK;
    let mut look_at = Instant::now() + pause;
    let mut back = 0;
    let mut scrap = [0; 512];
    loop {
        let read = tokio::select! {
            biased;
            stopped = cx.stop.said() => return Err(stopped.into()),
            read = timeout_at(look_at, io.read(&mut scrap)) => read,
        };
        match read {
            Ok(Ok(0)) => return Ok(()),
            Ok(Ok(came)) => {
                back += came;
                if back > MOST_BACK {
                    let strange = io::Error::other("the peer of a download sends");
                    return Err(TransferError::Connection(strange));
                }
            }
            // A TLS client that closes without its own close_notify has read ours: nothing is cut.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Ok(Err(error)) => return Err(TransferError::Connection(error)),
            Err(_elapsed) => {
                if queue.is_empty(io, cx).await? {
                    return Ok(());
                }
                pause = LOOK_EVERY.min(pause * 2);
                look_at = Instant::now() + pause;
            }
        }
    }
}

/// What the system has still to send, as it shrinks.
struct Queue {
    began: Instant,
    least: u64,
    shrank: Instant,
}

impl Queue {
    fn new() -> Self {
        let now = Instant::now();
        Queue {
            began: now,
            least: u64::MAX,
            shrank: now,
        }
    }

    /// Whether all bytes arrived, or nobody can say and the wait for that is over.
    async fn is_empty(&mut self, io: &BoxIo, cx: &CopyCx) -> Result<bool, TransferError> {
        let waited = self.began.elapsed() >= cx.close_wait;
        let Some(Ok(socket)) = io.socket().map(queue::id) else {
            return Ok(waited);
        };
        let asked = cx
            .blocking
            .run(move || queue::unacknowledged(socket))
            .await?;
        let unsent = match asked {
            Unacknowledged::Bytes(bytes) => bytes,
            Unacknowledged::NotListed => u64::MAX,
            Unacknowledged::Unknown => return Ok(waited),
        };
        if unsent < self.least {
            self.least = unsent;
            self.shrank = Instant::now();
        } else if self.shrank.elapsed() > cx.stall {
            return Err(TransferError::Stalled);
        }
        Ok(unsent == 0)
    }
}
