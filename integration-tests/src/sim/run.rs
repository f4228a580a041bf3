//! One run: users work while everything breaks, then everything is mended, then nothing may be missing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use drftpd_actors::Dice;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use turmoil::Sim;

use super::faults::Faults;
use super::panics;
use super::world::{Shape, World};
use crate::users::check::{Disks, listed};
use crate::users::ledger::{Found, Ledger};
use crate::users::worker::{Worker, bytes};
use crate::users::{Ftp, Spoilt, Trace};

/// How long clients may take to see that the time is over.
const TO_END: Duration = Duration::from_secs(120);
/// How long slaves may take to have everything where it belongs, once everything is mended.
const TO_SETTLE: Duration = Duration::from_secs(90);
/// Directories that all users share.
const SHARED: [&str; 3] = ["/shared", "/shared/deep", "/shared/deep/er"];

/// What a run is made of.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What the cluster is.
    pub shape: Shape,
    /// Users at once.
    pub users: usize,
    /// How long they work.
    pub works: Duration,
    /// Whether links and hosts break meanwhile.
    pub breaks: bool,
}

struct Run {
    world: World,
    trace: Trace,
    ledgers: Vec<Rc<RefCell<Ledger>>>,
    wrong: Rc<RefCell<Vec<String>>>,
    dice: Dice,
}

/// Runs a seed; answers its trace.
///
/// # Errors
/// Everything that is wrong, with the seed and the end of the trace.
pub fn run(seed: u64, plan: Plan) -> Result<Vec<String>> {
    let run = Run {
        world: World::new(seed, plan.shape)?,
        trace: Trace::default(),
        ledgers: (0..plan.users).map(|_| Rc::default()).collect(),
        wrong: Rc::default(),
        dice: Dice::seeded(seed ^ 0x5EED),
    };
    let (done, panics) = panics::gathered(|| logged(|| run.all(plan)));
    let mut wrong = run.wrong.take();
    wrong.extend(panics.into_iter().map(|panic| format!("panic: {panic}")));
    wrong.extend(done.err().map(|why| format!("{why:#}")));
    if !wrong.is_empty() {
        let wrong = wrong.join("\n");
        bail!(
            "seed {seed}:\n{}\n--- wrong with seed {seed}:\n{wrong}",
            run.trace.tail(2_000)
        );
    }
    Ok(run.trace.lines())
}

/// With the log of all hosts, if `DRFTPD_SIM_LOG` says which (as `RUST_LOG` would).
fn logged<R>(work: impl FnOnce() -> R) -> R {
    let Ok(filter) = std::env::var("DRFTPD_SIM_LOG") else {
        return work();
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    let log = log
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_timer(SimulatedTime);
    tracing::subscriber::with_default(log.finish(), work)
}

struct SimulatedTime;

impl FormatTime for SimulatedTime {
    fn format_time(&self, to: &mut Writer<'_>) -> std::fmt::Result {
        let now = turmoil::sim_elapsed().unwrap_or_default();
        write!(to, "{:>8.3}", now.as_secs_f64())
    }
}

impl Run {
    fn all(&self, plan: Plan) -> Result<()> {
        let mut sim = self.world.build();
        let sim = &mut sim;
        self.prepare(sim)?;
        let users: Vec<String> = (1..=plan.users).map(|n| format!("user-{n}")).collect();
        let until = sim.elapsed() + plan.works;
        for (user, ledger) in users.iter().zip(&self.ledgers) {
            let worker = Worker {
                who: user.clone(),
                dice: Dice::seeded(self.dice.u64()),
                ledger: Rc::clone(ledger),
                wrong: Rc::clone(&self.wrong),
                site: self.world.site(&self.trace),
                spoilt: Spoilt::default(),
            };
            sim.client(user.as_str(), async move {
                worker.work(until).await;
                Ok(())
            });
        }
        let dice = Dice::seeded(self.dice.u64());
        let mut faults = Faults::new(dice, &self.world, users, self.trace.clone(), sim.elapsed());
        while sim.elapsed() < until {
            if plan.breaks {
                faults.step(&self.world, sim);
            }
            self.world.step(sim)?;
        }
        faults.heal(sim);
        self.until_done(sim, TO_END)?;
        self.settle(sim)
    }

    /// Makes the directories that all share.
    fn prepare(&self, sim: &mut Sim<'_>) -> Result<()> {
        let site = self.world.site(&self.trace);
        sim.client("before", async move {
            let mut ftp = Ftp::login("before", &site).await?;
            for dir in SHARED {
                ftp.ask(&format!("MKD {dir}"), 257).await?;
            }
            Ok(())
        });
        for ledger in &self.ledgers {
            let mut ledger = ledger.borrow_mut();
            ledger.add_dir("/", true);
            for dir in SHARED {
                ledger.add_dir(dir, true);
            }
        }
        self.until_done(sim, TO_END)
    }

    fn until_done(&self, sim: &mut Sim<'_>, limit: Duration) -> Result<()> {
        let until = sim.elapsed() + limit;
        while !self.world.step(sim)? {
            ensure!(
                sim.elapsed() < until,
                "clients are not done after {limit:?}"
            );
        }
        Ok(())
    }

    /// Waits until the slaves are back and have done what they had to, then compares.
    fn settle(&self, sim: &mut Sim<'_>) -> Result<()> {
        let until = sim.elapsed() + TO_SETTLE;
        let mut wrong = vec!["the slaves are not back".to_owned()];
        for tried in 1.. {
            let pause = sim.elapsed() + Duration::from_secs(2);
            while sim.elapsed() < pause || !self.is_quiet() {
                self.world.step(sim)?;
                ensure!(sim.elapsed() < until, "{}", wrong.join("\n"));
            }
            wrong = match self.look(sim, &format!("looks-{tried}"))? {
                Ok(found) => self.compare(&found)?,
                Err(why) => vec![why],
            };
            if wrong.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        let views = self.world.views().unwrap_or_default();
        views.len() == self.world.slaves().len() && views.values().all(|view| !view.remerging)
    }

    fn look(
        &self,
        sim: &mut Sim<'_>,
        who: &str,
    ) -> Result<Result<BTreeMap<String, Found>, String>> {
        let seen = Rc::new(RefCell::new(None));
        let (shows, name) = (Rc::clone(&seen), who.to_owned());
        let site = self.world.site(&Trace::default());
        sim.client(who, async move {
            let found = listed(&name, &site).await;
            shows.replace(Some(found.map_err(|why| why.to_string())));
            Ok(())
        });
        self.until_done(sim, TO_END)?;
        Ok(seen.take().unwrap_or_else(|| Err("nobody looked".into())))
    }

    fn compare(&self, found: &BTreeMap<String, Found>) -> Result<Vec<String>> {
        let mut left = found.clone();
        let mut wrong = Vec::new();
        for ledger in &self.ledgers {
            let checked = ledger.borrow().check(found, bytes, |_| false, &mut left);
            wrong.extend(checked);
        }
        wrong.extend(
            left.keys()
                .map(|path| format!("{path} is there and nobody made it")),
        );
        let disks = Disks::read(&self.world.roots())?;
        wrong.extend(disks.check(found, self.world.shape().copies));
        wrong.extend(disks.staging(found, false));
        Ok(wrong)
    }
}
