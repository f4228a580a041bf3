//! The work that goes on for one root while its slave is online: first its log of operations,
//! before anything else, then a walk; operations that come later are sent as they come.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use drftpd_actors::{Backoff, Dice, EventBus, tell};
use drftpd_protocol::{OpSeq, RootId, SlaveId};
use futures_util::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, error};

use super::asked::{Asked, Extent};
use super::config::SlavesConfig;
use super::filelist::FileList;
use super::link::{LinkHandle, Links};
use super::messages::RootRetired;
use super::ops::OpsDriver;
use super::registry::SlaveRegistry;
use super::remerge;
use super::roster::LinkId;
use super::view::SlaveViews;
use crate::vfs::VfsError;

/// First pause after something failed.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What all roots of all slaves are worked on with.
pub(super) struct RootDeps {
    /// `[slaves]`.
    pub config: Arc<SlavesConfig>,
    /// The file list.
    pub files: Arc<dyn FileList>,
    /// Links that are up, to reach other holders of a file.
    pub links: watch::Receiver<Links>,
    /// Which slave shows which root.
    pub views: watch::Receiver<SlaveViews>,
    /// For numbers of walks and for jitter.
    pub dice: Dice,
    /// Where what walks find is published.
    pub bus: EventBus,
}

/// One root of one link.
pub(super) struct RootCx {
    /// The root.
    pub root: RootId,
    /// The link's number.
    pub link: LinkId,
    /// The slave that shows it.
    pub handle: LinkHandle,
    /// Hears when a walk begins and ends.
    pub registry: Addr<SlaveRegistry>,
    /// What all have.
    pub deps: Arc<RootDeps>,
}

impl RootCx {
    /// The slave that shows the root.
    pub fn slave(&self) -> &SlaveId {
        &self.handle.slave
    }

    /// Pauses after failures: longer each time, never all at once.
    pub fn backoff(&self) -> Backoff {
        Backoff::new(FIRST_PAUSE, LONGEST_PAUSE, self.deps.dice.clone())
    }
}

/// The work on one root. Ends when dropped.
pub(super) struct RootWork {
    asked: Arc<Asked>,
    _task: AbortOnDropHandle<()>,
}

impl RootWork {
    /// Begins it, on this arbiter.
    pub fn begin(cx: RootCx) -> Self {
        let asked = Arc::new(Asked::default());
        let task = tokio::task::spawn_local(work(cx, Arc::clone(&asked)));
        Self {
            asked,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Walks the root again, after a walk that may run now.
    pub fn walk_again(&self, extent: Extent) {
        self.asked.ask(extent);
    }
}

/// The log goes on whatever becomes of a walk; both begin anew after a panic.
async fn work(cx: RootCx, asked: Arc<Asked>) {
    let caught_up = Notify::new();
    let log = unpanicked(&cx, "log", async || {
        let Some(done) = shown(&cx).await else {
            // The registry takes it away.
            return std::future::pending().await;
        };
        debug!(slave = %cx.slave(), root = %cx.root, done = done.0, "a root is shown");
        let mut ops = OpsDriver::new(&cx, done);
        ops.catch_up().await;
        caught_up.notify_one();
        ops.follow().await;
    });
    let walk = async {
        caught_up.notified().await;
        unpanicked(&cx, "walk", async || remerge::walks(&cx, &asked).await).await;
    };
    tokio::join!(log, walk);
}

async fn unpanicked(cx: &RootCx, what: &'static str, work: impl AsyncFn()) {
    let mut backoff = cx.backoff();
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        error!(slave = %cx.slave(), root = %cx.root, what, "work on a root panicked, it begins anew");
        sleep(backoff.next_wait()).await;
    }
}

/// Tells the file list that the root is there; without that nothing else makes sense. Nothing of one that is retired.
async fn shown(cx: &RootCx) -> Option<OpSeq> {
    let mut backoff = cx.backoff();
    loop {
        match cx.deps.files.root_shown(cx.root, cx.slave()).await {
            Ok(done) => return Some(done),
            Err(VfsError::RetiredRoot(root)) => {
                tell(&cx.registry, RootRetired { root });
                return None;
            }
            Err(why) => {
                error!(slave = %cx.slave(), root = %cx.root, %why, "a root was not taken by the file list, trying again");
                sleep(backoff.next_wait()).await;
            }
        }
    }
}
