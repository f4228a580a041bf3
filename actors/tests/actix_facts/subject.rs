//! The actor that these tests look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::testkit::Probe;
use drftpd_actors::{Budget, ChildDown, ChildSpec, Place, supervise};
use tokio::time::sleep;

pub const SECOND: Duration = Duration::from_secs(1);

/// What an actor of these tests went through.
#[derive(Clone, Default)]
pub struct Seen {
    pub started: Count,
    pub restarted: Count,
    pub ticks: Count,
    pub handled: Count,
}

#[derive(Clone, Default)]
pub struct Count(Arc<AtomicU32>);

impl Count {
    pub fn add(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    pub fn get(&self) -> u32 {
        self.0.load(SeqCst)
    }
}

/// Does what the message says.
#[derive(Default)]
pub struct Subject {
    pub seen: Seen,
    pub ticks_every: Option<Duration>,
    pub ticker: Option<SpawnHandle>,
    pub stops_in_started: u32,
    pub kept: u32,
}

impl Actor for Subject {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.seen.started.add();
        if self.seen.started.get() <= self.stops_in_started {
            ctx.stop();
        }
        if let Some(every) = self.ticks_every {
            self.ticker = Some(ctx.run_interval(every, |act, _| act.seen.ticks.add()));
        }
    }
}

impl Supervised for Subject {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.seen.restarted.add();
    }
}

/// A message that carries what its handler does.
pub struct Do<R>(pub Work<R>);

pub type Work<R> = Box<dyn FnOnce(&mut Subject, &mut Context<Subject>) -> R + Send>;

impl<R: 'static> Message for Do<R> {
    type Result = R;
}

impl<R: Send + 'static> Handler<Do<R>> for Subject {
    type Result = MessageResult<Do<R>>;

    fn handle(&mut self, msg: Do<R>, ctx: &mut Self::Context) -> Self::Result {
        self.seen.handled.add();
        MessageResult((msg.0)(self, ctx))
    }
}

pub fn work<R>(
    work: impl FnOnce(&mut Subject, &mut Context<Subject>) -> R + Send + 'static,
) -> Do<R> {
    Do(Box::new(work))
}

pub fn panics() -> Do<()> {
    work(|_, _| panic!("on purpose"))
}

pub fn nothing() -> Do<()> {
    work(|_, _| ())
}

/// A subject under our supervision.
pub fn ours(subject: Subject) -> Addr<Subject> {
    let spec = ChildSpec::new(
        "subject",
        16,
        Budget::CORE,
        Probe::<ChildDown>::start().recipient(),
    );
    supervise(&Place::here(), spec, || subject)
}

/// Answered after a while by a future of the actor, which counts as handled when it is through.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Slow {
    pub seconds: u32,
}

impl Handler<Slow> for Subject {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, msg: Slow, _: &mut Self::Context) -> Self::Result {
        let handled = self.seen.handled.clone();
        Box::pin(async move {
            sleep(SECOND * msg.seconds).await;
            assert!(msg.seconds != 0, "on purpose");
            handled.add();
        })
    }
}

/// Like [`Slow`], answered by a future that belongs to the context.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SlowWithState(pub Slow);

impl Handler<SlowWithState> for Subject {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, msg: SlowWithState, ctx: &mut Self::Context) -> Self::Result {
        Box::pin(Handler::handle(self, msg.0, ctx).into_actor(self))
    }
}

/// Like [`Slow`], answered so that the actor does nothing else meanwhile.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SlowAlone(pub Slow);

impl Handler<SlowAlone> for Subject {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, msg: SlowAlone, ctx: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(Box::pin(Handler::handle(self, msg.0, ctx).into_actor(self)))
    }
}

/// Sent by the actor to itself so many times more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Again(pub u32);

impl Handler<Again> for Subject {
    type Result = ();

    fn handle(&mut self, msg: Again, ctx: &mut Self::Context) {
        self.seen.handled.add();
        if msg.0 > 0 {
            ctx.address().do_send(Again(msg.0 - 1));
        }
    }
}
