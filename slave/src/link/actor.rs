//! `MasterLink` owns the link to the master: it dials for ever, greets, takes frames, begins
//! operations, and says that the slave is alive.
//!
//! Nobody asks it but `SlaveRoot` at the end; what it tells of itself is a `watch` channel. A
//! restart loses the link and nothing else: transfers, workers of roots and what is known of the
//! disks live outside, and the next link begins with them. When a master sends more calls than
//! agreed they are refused as busy; when it does not read, it is given up.
//!
//! Whatever belongs to one link (reader, writer, pumps, calls) runs under one token that ends
//! with it. Late ticks and messages carry the number of their link and are passed over.

use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, StreamHandler,
    Supervised, WrapFuture,
};
use drftpd_actors::{failpoint, tell};
use drftpd_protocol::wire::{Envelope, Fault, FrameError, kinds};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::book::{Book, Verdict};
use super::deps::LinkDeps;
use super::dial::{DialError, Greeted};
use super::messages::{CloseLink, LinkView};
use super::tasks;
use super::up::Up;
use super::writer;

/// Bounds for the heartbeat that a master may ask for: no flood, and no link that is never missed.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(600);

/// The link to the master.
pub struct MasterLink {
    deps: LinkDeps,
    state: State,
}

struct State {
    backoff: drftpd_actors::Backoff,
    /// The last pause before the master was dialled.
    paused: Duration,
    up: Option<Up>,
    closing: bool,
}

impl State {
    fn new(deps: &LinkDeps) -> Self {
        State {
            backoff: deps.backoff(),
            paused: Duration::ZERO,
            up: None,
            closing: false,
        }
    }
}

impl MasterLink {
    /// A link that dials when it is started.
    pub fn new(deps: LinkDeps) -> Self {
        let state = State::new(&deps);
        MasterLink { deps, state }
    }
}

impl Actor for MasterLink {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.dial(ctx);
    }
}

impl Supervised for MasterLink {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.state = State::new(&self.deps);
        self.deps.show(LinkView::Down {
            why: "the link's actor began anew".to_owned(),
        });
    }
}

impl Handler<CloseLink> for MasterLink {
    type Result = ();

    fn handle(&mut self, _: CloseLink, ctx: &mut Self::Context) {
        self.state.closing = true;
        self.deps.show(LinkView::Down {
            why: "this slave goes away".to_owned(),
        });
        match self.state.up.take() {
            // What was said already goes out; the writer's end is this actor's.
            Some(up) => info!(link = up.number, "the link is closed"),
            None => ctx.stop(),
        }
    }
}

/// Something came from the master, or its connection ended.
#[derive(Debug)]
struct Arrived {
    link: u64,
    what: Option<Result<Envelope, FrameError>>,
}

impl StreamHandler<Arrived> for MasterLink {
    fn handle(&mut self, arrived: Arrived, ctx: &mut Self::Context) {
        drftpd_actors::panicpoint("actor.master_link");
        if !self.is_up(arrived.link) {
            return;
        }
        match arrived.what {
            Some(Ok(frame)) => self.take(frame, ctx),
            Some(Err(error)) => self.lost(&error.to_string(), ctx),
            None => self.lost("the master hung up", ctx),
        }
    }

    /// The end of one connection is not the end of this actor.
    fn finished(&mut self, _: &mut Self::Context) {}
}

/// A call's answer is about to go out: its number is free.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct CallDone {
    pub link: u64,
    pub call: u32,
}

impl Handler<CallDone> for MasterLink {
    type Result = ();

    fn handle(&mut self, done: CallDone, _: &mut Self::Context) {
        if let Some(up) = self.state.up.as_mut().filter(|up| up.number == done.link) {
            up.book.done(done.call);
        }
    }
}

/// Makes the actor panic, for the test that it comes back.
#[cfg(test)]
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Explode;

#[cfg(test)]
impl Handler<Explode> for MasterLink {
    type Result = ();

    fn handle(&mut self, _: Explode, _: &mut Self::Context) {
        panic!("on purpose");
    }
}

impl MasterLink {
    fn is_up(&self, link: u64) -> bool {
        self.state.up.as_ref().is_some_and(|up| up.number == link)
    }

    fn dial_after(&mut self, pause: Duration, ctx: &mut Context<Self>) {
        self.state.paused = pause;
        ctx.run_later(pause, |act, ctx| act.dial(ctx));
    }

    /// Dials once; what came of it comes back to this actor.
    fn dial(&mut self, ctx: &mut Context<Self>) {
        let deps = self.deps.clone();
        let dialled = async move { tasks::dial(&deps).await };
        let then = dialled
            .into_actor(self)
            .map(|dialled, act, ctx| match dialled {
                Ok(greeted) => act.welcomed(greeted, ctx),
                Err(error) => act.not_welcomed(&error, ctx),
            });
        ctx.spawn(then);
    }

    fn not_welcomed(&mut self, error: &DialError, ctx: &mut Context<Self>) {
        let mut pause = self.state.backoff.next_wait();
        if error.is_final() {
            pause = pause.max(self.deps.backoff_max);
        }
        match error.is_final() {
            true => error!(%error, ?pause, "no link to the master"),
            false => warn!(%error, ?pause, "no link to the master"),
        }
        self.deps.show(LinkView::Down {
            why: error.to_string(),
        });
        self.dial_after(pause, ctx);
    }

