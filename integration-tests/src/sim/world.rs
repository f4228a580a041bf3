//! The hosts: one master and its slaves with their folders, made to be started, crashed and started again.

use std::cell::{Cell, RefCell};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};
use drftpd_actors::testkit::TurmoilNet;
use drftpd_actors::{Blocking, Clock, Dice, Drain, Place};
use drftpd_master::accounts::ensure_administrator;
use drftpd_master::copies::CopyRule;
use drftpd_master::slaves::{Authority, Enroll, SlaveViews};
use drftpd_master::store::{Durability, Store};
use drftpd_master::{MasterConfig, Serving};
use drftpd_protocol::SlaveId;
use drftpd_slave::SlaveConfig;
use drftpd_slave::config::RootConfig;
use drftpd_slave::storage::{Fsync, Roots};
use tempfile::TempDir;
use turmoil::Sim;

use crate::cluster::{PASSWORD, USER};
use crate::users::{Site, Trace};

/// When every simulation begins, Unix seconds.
const BEGIN: i64 = 1_800_000_000;
/// Simulated time of one step: what is sent in it arrives in the next one at the earliest.
pub const TICK: Duration = Duration::from_millis(5);
/// The longest time that a message takes on a link that is well.
pub const LATENCY: Duration = Duration::from_millis(40);
/// Where clients connect on the master.
pub const FTP: u16 = 21;
/// Where slaves dial on the master.
const LINKS: u16 = 2122;

/// What a cluster is.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Hosts that store.
    pub slaves: usize,
    /// Copies that each file shall have.
    pub copies: usize,
    /// Copies that each upload has before 226.
    pub at_226: u32,
}

/// What the hosts are made of; outlives their crashes.
pub struct World {
    dir: TempDir,
    seed: u64,
    shape: Shape,
    clock: Clock,
    slaves: Vec<String>,
    serving: Rc<RefCell<Option<Serving>>>,
}

impl World {
    /// A cluster of this shape, made as `init` and `join` make it, in folders of its own.
    pub fn new(seed: u64, shape: Shape) -> Result<Self> {
        let world = Self {
            dir: tempfile::Builder::new().prefix("drftpd-sim-").tempdir()?,
            seed,
            shape,
            clock: Clock::manual(BEGIN),
            slaves: (1..=shape.slaves).map(|n| format!("slave-{n}")).collect(),
            serving: Rc::default(),
        };
        drftpd_actors::block_on(world.make())??;
        Ok(world)
    }

    async fn make(&self) -> Result<()> {
        let (config, clock, dice) = (self.master(), self.clock.clone(), self.dice("make", 0));
        fs::create_dir_all(&config.master.dir)?;
        let folder = config.master.store();
        let store = Store::inline(&folder, &config.store, config.names.case, &clock, &dice)?;
        let with = (&clock, &dice);
        ensure_administrator(&store, &config.accounts, with, USER, Some(PASSWORD)).await?;
        let authority = Authority::open(&config.master.authority(), clock.clone(), dice.clone())?;
        let hour = Duration::from_secs(3600);
        let enroll = Enroll::new(store, Arc::new(authority), clock, dice.clone(), hour);
        for slave in &self.slaves {
            enroll.add(&SlaveId::new(slave)?, false).await?;
            Roots::create(&self.root(slave), &dice)?;
        }
        Ok(())
    }

    /// Names of the slaves' hosts.
    pub fn slaves(&self) -> &[String] {
        &self.slaves
    }

    /// What it is.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Where users work who are hosts of it.
    pub fn site(&self, trace: &Trace) -> Site {
        Site::simulated(FTP, trace)
    }

    /// All slaves' storage folders, by their names.
    pub fn roots(&self) -> Vec<(String, PathBuf)> {
        let root = |slave: &String| (slave.clone(), self.root(slave));
        self.slaves.iter().map(root).collect()
    }

    /// The storage folder of a slave.
    pub fn root(&self, slave: &str) -> PathBuf {
        self.path().join(slave).join("root")
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The network, and all hosts on it.
    pub fn build(&self) -> Sim<'_> {
        let mut builder = turmoil::Builder::new();
        builder
            .rng_seed(self.seed)
            .epoch(UNIX_EPOCH + Duration::from_secs(BEGIN.unsigned_abs()))
            .tick_duration(TICK)
            .simulation_duration(Duration::from_secs(24 * 3600))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(LATENCY)
            .tcp_capacity(256)
            .enable_random_order();
        let mut sim = builder.build();
        let starts = Cell::new(0);
        sim.host("master", move || self.run_master(&starts));
        for slave in &self.slaves {
            let starts = Cell::new(0);
            sim.host(slave.as_str(), move || self.run_slave(slave, &starts));
        }
        sim
    }

