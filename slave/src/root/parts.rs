//! What the slave is made of before its actors begin: opened roots, proofs, handles and channels,
//! and what each actor is given of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Recipient;
use drftpd_actors::{Blocking, ChildDown, Drain};
use drftpd_protocol::wire::RootStatus;
use drftpd_protocol::{RootId, SlaveId};
use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};

use crate::config::SlaveConfig;
use crate::link::seen::{Seen, SeenFile};
use crate::link::tls::{self, LinkTls};
use crate::link::{LinkDeps, LinkView, MasterAddress, Way};
use crate::ops::applied::Applied;
use crate::ops::files::WorkerDeps;
use crate::ops::log::{Batch, Worked};
use crate::ops::walk::{ScannerDeps, Source, Watching};
use crate::ops::{OpDeps, Rereads, RootActors};
use crate::space::MeterDeps;
use crate::storage::{self, Roots, StoragePolicy};
use crate::transfer::{self, TransferNotice, Transfers};
use crate::{Deps, SlaveError};

/// Notices of transfers that may wait for the link.
const NOTICES: usize = 256;

type Notices = Arc<tokio::sync::Mutex<mpsc::Receiver<TransferNotice>>>;

/// Everything that outlives the actors.
pub struct Parts {
    pub(super) name: SlaveId,
    pub(super) drain: Drain,
    pub(super) drain_limit: Duration,
    pub(super) view: Arc<watch::Sender<LinkView>>,
    config: SlaveConfig,
    deps: Deps,
    address: MasterAddress,
    tls: Option<LinkTls>,
    roots: Roots,
    seen_file: SeenFile,
    seen: Arc<Mutex<Option<Seen>>>,
    statuses: Arc<watch::Sender<Vec<RootStatus>>>,
    master: Arc<watch::Sender<Option<SocketAddr>>>,
    notices: (mpsc::Sender<TransferNotice>, Notices),
    applied: Applied,
}

impl Parts {
    /// Opens and reads everything.
    ///
    /// # Errors
    /// What is wrong with the configuration, the certificates, the roots or the remembered epoch.
    pub(crate) async fn open(config: SlaveConfig, deps: Deps) -> Result<Self, SlaveError> {
        drftpd_actors::Check::check(&config, &mut Vec::new());
        let wrong = |key: &str, why: &str| {
            SlaveError::Config(vec![drftpd_actors::ConfigError::new(key, why)])
        };
        let link = config.link.clone();
        let proves = deps.net.proves_peers();
        let tls = move || proves.then(|| tls::load(&link)).transpose();
        let tls = on_disk(&deps.blocking, tls)
            .await?
            .map_err(|error| SlaveError::Config(vec![error]))?;
        let named = config.slave.name.clone();
        let proved = tls.as_ref().and_then(|tls| tls.name.clone());
        if let (Some(named), Some(proved)) = (&named, &proved)
            && named != proved
        {
            return Err(wrong(
                "slave.name",
                &format!("differs from {proved} in the certificate"),
            ));
        }
        let name = named
            .or(proved)
            .ok_or_else(|| wrong("slave.name", "must be set, the certificate has none"))?;
        let address = config.master.address.clone();
        let address = address.ok_or_else(|| wrong("master.address", "must be set"))?;
        let seen_file = SeenFile::at(&config.link.seen);
        let file = seen_file.clone();
        let seen = on_disk(&deps.blocking, move || file.read()).await?;
        let seen = seen.map_err(|source| SlaveError::Seen {
            path: seen_file.path().to_owned(),
            source,
        })?;
        let (roots, statuses) = open_roots(&config, &deps).await?;
        let (notices, told) = mpsc::channel(NOTICES);
        Ok(Parts {
            name,
            drain: deps.drain.clone(),
            drain_limit: config.shutdown.drain,
            view: Arc::clone(&deps.view),
            address,
            tls,
            roots,
            seen_file,
            seen: Arc::new(Mutex::new(seen)),
            statuses: Arc::new(watch::Sender::new(statuses)),
            master: Arc::default(),
            notices: (notices, Arc::new(tokio::sync::Mutex::new(told))),
            applied: Applied::default(),
            config,
            deps,
        })
    }

    /// Newer configurations, if there may be any.
    pub(super) fn reload(&mut self) -> Option<watch::Receiver<SlaveConfig>> {
        self.deps.reload.take()
    }

    pub(super) fn await_next(&mut self, reload: watch::Receiver<SlaveConfig>) {
        self.deps.reload = Some(reload);
    }

