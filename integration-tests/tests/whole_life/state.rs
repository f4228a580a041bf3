//! What is left when the master has ended: the rows of its store that tell of people, files and acts, without times and
//! identities, and with one name for whoever operated.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result};
use drftpd_integration_tests::Cluster;
use drftpd_integration_tests::cluster::run;
use drftpd_integration_tests::process::program;
use serde_json::{Map, Value};

/// Tables that are compared.
const TABLES: [&str; 15] = [
    "account",
    "grp",
    "member",
    "grp_admin",
    "mask",
    "account_limit",
    "grp_limit",
    "account_note",
    "account_moved",
    "credit_change",
    "tally",
    "network_ban",
    "slave",
    "node",
    "audit",
];
/// Cells that are random, or differ by the way that somebody came.
const OWN: [&str; 10] = [
    "password",
    "certificate",
    "hash",
    "id",
    "parent",
    "generation",
    "logins",
    "peer",
    "door",
    "since",
];
/// Moments and durations: whether they are there is compared.
const MOMENTS: [&str; 15] = [
    "created",
    "deleted",
    "banned",
    "seen",
    "added",
    "written",
    "at",
    "until",
    "joined",
    "revoked",
    "drained",
    "evacuated",
    "modified",
    "up_ms",
    "down_ms",
];
/// What an operator is called, by door.
const OPERATORS: [&str; 4] = ["admin", "owner", "life", "token life"];

/// What stands where an operator would, of one who is no user.
const NOBODY: [(&str, &str); 4] = [
    ("author", ""),
    ("created_by", ""),
    ("owner", "drftpd"),
    ("grp", "drftpd"),
];

/// A row without its table.
type Cells = Map<String, Value>;

/// Everything, a line for each row.
pub fn of(cluster: &Cluster) -> Result<Vec<String>> {
    let file = cluster.path().join("dump");
    let mut dump = Command::new(program("drftpd-master")?);
    dump.arg("dump")
        .arg(&file)
        .arg("--config")
        .arg(cluster.master_config());
    run(dump)?;
    let folder = cluster.path().display().to_string();
    let text = std::fs::read_to_string(file)?.replace(&folder, "DIR");
    let mut rows = Vec::new();
    for line in text.lines() {
        let line: Cells = serde_json::from_str(line)?;
        let (table, cells) = line.into_iter().next().context("a row")?;
        if let (true, Value::Object(cells)) = (TABLES.contains(&table.as_str()), cells) {
            rows.push((table, cells));
        }
    }
    let paths = paths(&rows);
    let mut lines: Vec<String> = Vec::new();
    for (table, cells) in rows {
        let path = cells.get("id").and_then(|id| paths.get(&id.to_string()));
        // The operator of SITE is a user who logs in, those of the other doors are not.
        let operator = table == "account" && cells["name"] == "admin";
        let told = cells
            .iter()
            .filter(|(name, _)| !OWN.contains(&name.as_str()));
        let told = told.filter(|(name, _)| !(operator && name.as_str() == "seen"));
        let told = told.map(|(name, value)| format!("{name}={}", cell(name, value)));
        let told: Vec<String> = path.cloned().into_iter().chain(told).collect();
        lines.push(format!("{table}: {}", told.join(" ")));
    }
    // Acts stay in their order.
    lines.sort_by_key(|line| (!line.starts_with("audit")).then(|| line.clone()));
    Ok(lines)
}

/// Where each node is.
fn paths(rows: &[(String, Cells)]) -> BTreeMap<String, String> {
    let nodes = rows.iter().filter(|(table, _)| table == "node");
    let nodes: BTreeMap<String, &Cells> = nodes
        .map(|(_, cells)| (cells["id"].to_string(), cells))
        .collect();
    let path = |id: &String| (id.clone(), path(&nodes, id));
    nodes.keys().map(path).collect()
}

fn path(nodes: &BTreeMap<String, &Cells>, id: &str) -> String {
    let mut names = Vec::new();
    let mut at = nodes.get(id);
    while let Some(node) = at {
        names.push(node["key"].as_str().unwrap_or_default());
        at = nodes.get(&node["parent"].to_string());
    }
    names.reverse();
    names.join("/")
}

fn cell(name: &str, value: &Value) -> String {
    let nobody = NOBODY.iter().any(|it| value == it.1 && name == it.0);
    match value {
        Value::String(text) if nobody || OPERATORS.contains(&text.as_str()) => "operator".into(),
        _ if MOMENTS.contains(&name) => "set".into(),
        other => other.to_string(),
    }
}
