//! Starts the areas, each after those that it asks.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use actix::{Addr, Recipient};
use drftpd_actors::{Budget, ChildDown, ChildSpec, EventBus, Health, supervise};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

use super::MasterError;
use super::background::{copier, days, index, plugins, scrubber, seconds, tell};
use super::looked::Watch;
use crate::accounts::{AccountsActor, AccountsClient, AccountsDeps, People};
use crate::acme::{self, Acme};
use crate::admin::site::Site;
use crate::admin::socket::ControlSocket;
use crate::admin::{Facilities, Online};
use crate::api::{self, Api, Shared, Told, Vital};
use crate::config::MasterConfig;
use crate::deps::{Deps, Serving};
use crate::ftp::data::DataSide;
use crate::ftp::{self, Services};
use crate::logs;
use crate::outbox::Outbox;
use crate::pages::Pages;
use crate::rights::Rights;
use crate::search::Names;
use crate::slaves::{self, Authority, Enroll, SlavesClient, SlavesDeps};
use crate::store::{Store, look_for_space};
use crate::tls::{CannotSecure, Certificates, Current, Keeper};
use crate::transfer::{self, TransferDeps, TransfersClient};
use crate::vfs::{self, VfsClient};

/// Questions that may wait for the accounts before askers do.
const ACCOUNTS_MAILBOX: usize = 256;

/// Everything that was started, for the end.
pub(super) struct Parts {
    pub store: Store,
    pub serving: Serving,
    pub control: Option<ControlSocket>,
    pub api: Option<Api>,
    pub level: Option<JoinHandle<()>>,
    /// Looks after a full disk.
    pub space: Option<JoinHandle<()>>,
    /// Follows the files of the certificate as long as it lives.
    pub _certificate: Option<Keeper>,
    /// Orders certificates as long as somebody has its address.
    pub _acme: Option<Addr<Acme>>,
}

