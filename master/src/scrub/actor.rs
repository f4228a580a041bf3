//! `Scrubber` owns the readings that run: one for each disk that has a pass under way.
//!
//! What is to be read, how far it is and whether an operator has paused it stands in the store; it asks the file list
//! and the slaves, nobody asks it. It is a plugin: without it the master is as good as before. A restart forgets what
//! runs, and begins it again where the store says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle,
    Supervised, WrapFuture,
};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Clock, Drain, EventBus, Place, supervise};
use drftpd_protocol::{RootId, SlaveId};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::client::{Now, ScrubClient, Shown};
use super::config::ScrubConfig;
use super::work::{Trouble, Worker};
use crate::slaves::{SlaveViews, SlavesClient, slave_of};
use crate::vfs::{VfsClient, VfsError};

/// Its name in logs.
pub const NAME: &str = "scrubber";
/// Words that may wait: they all say the same.
const MAILBOX: usize = 16;
/// How often it looks what is to be done, beside being told.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long a root is left alone after it could not be read.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);

/// What the scrubber is given.
#[derive(Clone)]
pub struct ScrubDeps {
    /// `[scrub]`.
    pub config: ScrubConfig,
    /// Whether files have a BLAKE3: those without get it.
    pub blake3: bool,
    /// The file list.
    pub vfs: VfsClient,
    /// Who reads.
    pub slaves: SlavesClient,
    /// Hears of damaged copies.
    pub bus: EventBus,
    /// The time of day.
    pub clock: Clock,
    /// Nothing more is read once it has begun.
    pub drain: Drain,
}

/// Starts it.
pub fn start(place: &Place, deps: ScrubDeps, parent: Recipient<ChildDown>) -> ScrubClient {
    let (shown, seen) = watch::channel(Shown::default());
    let worker = Worker {
        vfs: deps.vfs.clone(),
        slaves: deps.slaves.clone(),
        bus: deps.bus.clone(),
        max_rate: deps.config.max_rate.as_u64(),
        busy_rate: deps.config.busy_rate.as_u64(),
        blake3: deps.blake3,
        shown: Arc::new(shown),
    };
    let spec = ChildSpec::new(NAME, MAILBOX, Budget::PLUGIN, parent);
    let scrubber = supervise(place, spec, move || Scrubber {
        deps,
        worker,
        state: State::default(),
    });
    ScrubClient {
        scrubber,
        shown: seen,
    }
}

/// Has copies read.
pub(super) struct Scrubber {
    deps: ScrubDeps,
    worker: Worker,
    state: State,
}

/// A restart begins a new one.
#[derive(Default)]
struct State {
    running: BTreeMap<RootId, SpawnHandle>,
    /// Roots that could not be read, and when that was.
    troubled: BTreeMap<RootId, Instant>,
    /// What the log has of that: it is tried often.
    told: BTreeMap<RootId, String>,
    /// It is being looked what is to be done; and there was a reason since to do it again.
    looking: bool,
    again: bool,
}

impl Actor for Scrubber {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK_EVERY, |act, ctx| act.look(ctx));
        self.look(ctx);
    }
}

impl Supervised for Scrubber {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.state = State::default();
        self.worker.shown.send_replace(Shown::default());
    }
}

/// There may be something else to do than before.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Look;

impl Handler<Look> for Scrubber {
    type Result = ();

    fn handle(&mut self, _: Look, ctx: &mut Self::Context) {
        self.state.troubled.clear();
        self.look(ctx);
    }
}

impl Scrubber {
    fn look(&mut self, ctx: &mut Context<Self>) {
        drftpd_actors::panicpoint("actor.scrubber");
        if std::mem::replace(&mut self.state.looking, true) {
            self.state.again = true;
            return;
        }
        self.state.again = false;
        let deps = self.deps.clone();
        let wanted = async move { wanted(&deps).await };
        ctx.spawn(wanted.into_actor(self).map(|wanted, act, ctx| {
            act.state.looking = false;
            match wanted {
                Ok(roots) => act.looked(&roots, ctx),
                Err(why) => warn!(%why, "it is not known which copies are to be read again"),
            }
            if act.state.again {
                act.look(ctx);
            }
        }));
    }

