//! `SlaveManager`: one link to one slave. It owns the calls under way and the work that goes on
//! for the slave's roots.
//!
//! Asked by whoever has a call for the slave; tells the registry what the slave told. Its life
//! is the link: a panic or a lost link ends it, calls answer `Offline`, transfers go on (the
//! registry keeps who waits for them). When its queue to the slave is full the link is cut: a
//! slave that does not read is of no use.

mod certificate;
mod frames;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::{BoxIo, Drain};
use drftpd_protocol::wire::{Call, Envelope, FrameCodec, FrameError, Ping, Revision, encode};
use drftpd_protocol::{Epoch, RootId, SlaveId};
use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::codec::Framed;
use tracing::{debug, info, warn};

use super::calls::Calls;
use super::link::LinkHandle;
use super::messages::*;
use super::registry::SlaveRegistry;
use super::remerge::WalkItem;
use super::roots::{RootCx, RootDeps, RootWork};
use super::roster::LinkId;
use super::writer;
use crate::tls::Certificates;

/// Frames that may wait to be written; calls have a limit of their own, notices are few.
const TO_WRITE: usize = 1024;

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
    /// What its slave shows to FTP clients.
    pub certificates: Option<Certificates>,
    /// A link that goes down while the master does is no news.
    pub drain: Drain,
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
    ticked: Instant,
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
            ticked: now,
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
        self.hand_certificate(ctx);
        ctx.run_interval(self.beat(), |act, ctx| act.tick(ctx));
        let mut registry = self.deps.registry_lives.clone();
        let gone = async move { while registry.changed().await.is_ok() {} };
        ctx.spawn(
            gone.into_actor(self)
                .map(|(), act, ctx| act.cut("the registry began anew", ctx)),
        );
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        let (slave, link, why) = (&self.deps.slave, self.deps.link.0, self.why);
        if self.deps.drain.is_draining() {
            info!(%slave, link, why, "a slave's link is closed");
        } else {
            warn!(%slave, link, why, calls = self.calls.len(), "a slave's link is down");
        }
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
        drftpd_actors::panicpoint("actor.slave_manager");
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
        works.for_each(|(_, work)| work.walk_again(msg.extent.clone()));
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

    /// How often the link is looked after.
    fn beat(&self) -> Duration {
        let tenth = self.deps.roots.config.heartbeat / 10;
        tenth.clamp(Duration::from_millis(20), Duration::from_millis(500))
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
        // When this thread stood still, what the slave said meanwhile is not read yet.
        let stood = now.duration_since(self.ticked).saturating_sub(self.beat());
        self.heard = (self.heard + stood).min(now);
        self.ticked = now;
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
}
