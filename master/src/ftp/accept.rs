//! Takes control connections and gives each a session of its own, on the arbiters for sessions.
//!
//! Owns the listening sockets, the counts behind the limits, and the list of sessions for those who want to see it.
//! Sessions tell it that they log in and that they end. A restart goes on listening and forgets the sessions that
//! run: they are not counted and not shown any more. When full, new connections hear 421;
//! so they do before the process has no open files left, of which a reserve is for slaves, control and health.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use drftpd_actors::{
    Budget, ChildDown, ChildSpec, Incoming, Listener, OpenFiles, Ping, Place, Pong, Room,
    failpoint, supervise, tell,
};
use drftpd_protocol::SessionId;
use drftpd_protocol::ftp::Reply;
use futures_util::Stream;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, error, info, warn};

use super::client::{Doors, SessionsClient};
use super::live::{Live, SessionInfo};
use super::messages::{
    ClientNamed, KickSession, ListSessions, LoginChanged, MoveOver, SessionKicked, TakeLogin,
    TakeMove,
};
use super::moves::{MayMove, Moves};
use super::proxy::{self, Via};
use super::seats::Seats;
use super::services::Services;
use super::session::{Deps, FtpSession};
use crate::accounts::client::BANNED;

/// Messages that may wait: two for each connection that comes and goes, and a few questions.
const MAILBOX: usize = 1024;
/// Messages that may wait for a session; nobody sends it more than one.
const SESSION_MAILBOX: usize = 4;
/// How long to wait after a failed accept; usually there are no file descriptors left.
const AFTER_ERROR: Duration = Duration::from_millis(500);
/// Refused connections that are told so at one time; more are closed without a word.
const REFUSALS: usize = 64;
/// How long a refused client may take to hear it.
const REFUSAL: Duration = Duration::from_secs(2);

/// The FTP server, started.
#[derive(Clone)]
pub struct FtpServer {
    /// Where it listens, with the real ports, in the order of the configuration.
    pub addresses: Vec<SocketAddr>,
    /// Where it listens for clients that begin with TLS at once.
    pub implicit: Vec<SocketAddr>,
    /// The door to its sessions.
    pub sessions: SessionsClient,
    /// For health checks.
    pub ping: Recipient<Ping>,
}

/// Why the FTP server does not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {at}")]
pub struct CannotListen {
    /// Where.
    pub at: SocketAddr,
    /// Why not.
    #[source]
    pub why: io::Error,
}

/// A socket that clients connect to.
#[derive(Clone)]
struct Door {
    listener: Rc<dyn Listener>,
    /// TLS begins at once.
    implicit: bool,
}

/// Listens, on this thread, and serves clients on the arbiters of `place`; at the `implicit` addresses with TLS from the
/// first byte on.
///
/// # Errors
/// When an address cannot be listened at.
pub async fn start(
    services: Services,
    implicit: &[SocketAddr],
    place: Place,
    parent: Recipient<ChildDown>,
) -> Result<FtpServer, CannotListen> {
    let mut listeners = Vec::new();
    let addresses = listen(&services, &services.config.listen, false, &mut listeners).await?;
    let implicit = listen(&services, implicit, true, &mut listeners).await?;
    let spec = ChildSpec::new("ftp_acceptor", MAILBOX, Budget::CORE, parent);
    let acceptor = supervise(&Place::here(), spec, move || FtpAcceptor {
        services,
        place,
        doors: listeners.into_iter().map(Door::from).collect(),
        last_id: 0,
        refusals: Rc::default(),
        unproxied: 0,
        seats: Seats::default(),
        moves: Moves::default(),
        sessions: BTreeMap::new(),
    });
    Ok(FtpServer {
        addresses,
        implicit,
        sessions: door(&acceptor),
        ping: acceptor.recipient(),
    })
}

/// Listens at all of these.
async fn listen(
    services: &Services,
    at: &[SocketAddr],
    implicit: bool,
    listeners: &mut Vec<(Box<dyn Listener>, bool)>,
) -> Result<Vec<SocketAddr>, CannotListen> {
    let mut addresses = Vec::new();
    for at in at {
        let fails = |why| CannotListen { at: *at, why };
        let listener = services.net.bind(*at).await.map_err(fails)?;
        let address = listener.local_addr().map_err(fails)?;
        info!(%address, implicit_tls = implicit, "listening for ftp clients");
        addresses.push(address);
        listeners.push((listener, implicit));
    }
    Ok(addresses)
}

