//! `SpaceMeter` keeps fresh what is known of every disk, and empties the roots' trash.
//!
//! Nobody asks it: statuses are a `watch` channel, read by the link's heartbeat. A restart loses
//! nothing. A disk that hangs cannot stop it: each root is asked by a piece of work of its own, at
//! most one at a time, on threads that do nothing else, and who does not answer in time is told as
//! absent.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Supervised,
    WrapFuture,
};
use drftpd_actors::Blocking;
use drftpd_protocol::RootId;
use drftpd_protocol::wire::RootStatus;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

mod gauge;
#[cfg(test)]
mod tests;

use gauge::Gauge;

/// How often disks are asked: fresh enough to place uploads by, and no burden.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// A disk that is silent for so long counts as absent.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often trash is emptied.
const EMPTY_EVERY: Duration = Duration::from_secs(3600);

/// Asks a root; runs on the pool for blocking work.
pub type AskRoot = Arc<dyn Fn(RootId) -> Option<RootStatus> + Send + Sync>;
/// Looks for roots that were not seen before; runs on the pool for blocking work.
pub type LookForNew = Arc<dyn Fn() -> Vec<RootStatus> + Send + Sync>;
/// Empties all trash; runs on the pool for blocking work. Gives the number of things thrown away.
pub type EmptyTrash = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What the meter was given.
#[derive(Clone)]
pub struct MeterDeps {
    /// Asks a root.
    pub ask: AskRoot,
    /// Looks for roots that were not seen before.
    pub look: LookForNew,
    /// Empties all trash.
    pub empty: EmptyTrash,
    /// Threads that do nothing else.
    pub blocking: Blocking,
    /// What is told; begins with what the roots said when they were opened.
    pub statuses: Arc<watch::Sender<Vec<RootStatus>>>,
}

/// Keeps statuses fresh.
pub struct SpaceMeter {
    deps: MeterDeps,
    state: State,
}

struct State {
    gauge: Gauge,
    looking: bool,
    emptying: bool,
}

impl State {
    fn new(deps: &MeterDeps) -> Self {
        State {
            gauge: Gauge::new(PATIENCE, deps.statuses.borrow().clone()),
            looking: false,
            emptying: false,
        }
    }
}

impl SpaceMeter {
    /// A meter that begins with the statuses of its channel.
    pub fn new(deps: MeterDeps) -> Self {
        let state = State::new(&deps);
        SpaceMeter { deps, state }
    }
}

impl Actor for SpaceMeter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.ask(ctx);
        self.empty(ctx);
        ctx.run_interval(ASK_EVERY, |act, ctx| act.ask(ctx));
        ctx.run_interval(EMPTY_EVERY, |act, ctx| act.empty(ctx));
    }
}

impl Supervised for SpaceMeter {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.state = State::new(&self.deps);
    }
}

/// Ends the meter when the slave has drained.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopMeter;

impl Handler<StopMeter> for SpaceMeter {
    type Result = ();

    fn handle(&mut self, _: StopMeter, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl SpaceMeter {
    /// Asks every disk that owes no answer, and tells what is known now.
    fn ask(&mut self, ctx: &mut Context<Self>) {
        drftpd_actors::panicpoint("actor.space_meter");
        for root in self.state.gauge.ask(Instant::now()) {
            let (ask, blocking) = (Arc::clone(&self.deps.ask), self.deps.blocking.clone());
            let asked = async move { blocking.run(move || ask(root)).await };
            let then = asked.into_actor(self).map(move |status, act, _| {
                let status = status.unwrap_or_else(|error| {
                    warn!(%root, %error, "a root could not be asked");
                    None
                });
                act.state.gauge.answered(root, status);
                act.tell();
            });
            ctx.spawn(then);
        }
        for root in self.state.gauge.hanging(Instant::now()) {
            warn!(%root, "a disk does not answer and counts as absent");
        }
        self.look(ctx);
        self.tell();
    }

    /// Looks for disks that were mounted since; one that hangs is waited for and not asked again.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.state.looking, true) {
            return;
        }
        let (look, blocking) = (Arc::clone(&self.deps.look), self.deps.blocking.clone());
        let looked = async move { blocking.run(move || look()).await };
        ctx.spawn(looked.into_actor(self).map(|found, act, _| {
            act.state.looking = false;
            match found {
                Ok(found) => found.into_iter().for_each(|root| act.state.gauge.add(root)),
                Err(error) => warn!(%error, "new roots could not be looked for"),
            }
            act.tell();
        }));
    }

    fn tell(&self) {
        let now = self.state.gauge.statuses(Instant::now());
        let changed = self.deps.statuses.send_if_modified(|told| {
            let changed = *told != now;
            *told = now;
            changed
        });
        debug!(changed, "disks were asked");
    }

    fn empty(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.state.emptying, true) {
            return;
        }
        let (empty, blocking) = (Arc::clone(&self.deps.empty), self.deps.blocking.clone());
        let emptied = async move { blocking.run(move || empty()).await };
        ctx.spawn(emptied.into_actor(self).map(|thrown, act, _| {
            act.state.emptying = false;
            match thrown {
                Ok(0) => {}
                Ok(things) => info!(things, "trash was emptied"),
                Err(error) => warn!(%error, "trash could not be emptied"),
            }
        }));
    }
}
