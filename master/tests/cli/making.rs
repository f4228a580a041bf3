//! Making a cluster and changing it while no master runs.

use std::os::unix::fs::PermissionsExt;

use super::cluster::{Cluster, err, out, program};
use serde_json::Value;

fn init(cluster: &Cluster, password: Option<&str>) -> std::process::Output {
    let mut command = program();
    if let Some(password) = password {
        command.env("DRFTPD_PASSWORD", password);
    }
    command
        .args(["init", "--config"])
        .arg(cluster.config())
        .output()
        .unwrap()
}

#[test]
fn init_writes_a_commented_configuration_and_tells_a_made_password_once() {
    let cluster = Cluster::new();
    let done = init(&cluster, None);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    let said = out(&done);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words[..3], ["user", "admin", "password"], "{said}");
    assert!(words.len() == 4 && words[3].len() == 20, "{said}");
    let text = std::fs::read_to_string(cluster.config()).unwrap();
    assert!(text.contains("# ") && text.contains("[ftp]\n"));
    for file in ["authority/key.pem", "store/store.db"] {
        assert!(cluster.dir().join(file).exists(), "{file}");
    }
    let key = cluster.dir().join("authority/key.pem").metadata().unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let again = init(&cluster, None);
    assert_eq!(again.status.code(), Some(2));
    assert!(
        err(&again).contains("exists and is not overwritten"),
        "{}",
        err(&again)
    );
    assert_eq!(std::fs::read_to_string(cluster.config()).unwrap(), text);
}

#[test]
fn init_takes_the_password_from_the_environment_and_does_not_repeat_it() {
    let cluster = Cluster::new();
    let done = init(&cluster, Some("hunter2"));
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert!(!out(&done).contains("hunter2") && !err(&done).contains("hunter2"));
}

#[test]
fn init_with_a_folder_of_its_own_keeps_everything_there() {
    let (cluster, data) = (Cluster::new(), tempfile::tempdir().unwrap());
    let mut command = program();
    command
        .env("DRFTPD_PASSWORD", "x")
        .args(["init", "--config"])
        .arg(cluster.config());
    let done = command
        .arg("--dir")
        .arg(data.path().join("deep/er"))
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert!(data.path().join("deep/er/store/store.db").exists());
    assert!(!cluster.dir().join("store").exists());
}

#[test]
fn slaves_are_added_listed_and_removed_without_a_master() {
    let cluster = Cluster::made();
    let added = cluster.command(&["slave", "add", "disk-1"]);
    assert_eq!(added.status.code(), Some(0), "{}", err(&added));
    let token = out(&added);
    assert!(
        token.starts_with("drftpd1.") && token.lines().count() == 1,
        "{token}"
    );
    assert!(
        token
            .trim()
            .parse::<drftpd_protocol::wire::JoinToken>()
            .is_ok(),
        "{token}"
    );
    assert!(
        err(&added).contains("drftpd-slave join --master "),
        "{}",
        err(&added)
    );

    let listed = cluster.command(&["slave", "list", "--json"]);
    let listed: Value = serde_json::from_str(&out(&listed)).unwrap();
    assert_eq!(listed["slaves"][0]["name"], "disk-1");
    assert_eq!(listed["slaves"][0]["state"], "invited");

    let removed = cluster.command(&["slave", "remove", "disk-1"]);
    assert_eq!(removed.status.code(), Some(0), "{}", err(&removed));
    let again = cluster.command(&["slave", "remove", "disk-1"]);
    assert_eq!(again.status.code(), Some(1));
    let bad = cluster.command(&["slave", "add", "not/a/name"]);
    assert_eq!(bad.status.code(), Some(2), "{}", err(&bad));
}

#[test]
fn commands_that_need_a_master_say_so_and_unknown_ones_are_wrong_usage() {
    let cluster = Cluster::made();
    let who = cluster.command(&["ctl", "who"]);
    assert_eq!(who.status.code(), Some(1));
    assert!(
        err(&who).contains("needs a running master"),
        "{}",
        err(&who)
    );
    let json = cluster.command(&["ctl", "who", "--json"]);
    let json: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(json["error"]["code"], "not_running");
    let nonsense = cluster.command(&["ctl", "make", "coffee"]);
    assert_eq!(nonsense.status.code(), Some(2), "{}", err(&nonsense));
    let stat = cluster.command(&["ctl", "stat"]);
    assert_eq!(stat.status.code(), Some(0), "{}", err(&stat));
    assert!(out(&stat).contains("not running") && out(&stat).contains("durability full"));
}

