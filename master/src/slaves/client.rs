//! The narrow door to the slaves: calls, transfers and relayed connections.

use std::net::SocketAddr;
use std::time::Duration;

use actix::{Addr, Recipient};
use drftpd_actors::{BoxIo, Incoming, ask, tell};
use drftpd_protocol::wire::{
    BeginTransfer, Begun, Call, Goodbye, JoinToken, RELAY_OK, RelayToken, TransferEnded,
};
use drftpd_protocol::{RootId, SlaveId, TransferId, VfsPath};
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::debug;

use super::asked::Extent;
use super::book::SlaveRow;
use super::door::REGISTRY_ANSWERS;
use super::enroll::{Enroll, EnrollError};
use super::error::SlaveError;
use super::link::{LinkHandle, Links};
use super::messages::*;
use super::registry::SlaveRegistry;
use super::relay;
use super::standing::{Duty, Standing};
use super::view::SlaveViews;
use crate::store::StoreError;

/// How long a slave may take to open a transfer's file.
const TO_BEGIN: Duration = Duration::from_secs(30);

/// Handle to all slaves; cheap to clone, one per holder.
#[derive(Clone)]
pub struct SlavesClient {
    pub(super) registry: Addr<SlaveRegistry>,
    pub(super) links: watch::Receiver<Links>,
    pub(super) views: watch::Receiver<SlaveViews>,
    pub(super) enroll: Enroll,
    pub(super) address: SocketAddr,
}

/// A transfer that runs.
pub struct Running {
    /// What the slave answered.
    pub begun: Begun,
    /// Its end; closed without a value when the slave is lost for good.
    pub ended: oneshot::Receiver<TransferEnded>,
    /// Bytes of the file that are there or were sent, as last told.
    pub progress: watch::Receiver<u64>,
}

/// A data connection that a slave will dial to the master.
pub struct Expected {
    /// To be handed to the slave with `DataPath::Relay`.
    pub token: RelayToken,
    /// The connection, when it is there. It belongs to the arbiter that expected it.
    pub connection: oneshot::Receiver<BoxIo>,
}

impl SlavesClient {
    /// Where slaves dial.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For health checks of the registry.
    pub fn ping(&self) -> Recipient<drftpd_actors::Ping> {
        self.registry.clone().recipient()
    }

    /// The slaves as they last told.
    pub fn views(&self) -> watch::Receiver<SlaveViews> {
        self.views.clone()
    }

    fn link(&self, slave: &SlaveId) -> Result<LinkHandle, SlaveError> {
        let link = self.links.borrow().get(slave).cloned();
        link.ok_or_else(|| SlaveError::Offline(slave.clone()))
    }

    /// Asks a slave and waits for its answer, at most `limit` (long calls: between two signs of
    /// life).
    ///
    /// # Errors
    /// See [`SlaveError`]. `TimedOut` means "unknown", not "no".
    pub async fn call<C: Call>(
        &self,
        slave: &SlaveId,
        call: C,
        limit: Duration,
    ) -> Result<C::Answer, SlaveError> {
        self.link(slave)?.call(&call, limit).await
    }

    /// Begins a transfer; whoever holds the result hears its end and must say
    /// [`SlavesClient::seen`]. Dropping it leaves the end to the slave's manager; dropping this
    /// future before it is done ends the transfer.
    ///
    /// # Errors
    /// When the slave cannot be asked, or refuses. Then nothing runs.
    pub async fn begin(
        &self,
        slave: &SlaveId,
        begin: BeginTransfer,
    ) -> Result<Running, SlaveError> {
        let transfer = begin.transfer;
        let expect = ExpectEnd {
            slave: slave.clone(),
            transfer,
        };
        let (link, awaiting) = ask(&self.registry, expect, REGISTRY_ANSWERS).await??;
        let mut unwanted = Unwanted {
            registry: &self.registry,
            of: Some((slave.clone(), transfer)),
        };
        let begun = link.call(&begin, TO_BEGIN).await?;
        unwanted.of = None;
        Ok(Running {
            begun,
            ended: awaiting.ended,
            progress: awaiting.progress,
        })
    }

    /// Nobody waits for a transfer any more: its slave ends it, now or when it is back.
    pub fn give_up(&self, slave: &SlaveId, transfer: TransferId) {
        let slave = slave.clone();
        tell(&self.registry, ForgetEnd { slave, transfer });
    }

    /// What a transfer's end says is stored; the slave may forget it.
    pub fn seen(&self, slave: &SlaveId, transfer: TransferId) {
        let slave = slave.clone();
        tell(&self.registry, EndStored { slave, transfer });
    }

    /// Expects a relayed data connection from a slave: one token, one use, ten seconds. The
    /// connection is adopted by the arbiter on which this is called.
    ///
    /// # Errors
    /// When the slave is offline, or too many connections are expected.
    pub async fn expect_relay(&self, slave: &SlaveId) -> Result<Expected, SlaveError> {
        let slave = slave.clone();
        let expect = ExpectRelay { slave };
        let (token, arriving) = ask(&self.registry, expect, REGISTRY_ANSWERS).await??;
        let (to, connection) = oneshot::channel();
        tokio::task::spawn_local(adopt(arriving, to));
        Ok(Expected { token, connection })
    }

