//! One path, however curl and lftp spell it, has one verdict; what is hidden leaks nowhere.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp, Mode, Tool};

const RIGHTS: &str = r#"
privpath = [{ path = "/staff/*", who = "=siteop" }]
download = [{ path = "*", who = "*" }]
upload = [{ path = "/open/*", who = "*" }, { path = "*", who = "=siteop" }]
makedir = [{ path = "/open/*", who = "*" }, { path = "*", who = "=siteop" }]
renameown = [{ path = "*", who = "*" }]
deleteown = [{ path = "*", who = "*" }]
delete = [{ path = "*", who = "=siteop" }]
[commands]
"vfs stat" = "*"
"vfs find" = "*"
"vfs search" = "*"
"#;
/// Ways to a file that is hidden, the plain one first.
const HIDDEN: [&str; 5] = [
    "/staff/secret.bin",
    "/staff/./secret.bin",
    "/open/../staff/secret.bin",
    "/open//..//staff/secret.bin",
    "/open/way/secret.bin",
];
/// Ways to a place where nobody but operators may send anything.
const CLOSED: [&str; 4] = [
    "/closed/x",
    "/open/../closed/x",
    "/closed/./x",
    "/open/door/x",
];
/// How curl goes to a file.
const METHODS: [&str; 3] = ["multicwd", "nocwd", "singlecwd"];

struct Site {
    cluster: Cluster,
    _gone: tempfile::TempDir,
    dir: PathBuf,
}

impl Site {
    fn start() -> Result<Self> {
        let (_gone, dir) = folder()?;
        let rights = dir.join("permissions.toml");
        fs::write(&rights, RIGHTS)?;
        fs::write(dir.join("file"), "bytes")?;
        let cluster = Cluster::with(ClusterSpec {
            slaves: 1,
            master: vec![format!("rights.file={:?}", rights.display().to_string())],
            ..ClusterSpec::default()
        })?;
        let mut root = cluster.login()?;
        for name in ["staff", "open", "closed"] {
            root.ask(&format!("MKD {name}"), 257)?;
        }
        root.put(Mode::Pret, "staff/secret.bin", b"hidden")?;
        root.put(Mode::Pret, "open/free.bin", b"free")?;
        root.ask("SITE LINK /staff /open/way", 200)?;
        root.ask("SITE LINK /closed /open/door", 200)?;
        root.ask("SITE ADDUSER ann hush4711", 200)?;
        Ok(Site {
            cluster,
            _gone,
            dir,
        })
    }

    fn ann(&self) -> Result<Ftp> {
        Ftp::login(self.cluster.ftp, "ann", "hush4711")
    }

    /// Whether curl has done something for somebody, with what it printed.
    fn curl(&self, user: &str, path: &str, more: &[&str]) -> Result<(bool, String)> {
        let url = format!("ftp://{}{path}", self.cluster.ftp);
        let curl = Tool::new("curl", &self.dir).args(["-sS", "--path-as-is", "-u", user]);
        let output = curl.args(more).args([url]).output()?;
        let text = String::from_utf8(output.stdout)?;
        Ok((output.status.success(), text))
    }

    fn lftp(&self, script: &str) -> Result<String> {
        let script = format!(
            "set ssl:verify-certificate no; open -u ann,hush4711 ftp://{}; {script}",
            self.cluster.ftp
        );
        let lftp = Tool::new("lftp", &self.dir).args(["--norc", "-c", &script]);
        Ok(String::from_utf8(lftp.output()?.stdout)?)
    }
}

