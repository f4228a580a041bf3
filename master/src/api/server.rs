//! Listens, and serves each connection in a task of this thread: TLS, HTTP/1.1, limits on time and size.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use drftpd_actors::{BoxIo, Incoming, Listener, Net};
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info};

use super::config::MAX_HEAD;
use super::patient::Patient;
use super::requests::{Peer, router};
use super::{Shared, live};
use crate::accounts::address::counted_as;
use crate::config::MasterConfig;
use crate::deps::Deps;
use crate::tls::{CannotSecure, Certificates, Current, Keeper};

/// After accepting failed.
const AFTER_ERROR: Duration = Duration::from_millis(200);
/// A client that takes nothing for so long is left.
const NOT_TAKEN: Duration = Duration::from_secs(60);

/// Why the API does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotServe {
    /// An address is not to be had.
    #[error("{key}: cannot listen at {at}")]
    Listen {
        /// Which key names it.
        key: &'static str,
        /// Where.
        at: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Its own certificate is of no use.
    #[error("api.certificate")]
    Secure(#[from] CannotSecure),
}

/// All listeners of the API; dropped, they are gone.
pub struct Api {
    /// The one of `[admin]`, with the real port.
    pub admin: Option<SocketAddr>,
    /// Those of `[api]`, with the real ports.
    pub own: Vec<SocketAddr>,
    /// Those that accept, and the one that looks for followers of events.
    tasks: Vec<JoinHandle<()>>,
    closing: watch::Sender<bool>,
    _certificate: Option<Keeper>,
}

/// How connections of one listener are served. Cheap to clone.
#[derive(Clone)]
struct Door {
    net: Arc<dyn Net>,
    tls: Option<Certificates>,
    router: Router,
    shared: Arc<Shared>,
    closing: watch::Receiver<bool>,
    handshake: Duration,
}

impl Api {
    /// Listens and serves on this thread: on the listener of `[admin]` where there is a machine, on those of `[api]`
    /// with `certificates` where they have TLS.
    ///
    /// # Errors
    /// [`CannotServe`].
    pub async fn start(
        config: &MasterConfig,
        deps: &Deps,
        shared: Shared,
        (current, certificates): (Current, Option<Certificates>),
    ) -> Result<Self, CannotServe> {
        let shared = Arc::new(shared);
        let (closing, closes) = watch::channel(false);
        let door = |with_api, tls| Door {
            net: Arc::clone(&deps.net),
            tls,
            router: router(Arc::clone(&shared), with_api),
            shared: Arc::clone(&shared),
            closing: closes.clone(),
            handshake: config.tls.handshake_timeout,
        };
        let live = shared.of.online.get().map(|online| {
            let views = online.slaves.views();
            live::look(shared.told.clone(), online.sessions.clone(), views)
        });
        let mut api = Self {
            admin: None,
            own: Vec::new(),
            tasks: live.map(tokio::task::spawn_local).into_iter().collect(),
            closing,
            _certificate: None,
        };
        if deps.on_a_machine {
            let plain = door(config.api.on_admin, None);
            api.admin = Some(
                api.listen("admin.listen", config.admin.listen, plain)
                    .await?,
            );
        }
        if config.api.listen.is_empty() {
            return Ok(api);
        }
        let own = own_certificate(config, current, deps)?;
        let certificates = own
            .as_ref()
            .map(|own| own.certificates.clone())
            .or(certificates);
        let tls = certificates.filter(|_| config.api.tls);
        for at in &config.api.listen {
            let address = api
                .listen("api.listen", *at, door(true, tls.clone()))
                .await?;
            info!(%address, tls = tls.is_some(), "api listens");
            api.own.push(address);
        }
        api._certificate = own;
        Ok(api)
    }

    async fn listen(
        &mut self,
        key: &'static str,
        at: SocketAddr,
        door: Door,
    ) -> Result<SocketAddr, CannotServe> {
        let cannot = |source| CannotServe::Listen { key, at, source };
        let listener = door.net.bind(at).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        self.tasks
            .push(tokio::task::spawn_local(door.accept(listener)));
        Ok(address)
    }

    /// Takes no more requests, and waits until those that are there have their answers, for so long.
    pub async fn close(self, limit: Duration) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.closing.send_replace(true);
        // Every connection has a receiver, and drops it at its end.
        if timeout(limit, self.closing.closed()).await.is_err() {
            debug!("requests are cut off");
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.closing.send_replace(true);
    }
}

/// Keeps the certificate that `[api]` names, as that of `[tls]` is kept.
fn own_certificate(
    config: &MasterConfig,
    mut current: Current,
    deps: &Deps,
) -> Result<Option<Keeper>, CannotSecure> {
    if config.api.certificate.is_none() || !deps.net.proves_peers() {
        return Ok(None);
    }
    let own = |config: &MasterConfig| {
        let mut config = config.clone();
        config.tls.acme = None;
        config.tls.certificate = config.api.certificate.clone();
        config.tls.key = config.api.key.clone();
        Arc::new(config)
    };
    let first = own(&current.borrow_and_update());
    let (to, seen) = watch::channel(first);
    tokio::task::spawn_local(async move {
        while !to.is_closed() && current.changed().await.is_ok() {
            let newer = own(&current.borrow_and_update());
            to.send_replace(newer);
        }
    });
    Keeper::start(seen, &deps.clock, &deps.dice, deps.blocking.clone()).map(Some)
}

impl Door {
    async fn accept(self, listener: Box<dyn Listener>) {
        loop {
            match listener.accept().await {
                Ok(incoming) => self.let_in(incoming),
                Err(why) => {
                    debug!(%why, "accepting for the api failed");
                    sleep(AFTER_ERROR).await;
                }
            }
        }
    }

    /// Serves a connection if there is room for it; else it is closed.
    fn let_in(&self, incoming: Incoming) {
        let ip = incoming.peer.ip().to_canonical();
        let from = Peer {
            ip,
            counted: counted_as(ip),
        };
        let room = self
            .shared
            .gated(|gate, limits| gate.enter(from.counted, limits, Instant::now()));
        if !room {
            debug!(peer = %ip, "too many connections to the api");
            return;
        }
        let seat = Seat {
            shared: Arc::clone(&self.shared),
            from: from.counted,
        };
        let door = self.clone();
        tokio::task::spawn_local(async move {
            if let Ok(io) = incoming.adopt() {
                door.serve(io, from).await;
            }
            drop(seat);
        });
    }

    async fn serve(self, io: BoxIo, from: Peer) {
        let io = match &self.tls {
            Some(certificates) => match self.secure(io, certificates).await {
                Ok(io) => io,
                Err(why) => return debug!(peer = %from.ip, %why, "no TLS with a client of the api"),
            },
            None => io,
        };
        let router = TowerToHyperService::new(self.router.clone());
        let service = service_fn(move |mut request: Request<Body>| {
            request.extensions_mut().insert(from);
            router.call(request)
        });
        let wait = self.shared.limits(|limits| limits.request_timeout);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(wait)
            .max_header_size(MAX_HEAD)
            .max_buf_size(4 * MAX_HEAD);
        let io = TokioIo::new(Patient::new(io, NOT_TAKEN));
        let mut serving = std::pin::pin!(http.serve_connection(io, service));
        let mut closing = self.closing.clone();
        let served = tokio::select! {
            served = serving.as_mut() => served,
            _ = closing.wait_for(|closing| *closing) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(why) = served {
            debug!(peer = %from.ip, %why, "a connection to the api broke");
        }
    }

    async fn secure(&self, io: BoxIo, certificates: &Certificates) -> io::Result<BoxIo> {
        let server = certificates.borrow().http.config(None, 0);
        match timeout(self.handshake, self.net.serve_tls(io, server)).await {
            Ok(secured) => Ok(secured?.io),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// The place of a connection, given back at its end.
struct Seat {
    shared: Arc<Shared>,
    from: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.gated(|gate, _| gate.leave(self.from));
    }
}
