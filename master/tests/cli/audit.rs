//! The audit log by every door, and that no secret is in any log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use super::cluster::{Cluster, Running, err, out};

/// The acts of the audit log, the oldest first.
fn acts(cluster: &Cluster, more: &[&str]) -> Vec<Value> {
    let words = [&["ctl", "audit", "list", "limit=1000", "--json"], more].concat();
    let listed = cluster.command(&words);
    assert!(listed.status.success(), "{}", err(&listed));
    let listed: Value = serde_json::from_str(&out(&listed)).unwrap();
    let mut acts = listed["acts"].as_array().unwrap().clone();
    acts.reverse();
    acts
}

/// Asks the API; gives the status line.
fn post(master: &Running, token: &str, command: &str, body: &Value) -> String {
    let mut io = TcpStream::connect(master.ready("admin")).unwrap();
    let body = body.to_string();
    write!(
        io,
        "POST /api/v1/{command} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

fn ask_socket(cluster: &Cluster, question: &Value) -> Value {
    let mut io = UnixStream::connect(cluster.dir().join("control.sock")).unwrap();
    writeln!(io, "{question}").unwrap();
    let mut line = String::new();
    BufReader::new(io).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// Every file below a folder, and the log beside it, with what is in it.
fn files(cluster: &Cluster) -> Vec<(String, Vec<u8>)> {
    fn below(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                below(&entry.path(), found);
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).unwrap();
                found.push((entry.path().display().to_string(), bytes));
            }
        }
    }
    let mut found = Vec::new();
    below(cluster.dir(), &mut found);
    let log = cluster.dir().with_extension("log");
    found.push(("the log".to_owned(), std::fs::read(log).unwrap()));
    found
}

#[test]
fn acts_by_every_door_are_in_the_audit_log_and_secrets_are_nowhere() {
    let cluster = Cluster::made();
    cluster.edit("level = \"info\"", "level = \"trace\"");
    let made = cluster.command(&["ctl", "user", "add", "by-store", "Qstore-5ecret"]);
    assert!(made.status.success(), "{}", err(&made));
    let master = cluster.run();
    let mut secrets: Vec<String> = [
        "Qstore-5ecret",
        "Qwrong-5ecret",
        "Qsite-5ecret",
        "Qpasswd-5ecret",
        "Qchpass-5ecret",
        "Qlate-5ecret",
        "Qsock-5ecret",
        "Qapi-5ecret",
        "Qagain-5ecret",
        "Qlost-5ecret",
    ]
    .map(str::to_owned)
    .to_vec();

    let mut ftp = master.ftp();
    assert_eq!(ftp.log_in("admin", "Qwrong-5ecret"), 530);
    assert_eq!(ftp.say("SITE PASSWD Qlost-5ecret"), 530);
    assert_eq!(ftp.log_in("admin", "secret"), 230);
    assert_eq!(ftp.say("SITE ADDUSER by-site Qsite-5ecret"), 200);
    assert_eq!(ftp.say("SITE CHPASS by-site Qchpass-5ecret"), 200);
    assert_eq!(
        ftp.say("SITE CHPASS by-site Qchpass-5ecret Qlate-5ecret"),
        501
    );
    assert_eq!(ftp.say("SITE CHPASS nobody Qagain-5ecret"), 550);
    assert_eq!(ftp.say("SITE CHPAS by-site Qagain-5ecret"), 502);
    assert_eq!(ftp.say("SITE PASSWD Qpasswd-5ecret"), 200);

    let asked = ask_socket(
        &cluster,
        &json!({"command": "user add", "args": {"user": "by-sock", "password": "Qsock-5ecret"}}),
    );
    assert!(asked["result"].is_object(), "{asked}");
    let token = ask_socket(
        &cluster,
        &json!({"command": "token create", "words": ["robot", "operate"]}),
    );
    let token = token["result"]["token"].as_str().unwrap().to_owned();
    let slave = ask_socket(&cluster, &json!({"command": "slave add", "words": ["s1"]}));
    let slave = slave["result"]["token"].as_str().unwrap().to_owned();
    let new = json!({"user": "by-api", "password": "Qapi-5ecret"});
    assert!(post(&master, &token, "user/add", &new).contains("200"));
    assert!(post(&master, "drftpd_Qlost-5ecret", "user/add", &new).contains("401"));
    secrets.extend([token[7..].to_owned(), slave[slave.len() / 2..].to_owned()]);

    let acts = acts(&cluster, &[]);
    let told = |act: &Value| {
        let of = |key: &str| act[key].as_str().unwrap_or("-").to_owned();
        let result = of("result").split(':').next().unwrap().to_owned();
        [of("door"), of("who"), of("peer"), of("command"), result].join(" ")
    };
    let told: Vec<String> = acts.iter().map(told).collect();
    assert_eq!(
        told,
        [
            "store owner - user add ok",
            "site admin 127.0.0.1 user add ok",
            "site admin 127.0.0.1 user password ok",
            "site admin 127.0.0.1 user password not_found",
            "site admin 127.0.0.1 passwd ok",
            "socket owner - user add ok",
            "socket owner - token create ok",
            "socket owner - slave add ok",
            "api robot 127.0.0.1 user add ok",
        ]
    );
    assert_eq!(
        acts[1]["args"],
        json!({"user": "by-site", "password": "<hidden>"})
    );
    let text = serde_json::to_string(&acts).unwrap();
    let mut files = files(&cluster);
    files.push(("the audit log".to_owned(), text.into_bytes()));
    for secret in &secrets {
        for (name, bytes) in &files {
            let there = bytes
                .windows(secret.len())
                .any(|it| it == secret.as_bytes());
            assert!(!there, "{secret} is in {name}");
        }
    }
    master.end();
}

#[test]
fn the_audit_log_is_searched_and_comes_in_pages() {
    let cluster = Cluster::made();
    for name in ["one", "two", "three"] {
        let made = cluster.command(&["ctl", "group", "add", name]);
        assert!(made.status.success(), "{}", err(&made));
    }
    let again = cluster.command(&["ctl", "group", "add", "two"]);
    assert!(!again.status.success());
    let names = |acts: Vec<Value>| -> Vec<String> {
        let name = |act: &Value| act["args"]["group"].as_str().unwrap_or("-").to_owned();
        acts.iter().map(name).collect()
    };
    assert_eq!(names(acts(&cluster, &[])), ["one", "two", "three", "two"]);
    assert_eq!(names(acts(&cluster, &["failed=failed"])), ["two"]);
    assert_eq!(
        names(acts(&cluster, &["command=group", "who=owner"])).len(),
        4
    );
    assert!(acts(&cluster, &["command=grou"]).is_empty());
    assert!(acts(&cluster, &["until=2026-01-01"]).is_empty());
    assert!(acts(&cluster, &["door=site"]).is_empty());
    let page = |words: &[&str]| -> Value {
        let words = [&["ctl", "audit", "list", "--json"], words].concat();
        serde_json::from_str(&out(&cluster.command(&words))).unwrap()
    };
    let first = page(&["limit=3"]);
    assert_eq!(first["next"], "2");
    let second = page(&["limit=3", "after=2"]);
    assert_eq!(second["acts"][0]["args"]["group"], "one");
    assert!(second["next"].is_null(), "{second}");
    let wrong = cluster.command(&["ctl", "audit", "list", "since=soon"]);
    assert!(err(&wrong).contains("since"), "{}", err(&wrong));
}
