//! One copy from one slave to another: a slot on each, a channel between them, the bytes, and a holder more.
//!
//! The giving slave listens and the taking one dials; if that does not get through, the other way round, so that one of
//! the two may be behind NAT. Under TLS both show the certificate that the cluster's slaves have in common. Dropped in
//! the middle, what was ordered ends by itself: what is prepared then is found by the next walk of its root.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use drftpd_protocol::wire::{
    AbortTransfer, BeginTransfer, DataOpened, DataPath, DataTls, Family, FaultCode, Job, OpenData,
    Outcome, PeerRule, TlsPeer,
};
use drftpd_protocol::{OpSeq, SessionId, SlaveId, TransferId};
use tokio::time::timeout;
use tracing::debug;

use super::client::Under;
use super::order::{CopyError, Kept, Order};
use crate::slaves::{Running, SlaveError, SlavesClient};
use crate::transfer::{Direction, Slot, TransfersClient, Want};
use crate::vfs::{PreparedBytes, VfsClient};

/// No client's session has this number: slots of copies are held for it.
pub const SESSION: SessionId = SessionId(0);
/// How long the slaves may take to find each other.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a slave may take to open a channel, or to end one.
const OPEN: Duration = Duration::from_secs(10);
/// How long the giving slave may take to say that it is done when the other one has everything.
const LAST_WORD: Duration = Duration::from_secs(5);

/// What making a copy needs.
#[derive(Clone)]
pub struct Maker {
    pub vfs: VfsClient,
    pub slaves: SlavesClient,
    pub transfers: TransfersClient,
    /// Whether slaves have the certificate; not so in the simulation.
    pub secures: bool,
    pub max_rate: Option<u64>,
    /// Whether files have a BLAKE3.
    pub blake3: bool,
    pub stall: Duration,
}

/// The two ends of a copy.
struct Ends {
    giver: Slot,
    taker: Slot,
}

impl Maker {
    /// Makes the copy; `shows` is called when the bytes begin to move.
    ///
    /// # Errors
    /// [`CopyError`]: nothing has changed, but for what is kept.
    pub async fn make(&self, order: &Order, shows: impl Fn(Under)) -> Result<(), CopyError> {
        for giver_listens in [true, false] {
            let ends = self.hold(order).await?;
            let made = self.between(&ends, order, giver_listens, &shows).await;
            self.transfers.free(ends.giver.transfer, None);
            match made {
                Err(CopyError::NotReached) => {}
                made => return made,
            }
        }
        Err(CopyError::NotReached)
    }

    async fn hold(&self, order: &Order) -> Result<Ends, CopyError> {
        let to = match order.kept {
            Some(kept) if order.to.contains(&kept.root) => vec![kept.root],
            _ => order.to.clone(),
        };
        let want = async |direction, roots, bytes| Want {
            session: SESSION,
            path: order.copied.path.clone(),
            direction,
            roots: Some(roots),
            bytes,
            client: IpAddr::from([0, 0, 0, 0]),
            siblings: {
                let wanted = self.transfers.copy_wants_siblings(direction);
                self.vfs.siblings(&order.copied.path, wanted).await
            },
        };
        let size = order.copied.entry.size;
        let take = want(Direction::Upload, to, size).await;
        let taker = self.transfers.hold_copy(take).await?;
        let give = want(Direction::Download, order.from.clone(), 0).await;
        match self.transfers.hold_copy(give).await {
            Ok(giver) => Ok(Ends { giver, taker }),
            Err(why) => {
                self.transfers.free(taker.transfer, None);
                Err(why.into())
            }
        }
    }