/// Starts a master.
pub(super) async fn start(
    config: &MasterConfig,
    deps: Deps,
    parent: Recipient<ChildDown>,
) -> Result<Parts, MasterError> {
    let since = Instant::now();
    let config = Arc::new(config.clone());
    let store = open_store(&config, &deps)?;
    let enroll = enroll(&config, &deps, &store)?;
    let (bus, health) = (EventBus::new(), Health::new());
    let watch = Watch {
        health: &health,
        within: config.admin.alive_within,
    };
    watch.places(&deps);
    let logs = logs::start(&config, &deps, (&store, &bus), &parent)?;
    let people = People::new(&config.accounts, &deps.dice)?;
    let outbox = Outbox::new(config.events.keep);
    let with = (&store, &people, &outbox);
    let accounts = accounts(&config, &deps, with, &parent, &watch)?;
    let names = Names::new(config.search.enabled);
    let vfs = files(&config, &deps, (&store, &outbox, &names), &parent).await?;
    watch.actor("vfs", &vfs.ping());
    let keeper = certificate(&config, &deps)?;
    let certificates = keeper.as_ref().map(|keeper| keeper.certificates.clone());
    let look = keeper.as_ref().map(|keeper| keeper.look.clone());
    let list = (&store, &vfs, enroll.clone());
    let with = (certificates, bus.clone());
    let slaves = slave_side(&config, &deps, list, with, &parent).await?;
    watch.actor("slave_registry", &slaves.ping());
    let transfers = coordinator(&config, &deps, &store, &slaves, &parent);
    watch.actor("transfer_coordinator", &transfers.ping());
    let clients = (&vfs, &slaves, &transfers);
    let seconds = seconds(&config, clients, keeper.is_some());
    let copies = copier(&seconds, &deps, &bus, &parent);
    let rights = Rights::of(current(&config, &deps));
    let with = (&store, &vfs, &bus);
    let (plugins, hearers) = plugins(&config, &deps, with, (&people, &rights), &parent).await?;
    tell(&config, &deps, (&store, &outbox), (hearers, logs), &parent).await?;
    index(&config, &deps, (&store, names), &parent);
    days(&deps, &vfs, current(&config, &deps), &parent);
    let scrub = scrubber(&config, &deps, (&vfs, &slaves), &bus, &parent);
    let facilities = Arc::new(Facilities {
        store: store.clone(),
        enroll,
        people,
        clock: deps.clock.clone(),
        dice: deps.dice.clone(),
        blocking: deps.blocking.clone(),
        config: Arc::clone(&config),
        weak: deps.weak.clone(),
        rights,
        online: OnceLock::new(),
    });
    for weak in facilities.weak_settings() {
        warn!(setting = weak, "weaker than the default");
    }
    let data = DataSide::new(config.passive.clone(), config.data.clone());
    let own_ports = own_ports(&config, slaves.address());
    let data = data.for_clients(config.clients.clone());
    let data = Arc::new(data.with_fxp(config.fxp.clone(), own_ports));
    let services = Services {
        vfs: vfs.clone(),
        accounts,
        rights: facilities.rights.clone(),
        transfers: transfers.clone(),
        slaves: slaves.clone(),
        seconds,
        site: Arc::new(Site::new(Arc::clone(&facilities))),
        pages: Pages::of(current(&config, &deps)),
        net: Arc::clone(&deps.net),
        clock: deps.clock.clone(),
        dice: deps.dice.clone(),
        bus: bus.clone(),
        drain: deps.drain.clone(),
        config: Arc::new(config.ftp.clone()),
        data: Arc::clone(&data),
        tls: keeper.as_ref().map(|keeper| keeper.tls.clone()),
        plugins: plugins.clone(),
    };
    let implicit = match services.tls {
        Some(_) => &config.tls.listen_implicit[..],
        None => &[],
    };
    let sessions = deps.places.sessions.clone();
    let ftp = ftp::start(services, implicit, sessions, parent.clone()).await?;
    watch.actor("ftp_acceptor", &ftp.ping);
    let online = Online {
        sessions: ftp.sessions,
        slaves: slaves.clone(),
        transfers,
        vfs: vfs.clone(),
        copies,
        scrub,
        outbox,
        health: health.clone(),
        bus: bus.clone(),
        drain: deps.drain.clone(),
        reload: deps.reload.clone(),
        since,
        ftp: ftp.addresses.clone(),
        data,
        plugins,
    };
    // Nobody else sets it.
    drop(facilities.online.set(online));
    let told = Told::new(config.api.events_kept);
    api::events::hear(&bus, &told, parent.clone());
    let vital = Vital {
        health,
        within: config.admin.alive_within,
        full: store.full(),
    };
    let current = current(&config, &deps);
    let shared = Shared::new(
        Arc::clone(&facilities),
        vital,
        (deps.drain.clone(), told),
        current.clone(),
    );
    let shown = keeper.as_ref().map(|keeper| keeper.certificates.clone());
    let api = Api::start(&config, &deps, shared, (current, shown)).await?;
    let control = match deps.on_a_machine {
        true => Some(control(&config, Arc::clone(&facilities))?),
        false => None,
    };
    let serving = Serving {
        ftp: ftp.addresses,
        implicit: ftp.implicit,
        admin: api.admin,
        api: api.own.clone(),
        slaves,
    };
    // Last of all: the master serves whatever comes of it.
    let acme = look.and_then(|look| acme::start(&config, &deps, look, parent));
    let space = deps.on_a_machine.then(|| look_for_space(store.clone()));
    Ok(Parts {
        space: space.map(tokio::task::spawn_local),
        store,
        serving,
        control,
        api: Some(api),
        level: follow(&deps, &facilities.people),
        _certificate: keeper,
        _acme: acme,
    })
}

/// Ports at which the master itself listens: no data connection of it goes there.
pub(super) fn own_ports(config: &MasterConfig, slaves: SocketAddr) -> Vec<u16> {
    let ftp = config.ftp.listen.iter().chain(&config.tls.listen_implicit);
    let others = [slaves, config.admin.listen];
    let all = ftp.chain(&others).chain(&config.api.listen);
    all.map(SocketAddr::port).collect()
}

fn open_store(config: &MasterConfig, deps: &Deps) -> Result<Store, MasterError> {
    let folder = config.master.store();
    let open = if deps.on_a_machine {
        Store::open
    } else {
        Store::inline
    };
    let store = open(
        &folder,
        &config.store,
        config.names.case,
        &deps.clock,
        &deps.dice,
    );
    store.map_err(|source| MasterError::Store {
        folder: folder.display().to_string(),
        source,
    })
}

/// The certificate for FTP clients, where the network has TLS.
fn certificate(config: &MasterConfig, deps: &Deps) -> Result<Option<Keeper>, CannotSecure> {
    if !deps.net.proves_peers() {
        return Ok(None);
    }
    let blocking = deps.blocking.clone();
    Keeper::start(current(config, deps), &deps.clock, &deps.dice, blocking).map(Some)
}

/// The configuration that counts, whether or not it is ever read again.
fn current(config: &MasterConfig, deps: &Deps) -> Current {
    match &deps.reload {
        Some(reload) => reload.current(),
        None => watch::channel(Arc::new(config.clone())).1,
    }
}

