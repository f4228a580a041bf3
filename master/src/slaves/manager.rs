//! `SlaveManager`: one link to one slave. It owns the calls under way and the work that goes on
//! for the slave's roots.
//!
//! Asked by whoever has a call for the slave; tells the registry what the slave told. Its life
//! is the link: a panic or a lost link ends it, calls answer `Offline`, transfers go on (the
//! registry keeps who waits for them). When its queue to the slave is full the link is cut: a
//! slave that does not read is of no use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::{BoxIo, ask, tell};
use drftpd_protocol::wire::{
    Alive, Call, Envelope, Fault, FaultCode, FrameCodec, FrameError, Notice, Ping, Revision,
    TransferEnded, TransferProgress, WalkDone, WalkPage, WalkStaged, encode, kinds,
};
use drftpd_protocol::{Epoch, RootId, SlaveId};
use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::codec::Framed;
use tracing::{debug, info, warn};

use super::calls::{CallLost, CallResult, Calls, Settled};
use super::link::LinkHandle;
use super::messages::*;
use super::registry::SlaveRegistry;
use super::remerge::WalkItem;
use super::roots::{RootCx, RootDeps, RootWork};
use super::roster::LinkId;
use super::writer;

/// Frames that may wait to be written; calls have a limit of their own, notices are few.
const TO_WRITE: usize = 1024;
/// A slave's news of itself are passed on at most so often.
const NEWS_GAP: Duration = Duration::from_millis(20);
/// Ends of transfers that may wait for the registry; more at once is no honest slave.
const MOST_ENDS: usize = 4096;
/// How long an end may wait for the registry.
const END_WAITS: Duration = Duration::from_secs(30);

/// Everything a manager was given.
pub(super) struct Deps {
    /// The slave.
    pub slave: SlaveId,
    /// What both ends speak.
    pub revision: Revision,
    /// The link's number.
    pub link: LinkId,
    /// Every frame carries it.
    pub epoch: Epoch,
    /// Its parent.
    pub registry: Addr<SlaveRegistry>,
    /// Closed when the registry began anew and knows its links no more.
    pub registry_lives: watch::Receiver<()>,
    /// What work on roots needs.
    pub roots: Arc<RootDeps>,
}

impl Deps {
    /// How others reach the slave through this manager.
    pub fn handle(&self, manager: Addr<SlaveManager>) -> LinkHandle {
        LinkHandle {
            slave: self.slave.clone(),
            revision: self.revision,
            manager,
        }
    }
}

struct Walk {
    number: u64,
    to: mpsc::Sender<WalkItem>,
}

/// One link to one slave.
pub(super) struct SlaveManager {
    deps: Deps,
    io: Option<Framed<BoxIo, FrameCodec>>,
    out: Option<mpsc::Sender<Envelope>>,
    calls: Calls,
    heard: Instant,
    pinged: Instant,
    news: Option<Instant>,
    moves: Option<Instant>,
    ends: usize,
    roots: BTreeMap<RootId, RootWork>,
    walks: BTreeMap<RootId, Walk>,
    why: &'static str,
}

impl SlaveManager {
    /// A manager over a link that has said hello.
    pub fn new(deps: Deps, io: Framed<BoxIo, FrameCodec>) -> Self {
        let now = Instant::now();
        Self {
            calls: Calls::with_limit(deps.roots.config.max_calls),
            deps,
            io: Some(io),
            out: None,
            heard: now,
            pinged: now,
            news: None,
            moves: None,
            ends: 0,
            roots: BTreeMap::new(),
            walks: BTreeMap::new(),
            why: "it closed the connection",
        }
    }
}

impl Actor for SlaveManager {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(io) = self.io.take() else {
            return ctx.stop();
        };
        let dead_after = self.deps.roots.config.dead_after();
        let (sink, stream) = io.split();
        let (out, frames) = mpsc::channel(TO_WRITE);
        self.out = Some(out);
        ctx.spawn(
            writer::write(frames, sink, self.deps.epoch, dead_after)
                .into_actor(self)
                .map(|why, act, ctx| act.cut(why, ctx)),
        );
        ctx.add_stream(stream);
        let beat = (self.deps.roots.config.heartbeat / 10)
            .clamp(Duration::from_millis(20), Duration::from_millis(500));
        ctx.run_interval(beat, |act, ctx| act.tick(ctx));
        let mut registry = self.deps.registry_lives.clone();
        let gone = async move { while registry.changed().await.is_ok() {} };
        ctx.spawn(
            gone.into_actor(self)
                .map(|(), act, ctx| act.cut("the registry began anew", ctx)),
        );
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        warn!(slave = %self.deps.slave, link = self.deps.link.0, why = self.why,
            calls = self.calls.len(), "a slave's link is down");
    }
}

