//! Transfers between two servers: a client brings two slaves together.

use drftpd_actors::Net;
use drftpd_actors::testkit::sim;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::cluster::*;
use crate::ftp::verbs::testing::address;

fn port_of(at: std::net::SocketAddr) -> String {
    let [high, low] = at.port().to_be_bytes();
    let ip = at.ip().to_string().replace('.', ",");
    format!("PORT {ip},{high},{low}")
}

#[test]
fn one_side_listens_and_the_other_connects_whichever_it_is() {
    sim(async {
        let source = Cluster::start(Setting::default()).await;
        let mut from = source.user().await;
        put(
            &source,
            &mut from,
            How::Pret,
            "STOR x",
            &some_bytes(200_000),
        )
        .await;
        let mut to = source.user().await;
        for (number, source_is_passive) in [(1, true), (2, false)] {
            let target = format!("STOR copy-{number}");
            let (passive, announced, active) = match source_is_passive {
                true => (&mut from, "RETR x".to_owned(), &mut to),
                false => (&mut to, target.clone(), &mut from),
            };
            passive.ask(&format!("PRET {announced}"), 200).await;
            let at = address(&passive.ask("PASV", 227).await);
            active.ask(&port_of(at), 200).await;
            // The target first, then the source, as cbftp does it.
            to.ask(&target, 150).await;
            from.ask("RETR x", 150).await;
            from.expect(226).await;
            to.expect(226).await;
        }
        for number in 1..=2 {
            let line = format!("RETR copy-{number}");
            let got = get(&source, &mut from, How::Pret, &line).await;
            assert!(got == some_bytes(200_000));
        }
        assert_eq!(source.data.relays.counts().to_client, 0);
        assert!(source.is_clean().await);
    });
}

#[test]
fn both_passive_sides_may_be_relayed() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let (mut from, mut to) = (cluster.user().await, cluster.user().await);
        put(&cluster, &mut from, How::Pret, "STOR x", b"bytes").await;
        let at = address(&from.ask("PASV", 227).await);
        to.ask(&port_of(at), 200).await;
        to.ask("STOR y", 150).await;
        from.ask("RETR x", 150).await;
        from.expect(226).await;
        to.expect(226).await;
        assert_eq!(
            get(&cluster, &mut from, How::Pret, "RETR y").await,
            b"bytes"
        );
        assert!(cluster.data.relays.counts().to_client >= 5);
    });
}

#[test]
fn without_the_right_to_it_other_hosts_are_neither_dialled_nor_let_in() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut eve = cluster.user_named("eve").await;
        eve.ask("PORT 203,0,113,5,19,136", 504).await;
        eve.ask("EPRT |1|203.0.113.5|5000|", 504).await;
        eve.ask("STOR x", 425).await;
        for (number, how) in [How::Pret, How::Pasv].into_iter().enumerate() {
            let line = format!("STOR {number}");
            if how == How::Pret {
                eve.ask(&format!("PRET {line}"), 200).await;
            }
            let at = address(&eve.ask("PASV", 227).await);
            let stranger = Some("203.0.113.5".parse().unwrap());
            let mut stranger = cluster.net.connect(stranger, at).await.unwrap();
            stranger.write_all(b"stolen").await.ok();
            let mut own = cluster.connect(at).await.unwrap();
            eve.ask(&line, 150).await;
            assert_eq!(stranger.read(&mut [0; 1]).await.unwrap_or(0), 0);
            own.write_all(b"own").await.unwrap();
            own.shutdown().await.unwrap();
            eve.expect(226).await;
            let got = get(&cluster, &mut eve, how, &format!("RETR {number}")).await;
            assert_eq!(got, b"own");
        }
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn the_right_to_it_is_looked_at_for_the_transfer_itself() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        // Somebody else listens, and the user may have it so.
        let there = cluster
            .net
            .bind("203.0.113.5:5000".parse().unwrap())
            .await
            .unwrap();
        bob.ask("PORT 203,0,113,5,19,136", 200).await;
        bob.ask("STOR x", 150).await;
        let mut io = there.accept().await.unwrap().adopt().unwrap();
        io.write_all(b"from there").await.unwrap();
        io.shutdown().await.unwrap();
        bob.expect(226).await;
        bob.ask("PORT 203,0,113,5,19,136", 200).await;
        bob.ask("NLST", 150).await;
        let mut io = there.accept().await.unwrap().adopt().unwrap();
        let mut all = String::new();
        io.read_to_string(&mut all).await.unwrap();
        drop(io);
        bob.expect(226).await;
        assert_eq!(all, "x\r\n");
    });
}

