//! The way between master and slave is cut, in both directions or in one, or slow; the client's ways are as ever.
#![allow(clippy::disallowed_methods)] // how long others wait is real time

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::network::{Lost, Network};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};

use super::{CLIENT, MASTER};

/// The number of the first slave's host.
const SLAVE: u8 = 2;
/// How long a dead slave may take to be seen as that, on a busy machine.
const FENCED: Duration = Duration::from_secs(15);
/// Of the slow way.
const BITS: u32 = 512_000;
/// Bytes that take it for six seconds.
const SIZE: usize = 400_000;
/// Less than that, and more than they take otherwise.
const SLOW: Duration = Duration::from_secs(4);
/// Questions of others meanwhile.
const QUESTIONS: usize = 100;
/// Half of them are answered within this.
const AT_ONCE: Duration = Duration::from_millis(200);

/// A slave that is silent three times as long as its heartbeat is dead.
fn cluster(heartbeat: &str) -> Result<Option<(Network, Cluster)>> {
    let Some(network) = Network::of(CLIENT)? else {
        return Ok(None);
    };
    let cluster = Cluster::with(ClusterSpec {
        slaves: 2,
        host: Network::address(MASTER).to_string(),
        namespaces: (MASTER..CLIENT).map(|host| network.host(host)).collect(),
        master: vec![format!("slaves.heartbeat=\"{heartbeat}\"")],
        slave: ["connect_timeout", "backoff_max"]
            .map(|key| format!("link.{key}=\"1s\""))
            .to_vec(),
        ..ClusterSpec::default()
    })?;
    Ok(Some((network, cluster)))
}

/// Uploads into directories of their own until the first slave has a file; answers its path.
fn on_the_first(cluster: &Cluster, ftp: &mut Ftp, stem: &str, bytes: &[u8]) -> Result<String> {
    for n in 0..20 {
        ftp.ask(&format!("MKD {stem}{n}"), 257)?;
        let name = format!("{stem}{n}/file.bin");
        ftp.put(Mode::Pret, &name, bytes)?;
        cluster.wait_settled()?;
        if cluster.slaves[0].root.join(&name).exists() {
            return Ok(name);
        }
    }
    anyhow::bail!("the first slave took none of twenty files")
}

fn state(cluster: &Cluster) -> Result<String> {
    let slaves = cluster.ctl(&["slave", "list"])?;
    let all = slaves["slaves"].as_array().context("slaves")?;
    let first = all.iter().find(|row| row["name"] == "slave-1");
    let state = first.context("listed")?["state"]
        .as_str()
        .map(str::to_owned);
    state.context("a state")
}

fn a_cut_way(network: &Network, cluster: &Cluster, lost: Lost) -> Result<()> {
    let (stem, bytes) = (format!("{lost:?}-"), Bytes::vec(7, 50_000));
    let mut ftp = cluster.login()?;
    let gone = on_the_first(cluster, &mut ftp, &format!("gone-{stem}"), &bytes)?;
    let kept = on_the_first(cluster, &mut ftp, &format!("kept-{stem}"), &bytes)?;
    network.cut(SLAVE, MASTER, lost)?;
    let begun = Instant::now();
    cluster.wait_until("the slave is fenced", |cluster| {
        Ok(state(cluster)? == "offline")
    })?;
    ensure!(begun.elapsed() < FENCED, "after {:?}", begun.elapsed());

    // All is listed, what is there is served, new files go elsewhere, and a delete waits for nobody.
    ensure!(ftp.names(Mode::Pasv, "/")?.len() >= 2);
    ftp.data(Mode::Pasv, "", "")?;
    ftp.ask(&format!("RETR {kept}"), 450)?;
    let elsewhere = format!("elsewhere-{stem}.bin");
    ftp.put(Mode::Pret, &elsewhere, &bytes)?;
    ensure!(ftp.get(Mode::Pret, &elsewhere)? == bytes);
    ftp.ask(&format!("DELE {gone}"), 250)?;
    ensure!(
        cluster.slaves[0].root.join(&gone).exists(),
        "it was not cut"
    );

    network.mend(SLAVE)?;
    cluster.wait_online(2)?;
    cluster.wait_settled()?;
    ensure!(!cluster.slaves[0].root.join(&gone).exists());
    ensure!(ftp.get(Mode::Pret, &kept)? == bytes);
    let check = cluster.ctl(&["check"])?;
    ensure!(check["wrong"] == 0, "{check}");
    Ok(())
}

#[test]
fn a_slave_whose_link_is_cut_in_one_direction_or_both_is_fenced_and_comes_back_by_itself()
-> Result<()> {
    let Some((network, cluster)) = cluster("1s")? else {
        return Ok(());
    };
    network.within(CLIENT, || {
        for lost in [Lost::All, Lost::Sent, Lost::Received] {
            a_cut_way(&network, &cluster, lost).with_context(|| format!("{lost:?}"))?;
        }
        Ok(())
    })
}

#[test]
fn a_slow_slave_is_no_dead_one_and_others_do_not_wait_for_it() -> Result<()> {
    let Some((network, cluster)) = cluster("5s")? else {
        return Ok(());
    };
    network.within(CLIENT, || {
        let bytes = Bytes::vec(8, SIZE);
        let name = on_the_first(&cluster, &mut cluster.login()?, "slow-", &bytes)?;
        network.slow(SLAVE, BITS)?;
        let (mut downloading, mut other) = (cluster.login()?, cluster.login()?);
        // Through the master: the same way as what both say to each other.
        let data = downloading.data(Mode::Pasv, "RETR", &name)?;
        let begun = Instant::now();
        downloading.ask(&format!("RETR {name}"), 150)?;
        let mut took = Vec::new();
        for n in 0..QUESTIONS {
            let asked = Instant::now();
            match n % 2 {
                0 => other.ask("NOOP", 200).map(drop)?,
                _ => other.names(Mode::Pasv, "/").map(drop)?,
            }
            took.push(asked.elapsed());
        }
        took.sort();
        ensure!(took[QUESTIONS / 2] < AT_ONCE, "{took:?}");
        let mut got = Vec::new();
        std::io::Read::read_to_end(&mut data.stream()?, &mut got)?;
        downloading.expect(226)?;
        ensure!(got == bytes, "{} bytes came", got.len());
        ensure!(begun.elapsed() > SLOW, "in {:?}", begun.elapsed());
        let log = cluster.master.as_ref().context("a master")?.log();
        ensure!(!log.contains("a slave's link is down"), "{log}");
        Ok(())
    })
}
