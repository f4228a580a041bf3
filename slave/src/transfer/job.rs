//! Opening what a transfer needs before 150: the file that goes out, or the place in staging.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use drftpd_actors::{AskError, ask};
use drftpd_protocol::ids::TransferId;
use drftpd_protocol::wire::{BeginTransfer, Fault, FaultCode, Job, ReceiveJob, SendJob};

use super::copy::Work;
use super::copy::receive::Upload;
use super::copy::send::{Download, read};
use super::env::Env;
use super::error::TransferError;
use super::growing::{Follower, Grower};
use super::messages::{BookDownload, BookUpload};
use super::registry::TransferRegistry;
use crate::storage::StoredFile;

/// How long the registry may take for an answer from memory.
const REGISTRY_LIMIT: Duration = Duration::from_secs(10);
/// A file up to this size is read when it is opened: one hop for all of it.
const SMALL: u64 = 64 << 10;

/// A transfer that can begin.
#[derive(Debug)]
pub struct Opened {
    /// What moves.
    pub work: Work,
    /// Size of the file that goes out, as far as it is there; 0 for an upload.
    pub size: u64,
}

/// Opens what the order names, after the root's log is applied as far as the order says.
///
/// # Errors
/// Storage's faults; `BUSY` when the log is not applied within `limit`, or the same file is being
/// received.
pub async fn open(
    env: Arc<Env>,
    registry: Addr<TransferRegistry>,
    begin: BeginTransfer,
    limit: Duration,
) -> Result<Opened, Fault> {
    let transfer = begin.transfer;
    match begin.job {
        Job::Send(job) => {
            env.applied.reached(job.root, begin.after, limit).await?;
            open_download(&env, &registry, transfer, job).await
        }
        Job::Receive(job) => {
            let (grower, follower) = Grower::new();
            let book = BookUpload {
                transfer,
                root: job.root,
                file: job.file,
                follower,
            };
            ask(&registry, book, REGISTRY_LIMIT).await.map_err(gone)??;
            env.applied.reached(job.root, begin.after, limit).await?;
            open_upload(&env, job, grower).await
        }
    }
}

fn gone(error: AskError) -> Fault {
    Fault::new(FaultCode::FAILED, format!("registry of transfers: {error}"))
}

async fn open_upload(env: &Env, job: ReceiveJob, grower: Grower) -> Result<Opened, Fault> {
    let roots = env.roots.clone();
    let stage = move || {
        let root = roots.get(job.root)?;
        let staging = root.stage(job.file, &job.base, job.expected)?;
        Ok((root, staging))
    };
    let (root, staging) = on_disk(env, stage).await?;
    let work = Work::Receive(Upload {
        root,
        staging,
        grower,
    });
    Ok(Opened { work, size: 0 })
}

async fn open_download(
    env: &Env,
    registry: &Addr<TransferRegistry>,
    transfer: TransferId,
    job: SendJob,
) -> Result<Opened, Fault> {
    let file = job.file;
    let follow = || ask(registry, BookDownload { transfer, file }, REGISTRY_LIMIT);
    let mut follower = follow().await.map_err(gone)?;
    let mut found = open_file(env, &job, follower.is_some()).await?;
    if found.stored.staged && follower.is_none() {
        // Its upload may have begun in between.
        follower = follow().await.map_err(gone)?;
    }
    if !found.stored.staged {
        follower = None;
    }
    if follower.is_some() {
        found.head = None;
    }
    download(found, follower, &job)
}

struct Found {
    stored: StoredFile,
    head: Option<Bytes>,
}

async fn open_file(env: &Env, job: &SendJob, grows: bool) -> Result<Found, Fault> {
    let roots = env.roots.clone();
    let job = job.clone();
    let open = move || {
        let root = roots.get(job.root)?;
        let stored = root.open_file(Some(job.file), &job.at)?;
        let length = end_of(&job, stored.size).saturating_sub(job.offset);
        let small = length <= SMALL && !grows;
        let head = small.then(|| read(&stored.file, job.offset, length));
        Ok((stored, head))
    };
    let (stored, head) = on_disk(env, open).await?;
    let head = head.transpose();
    let head = head.map_err(|error| TransferError::Disk(error).fault())?;
    let head = head.map(Bytes::from);
    Ok(Found { stored, head })
}

fn end_of(job: &SendJob, size: u64) -> u64 {
    let asked = job
        .length
        .map_or(u64::MAX, |length| job.offset.saturating_add(length));
    asked.min(size)
}

fn download(found: Found, follower: Option<Follower>, job: &SendJob) -> Result<Opened, Fault> {
    let size = match &follower {
        Some(follower) => follower.now().len,
        None => found.stored.size,
    };
    if follower.is_none() && job.offset > size {
        let text = format!("byte {} of a file of {size}", job.offset);
        return Err(Fault::new(FaultCode::BAD_REQUEST, text));
    }
    let work = Work::Send(Download {
        file: Arc::new(found.stored.file),
        at: job.offset,
        end: end_of(job, size),
        stop_at: job.length.map(|length| job.offset.saturating_add(length)),
        follower,
        head: found.head,
    });
    Ok(Opened { work, size })
}

/// Runs storage's work on a thread.
async fn on_disk<T: Send + 'static>(
    env: &Env,
    work: impl FnOnce() -> Result<T, crate::storage::StorageError> + Send + 'static,
) -> Result<T, Fault> {
    match env.blocking.run(work).await {
        Ok(done) => done.map_err(|error| error.fault()),
        Err(error) => Err(TransferError::Work(error).fault()),
    }
}
