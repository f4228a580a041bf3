//! One walk, from its first page to its end.

use std::time::Duration;

use drftpd_protocol::wire::{Envelope, Fault, FaultCode, WalkPage, WalkStarted};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use super::{BeginWalk, Granted, ScannerDeps, Source, WhichWalk};
use crate::link::send;
use crate::storage::WalkItem;

/// Pages that are read at a time at most: a disk with many small directories is not asked for each.
const PAGES_AT_ONCE: u64 = 32;

/// Where pages go, and how many may.
struct Way {
    out: mpsc::Sender<Envelope>,
    credit: watch::Receiver<Granted>,
    used: u64,
    /// How many of the directories that are to be told in detail the walk knows.
    listed: usize,
}

/// Walks a root and tells all of it. Dropped at any await, it leaves nothing behind.
pub(super) async fn walk(
    deps: ScannerDeps,
    begin: BeginWalk,
    credit: watch::Receiver<Granted>,
    watched: Option<oneshot::Receiver<()>>,
) {
    let BeginWalk {
        walk,
        out,
        begun,
        digests,
        parts,
        ..
    } = begin;
    if let Some(watched) = watched
        && watched.await.is_err()
    {
        return; // the link is lost
    }
    let which = WhichWalk {
        number: walk,
        running: (deps.running)().await,
        digests,
        parts,
    };
    let open = deps.open.clone();
    let opened = deps.blocking.run(move || open(which)).await;
    let failed = |why: &dyn std::fmt::Display| Fault::new(FaultCode::FAILED, why.to_string());
    let opened = opened.unwrap_or_else(|error| Err(failed(&error)));
    let (answer, source) = match opened {
        Ok(source) => {
            let shared = deps.watching.is_some();
            (Ok(WalkStarted { shared }), Some(source))
        }
        Err(fault) => (Err(fault), None),
    };
    let asked = begun.send(answer).is_ok();
    let Some(source) = source.filter(|_| asked) else {
        return;
    };
    let way = Way {
        out,
        credit,
        used: 0,
        listed: 0,
    };
    match tell_all(&deps, source, way).await {
        Some((dirs, files)) => info!(root = %deps.root, walk, dirs, files, "the walk is done"),
        None => info!(root = %deps.root, walk, "the walk ended early"),
    }
}

/// Tells everything and gives how much it was; `None` when the link was lost or disk work panicked.
async fn tell_all(deps: &ScannerDeps, mut source: Source, mut way: Way) -> Option<(u64, u64)> {
    let root = deps.root;
    loop {
        let most = way.allowed().await?.min(PAGES_AT_ONCE);
        way.judge(&mut source);
        let read = deps.blocking.run(move || {
            let items = read(&mut source, most);
            (source, items)
        });
        let read = read
            .await
            .inspect_err(|error| warn!(%root, %error, "a walk broke off"));
        let items;
        (source, items) = read.ok()?;
        let entries: usize = items.iter().map(weight).sum();
        for item in items {
            let told = match &item {
                WalkItem::Staged(staged) if staged.files.is_empty() => true,
                WalkItem::Staged(staged) => send(&way.out, staged).await,
                WalkItem::Page(page) => {
                    way.used += 1;
                    send(&way.out, page).await
                }
                WalkItem::Digests(digests) => {
                    way.used += 1;
                    send(&way.out, digests).await
                }
                WalkItem::Read(_) => true,
                WalkItem::Waiting => way.heard().await,
                WalkItem::Done(done) => {
                    let told = send(&way.out, done).await;
                    return told.then_some((done.dirs, done.files));
                }
            };
            told.then_some(())?;
        }
        tokio::time::sleep(pause(deps.rate, entries)).await;
    }
}

impl Way {
    /// How many pages may go out now; waits until it is at least one.
    async fn allowed(&mut self) -> Option<u64> {
        let used = self.used;
        let granted = self.credit.wait_for(|granted| granted.pages > used).await;
        granted.ok().map(|granted| granted.pages - used)
    }

    /// Hands on what the master has judged.
    fn judge(&mut self, source: &mut Source) {
        let granted = self.credit.borrow_and_update();
        source.judged(granted.judged, &granted.list[self.listed..]);
        self.listed = granted.list.len();
    }

    /// Waits until the master has said something more.
    async fn heard(&mut self) -> bool {
        self.credit.changed().await.is_ok()
    }
}

/// Up to `most` pages, but not many more entries than a full page has.
fn read(source: &mut Source, most: u64) -> Vec<WalkItem> {
    let (mut items, mut entries) = (Vec::new(), 0);
    while (items.len() as u64) < most && entries < WalkPage::MAX {
        let Some(item) = source.next() else {
            break;
        };
        entries += weight(&item);
        let waits = item == WalkItem::Waiting;
        items.push(item);
        if waits {
            break;
        }
    }
    items
}

/// How many entries of the disk an item cost.
fn weight(item: &WalkItem) -> usize {
    match item {
        WalkItem::Staged(staged) => staged.files.len(),
        WalkItem::Page(page) => page.entries.len().max(1),
        WalkItem::Read(entries) => *entries,
        // Its entries were counted when they were read.
        WalkItem::Digests(_) | WalkItem::Waiting | WalkItem::Done(_) => 0,
    }
}

/// How long to rest after so many entries.
fn pause(rate: u32, entries: usize) -> Duration {
    match rate {
        0 => Duration::ZERO,
        rate => Duration::from_secs_f64(entries as f64 / f64::from(rate)),
    }
}
