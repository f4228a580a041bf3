//! The control socket and the commands that come through it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::cluster::{Cluster, err, out};

#[test]
fn commands_go_to_the_master_that_runs() {
    let cluster = Cluster::made();
    let master = cluster.run();
    let mut ftp = master.ftp();
    assert_eq!(ftp.log_in("admin", "secret"), 230);
    let who = cluster.command(&["ctl", "who", "--json"]);
    let who: Value = serde_json::from_str(&out(&who)).unwrap();
    assert_eq!(who["sessions"][0]["user"], "admin");
    let session = who["sessions"][0]["session"].to_string();
    let kicked = cluster.command(&["ctl", "kick", &session]);
    assert!(kicked.status.success(), "{}", err(&kicked));
    assert_eq!(ftp.hear(), 421);
    let stat = cluster.command(&["ctl", "stat"]);
    assert!(out(&stat).contains(&master.ready("ftp")), "{}", out(&stat));
    let dump = cluster.command(&["dump"]);
    assert!(
        out(&dump).contains("\"admin\"") && dump.status.success(),
        "{}",
        err(&dump)
    );
    let check = cluster.command(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", out(&check));
    let load = cluster.command(&["load"]);
    assert_eq!(load.status.code(), Some(1));
    assert!(err(&load).contains("a master runs"), "{}", err(&load));
    let end = cluster.command(&["ctl", "shutdown"]);
    assert!(end.status.success(), "{}", err(&end));
    assert_eq!(master.wait().0.code(), Some(0));
}

#[test]
fn the_control_socket_is_its_owners_and_speaks_json_lines() {
    let cluster = Cluster::made();
    let master = cluster.run();
    let path = cluster.dir().join("control.sock");
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut io = UnixStream::connect(&path).unwrap();
    let mut lines = BufReader::new(io.try_clone().unwrap()).lines();
    let mut ask = |question: &str| -> Value {
        writeln!(io, "{question}").unwrap();
        serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
    };
    let added = ask(r#"{"command": "slave add", "args": {"name": "s1"}}"#);
    assert!(
        added["result"]["token"].is_string() && added["text"].is_string(),
        "{added}"
    );
    let exists = ask(r#"{"command": "slave remove", "words": ["s2"]}"#);
    assert_eq!(exists["error"]["code"], "not_found");
    assert_eq!(exists["error"]["field"], "name");
    let unknown = ask(r#"{"command": "slave"}"#);
    assert_eq!(unknown["error"]["code"], "unknown_command");
    let nonsense = ask("nonsense");
    assert_eq!(nonsense["error"]["code"], "bad_argument");
    let help = ask(&json!({"command": "help", "args": {"command": "who"}}).to_string());
    assert_eq!(help["result"]["commands"][0]["name"], "who");
    master.end();
}

#[test]
fn a_folder_with_a_long_path_has_its_control_socket_too() {
    let cluster = Cluster::below(&"a-long-name/".repeat(12)).make();
    let master = cluster.run();
    assert!(cluster.dir().join("control.sock").exists());
    let who = cluster.command(&["ctl", "who"]);
    assert!(who.status.success(), "{}", err(&who));
    master.end();
}

/// An identity that no root here has.
const NO_ROOT: &str = "0123456789abcdef0123456789abcdef";
/// What is tried on something that is not there.
const IN_VAIN: &[&str] = &[
    "import",
    "kick",
    "nuke dir",
    "nuke clean",
    "nuke list",
    "nuke undo",
    "passwd",
    "message clear",
    "message list",
    "pre release",
    "recovery end",
    "root confirm",
    "root retire",
    "slave retire",
    "tagline",
];

#[test]
fn every_command_has_help_and_result_text() {
    let cluster = Cluster::made();
    let master = cluster.run();
    assert_eq!(master.ftp().log_in("admin", "secret"), 230);
    let samples: &[(&str, &[&str])] = &[
        ("audit list", &[]),
        ("backup", &["store.copy"]),
        ("ban add", &["192.0.2.0/24", "2h", "guesses"]),
        ("ban list", &[]),
        ("ban remove", &["192.0.2.0/24"]),
        ("bw", &[]),
        ("group add", &["staff"]),
        ("group change", &["staff", "slots", "5"]),
        ("group add-user", &["staff", "ann", "word", "*@192.0.2.*"]),
        ("group admins", &["staff", "ann"]),
        ("group show", &["staff"]),
        ("group list", &[]),
        ("user add", &["bob", "word"]),
        ("user add-mask", &["bob", "*@10.0.0.0/8"]),
        ("user del-mask", &["bob", "*@10.0.0.0/8"]),
        ("user change", &["bob", "ratio", "2.5"]),
        ("user chgrp", &["bob", "staff"]),
        ("user password", &["bob", "other"]),
        ("user ban", &["bob", "5", "too loud"]),
        ("user ban-all", &["5", "soon back"]),
        ("user bans", &[]),
        ("user unban-all", &[]),
        ("user unban", &["bob"]),
        ("user expire", &["bob", "2099-01-31"]),
        ("user keep", &["bob"]),
        ("message send", &["bob", "hello"]),
        ("message list", &[]),
        ("message clear", &[]),
        ("user add-note", &["bob", "is fine"]),
        ("user del-note", &["bob", "1"]),
        ("user show", &["bob"]),
        ("user list", &["=staff"]),
        ("seen", &["bob"]),
        ("speed", &["bob"]),
        ("credits give", &["bob", "5GB", "welcome"]),
        ("credits take", &["bob", "1GB"]),
        ("credits swap", &["bob", "ann", "1GB"]),
        ("credits show", &["bob"]),
        ("stats ranking", &["ever", "up"]),
        ("stats show", &["bob"]),
        ("stats traffic", &[]),
        ("user rename", &["bob", "rob"]),
        ("user del", &["rob", "was here"]),
        ("user readd", &["rob"]),
        ("user del", &["rob"]),
        ("user purge", &["rob"]),
        ("user erase", &["ann"]),
        ("group rename", &["staff", "crew"]),
        ("group del", &["crew"]),
        ("idlers", &[]),
        ("leechers", &[]),
        ("uploaders", &[]),
        ("passwd", &["word"]),
        ("tagline", &["fine"]),
        ("check", &[]),
        ("config show", &["ftp"]),
        ("copy list", &[]),
        ("copy look", &[]),
        ("doctor", &[]),
        ("dump", &["name=backup.jsonl"]),
        ("event readers", &[]),
        ("help", &[]),
        ("import", &["passwd", "nothing"]),
        ("kick", &["999"]),
        ("kick-all", &["soon back"]),
        ("nuke dir", &["/x", "1", "bad"]),
        ("nuke clean", &[]),
        ("nuke list", &[]),
        ("nuke undo", &["/x"]),
        ("pre release", &["/x", "mp3"]),
        ("recovery end", &["trash"]),
        ("reload", &[]),
        ("rescan", &["/"]),
        ("root confirm", &[NO_ROOT]),
        ("root differences", &[]),
        ("root list", &[]),
        ("root retire", &[NO_ROOT, "force"]),
        ("rules", &[]),
        ("scrub pause", &[]),
        ("scrub report", &[]),
        ("scrub resume", &[]),
        ("scrub start", &["/"]),
        ("scrub status", &[]),
        ("slave add", &["disk-1"]),
        ("slave drain", &["disk-1"]),
        ("slave evacuate", &["disk-1"]),
        ("slave list", &[]),
        ("slave maintenance", &["disk-1", "on"]),
        ("slave undrain", &["disk-1"]),
        ("slave retire", &["disk-9"]),
        ("slave remove", &["disk-1"]),
        ("stat", &[]),
        ("token create", &["ci", "read"]),
        ("token list", &[]),
        ("token revoke", &["ci"]),
        ("transfer dry-run", &["/new.bin", "up"]),
        ("new", &["5"]),
        ("sections", &[]),
        ("index rebuild", &[]),
        ("index status", &[]),
        ("vfs mkdir", &["/new.dir"]),
        ("vfs mkdir", &["/new.dir/below"]),
        ("vfs mv", &["/new.dir/below", "/new.dir/other"]),
        ("vfs ln", &["/new.dir/other", "/short"]),
        ("vfs touch", &["/new.dir", "20260131120000"]),
        ("vfs chown", &["admin", "/new.dir", "recursive"]),
        ("vfs stat", &["/short"]),
        ("vfs du", &["/"]),
        ("vfs find", &["/", "name=O*", "type=dir"]),
        ("vfs search", &["new", "dir"]),
        ("vfs dupe", &["Other"]),
        ("vfs rm", &["/new.dir/other"]),
        ("vfs fix-links", &[]),
        ("vfs fix", &[]),
        ("vfs lost", &[]),
        ("vfs foreign", &[]),
        ("vfs wipe", &["/new.dir", "recursive"]),
        ("vfs forget-lost", &["/"]),
        ("who", &[]),
        ("shutdown", &[]), // last
    ];
    let help = cluster.command(&["ctl", "help", "--json"]);
    let help: Value = serde_json::from_str(&out(&help)).unwrap();
    let listed: Vec<&str> = help["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    let mut tried: Vec<&str> = samples.iter().map(|(name, _)| *name).collect();
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried, listed, "every command has a sample here");
    for (name, args) in samples {
        let words: Vec<&str> = name.split(' ').collect();
        let explained = cluster.command(&[&["ctl", "help"][..], &words].concat());
        assert!(
            out(&explained).starts_with(name),
            "{name}: {}",
            out(&explained)
        );
        let done = cluster.command(&[&["ctl"][..], &words, args].concat());
        let in_vain = IN_VAIN.contains(name);
        let said = if in_vain { err(&done) } else { out(&done) };
        assert_eq!(
            done.status.code(),
            Some(i32::from(in_vain)),
            "{name}: {}",
            err(&done)
        );
        assert!(said.trim().len() > 5, "{name}: {said:?}");
    }
    assert_eq!(master.wait().0.code(), Some(0));
    assert!(cluster.dir().join("backups/store.copy").exists());
    let backup = cluster.dir().join("dumps/backup.jsonl");
    assert!(std::fs::read_to_string(backup).unwrap().lines().count() > 2);
}

#[test]
fn a_question_without_end_is_refused_and_harms_nobody() {
    let cluster = Cluster::made();
    let master = cluster.run();
    let mut io = UnixStream::connect(cluster.dir().join("control.sock")).unwrap();
    // The master may close before all of it is written.
    drop(io.write_all(&vec![b'x'; 1 << 20]));
    let mut answer = String::new();
    drop(io.read_to_string(&mut answer));
    assert!(
        answer.is_empty() || answer.contains("bad_argument"),
        "{answer}"
    );
    assert!(cluster.command(&["ctl", "who"]).status.success());
    master.end();
}
