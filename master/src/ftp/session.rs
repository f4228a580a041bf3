//! One control connection: what arrives, whose turn it is, and when it is over.
//!
//! Owns the session's state, its lines that wait, the data endpoint, and the one verb that runs (as a future of its
//! context, with the handle that cuts it). Nobody asks it anything; the acceptor tells it to go. It is never
//! restarted: what a stop or a panic cuts off is given back by guards. When full (lines, replies) it stops reading,
//! and sends the client away if that does not help. Whose turn it is stands in `turn`, TLS in `handshake`.

mod handshake;
mod turn;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::{Hold, Incoming};
use drftpd_protocol::SessionId;
use drftpd_protocol::ftp::{Line, LineFault, Reply};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::{Span, debug, info, info_span};

use super::DRAIN_SESSIONS;
use super::client::SessionsClient;
use super::data::{Endpoint, Reach};
use super::guard::Cleanup;
use super::live::Live;
use super::messages::SessionKicked;
use super::proxy::Via;
use super::queue::{Queue, Turn};
use super::reader::{Inbound, LineReader, Tap};
use super::services::Services;
use super::shared_io::SharedIo;
use super::state::State;
use super::verbs::Kind;
use super::writer::{self, Outbox};
use crate::accounts::Account;
use crate::accounts::limits::Limit;
use crate::events::LoginChanged;

/// How long a full queue of lines may stand still.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long our side waits, after its last words, for the client to close: a connection closed with bytes unread
/// would be reset, and the last words lost.
const LINGER: Duration = Duration::from_secs(2);
/// How long what a session held may take to be given back, until its slots are freed all the same.
const LAST_SLOTS: Duration = Duration::from_secs(60);
/// As long as no session lasts.
const ENDLESS: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How soon a time-out that came while a verb was running is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a session is made of.
pub(super) struct Deps {
    pub id: SessionId,
    pub services: Services,
    pub sessions: SessionsClient,
    pub live: Live,
    pub via: Option<Via>,
    /// TLS begins with the first byte.
    pub implicit: bool,
}

/// A control connection.
pub(super) struct FtpSession {
    id: SessionId,
    services: Rc<Services>,
    sessions: SessionsClient,
    live: Live,
    implicit: bool,
    incoming: Option<Incoming>,
    peer: SocketAddr,
    local: SocketAddr,
    via: Option<Via>,
    span: Span,
    // What the client has made of it.
    state: Rc<State>,
    /// Who has been told of as logged in.
    told: Option<Arc<Account>>,
    /// Up to which change of accounts the one in the state was looked at.
    account_seen: Option<u64>,
    endpoint: Option<Endpoint>,
    reach: Reach,
    errors_before_login: u32,
    // What goes on.
    queue: Queue,
    impatient: bool,
    running: Option<Running>,
    beside: bool,
    out: Option<Outbox>,
    io: Option<SharedIo>,
    tap: Tap,
    cleanup: Cleanup,
    phase: Phase,
    // Since when.
    active: Instant,
    nobody_since: Instant,
    _here: Hold,
}

/// The verb that runs.
struct Running {
    kind: Kind,
    cut: Option<oneshot::Sender<()>>,
    /// ABOR came; if it was too late to cut, it has its 226 still to come.
    abort_asked: bool,
    /// Whether it has said anything yet; closed when it is over.
    opened: watch::Receiver<bool>,
    _unfinished: Option<Hold>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// All is as it should be.
    Open,
    /// The client has said its last line; those that wait are carried out, unless they move data.
    HalfClosed,
    /// We have said our last words.
    Closing,
}

impl FtpSession {
    pub fn new(deps: Deps, incoming: Incoming) -> Self {
        let (peer, local) = (incoming.peer, incoming.local);
        let here = deps
            .services
            .drain
            .hold_in(DRAIN_SESSIONS, format!("session {} of {peer}", deps.id));
        Self {
            span: info_span!(parent: None, "session", session = %deps.id, %peer),
            id: deps.id,
            services: Rc::new(deps.services),
            sessions: deps.sessions,
            live: deps.live,
            implicit: deps.implicit,
            incoming: Some(incoming),
            peer,
            local,
            via: deps.via,
            state: Rc::default(),
            told: None,
            account_seen: None,
            endpoint: None,
            reach: Reach::default(),
            errors_before_login: 0,
            queue: Queue::default(),
            impatient: false,
            running: None,
            beside: false,
            out: None,
            io: None,
            tap: Tap::default(),
            cleanup: Cleanup::default(),
            phase: Phase::Open,
            active: Instant::now(),
            nobody_since: Instant::now(),
            _here: here,
        }
    }

