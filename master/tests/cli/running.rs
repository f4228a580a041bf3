//! A master that runs: its ready line, its health page, signals, its configuration, a second one beside it.

use std::io::{Read, Write};
use std::net::TcpStream;

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
