//! A panic in each kind of actor: the others go on, and what happens next is what supervision says.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::bystander::{Bystander, Names, work};
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp, Mode, Points};

/// Arms a point, works until it is passed, then until work is done again.
fn panic_at(cluster: &Cluster, points: &Points, point: &str, names: &Names) -> Result<()> {
    points.arm(point)?;
    cluster.wait_until(&format!("{point} is passed"), |cluster| {
        // Whoever meets the panic hears an error.
        drop(work(cluster, &names.next()));
        Ok(points.failed(point).is_ok())
    })?;
    cluster.wait_until(&format!("work after {point}"), |cluster| {
        Ok(work(cluster, &names.next()).is_ok())
    })
}

#[test]
fn an_actor_of_the_master_that_panics_is_back_and_the_others_go_on() -> Result<()> {
    let all = [
        "actor.accounts",
        "actor.vfs",
        "vfs.change",
        "actor.transfer_coordinator",
        "transfer.hold",
        "actor.slave_manager",
        "actor.slave_registry",
        "slaves.expect_end",
        "actor.ftp_acceptor",
        "ftp.accept",
        "actor.ftp_session",
        "actor.xferlog",
    ];
    let (points, names) = (Points::new("panic")?, Names::default());
    let mut cluster = Cluster::with(ClusterSpec {
        master_failpoints: points.spec(&all),
        master: vec![
            "log.xferlog=\"xferlog\"".into(),
            "slaves.lost_transfer_after=\"1s\"".into(),
        ],
        ..ClusterSpec::default()
    })?;
    let mut idle = cluster.login()?;
    for point in all {
        let bystander = Bystander::begin(&cluster, names.next())?;
        panic_at(&cluster, &points, point, &names)?;
        let said = format!("failpoint {point}");
        let master = cluster.master.as_mut().context("runs")?;
        ensure!(master.is_alive()? && master.log().contains(&said), "{said}");
        // The registry knows who waits for which transfer; without that they are lost.
        let ended = match point {
            "actor.slave_registry" | "slaves.expect_end" => bystander.resume(&cluster),
            _ => bystander.finish(),
        };
        ended.with_context(|| format!("a bystander of {point}"))?;
        idle.ask("PWD", 257)
            .with_context(|| format!("idle during {point}"))?;
        cluster.wait_online(2)?;
    }
    ensure!(cluster.slaves.iter_mut().all(|slave| {
        let process = slave.process.as_mut();
        process.is_some_and(|process| process.is_alive().unwrap_or(false))
    }));
    Ok(())
}

#[test]
fn an_actor_of_a_slave_that_panics_costs_at_most_its_own_transfer() -> Result<()> {
    let first = "actor.root_scanner";
    let others = [
        "actor.master_link",
        "actor.transfer_registry",
        "actor.transfer",
        "actor.root_worker",
        "actor.space_meter",
    ];
    let (points, names) = (Points::new("panic")?, Names::default());
    // A slave is walked when it comes.
    points.arm(first)?;
    let all: Vec<&str> = others.into_iter().chain([first]).collect();
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        slave_failpoints: points.spec(&all),
        ..ClusterSpec::default()
    })?;
    points.failed(first)?;
    for point in others {
        let bystander = Bystander::begin(&cluster, names.next())?;
        panic_at(&cluster, &points, point, &names)?;
        bystander
            .finish()
            .with_context(|| format!("a bystander of {point}"))?;
    }
    let slave = cluster.slaves[0].process.as_mut().context("runs")?;
    ensure!(slave.is_alive()?);
    for point in all {
        ensure!(
            slave.log().contains(&format!("failpoint {point}")),
            "{point}"
        );
    }
    Ok(())
}

#[test]
fn a_core_actor_that_always_panics_drains_the_master_and_ends_it_with_an_error() -> Result<()> {
    let mut clusters = Vec::new();
    for (actor, point) in [
        ("vfs", "vfs.change"),
        ("accounts", "actor.accounts"),
        ("transfer_coordinator", "transfer.hold"),
        ("slave_registry", "actor.slave_registry"),
        ("ftp_acceptor", "actor.ftp_acceptor"),
    ] {
        let cluster = Cluster::with(ClusterSpec {
            slaves: 0,
            master_failpoints: format!("{point}=panic"),
            master: vec!["shutdown.drain=\"1s\"".into()],
            ..ClusterSpec::default()
        })?;
        clusters.push((actor, cluster));
    }
    for (actor, mut cluster) in clusters {
        let down = |cluster: &Cluster| {
            drop(cluster.login().and_then(|mut ftp| {
                drop(ftp.ask("MKD d", 257));
                ftp.data(Mode::Pret, "STOR", "x")
            }));
            let master = cluster.master.as_ref().context("was started")?;
            Ok(master.log().contains("panicked and is down"))
        };
        cluster.wait_until(&format!("{actor} is down"), down)?;
        let mut master = cluster.master.take().context("was started")?;
        let status = master.wait()?;
        ensure!(status.code() == Some(1), "{actor}: {status:?}");
        let said = format!("the actor {actor} failed again and again");
        ensure!(master.log().contains(&said), "{said}: {}", master.tail());
    }
    Ok(())
}

