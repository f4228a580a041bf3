//! `TransferActor`: one data channel, from its port to its end. It owns the listener or the dialling,
//! the connection that came early, and the task that copies.
//!
//! The registry makes it and asks nothing of it; the link's handle asks it to start, to begin and to
//! abort. It is temporary: a panic ends it, the registry tells the master, and what an upload left in
//! staging is found by the next walk. Its mailbox holds a few asks; the task that copies sends none.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::{BoxIo, tell};
use drftpd_protocol::ids::{FileId, RootId};
use drftpd_protocol::wire::{
    BeginTransfer, Begun, DataOpened, DataPath, Fault, FaultCode, Job, OpenData, PeerRule,
    TransferEnded,
};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::debug;

use super::channel::{Channel, Step};
use super::copy::cx::CopyCx;
use super::copy::{self, Report, Work, has_ended};
use super::env::Env;
use super::job::{Opened, Opener};
use super::messages::{AbortChannel, BeginJob, ChangeRate, ChannelOver, StartChannel};
use super::meter::Meter;
use super::pace::{Limits, Patience, Rate};
use super::peers::{leads_home, may_dial};
use super::registry::TransferRegistry;
use super::shelf::Port;
use super::stop::Stop;
use super::tls::{Certificate, Entrance, Plan};
use super::{dial, listen};
use crate::storage::InUse;

/// What a channel is given.
pub struct ChannelDeps {
    /// What all channels share.
    pub env: Arc<Env>,
    /// Hears the end.
    pub registry: Addr<TransferRegistry>,
    /// Counts its bytes.
    pub meter: Arc<Meter>,
    /// How it comes to be.
    pub open: OpenData,
}

/// One data channel.
pub struct TransferActor {
    deps: ChannelDeps,
    channel: Channel,
    stop: Stop,
    /// The connection that came before its order.
    held: Option<BoxIo>,
    /// Where the copying task waits for its connection.
    wanted: Option<mpsc::Sender<BoxIo>>,
    /// Where the first connection came in, until no other is wanted.
    port: Option<Port>,
    /// Others may come after the first connection: under TLS until a handshake has succeeded, or since the first is
    /// of no use.
    more_come: bool,
    upload: Option<(RootId, FileId)>,
    /// Its root's, from the opening of the file on.
    in_use: Option<InUse>,
    due: Option<SpawnHandle>,
    /// How fast its job may be.
    rate: Rate,
}

impl TransferActor {
    /// A channel that nothing happened to.
    pub fn new(deps: ChannelDeps) -> Self {
        let dials = !matches!(deps.open.path, DataPath::Listen { .. });
        TransferActor {
            deps,
            channel: Channel::new(dials),
            stop: Stop::default(),
            held: None,
            wanted: None,
            port: None,
            more_come: false,
            upload: None,
            in_use: None,
            due: None,
            rate: Rate::default(),
        }
    }

    /// Whether only one peer may come.
    fn peer_is_known(&self) -> bool {
        let DataPath::Listen { peers, .. } = &self.deps.open.path else {
            return true;
        };
        matches!(peers, PeerRule::Only(_))
    }

    fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.deps.open.connect_timeout_ms)
    }
}

impl Actor for TransferActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.set_due(ctx);
    }
}

impl Supervised for TransferActor {} // temporary: never restarted

impl Handler<StartChannel> for TransferActor {
    type Result = ResponseActFuture<Self, Result<DataOpened, Fault>>;

    fn handle(&mut self, _: StartChannel, _: &mut Self::Context) -> Self::Result {
        let start = start(Arc::clone(&self.deps.env), self.deps.open.path.clone());
        Box::pin(start.into_actor(self).map(|started, act, ctx| {
            match started.inspect_err(|_| act.leave(None, ctx))? {
                Some(port) => Ok(act.accept(port, ctx)),
                None => Ok(DataOpened {
                    address: None,
                    port: 0,
                }),
            }
        }))
    }
}

impl Handler<BeginJob> for TransferActor {
    type Result = ResponseActFuture<Self, Result<Begun, Fault>>;

