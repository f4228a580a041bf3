//! `TransferCoordinator`: chooses slaves and keeps the book of held slots.
//!
//! Asked by sessions; answers at once, from what the slaves last told (a watch channel) and from
//! its book. A restart loses the slots: running transfers go on uncounted, held ones are not
//! missed by their sessions. When its mailbox is full askers wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::{Budget, ChildDown, ChildSpec, Clock, Ping, Place, failpoint, supervise};
use drftpd_protocol::TransferId;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::chart::{Chain, Now, Row, chart};
use super::choose::{choose, judge, why_none};
use super::client::{Judged, Siblings, TransfersClient};
use super::config::TransferConfig;
use super::error::TransferError;
use super::filters::Filters;
use super::ledger::{Held, Ledger};
use super::messages::*;
use super::types::{Direction, Slot, Want};
use crate::slaves::SlaveViews;
use crate::store::{Store, StoreError};

/// Messages that may wait before askers do.
const MAILBOX: usize = 1024;
/// How often slots that ran out are looked for.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// Numbers for transfers, unique in the whole life of a store.
#[derive(Clone)]
pub struct TransferIds(Arc<dyn Fn() -> Result<TransferId, StoreError> + Send + Sync>);

impl TransferIds {
    /// Numbers from anywhere, for tests.
    pub fn new(next: impl Fn() -> Result<TransferId, StoreError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(next))
    }
}

impl From<Store> for TransferIds {
    fn from(store: Store) -> Self {
        Self::new(move || store.ids().transfer())
    }
}

/// Everything the coordinator is given.
#[derive(Clone)]
pub struct TransferDeps {
    /// `[transfer]`.
    pub config: TransferConfig,
    /// The slaves as they last told.
    pub views: watch::Receiver<SlaveViews>,
    /// Numbers for transfers.
    pub ids: TransferIds,
    /// The time of day.
    pub clock: Clock,
}

/// Starts the coordinator; a panic restarts it with an empty book.
pub fn start(place: &Place, deps: TransferDeps, parent: Recipient<ChildDown>) -> TransfersClient {
    let spec = ChildSpec::new("transfer_coordinator", MAILBOX, Budget::CORE, parent);
    let siblings = Arc::<Siblings>::default();
    let wanted = Arc::clone(&siblings);
    let coordinator = supervise(place, spec, move || TransferCoordinator::new(deps, wanted));
    TransfersClient {
        coordinator,
        siblings,
    }
}

/// Chooses slaves and keeps the book of held slots.
pub(super) struct TransferCoordinator {
    deps: TransferDeps,
    filters: BTreeMap<Chain, Filters>,
    ledger: Ledger,
    siblings: Arc<Siblings>,
}

impl TransferCoordinator {
    fn new(deps: TransferDeps, siblings: Arc<Siblings>) -> Self {
        let ledger = Ledger::new(deps.config.settle_after);
        let mut new = Self {
            deps,
            filters: BTreeMap::new(),
            ledger,
            siblings,
        };
        new.make_filters();
        new
    }

    /// The configuration was checked when it was read, so this works; if it does not, whoever
    /// comes first by name is taken, and the log says so.
    fn make_filters(&mut self) {
        match self.deps.config.filters() {
            Ok(filters) => {
                self.siblings.are_wanted_by(&filters);
                self.filters = filters;
            }
            Err(errors) => {
                for wrong in errors {
                    error!(%wrong, "a filter cannot be used");
                }
            }
        }
    }
}

impl Actor for TransferCoordinator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(REAP_EVERY, |act, _| act.reap());
    }
}

impl Supervised for TransferCoordinator {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.ledger = Ledger::new(self.deps.config.settle_after);
    }
}

impl Handler<Ping> for TransferCoordinator {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) -> Self::Result {
        // A test may make it panic here; there is nothing to fail.
        drop(failpoint("actor.transfer_coordinator"));
        MessageResult(ping.answer())
    }
}

impl Handler<HoldSlot> for TransferCoordinator {
    type Result = Result<Slot, TransferError>;

