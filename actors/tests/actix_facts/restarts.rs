//! How actors live, restart and end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::prelude::*;
use drftpd_actors::testkit::{settle, sim};
use tokio::time::sleep;

use crate::subject::*;

#[test]
fn row_1_the_stock_supervisor_does_not_survive_a_panic() {
    sim(async {
        let seen = Seen::default();
        let subject = Subject {
            seen: seen.clone(),
            ..Subject::default()
        };
        let addr = Supervisor::start(|_| subject);
        assert!(addr.send(panics()).await.is_err());
        assert!(addr.send(nothing()).await.is_err());
        assert!(!addr.connected());
        assert_eq!((seen.started.get(), seen.restarted.get()), (1, 0));
    });
}

#[test]
fn row_2_the_stock_supervisor_restarts_on_a_stop_at_once_and_without_limit() {
    sim(async {
        let seen = Seen::default();
        let subject = Subject {
            seen: seen.clone(),
            stops_in_started: 10_000,
            ..Subject::default()
        };
        let addr = Supervisor::start(|_| subject);
        tokio::task::yield_now().await; // a single turn
        assert_eq!(seen.restarted.get(), 10_000);
        assert!(addr.connected());
    });
}

#[test]
fn row_3_a_restart_keeps_the_struct_and_the_mailbox_and_drops_timers() {
    sim(async {
        let seen = Seen::default();
        let subject = Subject {
            seen: seen.clone(),
            ticks_every: Some(SECOND),
            ..Subject::default()
        };
        let addr = ours(subject);
        let late = |act: &mut Subject, ctx: &mut Context<Subject>| {
            act.kept = 7;
            ctx.run_later(SECOND, |act, _| act.kept = 8);
        };
        addr.send(work(late)).await.unwrap();
        let panicking = addr.send(panics());
        let queued = addr.send(work(|act, _| act.kept));
        assert!(panicking.await.is_err());
        assert_eq!(
            queued.await.unwrap(),
            7,
            "`restarting` must renew the state itself"
        );
        assert_eq!(
            (seen.started.get(), seen.restarted.get(), seen.handled.get()),
            (2, 1, 3)
        );
        sleep(SECOND * 10 + SECOND / 2).await;
        assert_eq!(
            addr.send(work(|act, _| act.kept)).await.unwrap(),
            7,
            "the timer of the former life is gone"
        );
        assert_eq!(seen.ticks.get(), 10, "one interval, not two");
    });
}

#[test]
fn row_17_an_actor_ends_with_its_last_address_unless_it_has_a_timer() {
    sim(async {
        let quiet = Subject::default().start();
        let watched = quiet.downgrade();
        drop(quiet);
        settle().await;
        assert!(watched.upgrade().is_none());

        let seen = Seen::default();
        let ticking = Subject {
            seen: seen.clone(),
            ticks_every: Some(SECOND),
            ..Subject::default()
        }
        .start();
        drop(ticking);
        sleep(SECOND * 3600).await;
        assert!(seen.ticks.get() >= 3599, "it lives for ever");
    });
}

#[test]
fn row_18_there_is_no_system_here_and_actors_do_without() {
    fn nothing_global() {
        assert!(System::try_current().is_none());
        assert!(Arbiter::try_current().is_none());
        assert!(catch_unwind(AssertUnwindSafe(System::current)).is_err());
    }
    async fn actors_work() {
        let seen = Seen::default();
        let addr = Subject {
            seen: seen.clone(),
            ticks_every: Some(SECOND),
            ..Subject::default()
        }
        .start();
        sleep(SECOND * 5 + SECOND / 2).await;
        addr.send(SlowWithState(Slow { seconds: 1 })).await.unwrap();
        assert!((5..=7).contains(&seen.ticks.get()), "{}", seen.ticks.get());
    }
    sim(async {
        nothing_global();
        actors_work().await;
    });
    let mut simulation = turmoil::Builder::new().build();
    simulation.client("host", async {
        nothing_global();
        actors_work().await;
        Ok(())
    });
    simulation.run().unwrap();
}

#[test]
fn row_23_a_cancellation_that_was_not_carried_out_survives_a_restart() {
    sim(async {
        let seen = Seen::default();
        let addr = ours(Subject {
            seen: seen.clone(),
            ticks_every: Some(SECOND),
            ..Subject::default()
        });
        let cancels_and_panics = |act: &mut Subject, ctx: &mut Context<Subject>| {
            ctx.cancel_future(act.ticker.unwrap());
            panic!("on purpose");
        };
        assert!(addr.send(work::<()>(cancels_and_panics)).await.is_err());
        sleep(SECOND * 60).await;
        assert_eq!(
            (seen.started.get(), seen.ticks.get()),
            (2, 0),
            "the new interval of the same number is gone"
        );
        assert!(addr.connected());
    });
}
