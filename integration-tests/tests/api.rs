//! The HTTP API as operators use it: curl, tokens made by `token create`, TLS, and events while files are transferred.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER, run};
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Running, Tool};
use rustix::process::Signal;
use serde_json::Value;

/// A cluster with the API on a listener of its own, under TLS.
fn cluster(settings: &[&str]) -> Result<Cluster> {
    let mut master = vec!["api.listen=[\"127.0.0.1:0\"]".to_owned()];
    master.extend(settings.iter().map(|setting| (*setting).to_owned()));
    Cluster::with(ClusterSpec {
        slaves: 1,
        master,
        ..ClusterSpec::default()
    })
}

/// The API of a cluster, with one token.
struct Api {
    at: String,
    authority: PathBuf,
    token: String,
    dir: PathBuf,
}

impl Api {
    fn of(cluster: &Cluster, dir: &Path, name: &str, scopes: &str) -> Result<Self> {
        let mut create = Command::new(program("drftpd-master")?);
        create.args(["token", "create", name, scopes, "--expires", "1h"]);
        create.arg("--config").arg(cluster.master_config());
        Ok(Self {
            at: format!("https://{}", cluster.at("api")?),
            authority: cluster.path().join("master/tls/certificate.pem"),
            token: run(create)?.trim().to_owned(),
            dir: dir.to_owned(),
        })
    }

    fn arguments(&self) -> Vec<String> {
        let (authority, token) = (self.authority.display(), &self.token);
        ["-sS", "--cacert"]
            .map(str::to_owned)
            .into_iter()
            .chain([authority.to_string(), "-H".to_owned()])
            .chain([format!("Authorization: Bearer {token}")])
            .collect()
    }

    /// What curl prints.
    fn curl(&self, more: &[&str]) -> Result<String> {
        let tool = Tool::new("curl", &self.dir).args(self.arguments());
        tool.args(more).run()
    }

    /// A command: the status, and the answer.
    fn post(&self, command: &str, body: &str) -> Result<(u16, Value)> {
        let url = format!("{}/api/v1/{command}", self.at);
        let said = self.curl(&["--json", body, "-w", "\n%{http_code}", &url])?;
        let (body, status) = said.trim_end().rsplit_once('\n').context("no status")?;
        Ok((status.parse()?, serde_json::from_str(body)?))
    }
}

#[test]
fn curl_runs_commands_within_the_scopes_of_its_token() -> Result<()> {
    let cluster = cluster(&["api.max_body=\"1KiB\"", "api.failed_delay=\"1ms\""])?;
    let (_gone, dir) = folder()?;
    let mut api = Api::of(&cluster, &dir, "reader", "read")?;
    let (status, list) = api.post("slave/list", "{}")?;
    ensure!(
        status == 200 && list["slaves"][0]["name"] == "slave-1",
        "{list}"
    );
    let (status, stat) = api.post("stat", "{}")?;
    ensure!(
        status == 200 && stat["running"]["slaves_online"] == 1,
        "{stat}"
    );
    for (command, body, status, code) in [
        ("slave/drain", "{\"name\": \"slave-1\"}", 403, "denied"),
        ("dump", "{}", 403, "denied"),
        ("slave/begone", "{}", 404, "unknown_command"),
        ("who", "{\"limit\": \"x\"}", 400, "bad_argument"),
        (
            "who",
            &format!("{{{}}}", " ".repeat(1024)),
            413,
            "too_large",
        ),
    ] {
        let (got, error) = api.post(command, body)?;
        ensure!(
            got == status && error["code"] == code,
            "{command}: {got} {error}"
        );
    }
    let reader = std::mem::replace(&mut api.token, "drftpd_nonsense".to_owned());
    ensure!(api.post("who", "{}")?.0 == 401, "a wrong token gets in");

    let operator = Api::of(&cluster, &dir, "operator", "operate")?;
    let (status, drained) = operator.post("slave/drain", "{\"name\": \"slave-1\"}")?;
    ensure!(status == 200, "{drained}");
    let (status, list) = operator.post("slave/list", "{}")?;
    ensure!(
        status == 200 && list["slaves"][0]["drained"].is_i64(),
        "{list}"
    );
    let url = format!("{}/api/v1/openapi.json", operator.at);
    let document: Value = serde_json::from_str(&operator.curl(&[&url])?)?;
    ensure!(
        document["paths"]["/api/v1/slave/drain"]["post"].is_object(),
        "{document}"
    );

    // On loopback the health page has it in clear, and says without a token that the master lives.
    let admin = format!("http://{}", cluster.at("admin")?);
    for page in ["/livez", "/readyz"] {
        let said = Tool::new("curl", &dir)
            .args(["-sS", "--fail", &format!("{admin}{page}")])
            .run()?;
        ensure!(said == "ok\n", "{said}");
    }
    let metrics = Tool::new("curl", &dir)
        .args(["-sS", &format!("{admin}/metrics")])
        .run()?;
    ensure!(metrics.contains("\ndrftpd_slaves_online 1\n"), "{metrics}");
    ensure!(!metrics.contains("slave-1"), "{metrics}");
    let clear = operator.curl(&["-d", "{}", &format!("{admin}/api/v1/slave/list")])?;
    ensure!(clear.contains("slave-1"), "{clear}");

    let master = cluster.master.as_ref().context("it runs")?;
    let log = master.log();
    ensure!(log.contains("token operator (127.0.0.1)"), "{log}");
    for token in [&reader, &operator.token] {
        ensure!(!log.contains(&token[7..]), "a token is in the log");
    }
    let revoke = cluster.ctl(&["token", "revoke", "operator"])?;
    ensure!(revoke["name"] == "operator", "{revoke}");
    ensure!(
        operator.post("who", "{}")?.0 == 401,
        "a revoked token gets in"
    );
    Ok(())
}

