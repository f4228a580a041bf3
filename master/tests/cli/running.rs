//! A master that runs: its ready line, its control socket, signals, a second one beside it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::cluster::{Cluster, err, out};

#[test]
fn run_prints_the_ready_line_without_slaves_and_ends_in_peace() {
    let cluster = Cluster::made();
    let master = cluster.run();
    assert_eq!(master.said.len(), 1, "{:?}", master.said);
    for key in ["ftp", "admin", "slaves"] {
        let at: std::net::SocketAddr = master.ready(key).parse().unwrap();
        assert_ne!(at.port(), 0);
    }
    let mut ftp = master.ftp();
    assert_eq!(ftp.log_in("admin", "wrong"), 530);
    assert_eq!(ftp.log_in("admin", "secret"), 230);
    master.signal(Signal::TERM);
    assert_eq!(ftp.hear(), 421);
    let (status, rest) = master.wait();
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""));
    assert!(!cluster.dir().join("control.sock").exists());
}

#[test]
fn a_line_whose_last_byte_is_urgent_is_heard() {
    let cluster = Cluster::made();
    let master = cluster.run();
    let mut ftp = master.ftp();
    assert_eq!(ftp.say_urgently("NOOP"), 200);
    assert_eq!(ftp.log_in("admin", "secret"), 230);
    assert_eq!(ftp.say_urgently("ABOR"), 226);
    assert_eq!(ftp.say("NOOP"), 200);
    master.end();
}

#[test]
fn the_health_page_says_ok() {
    let cluster = Cluster::made();
    let master = cluster.run();
    let mut io = TcpStream::connect(master.ready("admin")).unwrap();
    io.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut page = String::new();
    io.read_to_string(&mut page).unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.ends_with("ok\n"),
        "{page}"
    );
    master.end();
}

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

