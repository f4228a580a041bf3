//! `Copier` owns the copies that are being made: which file is next, how many run, when what failed is tried again.
//!
//! It asks the file list, the coordinator and the slaves; nobody asks it, `CopiesClient` shows what runs. It is a plugin:
//! without it the master is as good as before. A restart forgets what runs; each copy ends by itself, and its file is
//! looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, StreamHandler,
    Supervised, WrapFuture,
};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Clock, Drain, EventBus, Place, supervise};
use drftpd_protocol::NodeId;
use futures_util::stream;
use tokio::sync::{Notify, watch};
use tracing::{debug, error, info, warn};

use super::client::{CopiesClient, Under, UnderWay};
use super::config::CopiesConfig;
use super::make::Maker;
use super::order::{CopyError, Kept, Order};
use super::pass::SESSION;
use super::round::{Round, put_off, round};
use super::sweep::Sweep;
use crate::events::CopyRepaired;
use crate::vfs::{CopyJob, VfsError};

/// Its name in logs.
pub const NAME: &str = "copier";
/// Words that may wait: reasons to look are one at most.
const MAILBOX: usize = 64;
/// When it looks again after the file list did not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// Clocks are set, and machines sleep: nothing is waited for in one piece longer than this.
const LOOK_AT_LEAST: Duration = Duration::from_secs(60);

/// What the copier is given.
#[derive(Clone)]
pub struct CopiesDeps {
    /// `[copies]`.
    pub config: Arc<CopiesConfig>,
    /// Makes a copy.
    pub maker: Maker,
    /// The time of day.
    pub clock: Clock,
    /// No new copies once it has begun.
    pub drain: Drain,
    /// Hears of copies that were repaired.
    pub bus: EventBus,
}

/// Starts it.
pub fn start(place: &Place, deps: CopiesDeps, parent: Recipient<ChildDown>) -> CopiesClient {
    let (shown, under_way) = watch::channel(UnderWay::default());
    let spec = ChildSpec::new(NAME, MAILBOX, Budget::PLUGIN, parent);
    let copier = supervise(place, spec, move || Copier {
        deps,
        shown: Arc::new(shown),
        state: State::default(),
    });
    CopiesClient { copier, under_way }
}

/// Has copies made.
pub(super) struct Copier {
    deps: CopiesDeps,
    shown: Arc<watch::Sender<UnderWay>>,
    state: State,
}

/// A restart begins a new one.
#[derive(Default)]
struct State {
    running: BTreeSet<NodeId>,
    /// What copies that broke off have left.
    kept: BTreeMap<NodeId, Kept>,
    /// The queue is being looked at; and there was a reason since to do it again.
    looking: bool,
    again: bool,
    /// The whole file list is being looked through.
    sweeping: bool,
    /// Tells a stale tick from the one that counts.
    tick: u64,
}

impl Actor for Copier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.add_stream(reasons(self.deps.maker.vfs.copies_asked()));
        ctx.run_interval(self.deps.config.look_every, |act, ctx| act.look_around(ctx));
        self.look_around(ctx);
        self.look(ctx);
    }
}

impl Supervised for Copier {
    fn restarting(&mut self, _: &mut Self::Context) {
        let tick = self.state.tick + 1;
        self.state = State {
            tick,
            ..State::default()
        };
        self.deps.maker.transfers.session_ended(SESSION);
        self.shown.send_replace(UnderWay::default());
    }
}

/// There is a reason to look at the queue.
struct Asked;

fn reasons(asked: Arc<Notify>) -> impl stream::Stream<Item = Asked> {
    stream::unfold(asked, async |asked| {
        asked.notified().await;
        Some((Asked, asked))
    })
}

