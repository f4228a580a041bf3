//! Uploads, downloads and listings of one login.

use std::io::{Read, Write};
use std::time::Instant;

use anyhow::{Result, ensure};
use drftpd_integration_tests::Bytes;
use drftpd_integration_tests::cbftp::{Became, Cbftp};
use drftpd_integration_tests::cluster::USER;
use drftpd_integration_tests::data::first_difference;

use super::{login, site};

#[test]
fn own_transfers_without_feat_and_type_are_binary_and_dupes_are_understood() -> Result<()> {
    let cluster = site("127.0.0.1", "127.0.0.3", 2)?;
    let mut client = login(cluster.ftp)?;
    client.enter("/rel")?;
    // Whatever ASCII would change.
    let bytes = [
        Bytes::vec(1, 100_000),
        b"a\r\nb\nc\rd\r\r\n\x1a\xff\xf4".to_vec(),
    ]
    .concat();
    assert_eq!(client.upload("a.rar", &bytes)?, Became::Done);
    assert_eq!(client.upload("b.rar", b"x")?, Became::Done);
    let back = client.download("a.rar")?;
    assert_eq!(first_difference(&back, &bytes), None);
    for (listing, entries) in [("STAT", client.stat()?), ("LIST", client.list()?)] {
        let seen: Vec<_> = entries
            .iter()
            .map(|it| (it.name.as_str(), it.size))
            .collect();
        assert_eq!(
            seen,
            [("a.rar", bytes.len() as u64), ("b.rar", 1)],
            "{listing}"
        );
        assert!(entries.iter().all(|it| it.owner == USER), "{entries:?}");
    }
    client.dupes.clear();
    assert_eq!(client.upload("a.rar", b"other")?, Became::Dupe);
    assert_eq!(client.dupes, ["a.rar", "b.rar"]);
    // A second MKD of the same directory is success for it.
    client.enter("/rel")?;
    let again = client.ask("MKD /rel")?;
    assert!(
        again.code == 550 && again.text.contains("already exists"),
        "{again:?}"
    );
    client.want("DELE b.rar", &[250])?;
    client.want("QUIT", &[221])?;
    Ok(())
}

#[test]
fn start_and_end_of_tiny_transfers_are_two_replies() -> Result<()> {
    let cluster = site("127.0.0.1", "127.0.0.3", 1)?;
    let mut client = login(cluster.ftp)?;
    client.enter("/tiny")?;
    for number in 0..30 {
        let name = format!("{number}");
        client.upload(&name, b"x")?;
        assert_eq!(client.download(&name)?, b"x");
        assert_eq!(client.list()?.len(), number + 1);
    }
    Ok(())
}

#[test]
fn storms_of_stat_see_files_in_flight_and_cost_little() -> Result<()> {
    let cluster = site("127.0.0.1", "127.0.0.3", 1)?;
    let (mut racer, mut watcher) = (login(cluster.ftp)?, login(cluster.ftp)?);
    racer.enter("/race")?;
    for number in 0..100 {
        racer.upload(&format!("done.r{number:02}"), b"whole")?;
    }
    watcher.enter("/race")?;
    let mut data = racer.begin_upload("flying.rar")?.expect("no dupe");
    let half = Bytes::vec(3, 400_000);
    data.write_all(&half)?;
    let begun = Instant::now();
    let (mut asked, mut live) = (0u32, 0);
    // As fast as it answers, until the size of what was sent shows, and a storm's worth in any case.
    while live < half.len() as u64 || asked < 400 {
        let entries = watcher.stat()?;
        assert_eq!(entries.len(), 101);
        let flying = entries.iter().find(|it| it.name == "flying.rar");
        let size = flying.expect("it shows while it flies").size;
        assert!(size >= live, "{size} after {live}");
        live = size;
        asked += 1;
        ensure!(
            begun.elapsed().as_secs() < 60,
            "{asked} in a minute, {live} bytes"
        );
    }
    let rate = f64::from(asked) / begun.elapsed().as_secs_f64();
    println!("{asked} STAT -l of 101 entries, {rate:.0} a second, while a file came in");
    // cbftp asks up to 20 times a second and site.
    assert!(rate > 60.0, "{rate}");
    drop(data);
    let end = racer.reply()?;
    assert_eq!(end.code, 226, "{end:?}");
    Ok(())
}

