//! Faults that are injected into a running cluster, and mended again.

mod active;
mod second;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drftpd_actors::Dice;
use rustix::process::Signal;

use self::active::{About, Active};
use super::hands::{Hands, copy};
use super::kinds::Kind;
use super::link::{Flow, Link};
use crate::cluster::Cluster;
use crate::points::Points;
use crate::process::Running;
use crate::small::Small;
use crate::users::Trace;

/// Points where a slave dies.
pub const SLAVE_DIES: [&str; 6] = [
    "upload.received",
    "upload.prepared",
    "publish.before",
    "publish.cleared",
    "publish.after",
    "operations.synced",
];
/// Points where the master dies.
pub const MASTER_DIES: [&str; 4] = [
    "upload.begun",
    "commit.before",
    "commit.after",
    "operations.answered",
];
/// Where a disk does not give what was written, and where it does not take it.
pub const DISK_FAILS: [&str; 2] = ["download.read", "upload.marked"];

/// The cluster with all that can be broken about it.
pub struct Broken<'a> {
    pub cluster: &'a mut Cluster,
    pub links: Vec<Link>,
    /// Small disks of slaves, where there may be such.
    pub disks: Vec<Small>,
    pub hands: Hands,
    pub crashes: &'a Points,
    pub failures: &'a Points,
    pub dice: Dice,
    pub trace: Trace,
    pub begun: Instant,
    active: Vec<(Instant, Active)>,
    /// What must not happen.
    pub wrong: Vec<String>,
    count: u64,
    /// Points of deaths that were passed and are not armed any more.
    passed: usize,
    /// Who died at one.
    deaths: usize,
}

