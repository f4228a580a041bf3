//! cbftp's behaviour without TLS against real processes: jobs, races and FXP, as it does them on the wire.
// Real processes have a real clock.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Result, ensure};
use drftpd_integration_tests::cbftp::{Became, Cbftp, Passive, fxp};
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::data::first_difference;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec};

/// A site whose slaves have an address of their own, where what is there may not be sent again.
fn site(host: &str, slaves_at: &str, slaves: usize) -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        slaves,
        host: host.to_owned(),
        master: vec![
            "accounts.administrators_fxp=true".to_owned(),
            "accounts.administrators_overwrite=false".to_owned(),
        ],
        slave: vec![
            format!("transfer.bind=\"{slaves_at}\""),
            format!("transfer.dial_from=\"{slaves_at}\""),
            "transfer.progress_every=\"100ms\"".to_owned(),
        ],
        ..ClusterSpec::default()
    })
}

fn login(at: SocketAddr) -> Result<Cbftp> {
    Cbftp::login(at, USER, PASSWORD)
}

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

#[test]
fn fxp_between_two_of_our_clusters_goes_both_ways_whichever_side_listens() -> Result<()> {
    let (here, there) = (
        site("127.0.0.1", "127.0.0.3", 2)?,
        site("127.0.0.2", "127.0.0.4", 2)?,
    );
    let (mut a, mut b) = (login(here.ftp)?, login(there.ftp)?);
    a.enter("/x")?;
    b.enter("/x")?;
    for (seed, passive) in (1..).zip([Passive::Source, Passive::Target]) {
        let (forth, back) = (format!("forth-{seed}"), format!("back-{seed}"));
        let bytes = Bytes::vec(seed, 700_000);
        a.upload(&forth, &bytes)?;
        assert_eq!(fxp(&mut a, &mut b, &forth, passive)?, Became::Done);
        assert_eq!(first_difference(&b.download(&forth)?, &bytes), None);
        // It is there now.
        assert_eq!(fxp(&mut a, &mut b, &forth, passive)?, Became::Dupe);
        b.upload(&back, &bytes)?;
        assert_eq!(fxp(&mut b, &mut a, &back, passive)?, Became::Done);
        assert_eq!(first_difference(&a.download(&back)?, &bytes), None);
    }
    // Straight between the slaves.
    for cluster in [&here, &there] {
        let stat = cluster.ctl(&["stat"])?;
        assert_eq!(stat["running"]["relayed_to_slaves"], 0, "{stat}");
        assert_eq!(stat["running"]["relayed_to_clients"], 0, "{stat}");
    }
    Ok(())
}

#[test]
fn without_the_right_to_fxp_neither_side_plays_its_part() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut client = login(cluster.ftp)?;
    client.upload("x", b"bytes")?;
    for refused in ["PORT 127,0,0,9,19,136", "PORT 192,0,2,1,19,136"] {
        client.want(refused, &[504])?;
    }
    client.want("PRET RETR x", &[200])?;
    let at = client.pasv()?;
    let stranger = socket_from("127.0.0.9", at)?;
    client.want("RETR x", &[150])?;
    let mut stolen = Vec::new();
    let mut stranger = stranger;
    drop(stranger.read_to_end(&mut stolen));
    assert_eq!(stolen, b"");
    let mut own = std::net::TcpStream::connect(at)?;
    let mut got = Vec::new();
    own.read_to_end(&mut got)?;
    drop(own);
    assert_eq!(client.reply()?.code, 226);
    assert_eq!(got, b"bytes");
    Ok(())
}

/// A connection that comes from another address of this machine.
fn socket_from(ip: &str, to: SocketAddr) -> Result<std::net::TcpStream> {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::new(ip.parse()?, 0))?;
    connect(&socket, &to)?;
    let stream = std::net::TcpStream::from(socket);
    stream.set_read_timeout(Some(drftpd_integration_tests::process::PATIENCE))?;
    Ok(stream)
}