impl From<(Box<dyn Listener>, bool)> for Door {
    fn from((listener, implicit): (Box<dyn Listener>, bool)) -> Self {
        Self {
            listener: Rc::from(listener),
            implicit,
        }
    }
}

fn door(acceptor: &Addr<FtpAcceptor>) -> SessionsClient {
    SessionsClient::new(Doors {
        list: acceptor.clone().recipient(),
        kick: acceptor.clone().recipient(),
        login: acceptor.clone().recipient(),
        named: acceptor.clone().recipient(),
        take: acceptor.clone().recipient(),
        moves: acceptor.clone().recipient(),
        over: acceptor.clone().recipient(),
    })
}

/// Takes connections.
struct FtpAcceptor {
    services: Services,
    place: Place,
    doors: Vec<Door>,
    /// Numbers go on over a restart.
    last_id: u64,
    /// Refused clients that are being told so.
    refusals: Rc<Cell<usize>>,
    /// Connections of proxies that have not said yet whom they bring.
    unproxied: usize,
    seats: Seats,
    moves: Moves,
    sessions: BTreeMap<u64, Shown>,
}

/// A session, as far as it is known here.
struct Shown {
    session: Addr<FtpSession>,
    row: watch::Receiver<SessionInfo>,
}

impl FtpAcceptor {
    /// Takes a connection; where it comes from a proxy, when that has said whom it brings.
    fn meet(&mut self, arrived: Arrived, ctx: &mut Context<Self>) {
        let Arrived { incoming, implicit } = arrived;
        let peer = incoming.peer;
        match room(&incoming) {
            Room::Enough => {}
            Room::Reserve => {
                warn!(%peer, "connection refused, open files are nearly used up");
                return self.refuse(incoming, implicit, "Too many connections");
            }
            Room::Nothing => {
                warn!(%peer, "connection closed, open files are nearly used up");
                return;
            }
        }
        let config = &self.services.config;
        let proxies = &config.proxies;
        if !proxies.iter().any(|network| network.contains(peer.ip())) {
            return self.admit((incoming, implicit), None, ctx);
        }
        if self.unproxied >= config.max_unauthenticated {
            warn!(%peer, "connection of a proxy closed: too many have not said whom they bring");
            return;
        }
        self.unproxied += 1;
        ctx.spawn(
            proxy::read(incoming)
                .into_actor(self)
                .map(move |read, act, ctx| {
                    act.unproxied -= 1;
                    match read {
                        Ok((incoming, via)) => act.admit((incoming, implicit), via, ctx),
                        Err(why) => warn!(%peer, %why, "connection of a proxy closed"),
                    }
                }),
        );
    }

    fn admit(
        &mut self,
        (incoming, implicit): (Incoming, bool),
        via: Option<Via>,
        ctx: &mut Context<Self>,
    ) {
        let id = self.last_id + 1;
        let peer = incoming.peer;
        if self.services.drain.is_draining() {
            return self.refuse(incoming, implicit, "Shutting down");
        }
        if self.services.accounts.is_banned(peer.ip()) {
            debug!(%peer, "connection refused, the address is banned");
            return self.refuse(incoming, implicit, BANNED);
        }
        if let Err(full) = self.seats.take(id, peer.ip(), &self.services.config) {
            warn!(%peer, ?full, "connection refused");
            return self.refuse(incoming, implicit, full.text());
        }
        self.last_id = id;
        let (live, row) = Live::new(SessionId(id), peer, self.services.clock.unix());
        let deps = Deps {
            id: SessionId(id),
            services: self.services.clone(),
            sessions: door(&ctx.address()),
            live,
            via,
            implicit,
        };
        let spec = ChildSpec::new(
            "ftp_session",
            SESSION_MAILBOX,
            Budget::TEMPORARY,
            ctx.address().recipient(),
        );
        let make = move || FtpSession::new(deps, incoming);
        let session = supervise(&self.place, spec.with_id(id), make);
        self.sessions.insert(id, Shown { session, row });
    }

    /// Says 421 in a task of its own, if not too many are being told already. A handshake is not worth it.
    fn refuse(&self, incoming: Incoming, implicit: bool, why: &'static str) {
        if implicit || self.refusals.get() >= REFUSALS {
            return;
        }
        self.refusals.set(self.refusals.get() + 1);
        let refusals = Rc::clone(&self.refusals);
        let text = Reply::closing(why).to_bytes();
        drop(tokio::task::spawn_local(async move {
            if !matches!(timeout(REFUSAL, say(incoming, text)).await, Ok(Ok(()))) {
                debug!("a refused client was gone before it heard so");
            }
            refusals.set(refusals.get() - 1);
        }));
    }
}

