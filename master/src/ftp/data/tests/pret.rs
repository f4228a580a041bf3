//! PRET: the slave that serves the transfer listens, and the client goes straight to it.

use std::time::Duration;

use drftpd_actors::Net;
use drftpd_actors::testkit::sim;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::cluster::*;
use crate::ftp::testkit::FtpScript;
use crate::ftp::verbs::testing::{address, port};

async fn with_file() -> (Cluster, FtpScript) {
    let cluster = Cluster::start(Setting::default()).await;
    let mut bob = cluster.user().await;
    put(&cluster, &mut bob, How::Pret, "STOR x", b"bytes").await;
    (cluster, bob)
}

#[test]
fn pasv_after_pret_names_the_slave_in_one_line() {
    sim(async {
        let (cluster, mut bob) = with_file().await;
        for announced in ["RETR x", "STOR y", "APPE x", "STOU"] {
            bob.ask(&format!("PRET {announced}"), 200).await;
            let reply = bob.ask("PASV", 227).await;
            assert_eq!(reply.lines().count(), 1);
            assert_eq!(address(&reply).ip(), slave_ip(1));
        }
        for listing in ["LIST", "NLST x", "MLSD "] {
            bob.ask(&format!("PRET {listing}"), 200).await;
            assert_eq!(address(&bob.ask("PASV", 227).await).ip(), MASTER);
        }
        // None of it lasts.
        bob.ask("PRET LIST", 200).await;
        assert!(cluster.is_clean().await);
        assert_eq!(cluster.data.relays.counts().to_client, 0);
    });
}

