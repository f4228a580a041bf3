//! The master killed at any moment: everything it acknowledged is there, and nothing else.

use std::io::Write;
use std::net::Shutdown;
use std::thread;

use anyhow::{Context, Result, ensure};
use drftpd_actors::Dice;
use drftpd_integration_tests::workload::{Client, Killer};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode};
use rusqlite::Connection;

/// How often the master is killed; the environment may ask for more.
fn count(usual: u64) -> u64 {
    let more = std::env::var("DRFTPD_TEST_ROUNDS").ok();
    more.and_then(|more| more.parse().ok()).unwrap_or(usual)
}

/// Runs one client each in a thread of its own; answers what each says.
fn all<T: Send>(
    clients: &mut [Client],
    each: impl Fn(&mut Client) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let each = &each;
    thread::scope(|scope| {
        let begin = |client| scope.spawn(move || each(client));
        let all: Vec<_> = clients.iter_mut().map(begin).collect();
        let end = |one: thread::ScopedJoinHandle<'_, Result<T>>| {
            let one = one.join();
            one.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        all.into_iter().map(end).collect()
    })
}

/// Kills the master again and again under clients that change everything; each time the tree must be
/// what they were told, and in the end the disks, too.
fn rounds(durability: &str, fsync: &str, clients: u64, count: u64) -> Result<()> {
    let seed = drftpd_actors::testkit::seed();
    let dice = Dice::seeded(seed);
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 2,
        master: vec![format!("store.durability=\"{durability}\"")],
        slave: vec![
            format!("storage.fsync=\"{fsync}\""),
            // Links live shorter here than anywhere else: the pauses before dialling must not grow.
            "link.backoff_min=\"20ms\"".into(),
            "link.backoff_max=\"100ms\"".into(),
        ],
        ..ClusterSpec::default()
    })?;
    let mut ftp = cluster.login()?;
    let new = |n| Client::new(&format!("/client-{n}"), dice.u64(), &mut ftp);
    let mut clients: Vec<_> = (0..clients).map(new).collect::<Result<_>>()?;
    let mut changes = 0;
    for round in 0..count {
        let pid = cluster.master.as_ref().context("runs")?.pid();
        let points = dice.below(40 * clients.len() as u64);
        // Often at once, sometimes as late as the sync of a commit.
        let turns = dice.below(1 << dice.below(15));
        let killer = Killer::new(pid, points, turns)?;
        let at = cluster.ftp;
        let which = || format!("round {round}, seed {seed}");
        let worked = all(&mut clients, |client| client.work(at, &killer));
        changes += worked.with_context(which)?.iter().sum::<usize>();
        cluster.kill_master()?;
        cluster.start_master()?;
        cluster.wait_online(2)?;
        all(&mut clients, |client| {
            let checked = client.check(at);
            checked.with_context(|| client.world.top.clone())
        })
        .with_context(which)?;
    }
    cluster.wait_settled()?;
    for client in &clients {
        client.read_all(cluster.ftp)?;
        client.world.compare_disks(&cluster.roots())?;
    }
    eprintln!("{changes} changes acknowledged, {count} kills, seed {seed}");
    ensure!(changes as u64 > count, "hardly anything was done");
    Ok(())
}

#[test]
fn a_killed_master_keeps_everything_acknowledged_with_full_durability() -> Result<()> {
    rounds("full", "always", 1, count(50))
}

#[test]
fn a_killed_master_keeps_everything_acknowledged_with_relaxed_durability() -> Result<()> {
    rounds("relaxed", "never", 1, count(50))
}

#[test]
fn a_killed_master_keeps_what_many_clients_were_told_with_full_durability() -> Result<()> {
    rounds("full", "always", 4, count(50))
}

#[test]
fn a_killed_master_keeps_what_many_clients_were_told_with_relaxed_durability() -> Result<()> {
    rounds("relaxed", "never", 4, count(50))
}

#[test]
fn an_overwrite_that_broke_off_leaves_the_old_bytes() -> Result<()> {
    let mut cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    let old = Bytes::vec(1, 400_000);
    ftp.put(Mode::Pret, "x.bin", &old)?;
    let data = ftp.data(Mode::Pret, "STOR", "x.bin")?;
    ftp.ask("STOR x.bin", 150)?;
    let mut stream = data.stream()?;
    stream.write_all(&Bytes::vec(2, 300_000))?;
    ensure!(
        cluster.login()?.get(Mode::Pret, "x.bin")? == old,
        "the old bytes stay readable meanwhile"
    );
    cluster.kill_master()?;
    stream.shutdown(Shutdown::Both)?;
    cluster.start_master()?;
    cluster.wait_online(1)?;
    ensure!(cluster.login()?.get(Mode::Pret, "x.bin")? == old);

    // The same by a closed control connection and by ABOR.
    let mut ftp = cluster.login()?;
    let data = ftp.data(Mode::Pret, "STOR", "x.bin")?;
    ftp.ask("STOR x.bin", 150)?;
    let mut stream = data.stream()?;
    stream.write_all(&Bytes::vec(3, 300_000))?;
    ftp.hang_up()?;
    let mut ftp = cluster.login()?;
    ensure!(ftp.get(Mode::Pret, "x.bin")? == old);
    cluster.wait_until("the upload of a lost session is over", |cluster| {
        let mut ftp = cluster.login()?;
        ftp.send("PRET STOR x.bin")?;
        Ok(ftp.reply()?.0 == 200)
    })?;

    let data = ftp.data(Mode::Pret, "STOR", "x.bin")?;
    ftp.ask("STOR x.bin", 150)?;
    let mut stream = data.stream()?;
    stream.write_all(&Bytes::vec(4, 300_000))?;
    ftp.ask("ABOR", 426)?;
    ftp.expect(226)?;
    ensure!(ftp.get(Mode::Pret, "x.bin")? == old);
    cluster.wait_settled()
}

