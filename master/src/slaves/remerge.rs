//! Walks a root and brings what lies there into the file list, on credit: a slave sends no more pages and digests than
//! were granted, and one is granted for every one that is dealt with. Where the digest of a directory is that of the
//! file list nothing more is asked; of others the entries are, page by page.
//!
//! Parts of a root are walked alone in the same way. A walk that breaks off begins anew; nothing that it brought so far is wrong. When one saw everything, what it did
//! not see is missing. What it had to leave open is looked at by another walk soon.

use std::time::Duration;

use drftpd_actors::{AskError, ask, tell};
use drftpd_protocol::NodeId;
use drftpd_protocol::wire::{
    WalkCredit, WalkDigests, WalkDone, WalkPage, WalkPart, WalkRoot, WalkStaged,
};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesOrdered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tracing::error;

use super::asked::{Asked, Extent};
use super::compare;
use super::error::SlaveError;
use super::findings::{self, Findings};
use super::messages::{FollowWalk, Holding, Remerging};
use super::rest::{Lately, Left, Rest};
use super::roots::RootCx;
use crate::vfs::{Begins, Compare, Judged, Merged, SawAll, SawShared, Seen, VfsError};

/// Pages that may be on their way into the store at the same time.
const MERGES: usize = 4;
/// Notices beside pages (staged files, the end) that may wait.
const BESIDE: usize = 64;
/// Files that may wait to be compared before pages are held back.
const COMPARES: usize = 1024;
/// A walk that is silent so long is given up.
const SILENCE: Duration = Duration::from_secs(600);
/// How long the manager may take to note a walk.
const TO_FOLLOW: Duration = Duration::from_secs(10);

/// A notice of a walk.
pub(super) enum WalkItem {
    /// Some entries of a directory.
    Page(WalkPage),
    /// Digests of directories.
    Digests(WalkDigests),
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

/// Walks the root when it comes (if so configured), and whatever is asked for.
pub(super) async fn walks(cx: &RootCx, asked: &Asked) {
    let mut extent = Extent::Whole;
    if !cx.deps.config.remerge_at_start {
        if let Ok(begins) = cx.deps.files.walk_begins(cx.root).await {
            holding(cx, begins.held);
        }
        extent = asked.next().await;
    }
    let mut backoff = cx.backoff();
    let mut rest = Rest::new(cx);
    let mut lately = Lately::default();
    loop {
        let shown = (extent == Extent::Whole).then(|| Shown::begin(cx));
        let pause = match walk(cx, &extent, &mut lately).await {
            Ok(left) => {
                backoff.reset();
                drop(shown);
                rest.leave(&extent, left);
                extent = rest.next(asked).await;
                continue;
            }
            // Its problems are in the log.
            Err(WalkError::Incomplete) => {
                drop(shown);
                extent = rest.next(asked).await;
                continue;
            }
            Err(WalkError::Slave(SlaveError::Offline(_))) => backoff.next_wait(),
            Err(why) => {
                let pause = backoff.next_wait();
                error!(slave = %cx.slave(), root = %cx.root, %why, ?pause, "a walk of a root broke off, beginning anew");
                pause
            }
        };
        sleep(pause).await;
    }
}

/// One walk, from its order to what it says of copies that it did not see.
async fn walk(
    cx: &RootCx,
    extent: &Extent,
    lately: &mut Lately,
) -> Result<Option<Left>, WalkError> {
    let begun = Instant::now();
    // Before the slave begins: what is decided later may be seen or not.
    let (begins, parts) = match extent {
        Extent::Whole => (cx.deps.files.walk_begins(cx.root).await?, Vec::new()),
        Extent::Parts(parts) => (
            cx.deps.files.part_walk_begins(cx.root).await?,
            parts.clone(),
        ),
    };
    holding(cx, begins.held);
    if begins.held {
        findings::say_held(cx, extent);
        return Ok(None);
    }
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
        digests: true,
        parts,
    };
    let limit = cx.deps.config.work_timeout;
    let shared = cx.handle.call(&order, limit).await?.shared;
    let (compares, to_compare) = mpsc::channel(COMPARES);
    let merging = Merging {
        cx,
        number,
        begins,
        shared,
        compares,
        brought: Brought::default(),
    };
    let (walked, compared) = tokio::join!(merging.run(items), compare::run(cx, to_compare));
    let ((done, mut brought), compared) = (walked?, compared?);
    brought.found += compared.found;
    let undecided = brought.comparing.len() > compared.judged;
    let comparing = brought.comparing.into_iter();
    let perhaps = comparing.filter(|node| !compared.others.contains(node));
    brought.seen.extend(perhaps);
    findings::say(cx, extent, &done, &brought.found, begun.elapsed());
    if !done.complete {
        return Err(WalkError::Incomplete);
    }
    let saw = SawAll {
        since: begins.since,
        running: done.running,
        seen: brought.seen,
        agreed: brought.agreed,
        conclude: brought.found.unknown == 0,
        within: extent.within(brought.gone),
        shared: shared.then(|| SawShared {
            lately: lately.removed(begun),
            ..brought.shared
        }),
    };
    let concluded = cx.deps.files.walked(root, cx.slave(), saw).await?;
    findings::say_missing(cx, &concluded);
    findings::say_others(cx, brought.found.edited, &concluded);
    if concluded.held {
        holding(cx, true);
        *lately = Lately::default(); // what an operator confirms begins anew
        return Ok(None);
    }
    lately.note(concluded.removed, begun);
    let open = brought.found.left + brought.found.later + concluded.unsettled + concluded.missing;
    let again = brought.again.into_iter().chain(concluded.again);
    let again = Extent::of(again.collect());
    let what = match open > 0 || undecided {
        true => Some(again.map_or(extent.clone(), |again| again.and(extent.clone()))),
        false => again,
    };
    Ok(what.map(|what| Left { what, soon: shared }))
}

