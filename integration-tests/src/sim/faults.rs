//! Links and hosts that break and come back, as a seed says.

use std::time::Duration;

use drftpd_actors::Dice;
use turmoil::Sim;

use super::world::{LATENCY, World};
use crate::users::Trace;

/// The longest pause between two faults begin.
const PAUSE: u64 = 4_000;
/// The longest that a fault lasts.
const LASTS: u64 = 9_000;
/// The latency of a slow link.
const SLOW: Duration = Duration::from_millis(600);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// Everything between two hosts is lost.
    Cut(String, String),
    /// Everything from one host to another is lost.
    CutOneWay(String, String),
    /// Everything between two hosts waits.
    Held(String, String),
    /// Everything between two hosts takes long.
    Slow(String, String),
    /// A host is down.
    Crashed(String),
}

/// What is broken, and what comes next.
pub struct Faults {
    dice: Dice,
    hosts: Vec<String>,
    clients: Vec<String>,
    active: Vec<(Duration, Fault)>,
    next: Duration,
    trace: Trace,
}

impl Faults {
    /// Nothing is broken until a while after `from`.
    pub fn new(
        dice: Dice,
        world: &World,
        clients: Vec<String>,
        trace: Trace,
        from: Duration,
    ) -> Self {
        let mut hosts = vec!["master".to_owned()];
        hosts.extend(world.slaves().iter().cloned());
        Self {
            next: from,
            active: Vec::new(),
            dice,
            hosts,
            clients,
            trace,
        }
    }

    /// Breaks and mends what is due.
    pub fn step(&mut self, world: &World, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        self.mend(sim, |ends| ends <= now);
        if now < self.next {
            return;
        }
        self.next = now + Duration::from_millis(1 + self.dice.below(PAUSE));
        let fault = self.choose();
        if self.active.iter().any(|(_, other)| other.touches(&fault)) {
            return;
        }
        let lasts = Duration::from_millis(1 + self.dice.below(LASTS));
        self.trace
            .note(now, "fault", format!("{fault:?} for {lasts:?}"));
        match &fault {
            Fault::Cut(a, b) => sim.partition(a.as_str(), b.as_str()),
            Fault::CutOneWay(a, b) => sim.partition_oneway(a.as_str(), b.as_str()),
            Fault::Held(a, b) => sim.hold(a.as_str(), b.as_str()),
            Fault::Slow(a, b) => sim.set_link_max_message_latency(a.as_str(), b.as_str(), SLOW),
            Fault::Crashed(host) => world.crash(sim, host),
        }
        self.active.push((now + lasts, fault));
    }

    /// Mends everything.
    pub fn heal(&mut self, sim: &mut Sim<'_>) {
        self.mend(sim, |_| true);
    }

    fn mend(&mut self, sim: &mut Sim<'_>, due: impl Fn(Duration) -> bool) {
        let now = sim.elapsed();
        for (_, fault) in self.active.extract_if(.., |(ends, _)| due(*ends)) {
            self.trace.note(now, "fault", format!("over: {fault:?}"));
            match &fault {
                Fault::Cut(a, b) => sim.repair(a.as_str(), b.as_str()),
                Fault::CutOneWay(a, b) => sim.repair_oneway(a.as_str(), b.as_str()),
                Fault::Held(a, b) => sim.release(a.as_str(), b.as_str()),
                Fault::Slow(a, b) => {
                    sim.set_link_max_message_latency(a.as_str(), b.as_str(), LATENCY)
                }
                Fault::Crashed(host) => sim.bounce(host.as_str()),
            }
        }
    }

    fn choose(&self) -> Fault {
        let host = |of: &[String]| of[self.dice.below(of.len() as u64) as usize].clone();
        if self.dice.below(100) < 25 {
            return Fault::Crashed(host(&self.hosts));
        }
        let a = host(&self.hosts);
        let mut others: Vec<_> = self.hosts.iter().chain(&self.clients).cloned().collect();
        others.retain(|other| *other != a);
        let b = host(&others);
        match self.dice.below(4) {
            0 => Fault::Cut(a, b),
            1 if self.dice.below(2) == 0 => Fault::CutOneWay(a, b),
            1 => Fault::CutOneWay(b, a),
            2 => Fault::Held(a, b),
            _ => Fault::Slow(a, b),
        }
    }
}

impl Fault {
    fn link(&self) -> [&str; 2] {
        match self {
            Self::Crashed(host) => [host, host],
            Self::Cut(a, b) | Self::CutOneWay(a, b) | Self::Held(a, b) | Self::Slow(a, b) => {
                let mut link = [a.as_str(), b.as_str()];
                link.sort_unstable();
                link
            }
        }
    }

    /// Whether two faults are of one link, or of one host: one at a time.
    fn touches(&self, other: &Self) -> bool {
        self.link() == other.link()
    }
}