    fn handle(&mut self, msg: BeginJob, ctx: &mut Self::Context) -> Self::Result {
        drftpd_actors::panicpoint("actor.transfer");
        if self.channel.begin().is_err() {
            let again = Fault::new(FaultCode::BAD_REQUEST, "the transfer has begun already");
            return Box::pin(async { Err(again) }.into_actor(self));
        }
        self.clear_due(ctx);
        self.rate.set(msg.begin.max_rate);
        let ordered = Ordered::of(&msg.begin, &self.deps.env.certificate);
        let open = self.opener().open(msg.begin, msg.growth);
        let open = async move {
            let ordered = ordered?;
            Ok((open.await?, ordered))
        };
        Box::pin(open.into_actor(self).map(|opened, act, ctx| match opened {
            Ok((opened, ordered)) => act.opened(opened, ordered, ctx),
            Err(fault) => {
                let step = act.channel.refused();
                act.follow(step, ctx);
                Err(fault)
            }
        }))
    }
}

impl Handler<AbortChannel> for TransferActor {
    type Result = ();

    fn handle(&mut self, _: AbortChannel, ctx: &mut Self::Context) {
        let step = self.channel.abort();
        self.follow(step, ctx);
    }
}

impl Handler<ChangeRate> for TransferActor {
    type Result = ();

    fn handle(&mut self, ChangeRate(rate): ChangeRate, _: &mut Self::Context) {
        self.rate.set(rate);
    }
}

/// The terms of an order, beside what it moves.
struct Ordered {
    upload: Option<(RootId, FileId)>,
    stall: Duration,
    tls: Option<Plan>,
}

impl Ordered {
    fn of(begin: &BeginTransfer, certificate: &Certificate) -> Result<Self, Fault> {
        Ok(Ordered {
            upload: match &begin.job {
                Job::Receive(job) => Some((job.root, job.file)),
                Job::Send(_) => None,
            },
            stall: Duration::from_millis(begin.stall_timeout_ms),
            tls: Plan::of(begin, certificate)?,
        })
    }
}

impl TransferActor {
    /// Does what the channel's stage says.
    fn follow(&mut self, step: Step, ctx: &mut Context<Self>) {
        match step {
            Step::Wait => {}
            Step::Dial => self.dial(ctx),
            Step::Run => self.hand_over(ctx),
            Step::Vanish => self.leave(None, ctx),
            Step::GiveUp => self.stop.stop(FaultCode::NO_CONNECTION),
            Step::Abort => self.stop.stop(FaultCode::ABORTED),
        }
    }

    fn opener(&self) -> Opener {
        Opener {
            env: Arc::clone(&self.deps.env),
            registry: self.deps.registry.clone(),
            stop: self.stop.clone(),
            limit: self.connect_timeout(),
        }
    }

    fn accept(&mut self, port: Port, ctx: &mut Context<Self>) -> DataOpened {
        let opened = port.opened.clone();
        if let DataPath::Listen { peers, .. } = self.deps.open.path.clone() {
            let accept = async move { (listen::accept(&port, &peers).await, port) };
            ctx.spawn(accept.into_actor(self).map(|(io, port), act, ctx| {
                act.port = Some(port);
                act.connected(io, ctx);
            }));
        }
        opened
    }

    fn dial(&mut self, ctx: &mut Context<Self>) {
        let dial = dial_out(Arc::clone(&self.deps.env), self.deps.open.path.clone());
        ctx.spawn(
            dial.into_actor(self)
                .map(|dialled, act, ctx| match dialled {
                    Ok(io) => act.connected(io, ctx),
                    Err(error) => {
                        debug!(transfer = %act.deps.open.transfer, %error, "not reached");
                        let step = act.channel.unreachable();
                        act.follow(step, ctx);
                    }
                }),
        );
    }

    fn connected(&mut self, io: BoxIo, ctx: &mut Context<Self>) {
        self.held = Some(io);
        let step = self.channel.connected();
        self.follow(step, ctx);
    }

    /// Gives the connection to the task that waits for it, and those that come after it where it may need them.
    fn hand_over(&mut self, ctx: &mut Context<Self>) {
        let (Some(io), Some(wanted)) = (self.held.take(), self.wanted.take()) else {
            return;
        };
        drop(wanted.try_send(io)); // a task that was stopped wants it no more
        match (self.port.take(), &self.deps.open.path) {
            (Some(port), DataPath::Listen { peers, .. }) if self.more_come => {
                let more = listen::accept_more(port, peers.clone(), wanted).into_actor(self);
                ctx.spawn(more.map(|port, act, _| act.deps.env.shelf.put(port)));
            }
            (Some(port), _) => self.deps.env.shelf.put(port),
            (None, _) => {}
        }
    }

