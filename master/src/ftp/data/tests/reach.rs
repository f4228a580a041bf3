//! Clients and slaves that do not reach each other: the master stands in between, by rule or when it is found out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use drftpd_actors::Net;
use drftpd_actors::testkit::sim;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::cluster::*;
use crate::ftp::data::reach::{ActiveBy, ClientNetwork, PassiveBy, SeenSlave};
use crate::ftp::data::{ClientsConfig, EpsvAfterPret, PassiveConfig, WithoutPret};
use crate::ftp::testkit::FtpScript;
use crate::ftp::verbs::testing::{address, port};

async fn cluster(clients: ClientsConfig) -> Cluster {
    Cluster::start(Setting {
        clients,
        ..Setting::default()
    })
    .await
}

fn active(active: ActiveBy) -> ClientsConfig {
    ClientsConfig {
        active,
        ..ClientsConfig::default()
    }
}

/// The client's firewall lets only the master in.
async fn behind_a_firewall(by: ActiveBy) -> (Cluster, FtpScript) {
    let cluster = cluster(active(by)).await;
    cluster.net.wall(slave_ip(1), CLIENT);
    let bob = cluster.user().await;
    (cluster, bob)
}

#[test]
fn where_only_the_control_host_gets_in_the_master_dials_and_forwards_in_the_same_transfer() {
    sim(async {
        let (mut cluster, mut bob) = behind_a_firewall(ActiveBy::Auto).await;
        for how in [How::Port, How::Eprt] {
            put(&cluster, &mut bob, how, "STOR x", b"bytes").await;
            assert_eq!(get(&cluster, &mut bob, how, "RETR x").await, b"bytes");
            bob.ask("DELE x", 250).await;
        }
        // Remembered: from the second transfer on no slave tries in vain.
        let counts = cluster.data.relays.counts();
        assert_eq!((counts.to_slave, counts.to_client), (10, 10));
        let logged = cluster.logged.drain();
        assert!(logged.len() == 4 && logged.iter().all(|event| event.complete));
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn where_nobody_gets_in_the_client_hears_one_425_and_nothing_is_left() {
    sim(async {
        let (mut cluster, mut bob) = behind_a_firewall(ActiveBy::Auto).await;
        cluster.net.wall(MASTER, CLIENT);
        let begun = Instant::now();
        for line in ["STOR x", "NLST"] {
            bob.ask("PORT 192,0,2,1,19,136", 200).await;
            bob.ask(line, 150).await;
            let told = bob.expect(425).await;
            assert_eq!(told, "425 Can't open data connection\r\n");
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        bob.ask("SIZE x", 550).await;
        assert_eq!(cluster.logged.drain().len(), 1);
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn after_ten_dials_that_failed_within_a_minute_none_is_tried_and_passive_mode_goes_on() {
    sim(async {
        let (cluster, mut bob) = behind_a_firewall(ActiveBy::Auto).await;
        cluster.net.wall(MASTER, CLIENT);
        let begun = Instant::now();
        for line in ["STOR x", "NLST"].into_iter().cycle().take(10) {
            bob.ask("PORT 192,0,2,1,19,136", 200).await;
            bob.ask(line, 150).await;
            bob.expect(425).await;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        // From here on nobody comes, whoever listens and whichever session it is.
        let there = cluster.net.bind("203.0.113.5:5000".parse().unwrap());
        let there = there.await.unwrap();
        let mut other = cluster.user().await;
        for client in [&mut bob, &mut other] {
            client.ask("PORT 203,0,113,5,19,136", 200).await;
            let asked = Instant::now();
            let told = client.ask("STOR x", 425).await;
            assert_eq!(told, "425 Can't open data connection\r\n");
            assert_eq!(asked.elapsed(), Duration::from_millis(250));
            client.ask("PORT 203,0,113,5,19,136", 200).await;
            client.ask("NLST", 150).await;
            client.expect(425).await;
        }
        // Other modes, and others, do not suffer.
        for how in [How::Pret, How::Pasv] {
            put(&cluster, &mut bob, how, "STOR x", b"bytes").await;
            assert_eq!(get(&cluster, &mut bob, how, "RETR x").await, b"bytes");
        }
        let mut eve = cluster.user_named("eve").await;
        eve.ask("PORT 192,0,2,1,19,136", 200).await;
        eve.ask("NLST", 150).await;
        eve.expect(425).await;
        let nobody = tokio::time::timeout(Duration::from_millis(1), there.accept()).await;
        assert!(nobody.is_err(), "somebody was sent there");

        tokio::time::sleep(Duration::from_secs(60)).await;
        bob.ask("PORT 203,0,113,5,19,136", 200).await;
        bob.ask("RETR x", 150).await;
        let mut io = there.accept().await.unwrap().adopt().unwrap();
        let mut got = Vec::new();
        io.read_to_end(&mut got).await.unwrap();
        drop(io);
        bob.expect(226).await;
        assert_eq!(got, b"bytes");
    });
}

#[test]
fn by_rule_either_the_slave_or_the_master_dials_and_nobody_else() {
    sim(async {
        let (cluster, mut bob) = behind_a_firewall(ActiveBy::Slave).await;
        let _listening = cluster.listen(5000).await;
        bob.ask("PORT 192,0,2,1,19,136", 200).await;
        bob.ask("STOR x", 150).await;
        bob.expect(425).await;
        assert_eq!(cluster.data.relays.counts().to_slave, 0);

        let cluster = self::cluster(active(ActiveBy::Relay)).await;
        let mut bob = cluster.user().await;
        put(&cluster, &mut bob, How::Port, "STOR x", b"bytes").await;
        assert_eq!(cluster.data.relays.counts().to_slave, 5);
        // Another server comes from and goes to slaves alone.
        let there = cluster.net.bind("203.0.113.5:5000".parse().unwrap());
        let there = there.await.unwrap();
        bob.ask("PORT 203,0,113,5,19,136", 200).await;
        bob.ask("RETR x", 150).await;
        let incoming = there.accept().await.unwrap();
        assert_eq!(incoming.peer.ip(), slave_ip(1));
        let mut got = Vec::new();
        let mut io = incoming.adopt().unwrap();
        io.read_to_end(&mut got).await.unwrap();
        drop(io);
        bob.expect(226).await;
        assert_eq!(got, b"bytes");
    });
}

#[test]
fn no_slave_is_sent_to_its_own_loopback_by_a_client_of_the_masters_machine() {
    sim(async {
        for (by, code) in [(ActiveBy::Auto, 226), (ActiveBy::Slave, 425)] {
            let cluster = cluster(active(by)).await;
            let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let control = cluster.net.connect(Some(loopback), cluster.at).await;
            let mut bob = FtpScript::new(control.unwrap());
            bob.expect(220).await;
            bob.log_in("bob").await;
            put(&cluster, &mut bob, How::Port, "STOR x", b"bytes").await;
            let here = cluster.net.bind((loopback, 6379).into()).await.unwrap();
            bob.ask("PORT 127,0,0,1,24,235", 200).await;
            bob.ask("RETR x", 150).await;
            let came = tokio::time::timeout(Duration::from_secs(1), here.accept()).await;
            if let Ok(came) = came {
                let came = came.unwrap();
                assert_eq!(came.peer.ip(), MASTER);
                let mut got = Vec::new();
                came.adopt().unwrap().read_to_end(&mut got).await.unwrap();
                assert_eq!(got, b"bytes");
            }
            bob.expect(code).await;
        }
    });
}

#[test]
fn a_client_that_did_not_get_to_a_slave_is_served_by_relay_for_the_rest_of_its_session() {
    sim(async {
        let cluster = cluster(ClientsConfig::default()).await;
        let mut bob = cluster.user().await;
        bob.ask("PRET STOR x", 200).await;
        assert_eq!(address(&bob.ask("PASV", 227).await).ip(), slave_ip(1));
        bob.ask("STOR x", 150).await;
        bob.expect(425).await;
        for _ in 0..2 {
            bob.ask("PRET STOR x", 200).await;
            let at = address(&bob.ask("PASV", 227).await);
            assert_eq!(at.ip(), MASTER);
            let mut data = cluster.connect(at).await.unwrap();
            bob.ask("STOR x", 150).await;
            data.write_all(b"bytes").await.unwrap();
            data.shutdown().await.unwrap();
            bob.expect(226).await;
        }
        // Others are not concerned.
        let mut eve = cluster.user_named("eve").await;
        eve.ask("PRET RETR x", 200).await;
        assert_eq!(address(&eve.ask("PASV", 227).await).ip(), slave_ip(1));
        eve.ask("PRET LIST", 200).await;
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn who_was_told_a_slave_and_asks_again_before_the_transfer_is_told_the_master() {
    sim(async {
        let cluster = cluster(ClientsConfig::default()).await;
        let mut bob = cluster.user().await;
        put(&cluster, &mut bob, How::Pret, "STOR x", b"bytes").await;
        bob.ask("PRET RETR x", 200).await;
        assert_eq!(address(&bob.ask("PASV", 227).await).ip(), slave_ip(1));
        let at = address(&bob.ask("PASV", 227).await);
        assert_eq!(at.ip(), MASTER);
        let mut data = cluster.connect(at).await.unwrap();
        bob.ask("RETR x", 150).await;
        let mut got = Vec::new();
        data.read_to_end(&mut got).await.unwrap();
        drop(data);
        bob.expect(226).await;
        assert_eq!(got, b"bytes");
        // It may have had another reason: the next transfer is tried directly again.
        bob.ask("PRET RETR x", 200).await;
        assert_eq!(address(&bob.ask("PASV", 227).await).ip(), slave_ip(1));
    });
}

#[test]
fn epsv_after_pret_is_refused_where_it_would_lead_elsewhere_and_pasv_goes_on() {
    sim(async {
        let cluster = Cluster::start(Setting {
            passive: PassiveConfig {
                epsv_after_pret: EpsvAfterPret::Refuse,
                ..PassiveConfig::default()
            },
            ..Setting::default()
        })
        .await;
        let mut bob = cluster.user().await;
        put(&cluster, &mut bob, How::Pret, "STOR x", b"bytes").await;
        bob.ask("PRET RETR x", 200).await;
        bob.ask("EPSV", 502).await;
        let at = address(&bob.ask("PASV", 227).await);
        assert_eq!(at.ip(), slave_ip(1));
        let mut data = cluster.connect(at).await.unwrap();
        bob.ask("RETR x", 150).await;
        let mut got = Vec::new();
        data.read_to_end(&mut got).await.unwrap();
        drop(data);
        bob.expect(226).await;
        assert_eq!(got, b"bytes");
        // A listing is the master's own, and without PRET it listens as ever.
        bob.ask("PRET LIST", 200).await;
        bob.ask("EPSV", 229).await;
        assert_eq!(get(&cluster, &mut bob, How::Epsv, "RETR x").await, b"bytes");
    });
}

#[test]
fn what_stands_in_for_an_announced_slave_is_good_also_where_pret_is_demanded() {
    sim(async {
        let network = ClientNetwork {
            clients: vec!["192.0.2.0/24".parse().unwrap()],
            passive: Some(PassiveBy::Relay),
            active: None,
            announce_address: Some("192.0.2.99".parse().unwrap()),
            slaves: Vec::new(),
        };
        let cluster = Cluster::start(Setting {
            passive: PassiveConfig {
                without_pret: WithoutPret::Refuse,
                ..PassiveConfig::default()
            },
            clients: ClientsConfig {
                networks: vec![network],
                ..ClientsConfig::default()
            },
            ..Setting::default()
        })
        .await;
        let mut bob = cluster.user().await;
        bob.ask("PASV", 500).await;
        bob.ask("PRET STOR x", 200).await;
        let at = address(&bob.ask("PASV", 227).await);
        assert_eq!(at.ip().to_string(), "192.0.2.99");
        let mut data = cluster.connect((MASTER, at.port()).into()).await.unwrap();
        bob.ask("STOR x", 150).await;
        data.write_all(b"bytes").await.unwrap();
        data.shutdown().await.unwrap();
        bob.expect(226).await;
        // What was opened for a listing is still no way around it.
        bob.ask("PRET LIST", 200).await;
        bob.ask("PASV", 227).await;
        bob.ask("RETR x", 503).await;
    });
}

#[test]
fn each_network_of_clients_is_told_slaves_as_it_sees_them() {
    sim(async {
        let seen = SeenSlave {
            slave: "slave-1".parse().unwrap(),
            address: Some("10.0.0.5".parse().unwrap()),
            ports: Some("50000-50999".parse().unwrap()),
            announce_ports: Some("60000-60999".parse().unwrap()),
        };
        let network = ClientNetwork {
            clients: vec!["192.0.2.0/24".parse().unwrap()],
            passive: None,
            active: None,
            announce_address: None,
            slaves: vec![seen],
        };
        let cluster = cluster(ClientsConfig {
            networks: vec![network],
            ..ClientsConfig::default()
        })
        .await;
        let mut bob = cluster.user().await;
        bob.ask("PRET STOR x", 200).await;
        let at = address(&bob.ask("PASV", 227).await);
        assert_eq!(at.ip().to_string(), "10.0.0.5");
        assert!((60_000..61_000).contains(&at.port()));
        // The router brings the client there.
        let inside = (slave_ip(1), at.port() - 10_000).into();
        let mut data = cluster.connect(inside).await.unwrap();
        bob.ask("STOR x", 150).await;
        data.write_all(b"bytes").await.unwrap();
        data.shutdown().await.unwrap();
        bob.expect(226).await;
        bob.ask("CEPR ON", 200).await;
        bob.ask("PRET RETR x", 200).await;
        let named = bob.ask("EPSV", 229).await;
        assert!(named.contains("(|1|10.0.0.5|6"), "{named}");
        assert!((60_000..61_000).contains(&port(&named)));
    });
}
