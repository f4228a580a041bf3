//! One round: a cluster of processes, users, faults, peace, judgement.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use drftpd_actors::Dice;

use super::faults::{Broken, DISK_FAILS, MASTER_DIES, SLAVE_DIES};
use super::hands::Hands;
use super::kinds::Deck;
use super::link::Link;
use super::peace::Peace;
use crate::cluster::{Cluster, ClusterSpec};
use crate::points::Points;
use crate::small::Small;
use crate::users::ledger::Ledger;
use crate::users::worker::Worker;
use crate::users::{Site, Spoilt, Trace};

/// Directories that all users share.
const SHARED: [&str; 3] = ["/shared", "/shared/deep", "/shared/deep/er"];
/// A small disk: what users keep and its trash fit, and the filters leave it alone.
const DISK: &str = "size=256m";

/// What a round is made of.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Slaves.
    pub slaves: usize,
    /// Copies that each file shall have.
    pub copies: usize,
    /// Copies that each upload has before 226.
    pub at_226: usize,
    /// Users at once.
    pub users: usize,
    /// How long they work.
    pub works: Duration,
    /// The longest pause between two faults.
    pub pause: Duration,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        // So that each of these meets all kinds of faults.
        let kinds = [(2, 2, 1), (3, 2, 2), (2, 1, 1), (3, 1, 1)];
        let (slaves, copies, at_226) = kinds[((seed ^ (seed / 4)) % 4) as usize];
        Plan {
            slaves,
            copies,
            at_226,
            users: 8,
            works: Duration::from_secs(8),
            pause: Duration::from_millis([1_500, 600, 2_500][(seed % 3) as usize]),
        }
    }

    fn spec(self, dice: &Dice, (crashes, failures): (&Points, &Points)) -> ClusterSpec {
        let either = |one: &'static str, other| if dice.below(2) == 0 { one } else { other };
        let mut master = vec![
            format!("store.durability=\"{}\"", either("full", "relaxed")),
            "accounts.hash_memory_kib=8".to_owned(),
            "accounts.hash_rounds=1".to_owned(),
            "slaves.heartbeat=\"500ms\"".to_owned(),
            "slaves.lost_transfer_after=\"2s\"".to_owned(),
            "slaves.walk_again_after=\"1s\"".to_owned(),
            "data.connect_timeout=\"5s\"".to_owned(),
            "data.stall_timeout=\"5s\"".to_owned(),
            "data.open_timeout=\"3s\"".to_owned(),
        ];
        if self.copies > 1 {
            master.extend([
                format!(
                    "copies.rules=[{{ copies = {}, ack_copies = {} }}]",
                    self.copies, self.at_226
                ),
                "copies.ack_timeout=\"3s\"".to_owned(),
                "copies.retry_from=\"1s\"".to_owned(),
                "copies.retry_to=\"2s\"".to_owned(),
                "copies.stall_timeout=\"5s\"".to_owned(),
            ]);
        }
        let slave = vec![
            format!("storage.fsync=\"{}\"", either("always", "never")),
            "link.backoff_min=\"20ms\"".to_owned(),
            "link.backoff_max=\"300ms\"".to_owned(),
            "link.connect_timeout=\"2s\"".to_owned(),
        ];
        ClusterSpec {
            slaves: 0,
            master,
            slave,
            master_failpoints: crashes.spec(&MASTER_DIES),
            slave_failpoints: [crashes.spec(&SLAVE_DIES), failures.spec(&DISK_FAILS)].join(";"),
            ..ClusterSpec::default()
        }
    }
}

/// What the users' thread gives back.
pub(super) struct Books {
    pub ledgers: Vec<Ledger>,
    pub wrong: Vec<String>,
}

