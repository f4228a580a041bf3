//! Relays over loopback sockets and over pipes in memory, in both forms.

use drftpd_actors::testkit::{MemNet, seed, sim};
use drftpd_actors::{Dice, Net, TokioNet};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;

const STALL: Duration = Duration::from_secs(60);

/// A client, a slave, and the relay between them.
struct Bench {
    client: BoxIo,
    slave: BoxIo,
    relay: JoinHandle<Result<(), DataError>>,
    over: Option<oneshot::Sender<()>>,
    relays: Relays,
}

fn forms() -> Vec<Form> {
    vec![
        #[cfg(target_os = "linux")]
        Form::Splice,
        Form::Copy,
    ]
}

async fn pair(net: &dyn Net) -> (BoxIo, BoxIo) {
    let listener = net.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let to = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(net.connect(None, to), listener.accept());
    (near.unwrap(), far.unwrap().adopt().unwrap())
}

async fn bench(net: &dyn Net, form: Form, stall: Duration) -> Bench {
    let (client, at_client) = pair(net).await;
    let (slave, at_slave) = pair(net).await;
    let relays = Relays::new(1);
    let mut relay = Relay::new(at_client, at_slave, relays.permit().unwrap());
    relay.form = form;
    let (over, heard) = oneshot::channel();
    let until_over = async {
        if heard.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let run = async move { relay.run(stall, &Blocking::inline(), until_over).await };
    Bench {
        client,
        slave,
        relay: tokio::task::spawn_local(run),
        over: Some(over),
        relays,
    }
}

/// Runs a test over loopback, once in each form.
fn over_loopback<F: Future>(test: impl Fn(Form) -> F) {
    for form in forms() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let whole = async { tokio::time::timeout(Duration::from_secs(60), test(form)).await };
        let done = tokio::task::LocalSet::new().block_on(&runtime, whole);
        assert!(done.is_ok(), "{form:?} hangs");
    }
}

async fn read_all(io: &mut BoxIo) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    io.read_to_end(&mut all).await.map(|_| all)
}

#[test]
fn bytes_and_ends_go_both_ways_and_are_counted() {
    let dice = Dice::seeded(seed());
    over_loopback(|form| {
        let dice = dice.clone();
        async move {
            let mut bench = bench(&TokioNet::new(), form, STALL).await;
            let mut up = vec![0; 3_000_001];
            let mut down = vec![0; 2_000_003];
            dice.fill(&mut up);
            dice.fill(&mut down);
            let (mut from_client, mut to_slave) = tokio::io::split(bench.client);
            let (mut from_slave, mut to_client) = tokio::io::split(bench.slave);
            let (mut up_got, mut down_got) = (Vec::new(), Vec::new());
            let send_up = async {
                to_slave.write_all(&up).await?;
                to_slave.shutdown().await
            };
            let send_down = async {
                to_client.write_all(&down).await?;
                to_client.shutdown().await
            };
            tokio::try_join!(
                send_up,
                send_down,
                from_slave.read_to_end(&mut up_got),
                from_client.read_to_end(&mut down_got),
            )
            .unwrap();
            assert!(up == up_got && down == down_got, "{form:?}");
            (&mut bench.relay).await.unwrap().unwrap();
            let counts = bench.relays.counts();
            let want = RelayCounts {
                running: 0,
                to_client: 2_000_003,
                to_slave: 3_000_001,
            };
            assert_eq!(counts, want);
        }
    });
}

#[test]
fn a_half_close_leaves_the_other_way_open() {
    over_loopback(|form| async move {
        let mut bench = bench(&TokioNet::new(), form, STALL).await;
        bench.client.write_all(b"all").await.unwrap();
        bench.client.shutdown().await.unwrap();
        assert_eq!(read_all(&mut bench.slave).await.unwrap(), b"all");
        bench.slave.write_all(b"taken").await.unwrap();
        drop(bench.slave);
        assert_eq!(read_all(&mut bench.client).await.unwrap(), b"taken");
        bench.relay.await.unwrap().unwrap();
    });
}

