//! lftp's own FXP: told to do nothing else, it copies files and trees between our clusters, and between ours and
//! ProFTPD and Pure-FTPd, in clear and by TLS, whichever side listens and whichever begins the handshake.
// A test that cannot be held here says so.
#![allow(clippy::print_stderr)]

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::data::same;
use drftpd_integration_tests::sites::{Foreign, Site, may_be_anybody};
use drftpd_integration_tests::{Bytes, Mode, Tool};

use super::{FXP, HERE, SIZE, THERE, cluster};

const CLEAR: &str = "set ftp:ssl-allow no;";
const TLS: &str =
    "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:ssl-protect-fxp yes;";
const SOURCE_LISTENS: &str = "set ftp:fxp-passive-source yes;";
const ACTIVE_BEGINS: &str = "set ftp:fxp-passive-sscn no;";

/// Every way that lftp knows between two sites.
fn ways(from: &Site, to: &Site) -> Vec<String> {
    let mut all = vec![CLEAR.to_owned(), format!("{CLEAR} {SOURCE_LISTENS}")];
    // It does not look who knows SSCN: where one side does not, that would wait for its time-out.
    let begins: &[&str] = match from.sscn && to.sscn {
        true => &["", ACTIVE_BEGINS],
        false => &[""],
    };
    for begins in begins {
        all.push(format!("{TLS} {begins}"));
        all.push(format!("{TLS} {begins} {SOURCE_LISTENS}"));
    }
    all
}

/// lftp, told to do nothing but FXP.
fn lftp(settings: &str, script: &str) -> Result<()> {
    let (_gone, dir) = folder()?;
    let script = format!(
        "set cmd:fail-exit yes; set net:max-retries 2; set net:timeout 20; set ftp:use-fxp yes; set ftp:fxp-force yes; \
         set ssl:verify-certificate no; set ftp:fix-pasv-address no; {settings} {script}"
    );
    let lftp = Tool::new("lftp", &dir).args(["-c", &script]);
    lftp.run().map(drop).with_context(|| settings.to_owned())
}

/// Copies a file each way; `read` finds what arrived.
fn copies(from: &Site, to: &Site, read: impl Fn(&str) -> Result<Vec<u8>>) -> Result<()> {
    for (seed, settings) in (1..).zip(ways(from, to)) {
        let whole = Bytes::vec(seed, SIZE);
        let (x, y) = (format!("x{seed}"), format!("y{seed}"));
        from.put(&x, &whole)?;
        lftp(
            &settings,
            &format!("get {} -o {}", from.url(&x), to.url(&y)),
        )?;
        same(&read(&y)?, &whole, &settings)?;
    }
    Ok(())
}

#[test]
fn lftp_lets_our_clusters_send_to_each_other() -> Result<()> {
    let (one, other) = (cluster(HERE, &[FXP])?, cluster(THERE, &[FXP])?);
    let (one, other) = (
        Site::ours("one", &one, true),
        Site::ours("other", &other, true),
    );
    copies(&one, &other, |name| other.get(name))
}

#[test]
fn lftp_lets_proftpd_and_our_cluster_send_to_each_other() -> Result<()> {
    let proftpd = Foreign::proftpd(THERE)?;
    both_directions(&proftpd)
}

#[test]
fn lftp_lets_pure_ftpd_and_our_cluster_send_to_each_other() -> Result<()> {
    if !may_be_anybody() {
        eprintln!("skipped: only root may start Pure-FTPd with users of its own");
        return Ok(());
    }
    let pure_ftpd = Foreign::pure_ftpd(THERE)?;
    both_directions(&pure_ftpd)
}

fn both_directions(foreign: &Foreign) -> Result<()> {
    let cluster = cluster(HERE, &[FXP])?;
    let ours = Site::ours("ours", &cluster, true);
    copies(&ours, foreign.site(), |name| foreign.file(name)).context("from ours")?;
    copies(foreign.site(), &ours, |name| ours.get(name)).context("to ours")
}

#[test]
fn lftp_mirrors_a_tree_from_one_cluster_to_another_and_to_proftpd() -> Result<()> {
    let (one, other) = (cluster(HERE, &[FXP])?, cluster(THERE, &[FXP])?);
    let (one, other) = (
        Site::ours("one", &one, true),
        Site::ours("other", &other, true),
    );
    let proftpd = Foreign::proftpd(THERE)?;
    let mut ftp = one.login(false)?;
    for dir in ["tree", "tree/below"] {
        ftp.ask(&format!("MKD {dir}"), 257)?;
    }
    let names: Vec<_> = (1..=9)
        .map(|number| match number % 2 {
            0 => format!("{number}.bin"),
            _ => format!("below/{number}.bin"),
        })
        .collect();
    for (seed, name) in (1..).zip(&names) {
        ftp.put(
            Mode::Pret,
            &format!("tree/{name}"),
            &Bytes::vec(seed, 90_000),
        )?;
    }
    for (settings, copy) in [(CLEAR, "clear"), (TLS, "tls")] {
        for to in [&other, proftpd.site()] {
            let script = format!("mirror --parallel=2 {} {}", one.url("tree"), to.url(copy));
            lftp(settings, &script).with_context(|| to.name)?;
        }
        for (seed, name) in (1..).zip(&names) {
            let (wanted, path) = (Bytes::vec(seed, 90_000), format!("{copy}/{name}"));
            same(&other.get(&path)?, &wanted, &path)?;
            same(&proftpd.file(&path)?, &wanted, &path)?;
        }
    }
    ensure!(other.login(false)?.names(Mode::Port, "clear/below")?.len() == 5);
    Ok(())
}
