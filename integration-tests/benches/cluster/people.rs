//! Many people: logins among thousands of accounts, `who` with thousands of sessions, and logins of others while many
//! addresses guess.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use drftpd_integration_tests::cluster::{PASSWORD, run};
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::{ROUNDS, median, timed};

const USERS: usize = 10_000;
const GROUPS: usize = 500;
const SESSIONS: usize = 5_000;
/// Guesses a second, and for how long.
const GUESSES: u32 = 200;
const GUESSING: Duration = Duration::from_secs(15);
/// How long a guesser waits for an answer.
const WAITS: Duration = Duration::from_secs(3);

/// Where a check of a password takes next to nothing: what is left is the rest of a login.
fn without_hash() -> Vec<String> {
    vec![
        "accounts.hash_memory_kib=8".into(),
        "accounts.hash_rounds=1".into(),
        "ftp.max_connections=12000".into(),
        "ftp.max_per_address=12000".into(),
    ]
}

fn cluster(master: Vec<String>) -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        slaves: 0,
        master,
        ..ClusterSpec::default()
    })
}

/// A hash of [`PASSWORD`] as the cluster makes them.
fn hash(cluster: &Cluster) -> Result<String> {
    let file = cluster.path().join("dump");
    let mut dump = std::process::Command::new(program("drftpd-master")?);
    dump.arg("dump").arg(&file);
    run({
        dump.arg("--config").arg(cluster.master_config());
        dump
    })?;
    for line in std::fs::read_to_string(&file)?.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        if row["account"]["name"] == "seed" {
            return Ok(row["account"]["password"]
                .as_str()
                .context("a hash")?
                .into());
        }
    }
    bail!("nobody is called seed")
}

/// Imports users and groups.
fn fill(cluster: &Cluster) -> Result<()> {
    cluster.ctl(&["user", "add", "seed", PASSWORD])?;
    let hash = hash(cluster)?;
    let mut people = String::from("user,hash,group\n");
    for n in 0..USERS {
        people += &format!("user{n},\"{hash}\",group{}\n", n % GROUPS);
    }
    let folder = cluster.path().join("master/imports");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("people.csv"), people)?;
    let took = timed(|| {
        cluster
            .ctl(&["import", "csv", "people.csv", "apply"])
            .map(drop)
    })?;
    println!("import of {USERS} users in {GROUPS} groups: {took:.1} s");
    Ok(())
}

/// Milliseconds of USER and PASS on a connection that is there.
fn login(cluster: &Cluster, user: &str) -> Result<f64> {
    let mut ftp = Ftp::connect(cluster.ftp)?;
    let took = timed(|| {
        ftp.ask(&format!("USER {user}"), 331)?;
        ftp.ask(&format!("PASS {PASSWORD}"), 230).map(drop)
    })?;
    ftp.ask("QUIT", 221)?;
    Ok(took * 1e3)
}

fn logins(cluster: &Cluster, users: impl Iterator<Item = usize>) -> Result<(f64, f64)> {
    let times: Result<Vec<f64>> = users.map(|n| login(cluster, &format!("user{n}"))).collect();
    let times = times?;
    let worst = times.iter().copied().fold(0.0, f64::max);
    Ok((median(times), worst))
}

/// A login besides its hash, among many accounts.
pub fn login_among_many() -> Result<()> {
    let cluster = cluster(without_hash())?;
    fill(&cluster)?;
    let (first, worst) = logins(&cluster, (0..USERS).step_by(20))?;
    println!(
        "login besides the hash, each user's first: median {first:.2} ms, worst {worst:.2} ms (wanted 2)"
    );
    let (again, worst) = logins(&cluster, (0..USERS).step_by(20))?;
    println!("the same again: median {again:.2} ms, worst {worst:.2} ms");
    Ok(())
}

