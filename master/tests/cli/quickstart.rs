//! `quickstart`: what it prints, keeps and obeys.

use serde_json::Value;

use super::cluster::{Cluster, err, out};

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
