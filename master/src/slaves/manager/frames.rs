//! What comes from a slave: answers to their askers, news to the registry, walks to whoever
//! follows them.

use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::{ask, tell};
use drftpd_protocol::RootId;
use drftpd_protocol::wire::{
    Alive, Envelope, Fault, FaultCode, Notice, RootChanged, TransferEnded, TransferProgress,
    WalkDigests, WalkDone, WalkPage, WalkStaged, kinds,
};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::SlaveManager;
use crate::slaves::asked::Extent;
use crate::slaves::calls::{CallLost, CallResult, Settled};
use crate::slaves::messages::{SlaveTold, TransferOver, TransfersMoved};
use crate::slaves::remerge::WalkItem;

/// A slave's news of itself are passed on at most so often.
const NEWS_GAP: Duration = Duration::from_millis(20);
/// Ends of transfers that may wait for the registry; more at once is no honest slave.
const MOST_ENDS: usize = 4096;
/// How long an end may wait for the registry.
const END_WAITS: Duration = Duration::from_secs(30);

impl SlaveManager {
    pub(super) fn arrived(&mut self, frame: &Envelope, ctx: &mut Context<Self>) {
        self.heard = Instant::now();
        match frame.kind {
            kinds::ANSWER => self.settle(frame.call, Ok(frame.body.clone())),
            kinds::FAULT => {
                let fault = frame.open().unwrap_or_else(|why| {
                    Fault::new(FaultCode::FAILED, format!("a fault that is none: {why}"))
                });
                self.settle(frame.call, Err(CallLost::Fault(fault)));
            }
            kinds::PROGRESS => {
                self.calls.progress(frame.call, self.heard);
            }
            _ => self.noticed(frame, ctx),
        }
    }

    fn settle(&mut self, call: u32, result: CallResult) {
        if self.calls.settle(call, result) == Settled::Unknown {
            debug!(slave = %self.deps.slave, call, "an answer came too late");
        }
    }

    fn noticed(&mut self, frame: &Envelope, ctx: &mut Context<Self>) {
        match frame.kind {
            kinds::ALIVE => self.open(frame).map(|alive| self.news(alive)),
            kinds::TRANSFER_PROGRESS => self.open(frame).map(|moved| self.moved(moved)),
            kinds::TRANSFER_ENDED => self.open(frame).map(|ended| self.ended(ended, ctx)),
            kinds::WALK_PAGE => self.open(frame).map(|page: WalkPage| {
                self.walked(page.root, page.walk, WalkItem::Page(page), ctx);
            }),
            kinds::WALK_DIGESTS => self.open(frame).map(|digests: WalkDigests| {
                let (root, walk) = (digests.root, digests.walk);
                self.walked(root, walk, WalkItem::Digests(digests), ctx);
            }),
            kinds::WALK_STAGED => self.open(frame).map(|staged: WalkStaged| {
                self.walked(staged.root, staged.walk, WalkItem::Staged(staged), ctx);
            }),
            kinds::ROOT_CHANGED => self.open(frame).map(|changed| self.changed(changed)),
            kinds::WALK_DONE => self.open(frame).map(|done: WalkDone| {
                self.walked(done.root, done.walk, WalkItem::Done(done), ctx);
            }),
            kind => {
                let slave = &self.deps.slave;
                debug!(%slave, kind = format_args!("{kind:#06x}"), "a notice of an unknown kind");
                None
            }
        };
    }

    fn open<N: Notice>(&self, frame: &Envelope) -> Option<N> {
        frame
            .open()
            .inspect_err(|why| {
                let (slave, kind) = (&self.deps.slave, format_args!("{:#06x}", frame.kind));
                let cause = std::error::Error::source(why).map(ToString::to_string);
                warn!(%slave, kind, %why, cause, "a slave's notice cannot be understood");
            })
            .ok()
    }

    /// Other programs did something on a shared root.
    fn changed(&mut self, changed: RootChanged) {
        if let Some(work) = self.roots.get(&changed.root) {
            work.walk_again(Extent::of(changed.parts).unwrap_or(Extent::Whole));
        }
    }

    fn news(&mut self, alive: Alive) {
        if !due(&mut self.news, self.heard) {
            return; // the next heartbeat says it again
        }
        let (slave, link) = (self.deps.slave.clone(), self.deps.link);
        tell(&self.deps.registry, SlaveTold { slave, link, alive });
    }

    fn moved(&mut self, progress: TransferProgress) {
        if !due(&mut self.moves, self.heard) {
            return;
        }
        let (slave, moved) = (self.deps.slave.clone(), progress.moved);
        tell(&self.deps.registry, TransfersMoved { slave, moved });
    }

    fn ended(&mut self, ended: TransferEnded, ctx: &mut Context<Self>) {
        if self.ends >= MOST_ENDS {
            return self.cut("it tells of more transfers than there can be", ctx);
        }
        self.ends += 1;
        let (slave, registry) = (self.deps.slave.clone(), self.deps.registry.clone());
        let told = async move { ask(&registry, TransferOver { slave, ended }, END_WAITS).await };
        ctx.spawn(told.into_actor(self).map(|told, act, _| {
            act.ends -= 1;
            if let Err(why) = told {
                debug!(slave = %act.deps.slave, %why, "an end was not taken; the slave tells it again");
            }
        }));
    }

    fn walked(&mut self, root: RootId, walk: u64, item: WalkItem, ctx: &mut Context<Self>) {
        let follower = self.walks.get(&root).filter(|known| known.number == walk);
        let Some(follower) = follower else {
            return debug!(slave = %self.deps.slave, %root, walk, "a notice of a walk that is over");
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = follower.to.try_send(item) {
            info!(slave = %self.deps.slave, %root, "a slave sent more of a walk than it may");
            self.cut("it sent more of a walk than it may", ctx);
        }
    }
}

/// Whether so much time has passed that the next news may be passed on.
fn due(last: &mut Option<Instant>, now: Instant) -> bool {
    let due = last.is_none_or(|last| now.duration_since(last) >= NEWS_GAP);
    if due {
        *last = Some(now);
    }
    due
}
