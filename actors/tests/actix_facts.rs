//! The behaviour of actix that we lean on or guard against, one test per fact, so that an update tells what it
//! changed. The numbers are the rows of the table of pitfalls in the README.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // they are what is looked at

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use actix::dev::channel::channel;
use actix::prelude::*;
use drftpd_actors::testkit::{Probe, settle, sim};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Place, supervise};
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// What an actor of these tests went through.
#[derive(Clone, Default)]
struct Seen {
    started: Count,
    restarted: Count,
    ticks: Count,
    handled: Count,
}

#[derive(Clone, Default)]
struct Count(Arc<AtomicU32>);

impl Count {
    fn add(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    fn get(&self) -> u32 {
        self.0.load(SeqCst)
    }
}

/// Does what the message says.
#[derive(Default)]
struct Subject {
    seen: Seen,
    ticks_every: Option<Duration>,
    ticker: Option<SpawnHandle>,
    stops_in_started: u32,
    kept: u32,
}

impl Actor for Subject {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.seen.started.add();
        if self.seen.started.get() <= self.stops_in_started {
            ctx.stop();
        }
        if let Some(every) = self.ticks_every {
            self.ticker = Some(ctx.run_interval(every, |act, _| act.seen.ticks.add()));
        }
    }
}

impl Supervised for Subject {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.seen.restarted.add();
    }
}

/// A message that carries what its handler does.
struct Do<R>(Box<dyn FnOnce(&mut Subject, &mut Context<Subject>) -> R + Send>);

impl<R: 'static> Message for Do<R> {
    type Result = R;
}

impl<R: Send + 'static> Handler<Do<R>> for Subject {
    type Result = MessageResult<Do<R>>;

    fn handle(&mut self, msg: Do<R>, ctx: &mut Self::Context) -> Self::Result {
        self.seen.handled.add();
        MessageResult((msg.0)(self, ctx))
    }
}

fn work<R>(work: impl FnOnce(&mut Subject, &mut Context<Subject>) -> R + Send + 'static) -> Do<R> {
    Do(Box::new(work))
}

fn panics() -> Do<()> {
    work(|_, _| panic!("on purpose"))
}

fn nothing() -> Do<()> {
    work(|_, _| ())
}

/// A subject under our supervision.
fn ours(subject: Subject) -> Addr<Subject> {
    let spec = ChildSpec::new(
        "subject",
        16,
        Budget::CORE,
        Probe::<ChildDown>::start().recipient(),
    );
    supervise(&Place::here(), spec, || subject)
}

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

/// Answered after a while by a future of the actor, which counts as handled when it is through.
#[derive(Message)]
#[rtype(result = "()")]
struct Slow {
    seconds: u32,
}

impl Handler<Slow> for Subject {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, msg: Slow, _: &mut Self::Context) -> Self::Result {
        let handled = self.seen.handled.clone();
        Box::pin(async move {
            sleep(SECOND * msg.seconds).await;
            assert!(msg.seconds != 0, "on purpose");
            handled.add();
        })
    }
}

/// Like [`Slow`], answered by a future that belongs to the context.
#[derive(Message)]
#[rtype(result = "()")]
struct SlowWithState(Slow);

impl Handler<SlowWithState> for Subject {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, msg: SlowWithState, ctx: &mut Self::Context) -> Self::Result {
        Box::pin(Handler::handle(self, msg.0, ctx).into_actor(self))
    }
}

/// Like [`Slow`], answered so that the actor does nothing else meanwhile.
#[derive(Message)]
#[rtype(result = "()")]
struct SlowAlone(Slow);

impl Handler<SlowAlone> for Subject {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, msg: SlowAlone, ctx: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(Box::pin(Handler::handle(self, msg.0, ctx).into_actor(self)))
    }
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

/// Sent by the actor to itself so many times more.
#[derive(Message)]
#[rtype(result = "()")]
struct Again(u32);

impl Handler<Again> for Subject {
    type Result = ();

    fn handle(&mut self, msg: Again, ctx: &mut Self::Context) {
        self.seen.handled.add();
        if msg.0 > 0 {
            ctx.address().do_send(Again(msg.0 - 1));
        }
    }
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

/// Lives on a thread of a `SyncArbiter`.
struct Worker;

impl Actor for Worker {
    type Context = SyncContext<Self>;
}

impl Handler<Again> for Worker {
    type Result = ();

    fn handle(&mut self, msg: Again, _: &mut Self::Context) {
        assert!(msg.0 > 0, "on purpose");
    }
}

#[test]
fn row_13_a_sync_arbiter_loses_a_thread_with_every_panic_and_needs_a_system() {
    System::new().block_on(async {
        let addr = SyncArbiter::start(2, || Worker);
        for _ in 0..2 {
            assert!(addr.send(Again(1)).await.is_ok());
            assert!(addr.send(Again(0)).await.is_err());
        }
        assert!(addr.send(Again(1)).await.is_err(), "no thread is left");
    });
    let without = std::thread::spawn(|| catch_unwind(|| SyncArbiter::start(1, || Worker)).is_err());
    assert!(without.join().unwrap());
}

#[test]
fn row_15_a_socket_dies_with_the_arbiter_it_was_made_on_unless_it_is_adopted() {
    use std::io::Write;
    use tokio::io::AsyncReadExt;

    for adopted in [false, true] {
        let (first, second) = (
            Place::pool("first", 1).unwrap(),
            Place::pool("second", 1).unwrap(),
        );
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();

        let (tx, made) = std::sync::mpsc::channel();
        first.run(move || {
            tx.send(tokio::net::TcpStream::from_std(server).unwrap())
                .unwrap()
        });
        let stream = made.recv().unwrap();
        let moved = if adopted {
            Err(stream.into_std().unwrap())
        } else {
            Ok(stream)
        };
        first.stop();
        first.join();

        let (tx, read) = oneshot::channel();
        second.run(move || {
            actix_rt::spawn(async move {
                let mut stream =
                    moved.unwrap_or_else(|std| tokio::net::TcpStream::from_std(std).unwrap());
                let mut byte = [0];
                tx.send(stream.read_exact(&mut byte).await.map(|_| byte[0]))
                    .unwrap();
            });
        });
        client.write_all(b"x").unwrap();
        let read = drftpd_actors::block_on(read).unwrap().unwrap();
        assert_eq!(read.ok(), adopted.then_some(b'x'));
        second.stop();
        second.join();
    }
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
