//! What the registry's handlers do: admission, claims of roots, ends that nobody waits for, and
//! what others get to see.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::tell;
use drftpd_protocol::wire::{
    AbortTransfer, Alive, EndedSeen, Hello, Outcome, Revision, RootState, RootStatus,
    TransferEnded, Welcome,
};
use drftpd_protocol::{RootId, SlaveId, TransferId};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::SlaveRegistry;
use crate::accounts::tally::Figures;
use crate::events::RootTurned;
use crate::slaves::link::LinkHandle;
use crate::slaves::messages::{NotAdmitted, RootsGranted};
use crate::slaves::roster::LinkId;

/// Views are published at most so often, changes of links at once.
const VIEWS_GAP: Duration = Duration::from_millis(200);
/// How long a slave may take to end a transfer that nobody waits for.
const TO_ABORT: Duration = Duration::from_secs(60);

impl SlaveRegistry {
    /// Whether a slave and this master fit each other.
    pub(super) fn fits(&self, hello: &Hello) -> Result<Revision, NotAdmitted> {
        let refused = |why: String| NotAdmitted::Refused(why, false);
        let revision = Revision::common(hello.oldest, hello.newest).ok_or_else(|| {
            let (oldest, newest) = (u16::from(Revision::OLDEST), u16::from(Revision::NEWEST));
            refused(format!(
                "no common revision: the master speaks {oldest} to {newest}, the slave {} to {}",
                hello.oldest, hello.newest
            ))
        })?;
        let (epoch, store) = (self.deps.epoch, self.deps.store);
        match hello.seen {
            Some((seen, _)) if seen > epoch => Err(refused(format!(
                "this master was replaced: the slave saw epoch {seen}, this is {epoch}"
            ))),
            Some((seen, other)) if seen == epoch && other != store => Err(refused(format!(
                "the slave belongs to store {other} of the same epoch, this is {store}"
            ))),
            _ => Ok(revision),
        }
    }

