//! Every way to a data connection, for every kind of transfer: what ordinary clients do.

use drftpd_actors::testkit::sim;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::cluster::*;
use crate::ftp::data::{PassiveConfig, WithoutPret};
use crate::transfer::Direction;
use crate::vfs::FileState;

#[test]
fn a_file_goes_up_is_listed_and_comes_back_on_every_way() {
    sim(async {
        let mut cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        let bytes = some_bytes(300_000);
        for (number, how) in ALL.into_iter().enumerate() {
            let name = format!("file-{number}");
            let end = put(&cluster, &mut bob, how, &format!("STOR {name}"), &bytes).await;
            assert!(end.contains("300000 bytes in "), "{end}");
            assert_eq!(end.lines().count(), 1);
            let entry = cluster.stat(&format!("/{name}")).await.unwrap();
            assert_eq!((entry.state, entry.size), (FileState::Complete, 300_000));
            assert_eq!((entry.owner.as_str(), entry.crc32.is_some()), ("bob", true));
            let got = get(&cluster, &mut bob, how, &format!("RETR {name}")).await;
            assert!(got == bytes, "{how:?}");
            let listed = get(&cluster, &mut bob, how, "NLST").await;
            let listed = String::from_utf8(listed).unwrap();
            assert!(listed.contains(&name), "{how:?}: {listed}");
        }
        let logged = cluster.logged.drain();
        assert_eq!(logged.len(), 10);
        assert!(
            logged
                .iter()
                .all(|event| event.complete && event.bytes == 300_000)
        );
        let ups = logged
            .iter()
            .filter(|event| event.direction == Direction::Upload);
        assert_eq!(ups.count(), 5);
        let counts = cluster.data.relays.counts();
        assert_eq!((counts.to_slave, counts.to_client), (600_000, 600_000));
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_prepared_file_is_at_its_place_on_the_slaves_disk() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        bob.ask("MKD pub", 257).await;
        put(&cluster, &mut bob, How::Pasv, "STOR pub/x", b"bytes").await;
        drftpd_actors::testkit::settle().await;
        let at = cluster.root(1).join("pub/x");
        assert_eq!(std::fs::read(at).unwrap(), b"bytes");
    });
}

#[test]
fn empty_files_are_kept() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        for (number, how) in ALL.into_iter().enumerate() {
            put(&cluster, &mut bob, how, &format!("STOR {number}"), b"").await;
            assert_eq!(
                get(&cluster, &mut bob, how, &format!("RETR {number}")).await,
                b""
            );
            let entry = cluster.stat(&format!("/{number}")).await.unwrap();
            assert_eq!((entry.state, entry.crc32), (FileState::Complete, Some(0)));
        }
    });
}

#[test]
fn a_file_may_be_overwritten_and_the_old_one_is_readable_until_then() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let (mut bob, mut eve) = (cluster.user().await, cluster.user().await);
        put(&cluster, &mut bob, How::Pasv, "STOR x", b"old").await;
        let mut data = agree(&cluster, &mut bob, How::Pasv, "STOR x")
            .await
            .io()
            .await;
        bob.ask("STOR x", 150).await;
        data.write_all(b"newer").await.unwrap();
        assert_eq!(get(&cluster, &mut eve, How::Pasv, "RETR x").await, b"old");
        data.shutdown().await.unwrap();
        bob.expect(226).await;
        assert_eq!(get(&cluster, &mut eve, How::Pasv, "RETR x").await, b"newer");
    });
}

#[test]
fn rest_and_appe_go_on_where_they_should() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        put(&cluster, &mut bob, How::Pasv, "STOR x", b"0123456789").await;
        for how in [How::Pasv, How::Port] {
            bob.ask("REST 4", 350).await;
            assert_eq!(get(&cluster, &mut bob, how, "RETR x").await, b"456789");
        }
        bob.ask("REST 10", 350).await;
        assert_eq!(get(&cluster, &mut bob, How::Pasv, "RETR x").await, b"");
        bob.ask("REST 11", 350).await;
        bob.ask("PASV", 227).await;
        bob.ask("RETR x", 554).await;
        put(&cluster, &mut bob, How::Pasv, "APPE x", b"ab").await;
        bob.ask("REST 11", 350).await;
        put(&cluster, &mut bob, How::Port, "STOR x", b"BC").await;
        assert_eq!(
            get(&cluster, &mut bob, How::Pasv, "RETR x").await,
            b"0123456789aBC"
        );
        put(&cluster, &mut bob, How::Pasv, "APPE new", b"n").await;
        bob.ask("REST 99", 350).await;
        bob.ask("PASV", 227).await;
        bob.ask("STOR x", 554).await;
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn names_that_are_made_are_told_in_150_and_226() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        for (how, line) in [
            (How::Pasv, "STOU"),
            (How::Pret, "STOU"),
            (How::Port, "STOU wish.jpg"),
        ] {
            let data = agree(&cluster, &mut bob, how, line).await;
            let begun = bob.ask(line, 150).await;
            assert!(begun.starts_with("150 FILE: "), "{begun}");
            let mut io = data.io().await;
            io.write_all(b"unique").await.unwrap();
            io.shutdown().await.unwrap();
            let end = bob.expect(226).await;
            let name = made_name(&begun);
            assert_eq!(made_name(&end), name);
            let got = get(&cluster, &mut bob, How::Pasv, &format!("RETR {name}")).await;
            assert_eq!(got, b"unique");
        }
    });
}