#[test]
fn closing_the_control_connection_ends_the_transfer_at_once_on_the_slave_too() -> Result<()> {
    let cluster = site("127.0.0.1", "127.0.0.3", 1)?;
    let mut client = login(cluster.ftp)?;
    client.enter("/cut")?;
    let whole = Bytes::vec(5, 300_000);
    client.upload("big.rar", &Bytes::vec(4, 8_000_000))?;
    // An upload in the middle.
    let mut up = client.begin_upload("half.rar")?.expect("no dupe");
    up.write_all(&whole[..200_000])?;
    // A download of which nothing is taken.
    let mut other = login(cluster.ftp)?;
    other.enter("/cut")?;
    other.want("PRET RETR big.rar", &[200])?;
    let at = other.pasv()?;
    let mut down = std::net::TcpStream::connect(at)?;
    assert_eq!(other.ask("RETR big.rar")?.code, 150);
    let mut watcher = login(cluster.ftp)?;
    watcher.enter("/cut")?;
    let size_of = |watcher: &mut Cbftp| -> Result<u64> {
        let entries = watcher.stat()?;
        let half = entries.iter().find(|it| it.name == "half.rar");
        Ok(half.map_or(0, |it| it.size))
    };
    while size_of(&mut watcher)? < 200_000 {}
    let begun = Instant::now();
    client.hang_up()?;
    other.hang_up()?;
    // The slave closes both data connections, whatever is in them.
    let mut rest = vec![0; 16_000_000];
    for data in [&mut up, &mut down] {
        data.set_read_timeout(Some(drftpd_integration_tests::process::PATIENCE))?;
        while matches!(data.read(&mut rest), Ok(1..)) {}
    }
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    // What came is kept: not handed out as whole, and its owner goes on with it.
    while watcher.ask("PRET RETR half.rar")?.code != 450 {
        ensure!(begun.elapsed().as_secs() < 60, "it is still handed out");
    }
    cluster.wait_until("no channel is left on the slave", |cluster| {
        let slaves = cluster.ctl(&["slave", "list"])?;
        Ok(slaves["slaves"][0]["transfers"] == 0)
    })?;
    assert_eq!(size_of(&mut watcher)?, 200_000);
    let mut ftp = cluster.login()?;
    ftp.ask("REST 200000", 350)?;
    ftp.put(
        drftpd_integration_tests::Mode::Pret,
        "/cut/half.rar",
        &whole[200_000..],
    )?;
    let back = watcher.download("half.rar")?;
    assert_eq!(first_difference(&back, &whole), None);
    Ok(())
}

#[test]
fn after_a_refused_stor_a_bare_pasv_is_answered_and_a_broken_port_is_501() -> Result<()> {
    let cluster = site("127.0.0.1", "127.0.0.3", 1)?;
    let (mut first, mut second) = (login(cluster.ftp)?, login(cluster.ftp)?);
    first.enter("/late")?;
    second.enter("/late")?;
    // Both are told that they may; the first is there first.
    first.want("PRET STOR x", &[200])?;
    second.want("PRET STOR x", &[200])?;
    let at = second.pasv()?;
    let _early = std::net::TcpStream::connect(at)?;
    assert_eq!(first.upload("x", b"mine")?, Became::Done);
    let refused = second.want("STOR x", &[553])?;
    assert!(refused.text.contains("uploaded by admin"), "{refused:?}");
    second.ask("PASV")?;
    assert_eq!(second.upload("y", b"go on")?, Became::Done);
    for broken in ["PORT ,19,136", "PORT 1,2,3", "PORT a,b,c,d,e,f"] {
        second.want(broken, &[501])?;
    }
    assert_eq!(second.download("x")?, b"mine");
    Ok(())
}