impl Supervised for SlaveManager {} // temporary: its life is the link

impl StreamHandler<Result<Envelope, FrameError>> for SlaveManager {
    fn handle(&mut self, frame: Result<Envelope, FrameError>, ctx: &mut Self::Context) {
        match frame {
            Ok(frame) => self.arrived(&frame, ctx),
            Err(why) => {
                let cause = std::error::Error::source(&why).map(ToString::to_string);
                debug!(slave = %self.deps.slave, %why, cause, "reading a slave's link failed");
                self.cut("reading from it failed", ctx);
            }
        }
    }
}

impl Handler<PlaceCall> for SlaveManager {
    type Result = MessageResult<PlaceCall>;

    fn handle(&mut self, msg: PlaceCall, ctx: &mut Self::Context) -> Self::Result {
        let opened = self.calls.open(msg.kind, msg.limit, Instant::now());
        MessageResult(opened.map(|(call, answer)| {
            self.send(call, msg.kind, msg.body, ctx);
            answer
        }))
    }
}

impl Handler<SendNotice> for SlaveManager {
    type Result = ();

    fn handle(&mut self, msg: SendNotice, ctx: &mut Self::Context) {
        self.send(0, msg.kind, msg.body, ctx);
    }
}

impl Handler<RootsGranted> for SlaveManager {
    type Result = ();

    /// Work begins for new roots, and ends for those that are gone.
    fn handle(&mut self, msg: RootsGranted, ctx: &mut Self::Context) {
        self.roots.retain(|root, _| msg.roots.contains(root));
        self.walks.retain(|root, _| msg.roots.contains(root));
        for root in msg.roots {
            let deps = &self.deps;
            self.roots.entry(root).or_insert_with(|| {
                RootWork::begin(RootCx {
                    root,
                    link: deps.link,
                    handle: deps.handle(ctx.address()),
                    registry: deps.registry.clone(),
                    deps: Arc::clone(&deps.roots),
                })
            });
        }
    }
}

impl Handler<WalkAgain> for SlaveManager {
    type Result = ();

    fn handle(&mut self, msg: WalkAgain, _: &mut Self::Context) {
        let wanted = |root: &RootId| msg.root.is_none_or(|only| only == *root);
        let works = self.roots.iter().filter(|(root, _)| wanted(root));
        works.for_each(|(_, work)| work.walk_again());
    }
}

impl Handler<FollowWalk> for SlaveManager {
    type Result = ();

    fn handle(&mut self, msg: FollowWalk, _: &mut Self::Context) {
        let walk = Walk {
            number: msg.walk,
            to: msg.to,
        };
        self.walks.insert(msg.root, walk);
    }
}

impl Handler<Cut> for SlaveManager {
    type Result = ();

    fn handle(&mut self, msg: Cut, ctx: &mut Self::Context) {
        self.cut(msg.why, ctx);
    }
}

#[cfg(test)]
impl Handler<PanicOnPurpose> for SlaveManager {
    type Result = ();

    fn handle(&mut self, _: PanicOnPurpose, _: &mut Self::Context) {
        panic!("on purpose");
    }
}

impl SlaveManager {
    fn cut(&mut self, why: &'static str, ctx: &mut Context<Self>) {
        self.why = why;
        ctx.stop();
    }

    fn send(&mut self, call: u32, kind: u16, body: Vec<u8>, ctx: &mut Context<Self>) {
        let frame = Envelope {
            call,
            kind,
            epoch: self.deps.epoch,
            body,
        };
        let sent = self
            .out
            .as_ref()
            .is_some_and(|out| out.try_send(frame).is_ok());
        if !sent {
            self.cut("it does not read what it is told", ctx);
        }
    }

