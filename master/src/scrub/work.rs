//! One root's passes, from where the store says they are: which copy is read next, and what is concluded.
//!
//! Dropped at any await, what was read since the last word to the store is read again.

use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::EventBus;
use drftpd_protocol::wire::{FaultCode, Reread, StopReread};
use drftpd_protocol::{FileId, NodeId, RootId, SlaveId};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, error, info, warn};

use super::client::{Now, Shown};
use crate::events::CopyDamaged;
use crate::slaves::{SlaveError, SlavesClient, slave_of};
use crate::vfs::scrub::{Damaged, Pass, Reading, Stored, Sums};
use crate::vfs::{VfsClient, VfsError};

/// Copies that are looked up in one piece.
const PAGE: usize = 500;
/// How long one piece may take, about: then what somebody asked for meanwhile comes first.
const PAGE_TIME: Duration = Duration::from_secs(30);
/// Readings that the store is told of in one command, and how long the first of them waits for that.
const AT_ONCE: usize = 64;
const TELL_AFTER: Duration = Duration::from_secs(3);
/// Between two pieces: clients come first.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a slave may be silent about a file; it tells every second or so how far it is.
const SILENCE: Duration = Duration::from_secs(120);
/// How long a slave may take to say that it has stopped.
const STOP: Duration = Duration::from_secs(10);
/// So many files in a row that cannot be read are no damaged files: the disk is.
const UNREADABLE: usize = 16;

/// What reading a root needs.
#[derive(Clone)]
pub struct Worker {
    pub vfs: VfsClient,
    pub slaves: SlavesClient,
    pub bus: EventBus,
    pub max_rate: u64,
    pub busy_rate: u64,
    pub blake3: bool,
    pub(super) shown: Arc<watch::Sender<Shown>>,
}

/// Why a root is not read on now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Files(#[from] VfsError),
    #[error("its slave is offline")]
    Offline,
    #[error("slave {0}: {1}")]
    Slave(SlaveId, #[source] SlaveError),
    #[error("{UNREADABLE} files in a row cannot be read: {0}")]
    Disk(String),
}

/// What reading one copy came to.
enum Found {
    Reading(Reading),
    /// It is not where it should be, or is another one: that is for a walk to judge.
    Astray(String),
}

/// Readings that the store has not heard of.
struct Batch {
    readings: Vec<(FileId, Reading)>,
    since: Instant,
    /// The file behind which reading goes on.
    at: NodeId,
}

/// One go at a root.
pub(super) struct Going<'a> {
    worker: &'a Worker,
    root: RootId,
    /// Files at the end of the batch that could not be read.
    unreadable: usize,
    /// A walk was asked for.
    walks: bool,
}

