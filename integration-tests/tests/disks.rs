//! A slave's disk that is full, is moved away, or has lost what was kept on it.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::small::Small;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode};
use rustix::process::Resource;

/// RETR of the file is answered with 450.
fn is_unavailable(ftp: &mut Ftp, name: &str) -> Result<bool> {
    ftp.data(Mode::Pasv, "", "")?;
    ftp.send(&format!("RETR {name}"))?;
    match ftp.reply()? {
        (450, _) => Ok(true),
        (code, _) => {
            // Its data connection is gone already, so it may end in any way.
            if code == 150 {
                ftp.reply()?;
            }
            Ok(false)
        }
    }
}

/// No slave takes an upload of so many bytes.
fn is_full(cluster: &Cluster, bytes: u64) -> Result<bool> {
    let mut ftp = cluster.login()?;
    ftp.ask(&format!("ALLO {bytes}"), 200)?;
    ftp.ask("PRET STOR announced.bin", 200)?;
    ftp.send("PASV")?;
    Ok(ftp.reply()?.0 == 452)
}

#[test]
fn a_full_disk_gives_452_and_its_space_back_and_the_next_upload_goes_elsewhere() -> Result<()> {
    let mut cluster = Cluster::start(1)?;
    let small = Small::mount(cluster.path().join("small"), "size=32m")?;
    cluster.add_slave(2, small.path.clone())?;
    cluster.wait_online(2)?;
    let mut ftp = cluster.login()?;
    cluster.kill_slave(0)?;
    cluster.wait_online(1)?;
    ftp.put(Mode::Pret, "fits.bin", &Bytes::vec(1, 1_000_000))?;
    let before = small.free()?;

    // What was announced does not fit: nobody even begins.
    ensure!(is_full(&cluster, 64_000_000)?);
    // What was not announced breaks off when the disk is full.
    let data = ftp.data(Mode::Pret, "STOR", "too big.bin")?;
    ftp.ask("STOR too big.bin", 150)?;
    let mut stream = data.stream()?;
    let sent = stream.write_all(&Bytes::vec(2, 64_000_000));
    ensure!(sent.is_err(), "64 MB went to a disk of 32");
    ftp.expect(452)?;
    ensure!(ftp.names(Mode::Pasv, "/")? == ["fits.bin"]);
    let free = small.free()?;
    ensure!(free == before, "{free} bytes are free instead of {before}");
    // With room again, the same name on the same disk.
    ftp.put(Mode::Pret, "too big.bin", &Bytes::vec(2, 2_000_000))?;

    cluster.start_slave(0)?;
    cluster.wait_online(2)?;
    let big = Bytes::vec(3, 64_000_000);
    for (name, announced) in [("announced.bin", true), ("elsewhere.bin", false)] {
        if announced {
            ftp.ask(&format!("ALLO {}", big.len()), 200)?;
        }
        ftp.put(Mode::Pret, name, &big)?;
        let at = cluster.slaves[0].root.join(name);
        cluster.wait_until("it is at its place", |_| Ok(at.exists()))?;
    }
    ensure!(ftp.get(Mode::Pret, "elsewhere.bin")? == big);
    ensure!(ftp.get(Mode::Pret, "fits.bin")? == Bytes::vec(1, 1_000_000));
    Ok(())
}

#[test]
fn many_quick_uploads_leave_free_what_is_to_stay_free() -> Result<()> {
    const LEAST: u64 = 16 << 20; // of the filter that is configured by default
    let mut cluster = Cluster::start(0)?;
    let small = Small::mount(cluster.path().join("small"), "size=32m")?;
    cluster.add_slave(1, small.path.clone())?;
    cluster.wait_online(1)?;
    // All of them within the time between two reports of a slave.
    let mut clients = Vec::new();
    for client in 0..4 {
        let mut ftp = cluster.login()?;
        clients.push(std::thread::spawn(move || -> Result<u32> {
            for n in 0..200 {
                ftp.ask("ALLO 500000", 200)?;
                let data = ftp.data(Mode::Pasv, "", "")?;
                ftp.send(&format!("STOR {client}-{n}"))?;
                match ftp.reply()? {
                    (150, _) => {}
                    (452, _) => return Ok(n),
                    other => anyhow::bail!("{other:?}"),
                }
                data.stream()?.write_all(&Bytes::vec(n.into(), 500_000))?;
                ftp.expect(226)?;
            }
            anyhow::bail!("100 MB went to a disk of 32")
        }));
    }
    let mut taken = 0;
    for client in clients {
        taken += client.join().map_err(|_| anyhow::anyhow!("panicked"))??;
    }
    let free = small.free()?;
    ensure!(free >= LEAST, "{free} are free after {taken} uploads");
    ensure!(taken >= 20, "only {taken} uploads were taken");
    Ok(())
}