    /// Takes the connection to this arbiter and greets.
    fn open(&mut self, ctx: &mut Context<Self>) -> std::io::Result<()> {
        let Some(incoming) = self.incoming.take() else {
            return Err(std::io::ErrorKind::NotConnected.into());
        };
        let io = SharedIo::new(incoming.adopt()?);
        let (out, end) = writer::start(io.clone(), self.services.config.write_timeout);
        self.out = Some(out);
        self.io = Some(io.clone());
        if self.implicit {
            self.shake_hands(ctx);
        } else {
            self.greet();
        }
        let lines = LineReader::new(io.clone(), self.tap.clone()).with_socket(io);
        ctx.add_stream(lines);
        let end = async { drop(end.await) };
        ctx.spawn(end.into_actor(self).map(|(), act, ctx| {
            if act.phase != Phase::Closing {
                ctx.stop();
            }
        }));
        let drain = self.services.drain.clone();
        ctx.spawn(drain.draining().into_actor(self).map(|(), act, ctx| {
            act.next(ctx);
        }));
        ctx.spawn(drain.overdue().into_actor(self).map(|(), act, ctx| {
            act.close(Reply::closing("Shutting down"), ctx);
        }));
        Ok(())
    }

    fn greet(&self) {
        if let Some(out) = &self.out {
            out.try_send(Reply::greeting(self.services.config.greeting.clone()).to_bytes());
        }
    }

    fn line(&mut self, line: Result<Line, LineFault>, ctx: &mut Context<Self>) {
        self.active = Instant::now();
        let runs = self.running.as_ref().map(|running| running.kind);
        let turn = match &line {
            Ok(line) => self.queue.turn(line, runs, self.beside),
            Err(_) => Turn::Waits,
        };
        match turn {
            Turn::Cuts => self.cut(),
            Turn::Overtakes(verb) => self.overtake(verb, ctx),
            Turn::Waits => {
                self.queue.push(line);
                if self.queue.is_full() {
                    self.wait_for_room(ctx);
                }
                self.next(ctx);
            }
        }
    }

    /// Does not read on until a line was taken; if none is for too long, the client is sent away.
    fn wait_for_room(&mut self, ctx: &mut Context<Self>) {
        self.tap.close(true);
        if !self.impatient {
            self.impatient = true;
            self.watch_queue(ctx);
        }
    }

    fn watch_queue(&mut self, ctx: &mut Context<Self>) {
        let taken = self.queue.taken();
        ctx.run_later(PATIENCE, move |act, ctx| {
            if !act.queue.is_full() {
                act.impatient = false;
            } else if act.queue.taken() == taken {
                act.close(Reply::closing("Too many commands at once"), ctx);
            } else {
                act.watch_queue(ctx);
            }
        });
    }

    /// Says the last words, drops what runs, and waits a little for the client to close as well.
    fn close(&mut self, reply: Reply, ctx: &mut Context<Self>) {
        if self.phase == Phase::Closing {
            return;
        }
        debug!(code = reply.code(), "closing");
        self.phase = Phase::Closing;
        if self.state.account().is_some() {
            // Nobody is logged in here any more, however long the client takes to go.
            self.sessions.login_changed(self.id, false);
            self.live.edit(|row| row.user = None);
        }
        self.tell_login();
        self.queue.clear();
        self.tap.over();
        let said = self
            .out
            .take()
            .is_some_and(|out| out.last(reply.to_bytes()));
        if let Some(cut) = self.running.as_mut().and_then(|running| running.cut.take()) {
            cut.send(()).ok();
        }
        if said {
            ctx.run_later(LINGER, |_, ctx| ctx.stop());
        } else {
            ctx.stop();
        }
    }