    /// Takes a newer configuration; gives the sections of it that have to wait for a restart.
    pub(super) fn take(&mut self, newer: &SlaveConfig) -> Vec<&'static str> {
        self.drain_limit = newer.shutdown.drain;
        self.config.waiting_for_restart(newer)
    }

    /// Roots that were seen.
    pub(super) fn root_ids(&self) -> Vec<RootId> {
        let statuses = self.statuses.borrow();
        statuses.iter().map(|status| status.root).collect()
    }

    pub(super) fn transfer_deps(&self, parent: Recipient<ChildDown>) -> transfer::Deps {
        transfer::Deps {
            roots: self.roots.clone(),
            blocking: self.deps.blocking.clone(),
            net: Arc::clone(&self.deps.net),
            place: self.deps.place.clone(),
            master: self.master.subscribe(),
            applied: self.applied.clone(),
            notices: self.notices.0.clone(),
            dice: self.deps.dice.clone(),
            config: self.config.transfer.clone(),
            parent,
        }
    }

    pub(super) fn meter_deps(&self) -> MeterDeps {
        let [ask, look, empty] = [(); 3].map(|()| self.roots.clone());
        MeterDeps {
            ask: Arc::new(move |root| ask.status(root)),
            look: Arc::new(move || {
                let come = look.look_for_new().into_iter();
                come.filter_map(|root| look.status(root)).collect()
            }),
            empty: Arc::new(move || {
                let emptied = empty.empty_trash();
                emptied.unwrap_or_else(|error| {
                    tracing::warn!(%error, "trash could not be emptied");
                    0
                })
            }),
            blocking: self.deps.probes.clone(),
            statuses: Arc::clone(&self.statuses),
        }
    }

    pub(super) fn worker_deps(&self, root: RootId) -> WorkerDeps {
        let roots = self.roots.clone();
        let apply = move |batch: &Batch| {
            let applied = match roots.get(root) {
                Ok(root) => root.apply_all(batch),
                Err(error) => storage::Applied {
                    through: None,
                    remarks: Vec::new(),
                    error: Some(error),
                },
            };
            let failed = batch.iter().map(|(seq, _)| *seq);
            let failed = failed
                .into_iter()
                .find(|seq| applied.through.is_none_or(|done| *seq > done));
            Worked {
                through: applied.through,
                remarks: applied.remarks,
                failed: failed.zip(applied.error.map(|error| error.fault())),
            }
        };
        WorkerDeps {
            root,
            apply: Arc::new(apply),
            applied: self.applied.clone(),
            blocking: self.deps.blocking.clone(),
        }
    }

    /// How a root is watched, if other programs work on it too.
    fn watching(&self, root: RootId) -> Option<Watching> {
        let all = self.roots.all();
        let sharing = all.iter().find(|known| known.id() == root)?.shared()?;
        let roots = self.roots.clone();
        Some(Watching {
            open: Arc::new(move || roots.get(root)?.watch()),
            quiet: sharing.quiet,
            rescan_every: sharing.rescan_every,
        })
    }

    pub(super) fn scanner_deps(&self, root: RootId, transfers: &Transfers) -> ScannerDeps {
        let (roots, transfers) = (self.roots.clone(), transfers.clone());
        let watching = self.watching(root);
        let applied = self.applied.clone();
        let running = move || {
            let transfers = transfers.clone();
            async move { transfers.running_files().await }.boxed()
        };
        ScannerDeps {
            root,
            open: Arc::new(move |which| {
                let applied = applied.clone();
                let digests = which
                    .digests
                    .then(|| -> storage::AppliedNow { Arc::new(move || applied.of(root)) });
                let begun = roots.get(root);
                let begun = begun.and_then(|it| it.walk(which.number, which.running, digests));
                let source = begun.map(|walk| match which.parts.is_empty() {
                    true => Box::new(walk) as Source,
                    false => Box::new(walk.only(which.parts)),
                });
                source.map_err(|error| error.fault())
            }),
            running: Arc::new(running),
            rate: self.config.storage.walk_rate,
            blocking: self.deps.blocking.clone(),
            watching,
        }
    }

    pub(super) fn link_deps(
        &self,
        transfers: Transfers,
        actors: watch::Receiver<BTreeMap<RootId, RootActors>>,
    ) -> LinkDeps {
        let link = &self.config.link;
        LinkDeps {
            way: Way {
                net: Arc::clone(&self.deps.net),
                address: self.address.clone(),
                tls: self.tls.clone(),
                limit: link.connect_timeout,
            },
            name: self.name.clone(),
            backoff_min: link.backoff_min,
            backoff_max: link.backoff_max,
            max_calls: link.max_calls,
            dice: self.deps.dice.clone(),
            ops: Arc::new(OpDeps {
                roots: self.roots.clone(),
                transfers,
                applied: self.applied.clone(),
                blocking: self.deps.blocking.clone(),
                rereads: Rereads::default(),
                actors,
            }),
            notices: Arc::clone(&self.notices.1),
            statuses: self.statuses.subscribe(),
            seen_file: self.seen_file.clone(),
            seen: Arc::clone(&self.seen),
            view: Arc::clone(&self.view),
            master: Arc::clone(&self.master),
            links: Arc::new(AtomicU64::new(0)),
            drain: self.drain.clone(),
        }
    }
}

async fn open_roots(
    config: &SlaveConfig,
    deps: &Deps,
) -> Result<(Roots, Vec<RootStatus>), SlaveError> {
    let configured = config.roots();
    let policy = StoragePolicy {
        pretended_space: deps.pretended_space,
        ..config.policy()
    };
    let (clock, dice) = (deps.clock.clone(), deps.dice.clone());
    let opened = on_disk(&deps.blocking, move || {
        let roots = Roots::open(&configured, policy, clock, dice)?;
        let statuses = roots.statuses();
        Ok((roots, statuses))
    });
    opened.await?.map_err(SlaveError::Storage)
}

async fn on_disk<R: Send + 'static>(
    blocking: &Blocking,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, SlaveError> {
    let done = blocking.run(work).await;
    done.map_err(|error| SlaveError::Blocking(error.to_string()))
}
