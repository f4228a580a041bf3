//! A certificate from an authority that speaks ACME: until it is there the master's own serves; then it is shown on control
//! connections and on those of slaves, survives restarts, and is renewed without one. Whatever the authority does, FTP is
//! served.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::acme::{Script, Seen};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{AcmeAuthority, Cluster, ClusterSpec, Mode, Tool};
use rustix::process::Signal;

const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// One slave, one file, and an authority that waits until it is told where to ask.
fn cluster(authority: &AcmeAuthority, settings: &[&str]) -> Result<Cluster> {
    let mut master = authority.settings(&NAMES);
    master.extend(settings.iter().map(|setting| (*setting).to_owned()));
    let cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        master,
        ..ClusterSpec::default()
    })?;
    cluster.login()?.put(Mode::Pret, "file", b"bytes")?;
    Ok(cluster)
}

/// SHA-256 of what a control connection and a data connection of a slave show, to a client that believes `authority`.
fn shown(cluster: &Cluster, authority: &Path) -> Result<(String, String)> {
    let (_gone, dir) = folder()?;
    let script = format!(
        r#"
import ftplib, hashlib, ssl
context = ssl.create_default_context(cafile="{}")
f = ftplib.FTP_TLS(context=context)
f.connect("{}", {})
f.login("{USER}", "{PASSWORD}")
f.prot_p()
shown = lambda socket: hashlib.sha256(socket.getpeercert(True)).hexdigest()
f.sendcmd("PRET RETR file")
data, _ = f.ntransfercmd("RETR file")
assert data.recv(100) == b"bytes"
print(shown(f.sock), shown(data))
"#,
        authority.display(),
        cluster.ftp.ip(),
        cluster.ftp.port()
    );
    let said = Tool::new("python3", &dir).args(["-c", &script]).run()?;
    let mut words = said.split_whitespace().map(str::to_owned);
    let mut word = || words.next().context("no fingerprint");
    Ok((word()?, word()?))
}

/// Waits until clients that believe the authority see its certificate of this number everywhere.
fn wait_shown(cluster: &Cluster, authority: &AcmeAuthority, number: usize) -> Result<()> {
    cluster.wait_until(&format!("certificate {number} is shown"), |cluster| {
        let Some(given) = authority.given().get(number).cloned() else {
            return Ok(false);
        };
        let both = shown(cluster, &authority.root());
        Ok(both.is_ok_and(|(control, data)| control == given && data == given))
    })
}

fn log(cluster: &Cluster) -> PathBuf {
    cluster.path().join("master.log")
}

fn own(cluster: &Cluster) -> PathBuf {
    cluster.path().join("master/tls/certificate.pem")
}

fn kept(cluster: &Cluster, file: &str) -> PathBuf {
    cluster.path().join("master/acme").join(file)
}

#[test]
fn a_certificate_comes_in_spite_of_trouble_and_stays_over_a_restart() -> Result<()> {
    let authority = AcmeAuthority::start(Script {
        bad_nonces: 1,
        too_many: [1].into(),
        refused: 1,
        ..Script::default()
    })?;
    let mut cluster = cluster(&authority, &[])?;
    let (control, data) = shown(&cluster, &own(&cluster))?;
    ensure!(control == data && authority.given().is_empty());
    authority.asks_where_it_says(&log(&cluster));
    wait_shown(&cluster, &authority, 0)?;
    let seen = authority.seen();
    let proved = |name: usize| Seen::Proved(NAMES[name].to_owned());
    let order = Seen::Order(false);
    let first = [Seen::BadNonce, Seen::Account, Seen::TooMany];
    let refused = [order.clone(), Seen::Refused(NAMES[0].to_owned()), proved(1)];
    let good = [order, proved(0), proved(1), Seen::Certificate];
    let want = [&first[..], &refused[..], &good[..]].concat();
    ensure!(seen == want, "{seen:?}");
    let said = std::fs::read_to_string(log(&cluster))?;
    for words in [
        "too many of you",
        "127.0.0.1: API error: no route to where you say you are",
    ] {
        ensure!(said.contains(words), "nobody is told {words:?}: {said}");
    }
    for file in ["account.json", "certificate.pem", "state.json"] {
        let mode = std::fs::metadata(kept(&cluster, file))?
            .permissions()
            .mode();
        ensure!(mode & 0o777 == 0o600, "{file} has mode {mode:o}");
    }

    cluster.kill_master()?;
    cluster.start_master()?;
    cluster.wait_online(1)?;
    wait_shown(&cluster, &authority, 0)?;
    cluster.wait_until("the master has read what is stored", |cluster| {
        let said = std::fs::read_to_string(log(cluster))?;
        Ok(said.contains("certificate of an authority is there"))
    })?;
    ensure!(authority.seen() == want, "{:?}", authority.seen());
    let doctor = cluster.ctl(&["doctor"])?.to_string();
    ensure!(
        doctor.contains("the authority's certificate is valid until"),
        "{doctor}"
    );
    Ok(())
}

#[test]
fn a_short_lived_certificate_is_renewed_while_the_master_runs() -> Result<()> {
    let authority = AcmeAuthority::start(Script {
        lives: [(Duration::from_secs(3600), Duration::from_secs(70))].into(),
        ..Script::default()
    })?;
    let cluster = cluster(&authority, &["tls.acme.renew_before=\"1m\""])?;
    authority.asks_where_it_says(&log(&cluster));
    wait_shown(&cluster, &authority, 1)?;
    let accounts = authority
        .seen()
        .into_iter()
        .filter(|seen| *seen == Seen::Account);
    ensure!(accounts.count() == 1, "{:?}", authority.seen());
    Ok(())
}

#[test]
fn an_authority_that_wants_it_renewed_is_obeyed_and_told_what_is_replaced() -> Result<()> {
    let authority = AcmeAuthority::start(Script {
        renew_now: Some(1),
        forgets: 1,
        ..Script::default()
    })?;
    let cluster = cluster(&authority, &[])?;
    authority.asks_where_it_says(&log(&cluster));
    wait_shown(&cluster, &authority, 1)?;
    let seen = authority.seen();
    ensure!(seen.contains(&Seen::Order(true)), "{seen:?}");
    // It had lost the first account before the first order.
    let accounts = seen.iter().filter(|seen| **seen == Seen::Account);
    ensure!(accounts.count() == 2, "{seen:?}");
    Ok(())
}

#[test]
fn while_the_authority_is_ill_ftp_is_served_and_sighup_tries_again() -> Result<()> {
    let authority = AcmeAuthority::start(Script {
        ill: Some(503),
        ..Script::default()
    })?;
    let an_hour = ["tls.acme.retry_from=\"1h\"", "tls.acme.retry_to=\"1h\""];
    let cluster = cluster(&authority, &an_hour)?;
    authority.asks_where_it_says(&log(&cluster));
    cluster.wait_until("the doctor says why", |cluster| {
        let doctor = cluster.ctl(&["doctor"])?.to_string();
        Ok(doctor.contains("orders fail, 1 times") && doctor.contains("answers 503"))
    })?;
    shown(&cluster, &own(&cluster))?;
    authority.script(|script| script.ill = None);
    let master = cluster.master.as_ref().context("a master")?;
    master.signal(Signal::HUP)?;
    wait_shown(&cluster, &authority, 0)
}
