//! Accounts of other daemons are taken over, with and without a master that runs.

use serde_json::Value;

use super::cluster::{Cluster, err, out};

/// `secret`, as glftpd has it.
const HASH: &str = "$c1ac9ded$5d2b3c3bb93260de4bd735b1b93a4d79a4662782";

#[test]
fn what_is_imported_is_said_first_made_once_and_lets_its_users_in() {
    let cluster = Cluster::made();
    let folder = cluster.dir().join("old");
    for below in ["etc", "ftp-data/users"] {
        std::fs::create_dir_all(folder.join(below)).unwrap();
    }
    std::fs::write(folder.join("etc/passwd"), format!("ann:{HASH}:0:0:::\n")).unwrap();
    let user = "FLAGS 3\nCREDITS 10\nRATIO 2\nGROUP iND 1\nIP *@127.0.0.*\nADDED 1712306777 root\nEXPIRES x\n";
    std::fs::write(folder.join("ftp-data/users/ann"), user).unwrap();
    let folder = folder.to_str().unwrap();

    let import = |more: &[&str]| {
        let done = cluster.command(&[&["import", "glftpd", folder], more].concat());
        assert!(done.status.success(), "{}", err(&done));
        out(&done)
    };
    let said = import(&[]);
    assert!(
        said.contains("user ann: new\n") && said.contains("ann:7: user ann: EXPIRES"),
        "{said}"
    );
    let shown = |cluster: &Cluster| cluster.command(&["ctl", "user", "show", "ann", "--json"]);
    assert!(!shown(&cluster).status.success(), "a report makes nobody");

    let master = cluster.run();
    let made: Value = serde_json::from_str(&import(&["--apply", "--json"])).unwrap();
    assert_eq!(made["users"][0]["new"], true);
    assert_eq!(master.ftp().log_in("ann", "secret"), 230);
    let user = out(&shown(&cluster));
    let user: Value = serde_json::from_str(&user).unwrap();
    assert_eq!(user["credits"], 10_240, "{user}");
    assert!(
        user.to_string().contains("*@127.0.0.*") && user.to_string().contains("iND"),
        "{user}"
    );
    // Their hash is another one by now; nobody is made again.
    assert!(import(&["--apply"]).contains("user ann: there\n"));
    let change = cluster.command(&["ctl", "user", "change", "ann", "ratio", "5"]);
    assert!(change.status.success(), "{}", err(&change));
    assert!(
        import(&[]).contains("user ann: there, and left alone; the files say otherwise: ratio\n")
    );
    master.end();

    let nothing = cluster.command(&["import", "drftpd", folder]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(
        err(&nothing).contains("no userdata/users/javabeans"),
        "{}",
        err(&nothing)
    );
}
