//! What our supervision promises: budget, mailbox kept, state renewed, escalation, and that a stop is a stop.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // tests may start, send and fail as they like

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use actix::prelude::*;
use drftpd_actors::testkit::{Probe, settle, sim};
use drftpd_actors::{AskError, Budget, ChildDown, ChildSpec, Ended, Place, ask, supervise};
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(60);
const BUDGET: Budget = Budget {
    restarts: 2,
    per: Duration::from_secs(10),
    pause: Duration::from_millis(200),
};

/// Counts what it is asked, and what happens to it.
#[derive(Default)]
struct Counter {
    count: u32,
    lives: Arc<Lives>,
    panics_in_started: bool,
}

#[derive(Default)]
struct Lives {
    started: AtomicU32,
    restarted: AtomicU32,
    stopping: AtomicU32,
    stopped: AtomicU32,
}

impl Actor for Counter {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.lives.started.fetch_add(1, SeqCst);
        assert!(!self.panics_in_started, "on purpose");
    }

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        self.lives.stopping.fetch_add(1, SeqCst);
        Running::Stop
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.lives.stopped.fetch_add(1, SeqCst);
    }
}

impl Supervised for Counter {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.count = 0;
        self.lives.restarted.fetch_add(1, SeqCst);
    }
}

#[derive(Message)]
#[rtype(result = "u32")]
struct Count;

#[derive(Message)]
#[rtype(result = "()")]
enum End {
    Panic,
    PanicLater,
    Stop,
}

impl Handler<Count> for Counter {
    type Result = u32;

    fn handle(&mut self, _: Count, _: &mut Self::Context) -> u32 {
        self.count += 1;
        self.count
    }
}

impl Handler<End> for Counter {
    type Result = ();

    fn handle(&mut self, how: End, ctx: &mut Self::Context) {
        match how {
            End::Panic => panic!("on purpose"),
            End::PanicLater => {
                ctx.run_later(Duration::from_secs(1), |_, _| panic!("on purpose, later"));
            }
            End::Stop => ctx.stop(),
        }
    }
}

struct Scene {
    down: Probe<ChildDown>,
    lives: Arc<Lives>,
    child: Addr<Counter>,
}

impl Scene {
    fn begin(budget: Budget) -> Self {
        Self::on(&Place::here(), budget)
    }

    fn on(place: &Place, budget: Budget) -> Self {
        let (down, lives) = (Probe::<ChildDown>::start(), Arc::new(Lives::default()));
        let spec = ChildSpec::new("counter", 8, budget, down.recipient()).with_id(7);
        let counter = Counter {
            lives: Arc::clone(&lives),
            ..Counter::default()
        };
        let child = supervise(place, spec, move || counter);
        Self { down, lives, child }
    }

    async fn count(&self) -> Result<u32, AskError> {
        ask(&self.child, Count, LIMIT).await
    }

    async fn end(&self, how: End) -> Result<(), AskError> {
        ask(&self.child, how, LIMIT).await
    }

    async fn hears(&mut self, how: Ended) {
        assert_eq!(
            self.down.next().await,
            ChildDown {
                name: "counter",
                id: 7,
                how
            }
        );
        settle().await;
        assert!(self.down.is_empty(), "a child is down once");
        assert_eq!(self.count().await, Err(AskError::Gone));
    }
}

#[test]
fn after_a_panic_the_same_address_answers_with_new_state() {
    sim(async {
        let scene = Scene::begin(BUDGET);
        assert_eq!((scene.count().await, scene.count().await), (Ok(1), Ok(2)));
        assert_eq!(scene.end(End::Panic).await, Err(AskError::Gone));
        assert_eq!(scene.count().await, Ok(1));
        assert_eq!(
            (
                scene.lives.started.load(SeqCst),
                scene.lives.restarted.load(SeqCst)
            ),
            (2, 1)
        );
        assert_eq!(
            (
                scene.lives.stopping.load(SeqCst),
                scene.lives.stopped.load(SeqCst)
            ),
            (0, 0)
        );
        assert!(scene.down.is_empty());
    });
}

#[test]
fn a_panic_in_a_timer_is_survived_like_one_in_a_handler() {
    sim(async {
        let scene = Scene::begin(BUDGET);
        scene.end(End::PanicLater).await.unwrap();
        sleep(Duration::from_secs(2)).await;
        assert_eq!(scene.lives.restarted.load(SeqCst), 1);
        assert_eq!(scene.count().await, Ok(1));
    });
}

#[test]
fn questions_wait_in_the_mailbox_for_the_pause_to_end() {
    sim(async {
        let scene = Scene::begin(BUDGET);
        let begun = Instant::now();
        let (panicked, one, two) =
            tokio::join!(scene.end(End::Panic), scene.count(), scene.count());
        assert_eq!((panicked, one, two), (Err(AskError::Gone), Ok(1), Ok(2)));
        assert_eq!(begun.elapsed(), BUDGET.pause);
    });
}

#[test]
fn a_child_that_spends_its_budget_is_given_up() {
    sim(async {
        let mut scene = Scene::begin(BUDGET);
        for _ in 0..=BUDGET.restarts {
            assert!(scene.down.is_empty());
            assert_eq!(scene.end(End::Panic).await, Err(AskError::Gone));
        }
        scene.hears(Ended::GaveUp).await;
        assert_eq!(scene.lives.restarted.load(SeqCst), BUDGET.restarts);
        assert_eq!(
            scene.lives.stopped.load(SeqCst),
            0,
            "a broken state is not told that it stops"
        );
    });
}

