//! One copy of a file that is there from one slave to another: the bytes, and a holder more.
//!
//! Dropped in the middle, what was ordered ends by itself: what is prepared then is found by the next walk of its root.

use std::time::Duration;

use drftpd_protocol::wire::{FaultCode, Outcome};
use tokio::time::timeout;

use super::client::Under;
use super::order::{CopyError, Kept, Order};
use super::pass::{Ends, LAST_WORD, Passage, Way, offline};
use crate::slaves::SlavesClient;
use crate::transfer::TransfersClient;
use crate::vfs::{PreparedBytes, VfsClient};

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

impl Maker {
    /// Makes the copy; `shows` is called when the bytes begin to move.
    ///
    /// # Errors
    /// [`CopyError`]: nothing has changed, but for what is kept.
    pub async fn make(&self, order: &Order, shows: impl Fn(Under)) -> Result<(), CopyError> {
        for giver_listens in [true, false] {
            let ends = self.hold_for(order).await?;
            let made = self.between(&ends, order, giver_listens, &shows).await;
            self.transfers.free(ends.giver.transfer, None);
            match made {
                Err(CopyError::NotReached) => {}
                made => return made,
            }
        }
        Err(CopyError::NotReached)
    }

    async fn hold_for(&self, order: &Order) -> Result<Ends, CopyError> {
        let to = match order.kept {
            Some(kept) if order.to.contains(&kept.root) => vec![kept.root],
            _ => order.to.clone(),
        };
        let way = Way {
            path: &order.copied.path,
            bytes: order.copied.entry.size,
            from: order.from.clone(),
            to,
        };
        self.hold(way).await
    }

    /// Frees the taker's slot in any case.
    async fn between(
        &self,
        ends: &Ends,
        order: &Order,
        giver_listens: bool,
        shows: &impl Fn(Under),
    ) -> Result<(), CopyError> {
        let passage = Passage {
            file: order.copied.entry.file(),
            give: order.give(&ends.giver, &ends.taker),
            take: order.take(&ends.taker, self.blake3),
            max_rate: self.max_rate,
            stall: self.stall,
        };
        let begun = self.begin(ends, &passage, giver_listens).await;
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
}