#[test]
fn curl_gets_one_verdict_whatever_way_it_takes() -> Result<()> {
    let site = Site::start()?;
    let (root, ann) = (format!("{USER}:{PASSWORD}"), "ann:hush4711");
    for method in METHODS {
        let how = ["--ftp-method", method];
        for path in HIDDEN {
            let (done, text) = site.curl(&root, path, &how)?;
            ensure!(done && text == "hidden", "{method} {path}: {text:?}");
            let (done, text) = site.curl(ann, path, &how)?;
            ensure!(!done && text.is_empty(), "{method} {path}: {text:?}");
        }
        for path in CLOSED {
            let sends = ["--ftp-method", method, "-T", "file"];
            let (done, _) = site.curl(ann, path, &sends)?;
            ensure!(!done, "{method} {path} was sent");
        }
        let (done, _) = site.curl(ann, "/open/sent", &["--ftp-method", method, "-T", "file"])?;
        ensure!(done, "{method}: nothing may be sent");
        for path in CLOSED {
            let to = format!("RNTO {path}");
            let renames = ["-Q", "RNFR /open/sent", "-Q", &to];
            ensure!(!site.curl(ann, "/", &renames)?.0, "renamed to {path}");
        }
        let deletes = ["-Q", "DELE /open/../open/./sent"];
        ensure!(site.curl(ann, "/", &deletes)?.0, "not deleted");
    }
    let closed = site.cluster.login()?.names(Mode::Pret, "/closed")?;
    ensure!(closed.is_empty(), "{closed:?}");
    Ok(())
}

#[test]
fn what_is_announced_or_asked_by_site_is_judged_as_what_is_fetched() -> Result<()> {
    let site = Site::start()?;
    let (mut ann, mut root) = (site.ann()?, site.cluster.login()?);
    for path in HIDDEN {
        ann.ask(&format!("PRET RETR {path}"), 550)?;
        let data = ann.data(Mode::Pret, "RETR", "/open/free.bin")?;
        ann.ask(&format!("RETR {path}"), 550)?;
        drop(data);
        ann.ask(&format!("SITE FILE {path}"), 550)?;
        root.ask(&format!("SITE FILE {path}"), 200)?;
        let by_ctl = site.cluster.ctl(&["vfs", "stat", path])?.to_string();
        ensure!(by_ctl.contains("secret.bin"), "{by_ctl}");
    }
    for path in CLOSED {
        let data = ann.data(Mode::Pret, "STOR", "/open/x")?;
        ann.ask(&format!("STOR {path}"), 550)?;
        drop(data);
        ann.ask(&format!("MKD {path}"), 550)?;
    }
    // Case counts: another case is another name, for everybody.
    ann.ask("MKD /open/Dir/", 257)?;
    for (path, code) in [("/open/dir", 550), ("/open/Dir/", 250), ("/OPEN", 550)] {
        ann.ask(&format!("CWD {path}"), code)?;
        root.ask(&format!("CWD {path}"), code)?;
    }
    Ok(())
}

#[test]
fn what_is_hidden_is_as_if_it_were_absent() -> Result<()> {
    let site = Site::start()?;
    let mut ann = site.ann()?;
    for verb in [
        "CWD",
        "SIZE",
        "MDTM",
        "MLST",
        "STAT",
        "RNFR",
        "DELE",
        "RMD",
        "XCRC",
        "SITE FILE",
    ] {
        let mut hears = |path: &str| -> Result<String> {
            ann.send(&format!("{verb} {path}"))?;
            let (_, lines) = ann.reply()?;
            Ok(lines.concat().replace(path, "PATH"))
        };
        let absent = hears("/nothing")?;
        for path in ["/staff", "/staff/secret.bin", "/open/way/secret.bin"] {
            let said = hears(path)?;
            ensure!(said == absent, "{verb} {path}: {said}, not {absent}");
        }
    }
    for line in [
        "SITE FIND / name=*",
        "SITE SEARCH secret type=any",
        "STAT -al /",
        "STAT -al /open",
    ] {
        ann.send(line)?;
        let shown = ann.reply()?.1.join("\n").replace("SITE SEARCH secret", "");
        ensure!(
            !shown.contains("staff") && !shown.contains("secret"),
            "{line}: {shown}"
        );
    }
    let shown =
        site.lftp("find /; cls -l /; nlist /; ls -a /open; du -a /; cat /staff/secret.bin")?;
    ensure!(shown.contains("free.bin"), "{shown}");
    ensure!(
        !shown.contains("staff") && !shown.contains("secret"),
        "{shown}"
    );
    let own = site
        .cluster
        .login()?
        .names(Mode::Pret, "/")
        .context("root")?;
    ensure!(own.iter().any(|name| name == "staff"), "{own:?}");
    Ok(())
}