#[test]
fn a_budget_fills_again_with_time() {
    sim(async {
        let scene = Scene::begin(BUDGET);
        for _ in 0..10 {
            assert_eq!(scene.end(End::Panic).await, Err(AskError::Gone));
            sleep(BUDGET.per).await;
        }
        assert_eq!(scene.count().await, Ok(1));
    });
}

#[test]
fn a_child_that_panics_in_started_is_given_up_after_pauses() {
    sim(async {
        let mut down = Probe::<ChildDown>::start();
        let spec = ChildSpec::new("counter", 8, BUDGET, down.recipient());
        let lives = Arc::new(Lives::default());
        let counter = Counter {
            lives: Arc::clone(&lives),
            panics_in_started: true,
            ..Counter::default()
        };
        let begun = Instant::now();
        let child = supervise(&Place::here(), spec, move || counter);
        assert_eq!(ask(&child, Count, LIMIT).await, Err(AskError::Gone));
        assert_eq!(down.next().await.how, Ended::GaveUp);
        assert_eq!(
            (lives.started.load(SeqCst), begun.elapsed()),
            (3, BUDGET.pause * 2)
        );
    });
}

#[test]
fn a_stop_is_not_a_panic() {
    sim(async {
        let mut scene = Scene::begin(BUDGET);
        scene.end(End::Stop).await.unwrap();
        scene.hears(Ended::Stopped).await;
        assert_eq!(
            (
                scene.lives.restarted.load(SeqCst),
                scene.lives.stopped.load(SeqCst)
            ),
            (0, 1)
        );
    });
}

#[test]
fn a_child_ends_with_its_last_address() {
    sim(async {
        let Scene {
            mut down, child, ..
        } = Scene::begin(BUDGET);
        drop(child);
        assert!(!down.next().await.failed());
    });
}

#[test]
fn a_temporary_child_is_never_restarted_and_tells_how_it_ended() {
    sim(async {
        let mut scene = Scene::begin(Budget::TEMPORARY);
        assert_eq!(scene.end(End::Panic).await, Err(AskError::Gone));
        scene.hears(Ended::Panicked).await;
        assert_eq!(scene.lives.started.load(SeqCst), 1);

        let mut scene = Scene::begin(Budget::TEMPORARY);
        scene.end(End::Stop).await.unwrap();
        scene.hears(Ended::Stopped).await;
    });
}

#[test]
fn a_child_that_cannot_be_made_is_down_at_once() {
    sim(async {
        let mut down = Probe::<ChildDown>::start();
        let spec = ChildSpec::new("counter", 8, BUDGET, down.recipient());
        let child: Addr<Counter> = supervise(&Place::here(), spec, || panic!("on purpose"));
        assert_eq!(down.next().await.how, Ended::GaveUp);
        assert_eq!(ask(&child, Count, LIMIT).await, Err(AskError::Gone));
    });
}

/// Gives up on its child by stopping itself, which its own parent hears.
struct Parent {
    child: Option<Addr<Counter>>,
}

impl Actor for Parent {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let spec = ChildSpec::new("counter", 8, BUDGET, ctx.address().recipient());
        self.child = Some(supervise(&Place::here(), spec, Counter::default));
    }
}

impl Supervised for Parent {}

impl Handler<ChildDown> for Parent {
    type Result = ();

    fn handle(&mut self, down: ChildDown, _: &mut Self::Context) {
        assert!(!down.failed(), "without this child the parent is of no use");
    }
}

impl Handler<End> for Parent {
    type Result = ();

    fn handle(&mut self, how: End, _: &mut Self::Context) {
        if let Some(child) = &self.child {
            child.do_send(how);
        }
    }
}

#[test]
fn a_child_that_is_given_up_takes_its_parent_with_it_up_to_the_root() {
    sim(async {
        let mut root = Probe::<ChildDown>::start();
        let spec = ChildSpec::new("parent", 8, Budget::TEMPORARY, root.recipient());
        let parent = supervise(&Place::here(), spec, || Parent { child: None });
        for _ in 0..=BUDGET.restarts {
            ask(&parent, End::Panic, LIMIT).await.unwrap();
        }
        let down = root.next().await;
        assert_eq!((down.name, down.how), ("parent", Ended::Panicked));
    });
}

#[test]
fn children_on_other_arbiters_are_restarted_too() {
    let done = drftpd_actors::block_on(async {
        let place = Place::pool("children", 2).unwrap();
        let budget = Budget {
            pause: Duration::from_millis(1),
            ..BUDGET
        };
        let scenes = [0; 4].map(|_| Scene::on(&place, budget));
        for scene in &scenes {
            assert_eq!(scene.count().await, Ok(1));
            assert_eq!(scene.end(End::Panic).await, Err(AskError::Gone));
            assert_eq!(scene.count().await, Ok(1));
        }
        place.stop();
        for mut scene in scenes {
            scene.hears(Ended::Stopped).await; // the arbiter has ended, and the parent hears it
            assert_eq!(scene.lives.stopped.load(SeqCst), 1);
        }
        // Where nobody can live any more, a child is down at once.
        Scene::on(&place, budget).hears(Ended::Stopped).await;
        place.join();
    });
    done.unwrap();
}
