//! For tests: the slave side over a network in memory, with slaves and a file list that the test
//! holds in its hand.

mod files;
mod scripted;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::{MemNet, Probe, settle};
use drftpd_actors::{ChildDown, Clock, Dice, Drain, EventBus, Net, Place};
use drftpd_protocol::wire::{Hello, Look, Revision, RootState, RootStatus};
use drftpd_protocol::{Epoch, RootId, SlaveId};

use super::{Authority, Enroll, SlavesClient, SlavesConfig, SlavesDeps, start};
use crate::events::RootHeld;
use crate::store::{Case, Identity, Store, StoreConfig};
use crate::tls::Certificates;

pub(crate) use files::{FakeFiles, Told};
pub(crate) use scripted::{Got, ScriptedSlave};

/// The address that scripted slaves dial from.
pub(crate) const SLAVE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

/// The slave side of a master, without the rest of it.
pub(crate) struct Rig {
    pub net: MemNet,
    pub client: SlavesClient,
    pub files: Arc<FakeFiles>,
    pub clock: Clock,
    pub identity: Identity,
    pub drain: Drain,
    pub parent: Probe<ChildDown>,
    /// Hears of roots that are held.
    pub held: Probe<RootHeld>,
    _dir: tempfile::TempDir,
}

impl Rig {
    /// Without walks, so that slaves are asked only what the test asks.
    pub async fn new() -> Self {
        Self::with(SlavesConfig {
            remerge_at_start: false,
            ..SlavesConfig::default()
        })
        .await
    }

    /// Beside the rest of a master, on its network; see [`Rig::new`].
    pub async fn beside(net: &MemNet, clock: &Clock) -> Self {
        let config = SlavesConfig {
            remerge_at_start: false,
            ..SlavesConfig::default()
        };
        Self::on(Arc::new(net.clone()), net.clone(), clock.clone(), config).await
    }

    /// With a certificate for slaves; see [`Rig::new`].
    pub async fn with_certificates(certificates: Certificates) -> Self {
        let config = SlavesConfig {
            remerge_at_start: false,
            ..SlavesConfig::default()
        };
        let (net, clock) = (MemNet::new(), Clock::manual(1_800_000_000));
        let real = Arc::new(net.clone());
        Self::build(real, net, clock, config, Some(certificates)).await
    }

    pub async fn with(config: SlavesConfig) -> Self {
        let net = MemNet::new();
        let clock = Clock::manual(1_800_000_000);
        Self::on(Arc::new(net.clone()), net, clock, config).await
    }

    /// On another network; `net` is what scripted slaves dial in memory.
    pub async fn on(real: Arc<dyn Net>, net: MemNet, clock: Clock, config: SlavesConfig) -> Self {
        Self::build(real, net, clock, config, None).await
    }

    async fn build(
        real: Arc<dyn Net>,
        net: MemNet,
        clock: Clock,
        config: SlavesConfig,
        certificates: Option<Certificates>,
    ) -> Self {
        let (dir, dice) = (tempfile::tempdir().unwrap(), Dice::seeded(7));
        let folder = dir.path().join("store");
        let settings = StoreConfig::default();
        let store = Store::inline(&folder, &settings, Case::default(), &clock, &dice).unwrap();
        let identity = Identity {
            epoch: Epoch(5),
            ..store.identity()
        };
        let authority = Authority::in_memory(clock.clone(), dice.clone()).unwrap();
        let lifetime = config.token_lifetime;
        let authority = Arc::new(authority);
        let enroll = Enroll::new(store, authority, clock.clone(), dice.clone(), lifetime);
        let (bus, held) = (EventBus::new(), Probe::start());
        bus.subscribe::<RootHeld>("test", held.recipient());
        let (files, parent, drain) = (Arc::new(FakeFiles::default()), Probe::start(), Drain::new());
        let deps = SlavesDeps {
            config: SlavesConfig {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                ..config
            },
            net: real,
            files: files.clone(),
            enroll,
            certificates,
            identity,
            clock: clock.clone(),
            dice,
            core: Place::here(),
            links: Place::here(),
            bus,
            drain: drain.clone(),
            parent: parent.recipient(),
        };
        let client = start(deps).await.unwrap();
        Self {
            net,
            client,
            files,
            clock,
            identity,
            drain,
            parent,
            held,
            _dir: dir,
        }
    }

    /// A slave that belongs to the cluster, and is online with these roots.
    pub async fn slave(&self, name: &str, roots: &[u8]) -> ScriptedSlave {
        self.client.add(&slave(name), true).await.unwrap();
        let slave = self.dial(hello(name, roots)).await;
        slave.unwrap_or_else(|refused| panic!("refused: {}", refused.why))
    }

    /// Dials and says hello; the other way out is a refusal.
    pub async fn dial(
        &self,
        hello: Hello,
    ) -> Result<ScriptedSlave, drftpd_protocol::wire::Refused> {
        self.dial_from(SLAVE_IP, hello).await
    }

    pub async fn dial_from(
        &self,
        from: IpAddr,
        hello: Hello,
    ) -> Result<ScriptedSlave, drftpd_protocol::wire::Refused> {
        let net = self.net.at(from);
        let io = net.connect(None, self.client.address()).await.unwrap();
        let welcomed = ScriptedSlave::hello(io, hello).await;
        settle().await;
        welcomed
    }

    /// Waits until the views say so.
    pub async fn until(&self, what: impl Fn(&super::SlaveViews) -> bool) {
        let mut views = self.client.views();
        let seen = views.wait_for(|views| what(views));
        let seen = tokio::time::timeout(Duration::from_secs(600), seen).await;
        seen.expect("the views never said so").unwrap();
    }
}

pub(crate) fn slave(name: &str) -> SlaveId {
    SlaveId::new(name).unwrap()
}

pub(crate) fn root(byte: u8) -> RootId {
    RootId([byte; 16])
}

pub(crate) fn status(byte: u8) -> RootStatus {
    RootStatus {
        root: root(byte),
        path: format!("/disk{byte}"),
        state: RootState::Present,
        total: 1_000_000,
        free: 500_000,
        filesystem: u64::from(byte),
        look: Look::default(),
    }
}

pub(crate) fn hello(name: &str, roots: &[u8]) -> Hello {
    Hello {
        oldest: Revision::OLDEST.into(),
        newest: Revision::NEWEST.into(),
        features: Vec::new(),
        name: slave(name),
        build: "scripted".to_owned(),
        seen: None,
        roots: roots.iter().map(|byte| status(*byte)).collect(),
        transfers: Vec::new(),
    }
}
