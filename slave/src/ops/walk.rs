//! Walking a root: what lies on the disk goes to the master in pages, on credit.
//!
//! `RootScanner` owns the walk of its root that is under way; there is at most one, and a new one
//! ends an older one. A restart or the loss of the link loses the walk: the master asks again. The
//! walk itself is a task that reads on the pool for blocking work, a little at a time, so that it
//! can be interrupted and others get their turn.
//!
//! A shared root is watched from the walk of all of it on, as long as the link is up; a restart loses the watch with the walk.
//!
//! Files in staging are told first, without credit; then pages and digests; the end is told when there is credit
//! for one more page, and the master has judged all digests. The first of them may come before the call's answer. A new walk, or credit for another one, never mixes with an older.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix::{Actor, ActorContext, Context, Handler, Message, Supervised};
use drftpd_actors::{Blocking, tell};
use drftpd_protocol::wire::{
    Envelope, Fault, FaultCode, WalkCredit, WalkPart, WalkRoot, WalkStarted,
};
use drftpd_protocol::{FileId, RootId};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, info};

use super::{OpCx, Operation};
use crate::storage::{Walk, WalkItem};

mod changes;
mod run;
mod watching;

pub use watching::{OpenWatch, Watching};

/// What a walk reads from; its steps run on the pool for blocking work. It ends with
/// [`WalkItem::Done`].
pub trait Walked: Iterator<Item = WalkItem> + Send {
    /// The master has judged the digests of directories up to a number; these are to be told in detail.
    fn judged(&mut self, through: u64, list: &[u64]);
}

impl Walked for Walk {
    fn judged(&mut self, through: u64, list: &[u64]) {
        Walk::judged(self, through, list);
    }
}

/// A walk that was begun.
pub type Source = Box<dyn Walked>;

/// Which walk is to begin.
pub struct WhichWalk {
    /// Its number.
    pub number: u64,
    /// Uploads whose staged files are none of its business.
    pub running: BTreeSet<FileId>,
    /// Whether it tells digests.
    pub digests: bool,
    /// What of the root is walked; empty for all of it.
    pub parts: Vec<WalkPart>,
}

/// Begins a walk.
pub type OpenSource = Arc<dyn Fn(WhichWalk) -> Result<Source, Fault> + Send + Sync>;
/// The files that are being received now.
pub type RunningFiles = Arc<dyn Fn() -> BoxFuture<'static, BTreeSet<FileId>> + Send + Sync>;

/// What a scanner was given.
#[derive(Clone)]
pub struct ScannerDeps {
    /// Its root.
    pub root: RootId,
    /// Begins a walk.
    pub open: OpenSource,
    /// Tells which staged files are none of the walk's business.
    pub running: RunningFiles,
    /// Entries per second at most; 0 without a limit.
    pub rate: u32,
    /// Where disk work runs.
    pub blocking: Blocking,
    /// How the root is watched, if other programs work on it too.
    pub watching: Option<Watching>,
}

/// Walks one root.
pub struct RootScanner {
    deps: ScannerDeps,
    state: Option<Walking>,
    /// Ends the watch that goes on over walks of parts.
    watch: Option<DropGuard>,
}

struct Walking {
    walk: u64,
    granted: watch::Sender<Granted>,
    _ends: DropGuard,
}

/// What the master has said of a walk so far.
#[derive(Debug, Default, Clone)]
struct Granted {
    /// Pages and digests that may go out, with those that have.
    pages: u64,
    /// Digests of directories up to this number are judged.
    judged: u64,
    /// All directories that are to be told in detail, in the order in which it said so.
    list: Vec<u64>,
}

impl RootScanner {
    /// A scanner that walks nothing yet.
    pub fn new(deps: ScannerDeps) -> Self {
        RootScanner {
            deps,
            state: None,
            watch: None,
        }
    }
}

impl Actor for RootScanner {
    type Context = Context<Self>;
}

impl Supervised for RootScanner {
    fn restarting(&mut self, _: &mut Self::Context) {
        (self.state, self.watch) = (None, None);
    }
}

