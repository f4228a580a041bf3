//! What the coordinator may be asked and told.

use actix::Message;
use drftpd_protocol::wire::SpaceSeen;
use drftpd_protocol::{SessionId, TransferId};

use super::chart::Chain;
use super::client::Judged;
use super::config::TransferConfig;
use super::error::TransferError;
use super::types::{Slot, Want};

/// Asks for a slave and holds a slot on it. Answered at once, from what the slaves last told.
#[derive(Message, Debug)]
#[rtype(result = "Result<Slot, TransferError>")]
pub(super) struct HoldSlot {
    pub want: Want,
    pub chain: Chain,
}

/// A slot's transfer has begun.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(super) struct SlotBegun {
    pub transfer: TransferId,
    pub space: Option<SpaceSeen>,
}

/// A slot is not needed any more.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(super) struct SlotFreed {
    pub transfer: TransferId,
    pub space: Option<SpaceSeen>,
}

/// A session is over: its slots are free.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(super) struct SessionEnded {
    pub session: SessionId,
}

/// Asks what the filters would say. Holds nothing.
#[derive(Message, Debug)]
#[rtype(result = "Vec<Judged>")]
pub(super) struct JudgeOnly {
    pub want: Want,
    pub chain: Chain,
}

/// The configuration was read again.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(super) struct Reconfigured {
    pub config: TransferConfig,
}
