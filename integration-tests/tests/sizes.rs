//! Large and many: a gibibyte, a directory of 20,000, a hundred transfers at once.

use std::io::Read;
use std::net::Shutdown;
use std::thread;

use anyhow::{Result, ensure};
use drftpd_integration_tests::data::first_difference;
use drftpd_integration_tests::{Bytes, Cluster, Mode};

const GIB: u64 = 1 << 30;

/// Compares a stream with the bytes of a seed without keeping either.
fn same_stream(mut got: impl Read, seed: u64, len: u64) -> Result<()> {
    let mut wanted = Bytes::new(seed, len);
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut at = 0;
    loop {
        let n = got.read(&mut a)?;
        if n == 0 {
            break;
        }
        wanted.read_exact(&mut b[..n])?;
        ensure!(a[..n] == b[..n], "differs within the {n} bytes behind {at}");
        at += n as u64;
    }
    ensure!(at == len, "{at} bytes instead of {len}");
    Ok(())
}

#[test]
fn a_gibibyte_goes_up_and_comes_back_the_same() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut ftp = cluster.login()?;
    ftp.upload(Mode::Pret, "STOR", "big.bin", Bytes::new(21, GIB))?;
    ensure!(ftp.ask("SIZE big.bin", 213)?.ends_with(&format!(" {GIB}")));
    for mode in [Mode::Pret, Mode::Pasv] {
        let data = ftp.data(mode, "RETR", "big.bin")?;
        ftp.ask("RETR big.bin", 150)?;
        same_stream(data.stream()?, 21, GIB)?;
        ftp.expect(226)?;
    }
    Ok(())
}

#[test]
fn a_directory_of_twenty_thousand_is_listed_whole() -> Result<()> {
    const COUNT: usize = 20_000;
    let mut cluster = Cluster::start(0)?;
    // An existing tree is adopted in place: that is the quick way to many files.
    let root = cluster.path().join("old tree");
    std::fs::create_dir_all(root.join("many"))?;
    for n in 0..COUNT {
        std::fs::write(root.join(format!("many/file {n:05}.bin")), b"x")?;
    }
    cluster.add_slave(1, root)?;
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    for (verb, extra) in [("NLST", 0), ("LIST", 1), ("MLSD", 0)] {
        let text = String::from_utf8(ftp.download(Mode::Pret, verb, "many")?)?;
        let files = text.lines().filter(|l| l.contains("file ")).count();
        ensure!(files == COUNT, "{verb}: {files}");
        ensure!(text.lines().count() >= COUNT + extra, "{verb}");
    }
    ftp.send("STAT -l many")?;
    let lines = ftp.reply()?.1;
    ensure!(
        lines.iter().filter(|l| l.contains("file ")).count() == COUNT,
        "{}",
        lines.len()
    );
    ensure!(ftp.get(Mode::Pret, "many/file 19999.bin")? == b"x");
    Ok(())
}

#[test]
fn a_hundred_transfers_at_once_over_two_slaves_are_all_whole() -> Result<()> {
    const EACH: u64 = 2_000_000;
    let cluster = Cluster::start(2)?;
    let at_once = |work: fn(&Cluster, u64) -> Result<()>| -> Result<()> {
        thread::scope(|scope| {
            let all: Vec<_> = (0..100)
                .map(|n| {
                    scope.spawn({
                        let cluster = &cluster;
                        move || work(cluster, n)
                    })
                })
                .collect();
            all.into_iter().try_for_each(|one| match one.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    };
    at_once(|cluster, n| {
        let mode = [Mode::Pret, Mode::Port, Mode::Pasv][(n % 3) as usize];
        let mut ftp = cluster.login()?;
        ftp.upload(mode, "STOR", &format!("f{n}"), Bytes::new(n, EACH))?;
        Ok(())
    })?;
    at_once(|cluster, n| {
        let mode = [Mode::Pasv, Mode::Pret, Mode::Port][(n % 3) as usize];
        let back = cluster.login()?.get(mode, &format!("f{n}"))?;
        let wanted = Bytes::vec(n, EACH as usize);
        ensure!(first_difference(&back, &wanted).is_none(), "f{n} differs");
        Ok(())
    })?;
    for slave in &cluster.slaves {
        let files = std::fs::read_dir(&slave.root)?.count();
        ensure!(
            files > 10,
            "{} took only {files} of a hundred files",
            slave.name
        );
    }
    Ok(())
}

#[test]
fn two_trees_with_the_same_content_become_two_copies_and_other_content_is_kept_beside() -> Result<()>
{
    let mut cluster = Cluster::start(0)?;
    for number in 1..=2 {
        let root = cluster.path().join(format!("tree-{number}"));
        std::fs::create_dir_all(root.join("a/b"))?;
        std::fs::write(root.join("a/b/same.bin"), Bytes::vec(5, 500_000))?;
        std::fs::write(root.join("a/other.bin"), Bytes::vec(number, 1000))?;
        std::fs::write(root.join(format!("only {number}.bin")), b"alone")?;
        cluster.add_slave(number as usize, root)?;
        cluster.wait_online(number as usize)?;
    }
    let read_everything = |cluster: &Cluster| -> Result<Vec<String>> {
        let mut ftp = cluster.login()?;
        ensure!(ftp.get(Mode::Pret, "a/b/same.bin")? == Bytes::vec(5, 500_000));
        ensure!(ftp.get(Mode::Pret, "a/other.bin")? == Bytes::vec(1, 1000));
        ftp.names(Mode::Pret, "a")
    };
    let names = read_everything(&cluster)?;
    ensure!(
        names
            .iter()
            .any(|n| n.contains("other.bin.conflict-slave-2")),
        "{names:?}"
    );
    let beside = cluster
        .login()?
        .get(Mode::Pret, "a/other.bin.conflict-slave-2")?;
    ensure!(beside == Bytes::vec(2, 1000));

    // Two copies: the file stays readable without the first slave.
    cluster.kill_slave(0)?;
    cluster.wait_online(1)?;
    let mut ftp = cluster.login()?;
    ensure!(ftp.get(Mode::Pret, "a/b/same.bin")? == Bytes::vec(5, 500_000));
    // And nothing is gone from the list because a slave is away.
    ensure!(
        ftp.names(Mode::Pret, "")?
            .contains(&"only 1.bin".to_string())
    );
    ftp.data(Mode::Pasv, "", "")?;
    ftp.ask("RETR only 1.bin", 450)?;

    // Back again, nothing changes.
    cluster.start_slave(0)?;
    cluster.wait_online(2)?;
    ensure!(read_everything(&cluster)? == names);
    Ok(())
}

#[test]
fn a_growing_file_can_be_read_while_it_comes_in() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let (mut writer, mut reader) = (cluster.login()?, cluster.login()?);
    let data = writer.data(Mode::Pret, "STOR", "grows.bin")?;
    writer.ask("STOR grows.bin", 150)?;
    let mut up = data.stream()?;
    let whole = Bytes::vec(31, 2_000_000);
    std::io::Write::write_all(&mut up, &whole[..1_000_000])?;

    let data = reader.data(Mode::Pret, "RETR", "grows.bin")?;
    reader.ask("RETR grows.bin", 150)?;
    let mut down = data.stream()?;
    let mut back = vec![0; 1_000_000];
    down.read_exact(&mut back)?;
    std::io::Write::write_all(&mut up, &whole[1_000_000..])?;
    up.shutdown(Shutdown::Write)?;
    writer.expect(226)?;
    down.read_to_end(&mut back)?;
    reader.expect(226)?;
    ensure!(first_difference(&back, &whole).is_none());
    Ok(())
}
