//! Roots on which other programs work too.
#![allow(clippy::disallowed_methods)] // a test of how long something takes takes real time

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::cluster::run;
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp, Mode};

/// Runs a shell script in a root.
fn script(root: &Path, script: &str) -> Result<String> {
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", script]).current_dir(root);
    run(shell)
}

/// Everything that other programs do is in the listings within this.
const LIMIT: Duration = Duration::from_secs(2);

/// A cluster whose first slaves' roots are shared.
fn shared(slaves: usize, shared: usize, master: &[&str]) -> Result<Cluster> {
    let mut cluster = Cluster::with(ClusterSpec {
        slaves,
        master: master.iter().map(ToString::to_string).collect(),
        ..ClusterSpec::default()
    })?;
    for index in 0..shared {
        share(&mut cluster, index)?;
    }
    Ok(cluster)
}

fn share(cluster: &mut Cluster, index: usize) -> Result<()> {
    cluster.kill_slave(index)?;
    let config = cluster.slaves[index].config.clone();
    let text = std::fs::read_to_string(&config)?;
    let (before, root) = text.split_once("[[root]]").context("a root")?;
    std::fs::write(
        &config,
        format!("{before}[[root]]\nwriters = \"shared\"{root}"),
    )?;
    cluster.start_slave(index)?;
    cluster.wait_online(cluster.slaves.len())
}

/// Asks a logged-in client until it is so; fails when that takes longer than other programs may wait.
fn soon(what: &str, ftp: &mut Ftp, holds: impl Fn(&mut Ftp) -> Result<bool>) -> Result<Duration> {
    let begun = Instant::now();
    while !holds(ftp)? {
        ensure!(begun.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
    }
    Ok(begun.elapsed())
}

/// Whether a directory has exactly these names.
fn has(ftp: &mut Ftp, dir: &str, names: &[&str]) -> Result<bool> {
    let mut there = ftp.names(Mode::Pasv, dir)?;
    there.sort();
    Ok(there == names)
}

/// Whether a file is served with these bytes.
fn reads(ftp: &mut Ftp, name: &str, bytes: &[u8]) -> Result<bool> {
    ftp.send(&format!("SIZE {name}"))?;
    let is_size = ftp.reply()? == (213, vec![format!("213 {}", bytes.len())]);
    // What is judged just now is not served.
    Ok(is_size && ftp.get(Mode::Pret, name).is_ok_and(|got| got == bytes))
}

fn said(cluster: &Cluster, what: &str) -> usize {
    let log = cluster.master.as_ref().map(|master| master.log());
    log.unwrap_or_default().matches(what).count()
}

#[test]
fn what_other_programs_do_is_listed_and_served_within_two_seconds() -> Result<()> {
    let cluster = shared(1, 1, &[])?;
    let root = cluster.slaves[0].root.clone();
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "uploaded", b"by ftp")?;
    let ftp = &mut ftp;
    let long = |n: usize| vec![b'x'; n];

    script(&root, "echo one > new; mkdir -p a/b; cp new a/b/copy")?;
    soon("made", ftp, |ftp| {
        Ok(reads(ftp, "new", b"one\n")? && reads(ftp, "a/b/copy", b"one\n")?)
    })?;
    script(&root, "echo two >> new; echo more >> uploaded")?;
    soon("appended", ftp, |ftp| {
        Ok(reads(ftp, "new", b"one\ntwo\n")? && reads(ftp, "uploaded", b"by ftpmore\n")?)
    })?;
    script(
        &root,
        "sed -i s/one/ONE/ new; printf BY | dd of=uploaded conv=notrunc status=none",
    )?;
    soon("edited", ftp, |ftp| {
        Ok(reads(ftp, "new", b"ONE\ntwo\n")? && reads(ftp, "uploaded", b"BY ftpmore\n")?)
    })?;
    script(
        &root,
        "echo saved > a/b/.copy.tmp; mv a/b/.copy.tmp a/b/copy",
    )?;
    soon("saved over", ftp, |ftp| reads(ftp, "a/b/copy", b"saved\n"))?;
    script(
        &root,
        "mv new a/moved; mv a/b c; cp -a uploaded twin; cp -a c d",
    )?;
    soon("moved and copied", ftp, |ftp| {
        Ok(has(ftp, "/", &["a", "c", "d", "twin", "uploaded"])?
            && reads(ftp, "a/moved", b"ONE\ntwo\n")?
            && reads(ftp, "c/copy", b"saved\n")?
            && reads(ftp, "d/copy", b"saved\n")?
            && reads(ftp, "twin", b"BY ftpmore\n")?)
    })?;
    script(
        &root,
        "rm twin a/moved; rm -r d; mv c/copy c/'with a blank'",
    )?;
    soon("removed", ftp, |ftp| {
        Ok(has(ftp, "/", &["a", "c", "uploaded"])?
            && has(ftp, "a", &[])?
            && has(ftp, "c", &["with a blank"])?)
    })?;
    script(&root, "rm uploaded; echo again > uploaded")?;
    soon("made again", ftp, |ftp| reads(ftp, "uploaded", b"again\n"))?;
    std::fs::write(root.join("a/large"), long(3 << 20))?;
    script(
        &root,
        "tar cf x.tar a c; mkdir out; cd out; tar xf ../x.tar; rm ../x.tar",
    )?;
    soon("unpacked", ftp, |ftp| {
        Ok(has(ftp, "/", &["a", "c", "out", "uploaded"])?
            && reads(ftp, "out/a/large", &long(3 << 20))?)
    })?;
    cluster.wait_settled()?;
    let check = cluster.ctl(&["check"])?;
    ensure!(
        check["findings"].as_array().is_none_or(Vec::is_empty),
        "{check}"
    );
    Ok(())
}