/// Whether there are descriptors for a session, with enough left for the rest of the master.
fn room(incoming: &Incoming) -> Room {
    let room = |descriptor| OpenFiles::now().room(descriptor);
    incoming.descriptor().map_or(Room::Enough, room)
}

async fn say(incoming: Incoming, text: Bytes) -> io::Result<()> {
    let mut io = incoming.adopt()?;
    io.write_all(&text).await?;
    io.shutdown().await
}

/// A connection, and how it begins.
struct Arrived {
    incoming: Incoming,
    implicit: bool,
}

/// Connections of one socket, for ever.
fn connections(door: Door) -> impl Stream<Item = Arrived> {
    futures_util::stream::unfold(door, |door| async move {
        let implicit = door.implicit;
        loop {
            match door.listener.accept().await {
                Ok(incoming) => return Some((Arrived { incoming, implicit }, door)),
                Err(why) => {
                    error!(%why, "connections cannot be accepted");
                    sleep(AFTER_ERROR).await;
                }
            }
        }
    })
}

impl Actor for FtpAcceptor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for door in &self.doors {
            ctx.add_stream(connections(door.clone()));
        }
    }
}

impl Supervised for FtpAcceptor {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.unproxied = 0;
        self.seats = Seats::default();
        self.moves = Moves::default();
        self.sessions = BTreeMap::new();
    }
}

impl StreamHandler<Arrived> for FtpAcceptor {
    fn handle(&mut self, arrived: Arrived, ctx: &mut Self::Context) {
        drftpd_actors::panicpoint("ftp.accept");
        self.meet(arrived, ctx);
    }

    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<ListSessions> for FtpAcceptor {
    type Result = Vec<SessionInfo>;

    fn handle(&mut self, _: ListSessions, _: &mut Self::Context) -> Self::Result {
        let rows = self.sessions.values();
        rows.map(|shown| shown.row.borrow().clone()).collect()
    }
}

impl Handler<KickSession> for FtpAcceptor {
    type Result = bool;

    fn handle(&mut self, msg: KickSession, _: &mut Self::Context) -> Self::Result {
        let Some(shown) = self.sessions.get(&msg.session.0) else {
            return false;
        };
        tell(&shown.session, SessionKicked { why: msg.why });
        true
    }
}

impl Handler<LoginChanged> for FtpAcceptor {
    type Result = ();

    fn handle(&mut self, msg: LoginChanged, _: &mut Self::Context) {
        self.seats.login_changed(msg.session.0, msg.logged_in);
    }
}

impl Handler<TakeLogin> for FtpAcceptor {
    type Result = Result<(), String>;

    fn handle(&mut self, msg: TakeLogin, _: &mut Self::Context) -> Self::Result {
        let most = self.services.accounts.most_logins(&msg.account);
        self.seats.log_in(msg.session.0, &msg.account, most)
    }
}

impl Handler<TakeMove> for FtpAcceptor {
    type Result = Result<MayMove, String>;

    fn handle(&mut self, msg: TakeMove, _: &mut Self::Context) -> Self::Result {
        let TakeMove {
            session,
            account,
            way,
            expected,
        } = msg;
        self.moves.begin(session.0, &account, way, expected)
    }
}

impl Handler<MoveOver> for FtpAcceptor {
    type Result = ();

    fn handle(&mut self, msg: MoveOver, _: &mut Self::Context) {
        self.moves.end(msg.session.0);
    }
}

impl Handler<ClientNamed> for FtpAcceptor {
    type Result = Result<(), &'static str>;

    fn handle(&mut self, msg: ClientNamed, _: &mut Self::Context) -> Self::Result {
        if self.services.accounts.is_banned(msg.client) {
            return Err(BANNED);
        }
        let config = &self.services.config;
        let moved = self.seats.moved(msg.session.0, msg.client, config);
        moved.map_err(|full| full.text())
    }
}

impl Handler<ChildDown> for FtpAcceptor {
    type Result = ();

    fn handle(&mut self, msg: ChildDown, _: &mut Self::Context) {
        self.seats.leave(msg.id);
        self.moves.end(msg.id);
        self.sessions.remove(&msg.id);
    }
}

impl Handler<Ping> for FtpAcceptor {
    type Result = Pong;

    fn handle(&mut self, msg: Ping, _: &mut Self::Context) -> Self::Result {
        // A test may make it panic here; there is nothing to fail.
        drop(failpoint("actor.ftp_acceptor"));
        msg.answer()
    }
}