#[test]
fn what_cannot_be_moved_is_refused_without_150() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        bob.ask("MKD dir", 257).await;
        put(&cluster, &mut bob, How::Pasv, "STOR x", b"x").await;
        bob.ask("RETR x", 425).await;
        bob.ask("STOR y", 425).await;
        for (line, code) in [
            ("RETR none", 550),
            ("RETR dir", 550),
            ("STOR dir", 550),
            ("STOR none/x", 550),
            ("STOR x/y", 550),
            ("STOR .drftpd-x", 553),
            ("RETR", 501),
            ("STOR", 501),
        ] {
            bob.ask("PASV", 227).await;
            bob.ask(line, code).await;
        }
        assert!(matches!(
            cluster.stat("/y").await,
            Err(crate::vfs::VfsError::NotFound(_))
        ));
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn with_nobody_on_the_data_connection_it_is_425_and_the_new_entry_is_gone() {
    sim(async {
        let mut cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        put(&cluster, &mut bob, How::Pasv, "STOR x", b"old").await;
        cluster.logged.drain();
        for line in ["STOR new", "STOR x", "RETR x"] {
            bob.ask("PASV", 227).await;
            bob.ask(line, 150).await;
            bob.expect(425).await;
            bob.ask("PORT 192,0,2,1,19,136", 200).await;
            bob.ask(line, 150).await;
            bob.expect(425).await;
            bob.ask(&format!("PRET {line}"), 200).await;
            bob.ask("PASV", 227).await;
            bob.ask(line, 150).await;
            bob.expect(425).await;
        }
        assert!(matches!(
            cluster.stat("/new").await,
            Err(crate::vfs::VfsError::NotFound(_))
        ));
        assert_eq!(get(&cluster, &mut bob, How::Pasv, "RETR x").await, b"old");
        let logged = cluster.logged.drain();
        assert_eq!(logged.iter().filter(|event| !event.complete).count(), 9);
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_slave_that_is_away_makes_its_files_450_and_uploads_452() {
    sim(async {
        let cluster = Cluster::start(Setting {
            slaves: 0,
            ..Setting::default()
        })
        .await;
        let root = cluster.files.root("gone", 9).await;
        let vfs = &cluster.files.vfs;
        let owner = crate::vfs::Owner {
            user: "bob".to_owned(),
            group: "users".to_owned(),
        };
        let at = vfs_path("/x");
        let begun = vfs.begin_upload(&at, crate::vfs::UploadMode::Store, owner, root);
        let file = begun.await.unwrap().file;
        let bytes = crate::vfs::PreparedBytes {
            size: 1,
            crc32: 1,
            blake3: None,
            received: 1,
        };
        vfs.commit_upload(file, root, bytes).await.unwrap();
        let mut bob = cluster.user().await;
        bob.ask("PASV", 227).await;
        bob.ask("RETR x", 450).await;
        bob.ask("PRET RETR x", 450).await;
        bob.ask("PASV", 227).await;
        bob.ask("STOR y", 452).await;
        bob.ask("PRET STOR y", 200).await;
        bob.ask("PASV", 452).await;
    });
}

#[test]
fn relays_are_bounded_and_files_need_pret_where_it_is_demanded() {
    sim(async {
        let cluster = Cluster::start(Setting {
            passive: PassiveConfig {
                relay_max: 1,
                ..PassiveConfig::default()
            },
            ..Setting::default()
        })
        .await;
        let (mut bob, mut eve) = (cluster.user().await, cluster.user().await);
        let _data = agree(&cluster, &mut bob, How::Pasv, "STOR x").await;
        bob.ask("STOR x", 150).await;
        eve.ask("PASV", 227).await;
        eve.ask("STOR y", 450).await;
        put(&cluster, &mut eve, How::Port, "STOR y", b"y").await;

        let refusing = Cluster::start(Setting {
            passive: PassiveConfig {
                without_pret: WithoutPret::Refuse,
                ..PassiveConfig::default()
            },
            ..Setting::default()
        })
        .await;
        let mut bob = refusing.user().await;
        put(&refusing, &mut bob, How::Pret, "STOR x", b"x").await;
        put(&refusing, &mut bob, How::Port, "STOR y", b"y").await;
        bob.ask("PRET LIST", 200).await;
        bob.ask("PASV", 227).await;
        let told = bob.ask("RETR x", 503).await;
        assert!(told.contains("PRET"), "{told}");
    });
}

#[test]
fn stat_shows_a_running_transfer_and_listings_its_size() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let (mut bob, mut eve) = (cluster.user().await, cluster.user().await);
        let mut data = agree(&cluster, &mut bob, How::Pasv, "STOR x")
            .await
            .io()
            .await;
        bob.ask("STOR x", 150).await;
        data.write_all(&some_bytes(5000)).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        let status = bob.ask("STAT", 211).await;
        assert!(status.contains("Receiving /x: 5000 bytes"), "{status}");
        let listed = eve.ask("STAT -l", 213).await;
        assert!(listed.contains(" 5000 "), "{listed}");
        assert!(!cluster.is_clean().await, "a transfer runs");
        // It can be read while it grows.
        let mut reading = agree(&cluster, &mut eve, How::Pasv, "RETR x")
            .await
            .io()
            .await;
        eve.ask("RETR x", 150).await;
        data.write_all(b"end").await.unwrap();
        data.shutdown().await.unwrap();
        bob.expect(226).await;
        let mut all = Vec::new();
        reading.read_to_end(&mut all).await.unwrap();
        drop(reading);
        eve.expect(226).await;
        assert_eq!(all.len(), 5003);
    });
}
