//! `SlaveRegistry`: which slaves are online and what they show, who waits for which transfer, and
//! which relayed connections are expected.
//!
//! Asked by the door (may this slave come in?), by sessions (a link for this transfer, a relay)
//! and told by the managers of links, whose parent it is. Answers at once, from memory. A restart
//! loses the links (slaves dial again) and who waits (sessions hear that their transfer is lost).

mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::{ChildDown, Clock, Dice, EventBus, tell};
use drftpd_protocol::wire::{Alive, Fault, FaultCode, RelayToken};
use drftpd_protocol::{Epoch, RootId, SlaveId, StoreId, TransferId};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::info;

use super::awaited::{Awaited, End};
use super::config::SlavesConfig;
use super::error::SlaveError;
use super::filelist::FileList;
use super::link::{LinkHandle, Links};
use super::messages::*;
use super::relay::Relays;
use super::roster::{LinkId, Roster};
use super::standing::Standing;
use super::view::SlaveViews;

/// How often what is overdue is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an admitted slave may take until its link is up.
const TO_COME_UP: Duration = Duration::from_secs(30);
/// How long whoever took the end of a transfer may take to store what it means.
const TO_STORE: Duration = Duration::from_secs(600);

/// Everything the registry was given.
pub(super) struct Deps {
    pub config: Arc<SlavesConfig>,
    pub files: Arc<dyn FileList>,
    pub clock: Clock,
    pub dice: Dice,
    pub epoch: Epoch,
    pub store: StoreId,
    /// Transfers below it were begun by an earlier master.
    pub first_transfer: TransferId,
    /// Numbers of links go on after a restart.
    pub last_link: Arc<AtomicU64>,
    pub views: watch::Sender<SlaveViews>,
    pub links: watch::Sender<Links>,
    pub bus: EventBus,
    /// Closed for a link's manager when the registry that knew it began anew.
    pub lives: watch::Sender<watch::Receiver<()>>,
}

/// What a restart loses.
struct State {
    roster: Roster<LinkHandle>,
    granted: BTreeMap<SlaveId, BTreeSet<RootId>>,
    admitted: BTreeMap<SlaveId, (LinkId, Instant)>,
    awaited: Awaited,
    relays: Relays,
    /// What was decided about slaves since this began: newer than what they came with.
    standings: BTreeMap<SlaveId, Standing>,
    published: Option<Instant>,
    scheduled: bool,
    /// Managers live as long as this.
    lives: watch::Sender<()>,
}

impl State {
    fn new(config: &SlavesConfig) -> Self {
        Self {
            roster: Roster::default(),
            granted: BTreeMap::new(),
            admitted: BTreeMap::new(),
            awaited: Awaited::default(),
            relays: Relays::with_limit(config.max_relays),
            standings: BTreeMap::new(),
            published: None,
            scheduled: false,
            lives: watch::Sender::new(()),
        }
    }
}

/// Knows every link.
pub(super) struct SlaveRegistry {
    deps: Deps,
    state: State,
}

impl SlaveRegistry {
    pub fn new(deps: Deps) -> Self {
        let state = State::new(&deps.config);
        Self { deps, state }
    }
}

impl Actor for SlaveRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.deps.lives.send_replace(self.state.lives.subscribe());
        self.publish_links();
        ctx.run_interval(LOOK_EVERY, |act, ctx| act.look(ctx));
    }
}

impl Supervised for SlaveRegistry {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.state = State::new(&self.deps.config);
    }
}

impl Handler<AreYouUp> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, _: AreYouUp, _: &mut Self::Context) {}
}

impl Handler<drftpd_actors::Ping> for SlaveRegistry {
    type Result = MessageResult<drftpd_actors::Ping>;

    fn handle(&mut self, ping: drftpd_actors::Ping, _: &mut Self::Context) -> Self::Result {
        // A test may make it panic here; there is nothing to fail.
        drop(drftpd_actors::failpoint("actor.slave_registry"));
        MessageResult(ping.answer())
    }
}

impl Handler<Admit> for SlaveRegistry {
    type Result = Result<Admitted, NotAdmitted>;

    fn handle(&mut self, msg: Admit, _: &mut Self::Context) -> Self::Result {
        let revision = self.fits(&msg.hello)?;
        let slave = msg.hello.name;
        if let Some((link, handle)) = self.state.roster.link(&slave) {
            return Err(NotAdmitted::Taken(link, handle.clone()));
        }
        if self.state.admitted.contains_key(&slave) {
            let why = "a slave of that name is coming in just now".to_owned();
            return Err(NotAdmitted::Refused(why, true));
        }
        let link = LinkId(self.deps.last_link.fetch_add(1, Ordering::Relaxed) + 1);
        let until = Instant::now() + TO_COME_UP;
        self.state.admitted.insert(slave, (link, until));
        let welcome = self.welcome(revision);
        Ok(Admitted { link, welcome })
    }
}

impl Handler<AdmissionFailed> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: AdmissionFailed, _: &mut Self::Context) {
        self.take_admitted(&msg.slave, msg.link);
    }
}