#[test]
fn a_folder_without_a_cluster_does_not_become_one_by_asking() {
    let cluster = Cluster::new();
    let done = cluster.command(&["slave", "add", "x"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(err(&done).contains("no cluster here"), "{}", err(&done));
    assert_eq!(std::fs::read_dir(cluster.dir()).unwrap().count(), 0);
}

#[test]
fn a_dump_makes_a_store_with_the_same_accounts_and_slaves_elsewhere() {
    let cluster = Cluster::made();
    assert!(
        cluster
            .command(&["slave", "add", "disk-1"])
            .status
            .success()
    );
    let dumped = cluster.command(&["dump"]);
    assert!(dumped.status.success(), "{}", err(&dumped));
    let file = cluster.dir().join("backup.jsonl");
    let to_file = cluster.command(&["dump", file.to_str().unwrap()]);
    assert!(to_file.status.success(), "{}", err(&to_file));
    // The second one knows of the first.
    assert_eq!(
        std::fs::read_to_string(&file).unwrap().lines().count(),
        out(&dumped).lines().count() + 1
    );

    let other = Cluster::new();
    let loaded = other.command(&["load", file.to_str().unwrap()]);
    assert!(loaded.status.success(), "{}", err(&loaded));
    let rows = |text: &str| {
        let (mut rows, acts): (Vec<&str>, Vec<&str>) = text
            .lines()
            .skip(1)
            .partition(|line| !line.starts_with("{\"audit\""));
        assert!(rows.len() > 3 && acts.len() > 1, "{text}");
        // How many rows there are.
        rows.pop();
        rows.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows(&out(&other.command(&["dump"]))), rows(&out(&dumped)));
    let again = other.command(&["load", file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(err(&again).contains("not empty"), "{}", err(&again));
}

#[test]
fn a_backup_in_the_place_of_a_store_is_the_store_of_its_moment() {
    let cluster = Cluster::made();
    let add = |name| assert!(cluster.command(&["slave", "add", name]).status.success());
    add("disk-1");
    let file = cluster.dir().join("store.copy");
    let to = file.to_str().unwrap();
    let made = cluster.command(&["backup", "--to", to]);
    assert!(
        made.status.success() && out(&made).contains(to),
        "{}",
        err(&made)
    );
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = cluster.command(&["backup", "--to", to]);
    assert_eq!(again.status.code(), Some(1));
    assert!(err(&again).contains("exists"), "{}", err(&again));

    add("disk-2");
    let store = cluster.dir().join("store");
    std::fs::rename(&store, cluster.dir().join("store.old")).unwrap();
    std::fs::create_dir(&store).unwrap();
    std::fs::copy(&file, store.join("store.db")).unwrap();
    let listed = out(&cluster.command(&["slave", "list"]));
    assert!(
        listed.contains("disk-1") && !listed.contains("disk-2"),
        "{listed}"
    );
}

#[test]
fn check_says_what_is_wrong_with_a_store_and_changes_nothing_of_it() {
    let cluster = Cluster::made();
    let sound = cluster.command(&["check"]);
    assert_eq!(sound.status.code(), Some(0), "{}", err(&sound));
    assert!(
        out(&sound).contains("1 directories, 0 files"),
        "{}",
        out(&sound)
    );
    let file = cluster.dir().join("store/store.db");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute("UPDATE node SET files = 3", []).unwrap();
    drop(conn);
    let before = std::fs::read(&file).unwrap();
    let wrong = cluster.command(&["check"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        out(&wrong).contains("WRONG totals: /: 3 files"),
        "{}",
        out(&wrong)
    );
    let json = cluster.command(&["check", "--json"]);
    assert_eq!(json.status.code(), Some(1));
    let json: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(
        (&json["wrong"], &json["findings"][0]["area"]),
        (&1.into(), &"totals".into())
    );
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