impl<'a> Broken<'a> {
    /// Nothing is broken yet.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        cluster: &'a mut Cluster,
        (links, disks): (Vec<Link>, Vec<Small>),
        hands: Hands,
        (crashes, failures): (&'a Points, &'a Points),
        dice: Dice,
        (trace, begun): (Trace, Instant),
    ) -> Self {
        Broken {
            cluster,
            links,
            disks,
            hands,
            crashes,
            failures,
            dice,
            trace,
            begun,
            active: Vec::new(),
            wrong: Vec::new(),
            count: 0,
            passed: 0,
            deaths: 0,
        }
    }

    fn note(&self, what: impl AsRef<str>) {
        self.trace.note(self.begun.elapsed(), "fault", what);
    }

    fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.dice.below(most - least))
    }

    /// Mends what is due, and notices who died at a point.
    ///
    /// # Errors
    /// When the cluster cannot be handled as it should.
    pub fn step(&mut self) -> Result<()> {
        let now = Instant::now();
        while let Some(at) = self.active.iter().position(|(ends, _)| *ends <= now) {
            let (_, active) = self.active.swap_remove(at);
            self.mend(active)?;
        }
        self.notice_deaths()
    }

    /// Mends everything.
    ///
    /// # Errors
    /// When the cluster cannot be handled as it should.
    pub fn heal(&mut self) -> Result<()> {
        let is_armed = |active: &Active| matches!(active, Active::Armed(..));
        while let Some(at) = self.active.iter().position(|(_, active)| is_armed(active)) {
            let (_, armed) = self.active.swap_remove(at);
            self.mend(armed)?;
        }
        // Who has passed a point dies in a moment.
        let until = Instant::now() + Duration::from_secs(5);
        self.notice_deaths()?;
        while self.deaths < self.passed && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
            self.notice_deaths()?;
        }
        while let Some((_, active)) = self.active.pop() {
            self.mend(active)?;
        }
        Ok(())
    }

    /// Whoever died at an armed point is started again a while later; nobody else may die.
    fn notice_deaths(&mut self) -> Result<()> {
        let mut dead = Vec::new();
        if let Some(master) = &mut self.cluster.master
            && !master.is_alive()?
        {
            dead.push((Active::MasterDown, master.log()));
            self.cluster.master = None;
        }
        for (index, slave) in self.cluster.slaves.iter_mut().enumerate() {
            if let Some(process) = &mut slave.process
                && !process.is_alive()?
            {
                dead.push((Active::SlaveDown(index), process.log()));
                slave.process = None;
            }
        }
        for (active, log) in dead {
            let armed = self.active.iter().filter(|(_, active)| match active {
                Active::Armed(Kind::HalfWritten | Kind::MasterCrashes, point) => {
                    self.crashes.failed(point).is_ok()
                }
                _ => false,
            });
            let at_a_point = self.deaths < self.passed + armed.count();
            self.deaths += usize::from(at_a_point);
            let who = format!("{:?} died", active.about());
            self.note(format!("{who} at a point: {at_a_point}"));
            if !at_a_point {
                let tail: Vec<&str> = log.lines().rev().take(20).collect();
                self.wrong.push(format!("{who} by itself: {tail:#?}"));
            }
            let ends = Instant::now() + self.millis(1, 1_000);
            self.active.push((ends, active));
        }
        Ok(())
    }

    fn is_free(&self, wanted: &[About]) -> bool {
        let taken = self.active.iter().flat_map(|(_, active)| active.about());
        let alone = wanted.contains(&About::All) && !self.active.is_empty();
        !alone
            && taken
                .into_iter()
                .all(|taken| taken != About::All && !wanted.contains(&taken))
    }

    /// Injects a fault; answers whether it could be.
    ///
    /// # Errors
    /// When the cluster cannot be handled as it should.
    pub fn inject(&mut self, kind: Kind) -> Result<bool> {
        let slaves = self.links.len() as u64;
        let at = self.dice.below(slaves) as usize;
        let wanted = match kind {
            Kind::MasterKilled | Kind::MasterStopped => vec![About::Master],
            Kind::MasterCrashes | Kind::HalfWritten | Kind::ReadError | Kind::SyncError => vec![],
            Kind::BothKilled => vec![About::Master, About::Slave(at)],
            Kind::LinkCut | Kind::LinkCutOneWay | Kind::LinkSlow | Kind::LinkLate => {
                vec![About::Link(at)]
            }
            Kind::SlaveTwice | Kind::RootTwice => vec![About::All],
            _ => vec![About::Slave(at)],
        };
        if !self.is_free(&wanted) || (kind == Kind::DiskFull && self.disks.is_empty()) {
            return Ok(false);
        }
        self.count += 1;
        let (active, lasts) = self.begin(kind, at)?;
        self.note(format!("{kind:?} of {} for {lasts:?}", at + 1));
        self.active.push((Instant::now() + lasts, active));
        Ok(true)
    }

    fn begin(&mut self, kind: Kind, at: usize) -> Result<(Active, Duration)> {
        let short = self.millis(1, 1_500);
        let long = self.millis(300, 4_000);
        Ok(match kind {
            Kind::MasterKilled => {
                self.cluster.kill_master()?;
                (Active::MasterDown, short)
            }
            Kind::MasterStopped => {
                self.master()?.signal(Signal::STOP)?;
                (Active::MasterStopped, long)
            }
            Kind::SlaveKilled => {
                self.cluster.kill_slave(at)?;
                (Active::SlaveDown(at), long)
            }
            Kind::SlaveStopped => {
                self.slave(at)?.signal(Signal::STOP)?;
                (Active::SlaveStopped(at), long)
            }
            Kind::BothKilled => {
                self.cluster.kill_master()?;
                self.cluster.kill_slave(at)?;
                (Active::BothDown(at), short)
            }
            Kind::MasterCrashes => self.arm(kind, &MASTER_DIES)?,
            Kind::HalfWritten => self.arm(kind, &SLAVE_DIES)?,
            Kind::ReadError => self.arm(kind, &DISK_FAILS[..1])?,
            Kind::SyncError => self.arm(kind, &DISK_FAILS[1..])?,
            Kind::LinkCut => self.weather(at, Flow::Held, Flow::Held, long),
            Kind::LinkCutOneWay if self.dice.below(2) == 0 => {
                self.weather(at, Flow::Held, Flow::Free, long)
            }
            Kind::LinkCutOneWay => self.weather(at, Flow::Free, Flow::Held, long),
            Kind::LinkSlow => self.weather(at, Flow::Slow(8_000), Flow::Slow(8_000), long),
            Kind::LinkLate => {
                let late = Flow::Late(self.millis(20, 400));
                self.weather(at, late, late, long)
            }
            Kind::DiskFull => {
                let file = self.disks[at].fill()?;
                (Active::Full(at, file), long)
            }
            Kind::Unmounted => {
                let root = self.cluster.slaves[at].root.clone();
                let away = root.with_extension("away");
                std::fs::rename(&root, &away)?;
                std::fs::create_dir(&root)?;
                (Active::Absent(at, away), long)
            }
            Kind::ByHand => {
                self.cluster.kill_slave(at)?;
                let done = self.hands.work(at)?;
                self.note(format!("by hand on {}: {done:?}", at + 1));
                (Active::SlaveDown(at), short)
            }
            Kind::Emptied => {
                self.cluster.kill_slave(at)?;
                self.hands.empty(at)?;
                (Active::SlaveDown(at), short)
            }
            Kind::OldCopy => {
                self.cluster.kill_slave(at)?;
                let root = self.cluster.slaves[at].root.clone();
                let old = root.with_extension(format!("old-{}", self.count));
                copy(&root, &old)?;
                self.cluster.launch_slave(at)?;
                (Active::Old(at, old), long)
            }
            Kind::SlaveTwice => (Active::Second(self.slave_twice(at)?), long),
            Kind::RootTwice => (Active::Second(self.root_twice(at)?), long),
        })
    }

    fn arm(&self, kind: Kind, points: &[&'static str]) -> Result<(Active, Duration)> {
        let point = points[self.dice.below(points.len() as u64) as usize];
        match kind {
            Kind::MasterCrashes | Kind::HalfWritten => self.crashes.arm(point)?,
            _ => self.failures.arm(point)?,
        }
        self.note(format!("armed: {point}"));
        Ok((Active::Armed(kind, point), self.millis(500, 3_000)))
    }

    fn weather(&self, at: usize, up: Flow, down: Flow, lasts: Duration) -> (Active, Duration) {
        self.note(format!("link of {}: up {up:?}, down {down:?}", at + 1));
        self.links[at].set(up, down);
        (Active::Link(at), lasts)
    }

    fn master(&self) -> Result<&Running> {
        self.cluster.master.as_ref().context("the master is down")
    }

    fn slave(&self, at: usize) -> Result<&Running> {
        let slave = &self.cluster.slaves[at];
        slave.process.as_ref().context("the slave is down")
    }

    fn mend(&mut self, active: Active) -> Result<()> {
        self.note(format!("over: {:?}", active.about()));
        match active {
            Active::MasterDown => self.cluster.start_master(),
            Active::MasterStopped => self.master()?.signal(Signal::CONT),
            Active::SlaveDown(at) => self.cluster.launch_slave(at),
            Active::SlaveStopped(at) => self.slave(at)?.signal(Signal::CONT),
            Active::BothDown(at) => {
                self.cluster.launch_slave(at)?;
                self.cluster.start_master()
            }
            Active::Link(at) => {
                self.links[at].mend(&self.dice);
                Ok(())
            }
            Active::Full(_, file) => Ok(std::fs::remove_file(file)?),
            Active::Armed(kind, point) => self.disarm(kind, point),
            Active::Absent(at, away) => {
                let root = self.cluster.slaves[at].root.clone();
                std::fs::remove_dir(&root).context("something was made in an empty folder")?;
                Ok(std::fs::rename(away, root)?)
            }
            Active::Old(at, old) => {
                if self.cluster.slaves[at].process.is_some() {
                    self.cluster.kill_slave(at)?;
                }
                self.hands.put_back(at, &old)?;
                self.note(format!("the root of {} is an older one", at + 1));
                self.cluster.launch_slave(at)
            }
            Active::Second(mut second) => {
                ensure!(second.is_alive()?, "the second slave ended");
                second.kill()
            }
        }
    }

    /// A point that nobody came by is none any more; a disk that failed is looked after by a restart of its slave.
    fn disarm(&mut self, kind: Kind, point: &'static str) -> Result<()> {
        let points = match kind {
            Kind::MasterCrashes | Kind::HalfWritten => self.crashes,
            _ => self.failures,
        };
        let passed = !points.disarm(point)?;
        self.note(format!("{point} was passed: {passed}"));
        let kills = matches!(kind, Kind::MasterCrashes | Kind::HalfWritten);
        self.passed += usize::from(kills && passed);
        if kind != Kind::SyncError || !passed {
            return Ok(());
        }
        for at in 0..self.links.len() {
            let failed = match &self.cluster.slaves[at].process {
                Some(process) => process.log().contains("the root is read-only now"),
                None => false,
            };
            if failed && self.is_free(&[About::Slave(at)]) {
                self.cluster.kill_slave(at)?;
                self.cluster.launch_slave(at)?;
            }
        }
        Ok(())
    }
}
