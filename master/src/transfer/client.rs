//! The narrow door to the coordinator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Addr, Recipient};
use drftpd_actors::{Ping, ask, tell};
use drftpd_protocol::wire::SpaceSeen;
use drftpd_protocol::{SessionId, SlaveId, TransferId};

use super::chart::{Chain, Row};
use super::config::TransferConfig;
use super::coordinator::TransferCoordinator;
use super::error::TransferError;
use super::filters::Filters;
use super::messages::*;
use super::types::{Direction, Slot, Want};

/// The coordinator answers from memory.
const ANSWERS: Duration = Duration::from_secs(10);

/// Handle to the coordinator; cheap to clone, one per holder.
#[derive(Clone)]
pub struct TransfersClient {
    pub(super) coordinator: Addr<TransferCoordinator>,
    pub(super) siblings: Arc<Siblings>,
}

/// For which chains a filter wants to know who has files of the path's directory.
#[derive(Debug, Default)]
pub(super) struct Siblings([AtomicBool; Chain::ALL.len()]);

impl Siblings {
    /// These filters count from now on.
    pub fn are_wanted_by(&self, filters: &BTreeMap<Chain, Filters>) {
        for (chain, wanted) in Chain::ALL.iter().zip(&self.0) {
            let filters = filters.get(chain);
            let wants = filters.is_some_and(|all| all.iter().any(|one| one.wants_siblings()));
            wanted.store(wants, Ordering::Relaxed);
        }
    }

    fn wanted(&self, chain: Chain) -> bool {
        let mut all = Chain::ALL.iter().zip(&self.0);
        all.any(|(of, wanted)| *of == chain && wanted.load(Ordering::Relaxed))
    }
}

/// One line of a dry run: what the filters say of a slave's root.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The slave.
    pub slave: SlaveId,
    /// The root's folder.
    pub root: String,
    /// Its score, or why it is out.
    pub verdict: Result<i64, String>,
    /// Each filter with what it said.
    pub steps: Vec<(String, String)>,
}

impl From<Row> for Judged {
    fn from(row: Row) -> Self {
        let steps = row.steps.into_iter();
        Judged {
            slave: row.slave,
            root: row.folder,
            verdict: match row.rejected {
                None => Ok(row.score),
                Some(why) => Err(why),
            },
            steps: steps.map(|(name, said)| (name.to_owned(), said)).collect(),
        }
    }
}

impl TransfersClient {
    /// For health checks.
    pub fn ping(&self) -> Recipient<Ping> {
        self.coordinator.clone().recipient()
    }

    /// Whether a filter wants [`Want::siblings`] for a client's transfer in this direction.
    pub fn wants_siblings(&self, direction: Direction) -> bool {
        self.siblings.wanted(Chain::of_client(direction))
    }

    /// The same for a copy between slaves.
    pub fn copy_wants_siblings(&self, direction: Direction) -> bool {
        self.siblings.wanted(Chain::of_copy(direction))
    }

    /// Chooses a slave and holds a slot on it; answered at once, from what the slaves last told.
    ///
    /// # Errors
    /// [`TransferError::NoSlave`] with the reasons, or [`TransferError::Full`].
    pub async fn hold(&self, want: Want) -> Result<Slot, TransferError> {
        let chain = Chain::of_client(want.direction);
        ask(&self.coordinator, HoldSlot { want, chain }, ANSWERS).await?
    }

    /// Like [`TransfersClient::hold`] for a copy between slaves, which has chains of its own:
    /// `Upload` for the slave that gets it, `Download` for the one that gives it.
    ///
    /// # Errors
    /// As there.
    pub async fn hold_copy(&self, want: Want) -> Result<Slot, TransferError> {
        let chain = Chain::of_copy(want.direction);
        ask(&self.coordinator, HoldSlot { want, chain }, ANSWERS).await?
    }

    /// The slot's transfer has begun: the slot does not run out any more. `space` is what an upload
    /// left free when its own was set aside.
    pub fn begun(&self, transfer: TransferId, space: Option<SpaceSeen>) {
        tell(&self.coordinator, SlotBegun { transfer, space });
    }

    /// The slot is free again. `space` is what an upload left free in the end.
    pub fn free(&self, transfer: TransferId, space: Option<SpaceSeen>) {
        tell(&self.coordinator, SlotFreed { transfer, space });
    }

    /// A session is over: all its slots are free.
    pub fn session_ended(&self, session: SessionId) {
        tell(&self.coordinator, SessionEnded { session });
    }

    /// What the filters would say; holds nothing.
    ///
    /// # Errors
    /// When the coordinator does not answer.
    pub async fn dry_run(&self, want: Want) -> Result<Vec<Judged>, TransferError> {
        let chain = Chain::of_client(want.direction);
        Ok(ask(&self.coordinator, JudgeOnly { want, chain }, ANSWERS).await?)
    }

    /// The configuration was read again (and checked).
    pub fn reconfigure(&self, config: TransferConfig) {
        tell(&self.coordinator, Reconfigured { config });
    }
}
