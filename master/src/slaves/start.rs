//! Starts the slave side of the master: the port, the registry, and the handle for all others.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actix::Recipient;
use drftpd_actors::{
    Budget, ChildDown, ChildSpec, Clock, Dice, Drain, EventBus, Net, Place, ask, supervise,
};
use tokio::sync::watch;

use super::authority::AuthorityError;
use super::client::SlavesClient;
use super::config::SlavesConfig;
use super::door::{self, Door};
use super::enroll::Enroll;
use super::filelist::FileList;
use super::registry::{self, SlaveRegistry};
use super::roots::RootDeps;
use super::unproven::Unproven;
use crate::store::Identity;
use crate::tls::Certificates;

/// Messages that may wait for the registry before askers do.
const MAILBOX: usize = 1024;

/// Everything that the slave side is given.
pub struct SlavesDeps {
    /// `[slaves]`.
    pub config: SlavesConfig,
    /// The network.
    pub net: Arc<dyn Net>,
    /// The file list; a [`crate::vfs::VfsClient`] is one.
    pub files: Arc<dyn FileList>,
    /// The list of slaves.
    pub enroll: Enroll,
    /// The certificate that FTP clients see, where there is one: every slave gets it.
    pub certificates: Option<Certificates>,
    /// Which store this is, and its epoch.
    pub identity: Identity,
    /// The time of day.
    pub clock: Clock,
    /// For tokens; must be the system's outside of tests.
    pub dice: Dice,
    /// Where the registry runs.
    pub core: Place,
    /// Where links run: a pool of arbiters.
    pub links: Place,
    /// Where what walks find is published.
    pub bus: EventBus,
    /// When the master drains, nobody new is let in.
    pub drain: Drain,
    /// Hears when the registry is down for good.
    pub parent: Recipient<ChildDown>,
}

/// Why the slave side did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SlavesStartError {
    /// The port is taken, or not ours to have.
    #[error("cannot listen for slaves at {0}")]
    Listen(std::net::SocketAddr, #[source] io::Error),
    /// TLS for the port.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The registry did not come up.
    #[error("the registry of slaves did not start")]
    Registry,
}

/// Starts the slave side; must be called on the arbiter that will accept connections.
///
/// # Errors
/// When the port cannot be had.
pub async fn start(deps: SlavesDeps) -> Result<SlavesClient, SlavesStartError> {
    let config = Arc::new(deps.config);
    let at = config.listen;
    let failed = |why| SlavesStartError::Listen(at, why);
    let listener = deps.net.bind(at).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let tls = deps.enroll.authority().link_config()?;
    let (views_tx, views) = watch::channel(Arc::default());
    let (links_tx, links) = watch::channel(Arc::default());
    let (lives_tx, registry_lives) = watch::channel(watch::channel(()).1);
    let registry_deps = registry::Deps {
        config: Arc::clone(&config),
        files: Arc::clone(&deps.files),
        clock: deps.clock,
        dice: deps.dice.clone(),
        epoch: deps.identity.epoch,
        store: deps.identity.store,
        first_transfer: deps.enroll.first_transfer(),
        last_link: Arc::new(AtomicU64::new(0)),
        views: views_tx,
        links: links_tx,
        bus: deps.bus.clone(),
        lives: lives_tx,
    };
    let spec = ChildSpec::new("slave_registry", MAILBOX, Budget::CORE, deps.parent);
    let registry = supervise(&deps.core, spec, move || SlaveRegistry::new(registry_deps));
    let up = ask(&registry, super::messages::AreYouUp, door::REGISTRY_ANSWERS).await;
    up.map_err(|_| SlavesStartError::Registry)?;
    let door = Door {
        net: deps.net,
        config: Arc::clone(&config),
        registry: registry.clone(),
        registry_lives,
        enroll: deps.enroll.clone(),
        certificates: deps.certificates,
        tls,
        epoch: deps.identity.epoch,
        place: deps.links,
        roots: Arc::new(RootDeps {
            config: Arc::clone(&config),
            files: deps.files,
            links: links.clone(),
            views: views.clone(),
            dice: deps.dice,
            bus: deps.bus,
        }),
        unproven: Unproven::new(config.max_unproven, config.max_unproven_per_address),
        drain: deps.drain,
    };
    tokio::task::spawn_local(door::accept(listener, Arc::new(door)));
    Ok(SlavesClient {
        registry,
        links,
        views,
        enroll: deps.enroll,
        address,
    })
}
