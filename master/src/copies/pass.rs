//! Bytes from one slave to another: a slot on each, a channel between them, and both at work.
//!
//! The giving slave listens and the taking one dials; if that does not get through, the other way round, so that one of
//! the two may be behind NAT. Under TLS both show the certificate that the cluster's slaves have in common.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use drftpd_protocol::wire::{
    AbortTransfer, BeginTransfer, DataOpened, DataPath, DataTls, Family, Job, OpenData, PeerRule,
    TlsPeer,
};
use drftpd_protocol::{FileId, OpSeq, RootId, SessionId, SlaveId, TransferId, VfsPath};
use tracing::debug;

use super::make::Maker;
use super::order::CopyError;
use crate::slaves::{Running, SlaveError};
use crate::transfer::{Direction, Slot, Want};

/// No client's session has this number: slots of copies are held for it.
pub const SESSION: SessionId = SessionId(0);
/// How long the slaves may take to find each other.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a slave may take to open a channel, or to end one.
const OPEN: Duration = Duration::from_secs(10);
/// How long one slave may take to say that it is done when the other one is.
pub const LAST_WORD: Duration = Duration::from_secs(5);

/// The two ends of a copy.
pub struct Ends {
    pub giver: Slot,
    pub taker: Slot,
}

/// Between which roots a file may go.
pub struct Way<'a> {
    pub path: &'a VfsPath,
    /// Bytes for which there must be room; 0 when unknown.
    pub bytes: u64,
    pub from: Vec<RootId>,
    pub to: Vec<RootId>,
}

/// What each of the two does, and on which terms.
pub struct Passage {
    pub file: FileId,
    /// The giver's job, and after which operation.
    pub give: (Job, OpSeq),
    pub take: Job,
    pub max_rate: Option<u64>,
    /// How long no byte may move.
    pub stall: Duration,
}

impl Maker {
    /// A slot on each of two slaves.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn hold(&self, way: Way<'_>) -> Result<Ends, CopyError> {
        let want = async |direction, roots, bytes| Want {
            session: SESSION,
            path: way.path.clone(),
            direction,
            roots: Some(roots),
            bytes,
            client: IpAddr::from([0, 0, 0, 0]),
            siblings: {
                let wanted = self.transfers.copy_wants_siblings(direction);
                self.vfs.siblings(way.path, wanted).await
            },
        };
        let take = want(Direction::Upload, way.to, way.bytes).await;
        let taker = self.transfers.hold_copy(take).await?;
        let give = want(Direction::Download, way.from, 0).await;
        match self.transfers.hold_copy(give).await {
            Ok(giver) => Ok(Ends { giver, taker }),
            Err(why) => {
                self.transfers.free(taker.transfer, None);
                Err(why.into())
            }
        }
    }

    /// Both slaves at work: the giver, then the taker.
    ///
    /// # Errors
    /// What one of them says; both are to be aborted then.
    pub async fn begin(
        &self,
        ends: &Ends,
        passage: &Passage,
        giver_listens: bool,
    ) -> Result<(Running, Running), CopyError> {
        // What an earlier attempt left there may be waiting to be thrown away: under the name of the new one. Other
        // operations are no reason to wait: on a busy disk there are always some.
        if self.vfs.log_has(ends.taker.root, passage.file).await? {
            return Err(CopyError::Behind);
        }
        let (listens, dials) = match giver_listens {
            true => (&ends.giver, &ends.taker),
            false => (&ends.taker, &ends.giver),
        };
        let to = self.listen(listens, dials).await?;
        self.open(dials, DataPath::Dial { to }).await?;
        let (job, after) = passage.give.clone();
        let give = BeginTransfer {
            after,
            ..self.order(ends.giver.transfer, job, passage, giver_listens)
        };
        let job = passage.take.clone();
        let take = self.order(ends.taker.transfer, job, passage, !giver_listens);
        let giver = self.slaves.begin(&ends.giver.slave, give).await;
        let giver = giver.map_err(failed(&ends.giver.slave))?;
        let taker = self.slaves.begin(&ends.taker.slave, take).await;
        Ok((giver, taker.map_err(failed(&ends.taker.slave))?))
    }

    fn order(
        &self,
        transfer: TransferId,
        job: Job,
        passage: &Passage,
        listens: bool,
    ) -> BeginTransfer {
        let tls = match listens {
            true => DataTls::ServerOfCluster,
            false => DataTls::Client {
                peer: TlsPeer::Cluster,
            },
        };
        BeginTransfer {
            transfer,
            job,
            after: OpSeq::NONE,
            stall_timeout_ms: u64::try_from(passage.stall.as_millis()).unwrap_or(u64::MAX),
            max_rate: passage.max_rate,
            tls: self.secures.then_some(tls),
        }
    }

    /// Where one slave listens for the other. Under TLS whoever comes must show the cluster's certificate, and may come
    /// from whichever of its addresses; else the address is all that there is.
    async fn listen(&self, slot: &Slot, other: &Slot) -> Result<SocketAddr, CopyError> {
        let address = self.address(&slot.slave)?;
        let path = DataPath::Listen {
            family: match address {
                IpAddr::V4(_) => Family::V4,
                IpAddr::V6(_) => Family::V6,
            },
            peers: match self.secures {
                true => PeerRule::Any,
                false => PeerRule::Only(self.address(&other.slave)?),
            },
        };
        let opened = self.open(slot, path).await?;
        let address = opened.address.unwrap_or(address);
        Ok(SocketAddr::new(address, opened.port))
    }

    fn address(&self, slave: &SlaveId) -> Result<IpAddr, CopyError> {
        let views = self.slaves.views();
        let view = views.borrow().get(slave).map(|view| view.address);
        Ok(view.ok_or_else(|| offline(slave))?.to_canonical())
    }

    async fn open(&self, slot: &Slot, path: DataPath) -> Result<DataOpened, CopyError> {
        let open = OpenData {
            transfer: slot.transfer,
            path,
            connect_timeout_ms: u64::try_from(CONNECT.as_millis()).unwrap_or(u64::MAX),
        };
        let opened = self.slaves.call(&slot.slave, open, OPEN).await;
        opened.map_err(failed(&slot.slave))
    }

    /// Ends what runs on a slave, and closes its channel.
    pub async fn abort(&self, slot: &Slot) {
        let transfer = slot.transfer;
        let aborted = self
            .slaves
            .call(&slot.slave, AbortTransfer { transfer }, OPEN);
        if let Err(why) = aborted.await {
            debug!(slave = %slot.slave, %transfer, %why, "abort of a copy not confirmed");
        }
    }
}

fn failed(slave: &SlaveId) -> impl FnOnce(SlaveError) -> CopyError {
    let slave = slave.clone();
    move |why| CopyError::Slave(slave, why)
}

/// That a slave is gone.
pub fn offline(slave: &SlaveId) -> CopyError {
    failed(slave)(SlaveError::Offline(slave.clone()))
}