#[test]
fn what_is_done_over_ftp_is_not_taken_for_what_others_do() -> Result<()> {
    let cluster = shared(1, 1, &[])?;
    let root = cluster.slaves[0].root.clone();
    let mut ftp = cluster.login()?;
    ftp.ask("MKD d", 257)?;
    for n in 0..20 {
        ftp.put(Mode::Pret, &format!("d/{n}"), b"bytes")?;
    }
    for line in ["DELE d/0", "MFMT 20200101000000 d/1", "MKD e"] {
        ftp.send(line)?;
        ensure!(ftp.reply()?.0 / 100 == 2, "{line}");
    }
    for (from, to) in [("d/2", "e/2"), ("e", "d/e"), ("d", "f")] {
        ftp.ask(&format!("RNFR {from}"), 350)?;
        ftp.ask(&format!("RNTO {to}"), 250)?;
    }
    ftp.put(Mode::Pret, "f/3", b"other bytes")?;
    for n in 4..20 {
        ftp.ask(&format!("DELE f/{n}"), 250)?;
    }
    cluster.wait_settled()?;
    // By then a walk of what happened last is over, and so are those of what happened before.
    script(&root, "echo x > last")?;
    soon("made", &mut ftp, |ftp| reads(ftp, "last", b"x\n"))?;
    ensure!(has(&mut ftp, "f", &["1", "3", "e"])? && has(&mut ftp, "f/e", &["2"])?);
    ensure!(reads(&mut ftp, "f/3", b"other bytes")? && reads(&mut ftp, "f/1", b"bytes")?);
    ensure!(ftp.ask("MDTM f/1", 213)? == "213 20200101000000");
    ensure!(said(&cluster, "other programs have changed a shared root") == 0);
    Ok(())
}

