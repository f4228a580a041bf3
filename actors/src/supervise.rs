//! Supervision: a child that panics begins again, at the same address and with the same mailbox.
//!
//! actix's own `Supervisor` does not survive a panic and restarts on every stop; this one catches the panic,
//! lets `Supervised::restarting` renew the state, pauses, and gives up when its budget is spent. A stop is a
//! stop. Whatever the end, the parent hears exactly one [`ChildDown`].

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use actix::dev::ContextFut;
use actix::dev::channel::{self, AddressReceiver};
use actix::{Actor, ActorContext, Addr, Context, Message, Recipient, Supervised};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};
use tracing::{debug, error, warn};

use crate::place::{Guest, Place};

/// An actor that can be supervised; every actor with a plain context that implements `Supervised` is one.
pub trait Child: Actor<Context = Context<Self>> + Supervised {}

impl<A: Actor<Context = Context<A>> + Supervised> Child for A {}

/// What the supervisor must know of a child.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// The kind of child, for logs and for the parent.
    pub name: &'static str,
    /// Tells children of one name apart (a session's number); 0 where there is only one.
    pub id: u64,
    /// How many messages the mailbox holds before askers wait. At least 1.
    pub mailbox: usize,
    /// How often it may be restarted.
    pub budget: Budget,
    /// Who hears that the child is down.
    pub parent: Recipient<ChildDown>,
}

impl ChildSpec {
    /// A child that is the only one of its name.
    pub fn new(
        name: &'static str,
        mailbox: usize,
        budget: Budget,
        parent: Recipient<ChildDown>,
    ) -> Self {
        Self {
            name,
            id: 0,
            mailbox,
            budget,
            parent,
        }
    }

    /// Gives the child a number that its [`ChildDown`] carries.
    #[must_use]
    pub fn with_id(mut self, id: u64) -> Self {
        self.id = id;
        self
    }
}

/// How many restarts are allowed in which time, and how long to pause before each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Restarts allowed within `per`; 0 means the child is temporary and never restarted.
    pub restarts: u32,
    /// The window in which restarts are counted.
    pub per: Duration,
    /// Pause before a restart; questions wait in the mailbox meanwhile.
    pub pause: Duration,
}

impl Budget {
    /// For actors without which the process is of no use: five restarts in five minutes.
    pub const CORE: Self = Self {
        restarts: 5,
        per: Duration::from_secs(300),
        pause: Duration::from_millis(200),
    };
    /// For plugins: three restarts in ten minutes, then the plugin is off.
    pub const PLUGIN: Self = Self {
        restarts: 3,
        per: Duration::from_secs(600),
        pause: Duration::from_millis(200),
    };
    /// For actors whose life is a socket or a job: never restarted.
    pub const TEMPORARY: Self = Self {
        restarts: 0,
        per: Duration::ZERO,
        pause: Duration::ZERO,
    };

    /// Whether a child with this budget is never restarted.
    pub fn is_temporary(&self) -> bool {
        self.restarts == 0
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It stopped by itself, its last address went, or its arbiter ended. Nothing is wrong.
    Stopped,
    /// A temporary child panicked.
    Panicked,
    /// A permanent child panicked more often than its budget allows, or could not be made.
    GaveUp,
}

/// Tells a parent that a child is down for good. Sent once per child, after its mailbox has closed.
#[derive(Message, Debug, Clone, Copy, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct ChildDown {
    /// [`ChildSpec::name`].
    pub name: &'static str,
    /// [`ChildSpec::id`].
    pub id: u64,
    /// How it ended.
    pub how: Ended,
}

impl ChildDown {
    /// Whether the child ended by panics and not by a stop.
    pub fn failed(&self) -> bool {
        self.how != Ended::Stopped
    }
}

/// Starts a child that a panic restarts: same address, same mailbox, and `Supervised::restarting` to begin a new
/// state.
///
/// `make` runs on the child's arbiter. If `place` has ended, the address is dead and the parent hears
/// [`Ended::Stopped`].
pub fn supervise<A: Child>(
    place: &Place,
    spec: ChildSpec,
    make: impl FnOnce() -> A + Send + 'static,
) -> Addr<A> {
    let (tx, rx) = channel::channel(spec.mailbox.max(1)); // actix takes 0 for "unbounded"
    let report = Report {
        spec,
        how: Ended::Stopped,
    };
    place.settle(move |guest| begin(rx, report, make, guest));
    Addr::new(tx)
}

