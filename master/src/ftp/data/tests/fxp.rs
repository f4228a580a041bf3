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
