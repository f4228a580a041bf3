//! Uploads that must have two copies before 226: whatever becomes of the second slave, of the client and of the file.

use std::path::PathBuf;

use drftpd_actors::BoxIo;
use drftpd_actors::testkit::{settle, sim};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::cluster::*;
use crate::copies::{AckElse, CopiesConfig, CopyRule};
use crate::ftp::testkit::FtpScript;
use crate::slaves::slave_of;
use crate::vfs::FileState;

/// Two copies of everything before 226.
fn setting(slaves: u8, ack_else: AckElse) -> Setting {
    let rule = CopyRule {
        copies: 2,
        ack_copies: 2,
        ack_else,
        ..CopyRule::none()
    };
    let copies = CopiesConfig {
        rules: vec![rule],
        ..CopiesConfig::default()
    };
    Setting {
        slaves,
        copies,
        ..Setting::default()
    }
}

/// An upload of which some bytes have come.
async fn begun(cluster: &Cluster, bob: &mut FtpScript, line: &str) -> BoxIo {
    let data = agree(cluster, bob, How::Pret, line).await;
    bob.ask(line, 150).await;
    let mut io = data.io().await;
    io.write_all(b"01234").await.unwrap();
    settle().await;
    io
}

async fn end(mut io: BoxIo) {
    io.write_all(b"56789").await.unwrap();
    io.shutdown().await.unwrap();
}

/// How many slaves have this file, published or in staging.
fn with_bytes(cluster: &Cluster, slaves: u8, name: &str, bytes: &[u8]) -> usize {
    let has = |number: &u8| {
        let at = cluster.root(*number).join(name);
        std::fs::read(at).is_ok_and(|found| found == bytes)
    };
    (1..=slaves).filter(has).count()
}

fn staged(cluster: &Cluster, slave: u8) -> Vec<PathBuf> {
    let staging = std::fs::read_dir(cluster.root(slave).join(".drftpd/staging")).unwrap();
    staging.map(|file| file.unwrap().path()).collect()
}

/// The slaves that have something in staging: the one that receives, and the second one.
fn slaves_with_staged(cluster: &Cluster, slaves: u8) -> Vec<u8> {
    let has = |number: &u8| !staged(cluster, *number).is_empty();
    (1..=slaves).filter(has).collect()
}

async fn holders(cluster: &Cluster, path: &str) -> usize {
    let readable = cluster.files.vfs.readable(&vfs_path(path)).await;
    readable.unwrap().holders.len()
}

/// The slave that receives a file.
async fn receiver(cluster: &Cluster, path: &str) -> u8 {
    let readable = cluster.files.vfs.readable(&vfs_path(path)).await.unwrap();
    let views = cluster.slaves.views().borrow().clone();
    let slave = slave_of(&views, readable.holders[0].0).unwrap();
    let number = slave.slave.as_str().strip_prefix("slave-").unwrap();
    number.parse().unwrap()
}

