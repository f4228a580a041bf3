//! An upload: from the connection into staging, then prepared or kept.
//!
//! Bytes are gathered on the arbiter until they are worth a hop to a thread; while they come faster
//! than that, the thread reads the socket itself. A small file is gathered whole and costs one hop,
//! in which it is also prepared.

use bytes::BytesMut;
use drftpd_actors::{BoxIo, failpoint};
use drftpd_protocol::wire::{FaultCode, Outcome};
use tokio::io::AsyncWriteExt;

use super::super::error::TransferError;
use super::super::growing::{Grower, GrowthState};
use super::cx::CopyCx;
use super::gather::{Gathered, gather};
use super::hop::{Broke, Flood, Hop, Left};
use super::intake::Intake;
use super::lend::lend;
use super::turn::Wire;
use crate::storage::{Root, Roots, Staging};

/// An upload whose file is open in staging.
#[derive(Debug)]
pub struct Upload {
    /// All roots.
    pub roots: Roots,
    /// Where it is stored.
    pub root: Root,
    /// The staged file.
    pub staging: Staging,
    /// Tells those who download it already.
    pub grower: Grower,
    /// Bytes that the file may have.
    pub most: Option<u64>,
}

/// Receives until the end, and says how it ended.
pub async fn receive(io: &mut BoxIo, upload: Upload, cx: &mut CopyCx) -> Outcome {
    let (roots, root, grower) = (upload.roots, upload.root, upload.grower);
    cx.meter.begins_at(upload.staging.len);
    grower.has(upload.staging.len);
    let intake = Intake::new(upload.staging, upload.most);
    match all(io, (&roots, &root), intake, &grower, cx).await {
        Ok(prepared) => {
            grower.ended(GrowthState::Complete);
            prepared
        }
        Err(broke) => {
            super::reset(io);
            let outcome = broken((roots, root), broke, &grower, cx).await;
            grower.ended(GrowthState::Broken);
            outcome
        }
    }
}

async fn all(
    io: &mut BoxIo,
    (roots, root): (&Roots, &Root),
    mut intake: Intake,
    grower: &Grower,
    cx: &mut CopyCx,
) -> Result<Outcome, Broke> {
    let mut buffer = BytesMut::new();
    let mut wire = None;
    let mut ready = false;
    loop {
        let come = match ready {
            true => Gathered::nothing(),
            false => gather(io, &mut buffer, cx).await,
        };
        if come.ended {
            // The sender need not wait until the disk has everything.
            drop(cx.on_wire(io.shutdown()).await);
        }
        let before = intake.received;
        let hop = Hop {
            roots: roots.clone(),
            root: root.clone(),
            intake,
            gathered: std::mem::take(&mut buffer),
            flood: flood(io, &mut wire, come.flood),
            terms: cx.terms(come.limit),
            ended: come.ended,
        };
        let done = cx.blocking.run(move || hop.run()).await;
        let done = done.map_err(|error| Broke::Closed {
            bytes: before,
            kept: None,
            error: error.into(),
        })?;
        buffer = done.buffer;
        if let Some(lent) = done.lent {
            *io = lent;
        }
        let dry = match done.left {
            Left::Going(going, dry) => {
                intake = going;
                dry
            }
            Left::Prepared {
                bytes,
                size,
                crc32,
                blake3,
                space,
            } => {
                cx.space = Some(space);
                failpoint("upload.prepared").map_err(|error| Broke::Closed {
                    bytes,
                    kept: Some(size),
                    error: TransferError::Disk(error),
                })?;
                grower.has(size);
                return Ok(Outcome::Prepared {
                    bytes,
                    size,
                    crc32,
                    blake3,
                });
            }
            Left::Broken(broke) => return Err(broke),
        };
        grower.has(intake.staging.len);
        cx.moved(intake.received - before);
        if let Some(error) = come.failed {
            return Err(Broke::Open(intake, error));
        }
        if dry && come.flood {
            cx.patience.in_vain();
        }
        ready = come.flood && !dry && cx.limits.are_none();
    }
}

/// What a thread may take bytes from by itself, where more comes than is worth gathering.
fn flood(io: &mut BoxIo, wire: &mut Option<Wire>, floods: bool) -> Flood {
    if !floods {
        return Flood::None;
    }
    if io.as_tls().is_some() {
        return Flood::Sealed(lend(io));
    }
    if wire.is_none() {
        *wire = io.as_tcp().and_then(|tcp| Wire::of(tcp).ok());
    }
    wire.clone().map_or(Flood::None, Flood::Socket)
}

async fn broken(
    (roots, root): (Roots, Root),
    broke: Broke,
    grower: &Grower,
    cx: &mut CopyCx,
) -> Outcome {
    let beside = root.clone();
    let (bytes, kept, fault) = match broke {
        Broke::Closed { bytes, kept, error } => (bytes, kept, error.fault()),
        Broke::Open(intake, error) => {
            grower.has(intake.staging.len);
            let fault = error.fault();
            let kept = match fault.code {
                // On a full disk, and in a full quota, it is in everybody's way, its own resume included.
                FaultCode::NO_SPACE | FaultCode::TOO_LARGE => {
                    give_back(root, intake.staging, cx).await
                }
                _ => keep(root, intake.staging, cx).await,
            };
            (intake.received, kept, fault)
        }
    };
    let seen = cx.blocking.run(move || roots.space_seen(&beside)).await;
    cx.space = seen.ok();
    Outcome::Broken { fault, bytes, kept }
}

