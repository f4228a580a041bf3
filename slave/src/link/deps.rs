//! What the link was given: everything that outlives it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use drftpd_actors::{Backoff, Dice, Drain, failpoint, tell};
use drftpd_protocol::SlaveId;
use drftpd_protocol::wire::{Alive, EndedSeen, Fault, FaultCode, RootStatus, WalkCredit};
use tokio::sync::{mpsc, watch};

use super::dial::Way;
use super::messages::LinkView;
use super::seen::{Seen, SeenFile};
use super::up::Up;
use crate::ops::walk::MoreCredit;
use crate::ops::{Op, OpCx, OpDeps, ProgressTeller};
use crate::transfer::TransferNotice;

/// What the link was given. Clones share it.
#[derive(Clone)]
pub struct LinkDeps {
    /// How the master is reached.
    pub way: Way,
    /// The slave's name.
    pub name: SlaveId,
    /// First pause before dialling again.
    pub backoff_min: Duration,
    /// Longest pause.
    pub backoff_max: Duration,
    /// Calls under way at a time.
    pub max_calls: usize,
    /// For jitter.
    pub dice: Dice,
    /// Handles of all operations.
    pub ops: Arc<OpDeps>,
    /// What transfers tell. Whoever holds the lock takes them.
    pub notices: Arc<tokio::sync::Mutex<mpsc::Receiver<TransferNotice>>>,
    /// What is known of the disks.
    pub statuses: watch::Receiver<Vec<RootStatus>>,
    /// The highest epoch, kept on disk.
    pub seen_file: SeenFile,
    /// The highest epoch, as read and as written.
    pub seen: Arc<std::sync::Mutex<Option<Seen>>>,
    /// What others see of the link.
    pub view: Arc<watch::Sender<LinkView>>,
    /// Where the master is now, for relayed data connections.
    pub master: Arc<watch::Sender<Option<SocketAddr>>>,
    /// Numbers of links, over restarts too.
    pub links: Arc<AtomicU64>,
    /// The end of the slave.
    pub drain: Drain,
}

impl LinkDeps {
    /// Pauses between attempts, from the first one on.
    pub(super) fn backoff(&self) -> Backoff {
        Backoff::new(self.backoff_min, self.backoff_max, self.dice.clone())
    }

    pub(super) fn next_link(&self) -> u64 {
        self.links.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn show(&self, view: LinkView) {
        let master = match &view {
            LinkView::Up { peer, .. } => Some(*peer),
            LinkView::Idle | LinkView::Down { .. } => None,
        };
        self.master.send_replace(master);
        self.view.send_replace(view);
    }

    pub(super) fn seen(&self) -> Option<Seen> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_seen(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }

    pub(super) fn alive(&self) -> Alive {
        let load = self.ops.transfers.load();
        Alive {
            roots: self.statuses.borrow().clone(),
            transfers: load.transfers,
            receiving: load.receiving,
            sending: load.sending,
        }
    }

    pub(super) fn op_context(&self, up: &Up, call: u32) -> OpCx {
        OpCx {
            deps: Arc::clone(&self.ops),
            link: up.number,
            progress: ProgressTeller::new(call, up.out()),
            out: up.out(),
            ends: up.token(),
        }
    }

    /// A slave that drains begins nothing new; what was begun may go on.
    pub(super) fn admits(&self, op: &Op) -> Result<(), Fault> {
        match op.begins_work && self.drain.is_draining() {
            true => Err(Fault::new(FaultCode::BUSY, "this slave is shutting down")),
            false => Ok(()),
        }
    }

    pub(super) fn ended_seen(&self, seen: EndedSeen) {
        drop(failpoint("transfer.acknowledged"));
        self.ops.transfers.ended_seen(seen.transfer);
    }

    pub(super) fn walk_credit(&self, credit: WalkCredit) {
        let root = self.ops.actors.borrow().get(&credit.root).cloned();
        match root {
            Some(root) => tell(&root.scanner, MoreCredit(credit)),
            None => tracing::debug!(root = %credit.root, "credit for a root that is not here"),
        }
    }
}