#[test]
fn deletes_make_room_on_a_full_disk_for_what_waits_before_them_and_nobody_waits_for_that()
-> Result<()> {
    let mut cluster = Cluster::start(0)?;
    let small = Small::mount(cluster.path().join("small"), "size=32m,nr_inodes=60")?;
    cluster.add_slave(1, small.path.clone())?;
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    for name in ["moved", "deleted", "read"] {
        ftp.put(Mode::Pret, name, name.as_bytes())?;
        let at = small.path.join(name);
        cluster.wait_until("it is at its place", |_| Ok(at.exists()))?;
    }
    // No more files can be made, nor the directory that the rename needs.
    let fills = (0..100).take_while(|n| {
        let fill = small.path.join(".drftpd").join(format!("fill-{n}"));
        std::fs::write(fill, b"").is_ok()
    });
    ensure!(fills.count() < 100);
    ftp.ask("MKD d", 257)?;
    ftp.ask("RNFR moved", 350)?;
    ftp.ask("RNTO d/moved", 250)?;
    let waits = |cluster: &Cluster| {
        let roots = cluster.ctl(&["root", "list"])?;
        Ok(roots.to_string().contains("\"waiting_operations\":1"))
    };
    cluster.wait_until("the rename waits", waits)?;
    ensure!(ftp.get(Mode::Pret, "read")? == b"read");
    cluster.wait_until("no more uploads", |cluster| is_full(cluster, 1))?;
    ftp.ask("DELE deleted", 250)?;
    let root = small.path.clone();
    cluster.wait_until("the disk follows", move |_| {
        Ok(root.join("d/moved").exists() && !root.join("deleted").exists())
    })?;
    ensure!(ftp.get(Mode::Pret, "d/moved")? == b"moved");
    Ok(())
}

#[test]
fn a_root_that_is_moved_away_is_absent_and_never_empty_and_comes_back() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    ftp.ask("MKD d", 257)?;
    ftp.put(Mode::Pret, "d/a.bin", b"stays")?;
    ftp.put(Mode::Pret, "gone.bin", b"deleted meanwhile")?;
    let (root, away) = (&cluster.slaves[0].root, cluster.path().join("away"));
    cluster.wait_until("the disk follows", |_| {
        Ok(root.join("d/a.bin").exists() && root.join("gone.bin").exists())
    })?;
    std::fs::rename(root, &away)?;
    let gone = |_: &Cluster| is_unavailable(&mut cluster.login()?, "d/a.bin");
    cluster.wait_until("it is absent", gone)?;
    // An unmounted disk leaves an empty folder.
    std::fs::create_dir(root)?;
    for _ in 0..2 {
        ensure!(is_unavailable(&mut ftp, "d/a.bin")?);
        ensure!(ftp.names(Mode::Pasv, "d")? == ["a.bin"]);
        ensure!(ftp.ask("SIZE d/a.bin", 213)? == "213 5");
    }
    cluster.wait_until("nobody takes uploads", |cluster| is_full(cluster, 1))?;
    ftp.ask("DELE gone.bin", 250)?;
    ftp.ask("RNFR d/a.bin", 350)?;
    ftp.ask("RNTO d/b.bin", 250)?;

    std::fs::remove_dir(root).context("nothing was made in the empty folder")?;
    std::fs::rename(&away, root)?;
    let back = |_: &Cluster| Ok(!is_unavailable(&mut cluster.login()?, "d/b.bin")?);
    cluster.wait_until("it is back", back)?;
    cluster.wait_online(1)?;
    ensure!(ftp.get(Mode::Pret, "d/b.bin")? == b"stays");
    ensure!(ftp.names(Mode::Pret, "/")? == ["d"]);
    ensure!(root.join("d/b.bin").exists() && !root.join("gone.bin").exists());
    ftp.put(Mode::Pret, "new.bin", b"takes uploads again")
}