impl Worker {
    /// Reads what is to be read of a root, until there is nothing more.
    pub(super) async fn work(&self, root: RootId) -> Result<(), Trouble> {
        let mut going = Going {
            worker: self,
            root,
            unreadable: 0,
            walks: false,
        };
        while let Some(pass) = self.vfs.next_pass(root).await? {
            going.page(&pass).await?;
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// The slave of a root stops reading.
    pub(super) async fn stop(&self, root: RootId) {
        let views = self.slaves.views().borrow().clone();
        let Some(view) = slave_of(&views, root) else {
            return;
        };
        let stop = StopReread { root };
        if let Err(why) = self.slaves.call(&view.slave, stop, STOP).await {
            debug!(slave = %view.slave, %root, %why, "a slave was not heard to stop reading");
        }
    }

    fn slave(&self, root: RootId) -> Result<SlaveId, Trouble> {
        let views = self.slaves.views();
        let views = views.borrow();
        let view = slave_of(&views, root).ok_or(Trouble::Offline)?;
        Ok(view.slave.clone())
    }

    async fn read(&self, root: RootId, stored: &Stored) -> Result<Found, Trouble> {
        let slave = self.slave(root)?;
        let reread = Reread {
            root,
            file: stored.file,
            at: stored.at.clone(),
            after: stored.after,
            max_rate: self.max_rate,
            busy_rate: self.busy_rate,
            blake3: self.blake3 || stored.should.blake3.is_some(),
        };
        match self.slaves.call(&slave, reread, SILENCE).await {
            Ok(done) => Ok(Found::Reading(Reading::Sums(Sums {
                size: done.size,
                crc32: Some(done.crc32),
                blake3: done.blake3,
            }))),
            Err(SlaveError::Fault(fault)) if fault.code == FaultCode::DISK => {
                Ok(Found::Reading(Reading::Unreadable(fault.text)))
            }
            Err(SlaveError::Fault(fault)) if is_astray(fault.code) => Ok(Found::Astray(fault.text)),
            Err(why) => Err(Trouble::Slave(slave, why)),
        }
    }
}

fn is_astray(code: FaultCode) -> bool {
    [
        FaultCode::NO_SUCH_FILE,
        FaultCode::OTHER_IDENTITY,
        FaultCode::BAD_PLACE,
    ]
    .contains(&code)
}

impl Going<'_> {
    /// Reads a piece of a pass.
    async fn page(&mut self, pass: &Pass) -> Result<(), Trouble> {
        let vfs = &self.worker.vfs;
        let page = vfs.copies_behind(pass, PAGE).await?;
        let Some(last) = page.last else {
            vfs.end_pass(pass).await?;
            let (root, files, damaged) = (pass.root, pass.files, pass.damaged);
            info!(%root, files, bytes = pass.bytes, damaged, "copies were read again");
            return Ok(());
        };
        let until = Instant::now() + PAGE_TIME;
        let mut batch = Batch {
            readings: Vec::new(),
            since: Instant::now(),
            at: pass.at,
        };
        let mut whole = true;
        for stored in page.copies {
            if Instant::now() >= until {
                whole = false;
                break;
            }
            let node = stored.file.node;
            let judged = match self.judge(stored).await {
                Ok(judged) => judged,
                Err(why) => {
                    self.tell(pass, batch).await?;
                    return Err(why);
                }
            };
            batch = self.take(pass, batch, node, judged).await?;
        }
        if whole {
            batch.at = last;
        }
        self.tell(pass, batch).await
    }

    /// Adds a reading; tells the store when there are many, and when something was found.
    async fn take(
        &mut self,
        pass: &Pass,
        mut batch: Batch,
        node: NodeId,
        judged: Option<(FileId, Reading, bool)>,
    ) -> Result<Batch, Trouble> {
        let Some((file, reading, wrong)) = judged else {
            batch.at = node;
            return Ok(batch);
        };
        if let Reading::Unreadable(why) = &reading {
            self.unreadable += 1;
            if self.unreadable >= UNREADABLE {
                let (why, behind) = (why.clone(), batch.readings.len());
                // They are not judged, and read again when the disk is better.
                let sound = behind.saturating_sub(self.unreadable - 1);
                batch.readings.truncate(sound);
                batch.at = batch.readings.last().map_or(pass.at, |(file, _)| file.node);
                self.tell(pass, batch).await?;
                return Err(Trouble::Disk(why));
            }
            batch.readings.push((file, reading));
            batch.at = node;
            return Ok(batch);
        }
        self.unreadable = 0;
        batch.readings.push((file, reading));
        batch.at = node;
        let many = batch.readings.len() >= AT_ONCE || batch.since.elapsed() >= TELL_AFTER;
        if !many && !wrong {
            return Ok(batch);
        }
        let at = batch.at;
        self.tell(pass, batch).await?;
        Ok(Batch {
            readings: Vec::new(),
            since: Instant::now(),
            at,
        })
    }

    async fn tell(&self, pass: &Pass, batch: Batch) -> Result<(), Trouble> {
        if batch.readings.is_empty() && batch.at == pass.at {
            return Ok(());
        }
        let told = self
            .worker
            .vfs
            .take_readings(pass, batch.readings, batch.at);
        for damaged in told.await? {
            self.is_damaged(damaged);
        }
        Ok(())
    }

    fn is_damaged(&self, damaged: Damaged) {
        let Ok(slave) = self.worker.slave(self.root) else {
            return; // the report has it
        };
        let (root, path, why) = (self.root, damaged.path, damaged.why);
        match damaged.good_elsewhere {
            true => warn!(%slave, %root, %path, why, "a copy is damaged, it is repaired"),
            false => error!(%slave, %root, %path, why, "a file is damaged, there is no good copy"),
        }
        self.worker.bus.publish(CopyDamaged {
            slave,
            root,
            path,
            why,
            good_elsewhere: damaged.good_elsewhere,
        });
    }

    /// What is to be said of a copy, and whether something is wrong with it: that was read twice, so that what changed
    /// meanwhile, or an error on the way, is none.
    async fn judge(&mut self, stored: Stored) -> Result<Option<(FileId, Reading, bool)>, Trouble> {
        let (worker, root, file) = (self.worker, self.root, stored.file);
        let now = Now::Reads(stored.path.clone());
        worker
            .shown
            .send_modify(|all| drop(Arc::make_mut(all).insert(root, now)));
        if let Found::Reading(reading) = worker.read(root, &stored).await?
            && stored.wrong(&reading).is_none()
        {
            return Ok(Some((file, reading, false)));
        }
        let again = worker.vfs.stored_copy(root, file.node).await?;
        let Some(again) = again.filter(|again| again.file == file) else {
            return Ok(None); // deleted or overwritten meanwhile
        };
        match worker.read(root, &again).await? {
            Found::Reading(reading) => {
                let wrong = again.wrong(&reading).is_some();
                Ok(Some((file, reading, wrong)))
            }
            Found::Astray(why) => {
                self.astray(&again, &why);
                Ok(None)
            }
        }
    }

    /// A copy that is not where it should be: a walk finds out what became of it, once for all.
    fn astray(&mut self, stored: &Stored, why: &str) {
        let (root, path) = (self.root, &stored.path);
        if std::mem::replace(&mut self.walks, true) {
            return debug!(%root, %path, why, "a copy is not where it should be");
        }
        warn!(%root, %path, why, "a copy is not where it should be, the root is walked");
        if let Ok(slave) = self.worker.slave(root)
            && let Err(why) = self.worker.slaves.walk_again(&slave, Some(root))
        {
            debug!(%slave, %root, %why, "it is walked when it is back");
        }
    }
}
