//! Transfers between two servers: a client brings two slaves together.

use drftpd_actors::testkit::sim;

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
