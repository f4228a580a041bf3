//! Starts what works in the background, behind clients.

use std::sync::Arc;

use actix::Recipient;
use drftpd_actors::{ChildDown, EventBus};

use super::MasterError;
use crate::accounts::People;
use crate::config::MasterConfig;
use crate::copies::{self, CopiesClient, CopiesDeps, Maker, Seconds};
use crate::deps::Deps;
use crate::extend::{self, Given, Plugins, ToActor};
use crate::outbox::{self, LogReader, Outbox, OutboxDeps};
use crate::rights::Rights;
use crate::scrub::{self, ScrubClient, ScrubDeps};
use crate::search::{self, Names, SearchDeps};
use crate::sections::{self, KeeperDeps};
use crate::slaves::SlavesClient;
use crate::store::Store;
use crate::tls::Current;
use crate::transfer::TransfersClient;
use crate::vfs::VfsClient;

/// What copies need, for whoever has them made.
pub(super) fn seconds(
    config: &MasterConfig,
    (vfs, slaves, transfers): (&VfsClient, &SlavesClient, &TransfersClient),
    secures: bool,
) -> Seconds {
    let copies = Arc::new(config.copies.clone());
    Seconds {
        maker: Maker {
            vfs: vfs.clone(),
            slaves: slaves.clone(),
            transfers: transfers.clone(),
            secures,
            max_rate: copies.max_rate.map(|rate| rate.as_u64()),
            blake3: config.storage.blake3,
            stall: copies.stall_timeout,
        },
        config: copies,
    }
}

pub(super) fn copier(
    seconds: &Seconds,
    deps: &Deps,
    bus: &EventBus,
    parent: &Recipient<ChildDown>,
) -> CopiesClient {
    let given = CopiesDeps {
        maker: seconds.maker.clone(),
        config: Arc::clone(&seconds.config),
        clock: deps.clock.clone(),
        drain: deps.drain.clone(),
        bus: bus.clone(),
    };
    copies::start(&deps.places.core, given, parent.clone())
}

pub(super) fn scrubber(
    config: &MasterConfig,
    deps: &Deps,
    (vfs, slaves): (&VfsClient, &SlavesClient),
    bus: &EventBus,
    parent: &Recipient<ChildDown>,
) -> ScrubClient {
    let given = ScrubDeps {
        config: config.scrub.clone(),
        blake3: config.storage.blake3,
        vfs: vfs.clone(),
        slaves: slaves.clone(),
        bus: bus.clone(),
        clock: deps.clock.clone(),
        drain: deps.drain.clone(),
    };
    scrub::start(&deps.places.core, given, parent.clone())
}

/// Starts plugins; answers them, and who of them is to be told what has happened.
pub(super) async fn plugins(
    config: &Arc<MasterConfig>,
    deps: &Deps,
    (store, vfs, bus): (&Store, &VfsClient, &EventBus),
    (people, rights): (&People, &Rights),
    parent: &Recipient<ChildDown>,
) -> Result<(Plugins, Vec<ToActor>), MasterError> {
    let given = Given {
        config: Arc::clone(config),
        rights: rights.clone(),
        store: store.clone(),
        vfs: vfs.clone(),
        people: people.clone(),
        bus: bus.clone(),
        net: Arc::clone(&deps.net),
        clock: deps.clock.clone(),
        dice: deps.dice.clone(),
        blocking: deps.blocking.clone(),
        drain: deps.drain.clone(),
    };
    let (plugins, readers) = extend::start(&given, &deps.places.core, parent)?;
    vfs.index_names(plugins.want_names()).await?;
    Ok((plugins, readers))
}

/// Starts to tell readers what has happened.
pub(super) async fn tell(
    config: &MasterConfig,
    deps: &Deps,
    (store, outbox): (&Store, &Outbox),
    (plugins, logs): (Vec<ToActor>, Vec<LogReader>),
    parent: &Recipient<ChildDown>,
) -> Result<(), MasterError> {
    let given = OutboxDeps {
        config: Arc::new(config.events.clone()),
        store: store.clone(),
        outbox: outbox.clone(),
        net: Arc::clone(&deps.net),
        clock: deps.clock.clone(),
        drain: deps.drain.clone(),
    };
    let told = (plugins, logs);
    Ok(outbox::start(&deps.places.core, given, told, parent).await?)
}

/// Begins to index names.
pub(super) fn index(
    config: &MasterConfig,
    deps: &Deps,
    (store, names): (&Store, Names),
    parent: &Recipient<ChildDown>,
) {
    let given = SearchDeps {
        config: config.search.clone(),
        store: store.clone(),
        names,
        drain: deps.drain.clone(),
    };
    search::start(&deps.places.core, given, parent.clone());
}

/// Begins to make the directories of days.
pub(super) fn days(deps: &Deps, vfs: &VfsClient, config: Current, parent: &Recipient<ChildDown>) {
    let given = KeeperDeps {
        config,
        vfs: vfs.clone(),
        clock: deps.clock.clone(),
        drain: deps.drain.clone(),
    };
    sections::start(&deps.places.core, given, parent.clone());
}