#[test]
fn who_asks_too_often_hears_429() -> Result<()> {
    let cluster = cluster(&["api.token_rate=1"])?;
    let (_gone, dir) = folder()?;
    let api = Api::of(&cluster, &dir, "busy", "read")?;
    let url = format!("{}/api/v1/slave/list?[1-60]", api.at);
    let said = api.curl(&[
        "-d",
        "{}",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %header{retry-after}\n",
        &url,
    ])?;
    let served = said.lines().filter(|line| line.starts_with("200")).count();
    ensure!((2..60).contains(&served), "{said}");
    ensure!(said.lines().any(|line| line.trim() == "429 1"), "{said}");
    Ok(())
}

#[test]
fn events_are_seen_while_a_file_is_transferred_and_end_when_the_master_drains() -> Result<()> {
    let cluster = cluster(&[])?;
    let (_gone, dir) = folder()?;
    let api = Api::of(&cluster, &dir, "watcher", "read")?;
    let mut follow = Command::new("curl");
    follow.args(api.arguments()).arg("-N");
    follow.arg(format!("{}/api/v1/events?kinds=transfers,sessions", api.at));
    let mut events = Running::start(follow, &dir.join("curl.log"))?;
    events.line(": ")?;

    fs::write(dir.join("file.bin"), Bytes::vec(7, 3_000_000))?;
    let url = format!(
        "ftp://{USER}:{}@{}/seen.bin",
        PASSWORD.replace(' ', "%20"),
        cluster.ftp
    );
    let mut upload = Command::new("curl");
    upload.args([
        "-sS",
        "--ftp-pret",
        "--limit-rate",
        "500k",
        "-T",
        "file.bin",
        &url,
    ]);
    upload.current_dir(&dir);
    let mut upload = Running::start(upload, &dir.join("upload.log"))?;
    events.line("event: session.opened")?;
    loop {
        events.line("event: transfers.running")?;
        let data = events.line("data: ")?;
        let data: Value = serde_json::from_str(&data["data: ".len()..])?;
        let first = &data["transfers"][0];
        if first["path"] == "/seen.bin" && first["bytes"].as_u64() > Some(0) {
            ensure!(
                first["user"] == USER && first["direction"] == "up",
                "{data}"
            );
            break;
        }
    }
    events.line("event: transfer.ended")?;
    let ended = events.line("data: ")?;
    ensure!(
        ended.contains("\"complete\":true") && ended.contains("\"bytes\":3000000"),
        "{ended}"
    );
    ensure!(upload.wait()?.success(), "{}", upload.tail());
    events.line("event: session.closed")?;

    cluster
        .master
        .as_ref()
        .context("it runs")?
        .signal(Signal::TERM)?;
    events.line("event: end")?;
    ensure!(events.wait()?.success(), "{}", events.tail());
    Ok(())
}

/// A new certificate with its key in the files of a cluster's `[api]`.
fn write_own(dir: &Path) -> Result<()> {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    fs::write(dir.join("api.pem"), own.cert.pem())?;
    let key = dir.join("api.key");
    fs::write(&key, own.signing_key.serialize_pem())?;
    let only_me = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    Ok(fs::set_permissions(&key, only_me)?)
}

#[test]
fn a_certificate_of_its_own_is_shown_and_changes_on_sighup() -> Result<()> {
    let (_gone, dir) = folder()?;
    write_own(&dir)?;
    let file = |name: &str| dir.join(name).display().to_string();
    let cluster = cluster(&[
        &format!("api.certificate={:?}", file("api.pem")),
        &format!("api.key={:?}", file("api.key")),
    ])?;
    let mut api = Api::of(&cluster, &dir, "own", "read")?;
    ensure!(
        api.post("slave/list", "{}").is_err(),
        "the certificate of [tls] is shown"
    );
    api.authority = dir.join("api.pem");
    ensure!(
        api.post("slave/list", "{}")?.0 == 200,
        "its own is not shown"
    );
    write_own(&dir)?;
    cluster
        .master
        .as_ref()
        .context("it runs")?
        .signal(Signal::HUP)?;
    cluster.wait_until("the new certificate is shown", |_| {
        Ok(api
            .post("slave/list", "{}")
            .is_ok_and(|(status, _)| status == 200))
    })
}
