//! What happens, for those who follow it: events of the bus become lines, and each follower has the last ones kept.
//!
//! Nobody waits for a follower: one that is slow loses the oldest and hears how many ([`super::follow`]). Nothing is made
//! while nobody follows.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Recipient, Supervised};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Event, EventBus, Place, supervise};
use drftpd_protocol::wire::RootState;
use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast, watch};

use crate::admin::commands::sessions::way;
use crate::events::{
    ConflictKept, CopiesMissing, CopyDamaged, CopyRepaired, FilesAdopted, RootHeld, RootTurned,
    StoreIsOlder, TransferLogged,
};

/// The listener's name.
pub(crate) const NAME: &str = "api_events";
/// Events that may wait for it.
const MAILBOX: usize = 1024;

/// Kinds that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Sessions,
    Transfers,
    Slaves,
    Events,
}

impl About {
    /// Each with its name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("sessions", Self::Sessions),
        ("transfers", Self::Transfers),
        ("slaves", Self::Slaves),
        ("events", Self::Events),
    ];
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub about: About,
    pub name: &'static str,
    pub data: Arc<str>,
}

/// Where lines go, and where followers get them. Cheap to clone.
#[derive(Clone)]
pub struct Told {
    lines: broadcast::Sender<Line>,
    running: watch::Sender<Arc<str>>,
    /// Somebody has begun to follow.
    pub(super) begun: Arc<Notify>,
}

impl Told {
    /// Keeps so many lines.
    pub fn new(kept: usize) -> Self {
        Self {
            lines: broadcast::Sender::new(kept),
            running: watch::Sender::new(Arc::from("")),
            begun: Arc::default(),
        }
    }

    /// Tells followers, if there are any.
    pub(super) fn tell(&self, about: About, name: &'static str, data: impl FnOnce() -> Value) {
        if self.followers() > 0 {
            let data = Arc::from(data().to_string());
            // The last follower may have gone just now.
            drop(self.lines.send(Line { about, name, data }));
        }
    }

    /// Says which transfers run; only the last word counts.
    pub(super) fn run(&self, transfers: &Value) {
        self.running.send_replace(Arc::from(transfers.to_string()));
    }

    /// How many follow.
    pub(super) fn followers(&self) -> usize {
        self.lines.receiver_count()
    }

    /// Follows from now on.
    pub(super) fn follow(&self) -> (broadcast::Receiver<Line>, watch::Receiver<Arc<str>>) {
        let mut running = self.running.subscribe();
        running.mark_unchanged();
        let lines = self.lines.subscribe();
        self.begun.notify_one();
        (lines, running)
    }
}

/// An event of the bus as followers see it.
pub(crate) trait Shown: Event {
    const ABOUT: About = About::Events;
    const NAME: &'static str;

    fn data(&self) -> Value;
}

/// Hears the bus.
struct Teller(Told);

impl Actor for Teller {
    type Context = Context<Self>;
}

impl Supervised for Teller {}

impl<E: Shown> Handler<E> for Teller {
    type Result = ();

    fn handle(&mut self, event: E, _: &mut Self::Context) {
        self.0.tell(E::ABOUT, E::NAME, || event.data());
    }
}

/// Hears every event of the bus from now on.
pub(crate) fn hear(bus: &EventBus, told: &Told, parent: Recipient<ChildDown>) {
    let spec = ChildSpec::new(NAME, MAILBOX, Budget::PLUGIN, parent);
    let told = told.clone();
    let actor = supervise(&Place::here(), spec, move || Teller(told));
    hear_reports(NAME, bus, &actor);
}

/// Has an actor hear of the ends of transfers, and of whatever is found out about slaves, roots and copies.
pub(crate) fn hear_reports<A>(name: &'static str, bus: &EventBus, actor: &Addr<A>)
where
    A: Actor<Context = Context<A>>
        + Handler<TransferLogged>
        + Handler<FilesAdopted>
        + Handler<ConflictKept>
        + Handler<CopiesMissing>
        + Handler<RootHeld>
        + Handler<RootTurned>
        + Handler<StoreIsOlder>
        + Handler<CopyDamaged>
        + Handler<CopyRepaired>,
{
    bus.subscribe::<TransferLogged>(name, actor.clone().recipient());
    bus.subscribe::<FilesAdopted>(name, actor.clone().recipient());
    bus.subscribe::<ConflictKept>(name, actor.clone().recipient());
    bus.subscribe::<CopiesMissing>(name, actor.clone().recipient());
    bus.subscribe::<RootHeld>(name, actor.clone().recipient());
    bus.subscribe::<RootTurned>(name, actor.clone().recipient());
    bus.subscribe::<StoreIsOlder>(name, actor.clone().recipient());
    bus.subscribe::<CopyDamaged>(name, actor.clone().recipient());
    bus.subscribe::<CopyRepaired>(name, actor.clone().recipient());
}

impl Shown for TransferLogged {
    const ABOUT: About = About::Transfers;
    const NAME: &'static str = "transfer.ended";

    fn data(&self) -> Value {
        let tls = self.tls.as_ref();
        json!({
            "session": self.session.0, "user": self.user, "client": self.client,
            "direction": way(self.direction), "path": self.path.to_string(), "slave": self.slave,
            "bytes": self.bytes, "seconds": self.took.as_secs_f64(), "ended": self.ended,
            "complete": self.complete, "tls": tls.map(|tls| &tls.version),
        })
    }
}

impl Shown for FilesAdopted {
    const NAME: &'static str = "files.adopted";

    fn data(&self) -> Value {
        json!({ "slave": self.slave, "root": self.root, "files": self.files })
    }
}

impl Shown for ConflictKept {
    const NAME: &'static str = "conflict.kept";

    fn data(&self) -> Value {
        json!({ "slave": self.slave, "root": self.root, "path": self.path.to_string() })
    }
}

impl Shown for CopiesMissing {
    const NAME: &'static str = "copies.missing";

    fn data(&self) -> Value {
        let (copies, lost) = (self.copies, self.lost);
        json!({ "slave": self.slave, "root": self.root, "copies": copies, "lost": lost })
    }
}

impl Shown for RootHeld {
    const NAME: &'static str = "root.held";

    fn data(&self) -> Value {
        let (missing, copies) = (self.missing, self.copies);
        json!({ "slave": self.slave, "root": self.root, "missing": missing, "copies": copies })
    }
}

impl Shown for RootTurned {
    const NAME: &'static str = "root.turned";

    fn data(&self) -> Value {
        let state = match self.state {
            RootState::Present => "present",
            RootState::ReadOnly => "read-only",
            RootState::Absent => "absent",
        };
        json!({ "slave": self.slave, "root": self.root, "path": self.path, "state": state })
    }
}

impl Shown for StoreIsOlder {
    const NAME: &'static str = "store.older";

    fn data(&self) -> Value {
        json!({ "slave": self.slave, "root": self.root, "files": self.files })
    }
}

impl Shown for CopyDamaged {
    const NAME: &'static str = "copy.damaged";

    fn data(&self) -> Value {
        json!({
            "slave": self.slave, "root": self.root, "path": self.path.to_string(),
            "why": self.why, "good_elsewhere": self.good_elsewhere,
        })
    }
}

impl Shown for CopyRepaired {
    const NAME: &'static str = "copy.repaired";

    fn data(&self) -> Value {
        json!({ "slave": self.slave, "root": self.root, "path": self.path.to_string() })
    }
}