#[test]
fn an_edit_replaces_the_copies_that_others_have() -> Result<()> {
    let rules = "copies.rules=[{ copies = 2 }]";
    let cluster = shared(2, 1, &[rules])?;
    let roots = cluster.roots();
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "f", b"old bytes")?;
    let both = |bytes: &'static [u8]| {
        let roots = roots.clone();
        move |_: &Cluster| {
            let is = |root: &std::path::PathBuf| {
                std::fs::read(root.join("f")).is_ok_and(|got| got == bytes)
            };
            Ok(roots.iter().all(is))
        }
    };
    cluster.wait_until("two copies", both(b"old bytes"))?;
    script(&roots[0], "printf 'new ones!' > f")?;
    soon("edited", &mut ftp, |ftp| reads(ftp, "f", b"new ones!"))?;
    cluster.wait_until("the other copy is replaced", both(b"new ones!"))?;
    script(&roots[0], "rm f")?;
    soon("removed", &mut ftp, |ftp| has(ftp, "/", &[]))?;
    cluster.wait_until("the other copy is set aside", |_| {
        Ok(!roots[1].join("f").exists())
    })?;
    ensure!(!cluster.reserved("trash")?.is_empty());
    Ok(())
}

#[test]
fn a_download_of_a_file_that_is_written_to_meanwhile_is_broken_and_no_mix() -> Result<()> {
    let cluster = shared(1, 1, &[])?;
    let root = cluster.slaves[0].root.clone();
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "large", &vec![1; 64 << 20])?;
    cluster.wait_settled()?;
    let data = ftp.data(Mode::Pret, "RETR", "large")?;
    ftp.ask("RETR large", 150)?;
    let mut data = data.stream()?;
    data.read_exact(&mut [0; 1000])?;
    script(&root, "printf 2 | dd of=large conv=notrunc status=none")?;
    let read = data.read_to_end(&mut Vec::new());
    let reply = ftp.reply()?;
    ensure!(reply.0 == 451, "{reply:?} after {read:?}");
    Ok(())
}

#[test]
fn what_others_did_while_nobody_looked_is_found_afterwards() -> Result<()> {
    let mut cluster = shared(1, 1, &[])?;
    let root = cluster.slaves[0].root.clone();
    let mut ftp = cluster.login()?;
    ftp.ask("MKD d", 257)?;
    for name in ["d/moved", "d/gone", "d/edited", "d/same"] {
        ftp.put(Mode::Pret, name, name.as_bytes())?;
    }
    cluster.wait_settled()?;
    cluster.kill_slave(0)?;
    script(
        &root,
        "mv d/moved top; rm d/gone; echo more >> d/edited; mv d e; echo new > e/new",
    )?;
    cluster.start_slave(0)?;
    cluster.wait_online(1)?;
    let found = |cluster: &Cluster| -> Result<bool> {
        let ftp = &mut cluster.login()?;
        Ok(has(ftp, "/", &["e", "top"])?
            && has(ftp, "e", &["edited", "new", "same"])?
            && reads(ftp, "top", b"d/moved")?
            && reads(ftp, "e/edited", b"d/editedmore\n")?
            && reads(ftp, "e/same", b"d/same")?
            && reads(ftp, "e/new", b"new\n")?)
    };
    cluster.wait_until("the slave was away", found)?;
    ensure!(
        said(&cluster, "adopted=1 ") >= 1,
        "what was moved keeps its identity"
    );
    cluster.kill_master()?;
    script(&root, "mv e/same e/other; rm top; echo more > e/new")?;
    cluster.start_master()?;
    cluster.wait_online(1)?;
    cluster.wait_until("the master was away", |cluster| {
        let ftp = &mut cluster.login()?;
        Ok(has(ftp, "/", &["e"])?
            && has(ftp, "e", &["edited", "new", "other"])?
            && reads(ftp, "e/new", b"more\n")?
            && reads(ftp, "e/other", b"d/same")?)
    })?;
    // And it goes on at once.
    script(&root, "echo soon > e/soon")?;
    soon("made", &mut cluster.login()?, |ftp| {
        reads(ftp, "e/soon", b"soon\n")
    })?;
    Ok(())
}

