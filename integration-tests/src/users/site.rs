//! Where users work: a network, the master's address on it, a clock, and what is noted of everything that happens.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drftpd_actors::testkit::TurmoilNet;
use drftpd_actors::{BoxIo, Net, TokioNet};

use super::trace::Trace;

/// Where users work. Cloning gives another handle.
#[derive(Clone)]
pub struct Site {
    net: Arc<dyn Net>,
    master: Rc<dyn Fn() -> SocketAddr>,
    now: Rc<dyn Fn() -> Duration>,
    trace: Trace,
    sockets: bool,
}

impl Site {
    /// The simulation in which it is used.
    pub fn simulated(port: u16, trace: &Trace) -> Self {
        Self {
            net: Arc::new(TurmoilNet),
            master: Rc::new(move || SocketAddr::new(turmoil::lookup("master"), port)),
            now: Rc::new(|| turmoil::sim_elapsed().unwrap_or_default()),
            trace: trace.clone(),
            sockets: false,
        }
    }

    /// Processes of this machine, with a clock that began at `begun`.
    pub fn real(master: SocketAddr, begun: Instant, trace: &Trace) -> Self {
        Self {
            net: Arc::new(TokioNet::new()),
            master: Rc::new(move || master),
            now: Rc::new(move || begun.elapsed()),
            trace: trace.clone(),
            sockets: true,
        }
    }

    /// The same, with nothing noted.
    #[must_use]
    pub fn unnoticed(&self) -> Self {
        Self {
            trace: Trace::default(),
            ..self.clone()
        }
    }

    /// The network.
    pub fn net(&self) -> &dyn Net {
        &*self.net
    }

    /// Where the master speaks FTP.
    pub fn master(&self) -> SocketAddr {
        (self.master)()
    }

    /// The time.
    pub fn now(&self) -> Duration {
        (self.now)()
    }

    /// Whether connections are sockets, which can be reset.
    pub fn has_sockets(&self) -> bool {
        self.sockets
    }

    /// Notes what somebody did or heard.
    pub fn note(&self, who: &str, what: impl AsRef<str>) {
        self.trace.note(self.now(), who, what);
    }

    /// Ends a connection so that the other end hears a reset, where there are such; answers whether.
    pub fn reset(&self, io: BoxIo) -> bool {
        let told = io.as_tcp().map(|tcp| tcp.set_zero_linger());
        drop(io);
        self.sockets && matches!(told, Some(Ok(())))
    }
}
