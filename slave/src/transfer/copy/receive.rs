//! An upload: from the connection into staging, then prepared or kept.
//!
//! Bytes are gathered on the arbiter until they are worth a hop to a thread; while they come faster
//! than that, the thread reads the socket itself. A small file is gathered whole and costs one hop,
//! in which it is also prepared.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use drftpd_actors::BoxIo;
use drftpd_protocol::wire::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::super::error::TransferError;
use super::super::growing::{Grower, GrowthState};
use super::cx::CopyCx;
use super::intake::Intake;
use super::turn::{self, Terms, TurnEnd, Wire};
use crate::storage::{Root, Staging};

/// What is gathered at most before a thread writes it.
const GATHER: usize = 64 << 10;
/// How long a slow trickle is gathered before what there is goes to the disk.
const GATHER_FOR: Duration = Duration::from_millis(200);

/// An upload whose file is open in staging.
#[derive(Debug)]
pub struct Upload {
    /// Where it is stored.
    pub root: Root,
    /// The staged file.
    pub staging: Staging,
    /// Tells those who download it already.
    pub grower: Grower,
}

/// One hop to a thread and back.
struct Hop {
    root: Root,
    intake: Intake,
    gathered: BytesMut,
    wire: Option<Wire>,
    terms: Terms,
    ended: bool,
}

/// What a hop leaves.
enum Left {
    /// More may come.
    Going { intake: Intake, dry: bool },
    /// All is there and prepared.
    Prepared { bytes: u64, size: u64, crc32: u32 },
    /// It broke; what was written can be kept. `None`: storage has it already.
    Broken(Option<Intake>, u64, TransferError),
}

/// Receives until the end, and says how it ended.
pub async fn receive(io: &mut BoxIo, upload: Upload, cx: &mut CopyCx) -> Outcome {
    let Upload {
        root,
        staging,
        grower,
    } = upload;
    cx.meter.begins_at(staging.len);
    grower.has(staging.len);
    let mut gathered = BytesMut::new();
    let mut intake = Intake::new(staging);
    let mut wire = None;
    let mut ready = false;
    let (intake, bytes, error) = loop {
        let come = match ready {
            true => Gathered::full(),
            false => gather(io, &mut gathered, cx).await,
        };
        if come.flood && wire.is_none() {
            wire = io.as_tcp().and_then(|tcp| Wire::of(tcp).ok());
        }
        if come.ended {
            // The sender need not wait until the disk has everything.
            drop(io.shutdown().await);
        }
        let hop = Hop {
            root: root.clone(),
            intake,
            gathered: std::mem::take(&mut gathered),
            wire: wire.clone().filter(|_| come.flood),
            terms: cx.terms(come.limit),
            ended: come.ended,
        };
        let before = hop.intake.received;
        let left = match cx.blocking.run(move || hop.run()).await {
            Ok((left, buffer)) => {
                gathered = buffer;
                left
            }
            Err(error) => break (None, before, error.into()),
        };
        match left {
            Left::Going { intake: going, dry } => {
                grower.has(going.staging.len);
                cx.moved(going.received - before);
                if let Some(error) = come.failed {
                    break (Some(going), 0, error);
                }
                if dry {
                    cx.patience.in_vain();
                }
                ready = come.flood && !dry && cx.pace.is_none();
                intake = going;
            }
            Left::Prepared { bytes, size, crc32 } => {
                grower.has(size);
                grower.ended(GrowthState::Complete);
                return Outcome::Prepared { bytes, size, crc32 };
            }
            Left::Broken(intake, bytes, error) => break (intake, bytes, error),
        }
    };
    let bytes = intake.as_ref().map_or(bytes, |intake| intake.received);
    let staging = intake.map(|intake| intake.staging);
    if let Some(staging) = &staging {
        grower.has(staging.len);
    }
    super::reset(io);
    let kept = keep(root, staging, cx).await;
    grower.ended(GrowthState::Broken);
    Outcome::Broken {
        fault: error.fault(),
        bytes,
        kept,
    }
}

