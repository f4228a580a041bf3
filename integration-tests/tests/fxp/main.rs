//! FXP: two sites send files to each other, plain and by TLS, each side passive, both directions, by every handshake that
//! both know; our clusters with each other, with ProFTPD, Pure-FTPd, a scripted DrFTPD 4 and a server that never listens.
//!
//! Every server has a loopback address of its own, so that the other end is another host than the client.
// A test that cannot be held here says so.
#![allow(clippy::print_stderr)]

mod lftp;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::data::same;
use drftpd_integration_tests::sites::{
    Foreign, Handshake, Kind, Passive, Scripted, Site, Way, every_way, fxp, may_be_anybody, ways,
};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode, Tool};

const SIZE: usize = 700_000;
const HERE: &str = "127.0.0.2";
const THERE: &str = "127.0.0.3";

/// A cluster on this address, its data connections too.
fn cluster(host: &str, settings: &[&str]) -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        slaves: 2,
        host: host.into(),
        master: settings.iter().map(|it| (*it).to_owned()).collect(),
        slave: ["bind", "dial_from", "announce_address"]
            .map(|key| format!("transfer.{key}=\"{host}\""))
            .to_vec(),
        ..ClusterSpec::default()
    })
}

const FXP: &str = "accounts.administrators_fxp=true";

/// Both directions between a cluster of ours and a server of others; `file` reads what that has on its disk.
fn both_directions(other: &Site, file: impl Fn(&str) -> Result<Vec<u8>>) -> Result<Vec<Way>> {
    let cluster = cluster(HERE, &[FXP])?;
    let ours = Site::ours("ours", &cluster, true);
    let mut all = every_way(&ours, other, file)?;
    let back = every_way(other, &ours, |name| ours.get(name))?;
    all.extend(back);
    cluster.wait_until("no session is left behind", |cluster| {
        Ok(cluster.ctl(&["who"])?["sessions"][0].is_null())
    })?;
    Ok(all)
}

fn is_secure(way: &&Way) -> bool {
    !matches!(way.handshake, Handshake::None | Handshake::Clear)
}

// --- ours ---------------------------------------------------------------------------------------

#[test]
fn our_clusters_send_to_each_other_every_way_with_pret() -> Result<()> {
    ours_to_ours(true)
}

#[test]
fn our_clusters_send_to_each_other_every_way_without_pret() -> Result<()> {
    ours_to_ours(false)
}

fn ours_to_ours(pret: bool) -> Result<()> {
    let (one, other) = (cluster(HERE, &[FXP])?, cluster(THERE, &[FXP])?);
    let one = Site::ours("one", &one, pret);
    let other = Site::ours("other", &other, pret);
    let all = every_way(&one, &other, |name| other.get(name))?;
    ensure!(all.len() == 10, "{all:?}");
    every_way(&other, &one, |name| one.get(name)).map(drop)
}

#[test]
fn where_all_data_must_be_protected_and_resumed_fxp_has_its_own_right() -> Result<()> {
    let strict = [
        FXP,
        "tls.data=\"required\"",
        "tls.data_resumption=\"required\"",
    ];
    let (one, other) = (cluster(HERE, &strict)?, cluster(THERE, &strict)?);
    let (_gone, dir) = folder()?;
    let whole = Bytes::vec(77, SIZE);
    std::fs::write(dir.join("x"), &whole)?;
    let curl = |args: &[&str]| {
        let curl = Tool::new("curl", &dir).args(["-sS", "-k", "--ssl-reqd"]);
        curl.args(args).run()
    };
    curl(&["-T", "x", &format!("{}/x", one.url())])?;
    let (source, target) = (
        Site::ours("one", &one, true),
        Site::ours("other", &other, true),
    );
    for (number, way) in ways(&source, &target).iter().enumerate() {
        let to = format!("y{number}");
        if is_secure(&way) {
            fxp(&source, "x", &target, &to, *way).with_context(|| format!("{way:?}"))?;
            curl(&[&format!("{}/{to}", other.url()), "-o", &to])?;
            same(&std::fs::read(dir.join(&to))?, &whole, &format!("{way:?}"))?;
        } else {
            let refused = fxp(&source, "x", &target, &to, *way);
            ensure!(refused.is_err(), "in clear: {way:?}");
        }
    }
    Ok(())
}

#[test]
fn without_the_right_no_other_host_is_at_the_other_end() -> Result<()> {
    let soon = "data.connect_timeout=\"3s\"";
    let (one, other) = (cluster(HERE, &[soon])?, cluster(THERE, &[FXP, soon])?);
    let (one, other) = (
        Site::ours("one", &one, true),
        Site::ours("other", &other, true),
    );
    one.put("x", b"here")?;
    other.put("x", b"there")?;
    let way = |passive| Way {
        passive,
        handshake: Handshake::None,
    };
    // Where ours would dial, PORT is refused; where it listens, the other host is not let in.
    let said =
        |tried: Result<()>| Ok::<_, anyhow::Error>(format!("{:#}", tried.err().context("it may")?));
    for (source, target, passive) in [
        (&other, &one, Passive::Source),
        (&one, &other, Passive::Target),
    ] {
        let why = said(fxp(source, "x", target, "y", way(passive)))?;
        ensure!(why.contains("PORT"), "{why}");
    }
    for (source, target, passive) in [
        (&one, &other, Passive::Source),
        (&other, &one, Passive::Target),
    ] {
        let why = said(fxp(source, "x", target, "z", way(passive)))?;
        ensure!(why.contains("425"), "{why}");
    }
    ensure!(one.login(false)?.names(Mode::Port, "")? == ["x"]);
    Ok(())
}

// --- others -------------------------------------------------------------------------------------

#[test]
fn proftpd_and_our_cluster_send_to_each_other_every_way() -> Result<()> {
    let proftpd = Foreign::proftpd(THERE)?;
    let all = both_directions(proftpd.site(), |name| proftpd.file(name))?;
    ensure!(all.iter().filter(is_secure).count() == 10, "{all:?}");
    Ok(())
}

#[test]
fn pure_ftpd_and_our_cluster_send_to_each_other_every_way() -> Result<()> {
    if !may_be_anybody() {
        eprintln!("skipped: only root may start Pure-FTPd with users of its own");
        return Ok(());
    }
    let pure_ftpd = Foreign::pure_ftpd(THERE)?;
    let all = both_directions(pure_ftpd.site(), |name| pure_ftpd.file(name))?;
    ensure!(all.iter().filter(is_secure).count() == 6, "{all:?}");
    Ok(())
}

#[test]
fn drftpd_4_and_our_cluster_send_to_each_other_every_way() -> Result<()> {
    let drftpd = Scripted::start(Kind::DrFtpd4, THERE)?;
    // It is what the transcripts show: no PASV without PRET, one line more before the address.
    let mut ftp = drftpd.site().login(false)?;
    ftp.ask("PASV", 500)?;
    ftp.ask("PRET RETR x", 200)?;
    ftp.send("PASV")?;
    ensure!(ftp.expect(227)?.len() == 2);
    let all = both_directions(drftpd.site(), |name| drftpd.file(name))?;
    ensure!(all.len() == 20, "{all:?}");
    Ok(())
}

#[test]
fn a_server_that_never_listens_and_our_cluster_send_to_each_other() -> Result<()> {
    let active = Scripted::start(Kind::ActiveOnly, THERE)?;
    active.site().login(false)?.ask("PASV", 502)?;
    let all = both_directions(active.site(), |name| active.file(name))?;
    ensure!(all.len() == 10, "{all:?}");
    Ok(())
}
