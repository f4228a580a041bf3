//! The narrow door to the slaves: calls, transfers and relayed connections.

use std::time::Duration;

use drftpd_actors::BoxIo;
use drftpd_protocol::wire::{BeginTransfer, Begun, Call, RelayToken, TransferEnded};
use drftpd_protocol::{SlaveId, TransferId};
use tokio::sync::{oneshot, watch};

use super::error::SlaveError;
use super::view::SlaveViews;

/// Handle to all slaves; cheap to clone, one per holder.
#[derive(Clone)]
pub struct SlavesClient {}

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
    /// The connection, when it is there.
    pub connection: oneshot::Receiver<BoxIo>,
}

#[allow(clippy::todo, clippy::unused_async)]
impl SlavesClient {
    /// The slaves as they last told.
    pub fn views(&self) -> watch::Receiver<SlaveViews> {
        todo!()
    }

    /// Asks a slave and waits for its answer, at most `limit` (long calls: between two signs of
    /// life).
    pub async fn call<C: Call>(
        &self,
        slave: &SlaveId,
        call: C,
        limit: Duration,
    ) -> Result<C::Answer, SlaveError> {
        todo!("{slave} {limit:?} {}", std::any::type_name_of_val(&call))
    }

    /// Begins a transfer; whoever holds the result hears its end and must say
    /// [`SlavesClient::seen`]. Dropping it leaves the end to the slave's manager.
    pub async fn begin(
        &self,
        slave: &SlaveId,
        begin: BeginTransfer,
    ) -> Result<Running, SlaveError> {
        todo!("{slave} {begin:?}")
    }

    /// What a transfer's end says is stored; the slave may forget it.
    pub fn seen(&self, slave: &SlaveId, transfer: TransferId) {
        todo!("{slave} {transfer}")
    }

    /// Expects a relayed data connection from a slave: one token, one use, ten seconds.
    pub async fn expect_relay(&self, slave: &SlaveId) -> Result<Expected, SlaveError> {
        todo!("{slave}")
    }
}