/// Eve, who has no right of her own, may FXP below `/in` with 203.0.113.0/24, but for one host there.
async fn by_rule() -> Cluster {
    let text = r#"
        deny = ["203.0.113.7"]
        rules = [ { users = ["-eve"], paths = ["/in"], peers = ["203.0.113.0/24"] } ]
    "#;
    let fxp = drftpd_actors::parse(text, None).unwrap();
    Cluster::start(Setting {
        fxp,
        ..Setting::default()
    })
    .await
}

#[test]
fn by_rule_a_user_has_named_networks_at_the_other_end_below_a_path() {
    sim(async {
        let cluster = by_rule().await;
        let mut eve = cluster.user_named("eve").await;
        eve.ask("MKD in", 257).await;
        eve.ask("PORT 203,0,113,5,19,136", 504).await;
        eve.ask("CWD in", 250).await;
        for refused in ["203,0,113,7", "198,51,100,77", "0,0,0,0", "127,0,0,1"] {
            let told = eve.ask(&format!("PORT {refused},19,136"), 504).await;
            assert_eq!(told.lines().count(), 1, "{told}");
        }
        let there = cluster.net.bind("203.0.113.5:5000".parse().unwrap());
        let there = there.await.unwrap();
        eve.ask("PORT 203,0,113,5,19,136", 200).await;
        eve.ask("STOR x", 150).await;
        let mut io = there.accept().await.unwrap().adopt().unwrap();
        io.write_all(b"from there").await.unwrap();
        io.shutdown().await.unwrap();
        eve.expect(226).await;
        // Judged again for the transfer's own path.
        eve.ask("PORT 203,0,113,5,19,136", 200).await;
        eve.ask("STOR /x", 504).await;
        eve.ask("RETR /in/x", 425).await;
    });
}

#[test]
fn slaves_and_relay_let_in_whom_the_rule_names_and_close_whom_it_denies() {
    sim(async {
        let cluster = by_rule().await;
        let mut eve = cluster.user_named("eve").await;
        eve.ask("MKD in", 257).await;
        for (number, announce) in [true, false].into_iter().enumerate() {
            let line = format!("STOR /in/{number}");
            if announce {
                eve.ask(&format!("PRET {line}"), 200).await;
            }
            let at = address(&eve.ask("PASV", 227).await);
            let from = |ip: &str| cluster.net.connect(Some(ip.parse().unwrap()), at);
            let mut denied = from("203.0.113.7").await.unwrap();
            let mut other = from("198.51.100.77").await.unwrap();
            let mut named = from("203.0.113.5").await.unwrap();
            eve.ask(&line, 150).await;
            for stranger in [&mut denied, &mut other] {
                assert_eq!(stranger.read(&mut [0; 1]).await.unwrap_or(0), 0);
            }
            named.write_all(b"named").await.unwrap();
            named.shutdown().await.unwrap();
            eve.expect(226).await;
        }
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn nobody_is_sent_to_ports_of_the_cluster_itself() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        // The control port and the port for slaves, at the master's own address.
        bob.ask("PORT 192,0,2,9,8,73", 504).await;
        bob.ask("PORT 192,0,2,9,8,74", 504).await;
        bob.ask("PORT 192,0,2,9,19,136", 200).await;
    });
}

#[test]
fn every_dial_that_fails_is_answered_alike_and_no_sooner_than_the_others() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut bob = cluster.user().await;
        put(&cluster, &mut bob, How::Pret, "STOR x", b"bytes").await;
        cluster.net.wall(
            slave_ip(1),
            "203.0.113.6".parse::<std::net::IpAddr>().unwrap(),
        );
        let mut told = Vec::new();
        for host in ["203,0,113,5", "203,0,113,6"] {
            for verb in ["RETR x", "STOR y", "NLST"] {
                bob.ask(&format!("PORT {host},19,136"), 200).await;
                let begun = tokio::time::Instant::now();
                bob.ask(verb, 150).await;
                told.push(bob.expect(425).await);
                assert!(begun.elapsed() >= std::time::Duration::from_millis(250));
            }
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
    });
}
