//! The writer of a link: takes frames from a bounded queue and writes them, several at once where
//! several wait. A master that does not read is given up, not waited for.

use std::time::Duration;

use drftpd_protocol::wire::{Envelope, FrameError};
use futures_util::{Sink, SinkExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Frames that may wait to be written. Whoever sends more waits too.
pub const QUEUE: usize = 64;

/// Why the writer stopped.
#[derive(Debug, thiserror::Error)]
pub enum WriteEnd {
    /// Everybody who could send is gone; all they sent is written.
    #[error("nothing more to write")]
    Done,
    /// The connection failed.
    #[error(transparent)]
    Failed(#[from] FrameError),
    /// The other end does not read.
    #[error("the master does not read")]
    Stuck,
}

/// Writes until the queue is closed or the connection fails. No single write waits longer than
/// `patience`.
pub async fn write<S>(
    mut to: S,
    mut queue: mpsc::Receiver<Envelope>,
    patience: Duration,
) -> WriteEnd
where
    S: Sink<Envelope, Error = FrameError> + Unpin,
{
    let mut waiting = Vec::with_capacity(QUEUE);
    loop {
        if queue.recv_many(&mut waiting, QUEUE).await == 0 {
            let closed = timeout(patience, to.close()).await;
            return closed.map_or(WriteEnd::Stuck, |closed| {
                closed.map_or_else(WriteEnd::Failed, |()| WriteEnd::Done)
            });
        }
        for frame in waiting.drain(..) {
            match timeout(patience, to.feed(frame)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.into(),
                Err(_) => return WriteEnd::Stuck,
            }
        }
        match timeout(patience, to.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return WriteEnd::Stuck,
        }
    }
}

#[cfg(test)]
mod tests {
    use drftpd_actors::testkit::sim;
    use drftpd_protocol::wire::{FrameCodec, Ping, kinds};
    use futures_util::StreamExt;
    use tokio::time::Instant;
    use tokio_util::codec::{FramedRead, FramedWrite};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn frame(call: u32) -> Envelope {
        Envelope::new(call, kinds::PING, &Ping {}).expect("encodes")
    }

    #[test]
    fn frames_go_out_in_order_and_the_end_comes_after_the_last() {
        sim(async {
            let (near, far) = tokio::io::duplex(1 << 16);
            let (out, queue) = mpsc::channel(QUEUE);
            for call in 1..=3 {
                out.try_send(frame(call)).expect("there is room");
            }
            drop(out);
            let end = write(FramedWrite::new(near, FrameCodec), queue, PATIENCE).await;
            assert!(matches!(end, WriteEnd::Done));
            let read = FramedRead::new(far, FrameCodec);
            let calls: Vec<u32> = read.map(|frame| frame.expect("reads").call).collect().await;
            assert_eq!(calls, [1, 2, 3]);
        });
    }

    #[test]
    fn a_master_that_does_not_read_is_given_up() {
        sim(async {
            let (near, _far) = tokio::io::duplex(8);
            let (out, queue) = mpsc::channel(QUEUE);
            out.try_send(frame(1)).expect("there is room");
            let begun = Instant::now();
            let end = write(FramedWrite::new(near, FrameCodec), queue, PATIENCE).await;
            assert!(matches!(end, WriteEnd::Stuck));
            assert_eq!(begun.elapsed(), PATIENCE);
        });
    }
}
