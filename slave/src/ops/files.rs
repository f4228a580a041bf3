//! A root's log of operations is carried out here: one worker per root, one batch at a time, in
//! the order in which the master sent them, on the pool for blocking work.
//!
//! `RootWorker` owns the position of its root's log on the present link. A restart loses that
//! position and the batches that waited: they are answered with a fault and the master sends them
//! again, which does no harm. A worker outlives the link; what still waits for a link that was
//! lost is dropped, what has begun is done to its end.
//!
//! **Failure.** A batch stops at the first operation that the disk refuses. If it is the batch's
//! first, the call fails with its fault; if not, the answer's `through` is the last good one and
//! the failure is among the remarks. Until the failed operation is sent again nothing behind it is
//! accepted (`BUSY`), so a master may have several batches under way: it sends everything past
//! `through` again after a pause.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Supervised,
    WrapFuture,
};
use drftpd_actors::{Blocking, tell};
use drftpd_protocol::wire::{ApplyOps, Fault, FaultCode, OpsApplied};
use drftpd_protocol::{OpSeq, RootId};
use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::applied::Applied;
use super::log::{Batch, LogPosition, Worked};
use super::{OpCx, Operation};

/// Does a batch on the disk up to its first failure, and makes it durable.
pub type ApplyBatch = Arc<dyn Fn(&Batch) -> Worked + Send + Sync>;

/// What a worker was given.
#[derive(Clone)]
pub struct WorkerDeps {
    /// Its root.
    pub root: RootId,
    /// Does a batch.
    pub apply: ApplyBatch,
    /// Hears how far the log is done.
    pub applied: Applied,
    /// Where disk work runs.
    pub blocking: Blocking,
}

/// Carries out one root's operations, in order.
pub struct RootWorker {
    deps: WorkerDeps,
    state: State,
}

#[derive(Default)]
struct State {
    position: LogPosition,
    waiting: VecDeque<Apply>,
    busy: bool,
}

impl RootWorker {
    /// A worker that has done nothing yet.
    pub fn new(deps: WorkerDeps) -> Self {
        let state = State::default();
        RootWorker { deps, state }
    }
}

impl Actor for RootWorker {
    type Context = Context<Self>;
}

impl Supervised for RootWorker {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.state = State::default();
    }
}

/// Asks for a batch to be done. At most as many wait as a link may have calls under way.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Apply {
    /// Number of the link that it came over.
    pub link: u64,
    /// The operations.
    pub batch: Batch,
    /// Hears how it went; closed when the link is lost.
    pub answer: oneshot::Sender<Result<OpsApplied, Fault>>,
}

impl Handler<Apply> for RootWorker {
    type Result = ();

    fn handle(&mut self, msg: Apply, ctx: &mut Self::Context) {
        drftpd_actors::panicpoint("actor.root_worker");
        self.state.waiting.push_back(msg);
        self.go_on(ctx);
    }
}

/// Ends the worker when the slave has drained.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopWorker;

impl Handler<StopWorker> for RootWorker {
    type Result = ();

    fn handle(&mut self, _: StopWorker, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl RootWorker {
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        while !self.state.busy
            && let Some(next) = self.state.waiting.pop_front()
        {
            if next.answer.is_closed() {
                debug!(root = %self.deps.root, "a batch whose link was lost is dropped");
                continue;
            }
            match self.state.position.admit(next.link, next.batch) {
                Ok(batch) => self.begin(batch, next.answer, ctx),
                Err(fault) => answer(next.answer, Err(fault)),
            }
        }
    }

    fn begin(
        &mut self,
        batch: Batch,
        to: oneshot::Sender<Result<OpsApplied, Fault>>,
        ctx: &mut Context<Self>,
    ) {
        self.state.busy = true;
        let deps = self.deps.clone();
        let first = batch.first().map_or(OpSeq::NONE, |(seq, _)| *seq);
        let work = async move { deps.blocking.run(move || (deps.apply)(&batch)).await };
        let done = work.into_actor(self).map(move |worked, act, ctx| {
            act.state.busy = false;
            let worked = worked.unwrap_or_else(|error| Worked::nothing(first, &error));
            if let Some(through) = worked.through {
                act.deps.applied.set(act.deps.root, through);
            }
            let told = act.state.position.note(worked);
            act.say(&told);
            answer(to, told);
            act.go_on(ctx);
        });
        ctx.spawn(done);
    }

    fn say(&self, told: &Result<OpsApplied, Fault>) {
        let root = self.deps.root;
        match told {
            Ok(done) => done.remarks.iter().for_each(|(seq, remark)| {
                warn!(%root, %seq, remark, "an operation found something else");
            }),
            Err(fault) => warn!(%root, %fault, "operations were not done"),
        }
    }
}

fn answer(to: oneshot::Sender<Result<OpsApplied, Fault>>, what: Result<OpsApplied, Fault>) {
    if to.send(what).is_err() {
        debug!("the link that asked for operations was lost");
    }
}

impl Operation for ApplyOps {
    const NAME: &'static str = "apply operations";

    /// The batch is in its worker's queue when this returns, so that batches of one root keep
    /// their order although every call is a task of its own.
    fn run(self, cx: OpCx) -> impl Future<Output = Result<OpsApplied, Fault>> + 'static {
        let (answer, done) = oneshot::channel();
        let queued = cx.root(self.root).map(|root| {
            let (link, batch) = (cx.link, self.ops);
            tell(
                &root.worker,
                Apply {
                    link,
                    batch,
                    answer,
                },
            );
        });
        async move {
            queued?;
            let lost = |_| Fault::new(FaultCode::FAILED, "the root's worker began anew");
            done.await.map_err(lost)?
        }
    }
}

#[cfg(test)]
mod tests;
