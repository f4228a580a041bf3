//! Greeting, epochs, heartbeats, and coming back.

use std::time::Duration;

use drftpd_protocol::wire::{Alive, FaultCode, Ping, Pong, RootState};
use drftpd_protocol::{Epoch, StoreId};
use tokio::time::Instant;

use super::with_slave;
use crate::link::LinkView;
use crate::testkit::{EPOCH, HEARTBEAT, STORE};

#[test]
fn a_slave_says_who_it_is_and_what_it_has() {
    with_slave(2, |master, slave| async move {
        slave.start();
        let (mut talk, hello) = master.welcome().await;
        assert_eq!(hello.name.as_str(), "disk-1");
        assert_eq!((hello.oldest, hello.newest, hello.seen), (1, 1, None));
        assert_eq!(hello.roots.len(), 2);
        let present = |root: &drftpd_protocol::wire::RootStatus| root.state == RootState::Present;
        assert!(hello.roots.iter().all(present), "{:?}", hello.roots);
        assert_eq!(talk.call(&Ping {}).await, Ok(Pong {}));
        assert!(slave.deps.view.borrow().is_up());
    });
}

#[test]
fn a_slave_is_heard_three_times_in_a_heartbeat() {
    with_slave(1, |master, slave| async move {
        slave.start();
        let (mut talk, _) = master.welcome().await;
        let begun = Instant::now();
        let mut beats = 0;
        while begun.elapsed() < HEARTBEAT * 2 {
            let alive: Alive = talk.notice().await;
            assert_eq!(alive.roots.len(), 1);
            beats += 1;
        }
        assert!((6..=8).contains(&beats), "{beats} beats");
    });
}

#[test]
fn a_slave_remembers_the_highest_epoch_over_its_own_restart() {
    with_slave(1, |master, slave| async move {
        let running = slave.start();
        let (talk, _) = master.welcome_as(Epoch(7), STORE).await;
        slave
            .deps
            .view
            .subscribe()
            .wait_for(LinkView::is_up)
            .await
            .unwrap();
        running.abort();
        drop((talk, running.await));
        slave.start();
        let (_talk, hello) = master.welcome().await;
        assert_eq!(hello.seen, Some((Epoch(7), STORE)));
    });
}

#[test]
fn a_master_that_was_replaced_and_its_twin_are_refused_but_a_newer_one_is_obeyed() {
    with_slave(1, |master, slave| async move {
        slave.start();
        let (talk, _) = master.welcome().await;
        slave
            .deps
            .view
            .subscribe()
            .wait_for(LinkView::is_up)
            .await
            .unwrap();
        drop(talk);
        let (mut replaced, _) = master.welcome_as(Epoch(4), StoreId([9; 16])).await;
        replaced.hung_up().await;
        let (mut twin, _) = master.welcome_as(EPOCH, StoreId([9; 16])).await;
        twin.hung_up().await;
        let why = format!("{:?}", slave.deps.view.borrow());
        assert!(why.contains("belongs to store"), "{why}");
        let (mut newer, hello) = master.welcome_as(Epoch(6), StoreId([9; 16])).await;
        assert_eq!(hello.seen, Some((EPOCH, STORE)));
        assert_eq!(newer.call(&Ping {}).await, Ok(Pong {}));
    });
}

#[test]
fn a_slave_dials_for_ever_with_longer_and_longer_pauses() {
    with_slave(1, |master, slave| async move {
        slave.start();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let refused = Instant::now();
            master.refuse(true).await;
            pauses.push(refused.elapsed());
        }
        let (least, most) = (Duration::from_millis(250), Duration::from_secs(30));
        let in_bounds = |pause: &Duration| (least..=most).contains(pause);
        assert!(pauses[1..].iter().all(in_bounds), "{pauses:?}");
        assert!(
            pauses[11] >= most / 2 && pauses[1] <= Duration::from_millis(500),
            "{pauses:?}"
        );
        let (mut talk, _) = master.welcome().await;
        assert_eq!(talk.call(&Ping {}).await, Ok(Pong {}));
    });
}

#[test]
fn a_slave_that_is_refused_for_good_asks_seldom() {
    with_slave(1, |master, slave| async move {
        slave.start();
        master.refuse(false).await;
        let refused = Instant::now();
        master.welcome().await;
        assert!(refused.elapsed() >= slave.config.link.backoff_max);
    });
}

#[test]
fn a_silent_master_is_dead_after_three_heartbeats() {
    with_slave(1, |master, slave| async move {
        slave.start();
        let (mut talk, _) = master.welcome().await;
        let begun = Instant::now();
        talk.hung_up().await;
        let waited = begun.elapsed();
        assert!(
            (HEARTBEAT * 3..HEARTBEAT * 4).contains(&waited),
            "{waited:?}"
        );
        master.welcome().await;
    });
}

#[test]
fn a_master_that_pings_lives() {
    with_slave(1, |master, slave| async move {
        slave.start();
        let (mut talk, _) = master.welcome().await;
        for _ in 0..10 {
            tokio::time::sleep(HEARTBEAT).await;
            assert_eq!(talk.call(&Ping {}).await, Ok(Pong {}));
        }
    });
}

#[test]
fn frames_of_an_older_epoch_are_refused_and_a_grown_one_asks_for_a_new_greeting() {
    with_slave(1, |master, slave| async move {
        slave.start();
        let (mut talk, _) = master.welcome().await;
        let ping = |call, epoch| {
            use drftpd_protocol::wire::{Envelope, kinds};
            Envelope::new(call, kinds::PING, &Ping {})
                .unwrap()
                .of(epoch)
        };
        talk.send(ping(77, Epoch(4))).await;
        let fault = talk.answer::<Ping>(77).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::STALE_EPOCH);
        assert_eq!(talk.call(&Ping {}).await, Ok(Pong {}));
        talk.send(ping(78, Epoch(9))).await;
        talk.hung_up().await;
        master.welcome().await;
    });
}
