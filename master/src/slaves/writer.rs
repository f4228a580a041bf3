//! Writes a link's frames, several with one flush where several wait.

use std::time::Duration;

use drftpd_protocol::Epoch;
use drftpd_protocol::wire::{Envelope, FrameError};
use futures_util::{Sink, SinkExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;

/// Frames written between two flushes at most.
const AT_ONCE: usize = 64;

/// Writes what comes until the link fails or a write takes longer than `limit`; answers why.
pub(super) async fn write<S>(
    mut frames: mpsc::Receiver<Envelope>,
    mut sink: S,
    epoch: Epoch,
    limit: Duration,
) -> &'static str
where
    S: Sink<Envelope, Error = FrameError> + Unpin,
{
    while let Some(first) = frames.recv().await {
        let written = timeout(limit, batch(first, &mut frames, &mut sink, epoch)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                debug!(%why, "writing a link failed");
                return "writing to it failed";
            }
            Err(_) => return "it does not read what it is told",
        }
    }
    "nobody writes to it any more"
}

async fn batch<S>(
    first: Envelope,
    frames: &mut mpsc::Receiver<Envelope>,
    sink: &mut S,
    epoch: Epoch,
) -> Result<(), FrameError>
where
    S: Sink<Envelope, Error = FrameError> + Unpin,
{
    sink.feed(first.of(epoch)).await?;
    for _ in 1..AT_ONCE {
        let Ok(next) = frames.try_recv() else { break };
        sink.feed(next.of(epoch)).await?;
    }
    sink.flush().await
}