/// Tells whether anything that the root says counts.
fn holding(cx: &RootCx, held: bool) {
    let (slave, link, root) = (cx.slave().clone(), cx.link, cx.root);
    let news = Holding {
        slave,
        link,
        root,
        held,
    };
    tell(&cx.registry, news);
}

/// What a walk has brought so far.
#[derive(Default)]
struct Brought {
    found: Findings,
    seen: Seen,
    /// Directories that agree.
    agreed: Seen,
    /// Files that are compared with what lies at their place.
    comparing: Vec<NodeId>,
    /// Entries of the tree at whose places alone nothing is.
    gone: Vec<NodeId>,
    /// What is to be looked at again soon.
    again: Vec<WalkPart>,
    /// What else matters on a shared root.
    shared: SawShared,
}

/// What became of a notice.
enum Dealt {
    Page(Merged),
    Digests(u64, Judged),
    Staged(Vec<NodeId>),
}

type Step<'a> = LocalBoxFuture<'a, Result<Dealt, VfsError>>;

struct Merging<'a> {
    cx: &'a RootCx,
    number: u64,
    begins: Begins,
    /// Whether other programs work on the root too.
    shared: bool,
    compares: mpsc::Sender<Compare>,
    brought: Brought,
}

impl<'a> Merging<'a> {
    /// Commits what comes, in its order, until the end came and all is committed.
    async fn run(
        mut self,
        mut items: mpsc::Receiver<WalkItem>,
    ) -> Result<(WalkDone, Brought), WalkError> {
        let mut steps: FuturesOrdered<Step<'a>> = FuturesOrdered::new();
        let mut end = None;
        loop {
            if let Some(done) = end.take_if(|_| steps.is_empty()) {
                return Ok((done, self.brought));
            }
            let more = end.is_none() && steps.len() < MERGES;
            let turn = async {
                let turn = tokio::select! {
                    biased;
                    Some(step) = steps.next() => Turn::Committed(step?),
                    item = items.recv(), if more => Turn::Came(item),
                };
                Ok::<_, VfsError>(turn)
            };
            let turn = timeout(SILENCE, turn).await;
            match turn.map_err(|_| WalkError::Silent)?? {
                Turn::Committed(Dealt::Page(merged)) => self.committed(merged).await,
                Turn::Committed(Dealt::Digests(through, judged)) => self.judged(through, judged),
                Turn::Committed(Dealt::Staged(seen)) => self.brought.seen.extend(seen),
                Turn::Came(None) => return Err(WalkError::Replaced),
                Turn::Came(Some(WalkItem::Done(done))) => end = Some(done),
                Turn::Came(Some(item)) => {
                    steps.push_back(deal(self.cx, self.begins, self.shared, item));
                }
            }
        }
    }

    /// A page is in the store: its differences are looked into, and another page may come.
    async fn committed(&mut self, merged: Merged) {
        self.brought.found.add(self.cx, &merged);
        self.brought.seen.extend(merged.seen);
        self.brought.gone.extend(merged.gone);
        self.brought.again.extend(merged.again);
        self.brought.shared.placed.extend(merged.placed);
        self.brought.shared.strays.extend(merged.strays);
        let comparing = merged.compare.iter().map(|compare| compare.live.node);
        self.brought.comparing.extend(comparing);
        for compare in merged.compare {
            if self.compares.send(compare).await.is_err() {
                break; // comparing failed; the walk ends with its error
            }
        }
        self.grant(0, Vec::new());
    }

    /// Digests are judged: what differs is to be told, and more may come.
    fn judged(&mut self, through: u64, judged: Judged) {
        self.brought.found.judged(&judged);
        self.brought.agreed.extend(judged.agreed);
        self.grant(through, judged.list);
    }

    fn grant(&self, judged: u64, list: Vec<u64>) {
        let credit = WalkCredit::of_pages(self.cx.root, self.number, 1);
        self.cx.handle.notice(&WalkCredit {
            judged,
            list,
            ..credit
        });
    }
}

enum Turn {
    Committed(Dealt),
    Came(Option<WalkItem>),
}

fn deal(cx: &RootCx, begins: Begins, shared: bool, item: WalkItem) -> Step<'_> {
    let (files, root) = (&cx.deps.files, cx.root);
    Box::pin(async move {
        match item {
            WalkItem::Page(page) => {
                let shared = shared.then_some(begins.since);
                let merged = files.merge_page(cx.slave(), page, shared).await;
                merged.map(Dealt::Page)
            }
            WalkItem::Digests(digests) => {
                let through = digests.dirs.last().map_or(0, |dir| dir.number);
                let judged = files.judge_digests(root, begins.since, digests.dirs);
                Ok(Dealt::Digests(through, judged.await?))
            }
            WalkItem::Staged(staged) => {
                let seen = files.merge_staged(root, staged.files);
                seen.await.map(Dealt::Staged)
            }
            WalkItem::Done(_) => Ok(Dealt::Staged(Vec::new())),
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