    fn handle(&mut self, msg: HoldSlot, _: &mut Self::Context) -> Self::Result {
        drftpd_actors::panicpoint("transfer.hold");
        self.hold(msg.want, msg.chain)
    }
}

impl Handler<SlotBegun> for TransferCoordinator {
    type Result = ();

    fn handle(&mut self, msg: SlotBegun, _: &mut Self::Context) {
        if !self.ledger.begin(msg.transfer, msg.space, Instant::now()) {
            debug!(transfer = %msg.transfer, "a transfer began whose slot ran out");
        }
    }
}

impl Handler<SlotFreed> for TransferCoordinator {
    type Result = ();

    fn handle(&mut self, msg: SlotFreed, _: &mut Self::Context) {
        self.ledger.end(msg.transfer, msg.space);
    }
}

impl Handler<SessionEnded> for TransferCoordinator {
    type Result = ();

    fn handle(&mut self, msg: SessionEnded, _: &mut Self::Context) {
        self.ledger.free_session(msg.session);
    }
}

impl Handler<JudgeOnly> for TransferCoordinator {
    type Result = MessageResult<JudgeOnly>;

    fn handle(&mut self, msg: JudgeOnly, _: &mut Self::Context) -> Self::Result {
        let rows = self.judged(&msg.want, msg.chain);
        MessageResult(rows.into_iter().map(Judged::from).collect())
    }
}

impl Handler<Reconfigured> for TransferCoordinator {
    type Result = ();

    fn handle(&mut self, msg: Reconfigured, _: &mut Self::Context) {
        self.deps.config = msg.config;
        self.make_filters();
        info!("filters and slots follow the new configuration");
    }
}

impl TransferCoordinator {
    fn judged(&self, want: &Want, chain: Chain) -> Vec<Row> {
        let views = self.deps.views.borrow().clone();
        let now = Now {
            instant: Instant::now(),
            unix: self.deps.clock.unix(),
        };
        let mut rows = chart(&views, &self.ledger, want, chain, now);
        if let Some(filters) = self.filters.get(&chain) {
            judge(filters, &mut rows, want, chain);
        }
        rows
    }

    fn hold(&mut self, want: Want, chain: Chain) -> Result<Slot, TransferError> {
        let config = &self.deps.config;
        let of_session = self.ledger.of_session(want.session);
        // Copies have a limit of their own.
        let too_many = !chain.is_of_copy() && of_session >= config.max_slots_per_session;
        if self.ledger.len() >= config.max_slots || too_many {
            warn!(session = %want.session, slots = self.ledger.len(), of_session, "no more slots");
            return Err(TransferError::Full);
        }
        let rows = self.judged(&want, chain);
        let Some(row) = choose(&rows, &self.ledger, &want, chain) else {
            return Err(self.none(&rows, want, chain));
        };
        let transfer = (self.deps.ids.0)().map_err(|why| {
            error!(%why, "no number for a transfer");
            TransferError::Full
        })?;
        let slot = Slot {
            transfer,
            slave: row.slave.clone(),
            root: row.root,
        };
        let held = Held {
            session: want.session,
            slave: row.slave.clone(),
            root: row.root,
            filesystem: row.filesystem,
            chain,
            bytes: want.bytes,
            since: Instant::now(),
            begun: None,
            seen: false,
        };
        debug!(%transfer, slave = %slot.slave, root = %slot.root, score = row.score, ?chain, "a slot is held");
        self.ledger.hold(transfer, held, want.path.parent());
        Ok(slot)
    }

    fn none(&self, rows: &[Row], want: Want, chain: Chain) -> TransferError {
        let why = why_none(rows, &want, self.deps.views.borrow().len());
        info!(session = %want.session, why, ?chain, "no slave for a transfer");
        let direction = if chain.receives() {
            Direction::Upload
        } else {
            Direction::Download
        };
        TransferError::NoSlave {
            direction,
            path: want.path,
            why,
        }
    }

    fn reap(&mut self) {
        let limit = self.deps.config.hold_timeout;
        for transfer in self.ledger.reap(limit, Instant::now()) {
            debug!(%transfer, "a slot ran out");
        }
    }
}

#[cfg(test)]
#[path = "coordinator_tests.rs"]
mod tests;
