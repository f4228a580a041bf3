//! A root that somebody worked on by hand while its slave was away: each thing ends as the table of a remerge says.
#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use drftpd_integration_tests::cluster::run;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};

/// One slave, whose walks come soon after each other.
fn cluster() -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        slaves: 1,
        master: vec!["slaves.walk_again_after=\"1s\"".into()],
        ..ClusterSpec::default()
    })
}

/// Does something to the root of the slave while that is away, and waits until it is back and was walked.
fn by_hand(cluster: &mut Cluster, script: &str) -> Result<()> {
    cluster.wait_settled()?;
    cluster.kill_slave(0)?;
    let root = cluster.slaves[0].root.clone();
    let mut shell = Command::new("sh");
    run({
        shell.args(["-e", "-c", script]).current_dir(&root);
        shell
    })?;
    cluster.start_slave(0)?;
    cluster.wait_online(1)
}

fn serves(ftp: &mut Ftp, name: &str, bytes: &[u8]) -> Result<()> {
    let got = ftp.get(Mode::Pret, name)?;
    ensure!(got == bytes, "{name}: {:?}", String::from_utf8_lossy(&got));
    Ok(())
}

/// It is listed with its size, and there is nobody to fetch it from.
fn is_lost(ftp: &mut Ftp, name: &str, size: u64) -> Result<()> {
    ensure!(ftp.ask(&format!("SIZE {name}"), 213)? == format!("213 {size}"));
    ftp.data(Mode::Pasv, "", "")?;
    ftp.send(&format!("RETR {name}"))?;
    let reply = ftp.reply()?;
    ensure!(reply.0 == 450, "{name}: {reply:?}");
    Ok(())
}

fn waits(cluster: &Cluster, at: &Path) -> Result<()> {
    cluster.wait_until(&format!("{} is there", at.display()), |_| Ok(at.exists()))
}

#[test]
fn what_was_done_to_files_by_hand_ends_as_the_table_says() -> Result<()> {
    let mut cluster = cluster()?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD d", 257)?;
    let names = [
        "copied",
        "twin",
        "moved",
        "edited",
        "grown",
        "inplace",
        "gone",
        "untouched",
        "covered",
    ];
    for name in names {
        ftp.put(
            Mode::Pret,
            &format!("d/{name}"),
            format!("old {name}").as_bytes(),
        )?;
    }
    by_hand(
        &mut cluster,
        "cp d/copied d/copy.txt
         cp -a d/twin d/second
         mkdir e; mv d/moved e/elsewhere
         sed -i s/old/new/ d/edited
         sed -i s/old/older/ d/grown
         echo more >> d/inplace
         rm d/gone
         rm d/covered; mkdir d/covered; echo x > d/covered/inside",
    )?;
    let slave = cluster.slaves[0].name.clone();
    let beside = |name: &str| format!("d/{name}.conflict-{slave}");
    let root = cluster.slaves[0].root.clone();
    for place in [
        &beside("edited"),
        &beside("grown"),
        "d/moved",
        &beside("covered"),
    ] {
        waits(&cluster, &root.join(place))?;
    }
    cluster.wait_settled()?;

    let mut ftp = cluster.login()?;
    for name in ["copied", "twin", "moved", "untouched"] {
        serves(
            &mut ftp,
            &format!("d/{name}"),
            format!("old {name}").as_bytes(),
        )?;
    }
    serves(&mut ftp, "d/copy.txt", b"old copied")?;
    serves(&mut ftp, &beside("edited"), b"new edited")?;
    serves(&mut ftp, &beside("grown"), b"older grown")?;
    serves(&mut ftp, &format!("{}/inside", beside("covered")), b"x\n")?;
    for name in ["edited", "grown", "inplace", "gone", "covered"] {
        let size = format!("old {name}").len() as u64;
        is_lost(&mut ftp, &format!("d/{name}"), size)?;
    }
    // The twin and what was changed in place are in the trash, and in no listing.
    ensure!(!ftp.names(Mode::Pasv, "d")?.contains(&"second".to_owned()));
    ensure!(!root.join("d/second").exists() && !root.join("d/inplace").exists());
    let trash = cluster.reserved("trash")?;
    ensure!(trash.len() >= 2, "{trash:?}");
    // A disk that did not change since is left alone.
    let listed = ftp.names(Mode::Pasv, "d")?;
    by_hand(&mut cluster, "true")?;
    ensure!(cluster.login()?.names(Mode::Pasv, "d")? == listed);
    Ok(())
}

#[test]
fn a_root_that_was_copied_without_attributes_is_known_again_by_its_bytes() -> Result<()> {
    let mut cluster = cluster()?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD a", 257)?;
    ftp.ask("MKD a/b", 257)?;
    let files: Vec<_> = (0..20)
        .map(|n| (format!("a/b/{n}"), Bytes::vec(n, 1000 + n as usize)))
        .collect();
    for (name, bytes) in &files {
        ftp.put(Mode::Pret, name, bytes)?;
    }
    by_hand(
        &mut cluster,
        "tar cf - a | (mkdir x; cd x; tar xf -)
         rm -r a; mv x/a a; rmdir x
         printf y | dd of=a/b/7 conv=notrunc status=none",
    )?;
    cluster.wait_settled()?;
    let mut ftp = cluster.login()?;
    for (name, bytes) in files.iter().filter(|(name, _)| name != "a/b/7") {
        serves(&mut ftp, name, bytes)?;
    }
    is_lost(&mut ftp, "a/b/7", 1007)?;
    ensure!(ftp.names(Mode::Pasv, "a/b")?.len() == 21);
    Ok(())
}

