//! Opening what a transfer needs before 150: the file that goes out, or the place in staging.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use drftpd_actors::ask;
use drftpd_protocol::wire::{BeginTransfer, Fault, FaultCode, Job, ReceiveJob, SendJob};

use super::copy::Work;
use super::copy::receive::Upload;
use super::copy::send::{Download, read};
use super::env::Env;
use super::error::TransferError;
use super::growing::{Follower, Grower};
use super::messages::{FindUpload, Growing};
use super::registry::TransferRegistry;
use super::stop::Stop;
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

/// What opening needs beside the order.
pub struct Opener {
    /// Storage and threads.
    pub env: Arc<Env>,
    /// Knows the uploads that run.
    pub registry: Addr<TransferRegistry>,
    /// The word to stop, which may come while operations are waited for.
    pub stop: Stop,
    /// How long operations are waited for.
    pub limit: Duration,
}

impl Opener {
    /// Opens what the order names, after the root's log is applied as far as the order says.
    ///
    /// # Errors
    /// Storage's faults; `BUSY` when the log is not applied in time; `ABORTED`.
    pub async fn open(self, begin: BeginTransfer, growth: Growing) -> Result<Opened, Fault> {
        let root = match &begin.job {
            Job::Send(job) => job.root,
            Job::Receive(job) => job.root,
        };
        tokio::select! {
            biased;
            stopped = self.stop.said() => return Err(TransferError::from(stopped).fault()),
            applied = self.env.applied.reached(root, begin.after, self.limit) => applied?,
        }
        match (begin.job, growth) {
            (Job::Send(job), Growing::Follow(follower)) => self.download(job, Some(follower)).await,
            (Job::Send(job), _) => self.download(job, None).await,
            (Job::Receive(job), Growing::Tell(grower)) => upload(&self.env, job, grower).await,
            (Job::Receive(_), _) => {
                let text = "an upload that was not booked";
                Err(Fault::new(FaultCode::FAILED, text))
            }
        }
    }

    async fn download(
        &self,
        job: SendJob,
        mut follower: Option<Follower>,
    ) -> Result<Opened, Fault> {
        let mut found = open_file(&self.env, &job, follower.is_some()).await?;
        let stored = &found.stored;
        if stored.staged && stored.crc32.is_none() && follower.is_none() {
            // What is left of a broken upload, or one that began in between.
            let find = FindUpload {
                file: (job.root, job.file),
            };
            let upload = ask(&self.registry, find, REGISTRY_LIMIT).await;
            follower = upload.map_err(|error| {
                Fault::new(FaultCode::FAILED, format!("registry of transfers: {error}"))
            })?;
        }
        if !found.stored.staged {
            follower = None;
        }
        if follower.is_some() {
            found.head = None;
        }
        download(found, follower, &job)
    }
}

async fn upload(env: &Env, job: ReceiveJob, grower: Grower) -> Result<Opened, Fault> {
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
