//! Walks a root and brings what lies there into the file list, page by page, on credit: a slave
//! sends no more pages than were granted, and one is granted for every page that is committed.
//!
//! A walk that breaks off begins anew; nothing that it brought so far is wrong.

use std::time::Duration;

use drftpd_actors::{AskError, ask, tell};
use drftpd_protocol::wire::{WalkCredit, WalkDone, WalkPage, WalkRoot, WalkStaged};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesOrdered;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::compare;
use super::error::SlaveError;
use super::messages::{FollowWalk, Remerging};
use super::roots::RootCx;
use crate::vfs::{Compare, Merged, VfsError};

/// Pages that may be on their way into the store at the same time.
const MERGES: usize = 4;
/// Notices beside pages (staged files, the end) that may wait.
const BESIDE: usize = 64;
/// Files that may wait to be compared before pages are held back.
const COMPARES: usize = 1024;
/// Problems of one walk that are logged.
const SAID: usize = 32;
/// A walk that is silent so long is given up.
const SILENCE: Duration = Duration::from_secs(600);
/// How long the manager may take to note a walk.
const TO_FOLLOW: Duration = Duration::from_secs(10);

/// A notice of a walk.
pub(super) enum WalkItem {
    /// Some entries of a directory.
    Page(WalkPage),
    /// Files in staging.
    Staged(WalkStaged),
    /// The end.
    Done(WalkDone),
}

