//! Who is let in.

use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use drftpd_actors::{Net, tell};
use drftpd_protocol::wire::{
    Alive, Envelope, FrameCodec, Hello, Join, Joined, Refused, Revision, RootState, kinds,
};
use drftpd_protocol::{Epoch, StoreId};
use futures_util::{SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_util::codec::Framed;

use crate::slaves::testkit::{Rig, SLAVE_IP, hello, root, slave, status};

async fn refused(rig: &Rig, hello: Hello) -> Refused {
    match rig.dial(hello).await {
        Ok(_) => panic!("let in"),
        Err(refused) => refused,
    }
}

#[test]
fn a_slave_that_belongs_to_the_cluster_is_welcomed_and_seen() {
    sim(async {
        let rig = Rig::new().await;
        let slave_a = rig.slave("a", &[1]).await;
        assert_eq!(slave_a.welcome.epoch, Epoch(5));
        assert_eq!(slave_a.welcome.heartbeat_ms, 5000);
        rig.until(|views| {
            views
                .get(&slave("a"))
                .is_some_and(|view| view.shows(root(1)))
        })
        .await;
        let views = rig.client.views().borrow().clone();
        assert_eq!(views[&slave("a")].address, SLAVE_IP);
    });
}

#[test]
fn hello_is_refused_for_an_unknown_name_an_epoch_and_a_revision() {
    sim(async {
        let rig = Rig::new().await;
        let unknown = refused(&rig, hello("nobody", &[])).await;
        assert!(!unknown.retry && unknown.why.contains("nobody"));
        rig.client.add(&slave("a"), false).await.unwrap();

        let mut newer = hello("a", &[]);
        newer.seen = Some((Epoch(6), rig.identity.store));
        assert!(refused(&rig, newer).await.why.contains("replaced"));
        let mut other = hello("a", &[]);
        other.seen = Some((Epoch(5), StoreId([9; 16])));
        assert!(refused(&rig, other).await.why.contains("store"));
        let mut older = hello("a", &[]);
        older.seen = Some((Epoch(4), StoreId([9; 16])));
        drop(
            rig.dial(older)
                .await
                .unwrap_or_else(|_| panic!("a lower epoch is fine")),
        );

        let mut revision = hello("a", &[]);
        revision.oldest = u16::from(Revision::NEWEST) + 1;
        revision.newest = revision.oldest;
        let why = refused(&rig, revision).await.why;
        assert!(why.contains("revision"), "{why}");
    });
}

#[test]
fn a_second_link_is_refused_while_the_first_one_lives() {
    sim(async {
        let rig = Rig::new().await;
        let first = rig.slave("a", &[1]).await;
        let second = refused(&rig, hello("a", &[1])).await;
        assert!(second.retry && second.why.contains("online"), "{second:?}");
        assert!(first.is_quiet());
        assert!(rig.client.views().borrow().contains_key(&slave("a")));
    });
}

#[test]
fn a_second_link_takes_the_place_of_one_that_does_not_answer() {
    sim(async {
        let rig = Rig::new().await;
        let mut first = rig.slave("a", &[1]).await;
        first.pongs.set(false);
        let begun = Instant::now();
        let second = rig.dial(hello("a", &[2])).await;
        let _second = second.unwrap_or_else(|refused| panic!("{}", refused.why));
        assert_eq!(begun.elapsed(), Duration::from_secs(3), "the ping's limit");
        first.is_cut().await;
        rig.until(|views| {
            views
                .get(&slave("a"))
                .is_some_and(|view| view.shows(root(2)))
        })
        .await;
        let views = rig.client.views().borrow().clone();
        assert!(!views[&slave("a")].shows(root(1)));
    });
}

#[test]
fn a_removed_slave_is_cut_and_does_not_come_back() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        rig.client.remove(&slave("a")).await.unwrap();
        link.is_cut().await;
        assert!(rig.client.views().borrow().is_empty());
        assert!(!refused(&rig, hello("a", &[1])).await.retry);
    });
}

