//! Where TLS must, may or must not be, and who sees what there is.

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER, edit};
use drftpd_integration_tests::{Ftp, Mode, Tool};
use rustix::process::Signal;

use crate::python::python;
use crate::{certificate, cluster, who};

#[test]
fn a_network_may_be_let_in_without_tls_where_all_others_need_it() -> Result<()> {
    let strict = "tls.login=\"required\"";
    let files = "tls.data=\"required\"";
    let closed = cluster(&[strict, files])?;
    let mut ftp = Ftp::connect(closed.ftp)?;
    let said = ftp.ask(&format!("USER {USER}"), 530)?;
    ensure!(said.contains("AUTH TLS"), "{said}");
    let scanners =
        "tls.rules=[{ networks = [\"127.0.0.0/8\"], login = \"allowed\", data = \"allowed\" }]";
    let open = cluster(&[strict, files, scanners])?;
    let mut ftp = open.login()?;
    ftp.put(Mode::Pret, "scan.pdf", b"%PDF")?;
    ensure!(ftp.get(Mode::Pasv, "scan.pdf")? == b"%PDF");
    Ok(())
}

#[test]
fn a_user_may_need_tls_where_it_is_as_others_like() -> Result<()> {
    let rule = format!(
        "tls.rules=[{{ users = [\"-{USER}\"], login = \"required\", data = \"required\" }}]"
    );
    let cluster = cluster(&[&rule])?;
    let mut ftp = Ftp::connect(cluster.ftp)?;
    for name in [USER.to_owned(), format!("!{USER}")] {
        let said = ftp.ask(&format!("USER {name}"), 530)?;
        ensure!(said.contains("AUTH TLS"), "{said}");
        ftp.ask(&format!("PASS {PASSWORD}"), 503)?;
    }
    // Of what it says to names of nobody, some is one and some the other, and all of it stays.
    let answers = || -> Result<Vec<u16>> {
        let mut ftp = Ftp::connect(cluster.ftp)?;
        let mut codes = Vec::new();
        for number in 0..20 {
            ftp.send(&format!("USER nobody-{number}"))?;
            codes.push(ftp.reply()?.0);
        }
        Ok(codes)
    };
    let first = answers()?;
    ensure!(first.contains(&331) && first.contains(&530), "{first:?}");
    ensure!(answers()? == first);
    python(
        &cluster,
        r#"
f = session()
f.storbinary("STOR x", io.BytesIO(whole))
f.prot_c()
try:
    f.storbinary("STOR y", io.BytesIO(whole)); raise SystemExit("in clear")
except ftplib.error_perm as e:
    assert str(e).startswith("521"), e
"#,
    )
    .map(drop)
}

#[test]
fn rules_change_on_sighup_and_what_waits_for_the_next_start_is_named() -> Result<()> {
    let cluster = cluster(&[])?;
    let mut runs = cluster.login()?;
    let addresses = format!(
        "tls.listen_implicit=[\"{}\", \"127.0.0.1:0\"]",
        cluster.at("ftps")?
    );
    let strict = ["tls.login=\"required\"", "tls.listings=\"required\""];
    let mut changes = strict.map(str::to_owned).to_vec();
    changes.push(addresses);
    edit(&cluster.master_config(), &changes)?;
    let master = cluster.master.as_ref().context("a master")?;
    master.signal(Signal::HUP)?;
    cluster.wait_until("it is read again", |_| {
        Ok(master.log().contains("after the next start"))
    })?;
    let mut ftp = Ftp::connect(cluster.ftp)?;
    ftp.ask(&format!("USER {USER}"), 530)?;
    // Who is there stays, and what comes next is judged anew.
    runs.ask("PWD", 257)?;
    runs.ask("STAT -l", 530)?;
    let log = master.log();
    let warned = log
        .lines()
        .find(|line| line.contains("after the next start"));
    let warned = warned.context("a warning")?;
    ensure!(
        warned.contains("tls.listen_implicit") && !warned.contains("tls.login"),
        "{warned}"
    );
    python(&cluster, "f = session()\nf.nlst()").map(drop)
}

#[test]
fn who_shows_what_a_session_has_of_tls() -> Result<()> {
    let cluster = cluster(&[])?;
    let (_gone, dir) = folder()?;
    let script = format!(
        "set ssl:ca-file {}; set ftp:ssl-protect-list yes; open -u {USER},\"{PASSWORD}\" ftp://{}; ls; \
         site WHO",
        certificate(&cluster),
        cluster.ftp
    );
    let said = Tool::new("lftp", &dir).args(["-c", &script]).run()?;
    ensure!(said.contains("1.3, data resumed"), "{said}");
    cluster.wait_until("it is gone", |cluster| Ok(who(cluster)?.is_null()))
}