    /// Walks a root of a slave again, or all of them, to find what was changed by hand.
    ///
    /// # Errors
    /// When the slave is offline.
    pub fn walk_again(&self, slave: &SlaveId, root: Option<RootId>) -> Result<(), SlaveError> {
        let extent = Extent::Whole;
        tell(&self.link(slave)?.manager, WalkAgain { root, extent });
        Ok(())
    }

    /// Walks what lies at and below a path on every root that is there and in use; answers which those are.
    pub fn rescan(&self, path: &VfsPath) -> Vec<RootId> {
        let (views, links) = (self.views.borrow().clone(), self.links.borrow().clone());
        let mut walked = Vec::new();
        for (slave, view) in views.iter() {
            let Some(link) = links.get(slave) else {
                continue;
            };
            let shown = view.roots.iter().map(|status| status.root);
            for root in shown.filter(|root| view.shows(*root) && !view.held.contains(root)) {
                let extent = Extent::at(path);
                let root = Some(root).inspect(|root| walked.push(*root));
                tell(&link.manager, WalkAgain { root, extent });
            }
        }
        walked
    }

    /// Makes a token with which a machine may join as `name`; see [`Enroll::add`].
    ///
    /// # Errors
    /// When the name is in use and `again` is not said, or the store fails.
    pub async fn add(&self, name: &SlaveId, again: bool) -> Result<JoinToken, EnrollError> {
        self.enroll.add(name, again).await
    }

    /// Takes a slave out of the cluster and ends its link.
    ///
    /// # Errors
    /// When there is none of that name, or the store fails.
    pub async fn remove(&self, name: &SlaveId) -> Result<(), EnrollError> {
        self.enroll.remove(name).await?;
        let (slave, why) = (name.clone(), "it was removed from the cluster");
        tell(&self.registry, CutSlave { slave, why });
        Ok(())
    }

    /// Decides something about a slave, or takes it back; it counts from now on.
    ///
    /// # Errors
    /// When there is none of that name, or the store fails.
    pub async fn stand(
        &self,
        name: &SlaveId,
        duty: Duty,
        on: bool,
    ) -> Result<Standing, EnrollError> {
        let standing = self.enroll.stand(name, duty, on).await?;
        let slave = name.clone();
        // Seen by all before this is answered. A registry that begins anew has it from the store.
        let seen = ask(&self.registry, Stands { slave, standing }, REGISTRY_ANSWERS).await;
        if let Err(why) = seen {
            debug!(slave = %name, %why, "what was decided is stored and not yet shown");
        }
        Ok(standing)
    }

    /// A root was retired: no slave shows it any more.
    pub async fn retired(&self, root: RootId) {
        // A registry that begins anew has it from the file list.
        if let Err(why) = ask(&self.registry, RootRetired { root }, REGISTRY_ANSWERS).await {
            debug!(%root, %why, "a root is retired and still shown");
        }
    }

    /// All slaves that belong to the cluster, and those that did.
    ///
    /// # Errors
    /// When the store fails.
    pub fn list(&self) -> Result<Vec<SlaveRow>, StoreError> {
        self.enroll.list()
    }

    /// The list of slaves, for those who enrol more.
    pub fn enroll(&self) -> &Enroll {
        &self.enroll
    }

    /// Tells every slave that the master goes away on purpose; waits for their answers at most
    /// `limit`.
    pub async fn goodbye(&self, why: &str, limit: Duration) {
        let links = self.links.borrow().clone();
        let goodbye = Goodbye {
            why: why.to_owned(),
        };
        let said = links.values().map(|link| link.call(&goodbye, limit));
        let said = join_all(said).await;
        let heard = said.iter().filter(|said| said.is_ok()).count();
        debug!(slaves = said.len(), heard, "said goodbye");
    }
}

/// Tells the slave's side that nobody waits, unless the transfer began.
struct Unwanted<'a> {
    registry: &'a Addr<SlaveRegistry>,
    of: Option<(SlaveId, TransferId)>,
}

impl Drop for Unwanted<'_> {
    fn drop(&mut self) {
        if let Some((slave, transfer)) = self.of.take() {
            tell(self.registry, ForgetEnd { slave, transfer });
        }
    }
}

/// Takes a relayed connection to this arbiter and tells the slave that it is one.
async fn adopt(arriving: oneshot::Receiver<Incoming>, mut to: oneshot::Sender<BoxIo>) {
    let arrived = tokio::select! {
        biased;
        arrived = timeout(relay::LIFETIME, arriving) => arrived,
        () = to.closed() => return,
    };
    let Ok(Ok(incoming)) = arrived else {
        return; // nobody came; whoever waits sees the channel closed
    };
    let peer = incoming.peer;
    let greeted = async {
        let mut io = incoming.adopt()?;
        io.write_all(&[RELAY_OK]).await?;
        io.flush().await?;
        std::io::Result::Ok(io)
    };
    match timeout(relay::LIFETIME, greeted).await {
        Ok(Ok(io)) => {
            if to.send(io).is_err() {
                debug!(%peer, "whoever expected a relayed connection is gone");
            }
        }
        Ok(Err(why)) => debug!(%peer, %why, "a relayed connection was lost at once"),
        Err(_) => debug!(%peer, "a relayed connection does not read"),
    }
}