/// `who` with many sessions.
pub fn who_of_many() -> Result<()> {
    let cluster = cluster(without_hash())?;
    fill(&cluster)?;
    let master = cluster.master.as_ref().context("a master")?;
    let before = master.resident_kib()?;
    let sessions: Result<Vec<Ftp>> = (0..SESSIONS)
        .map(|n| Ftp::login(cluster.ftp, &format!("user{n}"), PASSWORD))
        .collect();
    let sessions = sessions?;
    let grown = master.resident_kib()?.saturating_sub(before);
    let who = |_| {
        let mut shown = 0;
        let took = timed(|| {
            let who = cluster.ctl(&["who"])?;
            shown = who["sessions"].as_array().context("sessions")?.len();
            Ok(())
        })?;
        ensure!(shown == SESSIONS, "{shown} are shown");
        Ok(took * 1e3)
    };
    let used = master.cpu_seconds()?;
    let times: Result<Vec<f64>> = (0..ROUNDS).map(who).collect();
    let used = (master.cpu_seconds()? - used) * 1e3 / ROUNDS as f64;
    println!(
        "who with {SESSIONS} sessions: {:.1} ms, {used:.1} of the master's processor (wanted 50); {:.1} KiB of memory for each session",
        median(times?),
        grown as f64 / SESSIONS as f64
    );
    drop(sessions);
    Ok(())
}

/// A connection from an address of one's own.
fn from(address: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::from((address, 0)))?;
    connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}

/// Guesses from another address each time; answers how many went out.
fn guess(to: SocketAddr, over: &AtomicBool) -> Result<u32> {
    let mut open: VecDeque<(Instant, TcpStream)> = VecDeque::new();
    let begun = Instant::now();
    let mut sent: u32 = 0;
    while !over.load(Ordering::Relaxed) {
        let [_, a, b, c] = (sent + 1).to_be_bytes();
        let mut stream = from(Ipv4Addr::new(127, 1 + a, b, c), to)?;
        stream.write_all(format!("USER user{}\r\nPASS wrong\r\n", sent % 100).as_bytes())?;
        open.push_back((Instant::now(), stream));
        sent += 1;
        while open
            .front()
            .is_some_and(|(since, _)| since.elapsed() > WAITS)
        {
            open.pop_front();
        }
        let due = begun + Duration::from_secs(1) * sent / GUESSES;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(sent)
}

/// Logins of others while many addresses guess, with hashes as they are by default.
pub fn guesses() -> Result<()> {
    let cluster = cluster(vec!["ftp.max_per_address=12000".into()])?;
    cluster.ctl(&["user", "add", "user0", PASSWORD])?;
    let master = cluster.master.as_ref().context("a master")?;
    let alone: Result<Vec<f64>> = (0..20).map(|_| login(&cluster, "user0")).collect();
    let (alone, before) = (median(alone?), master.resident_kib()?);
    let (over, begun) = (AtomicBool::new(false), Instant::now());
    let (sent, times) = thread::scope(|scope| {
        let guesser = scope.spawn(|| guess(cluster.ftp, &over));
        let mut times = Vec::new();
        while begun.elapsed() < GUESSING {
            times.push(login(&cluster, "user0"));
        }
        over.store(true, Ordering::Relaxed);
        (guesser.join(), times)
    });
    let sent = sent.unwrap_or_else(|_| bail!("the guesser panicked"))?;
    let took = begun.elapsed().as_secs_f64();
    let times: Vec<f64> = times.into_iter().collect::<Result<_>>()?;
    let worst = times.iter().copied().fold(0.0, f64::max);
    println!(
        "{:.0} wrong passwords a second from as many addresses: login of somebody known, median {:.0} ms, worst {worst:.0} ms \
         of {} (alone {alone:.0} ms; wanted 1000); memory {} KiB, grown by {} KiB",
        f64::from(sent) / took,
        median(times.clone()),
        times.len(),
        master.resident_kib()?,
        master.resident_kib()?.saturating_sub(before),
    );
    Ok(())
}