    /// Frees the taker's slot in any case.
    async fn between(
        &self,
        ends: &Ends,
        order: &Order,
        giver_listens: bool,
        shows: &impl Fn(Under),
    ) -> Result<(), CopyError> {
        let begun = self.begin(ends, order, giver_listens).await;
        let (giver, taker) = match begun {
            Ok(begun) => begun,
            Err(why) => {
                self.abort(&ends.giver).await;
                self.abort(&ends.taker).await;
                self.transfers.free(ends.taker.transfer, None);
                return Err(why);
            }
        };
        self.transfers.begun(ends.giver.transfer, None);
        let space = taker.begun.space.clone();
        self.transfers.begun(ends.taker.transfer, space);
        shows(Under {
            from: ends.giver.slave.clone(),
            to: ends.taker.slave.clone(),
            root: ends.taker.root,
            bytes: taker.progress.clone(),
        });
        let ended = taker.ended.await.ok();
        let space = ended.as_ref().and_then(|ended| ended.space.clone());
        self.transfers.free(ends.taker.transfer, space);
        let made = match ended {
            Some(ended) => self.judge(ends, order, ended.outcome).await,
            None => Err(offline(&ends.taker.slave)),
        };
        if made.is_err() {
            self.abort(&ends.giver).await;
        }
        if timeout(LAST_WORD, giver.ended).await.is_ok() {
            self.slaves.seen(&ends.giver.slave, ends.giver.transfer);
        } else {
            self.slaves.give_up(&ends.giver.slave, ends.giver.transfer);
        }
        made
    }

    /// What the taker says.
    async fn judge(&self, ends: &Ends, order: &Order, outcome: Outcome) -> Result<(), CopyError> {
        let (file, root) = (order.copied.entry.file(), ends.taker.root);
        let made = match outcome {
            Outcome::Prepared { .. } => {
                let Some(prepared) = PreparedBytes::of(&outcome) else {
                    return Err(CopyError::OtherBytes);
                };
                match self.vfs.add_copy(file, root, prepared).await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(CopyError::OtherBytes),
                    // Not seen: told again, and found in staging by a walk.
                    Err(why) => return Err(why.into()),
                }
            }
            Outcome::Broken { fault, .. } if fault.code == FaultCode::NO_CONNECTION => {
                Err(CopyError::NotReached)
            }
            Outcome::Broken { fault, bytes, kept } => Err(CopyError::Broken {
                bytes,
                why: fault.to_string(),
                kept: kept.map(|bytes| Kept { file, root, bytes }),
            }),
            Outcome::Sent { bytes } => Err(CopyError::Broken {
                bytes,
                why: "it was taken for a download".to_owned(),
                kept: None,
            }),
        };
        self.slaves.seen(&ends.taker.slave, ends.taker.transfer);
        made
    }

    /// Both slaves at work.
    async fn begin(
        &self,
        ends: &Ends,
        order: &Order,
        giver_listens: bool,
    ) -> Result<(Running, Running), CopyError> {
        // What an earlier attempt left there may be waiting to be thrown away: under the name of the new one. Other
        // operations are no reason to wait: on a busy disk there are always some.
        let file = order.copied.entry.file();
        if self.vfs.log_has(ends.taker.root, file).await? {
            return Err(CopyError::Behind);
        }
        let (listens, dials) = match giver_listens {
            true => (&ends.giver, &ends.taker),
            false => (&ends.taker, &ends.giver),
        };
        let to = self.listen(listens, dials).await?;
        self.open(dials, DataPath::Dial { to }).await?;
        let give = order.give(&ends.giver, &ends.taker);
        let give = self.order(ends.giver.transfer, give, giver_listens);
        let take = (order.take(&ends.taker, self.blake3), OpSeq::NONE);
        let take = self.order(ends.taker.transfer, take, !giver_listens);
        let giver = self.slaves.begin(&ends.giver.slave, give).await;
        let giver = giver.map_err(failed(&ends.giver.slave))?;
        let taker = self.slaves.begin(&ends.taker.slave, take).await;
        Ok((giver, taker.map_err(failed(&ends.taker.slave))?))
    }

    fn order(
        &self,
        transfer: TransferId,
        (job, after): (Job, OpSeq),
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
            after,
            stall_timeout_ms: u64::try_from(self.stall.as_millis()).unwrap_or(u64::MAX),
            max_rate: self.max_rate,
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

    async fn abort(&self, slot: &Slot) {
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

fn offline(slave: &SlaveId) -> CopyError {
    failed(slave)(SlaveError::Offline(slave.clone()))
}