#[test]
fn at_226_two_slaves_have_prepared_the_file_however_it_came() {
    sim(async {
        let cluster = Cluster::start(setting(2, AckElse::Refuse)).await;
        let mut bob = cluster.user().await;
        for (number, how) in ALL.into_iter().enumerate() {
            for (name, size) in [("small", 100), ("none", 0), ("large", 3_000_000)] {
                let (name, bytes) = (format!("{name}-{number}"), some_bytes(size));
                put(&cluster, &mut bob, how, &format!("STOR {name}"), &bytes).await;
                assert_eq!(holders(&cluster, &format!("/{name}")).await, 2, "{name}");
                settle().await;
                assert_eq!(with_bytes(&cluster, 2, &name, &bytes), 2, "{name}");
            }
        }
        assert!(slaves_with_staged(&cluster, 2).is_empty());
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn what_is_resumed_appended_to_or_overwritten_is_on_both_from_its_first_byte() {
    sim(async {
        let cluster = Cluster::start(setting(2, AckElse::Refuse)).await;
        let mut bob = cluster.user().await;
        let _io = begun(&cluster, &mut bob, "STOR x").await;
        assert_eq!(slaves_with_staged(&cluster, 2), [1, 2]);
        bob.ask("ABOR", 426).await;
        bob.expect(226).await;
        settle().await;
        assert_eq!(slaves_with_staged(&cluster, 2).len(), 1, "what is kept");
        bob.ask("REST 5", 350).await;
        put(&cluster, &mut bob, How::Pret, "STOR x", b"56789").await;
        assert_eq!(holders(&cluster, "/x").await, 2);
        put(&cluster, &mut bob, How::Pret, "APPE x", b"abc").await;
        settle().await;
        assert_eq!(with_bytes(&cluster, 2, "x", b"0123456789abc"), 2);
        put(&cluster, &mut bob, How::Pret, "STOR x", b"new").await;
        settle().await;
        assert_eq!(with_bytes(&cluster, 2, "x", b"new"), 2);
        assert!(slaves_with_staged(&cluster, 2).is_empty());
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_second_slave_that_breaks_off_is_followed_by_a_third_one() {
    sim(async {
        let cluster = Cluster::start(setting(3, AckElse::Refuse)).await;
        let mut bob = cluster.user().await;
        let io = begun(&cluster, &mut bob, "STOR x").await;
        let first = receiver(&cluster, "/x").await;
        let mut broken = slaves_with_staged(&cluster, 3);
        broken.retain(|slave| *slave != first);
        let broken = broken[0];
        // What it has is taken from under it: it cannot prepare it.
        std::fs::remove_file(&staged(&cluster, broken)[0]).unwrap();
        end(io).await;
        bob.expect(226).await;
        settle().await;
        for slave in 1..=3 {
            let has = cluster.root(slave).join("x").exists();
            assert_eq!(has, slave != broken, "slave {slave}, {first} is the first");
        }
        assert!(slaves_with_staged(&cluster, 3).is_empty());
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn without_a_second_copy_in_time_the_bytes_are_kept_or_the_first_one_is_enough_as_the_rule_says() {
    for (ack_else, code) in [(AckElse::Refuse, 451), (AckElse::Accept, 226)] {
        sim(async {
            let cluster = Cluster::start(setting(2, ack_else)).await;
            let mut bob = cluster.user().await;
            // They never find each other.
            cluster.net.wall(slave_ip(1), slave_ip(2));
            cluster.net.wall(slave_ip(2), slave_ip(1));
            let io = begun(&cluster, &mut bob, "STOR x").await;
            end(io).await;
            let began = Instant::now();
            bob.expect(code).await;
            let limit = CopiesConfig::default().ack_timeout;
            let waited = began.elapsed();
            assert!(waited >= limit && waited < 2 * limit, "{waited:?}");
            let entry = cluster.stat("/x").await.unwrap();
            let state = match ack_else {
                AckElse::Refuse => FileState::Partial,
                AckElse::Accept => FileState::Complete,
            };
            assert_eq!((entry.state, entry.size), (state, 10));
            assert!(cluster.is_clean().await);
        });
    }
}

#[test]
fn where_only_one_of_two_slaves_can_be_dialled_the_other_one_dials() {
    for walled in [(1, 2), (2, 1)] {
        sim(async {
            let cluster = Cluster::start(setting(2, AckElse::Refuse)).await;
            cluster.net.wall(slave_ip(walled.0), slave_ip(walled.1));
            let mut bob = cluster.user().await;
            put(&cluster, &mut bob, How::Pret, "STOR x", b"whole").await;
            assert_eq!(holders(&cluster, "/x").await, 2);
        });
    }
}

#[test]
fn an_upload_that_no_second_slave_could_take_is_refused_before_it_begins() {
    sim(async {
        let cluster = Cluster::start(setting(1, AckElse::Refuse)).await;
        let mut bob = cluster.user().await;
        let _data = agree(&cluster, &mut bob, How::Pret, "STOR x").await;
        bob.ask("STOR x", 451).await;
        assert!(cluster.stat("/x").await.is_err());
        assert!(cluster.is_clean().await);
        let cluster = Cluster::start(setting(1, AckElse::Accept)).await;
        let mut bob = cluster.user().await;
        put(&cluster, &mut bob, How::Pret, "STOR x", b"alone").await;
        assert_eq!(holders(&cluster, "/x").await, 1);
    });
}

#[test]
fn a_rename_takes_both_along_and_a_delete_ends_both() {
    sim(async {
        let cluster = Cluster::start(setting(2, AckElse::Refuse)).await;
        let (mut bob, mut ann) = (cluster.user().await, cluster.user_named("ann").await);
        ann.ask("MKD d", 257).await;
        let io = begun(&cluster, &mut bob, "STOR x").await;
        ann.ask("RNFR x", 350).await;
        ann.ask("RNTO d/y", 250).await;
        end(io).await;
        bob.expect(226).await;
        settle().await;
        assert_eq!(with_bytes(&cluster, 2, "d/y", b"0123456789"), 2);
        let _io = begun(&cluster, &mut bob, "STOR z").await;
        assert_eq!(slaves_with_staged(&cluster, 2), [1, 2]);
        ann.ask("DELE z", 250).await;
        bob.expect(426).await;
        settle().await;
        assert!(slaves_with_staged(&cluster, 2).is_empty());
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_file_that_is_deleted_while_its_client_waits_for_the_second_copy_is_gone() {
    sim(async {
        let cluster = Cluster::start(setting(2, AckElse::Refuse)).await;
        let (mut bob, mut ann) = (cluster.user().await, cluster.user_named("ann").await);
        cluster.net.wall(slave_ip(1), slave_ip(2));
        cluster.net.wall(slave_ip(2), slave_ip(1));
        let io = begun(&cluster, &mut bob, "STOR x").await;
        end(io).await;
        settle().await;
        ann.ask("DELE x", 250).await;
        bob.expect(426).await;
        settle().await;
        assert!(slaves_with_staged(&cluster, 2).is_empty());
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_client_that_leaves_takes_the_second_copy_with_it() {
    sim(async {
        let cluster = Cluster::start(setting(2, AckElse::Refuse)).await;
        let mut bob = cluster.user().await;
        let _io = begun(&cluster, &mut bob, "STOR x").await;
        let first = receiver(&cluster, "/x").await;
        drop(bob);
        settle().await;
        assert_eq!(slaves_with_staged(&cluster, 2), [first]);
        let entry = cluster.stat("/x").await.unwrap();
        assert_eq!((entry.state, entry.size), (FileState::Partial, 5));
        assert!(cluster.is_clean().await);
    });
}