    fn welcomed(&mut self, greeted: Greeted, ctx: &mut Context<Self>) {
        let Greeted {
            frames,
            welcome,
            peer,
            local,
        } = greeted;
        let number = self.deps.next_link();
        info!(link = number, epoch = %welcome.epoch, build = welcome.build, %peer, "the master welcomes this slave");
        let heartbeat = Duration::from_millis(welcome.heartbeat_ms).clamp(SHORTEST, LONGEST);
        let book = Book::new(
            welcome.epoch,
            heartbeat,
            self.deps.max_calls,
            Instant::now(),
        );
        let (to, from) = frames.split();
        let (out, queue) = mpsc::channel(writer::QUEUE);
        let up = Up::new(number, book, out.clone());
        self.run_writer(number, writer::write(to, queue, up.book.patience()), ctx);
        let arrived = from.map(Some).chain(stream::iter([None]));
        let arrived = arrived.map(move |what| Arrived { link: number, what });
        ctx.add_stream(arrived.take_until(up.token().cancelled_owned()));
        self.pump(&up, tasks::retell(self.deps.clone(), out.clone()), ctx);
        self.pump(&up, tasks::tell_notices(self.deps.clone(), out), ctx);
        self.deps.show(LinkView::Up {
            epoch: welcome.epoch,
            peer,
            local,
        });
        self.state.up = Some(up);
        self.beat(number, ctx);
    }

    /// The writer ends when the connection fails or when nobody is left to send: it is not under the
    /// link's token, so that what was said before the end still goes out.
    fn run_writer(
        &self,
        link: u64,
        writer: impl Future<Output = writer::WriteEnd> + 'static,
        ctx: &mut Context<Self>,
    ) {
        let then = writer.into_actor(self).map(move |ended, act, ctx| {
            if act.state.closing {
                ctx.stop();
            } else if act.is_up(link) {
                act.lost(&ended.to_string(), ctx);
            }
        });
        ctx.spawn(then);
    }

    /// Runs something that tells the master, as long as this link is up.
    fn pump(&self, up: &Up, pump: impl Future<Output = ()> + 'static, ctx: &mut Context<Self>) {
        let pump = up.token().run_until_cancelled_owned(pump);
        ctx.spawn(pump.into_actor(self).map(|_, _, _| ()));
    }

    /// Says that the slave is alive, looks whether the master is, and comes again.
    fn beat(&mut self, link: u64, ctx: &mut Context<Self>) {
        let Some(up) = self.state.up.as_mut().filter(|up| up.number == link) else {
            return;
        };
        let now = Instant::now();
        if up.book.is_dead(now) {
            return self.lost("nothing was heard of the master for three heartbeats", ctx);
        }
        if !up.try_send(0, kinds::ALIVE, &self.deps.alive()) {
            debug!(link, "the link is busy, no heartbeat this time");
        }
        ctx.run_later(up.book.beat(), move |act, ctx| act.beat(link, ctx));
    }

    fn take(&mut self, frame: Envelope, ctx: &mut Context<Self>) {
        if let Err(error) = failpoint("slave.link.frame") {
            return self.lost(&error.to_string(), ctx);
        }
        let Some(up) = self.state.up.as_mut() else {
            return;
        };
        match up.book.judge(&frame, Instant::now()) {
            Verdict::Begin(op) => {
                let cx = self.deps.op_context(up, frame.call);
                match self.deps.admits(op).and_then(|()| (op.begin)(cx, &frame)) {
                    Ok(begun) => {
                        let (address, link, call) = (ctx.address(), up.number, frame.call);
                        let done = move || tell(&address, CallDone { link, call });
                        up.begin(frame.call, op, begun, done);
                    }
                    Err(fault) => {
                        up.book.done(frame.call);
                        self.refuse(&frame, &fault, ctx);
                    }
                }
            }
            Verdict::Refuse(fault) => self.refuse(&frame, &fault, ctx),
            Verdict::EndedSeen(seen) => self.deps.ended_seen(seen),
            Verdict::WalkCredit(credit) => self.deps.walk_credit(credit),
            Verdict::Ignore(why) => debug!(kind = frame.kind, why, "a frame is passed over"),
            Verdict::Part(why) => self.lost(why, ctx),
        }
    }

    fn refuse(&mut self, frame: &Envelope, fault: &Fault, ctx: &mut Context<Self>) {
        let Envelope { call, kind, .. } = *frame;
        debug!(call, kind, %fault, "a call is refused");
        let sent = self
            .state
            .up
            .as_ref()
            .map(|up| up.try_send(call, kinds::FAULT, fault));
        if sent == Some(false) {
            self.lost("the master calls but does not read", ctx);
        }
    }

    /// The link is gone: everything that belonged to it ends here, and the master is dialled again.
    fn lost(&mut self, why: &str, ctx: &mut Context<Self>) {
        let Some(up) = self.state.up.take() else {
            return;
        };
        if up.outlasted(self.state.paused, Instant::now()) {
            self.state.backoff.reset();
        }
        let pause = self.state.backoff.next_wait();
        warn!(
            link = up.number,
            why,
            ?pause,
            calls = up.book.outstanding(),
            "the link is lost"
        );
        self.deps.show(LinkView::Down {
            why: why.to_owned(),
        });
        drop(up);
        if !self.state.closing {
            self.dial_after(pause, ctx);
        }
    }
}