    /// One step of the simulation; the time of day goes with it. Tells whether all clients are done.
    pub fn step(&self, sim: &mut Sim<'_>) -> Result<bool> {
        let done = sim.step().map_err(|why| anyhow::anyhow!("{why}"))?;
        self.clock.advance(TICK);
        Ok(done)
    }

    /// Ends a host in the middle of whatever it does.
    pub fn crash(&self, sim: &mut Sim<'_>, host: &str) {
        if host == "master" {
            // It holds the store.
            drop(self.serving.take());
        }
        sim.crash(host);
    }

    /// The slaves as the master sees them; nothing while it is down.
    pub fn views(&self) -> Option<SlaveViews> {
        let serving = self.serving.borrow();
        serving
            .as_ref()
            .map(|serving| Arc::clone(&serving.slaves.views().borrow()))
    }

    fn run_master(&self, starts: &Cell<u64>) -> impl Future<Output = turmoil::Result> + use<> {
        let dice = self.dice("master", starts.replace(starts.get() + 1));
        let net = Arc::new(TurmoilNet);
        let mut deps = drftpd_master::Deps::simulated(net, self.clock.clone(), dice);
        let serving = Rc::clone(&self.serving);
        deps.ready = Some(Box::new(move |ready| drop(serving.replace(Some(ready)))));
        let config = self.master();
        async move { Ok(drftpd_master::run(config, deps).await?) }
    }

    fn run_slave(
        &self,
        name: &str,
        starts: &Cell<u64>,
    ) -> impl Future<Output = turmoil::Result> + use<> {
        let deps = drftpd_slave::Deps {
            net: Arc::new(TurmoilNet),
            clock: self.clock.clone(),
            dice: self.dice(name, starts.replace(starts.get() + 1)),
            blocking: Blocking::inline(),
            probes: Blocking::inline(),
            place: Place::here(),
            drain: Drain::new(),
            view: Arc::default(),
            reload: None,
            pretended_space: Some(1 << 40),
        };
        let config = self.slave(name);
        async move { Ok(drftpd_slave::run(config?, deps).await?) }
    }

    /// Chance for the n-th start of a host.
    fn dice(&self, host: &str, start: u64) -> Dice {
        let host = host.bytes().fold(self.seed, |sum, byte| {
            sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
        });
        Dice::seeded(host.wrapping_add(start.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    fn master(&self) -> MasterConfig {
        let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let mut config = MasterConfig::default();
        config.master.dir = self.path().join("master");
        config.store.durability = Durability::Relaxed;
        config.accounts.hash_memory_kib = 8;
        config.accounts.hash_rounds = 1;
        config.ftp.listen = vec![everywhere(FTP)];
        config.passive.address = Some(Ipv4Addr::UNSPECIFIED.into());
        config.slaves.listen = everywhere(LINKS);
        config.slaves.heartbeat = Duration::from_secs(1);
        config.slaves.lost_transfer_after = Duration::from_secs(6);
        config.data.connect_timeout = Duration::from_secs(5);
        config.data.stall_timeout = Duration::from_secs(5);
        config.data.open_timeout = Duration::from_secs(3);
        if self.shape.copies > 1 {
            config.copies.rules = vec![CopyRule {
                copies: u32::try_from(self.shape.copies).unwrap_or(u32::MAX),
                ack_copies: self.shape.at_226,
                ..CopyRule::none()
            }];
            config.copies.stall_timeout = Duration::from_secs(5);
            config.copies.ack_timeout = Duration::from_secs(3);
            config.copies.retry_from = Duration::from_secs(1);
            config.copies.retry_to = Duration::from_secs(3);
        }
        config
    }

    fn slave(&self, name: &str) -> Result<SlaveConfig> {
        let mut config = SlaveConfig::default();
        config.slave.name = Some(SlaveId::new(name)?);
        let address = format!("master:{LINKS}").parse();
        config.master.address = Some(address.context("the master's address")?);
        config.link.seen = self.path().join(name).join("seen");
        config.link.connect_timeout = Duration::from_secs(3);
        config.link.backoff_min = Duration::from_millis(200);
        config.link.backoff_max = Duration::from_secs(3);
        config.storage.fsync = Fsync::Never;
        config.root = vec![RootConfig::at(self.root(name))];
        Ok(config)
    }
}