#[test]
fn the_second_slave_that_shows_a_root_is_refused_for_that_root_alone() {
    sim(async {
        let rig = Rig::new().await;
        let first = rig.slave("a", &[1]).await;
        let second = rig.slave("b", &[1, 2]).await;
        rig.until(|views| {
            views
                .get(&slave("b"))
                .is_some_and(|view| view.shows(root(2)))
        })
        .await;
        let views = rig.client.views().borrow().clone();
        assert!(views[&slave("a")].shows(root(1)) && !views[&slave("b")].shows(root(1)));

        let mut absent = status(1);
        absent.state = RootState::Absent;
        first.beats.set(false);
        tokio::time::sleep(Duration::from_secs(1)).await;
        first.tell(&Alive {
            roots: vec![absent],
            transfers: 0,
            receiving: 0,
            sending: 0,
        });
        rig.until(|views| {
            views
                .get(&slave("b"))
                .is_some_and(|view| view.shows(root(1)))
        })
        .await;
        drop(second);
    });
}

#[test]
fn a_connection_that_says_nothing_or_nonsense_is_closed_in_time() {
    sim(async {
        let rig = Rig::new().await;
        let net = rig.net.at(SLAVE_IP);
        let silent = net.connect(None, rig.client.address()).await.unwrap();
        let begun = Instant::now();
        let mut silent = Framed::new(silent, FrameCodec);
        assert!(silent.next().await.is_none());
        assert_eq!(begun.elapsed(), Duration::from_secs(10));

        let odd = net.connect(None, rig.client.address()).await.unwrap();
        let mut odd = Framed::new(odd, FrameCodec);
        let frame = Envelope::new(0, 0x7777, &"what").unwrap();
        odd.send(frame).await.unwrap();
        assert!(odd.next().await.is_none());
    });
}

#[test]
fn a_machine_joins_with_its_token_once() {
    sim(async {
        let rig = Rig::new().await;
        let token = rig.client.add(&slave("a"), false).await.unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key);
        let join = Join {
            secret: token.secret.to_vec(),
            request: request.unwrap().der().to_vec(),
            build: "test".to_owned(),
        };
        let say = async || {
            let io = rig.net.connect(None, rig.client.address()).await.unwrap();
            let mut io = Framed::new(io, FrameCodec);
            let frame = Envelope::new(0, kinds::JOIN, &join).unwrap();
            io.send(frame).await.unwrap();
            io.next().await.unwrap().unwrap()
        };
        let joined: Joined = say().await.open().unwrap();
        assert_eq!(joined.name, slave("a"));
        let again = say().await;
        assert_eq!(again.kind, kinds::REFUSED);
        let again: Refused = again.open().unwrap();
        assert!(again.why.contains("token"), "{}", again.why);
    });
}

#[test]
fn nobody_new_is_let_in_while_the_master_drains_but_links_stay() {
    sim(async {
        let rig = Rig::new().await;
        let link = rig.slave("a", &[1]).await;
        rig.drain.begin(Duration::from_secs(60));
        settle().await;
        let net = rig.net.at(SLAVE_IP);
        assert!(net.connect(None, rig.client.address()).await.is_err());
        assert!(rig.client.views().borrow().contains_key(&slave("a")));
        drop(link);
    });
}

#[test]
fn a_registry_that_panics_begins_anew_and_slaves_come_back() {
    sim(async {
        let mut rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        tell(
            &rig.client.registry,
            crate::slaves::messages::PanicOnPurpose,
        );
        link.is_cut().await;
        let back = rig.dial(hello("a", &[1])).await;
        let _back = back.unwrap_or_else(|refused| panic!("{}", refused.why));
        rig.until(|views| views.contains_key(&slave("a"))).await;
        assert!(rig.parent.drain().is_empty(), "it did not give up");
    });
}