/// Runs a round; answers what it was about, for who wants to read it.
///
/// # Errors
/// Everything that is wrong, with the seed and the history.
#[allow(clippy::print_stderr)]
pub fn round(seed: u64, plan: Plan, deck: &mut Deck) -> Result<String> {
    let trace = Trace::default();
    let (crashes, failures) = (Points::new("crash")?, Points::new("fail")?);
    let dice = Dice::seeded(seed);
    let spec = plan.spec(&dice, (&crashes, &failures));
    let mut cluster = Cluster::with(spec)?;
    let done = with(
        &mut cluster,
        (&crashes, &failures),
        &dice,
        plan,
        deck,
        &trace,
    );
    let wrong = match done {
        Ok(wrong) if wrong.is_empty() => return Ok(summary(seed, plan, &trace)),
        Ok(wrong) => wrong.join("\n"),
        Err(why) => format!("{why:#}"),
    };
    if std::env::var_os("DRFTPD_KEEP").is_some() {
        cluster.keep();
        let history = cluster.path().join("history");
        std::fs::write(&history, trace.lines().join("\n"))?;
        eprintln!("kept: {}", history.display());
    }
    bail!(
        "seed {seed}:\n{}\n--- wrong with seed {seed}, {plan:?}:\n{wrong}",
        trace.tail(4_000)
    );
}

fn summary(seed: u64, plan: Plan, trace: &Trace) -> String {
    let lines = trace.lines();
    let faults: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once("fault: ")?.1.split_once(" for "))
        .filter_map(|(what, _)| what.split(' ').next())
        .collect();
    let count = |of: &str| lines.iter().filter(|line| line.contains(of)).count();
    format!(
        "seed {seed}: {} slaves, {} copies; {} calls, {} times 226, {} times 250; {}",
        plan.slaves,
        plan.copies,
        count(": > "),
        count(": < 226 "),
        count(": < 250 "),
        faults.join(" ")
    )
}

fn with(
    cluster: &mut Cluster,
    (crashes, failures): (&Points, &Points),
    dice: &Dice,
    plan: Plan,
    deck: &mut Deck,
    trace: &Trace,
) -> Result<Vec<String>> {
    let (links, disks) = add_slaves(cluster, plan)?;
    let mut ftp = cluster.login()?;
    for dir in SHARED {
        ftp.ask(&format!("MKD {dir}"), 257)?;
    }
    let (begun, spoilt) = (Instant::now(), Spoilt::default());
    let users = Users {
        plan,
        at: cluster.ftp,
        begun,
        spoilt: spoilt.clone(),
        trace: trace.clone(),
        seed: dice.u64(),
    };
    let users = users.start()?;
    let roots: Vec<_> = cluster.slaves.iter().take(plan.slaves).collect();
    let roots: Vec<_> = roots
        .iter()
        .map(|slave| (slave.name.clone(), slave.root.clone()))
        .collect();
    let folders = roots.iter().map(|(_, root)| root.clone()).collect();
    let hands = Hands::new(Dice::seeded(dice.u64()), spoilt.clone(), folders);
    let points = (crashes, failures);
    let chance = Dice::seeded(dice.u64());
    let history = (trace.clone(), begun);
    let mut broken = Broken::new(cluster, (links, disks), hands, points, chance, history);
    let broke = break_things(&mut broken, plan, deck, begun + plan.works);
    let healed = broken.heal();
    let books = users.join();
    let books = books.map_err(|_| anyhow::anyhow!("the users panicked"))??;
    broke.and(healed)?;
    let (hands, mut wrong) = (broken.hands, std::mem::take(&mut broken.wrong));
    // Ways and disks stay until all is judged.
    let _kept = (broken.links, broken.disks);
    let peace = Peace {
        cluster,
        roots,
        copies: plan.copies,
        books: &books,
        hands: &hands,
        spoilt: &spoilt,
        site_begun: begun,
        trace,
    };
    wrong.extend(books.wrong.iter().cloned());
    wrong.extend(peace.judge()?);
    Ok(wrong)
}