fn enroll(config: &MasterConfig, deps: &Deps, store: &Store) -> Result<Enroll, MasterError> {
    let (clock, dice) = (deps.clock.clone(), deps.dice.clone());
    let authority = Authority::open(&config.master.authority(), clock.clone(), dice.clone())?;
    let lifetime = config.slaves.token_lifetime;
    Ok(Enroll::new(
        store.clone(),
        Arc::new(authority),
        clock,
        dice,
        lifetime,
    ))
}

fn accounts(
    config: &MasterConfig,
    deps: &Deps,
    (store, people, outbox): (&Store, &People, &Outbox),
    parent: &Recipient<ChildDown>,
    watch: &Watch<'_>,
) -> Result<AccountsClient, MasterError> {
    let now = deps.clock.unix();
    let bans = store.read(|sql| people.bans.load(sql, now));
    bans.map_err(|source| MasterError::Store {
        folder: config.master.store().display().to_string(),
        source,
    })?;
    let networks = [&config.ftp.bouncers, &config.ftp.proxies];
    let given = AccountsDeps {
        store: store.clone(),
        people: people.clone(),
        pool: deps.hashing.clone(),
        clock: deps.clock.clone(),
        outbox: outbox.clone(),
        exempt: networks.into_iter().flatten().copied().collect(),
    };
    let spec = ChildSpec::new("accounts", ACCOUNTS_MAILBOX, Budget::CORE, parent.clone());
    let make = given.clone();
    let actor = supervise(&deps.places.core, spec, move || AccountsActor::new(make));
    watch.actor("accounts", &actor.clone().recipient());
    Ok(AccountsClient::of(&actor, given))
}

async fn files(
    config: &MasterConfig,
    deps: &Deps,
    (store, outbox, names): (&Store, &Outbox, &Names),
    parent: &Recipient<ChildDown>,
) -> Result<VfsClient, MasterError> {
    let given = vfs::Deps {
        store: store.clone(),
        blocking: deps.blocking.clone(),
        config: config.storage.clone(),
        copies: Arc::new(config.copies.clone()),
        clock: deps.clock.clone(),
        outbox: outbox.clone(),
        names: names.clone(),
    };
    Ok(vfs::start(&deps.places.vfs, given, parent.clone()).await?)
}

async fn slave_side(
    config: &MasterConfig,
    deps: &Deps,
    (store, vfs, enroll): (&Store, &VfsClient, Enroll),
    (certificates, bus): (Option<Certificates>, EventBus),
    parent: &Recipient<ChildDown>,
) -> Result<SlavesClient, MasterError> {
    let given = SlavesDeps {
        config: config.slaves.clone(),
        net: Arc::clone(&deps.net),
        files: Arc::new(vfs.clone()),
        enroll,
        certificates,
        identity: store.identity(),
        clock: deps.clock.clone(),
        dice: deps.dice.clone(),
        core: deps.places.core.clone(),
        links: deps.places.links.clone(),
        bus,
        drain: deps.drain.clone(),
        parent: parent.clone(),
    };
    Ok(slaves::start(given).await?)
}

fn coordinator(
    config: &MasterConfig,
    deps: &Deps,
    store: &Store,
    slaves: &SlavesClient,
    parent: &Recipient<ChildDown>,
) -> TransfersClient {
    let given = TransferDeps {
        config: config.transfer.clone(),
        views: slaves.views(),
        ids: store.clone().into(),
        clock: deps.clock.clone(),
    };
    transfer::start(&deps.places.core, given, parent.clone())
}

fn control(config: &MasterConfig, of: Arc<Facilities>) -> Result<ControlSocket, MasterError> {
    let folder = &config.master.dir;
    ControlSocket::start(folder, of).map_err(|source| MasterError::Control {
        folder: folder.display().to_string(),
        source,
    })
}

/// Takes the log level and `[accounts]` of a configuration that was read again.
fn follow(deps: &Deps, people: &People) -> Option<JoinHandle<()>> {
    let mut current = deps.reload.as_ref()?.current();
    let people = people.clone();
    Some(tokio::task::spawn_local(async move {
        while current.changed().await.is_ok() {
            let config = Arc::clone(&current.borrow_and_update());
            people.take(config.accounts.clone());
            let level = config.log.level.clone();
            if let Err(why) = drftpd_actors::set_log_level(&level) {
                warn!(%why, "log level not changed");
            }
        }
    }))
}