/// Ends an upload that never had a connection, or does not get further.
pub async fn give_up(upload: Upload, error: TransferError, cx: &CopyCx) -> Outcome {
    let kept = keep(upload.root, Some(upload.staging), cx).await;
    upload.grower.ended(GrowthState::Broken);
    Outcome::Broken {
        fault: error.fault(),
        bytes: 0,
        kept,
    }
}

async fn keep(root: Root, staging: Option<Staging>, cx: &CopyCx) -> Option<u64> {
    let staging = staging?;
    let kept = cx.blocking.run(move || root.keep(staging)).await;
    match kept {
        Ok(Ok(kept)) => Some(kept),
        Ok(Err(error)) => {
            tracing::warn!(%error, "what came of a broken upload could not be kept");
            None
        }
        Err(error) => {
            tracing::error!(%error, "what came of a broken upload was lost");
            None
        }
    }
}

/// What was gathered on the arbiter.
struct Gathered {
    /// The peer said that this was all.
    ended: bool,
    /// More comes than is worth gathering.
    flood: bool,
    /// It broke after these bytes.
    failed: Option<TransferError>,
    /// What a thread may take in addition.
    limit: u64,
}

impl Gathered {
    /// Nothing was gathered because the socket is ready anyway.
    fn full() -> Self {
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

async fn gather(io: &mut BoxIo, bytes: &mut BytesMut, cx: &mut CopyCx) -> Gathered {
    let limit = match cx.grant().await {
        Ok(limit) => limit,
        Err(error) => return Gathered::failed(error),
    };
    let most = usize::try_from(limit).map_or(GATHER, |limit| limit.min(GATHER));
    let end = fill(io, bytes, most, cx).await;
    Gathered {
        ended: matches!(end, Ok(true)),
        flood: matches!(end, Ok(false)) && bytes.len() == most,
        failed: end.err(),
        limit: limit - bytes.len() as u64,
    }
}

/// Reads until there are `most` bytes, or the time for gathering is over; true at the end.
async fn fill(
    io: &mut BoxIo,
    bytes: &mut BytesMut,
    most: usize,
    cx: &mut CopyCx,
) -> Result<bool, TransferError> {
    // A connection that is idle for long holds no buffer.
    if let Some(tcp) = io.as_tcp() {
        cx.on_wire(tcp.readable()).await?;
    }
    bytes.reserve(most);
    let mut into = bytes.limit(most);
    if cx.on_wire(io.read_buf(&mut into)).await? == 0 {
        return Ok(true);
    }
    cx.moves();
    let begun = Instant::now();
    let until = begun + GATHER_FOR;
    while into.has_remaining_mut() {
        let read = tokio::select! {
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

impl Hop {
    fn run(mut self) -> (Left, BytesMut) {
        let written = self.intake.write(&self.gathered, &self.terms.meter);
        self.gathered.clear();
        let buffer = std::mem::take(&mut self.gathered);
        let left = match written {
            Err(error) => Left::Broken(Some(self.intake), 0, error),
            Ok(()) if self.ended => self.prepare(),
            Ok(()) => match self.wire.take() {
                Some(wire) => self.flood(&wire),
                None => Left::Going {
                    intake: self.intake,
                    dry: true,
                },
            },
        };
        (left, buffer)
    }

    fn flood(mut self, wire: &Wire) -> Left {
        match turn::receive(wire, &mut self.intake, &self.terms) {
            TurnEnd::UsedUp => Left::Going {
                intake: self.intake,
                dry: false,
            },
            TurnEnd::Dry => Left::Going {
                intake: self.intake,
                dry: true,
            },
            TurnEnd::End => {
                wire.shutdown();
                self.prepare()
            }
            TurnEnd::Failed(error) => Left::Broken(Some(self.intake), 0, error),
        }
    }

    fn prepare(self) -> Left {
        let bytes = self.intake.received;
        let staging = self.intake.staging;
        let crc32 = staging.crc32();
        match self.root.prepare(staging, crc32) {
            Ok(size) => Left::Prepared { bytes, size, crc32 },
            Err(error) => Left::Broken(None, bytes, TransferError::Storage(error.fault())),
        }
    }
}
