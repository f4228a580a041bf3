//! Gathering what comes in until it is worth a hop to a thread.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use drftpd_actors::BoxIo;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::super::error::TransferError;
use super::cx::CopyCx;

/// What is gathered at most before a thread writes it.
const MOST: usize = 64 << 10;
/// How long a slow trickle is gathered before what there is goes to the disk.
const FOR: Duration = Duration::from_millis(200);

/// What was gathered.
pub struct Gathered {
    /// The peer said that this was all.
    pub ended: bool,
    /// More comes than is worth gathering.
    pub flood: bool,
    /// It broke after these bytes.
    pub failed: Option<TransferError>,
    /// What a thread may take in addition.
    pub limit: u64,
}

impl Gathered {
    /// Nothing was gathered because the socket is ready anyway.
    pub fn nothing() -> Self {
        Gathered {
            ended: false,
            flood: true,
            failed: None,
            limit: u64::MAX,
        }
    }

    fn failed(error: TransferError) -> Self {
        Gathered {
            ended: false,
            flood: false,
            failed: Some(error),
            limit: 0,
        }
    }
}

/// Gathers into an empty buffer.
pub async fn gather(io: &mut BoxIo, bytes: &mut BytesMut, cx: &mut CopyCx) -> Gathered {
    let limit = match cx.grant().await {
        Ok(limit) => limit,
        Err(error) => return Gathered::failed(error),
    };
    let most = usize::try_from(limit).map_or(MOST, |limit| limit.min(MOST));
    let end = fill(io, bytes, most, cx).await;
    Gathered {
        ended: matches!(end, Ok(true)),
        flood: matches!(end, Ok(false)) && bytes.len() == most,
        failed: end.err(),
        limit: limit - bytes.len() as u64,
    }
}

/// Whether nothing comes before the socket has more: a TLS session may have bytes, or the end, already.
fn waits_for_socket(io: &mut BoxIo) -> bool {
    let tls = io.as_tls();
    tls.is_none_or(|mut tls| tls.session.waits_for_more())
}

/// Reads until there are `most` bytes, or the time for gathering is over; true at the end.
async fn fill(
    io: &mut BoxIo,
    bytes: &mut BytesMut,
    most: usize,
    cx: &mut CopyCx,
) -> Result<bool, TransferError> {
    // A connection that is idle for long holds no buffer.
    if waits_for_socket(io)
        && let Some(tcp) = io.socket()
    {
        cx.on_wire(tcp.readable()).await?;
    }
    bytes.reserve(most);
    let mut into = bytes.limit(most);
    if cx.on_wire(io.read_buf(&mut into)).await? == 0 {
        return Ok(true);
    }
    cx.moves();
    let begun = Instant::now();
    let until = begun + FOR;
    while into.has_remaining_mut() {
        let read = tokio::select! {
            biased;
            stopped = cx.stop.said() => return Err(stopped.into()),
            read = timeout_at(until, io.read_buf(&mut into)) => read,
        };
        match read {
            Err(_elapsed) => break,
            Ok(Ok(0)) => return Ok(true),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(TransferError::Connection(error)),
        }
    }
    cx.patience.ready_after(begun.elapsed());
    Ok(false)
}
