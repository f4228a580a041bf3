//! The master killed at any moment: everything it acknowledged is there, and nothing else.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;
use std::sync::mpsc::channel;
use std::thread;

use anyhow::{Context, Result, ensure};
use drftpd_actors::Dice;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};

/// What the client knows: each name's content by seed and length, or that it is gone. `None` in the
/// second place: asked for, but the answer never came, so either is right.
#[derive(Default)]
struct Known {
    files: BTreeMap<String, (u64, usize)>,
    dirs: Vec<String>,
    unsure: Vec<String>,
}

/// One change; on any error the names it touches are left as unsure.
fn change(ftp: &mut Ftp, known: &mut Known, dice: &Dice, number: u64) -> Result<()> {
    let names: Vec<String> = known.files.keys().cloned().collect();
    let some = |n: u64| names.get((n % names.len().max(1) as u64) as usize).cloned();
    match (dice.below(10), some(dice.u64())) {
        (0, Some(name)) => {
            known.unsure.push(name.clone());
            known.files.remove(&name);
            ftp.ask(&format!("DELE {name}"), 250)?;
        }
        (1, Some(name)) => {
            let to = format!("renamed-{number}");
            known.unsure.extend([name.clone(), to.clone()]);
            let content = known.files.remove(&name).context("known")?;
            ftp.ask(&format!("RNFR {name}"), 350)?;
            ftp.ask(&format!("RNTO {to}"), 250)?;
            known.files.insert(to, content);
        }
        (2, _) => {
            let dir = format!("dir-{number}");
            known.unsure.push(dir.clone());
            ftp.ask(&format!("MKD {dir}"), 257)?;
            known.dirs.push(dir);
        }
        (3, Some(name)) => {
            // An overwrite: until it is acknowledged the old bytes may stay, so both are right.
            let len = dice.below(50_000) as usize;
            known.unsure.push(name.clone());
            known.files.remove(&name);
            ftp.put(Mode::Pret, &name, &Bytes::vec(number, len))?;
            known.files.insert(name, (number, len));
        }
        _ => {
            let (name, len) = (format!("file-{number}"), dice.below(50_000) as usize);
            known.unsure.push(name.clone());
            ftp.put(Mode::Pret, &name, &Bytes::vec(number, len))?;
            known.files.insert(name, (number, len));
        }
    }
    known.unsure.clear();
    Ok(())
}

fn check(cluster: &Cluster, known: &Known, unsure: &[String]) -> Result<()> {
    let mut ftp = cluster.login()?;
    let listed = ftp.names(Mode::Pret, "/")?;
    for name in known.files.keys().chain(&known.dirs) {
        ensure!(
            listed.contains(name),
            "{name} was acknowledged and is gone: {listed:?}"
        );
    }
    for name in &listed {
        let expected =
            known.files.contains_key(name) || known.dirs.contains(name) || unsure.contains(name);
        ensure!(expected, "{name} was deleted and is back");
    }
    for (name, (seed, len)) in &known.files {
        let size = ftp.ask(&format!("SIZE {name}"), 213)?;
        ensure!(
            size.ends_with(&format!(" {len}")),
            "{name}: {size} instead of {len} (seed {seed})"
        );
    }
    // A few of them byte by byte, all of them at the end of the test.
    for (name, (seed, len)) in known.files.iter().rev().take(3) {
        ensure!(
            ftp.get(Mode::Pret, name)? == Bytes::vec(*seed, *len),
            "{name} has other bytes"
        );
    }
    Ok(())
}

fn rounds(durability: &str, count: u64) -> Result<()> {
    let seed = drftpd_actors::testkit::seed();
    let dice = Dice::seeded(seed);
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        master: vec![format!("store.durability=\"{durability}\"")],
        // Links live shorter here than anywhere else: the pauses before dialling must not grow.
        slave: vec![
            "link.backoff_min=\"20ms\"".into(),
            "link.backoff_max=\"100ms\"".into(),
        ],
        ..ClusterSpec::default()
    })?;
    let mut known = Known::default();
    let mut unsure: Vec<String> = Vec::new();
    let mut number = 0;
    for round in 0..count {
        let pid = cluster.master.as_ref().context("runs")?.pid();
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid)?).context("a pid")?;
        let mut ftp = cluster.login()?;
        // The seed says in which change the kill falls and how far into it; what the master is
        // doing just then may differ, so what the client was told decides what must be there.
        let (fatal, turns) = (dice.below(12), dice.below(400));
        let (arm, armed) = channel();
        let killer = thread::spawn(move || {
            armed.recv()?;
            (0..turns).for_each(|_| thread::yield_now());
            rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
            anyhow::Ok(())
        });
        for done in 0.. {
            number += 1;
            if done == fatal {
                arm.send(())?;
            }
            if change(&mut ftp, &mut known, &dice, number).is_err() {
                break;
            }
        }
        killer.join().ok().context("the killer")??;
        unsure.append(&mut known.unsure);
        cluster.kill_master()?;
        cluster.start_master()?;
        cluster.wait_online(1)?;
        check(&cluster, &known, &unsure).with_context(|| format!("round {round}, seed {seed}"))?;
        settle(&cluster, &mut unsure)?;
    }
    let mut ftp = cluster.login()?;
    for (name, (seed, len)) in &known.files {
        ensure!(
            ftp.get(Mode::Pret, name)? == Bytes::vec(*seed, *len),
            "{name} has other bytes"
        );
    }
    ensure!(number > count, "hardly anything was done in {count} rounds");
    Ok(())
}

/// Removes what the client cannot know the fate of, so that the next round knows everything.
fn settle(cluster: &Cluster, unsure: &mut Vec<String>) -> Result<()> {
    let mut ftp = cluster.login()?;
    let listed = ftp.names(Mode::Pret, "/")?;
    for name in unsure.drain(..).filter(|name| listed.contains(name)) {
        ftp.send(&format!("DELE {name}"))?;
        if ftp.reply()?.0 != 250 {
            ftp.ask(&format!("RMD {name}"), 250)?;
        }
    }
    Ok(())
}

#[test]
fn a_killed_master_keeps_everything_acknowledged_with_full_durability() -> Result<()> {
    rounds("full", 50)
}

#[test]
fn a_killed_master_keeps_everything_acknowledged_with_relaxed_durability() -> Result<()> {
    rounds("relaxed", 50)
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
    ftp.ask("ABOR", 426)?;
    ftp.expect(226)?;
    ensure!(ftp.get(Mode::Pret, "x.bin")? == old);
    Ok(())
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

#[test]
fn what_was_prepared_for_an_intent_that_was_lost_with_the_master_is_in_the_trash() -> Result<()> {
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        // The third upload's intent does not reach the store, and the master dies before its commit.
        master_failpoints: "upload.intent=3:fail;commit.before=3:crash".into(),
        ..ClusterSpec::default()
    })?;
    let bytes = Bytes::vec(5, 200_000);
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "one.bin", &Bytes::vec(1, 1000))?;
    ftp.put(Mode::Pret, "two.bin", &Bytes::vec(2, 1000))?;
    ensure!(ftp.put(Mode::Pret, "lost.bin", &bytes).is_err());
    cluster.master.take().context("was started")?.wait()?;
    ensure!(cluster.reserved("staging")?.len() == 1, "it was prepared");

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
