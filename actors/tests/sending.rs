//! Asking, telling, publishing, judging and pinging: what happens when the other side is slow, full or gone.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // tests may start, send and fail as they like

use std::time::Duration;

use actix::dev::channel::channel;
use actix::prelude::*;
use drftpd_actors::testkit::{Probe, Stub, settle, sim};
use drftpd_actors::{
    AskError, EventBus, Gate, Health, Otherwise, Ping, Place, Verdict, ask, ask_recipient,
    lost_tells, tell, tell_recipient,
};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Message, Debug, Clone, PartialEq)]
#[rtype(result = "()")]
struct Stored(u32);

#[derive(Message, Clone)]
#[rtype(result = "Verdict")]
struct MayStore;

#[derive(Message)]
#[rtype(result = "u32")]
struct Double(u32);

/// Takes its time for every question, and ends when told so.
struct Sluggard;

impl Actor for Sluggard {
    type Context = Context<Self>;
}

impl Handler<Double> for Sluggard {
    type Result = ResponseFuture<u32>;

    fn handle(&mut self, msg: Double, _: &mut Self::Context) -> Self::Result {
        Box::pin(async move {
            sleep(SECOND * msg.0).await;
            2 * msg.0
        })
    }
}

impl Handler<MayStore> for Sluggard {
    type Result = ResponseFuture<Verdict>;

    fn handle(&mut self, _: MayStore, _: &mut Self::Context) -> Self::Result {
        Box::pin(std::future::pending())
    }
}

impl Handler<Stored> for Sluggard {
    type Result = ();