    fn opened(
        &mut self,
        opened: Opened,
        ordered: Ordered,
        ctx: &mut Context<Self>,
    ) -> Result<Begun, Fault> {
        let step = self.channel.opened();
        let (wanted, connections) = mpsc::channel(1);
        self.wanted = Some(wanted);
        let is_upload_in_clear = ordered.tls.is_none() && ordered.upload.is_some();
        let held = self.held.as_ref().filter(|_| is_upload_in_clear);
        let doubtful = held.and_then(has_ended);
        self.more_come = doubtful.is_some() || ordered.tls.is_some();
        self.in_use = Some(opened.in_use);
        let aborted = step == Step::Vanish;
        if !aborted {
            self.upload = ordered.upload;
            self.set_due(ctx);
        }
        self.copy(opened.work, (connections, doubtful), ordered, aborted, ctx);
        if aborted {
            let text = "aborted while the file was opened";
            return Err(Fault::new(FaultCode::ABORTED, text));
        }
        self.follow(step, ctx);
        Ok(opened.begun)
    }

    /// Starts the task that copies. In silence: its end is nobody's business.
    fn copy(
        &mut self,
        work: Work,
        (connections, doubtful): (mpsc::Receiver<BoxIo>, Option<io::Result<()>>),
        ordered: Ordered,
        silent: bool,
        ctx: &mut Context<Self>,
    ) {
        let env = &self.deps.env;
        let shared = match &work {
            Work::Send(_) => env.sending.clone(),
            Work::Receive(_) => env.receiving.clone(),
        };
        let cx = CopyCx {
            blocking: env.blocking.clone(),
            stop: self.stop.clone(),
            stall: ordered.stall,
            close_wait: env.config.close_wait,
            meter: Arc::clone(&self.deps.meter),
            limits: Limits::new(self.rate.clone(), shared),
            patience: Patience::default(),
            first_byte: None,
            space: None,
        };
        let entrance = Entrance {
            net: Arc::clone(&env.net),
            connections,
            plan: ordered.tls,
            doubtful,
            peer_is_known: self.peer_is_known(),
            until: Instant::now() + self.connect_timeout(),
        };
        let copy = copy::run(work, entrance, cx).into_actor(self);
        ctx.spawn(copy.map(move |report, act, ctx| {
            let report = Some(report).filter(|_| !silent);
            act.leave(report, ctx);
        }));
    }

    /// The end of the channel.
    fn leave(&mut self, report: Option<Report>, ctx: &mut Context<Self>) {
        let transfer = self.deps.open.transfer;
        let ended = report.map(|report| TransferEnded {
            transfer,
            upload: self.upload,
            outcome: report.outcome,
            took_ms: report.took_ms,
            tls: report.tls,
            space: report.space,
        });
        tell(&self.deps.registry, ChannelOver { transfer, ended });
        ctx.stop();
    }

    fn set_due(&mut self, ctx: &mut Context<Self>) {
        self.clear_due(ctx);
        let due = ctx.run_later(self.connect_timeout(), |act, ctx| {
            let step = act.channel.due();
            act.follow(step, ctx);
        });
        self.due = Some(due);
    }

    fn clear_due(&mut self, ctx: &mut Context<Self>) {
        // A temporary actor may cancel: it is never restarted, so no number means another timer.
        if let Some(due) = self.due.take() {
            ctx.cancel_future(due);
        }
    }
}

/// The port of a channel that listens; nothing for one that may dial.
async fn start(env: Arc<Env>, path: DataPath) -> Result<Option<Port>, Fault> {
    match path {
        DataPath::Listen { family, peers } => listen::listen(&env, family, &peers).await.map(Some),
        DataPath::Dial { to } => match may_dial(to, &env.config.deny_dial) {
            Ok(()) => Ok(None),
            Err(why) => {
                let text = format!("{to} is not dialled: {why}");
                Err(Fault::new(FaultCode::PEER_REFUSED, text))
            }
        },
        DataPath::Relay { .. } => Ok(None),
    }
}

fn dial_out(env: Arc<Env>, path: DataPath) -> LocalBoxFuture<'static, io::Result<BoxIo>> {
    async move {
        match path {
            DataPath::Dial { to } if leads_home(to, *env.master.borrow()) => {
                Err(io::ErrorKind::AddrNotAvailable.into())
            }
            DataPath::Dial { to } => dial::dial(env.net.as_ref(), env.config.dial_from, to).await,
            DataPath::Relay { token } => {
                let master = *env.master.borrow();
                let master = master.ok_or(io::ErrorKind::NotConnected)?;
                dial::relay(env.net.as_ref(), master, token).await
            }
            DataPath::Listen { .. } => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    .boxed_local()
}