async fn give_back(root: Root, staging: Staging, cx: &CopyCx) -> Option<u64> {
    let given = cx.blocking.run(move || root.give_back(staging)).await;
    match given {
        Ok(Ok(())) => return Some(0),
        Ok(Err(error)) => tracing::warn!(%error, "space on a full disk was not given back"),
        Err(error) => tracing::error!(%error, "space on a full disk was not given back"),
    }
    None
}

/// Ends an upload that never had a connection.
pub async fn give_up(upload: Upload, error: TransferError, cx: &mut CopyCx) -> Outcome {
    let intake = Intake::new(upload.staging, upload.most);
    let broke = Broke::Open(intake, error);
    let at = (upload.roots, upload.root);
    let outcome = broken(at, broke, &upload.grower, cx).await;
    upload.grower.ended(GrowthState::Broken);
    outcome
}

async fn keep(root: Root, staging: Staging, cx: &CopyCx) -> Option<u64> {
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;
    use std::time::Duration;

    use drftpd_actors::testkit::{MemNet, sim};
    use drftpd_actors::{Blocking, Clock, Net};
    use drftpd_protocol::ids::{FileId, Generation, NodeId};
    use drftpd_protocol::wire::Base;
    use tempfile::TempDir;

    use super::super::super::meter::Meter;
    use super::super::super::pace::{Limits, Patience, Rate};
    use super::super::super::stop::Stop;
    use super::*;
    use crate::storage::Fsync;
    use crate::testkit::one_root;

    fn cx() -> CopyCx {
        CopyCx {
            blocking: Blocking::inline(),
            stop: Stop::default(),
            stall: Duration::from_secs(60),
            close_wait: Duration::from_millis(500),
            meter: Arc::new(Meter::new(Arc::default())),
            limits: Limits::new(Rate::default(), None),
            patience: Patience::default(),
            first_byte: None,
            space: None,
        }
    }

    fn upload() -> (TempDir, Upload) {
        let (dir, roots, root) = one_root(Fsync::Never, &Clock::manual(0));
        let file = FileId {
            node: NodeId(7),
            generation: Generation(1),
        };
        let staging = root.stage(file, &Base::Empty, 0).unwrap();
        let (grower, _) = Grower::new();
        let upload = Upload {
            roots,
            root,
            staging,
            grower,
            most: None,
        };
        (dir, upload)
    }

    async fn connection() -> (BoxIo, BoxIo) {
        let net = MemNet::new();
        let at = "127.0.0.1:5000".parse().unwrap();
        let listener = net.bind(at).await.unwrap();
        let client = net.connect(None, at).await.unwrap();
        let io = listener.accept().await.unwrap().adopt().unwrap();
        (client, io)
    }

    #[test]
    fn a_full_disk_breaks_the_upload_says_so_and_has_its_space_back() {
        sim(async {
            let (dir, mut upload) = upload();
            upload.staging.append(b"abc").unwrap();
            upload.staging.file = File::options().write(true).open("/dev/full").unwrap();
            let (mut client, mut io) = connection().await;
            client.write_all(b"12345").await.unwrap();
            let outcome = receive(&mut io, upload, &mut cx()).await;
            let Outcome::Broken { fault, bytes, kept } = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(fault.code, FaultCode::NO_SPACE);
            assert_eq!((bytes, kept), (0, Some(0)));
            let staged = std::fs::read_dir(dir.path().join(".drftpd/staging")).unwrap();
            assert_eq!(staged.count(), 0);
        });
    }

    #[test]
    fn an_upload_with_more_bytes_than_it_may_have_breaks_and_nothing_of_it_stays() {
        for (most, fits) in [(5, true), (4, false)] {
            sim(async move {
                let (dir, mut upload) = upload();
                upload.most = Some(most);
                let (mut client, mut io) = connection().await;
                client.write_all(b"12345").await.unwrap();
                client.shutdown().await.unwrap();
                match receive(&mut io, upload, &mut cx()).await {
                    Outcome::Prepared { size, .. } => assert!(fits && size == 5),
                    Outcome::Broken { fault, kept, .. } => {
                        assert!(!fits && fault.code == FaultCode::TOO_LARGE);
                        assert_eq!(kept, Some(0));
                        let staged = std::fs::read_dir(dir.path().join(".drftpd/staging"));
                        assert_eq!(staged.unwrap().count(), 0);
                    }
                    Outcome::Sent { .. } => panic!("nothing was sent"),
                }
            });
        }
    }

    #[test]
    fn an_upload_that_was_deleted_meanwhile_ends_aborted_and_keeps_nothing() {
        sim(async {
            let (_dir, upload) = upload();
            let (root, file) = (upload.root.clone(), upload.staging.id());
            let (mut client, mut io) = connection().await;
            client.write_all(b"12345").await.unwrap();
            client.shutdown().await.unwrap();
            root.discard(file).unwrap();
            let outcome = receive(&mut io, upload, &mut cx()).await;
            let Outcome::Broken { fault, kept, .. } = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(fault.code, FaultCode::ABORTED);
            assert_eq!(kept.unwrap_or(0), 0);
        });
    }
}