#[test]
fn an_upload_whose_kept_bytes_are_gone_is_forgotten_and_can_begin_anew() -> Result<()> {
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        master: vec!["slaves.lost_transfer_after=\"1s\"".into()],
        ..ClusterSpec::default()
    })?;
    let whole = Bytes::vec(6, 300_000);
    let mut ftp = cluster.login()?;
    let begin = |cluster: &Cluster, ftp: &mut Ftp, name: &str| -> Result<_> {
        let staged = || -> Result<u64> {
            let files = std::fs::read_dir(cluster.slaves[0].root.join(".drftpd/staging"))?;
            Ok(files
                .flatten()
                .flat_map(|f| f.metadata())
                .map(|m| m.len())
                .sum())
        };
        let before = staged()?;
        let data = ftp.data(Mode::Pret, "STOR", name)?;
        ftp.ask(&format!("STOR {name}"), 150)?;
        let mut stream = data.stream()?;
        stream.write_all(&whole[..200_000])?;
        cluster.wait_until("bytes in staging", |_| Ok(staged()? >= before + 200_000))?;
        Ok(stream)
    };
    // One whose bytes the master knows, and one that is lost with its slave.
    let stream = begin(&cluster, &mut ftp, "known.bin")?;
    ftp.send("ABOR")?;
    ftp.expect(426)?;
    ftp.expect(226)?;
    drop(stream);
    ensure!(ftp.ask("SIZE known.bin", 213)? == "213 200000");
    let stream = begin(&cluster, &mut ftp, "unknown.bin")?;
    cluster.kill_slave(0)?;
    drop(stream);
    ftp.expect(426)?;
    let staging = cluster.slaves[0].root.join(".drftpd/staging");
    std::fs::remove_dir_all(&staging)?;
    cluster.start_slave(0)?;
    cluster.wait_online(1)?;

    ftp.ask("SIZE unknown.bin", 550)?;
    // Nobody looked for this one; whoever wants to go on with it finds out.
    ftp.ask("REST 200000", 350)?;
    ftp.data(Mode::Pasv, "", "")?;
    ftp.ask("STOR known.bin", 450)?;
    ftp.ask("SIZE known.bin", 550)?;
    for name in ["known.bin", "unknown.bin"] {
        ftp.put(Mode::Pret, name, &whole)?;
        ensure!(ftp.get(Mode::Pret, name)? == whole);
    }
    Ok(())
}

#[test]
fn an_upload_beyond_the_largest_file_that_is_allowed_gives_452_and_harms_nothing_else() -> Result<()>
{
    let mut cluster = Cluster::start(1)?;
    let slave = cluster.slaves[0].process.as_ref().context("it runs")?;
    slave.limit(Resource::Fsize, 8_000_000)?;
    let mut ftp = cluster.login()?;
    for announced in [false, true] {
        if announced {
            ftp.ask("ALLO 64000000", 200)?;
        }
        let data = ftp.data(Mode::Pret, "STOR", "too big.bin")?;
        ftp.send("STOR too big.bin")?;
        if ftp.reply()?.0 == 150 {
            // It may be refused at once where space is set aside beforehand.
            let sent = data.stream()?.write_all(&Bytes::vec(1, 64_000_000));
            ensure!(sent.is_err(), "64 MB went to a file of 8");
            ftp.expect(452)?;
        }
        ensure!(ftp.names(Mode::Pasv, "/")?.is_empty());
    }
    let fits = Bytes::vec(2, 1_000_000);
    ftp.put(Mode::Pret, "too big.bin", &fits)?;
    ensure!(ftp.get(Mode::Pret, "too big.bin")? == fits);
    let slave = cluster.slaves[0].process.as_mut().context("it runs")?;
    ensure!(slave.is_alive()? && !slave.log().contains("read-only"));
    Ok(())
}

#[test]
fn a_disk_that_fails_an_upload_takes_no_other_and_the_operator_is_told() -> Result<()> {
    let mut cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        // Where its bytes are made durable: the second upload is the first that the disk refuses.
        slave_failpoints: "upload.marked=2:fail".into(),
        ..ClusterSpec::default()
    })?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "good", b"bytes")?;
    let data = ftp.data(Mode::Pret, "STOR", "bad")?;
    ftp.ask("STOR bad", 150)?;
    data.stream()?.write_all(b"lost")?;
    let (code, said) = ftp.reply()?;
    ensure!(code == 451, "{code} {said:?}");
    cluster.wait_until("the root is read-only and the log says so", |cluster| {
        let roots = cluster.ctl(&["root", "list"])?;
        let log = std::fs::read_to_string(cluster.path().join("master.log"))?;
        Ok(roots["roots"][0]["state"] == "read-only"
            && log.contains("a root takes nothing any more"))
    })?;
    let mut next = cluster.login()?;
    next.ask("PRET STOR next", 200)?;
    next.ask("PASV", 452)?;
    ensure!(next.get(Mode::Pret, "good")? == b"bytes");
    // An operator who has looked at the disk starts the slave again.
    cluster.kill_slave(0)?;
    cluster.start_slave(0)?;
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    ftp.put(Mode::Pret, "next", b"more")?;
    ensure!(ftp.get(Mode::Pret, "next")? == b"more");
    Ok(())
}
