//! `MasterRoot`, the top of the master's actors, and [`run`]: the whole master as one function.
//!
//! It starts the areas in order, waits until the master shall end, and ends them in reverse. Nobody asks the root; it
//! hears of children that are down. One that spent its restarts makes the master drain and end with an error: an honest
//! restart of the process is better than half a master. A plugin that spent them stays off, and nothing else ends.

mod background;
mod close;
mod looked;
mod start;

#[cfg(test)]
mod tests;

use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Recipient};
use drftpd_actors::{ChildDown, Drain, Ended};
use tokio::sync::watch;
use tracing::{error, info};

use crate::accounts::password::HashError;
use crate::api::CannotServe;
use crate::config::MasterConfig;
use crate::deps::Deps;
use crate::extend::{CannotStart, Extensions};
use crate::ftp::CannotListen;
use crate::slaves::{AuthorityError, SlavesStartError};
use crate::store::StoreError;
use crate::tls::CannotSecure;
use crate::vfs::VfsError;

/// Children without which the master is as good as before; so it is without plugins and logs.
const PLUGINS: [&str; 7] = [
    crate::api::events::NAME,
    crate::acme::NAME,
    crate::copies::NAME,
    crate::scrub::NAME,
    crate::outbox::NAME,
    crate::search::NAME,
    crate::sections::NAME,
];

/// Why a master could not begin, or ended with an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MasterError {
    /// The store cannot be used, or another master has it.
    #[error("the store in {folder}")]
    Store {
        /// Its folder.
        folder: String,
        /// Why not.
        source: StoreError,
    },
    /// The cluster's authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Passwords cannot be checked.
    #[error("[accounts]")]
    Hashing(#[from] HashError),
    /// The file list.
    #[error("the file list did not start")]
    Files(#[from] VfsError),
    /// The certificate for FTP clients.
    #[error("[tls]")]
    Secure(#[from] CannotSecure),
    /// The slave side.
    #[error(transparent)]
    Slaves(#[from] SlavesStartError),
    /// A plugin.
    #[error("[plugins.{name}]")]
    Plugin {
        /// Which.
        name: &'static str,
        /// Why not.
        source: CannotStart,
    },
    /// Who is told what has happened.
    #[error("[events]")]
    Events(#[from] crate::outbox::CannotTell),
    /// The FTP side.
    #[error("the ftp side")]
    Ftp(#[from] CannotListen),
    /// The health page and the API.
    #[error(transparent)]
    Api(#[from] CannotServe),
    /// The control socket.
    #[error("the control socket in {folder}")]
    Control {
        /// In which folder.
        folder: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A log in a file of its own.
    #[error("{key}: {file}")]
    Log {
        /// Its key in the configuration.
        key: &'static str,
        /// The file.
        file: String,
        /// Why not.
        source: std::io::Error,
    },
    /// An actor without which the master is of no use was restarted too often.
    #[error("the actor {0} failed again and again")]
    GaveUp(&'static str),
    /// The store failed while the master ran.
    #[error("the store failed: {0}")]
    StoreFailed(String),
    /// What was acknowledged may not be on the disk.
    #[error("the store was not flushed")]
    NotFlushed(#[source] StoreError),
}

/// A whole master: opens its store, serves for ever, and ends when it has drained.
///
/// Must be called inside a `LocalSet` (see `drftpd_actors::block_on`).
///
/// # Errors
/// [`MasterError`].
pub async fn run(config: MasterConfig, mut deps: Deps) -> Result<(), MasterError> {
    let ready = deps.ready.take();
    let (drain, reload) = (deps.drain.clone(), deps.reload.clone());
    let limit = move |config: &MasterConfig| {
        let current = reload.as_ref().map(|reload| reload.current());
        let current = current.map(|current| current.borrow().shutdown.drain);
        current.unwrap_or(config.shutdown.drain)
    };
    let mut root = Root::start(&drain, config.shutdown.drain, &config.extensions);
    let mut parts = start::start(&config, deps, root.parent()).await?;
    info!(ftp = ?parts.serving.ftp, admin = ?parts.serving.admin, slaves = %parts.serving.slaves.address(), "master serves");
    if let Some(ready) = ready {
        ready(parts.serving.clone());
    }
    let failed = tokio::select! {
        biased;
        () = drain.draining() => None,
        why = parts.store.failure() => Some(MasterError::StoreFailed(why)),
    };
    if failed.is_some() {
        // Nothing can be committed any more: nothing is worth waiting for.
        drain.begin(Duration::ZERO);
    }
    info!(limit = ?limit(&config), "master drains");
    let closed = parts.close(&drain).await;
    match failed.or(root.failure()) {
        Some(why) => Err(why),
        None => closed,
    }
}

/// Hears of children that are down.
struct MasterRoot {
    drain: Drain,
    limit: Duration,
    extensions: Extensions,
    failed: watch::Sender<Option<ChildDown>>,
}

/// The root from outside.
struct Root {
    actor: Addr<MasterRoot>,
    failed: watch::Receiver<Option<ChildDown>>,
}

impl Root {
    /// Starts it on this thread. It is the top: nobody restarts it, and it does nothing that could fail.
    fn start(drain: &Drain, limit: Duration, extensions: &Extensions) -> Self {
        let (failed, heard) = watch::channel(None);
        let (drain, extensions) = (drain.clone(), extensions.clone());
        let actor = MasterRoot::create(|_| MasterRoot {
            drain,
            limit,
            extensions,
            failed,
        });
        Self {
            actor,
            failed: heard,
        }
    }

    /// The parent of all core actors.
    fn parent(&self) -> Recipient<ChildDown> {
        self.actor.clone().recipient()
    }

    /// The core actor that gave up, if one did.
    fn failure(&mut self) -> Option<MasterError> {
        self.failed
            .borrow()
            .map(|down| MasterError::GaveUp(down.name))
    }
}

impl Actor for MasterRoot {
    type Context = Context<Self>;
}

impl Handler<ChildDown> for MasterRoot {
    type Result = ();

    fn handle(&mut self, down: ChildDown, _: &mut Self::Context) {
        if down.how == Ended::Stopped && self.drain.is_draining() {
            return; // as it should be
        }
        let mut plugins = self.extensions.plugins().iter();
        let log = crate::logs::NAMES.contains(&down.name);
        let plugin = log || plugins.any(|plugin| plugin.name == down.name);
        if plugin || PLUGINS.contains(&down.name) {
            error!(actor = down.name, how = ?down.how, "plugin is down and stays off");
            return;
        }
        error!(actor = down.name, how = ?down.how, "core actor is down, the master drains and ends");
        self.failed
            .send_modify(|failed| *failed = Some(reason(*failed, down)));
        self.drain.begin(self.limit);
    }
}

/// The first one that is down is the reason, others follow from it; but one that stopped because nobody needs it any more
/// may be heard of before the one that needed it.
fn reason(first: Option<ChildDown>, down: ChildDown) -> ChildDown {
    match first {
        Some(first) if first.failed() || !down.failed() => first,
        _ => down,
    }
}