#[test]
fn a_crash_at_each_step_of_a_commit_ends_well() -> Result<()> {
    // Where it crashes; whether the client can have been told 226.
    let steps = [
        (true, "upload.received"),
        (true, "upload.prepared"),
        (false, "commit.before"),
        (false, "commit.after"),
        (true, "publish.before"),
        (true, "publish.after"),
    ];
    for (at_slave, step) in steps {
        let mut spec = ClusterSpec {
            slaves: 1,
            ..ClusterSpec::default()
        };
        let points = format!("{step}=1:crash");
        match at_slave {
            true => spec.slave_failpoints = points,
            false => spec.master_failpoints = points,
        }
        let mut cluster = Cluster::with(spec)?;
        let bytes = Bytes::vec(7, 200_000);
        let mut ftp = cluster.login()?;
        let told = ftp.put(Mode::Pret, "new.bin", &bytes).is_ok();
        cluster.spec.master_failpoints.clear();
        cluster.spec.slave_failpoints.clear();
        if at_slave {
            cluster.slaves[0]
                .process
                .take()
                .context("was started")?
                .wait()?;
            cluster.start_slave(0)?;
        } else {
            cluster.master.take().context("was started")?.wait()?;
            cluster.start_master()?;
        }
        cluster.wait_online(1)?;
        let mut ftp = cluster.login()?;
        let listed = ftp.names(Mode::Pret, "/")?.contains(&"new.bin".to_string());
        ensure!(listed || !told, "{step}: acknowledged and gone");
        if listed {
            // Either whole, or partial: refused by RETR and finished by a resume.
            let data = ftp.data(Mode::Pasv, "", "")?;
            ftp.send("RETR new.bin")?;
            let (code, lines) = ftp.reply()?;
            if code == 150 {
                let mut back = Vec::new();
                std::io::Read::read_to_end(&mut data.stream()?, &mut back)?;
                ftp.expect(226)?;
                ensure!(back == bytes, "{step}: other bytes");
            } else {
                ensure!(code == 450 && !told, "{step}: {lines:?}");
                let size = ftp.ask("SIZE new.bin", 213)?;
                let kept: usize = size.rsplit(' ').next().context("a size")?.parse()?;
                ftp.ask(&format!("REST {kept}"), 350)?;
                ftp.put(Mode::Pret, "new.bin", &bytes[kept..])?;
                ensure!(
                    ftp.get(Mode::Pret, "new.bin")? == bytes,
                    "{step}: after the resume"
                );
            }
        }
        // And on the disk there is what the file list says, once, at its place.
        if listed {
            cluster.wait_until("the file at its place on the disk", |cluster| {
                Ok(std::fs::read(cluster.slaves[0].root.join("new.bin")).is_ok_and(|b| b == bytes))
            })?;
        }
    }
    Ok(())
}

/// Takes an upload's intent out of the store of a master that is down, with its number, as if it had never got there: a crash of the
/// whole machine may lose the last moment where `store.durability` is relaxed.
fn forget_intent(cluster: &Cluster, name: &str) -> Result<()> {
    let store = Connection::open(cluster.path().join("master/store/store.db"))?;
    for sql in [
        "UPDATE incarnation SET issued = (SELECT (id & 0x7fffffff) - 1 FROM node WHERE key = ?1)
         WHERE n = (SELECT id >> 31 FROM node WHERE key = ?1)",
        "DELETE FROM upload WHERE node IN (SELECT id FROM node WHERE key = ?1)",
        "DELETE FROM node WHERE key = ?1",
    ] {
        store.execute(sql, [name.as_bytes()])?;
    }
    Ok(())
}

#[test]
fn what_was_prepared_for_an_intent_that_was_lost_with_the_master_is_in_the_trash() -> Result<()> {
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        // The master dies before the third upload's commit.
        master_failpoints: "commit.before=3:crash".into(),
        ..ClusterSpec::default()
    })?;
    let bytes = Bytes::vec(5, 200_000);
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "one.bin", &Bytes::vec(1, 1000))?;
    ftp.put(Mode::Pret, "two.bin", &Bytes::vec(2, 1000))?;
    ensure!(ftp.put(Mode::Pret, "lost.bin", &bytes).is_err());
    cluster.master.take().context("was started")?.wait()?;
    ensure!(cluster.reserved("staging")?.len() == 1, "it was prepared");
    forget_intent(&cluster, "lost.bin")?;

    cluster.spec.master_failpoints.clear();
    cluster.start_master()?;
    cluster.wait_online(1)?;
    cluster.wait_settled()?;
    let trash = cluster.reserved("trash")?;
    let kept = trash.iter().filter_map(|file| std::fs::read(file).ok());
    ensure!(kept.filter(|kept| *kept == bytes).count() == 1, "{trash:?}");
    let mut ftp = cluster.login()?;
    let mut listed = ftp.names(Mode::Pret, "/")?;
    listed.sort();
    ensure!(listed == ["one.bin", "two.bin"], "{listed:?}");
    ftp.put(Mode::Pret, "lost.bin", &bytes)?;
    ensure!(ftp.get(Mode::Pret, "lost.bin")? == bytes);
    cluster.wait_settled()
}