#[derive(Debug, thiserror::Error)]
enum WalkError {
    #[error(transparent)]
    Files(#[from] VfsError),
    #[error(transparent)]
    Slave(#[from] SlaveError),
    #[error("the link's manager is gone")]
    Manager(#[from] AskError),
    #[error("another walk took its place")]
    Replaced,
    #[error("nothing came for too long")]
    Silent,
    #[error("the slave could not read everything")]
    Incomplete,
}

/// Walks the root when it comes (if so configured), and whenever it is asked for.
pub(super) async fn walks(cx: &RootCx, again: &Notify) {
    if !cx.deps.config.remerge_at_start {
        again.notified().await;
    }
    let mut backoff = cx.backoff();
    let mut shown = Shown::begin(cx);
    loop {
        match walk(cx).await {
            Ok(()) => {
                backoff.reset();
                drop(shown);
                again.notified().await;
                shown = Shown::begin(cx);
            }
            Err(WalkError::Slave(SlaveError::Offline(_))) => sleep(backoff.next_wait()).await,
            // Its problems are in the log.
            Err(WalkError::Incomplete) => {
                drop(shown);
                again.notified().await;
                shown = Shown::begin(cx);
            }
            Err(why) => {
                let pause = backoff.next_wait();
                error!(slave = %cx.slave(), root = %cx.root, %why, ?pause, "a walk of a root broke off, beginning anew");
                sleep(pause).await;
            }
        }
    }
}

/// One walk, from its order to the commit of its last page.
async fn walk(cx: &RootCx) -> Result<(), WalkError> {
    let begun = Instant::now();
    let (root, credit) = (cx.root, cx.deps.config.walk_credit);
    let number = cx.deps.dice.u64();
    let (to, items) = mpsc::channel(credit as usize + BESIDE);
    let follow = FollowWalk {
        root,
        walk: number,
        to,
    };
    ask(&cx.handle.manager, follow, TO_FOLLOW).await?;
    let order = WalkRoot {
        root,
        walk: number,
        credit,
    };
    let limit = cx.deps.config.work_timeout;
    cx.handle.call(&order, limit).await?;
    let (compares, to_compare) = mpsc::channel(COMPARES);
    let merging = Merging {
        cx,
        number,
        compares,
        sum: Merged::default(),
    };
    let (walked, compared) = tokio::join!(merging.run(items), compare::run(cx, to_compare));
    let ((done, sum), compared) = (walked?, compared?);
    say(cx, &done, &sum, &compared, begun.elapsed());
    if done.complete {
        Ok(cx.deps.files.walked(root, done.running).await?)
    } else {
        Err(WalkError::Incomplete)
    }
}

fn say(cx: &RootCx, done: &WalkDone, sum: &Merged, compared: &Merged, took: Duration) {
    let (slave, root) = (cx.slave(), cx.root);
    for problem in done.problems.iter().take(SAID) {
        warn!(%slave, %root, problem, "a walk found something that it could not read");
    }
    info!(
        %slave, %root, dirs = done.dirs, files = done.files, complete = done.complete,
        good = sum.good, adopted = sum.adopted + compared.adopted,
        kept_beside = sum.kept_beside + compared.kept_beside,
        set_aside = sum.set_aside + compared.set_aside,
        took_ms = took.as_millis(), "a root was walked"
    );
}

type Step<'a> = LocalBoxFuture<'a, Result<(Merged, u32), VfsError>>;

struct Merging<'a> {
    cx: &'a RootCx,
    number: u64,
    compares: mpsc::Sender<Compare>,
    sum: Merged,
}

impl<'a> Merging<'a> {
    /// Commits what comes, in its order, until the end came and all is committed.
    async fn run(
        mut self,
        mut items: mpsc::Receiver<WalkItem>,
    ) -> Result<(WalkDone, Merged), WalkError> {
        let mut steps: FuturesOrdered<Step<'a>> = FuturesOrdered::new();
        let mut end = None;
        loop {
            if let Some(done) = end.take_if(|_| steps.is_empty()) {
                return Ok((done, self.sum));
            }
            let more = end.is_none() && steps.len() < MERGES;
            let turn = async {
                tokio::select! {
                    biased;
                    Some(step) = steps.next() => Turn::Committed(step),
                    item = items.recv(), if more => Turn::Came(item),
                }
            };
            match timeout(SILENCE, turn)
                .await
                .map_err(|_| WalkError::Silent)?
            {
                Turn::Committed(step) => self.committed(step?).await,
                Turn::Came(None) => return Err(WalkError::Replaced),
                Turn::Came(Some(WalkItem::Done(done))) => end = Some(done),
                Turn::Came(Some(item)) => steps.push_back(merge(self.cx, item)),
            }
        }
    }

    /// A page is in the store: its differences are looked into, and another page may come.
    async fn committed(&mut self, (merged, pages): (Merged, u32)) {
        self.sum.good += merged.good;
        self.sum.adopted += merged.adopted;
        self.sum.kept_beside += merged.kept_beside;
        self.sum.set_aside += merged.set_aside;
        for compare in merged.compare {
            if self.compares.send(compare).await.is_err() {
                break; // comparing failed; the walk ends with its error
            }
        }
        if pages > 0 {
            let (root, walk) = (self.cx.root, self.number);
            self.cx.handle.notice(&WalkCredit { root, walk, pages });
        }
    }
}

enum Turn {
    Committed(Result<(Merged, u32), VfsError>),
    Came(Option<WalkItem>),
}

fn merge(cx: &RootCx, item: WalkItem) -> Step<'_> {
    let (files, root) = (&cx.deps.files, cx.root);
    Box::pin(async move {
        match item {
            WalkItem::Page(page) => {
                let merged = files.merge_page(root, cx.slave(), page.dir, page.entries);
                Ok((merged.await?, 1))
            }
            WalkItem::Staged(staged) => {
                files.merge_staged(root, staged.files).await?;
                Ok((Merged::default(), 0))
            }
            WalkItem::Done(_) => Ok((Merged::default(), 0)),
        }
    })
}

/// While it lives, the slave's view says that it remerges.
struct Shown<'a>(&'a RootCx);

impl<'a> Shown<'a> {
    fn begin(cx: &'a RootCx) -> Self {
        let shown = Self(cx);
        shown.tell(true);
        shown
    }

    fn tell(&self, runs: bool) {
        let (slave, link, root) = (self.0.slave().clone(), self.0.link, self.0.root);
        let news = Remerging {
            slave,
            link,
            root,
            runs,
        };
        tell(&self.0.registry, news);
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.tell(false);
    }
}
