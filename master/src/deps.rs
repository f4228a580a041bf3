//! Everything that comes to a master from outside, so that a whole cluster runs in one thread in a simulation with the
//! code of production.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use drftpd_actors::{Blocking, Clock, Dice, Drain, Net, Place};

use crate::config::MasterConfig;
use crate::reload::Reload;
use crate::slaves::SlavesClient;

/// What a master is given.
pub struct Deps {
    /// The network.
    pub net: Arc<dyn Net>,
    /// The time of day.
    pub clock: Clock,
    /// Chance. Must be the system's outside of tests: tokens and salts come from it.
    pub dice: Dice,
    /// Threads for the disk.
    pub blocking: Blocking,
    /// Threads for passwords.
    pub hashing: Blocking,
    /// Where actors run; the master itself runs where `run` is called.
    pub places: Places,
    /// Begins the end: the master drains when this does.
    pub drain: Drain,
    /// Whether the store may have its thread, and the machine a control socket; not so in the simulation.
    pub on_a_machine: bool,
    /// Reads the configuration again, where it came from a file.
    pub reload: Option<Arc<Reload>>,
    /// Settings of others in this process that promise less than the defaults, for `stat`.
    pub weak: Vec<String>,
    /// Called once, when clients are served.
    pub ready: Option<Ready>,
}

/// Hears that clients are served.
pub type Ready = Box<dyn FnOnce(Serving)>;

/// A master that serves.
#[derive(Clone)]
pub struct Serving {
    /// Where FTP clients connect, with the real ports.
    pub ftp: Vec<SocketAddr>,
    /// Where FTP clients connect that begin with TLS at once.
    pub implicit: Vec<SocketAddr>,
    /// Where the health page is, with the API on loopback.
    pub admin: Option<SocketAddr>,
    /// Where the API has listeners of its own.
    pub api: Vec<SocketAddr>,
    /// The slaves, and where they dial.
    pub slaves: SlavesClient,
}

/// With so few processors more threads than that only hand work to each other: links share the thread of the core, and
/// the first session does.
const FEW_PROCESSORS: usize = 2;

/// Where actors run.
#[derive(Debug, Clone)]
pub struct Places {
    /// Accounts, coordinator, registry of slaves.
    pub core: Place,
    /// The file list.
    pub vfs: Place,
    /// Links of slaves.
    pub links: Place,
    /// FTP sessions.
    pub sessions: Place,
}

impl Places {
    /// Everything on the calling thread.
    pub fn here() -> Self {
        Self {
            core: Place::here(),
            vfs: Place::here(),
            links: Place::here(),
            sessions: Place::here(),
        }
    }

    /// Threads as the configuration says.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn threads(config: &MasterConfig) -> io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let few = processors <= FEW_PROCESSORS;
        let core = Place::pool("core", 1)?;
        let links = match config.master.link_threads {
            0 if few => core.clone(),
            0 => Place::pool("links", 1)?,
            threads => Place::pool("links", threads)?,
        };
        let sessions = match config.master.session_threads {
            0 if few => core.and("sessions", processors - 1)?,
            0 => Place::pool("sessions", processors)?,
            threads => Place::pool("sessions", threads)?,
        };
        let vfs = Place::pool("vfs", 1)?;
        Ok(Self {
            core,
            vfs,
            links,
            sessions,
        })
    }

    /// Ends all threads and waits for them. Blocks: for the end of `main`.
    pub fn end(&self) {
        let all = [&self.sessions, &self.links, &self.core, &self.vfs];
        all.iter().for_each(|place| place.stop());
        all.iter().for_each(|place| place.join());
    }

    /// Each place by its name.
    pub fn named(&self) -> [(&'static str, &Place); 4] {
        [
            ("core", &self.core),
            ("vfs", &self.vfs),
            ("links", &self.links),
            ("sessions", &self.sessions),
        ]
    }
}

impl Deps {
    /// Those of a process of its own: real network, clock and chance, threads as the configuration says. Made inside
    /// the runtime.
    pub fn real(net: Arc<dyn Net>, config: &MasterConfig, places: Places) -> Self {
        let accounts = &config.accounts;
        Self {
            net,
            clock: Clock::system(),
            dice: Dice::system(),
            blocking: Blocking::new(config.master.disk_threads),
            hashing: Blocking::with_queue(accounts.workers(), accounts.hash_queue),
            places,
            drain: Drain::new(),
            on_a_machine: true,
            reload: None,
            weak: Vec::new(),
            ready: None,
        }
    }

    /// Everything on the calling thread, nothing of the machine but the disk.
    pub fn simulated(net: Arc<dyn Net>, clock: Clock, dice: Dice) -> Self {
        Self {
            net,
            clock,
            dice,
            blocking: Blocking::inline(),
            hashing: Blocking::inline(),
            places: Places::here(),
            drain: Drain::new(),
            on_a_machine: false,
            reload: None,
            weak: Vec::new(),
            ready: None,
        }
    }
}
