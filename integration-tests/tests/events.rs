//! What has happened is told to a server and to a program, whoever dies meanwhile.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::hook::{Hook, SECRET};
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp, Mode};
use serde_json::Value;

const FILES: usize = 30;

/// A cluster that tells the hook, and a program that appends to a file.
fn telling(hook: &Hook, folder: &Path) -> Result<Cluster> {
    let secret = folder.join("secret");
    std::fs::write(&secret, format!("{SECRET}\n"))?;
    let webhook = format!(
        r#"events.webhooks=[{{ name = "hook", url = "http://{}/told", secret = "{}" }}]"#,
        hook.address,
        secret.display()
    );
    let program = format!(
        r#"events.programs=[{{ name = "book", command = ["/bin/sh", "-c", "exec cat >>{}"], kinds = ["file.uploaded"] }}]"#,
        folder.join("book").display()
    );
    let soon = "events.retry_to=\"1s\"".to_owned();
    Cluster::with(ClusterSpec {
        slaves: 1,
        master: vec![webhook, program, soon],
        ..ClusterSpec::default()
    })
}

fn put(ftp: &mut Ftp, numbers: std::ops::Range<usize>) -> Result<()> {
    for number in numbers {
        ftp.put(Mode::Pret, &format!("in/{number}"), b"bytes")?;
    }
    Ok(())
}

/// Each event once, by its number. The same number is always the same event.
fn by_number(events: &[Value]) -> Result<BTreeMap<u64, Value>> {
    let mut all = BTreeMap::new();
    let mut newest = 0;
    for event in events {
        let seq = event["seq"].as_u64().context("a number")?;
        if let Some(before) = all.insert(seq, event.clone()) {
            ensure!(before == *event, "{before} came again as {event}");
        } else {
            ensure!(seq > newest, "{seq} came behind {newest}");
        }
        newest = newest.max(seq);
    }
    Ok(all)
}

fn told(event: &Value) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    format!("{} {} {}", text("kind"), text("from"), text("path"))
}

#[test]
fn every_change_is_told_in_its_order_although_the_master_is_killed_and_the_server_was_ill()
-> Result<()> {
    let (folder, hook) = (tempfile::tempdir()?, Hook::start(true)?);
    let mut cluster = telling(&hook, folder.path())?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD in", 257)?;
    put(&mut ftp, 0..FILES / 2)?;
    cluster.wait_until("the server has refused", |_| Ok(hook.refused() > 0))?;
    cluster.kill_master()?;
    cluster.start_master()?;
    cluster.wait_online(1)?;
    hook.well();
    let mut ftp = cluster.login()?;
    put(&mut ftp, FILES / 2..FILES)?;
    ftp.ask("DELE in/3", 250)?;
    ftp.ask("RNFR in", 350)?;
    ftp.ask("RNTO out", 250)?;
    let mut expected = vec!["dir.made  /in".to_owned()];
    expected.extend((0..FILES).map(|number| format!("file.uploaded  /in/{number}")));
    expected.push("file.deleted  /in/3".into());
    expected.push("renamed /in /out".into());
    cluster.wait_until("all is told", |_| {
        let all = by_number(&hook.events()?)?;
        let (logins, changes): (Vec<&Value>, _) =
            all.values().partition(|event| event["kind"] == "login");
        let changes: Vec<String> = changes.into_iter().map(told).collect();
        Ok(changes == expected && logins.len() == 2)
    })?;
    let last = by_number(&hook.events()?)?;
    let last = last.last_key_value().context("events")?.1.clone();
    ensure!(last["by"] == "admin" && last["dir"] == true, "{last}");
    cluster.wait_until("nothing waits", |cluster| {
        let readers = cluster.ctl(&["event", "readers"])?;
        let readers = readers["readers"].as_array().context("readers")?.clone();
        ensure!(readers.len() == 2, "{readers:?}");
        Ok(readers
            .iter()
            .all(|it| it["waiting"] == 0 && it["failures"] == 0))
    })?;
    let book = folder.path().join("book");
    cluster.wait_until("the program has written", |_| {
        let text = std::fs::read_to_string(&book).unwrap_or_default();
        let events: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
        let Ok(events) = events else {
            return Ok(false); // in the middle of a line
        };
        let all: Vec<String> = by_number(&events)?.values().map(told).collect();
        Ok(all == expected[1..=FILES])
    })
}
