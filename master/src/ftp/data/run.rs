//! A transfer from its order to its end, as the master sees it: begun on the slave, watched, forwarded if need be.

use std::pin::pin;

use drftpd_actors::failpoint;
use drftpd_protocol::wire::{
    Base, Begun, DataTls, Fault, FaultCode, Job, Outcome, ReceiveJob, SendJob,
};
use drftpd_protocol::{FileId, OpSeq, RootId};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::active;
use super::channel::{Arrival, Channel, Unopened};
use super::credit;
use super::dupes;
use super::error::DataError;
use super::forward::Forward;
use super::ours::OurPort;
pub use super::part::Part;
use super::plans::{DownloadFrom, UploadTo};
use super::second::SecondCopy;
use super::share::Share;
use crate::accounts::downloads::Costs;
use crate::ftp::error::FtpError;
use crate::ftp::guard::{TransferGuard, UploadGuard};
use crate::ftp::services::VerbCx;
use crate::slaves::SlaveError;
use crate::transfer::Direction;
use crate::vfs::{Followed, Room, VfsError};

/// A transfer that has begun: 150 may be said.
pub struct Moving {
    /// Its slot.
    pub guard: TransferGuard,
    /// What the slave said of it.
    pub begun: Begun,
    /// The file, which may be deleted meanwhile.
    pub followed: Followed,
    /// Its second copy, if it is an upload that must have one.
    pub second: Option<SecondCopy>,
    /// What it has of its user's limits.
    share: Share,
    /// The disk quota that holds for an upload.
    quota: Option<(FileId, Room)>,
    /// The slave's port, where it listens.
    _port: Option<OurPort>,
    unopened: Option<(Unopened, Arrival)>,
}

/// Begins a download of a part. Where no slave is bound yet, a second one is tried if the first has not got the file.
///
/// # Errors
/// When no slave can serve it.
pub async fn begin_download(
    cx: &VerbCx,
    from: &DownloadFrom,
    (part, costs): (Part, &Costs),
    channel: Channel,
) -> Result<Moving, FtpError> {
    let tls = channel.tls(cx, &from.path);
    let followed = cx.services.vfs.follow(from.readable.file)?;
    let followed = followed.ok_or_else(|| VfsError::NotFound(from.path.clone()))?;
    let expected = part.of_size(from.readable.entry.size);
    let mut share = Share::take(cx, (&from.path, Direction::Download), expected).await?;
    let rate = share.rate_now();
    let unopened = match channel {
        Channel::Listening(mut guard, port) => {
            charge(&mut guard, from, costs, expected).await?;
            let begun = send(cx, from, part, (&mut guard, rate), tls).await?;
            return Ok(Moving {
                guard,
                begun,
                followed,
                share,
                quota: None,
                second: None,
                _port: Some(port),
                unopened: None,
            });
        }
        Channel::Unopened(unopened) => unopened,
    };
    let mut roots = from.present(cx)?;
    loop {
        let mut guard = from.hold(cx, roots.clone()).await?;
        let tried = root_of(&guard)?;
        let arrival = unopened.open(cx, &mut guard).await?;
        charge(&mut guard, from, costs, expected).await?;
        match send(cx, from, part, (&mut guard, rate), tls.clone()).await {
            Ok(begun) => {
                let unopened = Some((unopened, arrival));
                return Ok(Moving {
                    guard,
                    begun,
                    followed,
                    share,
                    quota: None,
                    second: None,
                    _port: None,
                    unopened,
                });
            }
            Err(why) if is_elsewhere(&why) && roots.len() > 1 => {
                tracing::warn!(path = %from.path, root = %tried, %why, "copy is not where it should be");
                // Once: if the next one has not got it either, something is wrong that time will not mend.
                roots.retain(|root| *root != tried);
                roots.truncate(1);
                guard.undo().await;
            }
            Err(why) => return Err(why),
        }
    }
}

async fn charge(
    guard: &mut TransferGuard,
    from: &DownloadFrom,
    costs: &Costs,
    bytes: u64,
) -> Result<(), FtpError> {
    let charged = guard.charge(costs, (&from.path, bytes)).await;
    charged.map_err(credit::said)
}

async fn send(
    cx: &VerbCx,
    from: &DownloadFrom,
    part: Part,
    (guard, rate): (&mut TransferGuard, Option<u64>),
    tls: Option<DataTls>,
) -> Result<Begun, FtpError> {
    let root = root_of(guard)?;
    let holder = from.readable.holders.iter().find(|(held, _)| *held == root);
    let after = match holder {
        Some((_, after)) => *after,
        // Announced for what was there then.
        None => return Err(moved_away()),
    };
    let job = Job::Send(SendJob {
        root,
        file: from.readable.file,
        at: from.readable.at.clone(),
        offset: part.offset,
        length: part.length,
    });
    order(cx, (guard, rate), (job, tls), after, None).await
}