#[test]
fn an_announced_size_that_nobody_has_room_for_is_forgotten_with_the_refusal() {
    sim(async {
        let (cluster, mut bob) = with_file().await;
        bob.ask("PRET STOR y", 200).await;
        bob.ask("ALLO 1000000000000000", 200).await;
        bob.ask("PASV", 452).await;
        bob.ask("PASV", 227).await;
        put(&cluster, &mut bob, How::Pret, "STOR y", b"small").await;
        // By PORT the slave is chosen at STOR, which uses it up.
        bob.ask("ALLO 1000000000000000", 200).await;
        bob.ask("PORT 192,0,2,1,100,1", 200).await;
        bob.ask("STOR z", 452).await;
        put(&cluster, &mut bob, How::Pasv, "STOR z", b"small").await;
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn the_client_may_come_before_its_verb() {
    sim(async {
        let (cluster, mut bob) = with_file().await;
        bob.ask("PRET STOR early", 200).await;
        let at = address(&bob.ask("PASV", 227).await);
        let mut data = cluster.connect(at).await.unwrap();
        data.write_all(b"all of it").await.unwrap();
        data.shutdown().await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        bob.ask("STOR early", 150).await;
        bob.expect(226).await;
        assert_eq!(
            get(&cluster, &mut bob, How::Pret, "RETR early").await,
            b"all of it"
        );
    });
}

#[test]
fn curl_says_pret_once_then_epsv_then_pasv() {
    sim(async {
        // The slave is elsewhere: EPSV cannot lead there, so the master stands in.
        let (cluster, mut bob) = with_file().await;
        bob.ask("PRET RETR x", 200).await;
        let at = (MASTER, port(&bob.ask("EPSV", 229).await)).into();
        let mut data = cluster.connect(at).await.unwrap();
        bob.ask("TYPE I", 200).await;
        bob.ask("SIZE x", 213).await;
        bob.ask("REST 2", 350).await;
        bob.ask("RETR x", 150).await;
        let mut got = Vec::new();
        data.read_to_end(&mut got).await.unwrap();
        drop(data);
        bob.expect(226).await;
        assert_eq!(got, b"tes");
        assert!(cluster.data.relays.counts().to_client > 0);
        // A client that does not go where EPSV led asks again, and PRET still holds.
        bob.ask("PRET RETR x", 200).await;
        bob.ask("EPSV", 229).await;
        assert_eq!(address(&bob.ask("PASV", 227).await).ip(), slave_ip(1));
    });
}

#[test]
fn epsv_leads_to_the_slave_where_it_has_the_masters_address_or_229_names_it() {
    sim(async {
        let cluster = Cluster::start(Setting {
            slave_announces: Some(MASTER),
            ..Setting::default()
        })
        .await;
        let mut bob = cluster.user().await;
        bob.ask("PRET STOR x", 200).await;
        bob.ask("EPSV", 229).await;
        bob.ask("STOR x", 150).await;
        // Nobody is on the master's own port: it is the slave that waits and gives up.
        assert_eq!(cluster.data.relays.counts().running, 0);
        bob.expect(425).await;

        let (_cluster, mut bob) = with_file().await;
        bob.ask("CEPR ON", 200).await;
        bob.ask("PRET RETR x", 200).await;
        let named = bob.ask("EPSV", 229).await;
        assert!(named.contains("(|1|198.51.100.1|"), "{named}");
    });
}

#[test]
fn lftp_announces_a_name_and_sends_its_path() {
    sim(async {
        let (cluster, mut bob) = with_file().await;
        bob.ask("MKD pub", 257).await;
        bob.ask("CWD pub", 250).await;
        bob.ask("PRET STOR big", 200).await;
        let at = address(&bob.ask("PASV", 227).await);
        let mut data = cluster.connect(at).await.unwrap();
        bob.ask("STOR /pub/../pub/big", 150).await;
        data.write_all(b"b").await.unwrap();
        data.shutdown().await.unwrap();
        bob.expect(226).await;
        assert_eq!(cluster.stat("/pub/big").await.unwrap().size, 1);
    });
}

#[test]
fn another_transfer_than_the_announced_one_is_503() {
    sim(async {
        let (cluster, mut bob) = with_file().await;
        put(&cluster, &mut bob, How::Pret, "STOR y", b"y").await;
        for (announced, done) in [
            ("RETR x", "RETR y"),
            ("RETR x", "STOR x"),
            ("STOR z", "STOR zz"),
            ("RETR x", "LIST"),
            ("STOR z", "NLST"),
        ] {
            bob.ask(&format!("PRET {announced}"), 200).await;
            bob.ask("PASV", 227).await;
            let told = bob.ask(done, 503).await;
            assert!(told.contains("PRET"), "{told}");
            // It was used up.
            bob.ask(done, 425).await;
        }
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn a_bare_pasv_after_a_refused_transfer_holds_no_port_of_a_slave() {
    sim(async {
        let (cluster, mut bob) = with_file().await;
        bob.ask("PRET RETR none", 550).await;
        assert_eq!(address(&bob.ask("PASV", 227).await).ip(), MASTER);
        bob.ask("PRET STOR x/y", 550).await;
        assert_eq!(address(&bob.ask("PASV", 227).await).ip(), MASTER);
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn an_announced_transfer_that_does_not_come_gives_slot_and_port_back() {
    sim(async {
        let mut setting = Setting::default();
        setting.transfer.max_slots = 1;
        let cluster = Cluster::start(setting).await;
        let (mut bob, mut eve) = (cluster.user().await, cluster.user().await);
        put(&cluster, &mut bob, How::Pret, "STOR x", b"bytes").await;
        bob.ask("PRET RETR x", 200).await;
        let at = address(&bob.ask("PASV", 227).await);
        eve.ask("PRET RETR x", 200).await;
        eve.ask("PASV", 450).await;
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert!(cluster.connect(at).await.is_err());
        assert_eq!(get(&cluster, &mut eve, How::Pret, "RETR x").await, b"bytes");
        bob.ask("RETR x", 425).await;
        assert_eq!(get(&cluster, &mut bob, How::Pret, "RETR x").await, b"bytes");
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn the_slot_goes_with_the_session_that_announced() {
    sim(async {
        let mut setting = Setting::default();
        setting.transfer.max_slots = 1;
        let cluster = Cluster::start(setting).await;
        let (mut bob, mut eve) = (cluster.user().await, cluster.user().await);
        bob.ask("PRET STOR x", 200).await;
        let at = address(&bob.ask("PASV", 227).await);
        bob.ask("QUIT", 221).await;
        drop(bob);
        drftpd_actors::testkit::settle().await;
        assert!(cluster.connect(at).await.is_err());
        put(&cluster, &mut eve, How::Pret, "STOR x", b"x").await;
    });
}

#[test]
fn a_resume_goes_to_the_slave_that_has_the_beginning() {
    sim(async {
        let cluster = Cluster::start(Setting {
            slaves: 3,
            ..Setting::default()
        })
        .await;
        let mut bob = cluster.user().await;
        for number in 0..6 {
            let name = format!("STOR {number}");
            put(&cluster, &mut bob, How::Pret, &name, b"begin").await;
            // REST behind PASV, as some clients have it.
            bob.ask(&format!("PRET {name}"), 200).await;
            let at = address(&bob.ask("PASV", 227).await);
            bob.ask("REST 5", 350).await;
            let mut data = cluster.connect(at).await.unwrap();
            bob.ask(&name, 150).await;
            data.write_all(b" and end").await.unwrap();
            data.shutdown().await.unwrap();
            bob.expect(226).await;
            let got = get(&cluster, &mut bob, How::Pret, &format!("RETR {number}")).await;
            assert_eq!(got, b"begin and end");
        }
    });
}

#[test]
fn strangers_find_no_transfer_behind_the_masters_port() {
    sim(async {
        let (cluster, mut bob) = with_file().await;
        let at = address(&bob.ask("PASV", 227).await);
        bob.ask("PASV", 227).await;
        let stranger = cluster
            .net
            .connect(Some("203.0.113.5".parse().unwrap()), at)
            .await;
        assert!(stranger.is_err(), "the first port is closed");
    });
}
