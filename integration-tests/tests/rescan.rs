//! Walks that an operator asks for, and files of which no copy is left.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use drftpd_integration_tests::cluster::run;
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp, Mode};

/// Runs a shell script in a root.
fn script(root: &Path, script: &str) -> Result<String> {
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", script]).current_dir(root);
    run(shell)
}

fn serves(ftp: &mut Ftp, name: &str, bytes: &[u8]) -> Result<()> {
    let got = ftp.get(Mode::Pret, name)?;
    ensure!(got == bytes, "{name}: {:?}", String::from_utf8_lossy(&got));
    Ok(())
}

/// Waits until walks have missed so many copies in all.
fn waits_for_missing(cluster: &Cluster, copies: u64) -> Result<()> {
    cluster.wait_until("copies are missing", |cluster| {
        let log = cluster.master.as_ref().map(|master| master.log());
        let log = log.unwrap_or_default();
        let said = log
            .lines()
            .filter(|line| line.contains("copies are missing on a root"));
        let counts = said.filter_map(|line| line.split_once("missing=")?.1.split(' ').next());
        Ok(counts
            .filter_map(|count| count.parse::<u64>().ok())
            .sum::<u64>()
            == copies)
    })
}

#[test]
fn rescan_finds_what_was_done_by_hand_at_and_below_a_path_and_nothing_else() -> Result<()> {
    let cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        master: vec!["slaves.walk_again_after=\"1s\"".into()],
        ..ClusterSpec::default()
    })?;
    let mut ftp = cluster.login()?;
    for dir in ["d", "d/e", "x"] {
        ftp.ask(&format!("MKD {dir}"), 257)?;
    }
    for name in ["d/gone", "d/e/gone", "d/there", "x/gone", "gone"] {
        ftp.put(Mode::Pret, name, name.as_bytes())?;
    }
    cluster.wait_settled()?;
    let root = cluster.slaves[0].root.clone();
    script(
        &root,
        "rm d/gone d/e/gone x/gone gone
         echo by hand > d/e/found; mkdir -p new/dir; echo deep > new/dir/found; echo not > x/found",
    )?;
    let walked = cluster.ctl(&["rescan", "/d"])?;
    ensure!(
        walked["roots"]
            .as_array()
            .is_some_and(|roots| roots.len() == 1),
        "{walked}"
    );
    ftp.ask("SITE RESCAN /new", 200)?;
    cluster.wait_until("what was put there is found", |cluster| {
        let mut ftp = cluster.login()?;
        let has = |names: Vec<String>| names.contains(&"found".to_owned());
        let new = ftp.names(Mode::Pasv, "/")?.contains(&"new".to_owned());
        Ok(has(ftp.names(Mode::Pasv, "d/e")?) && new && has(ftp.names(Mode::Pasv, "new/dir")?))
    })?;
    waits_for_missing(&cluster, 2)?;
    serves(&mut ftp, "d/there", b"d/there")?;
    serves(&mut ftp, "d/e/found", b"by hand\n")?;
    serves(&mut ftp, "new/dir/found", b"deep\n")?;
    ensure!(!ftp.names(Mode::Pasv, "x")?.contains(&"found".to_owned()));

    // A file alone; then all there is.
    script(&root, "rm d/there d/e/found")?;
    cluster.ctl(&["rescan", "/d/there"])?;
    waits_for_missing(&cluster, 3)?;
    ensure!(!ftp.names(Mode::Pasv, "x")?.contains(&"found".to_owned()));
    cluster.ctl(&["rescan", "/"])?;
    waits_for_missing(&cluster, 6)?;
    serves(&mut ftp, "x/found", b"not\n")
}

#[test]
fn lost_files_are_listed_and_forgotten_when_that_is_confirmed() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    for name in ["gone", "also gone", "there"] {
        ftp.put(Mode::Pret, name, b"bytes")?;
    }
    cluster.wait_settled()?;
    script(&cluster.slaves[0].root, "rm gone 'also gone'")?;
    ensure!(cluster.ctl(&["vfs", "forget-lost", "/"])?["files"] == 0);
    cluster.ctl(&["rescan", "/"])?;
    waits_for_missing(&cluster, 2)?;
    let listed = cluster.ctl(&["vfs", "forget-lost", "/"])?;
    ensure!(
        listed["files"] == 2 && listed["paths"][0] == "/also gone",
        "{listed}"
    );
    ensure!(cluster.ctl(&["vfs", "forget-lost", "/", "older-than=1h"])?["files"] == 0);
    ensure!(
        cluster
            .ctl(&["vfs", "forget-lost", "/", "confirm=3"])
            .is_err()
    );
    ensure!(ftp.names(Mode::Pasv, "/")?.len() == 3);
    let done = cluster.ctl(&["vfs", "forget-lost", "/", "confirm=2"])?;
    ensure!(done["forgotten"] == 2, "{done}");
    ensure!(ftp.names(Mode::Pasv, "/")? == ["there"]);
    serves(&mut ftp, "there", b"bytes")
}