#[test]
fn five_thousand_files_at_once_are_all_found_and_none_is_lost_when_they_move() -> Result<()> {
    let cluster = shared(1, 1, &[])?;
    let root = cluster.slaves[0].root.clone();
    script(
        &root,
        "mkdir d; i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo $i > d/$i; done",
    )?;
    let all = |dir: &'static str| {
        move |cluster: &Cluster| -> Result<bool> {
            let mut ftp = cluster.login()?;
            let there = ftp.names(Mode::Pasv, "/")?.contains(&dir.to_owned());
            Ok(there && ftp.names(Mode::Pasv, dir)?.len() == 5000)
        }
    };
    let begun = Instant::now();
    cluster.wait_until("all are listed", all("d"))?;
    println!(
        "5,000 files are listed {:?} after the last one was made",
        begun.elapsed()
    );
    cluster.wait_settled()?;
    script(&root, "mv d e")?;
    cluster.wait_until("all have moved", all("e"))?;
    let mut ftp = cluster.login()?;
    ensure!(has(&mut ftp, "/", &["e"])? && reads(&mut ftp, "e/4711", b"4711\n")?);
    // So many at once are not believed to be gone until somebody says so.
    script(&root, "rm -r e")?;
    cluster.wait_until("the root is held", |cluster| {
        Ok(cluster.ctl(&["root", "list"])?["roots"][0]["state"] == "held")
    })?;
    ensure!(ftp.names(Mode::Pasv, "e")?.len() >= 4900);
    // It may have been held before the last of them was gone.
    cluster.wait_until("they are gone", |cluster| {
        let roots = cluster.ctl(&["root", "list"])?;
        let root = &roots["roots"][0];
        if root["state"] == "held" {
            cluster.ctl(&["root", "confirm", root["root"].as_str().context("a root")?])?;
        }
        let mut ftp = cluster.login()?;
        let there = ftp.names(Mode::Pasv, "/")?.contains(&"e".to_owned());
        Ok(!there || ftp.names(Mode::Pasv, "e")?.is_empty())
    })
}

#[test]
fn a_shared_root_that_is_not_there_has_lost_nothing() -> Result<()> {
    let mut cluster = shared(1, 1, &[])?;
    let root = cluster.slaves[0].root.clone();
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "f", b"bytes")?;
    cluster.wait_settled()?;
    let away = root.with_extension("away");
    std::fs::rename(&root, &away)?;
    std::fs::create_dir(&root)?;
    cluster.wait_until("it is absent", |cluster| {
        Ok(cluster.ctl(&["root", "list"])?["roots"][0]["state"] == "absent")
    })?;
    ensure!(has(&mut ftp, "/", &["f"])?);
    cluster.kill_slave(0)?;
    std::fs::remove_dir(&root)?;
    std::fs::rename(&away, &root)?;
    cluster.start_slave(0)?;
    cluster.wait_until("it is back", |cluster| {
        reads(&mut cluster.login()?, "f", b"bytes")
    })
}

#[test]
fn bits_that_turn_over_are_no_edit_and_are_repaired() -> Result<()> {
    let rules = "copies.rules=[{ copies = 2 }]";
    let cluster = shared(2, 1, &[rules])?;
    let roots = cluster.roots();
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "f", b"good bytes")?;
    let both = |_: &Cluster| {
        let is = |root: &std::path::PathBuf| {
            std::fs::read(root.join("f")).is_ok_and(|got| got == b"good bytes")
        };
        Ok(roots.iter().all(is))
    };
    cluster.wait_until("two copies", both)?;
    let mut file = std::fs::File::options()
        .write(true)
        .open(roots[0].join("f"))?;
    let modified = file.metadata()?.modified()?;
    file.write_all(b"evil")?;
    file.set_modified(modified)?;
    drop(file);
    cluster.ctl(&["scrub", "start"])?;
    cluster.wait_until("it is repaired", both)?;
    let report = cluster.ctl(&["scrub", "report"])?;
    ensure!(report["findings"][0]["path"] == "/f", "{report}");
    ensure!(has(&mut ftp, "/", &["f"])? && reads(&mut ftp, "f", b"good bytes")?);
    ensure!(said(&cluster, "other programs have changed a shared root") == 0);
    Ok(())
}