/// Begins an upload.
///
/// # Errors
/// When the file list or the slave cannot take it.
pub async fn begin_upload(
    cx: &VerbCx,
    to: &UploadTo,
    channel: Channel,
) -> Result<(Moving, FileId), FtpError> {
    let tls = channel.tls(cx, &to.path);
    let expected = cx.state.expected.unwrap_or(0);
    let mut share = Share::take(cx, (&to.path, Direction::Upload), expected).await?;
    let (mut guard, port, mut unopened) = match channel {
        Channel::Listening(guard, port) => (guard, Some(port), None),
        Channel::Unopened(unopened) => {
            let mut guard = to.hold(cx).await?;
            let arrival = unopened.open(cx, &mut guard).await?;
            (guard, None, Some((unopened, arrival)))
        }
    };
    let root = root_of(&guard)?;
    if to
        .plan
        .only_roots
        .as_ref()
        .is_some_and(|only| !only.contains(&root))
    {
        return Err(moved_away());
    }
    SecondCopy::is_possible(cx, &to.path, root)?;
    let (path, owner) = (to.path.clone(), cx.owner()?);
    let onto = (root, credit::earns(cx, &path)?);
    let (services, cleanup) = (&cx.services, &cx.cleanup);
    let begin = UploadGuard::begin(services, cleanup, path, to.mode, owner, onto, expected);
    let (upload, settles) = match begin.await {
        Ok(begun) => begun,
        Err(why) => return Err(dupes::instead(cx, &to.path, to.mode, why.into()).await),
    };
    let followed = cx.services.vfs.follow(upload.file)?;
    let followed = followed.ok_or(VfsError::NoUpload)?;
    dupes::still_new(cx, &to.path, to.mode).await?;
    failpoint("upload.begun").map_err(DataError::Broken)?;
    if let Base::Staged { keep } | Base::Copy { keep, .. } = &upload.base {
        share.goes_on_behind(*keep);
    }
    let job = Job::Receive(ReceiveJob {
        root,
        file: upload.file,
        base: upload.base.clone(),
        expected,
        blake3: upload.blake3,
        most: upload.room.as_ref().map(|room| room.bytes),
    });
    let in_clear = tls.is_none();
    let paced = (&mut guard, share.rate_now());
    let begun = order(cx, paced, (job, tls), upload.after, Some(settles)).await?;
    if in_clear && let Some((Unopened::Relay(client, _), _)) = &mut unopened {
        client.look();
    }
    let moving = Moving {
        guard,
        begun,
        followed,
        share,
        second: SecondCopy::begin(cx, &to.path, &upload),
        quota: upload.room.map(|room| (upload.file, room)),
        _port: port,
        unopened,
    };
    Ok((moving, upload.file))
}

async fn order(
    cx: &VerbCx,
    (guard, rate): (&mut TransferGuard, Option<u64>),
    what: (Job, Option<DataTls>),
    after: OpSeq,
    upload: Option<UploadGuard>,
) -> Result<Begun, FtpError> {
    let stall = cx.services.data.limits.stall_timeout;
    match guard.begin(what, after, (stall, rate), upload).await {
        // Its port was closed when nobody came in time.
        Err(SlaveError::Fault(fault)) if fault.code == FaultCode::NO_SUCH_TRANSFER => {
            Err(DataError::NobodyConnected.into())
        }
        begun => Ok(begun?),
    }
}

fn root_of(guard: &TransferGuard) -> Result<RootId, DataError> {
    let slot = guard.slot().ok_or(DataError::NobodyConnected)?;
    Ok(slot.root)
}

fn moved_away() -> FtpError {
    let text = "bytes are on another slave than the announced one";
    FtpError::Broken(Fault::new(FaultCode::OTHER_IDENTITY, text))
}

fn is_elsewhere(why: &FtpError) -> bool {
    use FaultCode as F;
    matches!(why, FtpError::Slave(SlaveError::Fault(fault))
        if [F::NO_SUCH_FILE, F::OTHER_IDENTITY, F::NO_SUCH_ROOT].contains(&fault.code))
}

impl Moving {
    /// Watches the transfer to the slave's end of it, and tells how far it is. Of a download the client has everything
    /// then, as far as anybody can know.
    ///
    /// # Errors
    /// Why it broke off. What is to be undone is undone when this is dropped.
    pub async fn end(
        &mut self,
        cx: &VerbCx,
        mut moved: impl FnMut(u64),
    ) -> Result<Outcome, FtpError> {
        let begun = Instant::now();
        let dials = matches!(
            &self.unopened,
            Some((Unopened::Dial(_) | Unopened::DialFirst(_), _))
        );
        let mut forward = self
            .unopened
            .take()
            .and_then(|(it, arrival)| it.start(cx, arrival));
        let outcome = self.watch(cx, &mut forward, &mut moved).await?;
        if let Outcome::Sent { bytes } | Outcome::Prepared { bytes, .. } = &outcome {
            self.share.moved(*bytes);
        }
        match &outcome {
            Outcome::Broken { fault, .. } => {
                if let (FaultCode::TOO_LARGE, Some((_, room))) = (fault.code, &self.quota) {
                    return Err(VfsError::OverQuota(room.full.clone()).into());
                }
                if dials && fault.code == FaultCode::NO_CONNECTION {
                    active::fail_late(begun).await;
                }
                Err(FtpError::Broken(fault.clone()))
            }
            Outcome::Sent { .. } => {
                if let Some(forward) = unfinished(&mut forward) {
                    forward.slave_is_done();
                    forward.end().await?;
                }
                Ok(outcome)
            }
            // Closing is a matter of the slave, and of a moment; the file is safe whatever becomes of it.
            Outcome::Prepared { .. } => {
                if let Some(mut forward) = forward.filter(|forward| !forward.has_ended()) {
                    forward.slave_is_done();
                    let closing = timeout(cx.services.config.abort_timeout, async move {
                        drop(forward.end().await);
                    });
                    drop(tokio::task::spawn_local(closing));
                }
                Ok(outcome)
            }
        }
    }

