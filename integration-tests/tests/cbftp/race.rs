//! A race: a release spreads over two sites while it is still coming in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Result, ensure};
use drftpd_integration_tests::Bytes;
use drftpd_integration_tests::cbftp::{Became, Listed, Passive, fxp};
use drftpd_integration_tests::data::first_difference;

use super::{login, site};

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
        let there = |it: &&Listed| whole.get(&it.name) == Some(&it.size);
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
