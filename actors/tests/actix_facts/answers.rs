//! How messages are queued, handled and answered.

use actix::dev::channel::channel;
use actix::prelude::*;
use drftpd_actors::testkit::{settle, sim};
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::subject::*;

#[test]
fn row_6_a_capacity_binds_one_handle_and_not_its_clones() {
    // The receiver is kept but not read: nothing leaves the mailbox.
    let (tx, _mailbox) = channel::<Subject>(16);
    let addr = Addr::new(tx);
    assert_eq!(
        (0..100)
            .filter(|_| addr.try_send(nothing()).is_ok())
            .count(),
        16
    );
    assert_eq!(
        (0..1000)
            .filter(|_| addr.clone().try_send(nothing()).is_ok())
            .count(),
        1000
    );
    assert!(addr.try_send(nothing()).is_err());

    let (tx, _mailbox) = channel::<Subject>(0);
    let addr = Addr::new(tx);
    assert_eq!(
        (0..1000)
            .filter(|_| addr.try_send(nothing()).is_ok())
            .count(),
        1000
    );
}

#[test]
fn row_6_neither_do_send_nor_waiting_askers_are_held_back_by_a_full_mailbox() {
    sim(async {
        let seen = Seen::default();
        let (tx, mailbox) = channel::<Subject>(1);
        let addr = Addr::new(tx);
        (0..100).for_each(|_| addr.do_send(nothing()));
        // A request on a full handle goes through a clone of it: askers are bounded by their number alone.
        let mut asks: Vec<_> = (0..100).map(|_| Box::pin(addr.send(nothing()))).collect();
        assert!(asks.iter_mut().all(|ask| ask.now_or_never().is_none()));
        let subject = Subject {
            seen: seen.clone(),
            ..Subject::default()
        };
        assert!(
            Context::with_receiver(mailbox)
                .into_future(subject)
                .now_or_never()
                .is_none()
        ); // one turn
        assert_eq!(seen.handled.get(), 200);
    });
}

#[test]
fn row_7_a_request_dropped_before_its_turn_is_skipped_and_later_is_not() {
    sim(async {
        let seen = Seen::default();
        let addr = Subject {
            seen: seen.clone(),
            ..Subject::default()
        }
        .start();
        let mut early = Box::pin(addr.send(nothing()));
        assert!(early.as_mut().now_or_never().is_none()); // it is in the mailbox
        drop(early);
        settle().await;
        assert_eq!(seen.handled.get(), 0);

        let slow = Slow { seconds: 5 };
        assert!(timeout(SECOND, addr.send(slow)).await.is_err());
        sleep(SECOND * 5).await;
        assert_eq!(
            seen.handled.get(),
            1,
            "its effect happened although nobody waited"
        );
    });
}

#[test]
fn row_8_an_atomic_response_stops_mailbox_and_timers() {
    sim(async {
        let seen = Seen::default();
        let addr = Subject {
            seen: seen.clone(),
            ticks_every: Some(SECOND),
            ..Subject::default()
        }
        .start();
        let alone = addr.send(SlowAlone(Slow { seconds: 60 }));
        let mut other = Box::pin(addr.send(nothing()));
        assert!(timeout(SECOND * 59, &mut other).await.is_err());
        assert_eq!((seen.ticks.get(), seen.handled.get()), (0, 0));
        alone.await.unwrap();
        other.await.unwrap();
        sleep(SECOND / 2).await;
        assert!(
            seen.ticks.get() >= 60,
            "all missed ticks come at once: {}",
            seen.ticks.get()
        );
    });
}

#[test]
fn row_8_an_actor_that_waits_for_itself_by_way_of_another_hangs() {
    sim(async {
        let addr = Subject::default().start();
        let (itself, (begin, begun)) = (addr.clone(), oneshot::channel::<()>());
        let go_between = actix_rt::spawn(async move {
            begun.await.unwrap();
            itself.send(nothing()).await
        });
        addr.do_send(work(|act, ctx| {
            begin.send(()).unwrap();
            ctx.wait(go_between.into_actor(act).map(|_, _, _| ()));
        }));
        let hangs = timeout(SECOND * 3600, addr.send(nothing())).await;
        assert!(hangs.is_err());
    });
}

#[test]
fn row_9_a_response_future_outlives_its_actor_and_a_response_act_future_does_not() {
    sim(async {
        let seen = Seen::default();
        let addr = Subject {
            seen: seen.clone(),
            ..Subject::default()
        }
        .start();
        let (free, bound) = (
            addr.send(Slow { seconds: 9 }),
            addr.send(SlowWithState(Slow { seconds: 9 })),
        );
        let stopping = addr.send(work(|_, ctx| ctx.stop()));
        let (free, bound, stopped) = tokio::join!(free, bound, stopping);
        assert!(stopped.is_ok() && !addr.connected());
        assert_eq!((free.is_ok(), bound.is_ok()), (true, false));
        assert_eq!(seen.handled.get(), 2, "the stop and the free future");
    });
}

#[test]
fn row_10_a_panic_in_a_response_future_spares_the_actor_and_in_a_response_act_future_does_not() {
    sim(async {
        let addr = Subject::default().start();
        assert!(addr.send(Slow { seconds: 0 }).await.is_err());
        assert!(addr.send(nothing()).await.is_ok());
        assert!(addr.send(SlowWithState(Slow { seconds: 0 })).await.is_err());
        assert!(addr.send(nothing()).await.is_err());
    });
}

#[test]
fn row_11_an_actor_that_sends_to_itself_starves_its_neighbours() {
    sim(async {
        let seen = Seen::default();
        let addr = Subject {
            seen: seen.clone(),
            ..Subject::default()
        }
        .start();
        addr.do_send(Again(100_000));
        let handled = seen.handled.clone();
        let neighbour = actix_rt::spawn(async move {
            // Every turn of the neighbour sees how far the actor has come.
            let mut turns_within = 0;
            while handled.get() <= 100_000 {
                turns_within += u32::from(handled.get() > 0);
                tokio::task::yield_now().await;
            }
            turns_within
        });
        assert_eq!(neighbour.await.unwrap(), 0);
    });
}