#[test]
fn a_reset_of_one_end_is_a_reset_of_the_other() {
    over_loopback(|form| async move {
        for client_resets in [true, false] {
            let mut bench = bench(&TokioNet::new(), form, STALL).await;
            let (gone, mut left) = match client_resets {
                true => (bench.client, bench.slave),
                false => (bench.slave, bench.client),
            };
            left.write_all(b"x").await.unwrap();
            reset(&gone);
            drop(gone);
            let heard = read_all(&mut left).await.unwrap_err();
            assert_eq!(heard.kind(), io::ErrorKind::ConnectionReset);
            let end = (&mut bench.relay).await.unwrap();
            assert!(matches!(end, Err(DataError::Broken(_))));
        }
    });
}

#[test]
fn cut_in_the_middle_both_ends_are_reset_at_once() {
    over_loopback(|form| async move {
        let mut bench = bench(&TokioNet::new(), form, STALL).await;
        bench.client.write_all(b"x").await.unwrap();
        let mut one = [0];
        bench.slave.read_exact(&mut one).await.unwrap();
        bench.relay.abort();
        for io in [&mut bench.client, &mut bench.slave] {
            let heard = read_all(io).await.unwrap_err();
            assert_eq!(heard.kind(), io::ErrorKind::ConnectionReset, "{form:?}");
        }
        assert_eq!(bench.relays.counts().running, 0);
    });
}

#[test]
fn an_end_that_takes_nothing_makes_the_other_wait() {
    over_loopback(|form| async move {
        let mut bench = bench(&TokioNet::new(), form, STALL).await;
        let piece = vec![7; 64 * 1024];
        // The buffers on the way fill up, and then no write comes through any more.
        let mut sent = 0;
        let full = async {
            loop {
                sent += bench.slave.write(&piece).await.unwrap();
            }
        };
        let full = tokio::time::timeout(Duration::from_millis(300), full).await;
        assert!(full.is_err());
        assert!(sent < 64 << 20, "{sent} bytes are nowhere");
        bench.slave.shutdown().await.unwrap();
        let got = read_all(&mut bench.client).await.unwrap();
        assert_eq!(got.len(), sent);
    });
}

#[test]
fn once_the_slave_is_done_everything_still_reaches_the_client() {
    over_loopback(|form| async move {
        let mut bench = bench(&TokioNet::new(), form, STALL).await;
        bench.slave.write_all(&vec![7; 300_000]).await.unwrap();
        drop(bench.slave);
        bench.over.take().unwrap().send(()).unwrap();
        let mut got = vec![0; 300_000];
        bench.client.read_exact(&mut got).await.unwrap();
        // The client keeps its side open, and hears an orderly end all the same.
        assert_eq!(bench.client.read(&mut got).await.unwrap(), 0);
        bench.relay.await.unwrap().unwrap();
    });
}

#[test]
fn without_a_byte_for_the_limit_it_is_stalled_but_not_while_the_slave_works() {
    sim(async {
        let net = MemNet::new();
        let mut stalls = bench(&net, Form::Copy, STALL).await;
        let begun = Instant::now();
        sleep(STALL / 2).await;
        stalls.client.write_all(b"x").await.unwrap();
        let end = (&mut stalls.relay).await.unwrap();
        let Err(DataError::Unheard(why)) = end else {
            panic!("the slave is behind no socket: {end:?}");
        };
        assert!(matches!(*why, DataError::Stalled));
        assert_eq!(begun.elapsed(), STALL / 2 + STALL);

        let mut works = bench(&net, Form::Copy, STALL).await;
        works.client.shutdown().await.unwrap();
        sleep(STALL * 10).await;
        assert!(!works.relay.is_finished());
        works.slave.shutdown().await.unwrap();
        works.relay.await.unwrap().unwrap();
    });
}

#[test]
fn there_are_never_more_relays_than_allowed() {
    let relays = Relays::new(2);
    let (first, _second) = (relays.permit().unwrap(), relays.permit().unwrap());
    let refused = relays.permit().unwrap_err();
    assert_eq!(refused.reply().code(), 450);
    drop(first);
    assert!(relays.permit().is_ok());
}