/// Slaves, each behind a way that can be broken, and a spare one that is down.
#[allow(clippy::print_stderr)]
fn add_slaves(cluster: &mut Cluster, plan: Plan) -> Result<(Vec<Link>, Vec<Small>)> {
    let master = cluster.at("slaves")?.parse()?;
    let usual = cluster.spec.slave.clone();
    let (mut links, mut disks) = (Vec::new(), Vec::new());
    for number in 1..=plan.slaves {
        let disk = cluster.path().join(format!("disk-{number}"));
        let root = disk.join("root");
        match Small::mount(disk, DISK) {
            Ok(disk) => disks.push(disk),
            Err(why) => eprintln!("skipped: no disk that could be full: {why}"),
        }
        let link = Link::to(master)?;
        cluster.spec.slave.clone_from(&usual);
        cluster
            .spec
            .slave
            .push(format!("master.address=\"{}\"", link.at));
        cluster.add_slave(number, root)?;
        links.push(link);
    }
    cluster.spec.slave = usual;
    let spare = plan.slaves + 1;
    let root = cluster.path().join("spare").join("root");
    cluster.add_slave(spare, root)?;
    cluster.wait_online(spare)?;
    cluster.kill_slave(spare - 1)?;
    cluster.wait_online(plan.slaves)?;
    Ok((links, disks))
}

/// Until a time, one fault after the other.
fn break_things(
    broken: &mut Broken<'_>,
    plan: Plan,
    deck: &mut Deck,
    until: Instant,
) -> Result<()> {
    let mut next = Instant::now();
    let mut kind = None;
    while Instant::now() < until {
        broken.step()?;
        if Instant::now() >= next {
            kind = kind.or_else(|| deck.deal());
            let Some(dealt) = kind else {
                continue;
            };
            // One that cannot be now waits, and others with it.
            if broken.inject(dealt)? {
                kind = None;
                let most = u64::try_from(plan.pause.as_millis()).unwrap_or(u64::MAX);
                let pause = Duration::from_millis(1 + broken.dice.below(most));
                next = Instant::now() + pause;
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

struct Users {
    plan: Plan,
    at: std::net::SocketAddr,
    begun: Instant,
    spoilt: Spoilt,
    trace: Trace,
    seed: u64,
}

impl Users {
    /// Has them work in a thread of their own.
    fn start(self) -> Result<JoinHandle<Result<Books>>> {
        let thread = thread::Builder::new().name("users".to_owned());
        thread.spawn(move || self.work()).context("a thread")
    }

    fn work(self) -> Result<Books> {
        let dice = Dice::seeded(self.seed);
        let wrong = Rc::default();
        let site = Site::real(self.at, self.begun, &self.trace);
        let ledgers: Vec<Rc<RefCell<Ledger>>> = (0..self.plan.users).map(|_| new()).collect();
        drftpd_actors::block_on(async {
            let mut working = Vec::new();
            for (number, ledger) in (1..).zip(&ledgers) {
                let worker = Worker {
                    who: format!("user-{number}"),
                    dice: Dice::seeded(dice.u64()),
                    ledger: Rc::clone(ledger),
                    wrong: Rc::clone(&wrong),
                    site: site.clone(),
                    spoilt: self.spoilt.clone(),
                };
                working.push(tokio::task::spawn_local(worker.work(self.plan.works)));
            }
            for one in working {
                one.await?;
            }
            anyhow::Ok(())
        })??;
        Ok(Books {
            ledgers: ledgers
                .iter()
                .map(|ledger| ledger.borrow().clone())
                .collect(),
            wrong: wrong.take(),
        })
    }
}

/// Books in which all that share directories know them.
fn new() -> Rc<RefCell<Ledger>> {
    let mut ledger = Ledger::default();
    ledger.add_dir("/", true);
    for dir in SHARED {
        ledger.add_dir(dir, true);
    }
    Rc::new(RefCell::new(ledger))
}