impl StreamHandler<Asked> for Copier {
    fn handle(&mut self, _: Asked, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

/// Something is due.
#[derive(Message)]
#[rtype(result = "()")]
struct LookTick(u64);

impl Handler<LookTick> for Copier {
    type Result = ();

    fn handle(&mut self, tick: LookTick, ctx: &mut Self::Context) {
        if tick.0 == self.state.tick {
            self.look(ctx);
        }
    }
}

/// Looks through the whole file list.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LookAround;

impl Handler<LookAround> for Copier {
    type Result = ();

    fn handle(&mut self, _: LookAround, ctx: &mut Self::Context) {
        self.look_around(ctx);
    }
}

impl Copier {
    fn room(&self) -> usize {
        let most = self.deps.config.at_a_time;
        most.saturating_sub(self.state.running.len())
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        drftpd_actors::panicpoint("actor.copier");
        if std::mem::replace(&mut self.state.looking, true) {
            self.state.again = true;
            return;
        }
        self.state.again = false;
        if self.room() == 0 || self.deps.drain.is_draining() {
            self.state.looking = false; // the end of a copy is a reason to look again
            return;
        }
        let (deps, running) = (self.deps.clone(), self.state.running.clone());
        let (room, now) = (self.room(), self.deps.clock.unix());
        let round = async move { round(&deps, &running, room, now).await };
        ctx.spawn(round.into_actor(self).map(|round, act, ctx| {
            act.state.looking = false;
            act.looked(round, ctx);
        }));
    }

    fn looked(&mut self, round: Result<Round, VfsError>, ctx: &mut Context<Self>) {
        let round = match round {
            Ok(round) => round,
            Err(why) => {
                warn!(%why, "copies of files were not looked at, trying again");
                return self.look_after(AFTER_FAILURE, ctx);
            }
        };
        for job in &round.done {
            self.state.kept.remove(&job.node);
        }
        for (job, order) in round.begin {
            self.begin(job, order, ctx);
        }
        if self.state.again || (round.more && self.room() > 0) {
            return self.look(ctx);
        }
        let now = self.deps.clock.unix();
        let wait = round
            .next_due
            .map_or(i64::MAX, |due| due.saturating_sub(now));
        let wait = Duration::from_secs(u64::try_from(wait).unwrap_or(0).max(1));
        self.look_after(wait.min(LOOK_AT_LEAST), ctx);
    }

    fn look_after(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        self.state.tick += 1;
        ctx.notify_later(LookTick(self.state.tick), wait);
    }

    fn begin(&mut self, job: CopyJob, mut order: Order, ctx: &mut Context<Self>) {
        let node = job.node;
        self.state.running.insert(node);
        order.kept = self.state.kept.remove(&node);
        let (maker, shown) = (self.deps.maker.clone(), Arc::clone(&self.shown));
        let copy = async move {
            let shows = |under: Under| {
                shown.send_modify(|all| drop(Arc::make_mut(all).insert(node, under)));
            };
            let made = maker.make(&order, shows).await;
            tidy(&maker, &order, made.as_ref().err()).await;
            (order, made)
        };
        ctx.spawn(copy.into_actor(self).map(move |(order, made), act, ctx| {
            act.made(job, &order, made, ctx);
        }));
    }

    /// A copy is over. Its file is looked at again: there may be another one to make.
    fn made(
        &mut self,
        job: CopyJob,
        order: &Order,
        made: Result<(), CopyError>,
        ctx: &mut Context<Self>,
    ) {
        let node = job.node;
        self.state.running.remove(&node);
        let mut under = None;
        self.shown
            .send_modify(|all| under = Arc::make_mut(all).remove(&node));
        let path = &order.copied.path;
        let Err(why) = made else {
            if let Some(under) = under {
                self.has_another(order, under);
            }
            return self.look(ctx);
        };
        let later = put_off(&self.deps, &job, &why, self.deps.clock.unix());
        let again_in = self.deps.config.retry_after(later.tries);
        warn!(%path, %why, tries = later.tries, ?again_in, "a file was not copied");
        if let Some(kept) = why.kept() {
            self.state.kept.insert(node, kept);
        }
        let vfs = self.deps.maker.vfs.clone();
        let settled = async move { vfs.settle_copies(Vec::new(), vec![later]).await };
        ctx.spawn(settled.into_actor(self).map(|settled, act, ctx| {
            if let Err(why) = settled {
                warn!(%why, "a copy that failed was not put off");
                return act.look_after(AFTER_FAILURE, ctx);
            }
            act.look(ctx);
        }));
    }

    fn has_another(&self, order: &Order, under: Under) {
        let (path, bytes) = (&order.copied.path, order.copied.entry.size);
        let Under { from, to, root, .. } = under;
        if !order.copied.damaged.contains(&root) {
            info!(%path, %from, %to, bytes, "a file has another copy");
            return;
        }
        info!(%path, %from, %to, bytes, "a damaged copy was repaired");
        self.deps.bus.publish(CopyRepaired {
            slave: to,
            root,
            path: path.clone(),
        });
    }

    fn look_around(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.state.sweeping, true) {
            return;
        }
        let sweep = Sweep {
            vfs: self.deps.maker.vfs.clone(),
            slaves: self.deps.maker.slaves.clone(),
            rules: Arc::clone(&self.deps.config),
            clock: self.deps.clock.clone(),
        };
        ctx.spawn(sweep.run().into_actor(self).map(|swept, act, _| {
            act.state.sweeping = false;
            match swept {
                Ok(0) => debug!("the copies of all files are as they should be"),
                Ok(files) => info!(files, "files have copies too few or too many"),
                Err(why) => error!(%why, "the file list was not looked through for copies"),
            }
        }));
    }
}

/// Throws away what an earlier attempt has left on a root that is not of use any more.
async fn tidy(maker: &Maker, order: &Order, failed: Option<&CopyError>) {
    let Some(kept) = order.kept else {
        return;
    };
    let still = failed.and_then(CopyError::kept);
    if still.is_some_and(|still| still.root == kept.root && still.file == kept.file) {
        return;
    }
    if let Err(why) = maker.vfs.drop_staged(kept.file, kept.root).await {
        debug!(%why, "what a copy left in staging is thrown away by the next walk");
    }
}
