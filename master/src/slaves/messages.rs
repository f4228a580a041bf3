//! What the registry and the managers of links may be asked and told.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use actix::Message;
use drftpd_actors::Incoming;
use drftpd_protocol::wire::{Alive, Hello, RelayToken, TransferEnded, Welcome};
use drftpd_protocol::{RootId, SlaveId, TransferId};
use tokio::sync::{mpsc, oneshot};

use super::asked::Extent;
use super::awaited::Awaiting;
use super::calls::CallResult;
use super::error::SlaveError;
use super::link::LinkHandle;
use super::relay::NotExpected;
use super::remerge::WalkItem;
use super::roster::LinkId;
use super::standing::Standing;

// --- To the registry -------------------------------------------------------------------------

/// Whether the registry has started.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct AreYouUp;

/// A slave that proved its name wants to come in. Answered at once.
#[derive(Message)]
#[rtype(result = "Result<Admitted, NotAdmitted>")]
pub(super) struct Admit {
    pub hello: Hello,
}

/// It may come in; until [`LinkUp`] nobody else may under its name.
pub(super) struct Admitted {
    pub link: LinkId,
    pub welcome: Welcome,
}

/// Why a slave may not come in.
pub(super) enum NotAdmitted {
    /// For its operator, and whether trying again may help.
    Refused(String, bool),
    /// A link with that name is up: it must be found dead first.
    Taken(LinkId, LinkHandle),
}

/// The slave was not told that it may come in: its name is free again.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct AdmissionFailed {
    pub slave: SlaveId,
    pub link: LinkId,
}

/// A link is up and its manager runs.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LinkUp {
    pub link: LinkId,
    pub handle: LinkHandle,
    pub address: IpAddr,
    pub hello: Hello,
    /// As the store had it when it came.
    pub standing: Standing,
}

/// An operator has decided something about a slave; it is stored.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Stands {
    pub slave: SlaveId,
    pub standing: Standing,
}

/// A root is retired, or one that is was shown.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RootRetired {
    pub root: RootId,
}

/// A link was found dead: whatever its manager still does, it is down.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LinkDead {
    pub link: LinkId,
}

/// A slave told what it has.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct SlaveTold {
    pub slave: SlaveId,
    pub link: LinkId,
    pub alive: Alive,
}

/// A remerge of a root began or ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Remerging {
    pub slave: SlaveId,
    pub link: LinkId,
    pub root: RootId,
    pub runs: bool,
}

/// Whether a root is held: nothing that it says counts.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Holding {
    pub slave: SlaveId,
    pub link: LinkId,
    pub root: RootId,
    pub held: bool,
}

/// Running transfers moved.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct TransfersMoved {
    pub slave: SlaveId,
    pub moved: Vec<(TransferId, u64)>,
}

/// A slave told the end of a transfer.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct TransferOver {
    pub slave: SlaveId,
    pub ended: TransferEnded,
}

/// Somebody waits for a transfer's end from now on. Answered with the link the order must be
/// sent on.
#[derive(Message)]
#[rtype(result = "Result<(LinkHandle, Awaiting), SlaveError>")]
pub(super) struct ExpectEnd {
    pub slave: SlaveId,
    pub transfer: TransferId,
}

/// Nobody waits any more: if the transfer runs all the same, it is ended, now or when its slave is
/// back.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct ForgetEnd {
    pub slave: SlaveId,
    pub transfer: TransferId,
}

/// What a transfer's end says is stored.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct EndStored {
    pub slave: SlaveId,
    pub transfer: TransferId,
}

/// Expects a relayed connection of a slave.
#[derive(Message)]
#[rtype(result = "Result<(RelayToken, oneshot::Receiver<Incoming>), SlaveError>")]
pub(super) struct ExpectRelay {
    pub slave: SlaveId,
}

/// A relayed connection shows its token; answered with who waits for it.
#[derive(Message)]
#[rtype(result = "Result<oneshot::Sender<Incoming>, NotExpected>")]
pub(super) struct RelayArrived {
    pub token: RelayToken,
    pub from: IpAddr,
}

/// Ends a slave's link, if it has one.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct CutSlave {
    pub slave: SlaveId,
    pub why: &'static str,
}

/// Sends a call. Answered at once with where its answer will come.
#[derive(Message)]
#[rtype(result = "Option<oneshot::Receiver<CallResult>>")]
pub(super) struct PlaceCall {
    pub kind: u16,
    pub body: Vec<u8>,
    pub limit: Duration,
}

/// Sends a notice.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct SendNotice {
    pub kind: u16,
    pub body: Vec<u8>,
}

/// Which roots the slave may show.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RootsGranted {
    pub roots: BTreeSet<RootId>,
}

/// Walk a root again, or all; all of it, or these parts.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct WalkAgain {
    pub root: Option<RootId>,
    pub extent: Extent,
}

/// The notices of this walk go there from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct FollowWalk {
    pub root: RootId,
    pub walk: u64,
    pub to: mpsc::Sender<WalkItem>,
}

/// End the link.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Cut {
    pub why: &'static str,
}

/// Panics, so that a test sees what that does to others.
#[cfg(test)]
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct PanicOnPurpose;
