//! What cannot be typed, and configurations that cannot be used: exit code 2.

use super::cluster::{Cluster, err, out, program};

fn code(words: &[&str]) -> Option<i32> {
    program().args(words).output().unwrap().status.code()
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    for words in [
        &[][..],
        &["nonsense"],
        &["run"],
        &["quickstart", "--slaves", "many"],
        &["quickstart", "--listen", "2121"],
        &["quickstart", "--passive-ports", "9-1"],
        &["init", "--config", "/nowhere/x", "--profile", "none"],
        &["slave"],
        &["slave", "add"],
        &["config", "check"],
        &["ctl", "--dir", "a", "--config", "b", "who"],
        &["ctl"],
        &["ctl", "who", "--dir", "/nowhere/at/all"],
        &["ctl", "who", "--config", "/nowhere/at/all"],
    ] {
        assert_eq!(code(words), Some(2), "{words:?}");
    }
    for words in [&["--help"][..], &["--version"], &["quickstart", "--help"]] {
        assert_eq!(code(words), Some(0), "{words:?}");
    }
}

#[test]
fn config_check_names_file_key_and_reason_of_everything() {
    let cluster = Cluster::new();
    let file = cluster.config();
    let bad = "[ftp]\nlistn = 1\nidle_timeout = \"0s\"\n[admin]\nlisten = \"0.0.0.0:1\"\n";
    std::fs::write(&file, bad).unwrap();
    let check = || {
        program()
            .args(["config", "check", "--config"])
            .arg(&file)
            .output()
            .unwrap()
    };
    let done = check();
    assert_eq!(done.status.code(), Some(2));
    let said = err(&done);
    for key in ["ftp.listn: ", "ftp.idle_timeout: ", "admin.listen: "] {
        let line = format!("{}: {key}", file.display());
        assert!(
            said.lines().any(|said| said.starts_with(&line)),
            "{key}: {said}"
        );
    }
    assert_eq!(said.lines().count(), 3, "{said}");
    std::fs::write(&file, "[ftp]\nlisten = [\"[::1]:21\"]\n").unwrap();
    let done = check();
    assert_eq!(
        (done.status.code(), out(&done), err(&done)),
        (Some(0), String::new(), String::new())
    );
}

#[test]
fn run_with_a_wrong_configuration_exits_with_2_and_the_same_words() {
    let cluster = Cluster::made();
    cluster.edit("[shutdown]", "[shutdown]\nsoon = true");
    let done = program()
        .arg("run")
        .arg("--config")
        .arg(cluster.config())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(
        err(&done).contains("master.toml: shutdown.soon: unknown field"),
        "{}",
        err(&done)
    );
    assert_eq!(out(&done), "");
}