fn begin<A: Child>(
    rx: AddressReceiver<A>,
    mut report: Report,
    make: impl FnOnce() -> A,
    guest: Guest,
) {
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(actor) => {
            let child = Context::with_receiver(rx).into_future(actor);
            actix_rt::spawn(async move {
                watch(child, report).await;
                drop(guest);
            });
        }
        Err(panic) => {
            error!(
                actor = report.spec.name,
                id = report.spec.id,
                cause = panic_text(&*panic),
                "actor not made"
            );
            report.how = report.end_of_panics();
            drop(rx);
        }
    }
}

async fn watch<A: Child>(mut child: ContextFut<A, Context<A>>, mut report: Report) {
    let ChildSpec {
        name, id, budget, ..
    } = report.spec;
    let mut meter = Meter::new(budget);
    loop {
        let Err(panic) = AssertUnwindSafe(&mut child).catch_unwind().await else {
            return;
        };
        let cause = panic_text(&*panic);
        // `restarting` may panic too; that is one more panic of the same child, not a second chance.
        let restarted = meter.allows_one_more(Instant::now())
            && catch_unwind(AssertUnwindSafe(|| child.restart())).unwrap_or(false);
        if !restarted {
            report.how = report.end_of_panics();
            error!(actor = name, id, cause, how = ?report.how, "actor panicked and is down");
            discard(child);
            return;
        }
        warn!(
            actor = name,
            id,
            cause,
            restarts = meter.used(),
            "actor panicked and begins again"
        );
        sleep(budget.pause).await;
    }
}

/// Drops a broken child without running its `stopping` and `stopped`, which would see a half-changed state.
fn discard<A: Child>(mut child: ContextFut<A, Context<A>>) {
    child.ctx().terminate();
    if catch_unwind(AssertUnwindSafe(move || drop(child))).is_err() {
        debug!("a broken actor panicked again while it was dropped");
    }
}

/// Tells the parent when dropped: so the parent hears it however the child's task ends.
struct Report {
    spec: ChildSpec,
    how: Ended,
}

impl Report {
    fn end_of_panics(&self) -> Ended {
        if self.spec.budget.is_temporary() {
            Ended::Panicked
        } else {
            Ended::GaveUp
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let ChildSpec { name, id, .. } = self.spec;
        self.spec.parent.do_send(ChildDown {
            name,
            id,
            how: self.how,
        });
    }
}

/// Counts restarts within the budget's window.
struct Meter {
    budget: Budget,
    recent: VecDeque<Instant>,
}

impl Meter {
    fn new(budget: Budget) -> Self {
        Self {
            budget,
            recent: VecDeque::new(),
        }
    }

    fn allows_one_more(&mut self, now: Instant) -> bool {
        let per = self.budget.per;
        while self
            .recent
            .front()
            .is_some_and(|at| now.duration_since(*at) >= per)
        {
            self.recent.pop_front();
        }
        let allowed = self.used() < self.budget.restarts as usize;
        if allowed {
            self.recent.push_back(now);
        }
        allowed
    }

    fn used(&self) -> usize {
        self.recent.len()
    }
}

/// The text of a panic, where it has one.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_meter_forgets_restarts_that_are_older_than_its_window() {
        let budget = Budget {
            restarts: 2,
            per: Duration::from_secs(10),
            pause: Duration::ZERO,
        };
        let mut meter = Meter::new(budget);
        let begin = Instant::now();
        assert!(meter.allows_one_more(begin));
        assert!(meter.allows_one_more(begin + Duration::from_secs(9)));
        assert!(!meter.allows_one_more(begin + Duration::from_secs(9)));
        assert!(meter.allows_one_more(begin + Duration::from_secs(10)));
        assert!(!meter.allows_one_more(begin + Duration::from_secs(18)));
    }
}
