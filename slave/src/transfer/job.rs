//! Opening what a transfer needs before 150: the file that goes out, or the place in staging.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use drftpd_actors::ask;
use drftpd_protocol::wire::{
    BeginTransfer, Begun, Fault, FaultCode, Job, ReceiveJob, SendJob, SpaceSeen,
};

use super::copy::Work;
use super::copy::receive::Upload;
use super::copy::send::{Download, read};
use super::env::Env;
use super::error::TransferError;
use super::growing::Follower;
use super::messages::{FindUpload, Growing};
use super::registry::TransferRegistry;
use super::stop::Stop;
use crate::storage::{InUse, Root, Staging, StoredFile};

/// How long the registry may take for an answer from memory.
const REGISTRY_LIMIT: Duration = Duration::from_secs(10);
/// A file up to this size is read when it is opened: one hop for all of it.
const SMALL: u64 = 64 << 10;

/// A transfer that can begin.
#[derive(Debug)]
pub struct Opened {
    /// What moves.
    pub work: Work,
    /// As it is told to the master.
    pub begun: Begun,
    /// Its root's, until the transfer is over.
    pub in_use: InUse,
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
    /// Opens what the order names. What is found by its identity is right whatever the root's log still has to do, so
    /// that a log that does not get on keeps nobody from the files; else the log must first be applied as far as the
    /// order says.
    ///
    /// # Errors
    /// Storage's faults; `BUSY` when the log is not applied in time; `ABORTED`.
    pub async fn open(self, begin: BeginTransfer, growth: Growing) -> Result<Opened, Fault> {
        let grows = matches!(growth, Growing::Follow(_));
        let mut found = find(&self.env, &begin.job, grows).await;
        if let Err(fault) = &found
            && self.wait(&begin, fault).await?
        {
            found = find(&self.env, &begin.job, grows).await;
        }
        match (found?, begin.job, growth) {
            (Found::File(file), Job::Send(job), Growing::Follow(follower)) => {
                self.download(file, job, Some(follower)).await
            }
            (Found::File(file), Job::Send(job), _) => self.download(file, job, None).await,
            (Found::Staged(staged), _, Growing::Tell(grower)) => {
                let work = Work::Receive(Upload {
                    roots: self.env.roots.clone(),
                    root: staged.root,
                    staging: staged.staging,
                    grower,
                    most: staged.most,
                });
                let in_use = staged.in_use;
                let begun = Begun {
                    size: 0,
                    space: Some(staged.space),
                };
                Ok(Opened {
                    work,
                    begun,
                    in_use,
                })
            }
            _ => {
                let text = "an upload that was not booked";
                Err(Fault::new(FaultCode::FAILED, text))
            }
        }
    }

    /// Waits for the operations that come before the order; false when there are none.
    async fn wait(&self, begin: &BeginTransfer, fault: &Fault) -> Result<bool, Fault> {
        let root = match &begin.job {
            Job::Send(job) => job.root,
            Job::Receive(job) => job.root,
        };
        if self.env.applied.of(root) >= begin.after {
            return Ok(false);
        }
        let applied = tokio::select! {
            biased;
            stopped = self.stop.said() => return Err(TransferError::from(stopped).fault()),
            applied = self.env.applied.reached(root, begin.after, self.limit) => applied,
        };
        // A full disk says more than a log that does not get on because of it.
        applied.map_err(|late| match fault.code {
            FaultCode::NO_SPACE => fault.clone(),
            _ => late,
        })?;
        Ok(true)
    }

    async fn download(
        &self,
        mut found: Opening,
        job: SendJob,
        mut follower: Option<Follower>,
    ) -> Result<Opened, Fault> {
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

/// What an order names, open.
enum Found {
    File(Opening),
    Staged(Staged),
}

struct Staged {
    in_use: InUse,
    root: Root,
    staging: Staging,
    space: SpaceSeen,
    most: Option<u64>,
}

async fn find(env: &Env, job: &Job, grows: bool) -> Result<Found, Fault> {
    match job {
        Job::Send(job) => Ok(Found::File(open_file(env, job, grows).await?)),
        Job::Receive(job) => Ok(Found::Staged(stage(env, job.clone()).await?)),
    }
}

async fn stage(env: &Env, job: ReceiveJob) -> Result<Staged, Fault> {
    let roots = env.roots.clone();
    let stage = move || {
        let root = roots.get(job.root)?;
        let mut staging = root.stage(job.file, &job.base, job.expected)?;
        if job.blake3 {
            staging.sum_blake3()?;
        }
        Ok(Staged {
            in_use: root.used(),
            space: roots.space_seen(&root),
            root,
            staging,
            most: job.most,
        })
    };
    on_disk(env, stage).await
}

struct Opening {
    in_use: InUse,
    stored: StoredFile,
    head: Option<Bytes>,
}

async fn open_file(env: &Env, job: &SendJob, grows: bool) -> Result<Opening, Fault> {
    let roots = env.roots.clone();
    let job = job.clone();
    let open = move || {
        let root = roots.get(job.root)?;
        let in_use = root.used();
        let stored = root.open_file(Some(job.file), &job.at)?;
        let length = end_of(&job, stored.size).saturating_sub(job.offset);
        let small = length <= SMALL && !grows;
        let head = small.then(|| read(&stored.file, job.offset, length));
        Ok((in_use, stored, head))
    };
    let (in_use, stored, head) = on_disk(env, open).await?;
    let head = head.transpose();
    let head = head.map_err(|error| TransferError::Disk(error).fault())?;
    let head = head.map(Bytes::from);
    Ok(Opening {
        in_use,
        stored,
        head,
    })
}

fn end_of(job: &SendJob, size: u64) -> u64 {
    let asked = job
        .length
        .map_or(u64::MAX, |length| job.offset.saturating_add(length));
    asked.min(size)
}

fn download(found: Opening, follower: Option<Follower>, job: &SendJob) -> Result<Opened, Fault> {
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
        stamp: found.stored.stamp,
    });
    Ok(Opened {
        work,
        begun: Begun::of(size),
        in_use: found.in_use,
    })
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