    /// Whether the owner of an upload's file may have what is there of it, beside what runs otherwise.
    fn is_within_quota(&mut self, cx: &VerbCx) -> Result<(), VfsError> {
        let Some((file, _)) = self.quota else {
            return Ok(());
        };
        let within = cx.services.vfs.is_within_quota(file);
        if matches!(within, Err(VfsError::OverQuota(_))) {
            self.guard.keep_nothing();
        }
        within
    }

    /// Waits for what the slave says in the end.
    async fn watch(
        &mut self,
        cx: &VerbCx,
        forward: &mut Option<Forward>,
        moved: &mut impl FnMut(u64),
    ) -> Result<Outcome, FtpError> {
        let mut progress = self.guard.progress();
        let mut paced = pin!(
            self.guard
                .follows(self.share.rate.clone(), self.share.most_rate)
        );
        let mut broken: Option<(DataError, Instant)> = None;
        loop {
            let late = broken.as_ref().map(|(_, late)| *late);
            tokio::select! {
                biased;
                end = self.guard.ended() => {
                    cx.live.data_was(self.guard.tls().cloned());
                    let end = end.map_err(|why| match why {
                        SlaveError::Offline(_) => DataError::SlaveLost.into(),
                        why => FtpError::from(why),
                    })?;
                    return judge(end, broken.map(|(why, _)| why));
                }
                () = self.followed.deleted() => return Err(DataError::Deleted.into()),
                bytes = next(&mut progress) => {
                    moved(bytes);
                    self.share.at(bytes)?;
                    self.is_within_quota(cx)?;
                }
                () = &mut paced => {}
                () = until(self.share.due()) => self.share.keeps_up()?,
                end = forward_end(forward) => match end {
                    Ok(()) => {}
                    Err(why @ (DataError::NobodyConnected | DataError::Unreachable(_))) => {
                        return Err(why.into());
                    }
                    // The slave has been cut off by it, and will soon say so.
                    Err(why) => broken = Some((why, Instant::now() + cx.services.config.abort_timeout)),
                },
                () = until(late) => {
                    let why = broken.map(|(why, _)| why);
                    return Err(why.unwrap_or(DataError::NobodyConnected).into());
                }
            }
        }
    }
}

/// What the slave says, in the light of what became of the relay.
fn judge(said: Outcome, relay: Option<DataError>) -> Result<Outcome, FtpError> {
    match (said, relay) {
        (Outcome::Prepared { .. }, Some(DataError::Unheard(why))) => Err((*why).into()),
        // The slave had everything before; what broke was the way back.
        (said @ Outcome::Prepared { .. }, _) | (said, None) => Ok(said),
        // The client went when it was refused, and the relay saw it first.
        (said @ Outcome::Broken { .. }, Some(_)) if is_of_tls(&said) => Ok(said),
        (_, Some(why)) => Err(why.into()),
    }
}

/// Whether a transfer ended by what became of its handshake.
fn is_of_tls(said: &Outcome) -> bool {
    const OF_TLS: [FaultCode; 2] = [FaultCode::TLS_FAILED, FaultCode::TLS_NOT_RESUMED];
    matches!(said, Outcome::Broken { fault, .. } if OF_TLS.contains(&fault.code))
}

fn unfinished(forward: &mut Option<Forward>) -> Option<&mut Forward> {
    forward.as_mut().filter(|forward| !forward.has_ended())
}

async fn forward_end(forward: &mut Option<Forward>) -> Result<(), DataError> {
    match unfinished(forward) {
        Some(forward) => forward.end().await,
        None => std::future::pending().await,
    }
}

async fn until(late: Option<Instant>) {
    match late {
        Some(late) => sleep_until(late).await,
        None => std::future::pending().await,
    }
}

/// The next count of bytes.
async fn next(progress: &mut Option<watch::Receiver<u64>>) -> u64 {
    if let Some(counts) = progress {
        if counts.changed().await.is_ok() {
            return *counts.borrow_and_update();
        }
        *progress = None;
    }
    std::future::pending().await
}