    fn handle(&mut self, _: Stored, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Ping> for Sluggard {
    type Result = <Ping as Message>::Result;

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) -> Self::Result {
        ping.answer()
    }
}

async fn gone() -> Addr<Sluggard> {
    let addr = Sluggard.start();
    addr.send(Stored(0)).await.unwrap();
    settle().await;
    assert!(!addr.connected());
    addr
}

#[test]
fn a_question_is_answered_within_its_limit_or_not_at_all() {
    sim(async {
        let addr = Sluggard.start();
        assert_eq!(ask(&addr, Double(3), 4 * SECOND).await, Ok(6));
        let begun = Instant::now();
        assert_eq!(
            ask(&addr, Double(5), 4 * SECOND).await,
            Err(AskError::TimedOut)
        );
        assert_eq!(begun.elapsed(), 4 * SECOND);
        assert_eq!(
            ask_recipient(&addr.clone().recipient(), Double(1), 4 * SECOND).await,
            Ok(2)
        );
    });
}

#[test]
fn questions_may_be_asked_from_tasks_that_move_between_threads() {
    fn moves<T: Send>(task: T) -> T {
        task
    }
    sim(async {
        let addr = Sluggard.start();
        assert_eq!(moves(ask(&addr, Double(1), 4 * SECOND)).await, Ok(2));
        let gate = Gate::new();
        assert!(moves(gate.ask(&MayStore)).await.allows());
    });
}

#[test]
fn who_asks_or_tells_an_actor_that_is_gone_hears_or_counts_it() {
    sim(async {
        let addr = gone().await;
        assert_eq!(ask(&addr, Double(1), SECOND).await, Err(AskError::Gone));
        let before = lost_tells();
        tell(&addr, Stored(1));
        tell_recipient(&addr.recipient(), Stored(1));
        assert!(lost_tells() >= before + 2); // other tests of this process may lose some too
    });
}

#[test]
fn a_notice_arrives_also_when_the_mailbox_is_full() {
    sim(async {
        let mut probe = Probe::<Stored>::start();
        let to = probe.recipient();
        (0..70_000).for_each(|n| tell_recipient(&to, Stored(n)));
        settle().await;
        assert_eq!(probe.drain().len(), 70_000);
    });
}

#[test]
fn an_event_reaches_everybody_who_listens_for_it() {
    sim(async {
        let bus = EventBus::new();
        assert!(!bus.has_listeners::<Stored>());
        bus.publish(Stored(0)); // nobody listens yet
        let (mut one, mut two) = (Probe::<Stored>::start(), Probe::<Stored>::start());
        bus.subscribe("one", one.recipient());
        bus.clone().subscribe("two", two.recipient());
        bus.publish(Stored(1));
        bus.publish(Stored(2));
        assert_eq!((one.next().await, one.next().await), (Stored(1), Stored(2)));
        settle().await;
        assert_eq!(two.drain(), [Stored(1), Stored(2)]);
    });
}

#[test]
fn a_listener_that_is_too_slow_loses_events_which_are_counted() {
    sim(async {
        let (bus, mut quick) = (EventBus::new(), Probe::<Stored>::start());
        let (tx, _mailbox) = channel::<Sluggard>(4); // nobody reads it
        bus.subscribe::<Stored>("slow", Addr::new(tx).recipient());
        bus.subscribe("quick", quick.recipient());
        (0..10).for_each(|n| bus.publish(Stored(n)));
        let drops: Vec<_> = bus
            .drops()
            .into_iter()
            .map(|drop| (drop.listener, drop.dropped))
            .collect();
        assert_eq!(drops, [("quick", 0), ("slow", 6)]);
        settle().await;
        assert_eq!(quick.drain().len(), 10);
    });
}

#[test]
fn a_listener_that_is_gone_is_forgotten() {
    sim(async {
        let bus = EventBus::new();
        bus.subscribe("gone", gone().await.recipient::<Stored>());
        assert!(bus.has_listeners::<Stored>());
        bus.publish(Stored(1));
        assert!(!bus.has_listeners::<Stored>());
    });
}

#[test]
fn the_first_judge_who_refuses_decides() {
    sim(async {
        let gate = Gate::new();
        assert_eq!(gate.ask(&MayStore).await, Verdict::Allow);
        let says = |verdict: Verdict| Stub::<MayStore>::start(move |_| verdict.clone());
        let judges = [
            says(Verdict::Allow),
            says(Verdict::Refuse("a duplicate".into())),
            says(Verdict::Refuse("too big".into())),
        ];
        for (name, judge) in ["calm", "dupes", "sizes"].into_iter().zip(&judges) {
            gate.register(name, judge.recipient(), SECOND, Otherwise::Allow);
        }
        assert_eq!(
            gate.clone().ask(&MayStore).await,
            Verdict::Refuse("a duplicate".into())
        );
        assert_eq!(judges.each_ref().map(Stub::asked), [1, 1, 1]);
        assert_eq!(gate.judges(), ["calm", "dupes", "sizes"]);
    });
}

#[test]
fn a_judge_who_is_late_or_gone_counts_as_configured() {
    sim(async {
        for (otherwise, allows) in [(Otherwise::Allow, true), (Otherwise::Refuse, false)] {
            let (late, dead) = (Gate::new(), Gate::new());
            late.register("late", Sluggard.start().recipient(), 3 * SECOND, otherwise);
            late.register(
                "later",
                Sluggard.start().recipient(),
                5 * SECOND,
                Otherwise::Allow,
            );
            dead.register("dead", gone().await.recipient(), 3 * SECOND, otherwise);
            let begun = Instant::now();
            assert_eq!(dead.ask(&MayStore).await.allows(), allows);
            assert_eq!(begun.elapsed(), Duration::ZERO);
            assert_eq!(late.ask(&MayStore).await.allows(), allows);
            assert_eq!(begun.elapsed(), 5 * SECOND, "all are asked at once");
        }
    });
}

#[test]
fn a_health_page_shows_arbiters_and_actors_and_forgets_the_gone() {
    sim(async {
        let health = Health::new();
        health.watch("main", &Place::here());
        let addr = Sluggard.start();
        health.watch_actor("sluggard", &addr.clone().recipient(), SECOND, SECOND);
        sleep(3 * SECOND).await;
        let now = health.snapshot();
        assert_eq!(now.arbiters[0].name, "main-0");
        assert_eq!(
            (now.actors[0].name.as_str(), now.actors[0].waited),
            ("sluggard", Some(Duration::ZERO))
        );
        assert!(now.is_alive(Duration::ZERO));
        drop(addr); // to be watched does not keep it alive
        sleep(3 * SECOND).await;
        assert!(health.snapshot().actors.is_empty());
    });
}

#[test]
fn an_actor_whose_mailbox_stands_still_is_not_alive() {
    sim(async {
        let health = Health::new();
        let (tx, _mailbox) = channel::<Sluggard>(4); // nobody reads it
        let stuck = Addr::new(tx).recipient();
        health.watch_actor("stuck", &stuck, SECOND, SECOND);
        sleep(5 * SECOND / 2).await;
        assert!(!health.snapshot().is_alive(SECOND));
    });
}

#[test]
fn an_arbiter_that_is_held_up_shows_its_lag() {
    drftpd_actors::block_on(async {
        let (health, place) = (Health::new(), Place::pool("held", 1).unwrap());
        health.watch("held", &place);
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let until = |late: bool| {
            let health = health.clone();
            async move {
                let limit = Duration::from_millis(500);
                let seen = |now: &drftpd_actors::HealthSnapshot| !now.arbiters.is_empty();
                while !seen(&health.snapshot()) || health.snapshot().is_alive(limit) == late {
                    tokio::task::yield_now().await;
                }
            }
        };
        until(false).await; // it beats
        place.run(move || assert!(held.recv().is_err()));
        until(true).await; // it hangs, and shows although it cannot measure
        drop(hold);
        until(false).await; // it beats again
        assert!(health.snapshot().arbiters[0].worst >= Duration::from_millis(400));
        place.stop();
        place.join();
    })
    .unwrap();
}
