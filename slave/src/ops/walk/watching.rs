//! Watching a shared root while a link is up: says what changed there, for the master to have it walked.
//!
//! It begins before the walk of all of the root does, so that nothing comes between. Where not everything can be heard the
//! root is walked from time to time, which happens anyway.

use std::sync::Arc;
use std::time::Duration;

use drftpd_protocol::wire::{Envelope, RootChanged};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tracing::{debug, error, warn};

use super::ScannerDeps;
use super::changes::Changes;
use crate::link::send;
use crate::storage::{Change, StorageError, Watch};
use crate::sys::inotify;

/// How often it is asked what was heard.
const LISTEN_EVERY: Duration = Duration::from_millis(100);

/// Begins to hear of a root.
pub type OpenWatch = Arc<dyn Fn() -> Result<Watch, StorageError> + Send + Sync>;

/// How a shared root is watched.
#[derive(Clone)]
pub struct Watching {
    /// Begins it; runs on the pool for blocking work.
    pub open: OpenWatch,
    /// How long nothing must have happened to an entry until it is told.
    pub quiet: Duration,
    /// How often all of the root is to be walked.
    pub rescan_every: Duration,
}

/// Says what changes until the link is lost. `begun` hears when nothing is missed any more.
pub(super) async fn watch(
    deps: ScannerDeps,
    how: Watching,
    out: mpsc::Sender<Envelope>,
    begun: oneshot::Sender<()>,
) {
    let mut watch = begin(&deps, &how).await;
    if begun.send(()).is_err() {
        return; // the walk is not wanted any more
    }
    let mut changes = Changes::new(how.quiet);
    let now = Instant::now();
    let mut rescan = interval_at(now + how.rescan_every, how.rescan_every);
    let mut listen = interval_at(now + LISTEN_EVERY, LISTEN_EVERY);
    listen.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = changes.due();
        let parts = tokio::select! {
            _ = listen.tick(), if watch.is_some() => {
                hear(&deps, &mut watch, &mut changes).await;
                continue;
            }
            () = sleep_until(due.unwrap_or(now)), if due.is_some() => changes.take(Instant::now()),
            _ = rescan.tick() => Vec::new(),
        };
        let root = deps.root;
        debug!(%root, parts = parts.len(), "other programs may have changed a shared root");
        if !send(&out, &RootChanged { root, parts }).await {
            return;
        }
    }
}

async fn begin(deps: &ScannerDeps, how: &Watching) -> Option<Watch> {
    let open = how.open.clone();
    match deps.blocking.run(move || open()).await {
        Ok(Ok(watch)) => return Some(watch),
        Ok(Err(why)) => deaf(deps, how, &why),
        Err(why) => error!(root = %deps.root, %why, "watching a shared root failed"),
    }
    None
}

/// Notes what was heard; when nothing can be heard any more, that anything may have happened.
async fn hear(deps: &ScannerDeps, watch: &mut Option<Watch>, changes: &mut Changes) {
    let mut more = true;
    while more && let Some(mut open) = watch.take() {
        let read = deps.blocking.run(move || {
            let mut heard = Vec::new();
            let more = open.read(&mut heard);
            (open, heard, more)
        });
        let (open, heard, read) = match read.await {
            Ok((open, heard, read)) => (Some(open), heard, read),
            Err(why) => (None, Vec::new(), Err(std::io::Error::other(why))),
        };
        let now = Instant::now();
        heard
            .into_iter()
            .for_each(|change| changes.note(change, now));
        match read {
            Ok(rest) => (*watch, more) = (open, rest),
            Err(why) => {
                let setting = inotify::setting(&why);
                warn!(root = %deps.root, %why, setting, "a shared root cannot be followed any more, it is watched anew");
                changes.note(Change::Anything, now);
            }
        }
    }
}

/// Not all of a root can be heard of.
fn deaf(deps: &ScannerDeps, how: &Watching, why: &StorageError) {
    let source = match why {
        StorageError::Io { source, .. } => inotify::setting(source),
        _ => None,
    };
    let (root, every) = (deps.root, how.rescan_every);
    match source {
        Some(setting) => {
            let setting = format!("sysctl {setting}");
            error!(%root, setting, ?every, "a shared root has more directories than may be watched: raise the setting; until then it is walked from time to time");
        }
        None => {
            error!(%root, %why, ?every, "a shared root cannot be watched, it is walked from time to time")
        }
    }
}
