//! Core actors that panic: once, and again and again.

use super::cluster::{Cluster, out};

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
fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if is() {
            return;
        }
    }
    panic!("never: {what}");
}

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
