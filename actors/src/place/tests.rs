use super::*;
use std::collections::BTreeSet;
use std::sync::mpsc as std_mpsc;

#[test]
fn a_pool_uses_its_arbiters_in_turn() {
    let pool = Place::pool("turn", 3).unwrap();
    let (tx, rx) = std_mpsc::channel();
    for _ in 0..6 {
        let tx = tx.clone();
        assert!(pool.run(move || {
            tx.send(std::thread::current().name().map(str::to_owned))
                .unwrap()
        }));
    }
    let mut names: Vec<_> = (0..6).map(|_| rx.recv().unwrap().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        ["turn-0", "turn-0", "turn-1", "turn-1", "turn-2", "turn-2"]
    );
    pool.stop();
    pool.join();
}

/// The name of the thread that a guest is put on, and what keeps it there.
fn settles(place: &Place) -> (String, Guest) {
    let (tx, rx) = std_mpsc::channel();
    place.settle(move |guest| {
        let name = std::thread::current().name().map(str::to_owned);
        tx.send((name.unwrap(), guest)).unwrap();
    });
    rx.recv().unwrap()
}

#[test]
fn an_actor_is_put_where_the_fewest_are() {
    let core = Place::pool("core", 1).unwrap();
    let both = core.and("more", 1).unwrap();
    assert_eq!(both.arbiters(), 2);
    // Who lives on the core for others does not count.
    let (_, _elsewhere) = settles(&core);
    let (first, one) = settles(&both);
    let (second, two) = settles(&both);
    assert_eq!([&*first, &*second], ["core-0", "more-0"]);
    drop(two);
    let (third, _three) = settles(&both);
    assert_eq!(third, "more-0");
    drop(one);
    assert_eq!(settles(&both).0, "core-0");
    both.stop();
    both.join();
    assert_eq!(settles(&core).0, "core-0");
    core.stop();
    core.join();
}

#[test]
fn this_thread_can_be_the_first_of_several() {
    let here = block_on(async {
        let place = Place::here().and("more", 1).unwrap();
        let (tx, rx) = tokio::sync::oneshot::channel();
        place.settle(move |guest| {
            let here = std::thread::current().id();
            tx.send((here, guest)).unwrap();
        });
        let (there, _guest) = rx.await.unwrap();
        assert_eq!(there, std::thread::current().id());
        let others = settles(&place);
        place.stop();
        others.0
    });
    assert_eq!(here.unwrap(), "more-0");
}

#[test]
fn each_reaches_every_arbiter_once() {
    let pool = Place::pool("each", 4).unwrap();
    let (tx, rx) = std_mpsc::channel();
    pool.each(move |i| tx.send(i).unwrap());
    let seen: BTreeSet<usize> = (0..4).map(|_| rx.recv().unwrap()).collect();
    assert_eq!(seen, BTreeSet::from([0, 1, 2, 3]));
    pool.stop();
    pool.join();
}

#[test]
fn a_stopped_pool_drops_its_tasks_and_takes_no_more_work() {
    struct Told(std_mpsc::Sender<&'static str>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.send("dropped").unwrap();
        }
    }
    let pool = Place::pool("stop", 1).unwrap();
    let (tx, rx) = std_mpsc::channel();
    let task = tx.clone();
    pool.run(move || {
        let told = Told(task.clone());
        actix_rt::spawn(async move {
            task.send("begun").unwrap();
            std::future::pending::<()>().await;
            drop(told);
        });
    });
    assert_eq!(rx.recv().unwrap(), "begun");
    pool.stop();
    pool.join();
    assert_eq!(rx.recv().unwrap(), "dropped");
    assert!(!pool.run(|| ()));
}

#[test]
fn a_panic_in_a_job_does_not_end_its_arbiter() {
    let pool = Place::pool("panic", 1).unwrap();
    let (tx, rx) = std_mpsc::channel();
    pool.run(|| panic!("on purpose"));
    pool.run(move || tx.send(7).unwrap());
    assert_eq!(rx.recv().unwrap(), 7);
    pool.stop();
    pool.join();
}

#[test]
fn block_on_gives_the_result_and_a_local_set() {
    let seven = block_on(async { actix_rt::spawn(async { 7 }).await.unwrap() });
    assert_eq!(seven.unwrap(), 7);
}
