//! The power fails under a running cluster: whatever was acknowledged is there afterwards, and nothing else.
//!
//! Master and slaves run on filesystems of their own that forget all that was not synced. Where such filesystems may not
//! be, the tests are skipped, which is said.
#![allow(clippy::disallowed_methods)] // users work until the power fails, in real time

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::power::Disk;
use drftpd_integration_tests::process::PATIENCE;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};

const USERS: usize = 4;
const SLAVES: usize = 2;
/// Acknowledged calls before the power fails.
const CALLS: usize = 60;

/// A cluster with a disk for the master and one for each slave.
struct Powered {
    // Unmounted before the folder goes that they are in.
    disks: Vec<Disk>,
    cluster: Cluster,
}

/// Whose power fails.
#[derive(Debug, Clone, Copy)]
enum Of {
    Master,
    Slaves,
    All,
}

impl Powered {
    /// Nothing where such disks may not be.
    fn start(slave: &[&str]) -> Result<Option<Self>> {
        let mut cluster = Cluster::with(ClusterSpec {
            slaves: 0,
            slave: slave.iter().map(ToString::to_string).collect(),
            ..ClusterSpec::default()
        })?;
        cluster.kill_master()?;
        let Some(disk) = Disk::over(cluster.path().join("master"))? else {
            return Ok(None);
        };
        let mut disks = vec![disk];
        cluster.start_master()?;
        for number in 1..=SLAVES {
            let folder = cluster.path().join(format!("disk-{number}"));
            let disk = Disk::over(folder)?.context("the second one may not be made")?;
            cluster.add_slave(number, disk.path.join("root"))?;
            disks.push(disk);
        }
        cluster.wait_online(SLAVES)?;
        Ok(Some(Powered { disks, cluster }))
    }

    /// The power fails while everything runs; then it is back, and so is everything.
    fn fail(&mut self, of: Of) -> Result<()> {
        let (master, slaves) = self.disks.split_at(1);
        let (failing, master, slaves): (Vec<&Disk>, _, _) = match of {
            Of::Master => (master.iter().collect(), true, false),
            Of::Slaves => (slaves.iter().collect(), false, true),
            Of::All => (self.disks.iter().collect(), true, true),
        };
        for disk in &failing {
            disk.fail()?;
        }
        if master {
            self.cluster.kill_master()?;
        }
        for index in 0..if slaves { SLAVES } else { 0 } {
            self.cluster.kill_slave(index)?;
        }
        for disk in &failing {
            disk.mend()?;
        }
        if master {
            self.cluster.start_master()?;
        }
        for index in 0..if slaves { SLAVES } else { 0 } {
            self.cluster.start_slave(index)?;
        }
        self.cluster.wait_online(SLAVES)?;
        // What broke off stays in staging.
        self.cluster.wait_until("all operations done", |cluster| {
            let roots = cluster.ctl(&["root", "list"])?;
            let all = roots["roots"].as_array().cloned().unwrap_or_default();
            Ok(all.iter().all(|root| root["waiting_operations"] == 0))
        })
    }
}

/// What a name may be afterwards: the seeds of the contents that are possible, `None` for nothing.
type Book = BTreeMap<String, Vec<Option<u64>>>;

fn bytes(seed: u64) -> Vec<u8> {
    let size = [0, 1, 4_096, 70_000, 300_000][(seed % 5) as usize];
    Bytes::vec(seed, size)
}