/// Begins a walk and ends an older one.
#[derive(Message)]
#[rtype(result = "()")]
pub struct BeginWalk {
    /// Its number.
    pub walk: u64,
    /// Pages that may go out at first.
    pub credit: u32,
    /// Whether digests are told.
    pub digests: bool,
    /// What of the root is walked; empty for all of it.
    pub parts: Vec<WalkPart>,
    /// Where they go.
    pub out: mpsc::Sender<Envelope>,
    /// Ends with the link.
    pub ends: CancellationToken,
    /// Hears whether the root can be walked.
    pub begun: oneshot::Sender<Result<WalkStarted, Fault>>,
}

impl Handler<BeginWalk> for RootScanner {
    type Result = ();

    fn handle(&mut self, msg: BeginWalk, _: &mut Self::Context) {
        drftpd_actors::panicpoint("actor.root_scanner");
        if let Some(older) = self.state.take() {
            info!(root = %self.deps.root, older = older.walk, newer = msg.walk, "a newer walk ends an older one");
        }
        let (granted, credit) = watch::channel(Granted {
            pages: msg.credit.into(),
            ..Granted::default()
        });
        let (own, walk) = (msg.ends.child_token(), msg.walk);
        let watched = self.watch(&msg);
        let walking = run::walk(self.deps.clone(), msg, credit, watched);
        drop(actix::spawn(
            own.clone().run_until_cancelled_owned(walking).map(drop),
        ));
        self.state = Some(Walking {
            walk,
            granted,
            _ends: own.drop_guard(),
        });
    }
}

impl RootScanner {
    /// A walk of all of a shared root begins when the root is watched, anew.
    fn watch(&mut self, begin: &BeginWalk) -> Option<oneshot::Receiver<()>> {
        let how = self.deps.watching.clone();
        let how = how.filter(|_| begin.parts.is_empty())?;
        let (begun, watched) = oneshot::channel();
        let own = begin.ends.child_token();
        let watching = watching::watch(self.deps.clone(), how, begin.out.clone(), begun);
        drop(actix::spawn(
            own.clone().run_until_cancelled_owned(watching).map(drop),
        ));
        self.watch = Some(own.drop_guard());
        Some(watched)
    }
}

/// Lets more pages of a walk go out.
#[derive(Message)]
#[rtype(result = "()")]
pub struct MoreCredit(pub WalkCredit);

impl Handler<MoreCredit> for RootScanner {
    type Result = ();

    fn handle(&mut self, MoreCredit(credit): MoreCredit, _: &mut Self::Context) {
        match self
            .state
            .as_ref()
            .filter(|walking| walking.walk == credit.walk)
        {
            Some(walking) => walking.granted.send_modify(|granted| {
                granted.pages = granted.pages.saturating_add(credit.pages.into());
                granted.judged = granted.judged.max(credit.judged);
                granted.list.extend(credit.list);
            }),
            None => {
                debug!(root = %self.deps.root, walk = credit.walk, "credit for a walk that is over")
            }
        }
    }
}

/// Ends the scanner when the slave has drained.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopScanner;

impl Handler<StopScanner> for RootScanner {
    type Result = ();

    fn handle(&mut self, _: StopScanner, ctx: &mut Self::Context) {
        (self.state, self.watch) = (None, None);
        ctx.stop();
    }
}

impl Operation for WalkRoot {
    const NAME: &'static str = "walk root";
    const BEGINS_WORK: bool = true;

    async fn run(self, cx: OpCx) -> Result<WalkStarted, Fault> {
        let (begun, started) = oneshot::channel();
        let begin = BeginWalk {
            walk: self.walk,
            credit: self.credit,
            digests: self.digests,
            parts: self.parts,
            out: cx.out.clone(),
            ends: cx.ends.clone(),
            begun,
        };
        tell(&cx.root(self.root)?.scanner, begin);
        let lost = |_| Fault::new(FaultCode::FAILED, "the walk was ended by a newer one");
        started.await.map_err(lost)?
    }
}

#[cfg(test)]
mod tests;