    /// Reads these roots and no others.
    fn looked(&mut self, wanted: &BTreeSet<RootId>, ctx: &mut Context<Self>) {
        let over: Vec<_> = self.state.running.keys().copied().collect();
        for root in over.into_iter().filter(|root| !wanted.contains(root)) {
            self.stop(root, ctx);
        }
        self.forget_shown(wanted);
        let views = self.deps.slaves.views().borrow().clone();
        let running = self.state.running.keys();
        let mut used: BTreeSet<Disk> = running.filter_map(|root| disk(&views, *root)).collect();
        let rested = |since: &Instant| since.elapsed() >= AFTER_TROUBLE;
        self.state.troubled.retain(|_, since| !rested(since));
        for root in wanted {
            let State {
                running, troubled, ..
            } = &self.state;
            let left = running.contains_key(root) || troubled.contains_key(root);
            let disk = disk(&views, *root).filter(|_| !left);
            if disk.is_some_and(|disk| used.insert(disk)) {
                self.begin(*root, ctx);
            }
        }
    }

    fn begin(&mut self, root: RootId, ctx: &mut Context<Self>) {
        let worker = self.worker.clone();
        let work = async move { worker.work(root).await };
        let running = ctx.spawn(work.into_actor(self).map(move |worked, act, ctx| {
            act.state.running.remove(&root);
            act.worked(root, worked, ctx);
        }));
        self.state.running.insert(root, running);
    }

    fn worked(&mut self, root: RootId, worked: Result<(), Trouble>, ctx: &mut Context<Self>) {
        match worked {
            Ok(()) => {
                self.state.told.remove(&root);
                self.show(root, None);
            }
            Err(why) => {
                let why = why.to_string();
                self.state.troubled.insert(root, Instant::now());
                if self.state.told.insert(root, why.clone()).as_ref() != Some(&why) {
                    info!(%root, why, again_in = ?AFTER_TROUBLE, "copies are not read on");
                }
                self.show(root, Some(Now::Waits(why)));
            }
        }
        self.look(ctx); // another root of the same disk may wait
    }

    fn stop(&mut self, root: RootId, ctx: &mut Context<Self>) {
        if let Some(running) = self.state.running.remove(&root) {
            ctx.cancel_future(running);
            let worker = self.worker.clone();
            ctx.spawn(async move { worker.stop(root).await }.into_actor(self));
        }
    }

    fn show(&self, root: RootId, now: Option<Now>) {
        self.worker.shown.send_modify(|all| {
            let all = Arc::make_mut(all);
            match now {
                Some(now) => drop(all.insert(root, now)),
                None => drop(all.remove(&root)),
            }
        });
    }

    fn forget_shown(&self, wanted: &BTreeSet<RootId>) {
        let others = |root: &RootId| !wanted.contains(root);
        self.worker.shown.send_if_modified(|all| {
            let any = all.keys().any(others);
            if any {
                Arc::make_mut(all).retain(|root, _| wanted.contains(root));
            }
            any
        });
    }
}

/// A disk: of which slave, and which of its filesystems.
type Disk = (SlaveId, u64);

/// The disk of a root that can be read now.
fn disk(views: &SlaveViews, root: RootId) -> Option<Disk> {
    let view = slave_of(views, root)?;
    let status = view.roots.iter().find(|status| status.root == root)?;
    Some((view.slave.clone(), status.filesystem))
}

/// Roots with a pass under way; begins those that are due.
async fn wanted(deps: &ScrubDeps) -> Result<BTreeSet<RootId>, VfsError> {
    let (vfs, every) = (&deps.vfs, deps.config.every);
    if deps.config.automatic && vfs.passes_are_due(every, deps.clock.unix()).await? {
        let begun = vfs.begin_due_passes(every).await?;
        if begun > 0 {
            info!(roots = begun, "copies are read again");
        }
    }
    let (passes, paused) = vfs.passes().await?;
    let stopped = paused || deps.drain.is_draining();
    let running = passes.into_iter().filter(|pass| pass.runs && !stopped);
    Ok(running.map(|pass| pass.root).collect())
}