impl Handler<LinkUp> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: LinkUp, ctx: &mut Self::Context) {
        let slave = msg.hello.name.clone();
        if !self.take_admitted(&slave, msg.link) {
            let why = "it took too long to come in";
            return tell(&msg.handle.manager, Cut { why });
        }
        info!(%slave, link = msg.link.0, address = %msg.address, build = msg.hello.build,
            roots = msg.hello.roots.len(), transfers = msg.hello.transfers.len(), "a slave is online");
        let (roster, since) = (&mut self.state.roster, self.deps.clock.unix());
        roster.link_up(
            msg.link,
            msg.handle.clone(),
            msg.address,
            slave.clone(),
            since,
        );
        let standing = self.state.standings.get(&slave).copied();
        roster.standing(&slave, standing.unwrap_or(msg.standing));
        self.state.granted.remove(&slave);
        self.publish_links();
        let nobodys = self.state.awaited.link_back(&slave, &msg.hello.transfers);
        for transfer in nobodys.given_up {
            self.abort(&msg.handle, transfer, ctx);
        }
        for transfer in nobodys.others {
            self.unwanted(slave.clone(), transfer, ctx);
        }
        self.give_back(slave.clone(), msg.hello.transfers.clone(), ctx);
        let transfers = u32::try_from(msg.hello.transfers.len()).unwrap_or(u32::MAX);
        let alive = Alive {
            roots: msg.hello.roots,
            transfers,
            receiving: 0,
            sending: 0,
        };
        self.told(&slave, msg.link, alive);
        self.publish_views();
    }
}

impl Handler<LinkDead> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: LinkDead, _: &mut Self::Context) {
        self.link_down(msg.link);
    }
}

impl Handler<ChildDown> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: ChildDown, _: &mut Self::Context) {
        self.link_down(LinkId(msg.id));
    }
}

impl Handler<SlaveTold> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: SlaveTold, ctx: &mut Self::Context) {
        self.told(&msg.slave, msg.link, msg.alive);
        self.publish_soon(ctx);
    }
}

impl Handler<Remerging> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: Remerging, ctx: &mut Self::Context) {
        let roster = &mut self.state.roster;
        roster.remerging(&msg.slave, msg.link, msg.root, msg.runs);
        self.publish_soon(ctx);
    }
}

impl Handler<Holding> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: Holding, ctx: &mut Self::Context) {
        let roster = &mut self.state.roster;
        if roster.holding(&msg.slave, msg.link, msg.root, msg.held) {
            self.publish_soon(ctx);
        }
    }
}

impl Handler<TransfersMoved> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: TransfersMoved, _: &mut Self::Context) {
        for (transfer, bytes) in msg.moved {
            self.state.awaited.moved(&msg.slave, transfer, bytes);
        }
    }
}

impl Handler<TransferOver> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: TransferOver, ctx: &mut Self::Context) {
        let orphan_at = Instant::now() + TO_STORE;
        match self.state.awaited.ended(&msg.slave, msg.ended, orphan_at) {
            End::Known => {}
            End::Orphan(ended) => self.settle(msg.slave, *ended, ctx),
        }
    }
}

impl Handler<ExpectEnd> for SlaveRegistry {
    type Result = MessageResult<ExpectEnd>;

    fn handle(&mut self, msg: ExpectEnd, _: &mut Self::Context) -> Self::Result {
        drftpd_actors::panicpoint("slaves.expect_end");
        let Some((_, handle)) = self.state.roster.link(&msg.slave) else {
            return MessageResult(Err(SlaveError::Offline(msg.slave)));
        };
        let handle = handle.clone();
        let awaiting = self.state.awaited.expect(msg.slave, msg.transfer);
        MessageResult(Ok((handle, awaiting)))
    }
}

impl Handler<ForgetEnd> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: ForgetEnd, ctx: &mut Self::Context) {
        match self.state.roster.link(&msg.slave) {
            Some((_, handle)) => {
                let handle = handle.clone();
                self.state.awaited.forget(msg.transfer);
                self.abort(&handle, msg.transfer, ctx);
            }
            None => self.state.awaited.give_up(msg.slave, msg.transfer),
        }
    }
}

impl Handler<EndStored> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: EndStored, _: &mut Self::Context) {
        self.state.awaited.seen(msg.transfer);
        self.tell_seen(&msg.slave, msg.transfer);
    }
}

impl Handler<ExpectRelay> for SlaveRegistry {
    type Result = MessageResult<ExpectRelay>;

    fn handle(&mut self, msg: ExpectRelay, _: &mut Self::Context) -> Self::Result {
        let Some(from) = self.state.roster.address(&msg.slave) else {
            return MessageResult(Err(SlaveError::Offline(msg.slave)));
        };
        let token = RelayToken(self.deps.dice.token());
        let expected = self.state.relays.expect(token, from, Instant::now());
        let expected = expected.map(|connection| (token, connection));
        MessageResult(expected.ok_or_else(|| {
            Fault::new(FaultCode::BUSY, "too many relayed connections are expected").into()
        }))
    }
}

impl Handler<RelayArrived> for SlaveRegistry {
    type Result = MessageResult<RelayArrived>;

    fn handle(&mut self, msg: RelayArrived, _: &mut Self::Context) -> Self::Result {
        let relays = &mut self.state.relays;
        MessageResult(relays.arrived(msg.token, msg.from, Instant::now()))
    }
}

impl Handler<CutSlave> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: CutSlave, _: &mut Self::Context) {
        if let Some((_, handle)) = self.state.roster.link(&msg.slave) {
            tell(&handle.manager, Cut { why: msg.why });
        }
    }
}

impl Handler<Stands> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: Stands, _: &mut Self::Context) {
        if self.state.roster.standing(&msg.slave, msg.standing) {
            self.publish_views();
        }
        self.state.standings.insert(msg.slave, msg.standing);
    }
}

impl Handler<RootRetired> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, msg: RootRetired, _: &mut Self::Context) {
        self.retire(msg.root);
    }
}

#[cfg(test)]
impl Handler<PanicOnPurpose> for SlaveRegistry {
    type Result = ();

    fn handle(&mut self, _: PanicOnPurpose, _: &mut Self::Context) {
        panic!("on purpose");
    }
}
