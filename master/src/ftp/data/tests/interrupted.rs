//! Transfers that do not come to their end: ABOR, lost clients, lost slaves, stalls, and what is kept of them.

use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::cluster::*;
use crate::vfs::{FileState, VfsError};

/// The ways that differ in who holds the connection.
const WAYS: [How; 3] = [How::Pret, How::Pasv, How::Port];

#[test]
fn an_aborted_upload_is_426_then_226_and_its_bytes_are_kept_for_a_resume() {
    sim(async {
        let mut cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        for (number, how) in WAYS.into_iter().enumerate() {
            let line = format!("STOR {number}");
            let data = agree(&cluster, &mut bob, how, &line).await;
            bob.ask(&line, 150).await;
            let mut io = data.io().await;
            io.write_all(b"0123456789").await.unwrap();
            settle().await;
            bob.ask("ABOR", 426).await;
            bob.expect(226).await;
            let name = format!("/{number}");
            let entry = cluster.stat(&name).await.unwrap();
            assert_eq!(
                (entry.state, entry.size),
                (FileState::Partial, 10),
                "{how:?}"
            );
            bob.ask("PASV", 227).await;
            bob.ask(&format!("RETR {number}"), 450).await;
            bob.ask("REST 10", 350).await;
            put(&cluster, &mut bob, how, &line, b"abc").await;
            let got = get(&cluster, &mut bob, how, &format!("RETR {number}")).await;
            assert_eq!(got, b"0123456789abc");
        }
        let logged = cluster.logged.drain();
        assert_eq!(logged.iter().filter(|event| !event.complete).count(), 3);
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_resume_behind_what_is_left_in_staging_is_refused_once_and_then_goes_on_from_there() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        for (number, left) in [(0, 4), (1, 0)] {
            let line = format!("STOR {number}");
            let data = agree(&cluster, &mut bob, How::Pret, &line).await;
            bob.ask(&line, 150).await;
            let mut io = data.io().await;
            io.write_all(b"0123456789").await.unwrap();
            settle().await;
            bob.ask("ABOR", 426).await;
            bob.expect(226).await;
            let staging = cluster.root(1).join(".drftpd/staging");
            let file = std::fs::read_dir(staging).unwrap().next().unwrap();
            let file = std::fs::File::options()
                .write(true)
                .open(file.unwrap().path());
            file.unwrap().set_len(left).unwrap();

            bob.ask(&format!("PRET {line}"), 200).await;
            bob.ask("PASV", 227).await;
            bob.ask("REST 10", 350).await;
            bob.ask(&line, 450).await;
            let entry = cluster.stat(&format!("/{number}")).await;
            assert_eq!(
                entry.ok().map(|entry| entry.size),
                (left > 0).then_some(left)
            );
            bob.ask(&format!("REST {left}"), 350).await;
            let rest = &b"0123456789"[usize::try_from(left).unwrap()..];
            put(&cluster, &mut bob, How::Pret, &line, rest).await;
            let got = get(&cluster, &mut bob, How::Pret, &format!("RETR {number}")).await;
            assert_eq!(got, b"0123456789");
        }
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn an_aborted_download_is_426_then_226() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        put(
            &cluster,
            &mut bob,
            How::Pret,
            "STOR x",
            &some_bytes(2_000_000),
        )
        .await;
        for how in WAYS {
            let data = agree(&cluster, &mut bob, how, "RETR x").await;
            bob.ask("RETR x", 150).await;
            let mut io = data.io().await;
            io.read_exact(&mut [0; 1000]).await.unwrap();
            bob.ask("ABOR", 426).await;
            bob.expect(226).await;
            let mut rest = Vec::new();
            io.read_to_end(&mut rest).await.ok();
            assert!(rest.len() < 1_999_000, "{how:?}: it was not cut");
        }
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_lost_control_connection_ends_the_transfer_on_the_slave_too() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        for (number, how) in WAYS.into_iter().enumerate() {
            let mut bob = cluster.user().await;
            let line = format!("STOR {number}");
            let data = agree(&cluster, &mut bob, how, &line).await;
            bob.ask(&line, 150).await;
            let mut io = data.io().await;
            io.write_all(b"0123456789").await.unwrap();
            settle().await;
            drop(bob);
            settle().await;
            let mut end = Vec::new();
            io.read_to_end(&mut end).await.ok();
            let entry = cluster.stat(&format!("/{number}")).await.unwrap();
            assert_eq!(
                (entry.state, entry.size),
                (FileState::Partial, 10),
                "{how:?}"
            );
        }
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_client_that_leaves_right_after_its_last_byte_has_its_file() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        for (number, how) in WAYS.into_iter().enumerate() {
            let mut bob = cluster.user().await;
            let line = format!("STOR {number}");
            let data = agree(&cluster, &mut bob, how, &line).await;
            bob.ask(&line, 150).await;
            let mut io = data.io().await;
            io.write_all(b"whole").await.unwrap();
            io.shutdown().await.unwrap();
            // The slave closes its side when it has prepared the file; the master has not said 226 yet.
            io.read_to_end(&mut Vec::new()).await.unwrap();
            bob.read().await;
            drop(bob);
            let entry = cluster.stat(&format!("/{number}")).await.unwrap();
            assert_eq!(
                (entry.state, entry.size),
                (FileState::Complete, 5),
                "{how:?}"
            );
        }
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_transfer_that_stalls_is_ended_after_the_limit() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        put(
            &cluster,
            &mut bob,
            How::Pret,
            "STOR big",
            &some_bytes(2_000_000),
        )
        .await;
        for how in WAYS {
            for line in ["STOR x", "RETR big"] {
                let data = agree(&cluster, &mut bob, how, line).await;
                bob.ask(line, 150).await;
                let _io = data.io().await;
                let end = bob.expect(426).await;
                assert!(end.contains("talled") || end.contains("broke"), "{end}");
            }
        }
        assert!(matches!(
            cluster.stat("/x").await,
            Err(VfsError::NotFound(_))
        ));
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_kicked_session_leaves_nothing_behind() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        let data = agree(&cluster, &mut bob, How::Pasv, "STOR x").await;
        bob.ask("STOR x", 150).await;
        let mut io = data.io().await;
        io.write_all(b"0123456789").await.unwrap();
        settle().await;
        bob.send("QUIT\r\n").await;
        drop(bob);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(cluster.is_clean().await);
    });
}