/// Uploads, overwrites, renames and deletes until something is not done, or the power is back; `done` counts what was.
fn user(mut ftp: Ftp, number: usize, done: &AtomicUsize, back: &AtomicBool) -> Book {
    let mut book = Book::new();
    for n in (0_u64..).take_while(|_| !back.load(Ordering::Relaxed)) {
        let seed = n * USERS as u64 + number as u64;
        let name = format!("user-{number}-{}", n / 5);
        let other = format!("{name}-renamed");
        let sure = book.get(&name).and_then(|fates| fates[0]);
        let (told, fates) = match n % 5 {
            3 => {
                let renamed = ftp.ask(&format!("RNFR {name}"), 350);
                let renamed = renamed.and_then(|_| ftp.ask(&format!("RNTO {other}"), 250));
                (
                    renamed.map(drop),
                    vec![(&name, vec![None, sure]), (&other, vec![sure, None])],
                )
            }
            4 if seed.is_multiple_of(3) => {
                let deleted = ftp.ask(&format!("DELE {other}"), 250);
                let sure = book.get(&other).and_then(|fates| fates[0]);
                (deleted.map(drop), vec![(&other, vec![None, sure])])
            }
            _ => {
                let put = ftp.put(Mode::Pret, &name, &bytes(seed));
                (put, vec![(&name, vec![Some(seed), sure])])
            }
        };
        for (name, mut fates) in fates {
            if told.is_ok() {
                fates.truncate(1);
            }
            book.insert(name.clone(), fates);
        }
        if told.is_err() {
            break;
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    book
}

/// Users work until the power fails; answers their books.
fn work(powered: &mut Powered, of: Of) -> Result<Book> {
    let (done, back) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut books = Book::new();
    let sessions = (0..USERS).map(|_| powered.cluster.login());
    let sessions = sessions.collect::<Result<Vec<_>>>()?;
    thread::scope(|scope| -> Result<()> {
        let mut users = Vec::new();
        for (number, ftp) in sessions.into_iter().enumerate() {
            let (done, back) = (&done, &back);
            users.push(scope.spawn(move || user(ftp, number, done, back)));
        }
        let until = Instant::now() + PATIENCE;
        while done.load(Ordering::Relaxed) < CALLS && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        let failed = powered.fail(of);
        back.store(true, Ordering::Relaxed);
        failed?;
        for user in users {
            books.extend(
                user.join()
                    .map_err(|_| anyhow::anyhow!("a user panicked"))?,
            );
        }
        Ok(())
    })?;
    let calls = done.load(Ordering::Relaxed);
    ensure!(calls >= CALLS, "only {calls} calls were answered");
    Ok(books)
}

/// Each name is one of what it may be; answers how many files are not there any more that have to be.
fn compare(cluster: &Cluster, books: &Book) -> Result<usize> {
    let mut ftp = cluster.login()?;
    let listed = ftp.names(Mode::Pasv, "/")?;
    for name in &listed {
        ensure!(books.contains_key(name), "{name} is nobody's");
    }
    let mut lost = 0;
    for (name, fates) in books {
        if !listed.contains(name) {
            ensure!(fates.contains(&None), "{name} is not listed: {fates:?}");
            continue;
        }
        let possible: Vec<u64> = fates.iter().flatten().copied().collect();
        ensure!(!possible.is_empty(), "{name} was deleted and is back");
        let data = ftp.data(Mode::Pasv, "RETR", name)?;
        ftp.send(&format!("RETR {name}"))?;
        match ftp.reply()?.0 {
            150 => {
                let mut got = Vec::new();
                data.stream()?.read_to_end(&mut got)?;
                if ftp.reply()?.0 != 226 {
                    lost += 1; // and it is said
                    continue;
                }
                let right = possible.iter().any(|seed| got == bytes(*seed));
                ensure!(right, "{name} has {} other bytes: {fates:?}", got.len());
            }
            // An upload that broke off, of which nothing was promised, or the bytes are gone.
            450 if fates.len() == 1 => lost += 1,
            450 => {}
            code => anyhow::bail!("RETR {name}: {code}"),
        }
    }
    Ok(lost)
}

fn is_sound(cluster: &Cluster) -> Result<()> {
    let check = cluster.ctl(&["check"])?;
    ensure!(check["wrong"] == 0, "{check}");
    Ok(())
}

fn nothing_is_lost(of: Of) -> Result<()> {
    let Some(mut powered) = Powered::start(&[])? else {
        return Ok(());
    };
    let books = work(&mut powered, of)?;
    let lost = compare(&powered.cluster, &books)?;
    ensure!(lost == 0, "{lost} acknowledged files are lost");
    is_sound(&powered.cluster)
}

#[test]
fn nothing_that_was_acknowledged_is_lost_with_the_masters_power() -> Result<()> {
    nothing_is_lost(Of::Master)
}

#[test]
fn nothing_that_was_acknowledged_is_lost_with_the_slaves_power() -> Result<()> {
    nothing_is_lost(Of::Slaves)
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_all_power_fails() -> Result<()> {
    nothing_is_lost(Of::All)
}

/// This also shows that these tests can fail.
#[test]
fn without_fsync_files_are_lost_but_stay_listed_and_no_wrong_byte_is_served() -> Result<()> {
    let Some(mut powered) = Powered::start(&["storage.fsync=\"never\""])? else {
        return Ok(());
    };
    let books = work(&mut powered, Of::Slaves)?;
    let lost = compare(&powered.cluster, &books)?;
    ensure!(lost > 0, "not one file was lost without fsync");
    is_sound(&powered.cluster)
}