    /// A slave is dead only when nothing was heard of it for three heartbeats; a call that is not
    /// answered in time is lost alone.
    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let config = &self.deps.roots.config;
        let (heartbeat, dead_after) = (config.heartbeat, config.dead_after());
        if now.duration_since(self.heard) >= dead_after {
            return self.cut("nothing was heard of it for three heartbeats", ctx);
        }
        for (call, kind) in self.calls.expire(now) {
            let slave = &self.deps.slave;
            warn!(%slave, call, kind = format_args!("{kind:#06x}"), "a slave did not answer a call in time");
        }
        if now.duration_since(self.pinged) >= heartbeat {
            self.pinged = now;
            self.ping(dead_after, now, ctx);
        }
    }

    /// So that the slave hears that its master lives; its answer is not waited for.
    fn ping(&mut self, limit: Duration, now: Instant, ctx: &mut Context<Self>) {
        if let Ok(body) = encode(&Ping {})
            && let Some((call, _answer)) = self.calls.open(Ping::KIND, limit, now)
        {
            self.send(call, Ping::KIND, body, ctx);
        }
    }

    fn arrived(&mut self, frame: &Envelope, ctx: &mut Context<Self>) {
        self.heard = Instant::now();
        match frame.kind {
            kinds::ANSWER => self.settle(frame.call, Ok(frame.body.clone())),
            kinds::FAULT => {
                let fault = frame.open().unwrap_or_else(|why| {
                    Fault::new(FaultCode::FAILED, format!("a fault that is none: {why}"))
                });
                self.settle(frame.call, Err(CallLost::Fault(fault)));
            }
            kinds::PROGRESS => {
                self.calls.progress(frame.call, self.heard);
            }
            _ => self.noticed(frame, ctx),
        }
    }

    fn settle(&mut self, call: u32, result: CallResult) {
        if self.calls.settle(call, result) == Settled::Unknown {
            debug!(slave = %self.deps.slave, call, "an answer came too late");
        }
    }

    fn noticed(&mut self, frame: &Envelope, ctx: &mut Context<Self>) {
        match frame.kind {
            kinds::ALIVE => self.open(frame).map(|alive| self.news(alive)),
            kinds::TRANSFER_PROGRESS => self.open(frame).map(|moved| self.moved(moved)),
            kinds::TRANSFER_ENDED => self.open(frame).map(|ended| self.ended(ended, ctx)),
            kinds::WALK_PAGE => self.open(frame).map(|page: WalkPage| {
                self.walked(page.root, page.walk, WalkItem::Page(page), ctx);
            }),
            kinds::WALK_STAGED => self.open(frame).map(|staged: WalkStaged| {
                self.walked(staged.root, staged.walk, WalkItem::Staged(staged), ctx);
            }),
            kinds::WALK_DONE => self.open(frame).map(|done: WalkDone| {
                self.walked(done.root, done.walk, WalkItem::Done(done), ctx);
            }),
            kind => {
                let slave = &self.deps.slave;
                debug!(%slave, kind = format_args!("{kind:#06x}"), "a notice of an unknown kind");
                None
            }
        };
    }

    fn open<N: Notice>(&self, frame: &Envelope) -> Option<N> {
        frame
            .open()
            .inspect_err(|why| {
                let (slave, kind) = (&self.deps.slave, format_args!("{:#06x}", frame.kind));
                let cause = std::error::Error::source(why).map(ToString::to_string);
                warn!(%slave, kind, %why, cause, "a slave's notice cannot be understood");
            })
            .ok()
    }

    fn news(&mut self, alive: Alive) {
        if !due(&mut self.news, self.heard) {
            return; // the next heartbeat says it again
        }
        let (slave, link) = (self.deps.slave.clone(), self.deps.link);
        tell(&self.deps.registry, SlaveTold { slave, link, alive });
    }

    fn moved(&mut self, progress: TransferProgress) {
        if !due(&mut self.moves, self.heard) {
            return;
        }
        let (slave, moved) = (self.deps.slave.clone(), progress.moved);
        tell(&self.deps.registry, TransfersMoved { slave, moved });
    }

    fn ended(&mut self, ended: TransferEnded, ctx: &mut Context<Self>) {
        if self.ends >= MOST_ENDS {
            return self.cut("it tells of more transfers than there can be", ctx);
        }
        self.ends += 1;
        let (slave, registry) = (self.deps.slave.clone(), self.deps.registry.clone());
        let told = async move { ask(&registry, TransferOver { slave, ended }, END_WAITS).await };
        ctx.spawn(told.into_actor(self).map(|told, act, _| {
            act.ends -= 1;
            if let Err(why) = told {
                debug!(slave = %act.deps.slave, %why, "an end was not taken; the slave tells it again");
            }
        }));
    }

    fn walked(&mut self, root: RootId, walk: u64, item: WalkItem, ctx: &mut Context<Self>) {
        let follower = self.walks.get(&root).filter(|known| known.number == walk);
        let Some(follower) = follower else {
            return debug!(slave = %self.deps.slave, %root, walk, "a notice of a walk that is over");
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = follower.to.try_send(item) {
            info!(slave = %self.deps.slave, %root, "a slave sent more of a walk than it may");
            self.cut("it sent more of a walk than it may", ctx);
        }
    }
}

/// Whether so much time has passed that the next news may be passed on.
fn due(last: &mut Option<Instant>, now: Instant) -> bool {
    let due = last.is_none_or(|last| now.duration_since(last) >= NEWS_GAP);
    if due {
        *last = Some(now);
    }
    due
}