    pub(super) fn welcome(&self, revision: Revision) -> Welcome {
        let heartbeat = self.deps.config.heartbeat.as_millis();
        Welcome {
            revision: revision.into(),
            epoch: self.deps.epoch,
            store: self.deps.store,
            heartbeat_ms: u64::try_from(heartbeat).unwrap_or(u64::MAX),
            build: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Takes an admission back; false when it is not the one that holds.
    pub(super) fn take_admitted(&mut self, slave: &SlaveId, link: LinkId) -> bool {
        let holds = self.state.admitted.get(slave);
        let holds = holds.is_some_and(|(held, _)| *held == link);
        if holds {
            self.state.admitted.remove(slave);
        }
        holds
    }

    pub(super) fn told(&mut self, slave: &SlaveId, link: LinkId, alive: Alive) {
        let Some(granted) = self.state.roster.told(slave, link, alive) else {
            return;
        };
        for (root, holder) in granted.newly_refused {
            error!(%slave, %root, %holder, "a root is shown by two slaves: the second is refused for it");
        }
        for root in granted.turned {
            self.turned(slave, root);
        }
        let before = self.state.granted.get(slave);
        if before == Some(&granted.roots) {
            return;
        }
        // It is in agreement with the file list when its walk is over, not before that begins.
        if self.deps.config.remerge_at_start {
            let known = |root: &&RootId| before.is_some_and(|before| before.contains(*root));
            for root in granted.roots.iter().filter(|root| !known(root)) {
                self.state.roster.remerging(slave, link, *root, true);
            }
        }
        if let Some((_, handle)) = self.state.roster.link(slave) {
            let roots = granted.roots.clone();
            tell(&handle.manager, RootsGranted { roots });
        }
        self.state.granted.insert(slave.clone(), granted.roots);
    }

    /// A root can be used otherwise than before: whoever watches the site has to know.
    fn turned(&self, slave: &SlaveId, status: RootStatus) {
        let RootStatus {
            root, path, state, ..
        } = status;
        match state {
            RootState::Present => info!(%slave, %root, path, "a root can be used again"),
            RootState::ReadOnly => error!(
                %slave, %root, path,
                "a root takes nothing any more: its disk failed, or is mounted read-only; the slave's log says how"
            ),
            RootState::Absent => warn!(%slave, %root, path, "a root is not there: not mounted?"),
        }
        let slave = slave.clone();
        self.deps.bus.publish(RootTurned {
            slave,
            root,
            path,
            state,
        });
    }

    /// Nobody shows a retired root any more, and the work on it ends.
    pub(super) fn retire(&mut self, root: RootId) {
        self.state.roster.retire(root);
        for (slave, granted) in &mut self.state.granted {
            if granted.remove(&root)
                && let Some((_, handle)) = self.state.roster.link(slave)
            {
                info!(%slave, %root, "a root is retired: what its slave shows of it does not count");
                let roots = granted.clone();
                tell(&handle.manager, RootsGranted { roots });
            }
        }
        self.publish_views();
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        let Some(slave) = self.state.roster.link_down(link) else {
            return; // another took its place
        };
        self.state.granted.remove(&slave);
        let lost_at = Instant::now() + self.deps.config.lost_transfer_after;
        self.state.awaited.link_lost(&slave, lost_at);
        self.publish_links();
        self.publish_views();
    }

    /// A slave came back with a transfer that nobody waits for. Those of an earlier master are
    /// ended at once, their clients are gone; a channel of this one may still be waiting for its
    /// session to begin, so it gets its time.
    pub(super) fn unwanted(&self, slave: SlaveId, transfer: TransferId, ctx: &mut Context<Self>) {
        let patience = if transfer < self.deps.first_transfer {
            Duration::ZERO
        } else {
            self.deps.config.lost_transfer_after
        };
        ctx.run_later(patience, move |act, ctx| {
            let link = act.state.roster.link(&slave);
            if let Some((_, handle)) = link
                && !act.state.awaited.is_known(transfer)
            {
                let handle = handle.clone();
                act.abort(&handle, transfer, ctx);
            }
        });
    }

    pub(super) fn abort(&self, handle: &LinkHandle, transfer: TransferId, ctx: &mut Context<Self>) {
        let handle = handle.clone();
        let abort = async move {
            debug!(slave = %handle.slave, %transfer, "ending a transfer that nobody waits for");
            if let Err(why) = handle.call(&AbortTransfer { transfer }, TO_ABORT).await {
                debug!(slave = %handle.slave, %transfer, %why, "it was not ended");
            }
        };
        ctx.spawn(abort.into_actor(self));
    }

    /// The end of a transfer that nobody waits for: the file list settles it, then the slave may
    /// forget it. When that fails the slave tells it again on its next link.
    pub(super) fn settle(&mut self, slave: SlaveId, ended: TransferEnded, ctx: &mut Context<Self>) {
        let transfer = ended.transfer;
        let Some((root, file)) = ended.upload else {
            return self.settle_download(slave, ended, ctx);
        };
        if !self.state.roster.shows(&slave, root) {
            return debug!(%slave, %transfer, %root, "the end of an upload to a root that is not there");
        }
        let kept = match ended.outcome {
            Outcome::Prepared { size, .. } => Some(size),
            Outcome::Broken { kept, .. } => kept,
            Outcome::Sent { .. } => None,
        };
        let files = Arc::clone(&self.deps.files);
        let settled = async move { files.settle_orphan(file, root, kept).await };
        ctx.spawn(settled.into_actor(self).map(move |settled, act, _| {
            match settled {
                Ok(()) => act.tell_seen(&slave, transfer),
                Err(why) => warn!(%slave, %transfer, %file, %why, "an upload that nobody waits for was not settled"),
            }
        }));
    }

    fn settle_download(&self, slave: SlaveId, ended: TransferEnded, ctx: &mut Context<Self>) {
        let (transfer, ms) = (ended.transfer, ended.took_ms);
        let (files, bytes) = match ended.outcome {
            Outcome::Sent { bytes } => (1, bytes),
            Outcome::Broken { bytes, .. } => (0, bytes),
            Outcome::Prepared { .. } => (0, 0),
        };
        let list = Arc::clone(&self.deps.files);
        let moved = Figures { files, bytes, ms };
        let settled = async move { list.settle_download(transfer, moved).await };
        ctx.spawn(settled.into_actor(self).map(move |settled, act, _| {
            match settled {
                Ok(()) => act.tell_seen(&slave, transfer),
                Err(why) => warn!(%slave, %transfer, %why, "a download that nobody waits for was not settled"),
            }
        }));
    }

    /// Of downloads of earlier masters which a slave does not know any more nobody will ever tell the end.
    pub(super) fn give_back(
        &self,
        slave: SlaveId,
        knows: Vec<TransferId>,
        ctx: &mut Context<Self>,
    ) {
        let (list, first) = (Arc::clone(&self.deps.files), self.deps.first_transfer);
        let given = async move {
            match list.downloads_known(&slave, knows, first).await {
                Ok(0) => {}
                Ok(count) => {
                    warn!(%slave, count, "downloads of an earlier run whose end nobody knows are not paid for")
                }
                Err(why) => warn!(%slave, %why, "credits that are held were not looked at"),
            }
        };
        ctx.spawn(given.into_actor(self));
    }

    pub(super) fn tell_seen(&self, slave: &SlaveId, transfer: TransferId) {
        if let Some((_, handle)) = self.state.roster.link(slave) {
            handle.notice(&EndedSeen { transfer });
        }
    }

    pub(super) fn look(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        self.state.relays.expire(now);
        self.state.admitted.retain(|_, (_, until)| *until > now);
        for (slave, ended) in self.state.awaited.expire(now) {
            warn!(%slave, transfer = %ended.transfer, "nobody stored the end of a transfer, settling it");
            self.settle(slave, ended, ctx);
        }
    }

    pub(super) fn publish_links(&self) {
        let links = self.state.roster.managers();
        self.deps.links.send_replace(Arc::new(links));
    }

    pub(super) fn publish_views(&mut self) {
        self.state.published = Some(Instant::now());
        self.deps.views.send_replace(self.state.roster.views());
    }

    pub(super) fn publish_soon(&mut self, ctx: &mut Context<Self>) {
        let since = self.state.published.map(|at| at.elapsed());
        match since {
            Some(since) if since < VIEWS_GAP => {
                if !std::mem::replace(&mut self.state.scheduled, true) {
                    ctx.run_later(VIEWS_GAP - since, |act, _| {
                        act.state.scheduled = false;
                        act.publish_views();
                    });
                }
            }
            _ => self.publish_views(),
        }
    }
}
