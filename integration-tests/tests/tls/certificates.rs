//! The certificate: what clients say that do not know it, and what they see when it changes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Ftp, Running, Tool};
use rustix::process::Signal;

use crate::{certificate, cluster, files, same_file, stored, with_password};

#[test]
fn without_the_certificate_lftp_and_curl_say_that_they_do_not_trust_it() -> Result<()> {
    let cluster = cluster(&[])?;
    let (_gone, dir) = folder()?;
    let script = format!(
        "set net:max-retries 1; open -u {USER},\"{PASSWORD}\" ftp://{}; ls",
        cluster.ftp
    );
    let lftp = Tool::new("lftp", &dir).args(["-c", &script]).output()?;
    let said = String::from_utf8_lossy(&lftp.stderr);
    ensure!(
        !lftp.status.success() && said.to_lowercase().contains("not trusted"),
        "{said}"
    );
    let url = with_password("ftp", cluster.at("ftp")?);
    let curl = Tool::new("curl", &dir)
        .args(["-sS", "--ssl-reqd", &url])
        .output()?;
    let said = String::from_utf8_lossy(&curl.stderr);
    ensure!(
        curl.status.code() == Some(60) && said.contains("self-signed"),
        "{said}"
    );
    // In clear both still come in: nothing is required here.
    let script = format!("set ftp:ssl-allow no; {script}");
    Tool::new("lftp", &dir).args(["-c", &script]).run()?;
    Tool::new("curl", &dir).args(["-sS", &url]).run()?;
    Ok(())
}

#[test]
fn the_lines_that_quickstart_prints_work_as_they_are() -> Result<()> {
    let (_gone, dir) = folder()?;
    let mut command = std::process::Command::new(program("drftpd-master")?);
    command.env("DRFTPD_PASSWORD", PASSWORD).arg("quickstart");
    command.arg("--dir").arg(dir.join("data"));
    for listen in ["--listen", "--admin-listen", "--slave-listen"] {
        command.args([listen, "127.0.0.1:0"]);
    }
    command.args(["--passive-ports", "0"]);
    let master = Running::start(command, &dir.join("log"))?;
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(master.line("try: ")?["try: ".len()..].to_owned());
    }
    master.line("ready ")?;
    fs::create_dir(dir.join("client"))?;
    for line in &lines {
        let script = format!("export DRFTPD_PASSWORD='{PASSWORD}'; {line}");
        let shell = Tool::new("bash", &dir.join("client")).args(["-c", &script]);
        let output = shell.input("ls; exit\n").output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success() && said.contains("total 0"),
            "{line}: {said} {errors}"
        );
        ensure!(!errors.contains("NOT trusted"), "{line}: {errors}");
    }
    ensure!(
        lines[0].starts_with("lftp ") && lines[1].starts_with("curl --ssl-reqd "),
        "{lines:?}"
    );
    Ok(())
}

#[test]
fn a_new_certificate_is_shown_after_sighup_on_slaves_too_and_a_bad_one_is_not() -> Result<()> {
    let cluster = cluster(&[])?;
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 25)?;
    let url = with_password("ftp", cluster.at("ftp")?);
    let old = dir.join("old.pem");
    fs::copy(certificate(&cluster), &old)?;
    let own = cluster.path().join("master/tls");
    let curl = |authority: &Path, args: &[&str]| {
        let authority = authority.to_string_lossy().into_owned();
        let curl = Tool::new("curl", &dir).args(["-sS", "--ssl-reqd", "--cacert", &authority]);
        curl.args(args).run()
    };
    let hang_up = || {
        cluster
            .master
            .as_ref()
            .context("a master")?
            .signal(Signal::HUP)
    };
    curl(&old, &["-T", "whole.bin", &format!("{url}/whole.bin")])?;

    fs::write(own.join("certificate.pem"), "no certificate")?;
    hang_up()?;
    let logged = |text: &'static str| {
        cluster.wait_until(text, move |cluster| {
            let master = cluster.master.as_ref().context("a master")?;
            Ok(master.log().contains(text))
        })
    };
    logged("new certificate is of no use")?;
    curl(&old, &[&format!("{url}/whole.bin"), "-o", "back.bin"])?;

    make(&own, "key.pem", "certificate.pem")?;
    hang_up()?;
    logged("new certificate for ftp clients")?;
    ensure!(curl(&old, &[&url]).is_err(), "the old one is still shown");
    // Straight to the slaves, which show it on data connections.
    let new = own.join("certificate.pem");
    cluster.wait_until("the slaves have the new certificate", |_| {
        let got = curl(
            &new,
            &[
                "--ftp-pret",
                "--disable-epsv",
                &format!("{url}/whole.bin"),
                "-o",
                "b.bin",
            ],
        );
        Ok(got.is_ok())
    })?;
    same_file(&dir.join("b.bin"), &whole)
}

/// A certificate for 127.0.0.1 that is signed by itself, made by others than us.
fn make(dir: &Path, key: &str, certificate: &str) -> Result<()> {
    let made = Tool::new("openssl", dir).args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "9",
        "-subj",
        "/CN=new",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        key,
        "-out",
        certificate,
    ]);
    made.run().map(drop)
}

#[test]
fn an_account_that_names_a_certificate_needs_it_beside_the_password() -> Result<()> {
    let cluster = cluster(&["tls.client_certificates=true"])?;
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 26)?;
    for whose in ["mine", "other"] {
        make(&dir, &format!("{whose}.key"), &format!("{whose}.pem"))?;
    }
    let args = "x509 -in mine.pem -noout -fingerprint -sha256";
    let said = Tool::new("openssl", &dir).args(args.split(' ')).run()?;
    let hex = said.trim().rsplit('=').next().context("no fingerprint")?;
    let (authority, at) = (certificate(&cluster), cluster.at("ftp")?);
    let (ann, admin) = (format!("ftp://ann:word4711@{at}"), with_password("ftp", at));
    let mut root = cluster.login()?;
    root.ask("SITE ADDUSER ann word4711", 200)?;
    let curl = |args: &[&str]| {
        let curl = Tool::new("curl", &dir).args(["-sS", "--ssl-reqd", "--cacert", &authority]);
        curl.args(args).run()
    };
    let mine = ["--cert", "mine.pem", "--key", "mine.key"];
    let other = ["--cert", "other.pem", "--key", "other.key"];
    let file = format!("{ann}/whole.bin");
    curl(&["-T", "whole.bin", &file])?;
    root.ask(&format!("SITE CHANGE ann certificate {hex}"), 200)?;
    for shown in [&[][..], &other] {
        let refused = curl(&[&["-T", "whole.bin", &file], shown].concat());
        ensure!(refused.is_err(), "let in with {shown:?}");
    }
    let mut plain = Ftp::connect(cluster.ftp)?;
    plain.ask("USER ann", 331)?;
    plain.ask("PASS word4711", 530)?;
    for version in ["1.2", "1.3"] {
        let (tls, to) = (["--tls-max", version], format!("{ann}/{version}.bin"));
        curl(&[&["-T", "whole.bin", &to], &mine[..], &tls].concat())?;
        stored(&cluster, &format!("{version}.bin"), &whole)?;
    }
    // Whom nobody wants a certificate of may show any, or none.
    curl(&[&[&admin[..]], &other[..]].concat())?;
    curl(&[&admin]).map(drop)
}