#[test]
fn a_directory_that_was_moved_by_hand_goes_back_with_what_was_put_into_it() -> Result<()> {
    let mut cluster = cluster()?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD d", 257)?;
    ftp.put(Mode::Pret, "d/file", b"stays")?;
    by_hand(&mut cluster, "mv d e; echo new > e/new")?;
    let root = cluster.slaves[0].root.clone();
    waits(&cluster, &root.join("d/file"))?;
    let adopted = |cluster: &Cluster| {
        let names = cluster.login()?.names(Mode::Pasv, "d")?;
        Ok(names.contains(&"new".to_owned()))
    };
    cluster.wait_until("the new file is in the tree", adopted)?;
    let mut ftp = cluster.login()?;
    serves(&mut ftp, "d/file", b"stays")?;
    serves(&mut ftp, "d/new", b"new\n")?;
    ensure!(ftp.names(Mode::Pasv, "/")? == ["d"]);
    Ok(())
}

#[test]
fn a_root_that_lost_most_of_its_files_is_held_until_an_operator_confirms() -> Result<()> {
    let mut cluster = cluster()?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD d", 257)?;
    for n in 0..110 {
        ftp.put(Mode::Pret, &format!("d/{n}"), b"x")?;
    }
    cluster.wait_settled()?;
    cluster.kill_slave(0)?;
    let root = cluster.slaves[0].root.clone();
    std::fs::remove_dir_all(root.join("d"))?;
    std::fs::write(root.join("by hand"), b"x")?;
    cluster.start_slave(0)?;
    let state = |cluster: &Cluster, list: &str, key: &str, state: &str| -> Result<bool> {
        Ok(cluster.ctl(&[list, "list"])?[key][0]["state"] == state)
    };
    cluster.wait_until("it is held", |cluster| {
        state(cluster, "slave", "slaves", "held")
    })?;
    ensure!(state(&cluster, "root", "roots", "held")?);
    ensure!(cluster.login()?.names(Mode::Pasv, "d")?.len() == 110);
    ftp.ask("PRET STOR upload", 200)?;
    ftp.send("PASV")?;
    ensure!(ftp.reply()?.0 == 452, "it takes no uploads");

    let id = cluster.ctl(&["root", "list"])?["roots"][0]["root"].clone();
    let id = id.as_str().unwrap_or_default().to_owned();
    let confirmed = cluster.ctl(&["root", "confirm", &id])?;
    ensure!(confirmed["missing"] == 110, "{confirmed}");
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    is_lost(&mut ftp, "d/7", 1)?;
    ensure!(ftp.names(Mode::Pasv, "d")?.len() == 110, "entries stay");
    ftp.put(Mode::Pret, "upload", b"takes uploads again")?;
    Ok(())
}

#[test]
fn a_store_that_was_put_back_is_in_recovery_until_an_operator_takes_what_only_disks_have()
-> Result<()> {
    let mut cluster = cluster()?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "before", b"before")?;
    ftp.put(Mode::Pret, "deleted", b"deleted after the backup")?;
    cluster.wait_settled()?;
    cluster.ctl(&["backup", "store.copy"])?;
    let saved = cluster.path().join("master/backups/store.copy");
    // Numbers of another start of the master, which the backup knows nothing of.
    cluster.kill_master()?;
    cluster.start_master()?;
    let begun = Instant::now();
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "before", b"newer contents")?;
    ftp.put(Mode::Pret, "after", b"after")?;
    ftp.ask("DELE deleted", 250)?;
    cluster.wait_settled()?;

    cluster.kill_master()?;
    let store = cluster.path().join("master/store");
    std::fs::remove_dir_all(&store)?;
    std::fs::create_dir(&store)?;
    std::fs::copy(&saved, store.join("store.db"))?;
    // Starts are numbered by their seconds: a store that is put back in the very second of the one that it knows
    // nothing of would give out its numbers.
    let passed = |_: &Cluster| Ok(begun.elapsed() >= Duration::from_secs(1));
    cluster.wait_until("the clock has passed all starts", passed)?;
    cluster.start_master()?;
    let recovering = |cluster: &Cluster| Ok(cluster.ctl(&["stat"])?["recovery"] == true);
    cluster.wait_until("the site is in recovery", recovering)?;
    cluster.wait_online(1)?;
    let listed = cluster.ctl(&["root", "differences"])?;
    ensure!(listed["all"] == 2, "{listed}");
    let root = cluster.slaves[0].root.clone();
    ensure!(root.join("before").exists() && root.join("after").exists());
    let mut ftp = cluster.login()?;
    ensure!(ftp.names(Mode::Pasv, "/")? == ["before", "deleted"]);

    cluster.ctl(&["recovery", "end", "adopt"])?;
    let taken = |cluster: &Cluster| {
        let names = cluster.login()?.names(Mode::Pasv, "/")?;
        Ok(names == ["after", "before", "deleted"])
    };
    cluster.wait_until("what the disk has is in the tree", taken)?;
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    serves(&mut ftp, "after", b"after")?;
    serves(&mut ftp, "before", b"newer contents")?;
    let lost = |cluster: &Cluster| Ok(is_lost(&mut cluster.login()?, "deleted", 24).is_ok());
    cluster.wait_until("what was deleted is missing", lost)?;
    let stat = cluster.ctl(&["stat"])?;
    ensure!(stat["recovery"] == false, "{stat}");
    let sound = cluster.ctl(&["check"])?;
    ensure!(sound["findings"] == serde_json::json!([]), "{sound}");
    Ok(())
}