#[test]
fn a_master_that_must_end_lets_an_upload_end_and_lets_nobody_else_in() -> Result<()> {
    let (point, points) = ("actor.accounts", Points::new("panic")?);
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        master_failpoints: points.spec(&[point]),
        master: vec!["shutdown.drain=\"1h\"".into()],
        ..ClusterSpec::default()
    })?;
    let mut bystander = Bystander::begin(&cluster, "x".into())?;
    for _ in 0..6 {
        points.arm(point)?;
        ensure!(cluster.login().is_err());
        points.failed(point)?;
    }
    cluster.wait_until("nobody is let in", |cluster| {
        let refused = Ftp::connect(cluster.ftp).err();
        Ok(refused.is_some_and(|why| why.to_string().contains("421 Shutting down")))
    })?;
    bystander.stream.write_all(&bystander.whole[200_000..])?;
    drop(bystander.stream);
    bystander.ftp.expect(226)?;
    let status = cluster.master.take().context("was started")?.wait()?;
    ensure!(status.code() == Some(1), "{status:?}");
    cluster.start_master()?;
    cluster.wait_online(1)?;
    ensure!(cluster.login()?.get(Mode::Pret, "x")? == bystander.whole);
    Ok(())
}

#[test]
fn an_actor_of_a_slave_that_always_panics_ends_the_slave_and_nothing_else() -> Result<()> {
    let cores = [
        "transfer_registry",
        "root_worker",
        "root_scanner",
        "space_meter",
        "master_link",
    ];
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 0,
        slave: vec!["shutdown.drain=\"1s\"".into()],
        ..ClusterSpec::default()
    })?;
    for (number, core) in (1..).zip(cores) {
        cluster.spec.slave_failpoints = format!("actor.{core}=panic");
        let root = cluster.path().join(format!("root-{number}"));
        cluster.add_slave(number, root)?;
    }
    let names = Names::default();
    for (index, core) in cores.into_iter().enumerate() {
        let down = |cluster: &Cluster| {
            drop(work(cluster, &names.next()));
            let slave = cluster.slaves[index].process.as_ref();
            Ok(slave
                .context("started")?
                .log()
                .contains("panicked and is down"))
        };
        cluster.wait_until(&format!("{core} is down"), down)?;
        let mut slave = cluster.slaves[index].process.take().context("started")?;
        let status = slave.wait()?;
        ensure!(status.code() == Some(1), "{core}: {status:?}");
        ensure!(
            slave.log().contains(&format!("failpoint actor.{core}")),
            "{core}"
        );
    }
    cluster.spec.slave_failpoints.clear();
    cluster.add_slave(9, cluster.path().join("root-9"))?;
    cluster.wait_online(1)?;
    work(&cluster, "after all")
}

#[test]
fn what_is_temporary_costs_its_own_work_however_often_it_panics() -> Result<()> {
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        slave_failpoints: "actor.transfer=panic".into(),
        ..ClusterSpec::default()
    })?;
    let mut ftp = cluster.login()?;
    for n in 0..8 {
        ftp.data(Mode::Pret, "STOR", "x")?;
        ftp.send("STOR x")?;
        let (code, lines) = ftp.reply()?;
        ensure!((400..500).contains(&code), "{n}: {lines:?}");
    }
    ftp.ask("SIZE x", 550)?;
    let slave = cluster.slaves[0].process.as_mut().context("runs")?;
    ensure!(slave.is_alive()? && !slave.log().contains("begins again"));
    Ok(())
}

#[test]
fn a_plugin_that_always_panics_is_switched_off_and_nothing_else() -> Result<()> {
    let cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        master_failpoints: "actor.xferlog=panic".into(),
        master: vec!["log.xferlog=\"xferlog\"".into()],
        ..ClusterSpec::default()
    })?;
    let names = Names::default();
    cluster.wait_until("it is off", |cluster| {
        work(cluster, &names.next())?;
        let master = cluster.master.as_ref().context("runs")?;
        Ok(master.log().contains("plugin is down and stays off"))
    })?;
    work(&cluster, "goes on")?;
    let log = cluster.master.as_ref().context("runs")?.log();
    ensure!(log.matches("begins again").count() == 3, "{log}");
    Ok(())
}