#[test]
fn every_command_has_help_and_result_text() {
    let cluster = Cluster::made();
    let master = cluster.run();
    assert_eq!(master.ftp().log_in("admin", "secret"), 230);
    let samples: &[(&str, &[&str])] = &[
        ("doctor", &[]),
        ("dump", &["name=backup.jsonl"]),
        ("help", &[]),
        ("kick", &["999"]),
        ("reload", &[]),
        ("root list", &[]),
        ("slave add", &["disk-1"]),
        ("slave list", &[]),
        ("slave remove", &["disk-1"]),
        ("stat", &[]),
        ("transfer dry-run", &["/new.bin", "up"]),
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
        let said = if *name == "kick" {
            err(&done)
        } else {
            out(&done)
        };
        assert_eq!(
            done.status.code(),
            Some(i32::from(*name == "kick")),
            "{name}: {}",
            err(&done)
        );
        assert!(said.trim().len() > 5, "{name}: {said:?}");
    }
    assert_eq!(master.wait().0.code(), Some(0));
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

#[test]
fn a_second_master_of_the_same_folder_says_that_there_is_one() {
    let cluster = Cluster::made();
    let master = cluster.run();
    let mut second = super::program();
    second.arg("run").arg("--config").arg(cluster.config());
    let done = second.output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(
        err(&done).contains("another master uses this store"),
        "{}",
        err(&done)
    );
    let mut quick = super::program();
    let done = quick
        .arg("quickstart")
        .arg("--dir")
        .arg(cluster.dir())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(
        err(&done).contains("another master uses this store"),
        "{}",
        err(&done)
    );
    assert_eq!(
        master.ftp().log_in("admin", "secret"),
        230,
        "the first one goes on"
    );
    master.end();
}

#[test]
fn the_configuration_is_read_again_and_one_with_errors_changes_nothing() {
    let cluster = Cluster::made();
    let master = cluster.run();
    cluster.edit("level = \"info\"", "level = \"warn\"");
    cluster.edit("greeting = \"drftpd-rs ready\"", "greeting = \"hello\"");
    let reloaded = cluster.command(&["ctl", "reload", "--json"]);
    let reloaded: Value = serde_json::from_str(&out(&reloaded)).unwrap();
    assert_eq!(
        reloaded,
        json!({"changed": ["log.level"], "after_restart": ["ftp"]})
    );
    cluster.edit("level = \"warn\"", "levle = \"info\"");
    let wrong = cluster.command(&["ctl", "reload"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(err(&wrong).contains("log.levle"), "{}", err(&wrong));
    master.signal(Signal::HUP);
    assert!(cluster.command(&["ctl", "who"]).status.success(), "goes on");
    master.end();
}

#[test]
fn quickstart_prints_a_made_password_example_lines_and_ready_when_slaves_are_online() {
    let cluster = Cluster::new();
    std::fs::write(cluster.dir().join("something.else"), "kept").unwrap();
    let master = cluster.quickstart(&[], None);
    let said = master.said.join("\n");
    let password = master.said[0].split(' ').next_back().unwrap().to_owned();
    assert!(master.said[0].starts_with("user admin password "), "{said}");
    assert!(said.contains("lftp ") && said.contains("curl "), "{said}");
    assert!(master.ready("pid").parse::<u32>().is_ok());
    assert_eq!(master.ftp().log_in("admin", &password), 230);
    let slaves = cluster.command(&["slave", "list", "--json"]);
    let slaves: Value = serde_json::from_str(&out(&slaves)).unwrap();
    let states: Vec<&Value> = slaves["slaves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["roots"])
        .collect();
    assert_eq!(states, [1, 1]);
    for slave in ["slave-1", "slave-2"] {
        assert!(cluster.dir().join(slave).is_dir());
    }
    let (ftp, pid) = (master.ready("ftp"), master.ready("pid"));
    master.end();

    let again = cluster.quickstart(&["--user", "somebody"], Some("another"));
    assert_eq!(again.said[0], "user admin password as it was");
    assert_eq!(again.ready("ftp"), ftp, "ports that were chosen stay");
    assert_ne!(again.ready("pid"), pid);
    assert_eq!(again.ftp().log_in("admin", "another"), 530);
    assert_eq!(again.ftp().log_in("somebody", "another"), 530);
    assert_eq!(again.ftp().log_in("admin", &password), 230);
    again.end();
    let kept = std::fs::read_to_string(cluster.dir().join("something.else")).unwrap();
    assert_eq!(kept, "kept");
}

#[test]
fn quickstart_obeys_overrides_for_one_run_and_names_weaker_settings() {
    let cluster = Cluster::new();
    let more = [
        "--slaves",
        "1",
        "--set",
        "store.durability=relaxed",
        "--set",
        "storage.fsync=never",
    ];
    let master = cluster.quickstart(&more, Some("secret"));
    let stat = cluster.command(&["ctl", "stat"]);
    assert!(out(&stat).contains("durability relaxed"), "{}", out(&stat));
    assert!(
        out(&stat).contains("weak: slave-1 storage.fsync"),
        "{}",
        out(&stat)
    );
    master.end();
    let text = std::fs::read_to_string(cluster.config()).unwrap();
    assert!(text.contains("durability = \"full\""));
    let wrong = ["--set", "ftp.nonsense=1"];
    let mut command = super::program();
    let done = command
        .arg("quickstart")
        .arg("--dir")
        .arg(cluster.dir())
        .args(wrong)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(err(&done).contains("ftp.nonsense"), "{}", err(&done));
}

#[cfg(feature = "failpoints")]
#[test]
fn a_core_actor_that_fails_again_and_again_ends_the_master_with_an_error() {
    let cluster = Cluster::made();
    let mut command = super::program();
    command.env("DRFTPD_FAILPOINTS", "actor.accounts=panic");
    command.arg("run").arg("--config").arg(cluster.config());
    let master = cluster.start(command);
    for _ in 0..6 {
        let mut ftp = master.ftp();
        let code = ftp.log_in("admin", "secret");
        assert!(matches!(code, 421 | 0), "{code}");
    }
    assert_eq!(master.wait().0.code(), Some(1));
}

/// Asks until something is as it should be; the log shows what was not when it takes too long.
#[cfg(feature = "failpoints")]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if is() {
            return;
        }
    }
    panic!("never: {what}");
}

#[cfg(feature = "failpoints")]
#[test]
fn core_actors_that_panic_once_begin_again_and_the_master_goes_on() {
    let actors = [
        "accounts",
        "vfs",
        "slave_registry",
        "transfer_coordinator",
        "ftp_acceptor",
    ];
    let points = actors
        .map(|actor| format!("actor.{actor}=2:panic"))
        .join(";");
    let cluster = Cluster::new();
    let mut command = super::program();
    command
        .env("DRFTPD_FAILPOINTS", points)
        .env("DRFTPD_PASSWORD", "secret");
    let free = "127.0.0.1:0";
    command.args([
        "quickstart",
        "--listen",
        free,
        "--admin-listen",
        free,
        "--slave-listen",
        free,
    ]);
    command
        .args(["--passive-ports", "0", "--dir"])
        .arg(cluster.dir());
    let master = cluster.start(command);
    assert_eq!(master.ftp().log_in("admin", "secret"), 230);
    assert_eq!(master.ftp().log_in("admin", "secret"), 421);
    for actor in actors {
        until(actor, || {
            assert!(cluster.command(&["ctl", "help"]).status.success());
            let log = master.log();
            let again = |line: &str| line.contains("begins again") && line.contains(actor);
            log.lines().any(again)
        });
    }
    let mut ftp = master.ftp();
    assert_eq!(ftp.log_in("admin", "secret"), 230);
    assert_eq!(ftp.say("MKD /made"), 257);
    until("slaves are online", || {
        let slaves = cluster.command(&["slave", "list", "--json"]);
        out(&slaves).matches("\"roots\": 1").count() == 2
    });
    master.end();
}