    /// Tells whoever wants to know who is logged in here, where that has changed. Nobody is once it closes.
    fn tell_login(&mut self) {
        let open = self.phase != Phase::Closing;
        let now = self.state.account().filter(|_| open).cloned();
        if now.is_some() == self.told.is_some() {
            return;
        }
        let (is_in, before) = (now.is_some(), std::mem::replace(&mut self.told, now));
        let Some(account) = before.or_else(|| self.told.clone()) else {
            return;
        };
        self.services.bus.publish(LoginChanged {
            session: self.id,
            user: account.name.clone(),
            group: account.group.clone(),
            client: self.peer.ip().to_canonical(),
            ident: self.via.as_ref().and_then(|via| via.ident.clone()),
            secure: self.state.secure.is_some(),
            is_in,
        });
    }

    /// Looks at the clock when something could be overdue, and again when the next thing could be.
    fn watch_time(&mut self, ctx: &mut Context<Self>) {
        let config = &self.services.config;
        let idle = self.active + config.idle_timeout;
        let due = match self.state.account() {
            Some(account) => match account.tightest(Limit::Idle) {
                Some(0) => self.active + ENDLESS,
                Some(seconds) => self.active + Duration::from_secs(seconds).min(ENDLESS),
                None => idle,
            },
            None => idle.min(self.nobody_since + config.login_timeout),
        };
        let now = Instant::now();
        if now >= due && self.running.is_none() {
            return self.close(Reply::closing("Timeout"), ctx);
        }
        // REIN may bring it nearer.
        let next = due.saturating_duration_since(now).min(config.login_timeout);
        let next = next.max(LOOK_AGAIN);
        ctx.run_later(next, Self::watch_time);
    }
}

impl Actor for FtpSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let _entered = self.span.clone().entered();
        match self.open(ctx) {
            Ok(()) => {
                debug!(local = %self.local, "connected");
                self.watch_time(ctx);
                self.next(ctx);
            }
            Err(why) => {
                debug!(%why, "connection lost before it was served");
                ctx.stop();
            }
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        let _entered = self.span.clone().entered();
        let user = self.state.account().map(|account| account.name.as_str());
        info!(user, "session ended");
        self.phase = Phase::Closing;
        self.tell_login();
        // Guards free their slots; this is for a slot whose answer came when nobody waited any more.
        let (id, cleanup, services) = (self.id, self.cleanup.clone(), Rc::clone(&self.services));
        drop(tokio::task::spawn_local(async move {
            cleanup.settled(LAST_SLOTS).await;
            services.transfers.session_ended(id);
        }));
    }
}

impl Supervised for FtpSession {}

impl StreamHandler<Inbound> for FtpSession {
    fn handle(&mut self, item: Inbound, ctx: &mut Self::Context) {
        drftpd_actors::panicpoint("actor.ftp_session");
        let _entered = self.span.clone().entered();
        match item {
            _ if self.phase == Phase::Closing => {}
            Inbound::Line(line) => self.line(line, ctx),
            Inbound::Telnet(answer) => {
                if let Some(out) = &self.out {
                    out.try_send(answer);
                }
            }
            Inbound::Broken => ctx.stop(),
        }
    }

    /// The client has closed its side. A transfer ends with it (that is how some clients abort); lines that came
    /// before are still answered.
    fn finished(&mut self, ctx: &mut Self::Context) {
        let _entered = self.span.clone().entered();
        let moves_data = self
            .running
            .as_ref()
            .is_some_and(|running| matches!(running.kind, Kind::Data | Kind::Long));
        if self.phase == Phase::Closing || moves_data {
            return ctx.stop();
        }
        self.phase = Phase::HalfClosed;
        self.next(ctx);
    }
}

impl Handler<SessionKicked> for FtpSession {
    type Result = ();

    fn handle(&mut self, msg: SessionKicked, ctx: &mut Self::Context) {
        let _entered = self.span.clone().entered();
        info!("kicked");
        self.close(Reply::closing(msg.why), ctx);
    }
}