/// A release: an sfv, an nfo, and volumes, with the CRC-32 of each.
fn release(volumes: u64) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for number in 0..volumes {
        let name = match number {
            0 => "grp-release.rar".to_owned(),
            _ => format!("grp-release.r{:02}", number - 1),
        };
        files.insert(
            name,
            Bytes::vec(100 + number, 150_000 + 1000 * number as usize),
        );
    }
    let sum = |bytes: &[u8]| {
        let mut crc = 0xFFFF_FFFFu32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
            }
        }
        !crc
    };
    let lines = files
        .iter()
        .map(|(name, bytes)| format!("{name} {:08x}\r\n", sum(bytes)));
    let sfv: String = lines.collect();
    files.insert("grp-release.sfv".to_owned(), sfv.into_bytes());
    files.insert("grp-release.nfo".to_owned(), b"about it".to_vec());
    files
}

/// What a race knows: what somebody has begun, and how often a name was there already.
#[derive(Default)]
struct Race {
    begun: Mutex<BTreeSet<(usize, String)>>,
    dupes: Mutex<usize>,
}

/// One pair of logins of a racer: looks, takes the best file that the target lacks, moves it, until all is there.
fn race(sites: [SocketAddr; 2], racer: usize, expected: usize, race: &Race) -> Result<()> {
    let (mut from, mut to) = (login(sites[0])?, login(sites[1])?);
    from.enter("/rel")?;
    to.enter("/rel")?;
    let until = Instant::now() + drftpd_integration_tests::process::PATIENCE;
    loop {
        let (source, target) = (from.stat()?, to.stat()?);
        let whole: BTreeMap<_, _> = source.iter().map(|it| (&it.name, it.size)).collect();
        let there =
            |it: &&drftpd_integration_tests::cbftp::Listed| whole.get(&it.name) == Some(&it.size);
        if target.iter().filter(there).count() == expected {
            return Ok(());
        }
        ensure!(Instant::now() < until, "not complete: {target:?}");
        let mut wanted: Vec<_> = source
            .iter()
            .filter(|it| it.size > 0 && !target.iter().any(|other| other.name == it.name))
            .map(|it| it.name.clone())
            .collect();
        // The sfv before all else, the nfo last.
        wanted.sort_by_key(|name| match name.rsplit('.').next() {
            Some("sfv") => 0,
            Some("nfo") => 2,
            _ => 1,
        });
        let next = {
            let mut begun = race.begun.lock().expect("no panic before");
            wanted
                .into_iter()
                .find(|name| begun.insert((racer, name.clone())))
        };
        let Some(name) = next else { continue };
        if fxp(&mut from, &mut to, &name, Passive::Source)? == Became::Dupe {
            *race.dupes.lock().expect("no panic before") += 1;
        }
    }
}

#[test]
fn a_release_with_an_sfv_spreads_over_two_sites_by_two_racers_with_three_logins_each() -> Result<()>
{
    let (here, there) = (
        site("127.0.0.1", "127.0.0.3", 2)?,
        site("127.0.0.2", "127.0.0.4", 2)?,
    );
    let files = release(12);
    let mut uploader = login(here.ftp)?;
    uploader.enter("/rel")?;
    uploader.upload("grp-release.sfv", &files["grp-release.sfv"])?;
    let (sites, state) = ([here.ftp, there.ftp], Race::default());
    std::thread::scope(|scope| -> Result<()> {
        let racers: Vec<_> = (0..6)
            .map(|login| {
                scope.spawn({
                    let state = &state;
                    let expected = files.len();
                    move || race(sites, login / 3, expected, state)
                })
            })
            .collect();
        // The source is still being filled while they race.
        for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with("sfv")) {
            uploader.upload(name, bytes)?;
        }
        for racer in racers {
            racer.join().expect("no panic")?;
        }
        Ok(())
    })?;
    println!("{} dupes", state.dupes.lock().expect("no panic before"));
    let mut ftp = there.login()?;
    let sfv = String::from_utf8(files["grp-release.sfv"].clone())?;
    for line in sfv.lines() {
        let (name, sum) = line.split_once(' ').expect("two words");
        let told = ftp.ask(&format!("XCRC /rel/{name}"), 250)?;
        assert!(told.to_lowercase().ends_with(sum), "{name}: {told}");
    }
    let mut client = login(there.ftp)?;
    client.enter("/rel")?;
    for (name, bytes) in &files {
        assert_eq!(
            first_difference(&client.download(name)?, bytes),
            None,
            "{name}"
        );
    }
    Ok(())
}
