//! Those who come to a channel's port and are not its client, though they come from where it may come from.

use drftpd_protocol::wire::{Begun, Resumption};
use rustls::version::TLS13;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use super::secured::{Client, close, in_memory};
use super::*;

/// More than one channel has handshakes at a time.
const MANY: usize = 120;
/// The most that one channel keeps: its handshakes, and those on their way to it.
const ROOM: usize = 36;

fn me() -> PeerRule {
    PeerRule::Only("127.0.0.1".parse().unwrap())
}

impl Rig {
    /// A download under TLS that has begun and has no client yet.
    async fn secured_download(&mut self, client: &Client, peers: PeerRule) -> SocketAddr {
        let job = self.store(7, b"hello");
        let (transfer, to) = self.listen_for(peers).await;
        let mut order = self.order(transfer, job);
        order.tls = client.order(Resumption::Offered);
        assert_eq!(self.transfers.begin(order).await, Ok(Begun::of(5)));
        to
    }

    /// The right client comes, and gets its whole file.
    async fn is_served(&mut self, client: &Client, to: SocketAddr) {
        let io = self.connect(to).await;
        let mut io = client.handshake(self.net.as_ref(), io).await.unwrap().io;
        assert_eq!(read_all(&mut io).await, b"hello");
        close(&mut io).await;
        drop(io);
        assert_eq!(self.ended().await.outcome, sent(5));
    }

    /// Connections that nobody needs, as they are taken one after the other.
    async fn strangers(&self, to: SocketAddr) -> Vec<BoxIo> {
        let mut strangers = Vec::new();
        for _ in 0..MANY {
            strangers.push(self.connect(to).await);
            sleep(Duration::from_millis(1)).await;
        }
        strangers
    }
}

/// Says a byte of what could be a ClientHello each second, as long as anybody listens; gives back what it heard.
fn drip(mut io: BoxIo) -> JoinHandle<Vec<u8>> {
    spawn_local(async move {
        let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
        for byte in hello.into_iter().chain(std::iter::repeat_n(7, 100)) {
            sleep(Duration::from_secs(1)).await;
            if io.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        let mut heard = Vec::new();
        drop(io.read_to_end(&mut heard).await);
        heard
    })
}

#[test]
fn strangers_who_connect_first_get_nothing_and_break_nothing() {
    in_memory(|mut rig| async move {
        let client = Client::for_rig(&rig, &TLS13);
        let job = rig.store(7, b"hello");
        // From the client's own address, as behind one router.
        let me = PeerRule::Only("127.0.0.1".parse().unwrap());
        let (transfer, to) = rig.listen_for(me).await;
        let mut silent = rig.connect(to).await;
        let mut order = rig.order(transfer, job);
        order.tls = client.order(Resumption::Offered);
        rig.transfers.begin(order).await.unwrap();
        let mut babbler = rig.connect(to).await;
        write(&mut babbler, b"GET / HTTP/1.1\r\n\r\n").await;
        sleep(Duration::from_secs(1)).await;
        let io = rig.connect(to).await;
        let mut io = client.handshake(rig.net.as_ref(), io).await.unwrap().io;
        assert_eq!(read_all(&mut io).await, b"hello");
        close(&mut io).await;
        drop(io);
        assert_eq!(rig.ended().await.outcome, sent(5));
        assert_eq!(read_all(&mut silent).await, b"");
        let mut heard = Vec::new();
        drop(babbler.read_to_end(&mut heard).await);
        assert!(heard.len() < 16, "an alert at most: {heard:?}");
    });
}

#[test]
fn however_many_say_nothing_or_little_the_client_is_served() {
    in_memory(|mut rig| async move {
        let client = Client::for_rig(&rig, &TLS13);
        for peers in [PeerRule::Any, me()] {
            let to = rig.secured_download(&client, peers).await;
            let slow: Vec<_> = rig.strangers(to).await.into_iter().map(drip).collect();
            sleep(Duration::from_secs(5)).await;
            let mut silent = rig.strangers(to).await;
            write(&mut silent[MANY - 1], b"GET / HTTP/1.1\r\n\r\n").await;
            rig.is_served(&client, to).await;
            for slow in slow {
                assert_eq!(slow.await.unwrap(), b"");
            }
            let babbler = silent.pop().unwrap();
            assert!(drip(babbler).await.unwrap().len() < 16, "an alert at most");
            for mut silent in silent {
                assert_eq!(read_all(&mut silent).await, b"");
            }
        }
    });
}

#[test]
fn a_flood_is_never_held_as_a_whole() {
    in_memory(|mut rig| async move {
        let client = Client::for_rig(&rig, &TLS13);
        let to = rig.secured_download(&client, PeerRule::Any).await;
        let mut open = 0;
        for mut io in rig.strangers(to).await {
            // Each with as much as is taken of it.
            let hello = [&[0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xf0][..], &[7; 16_000]].concat();
            drop(io.write_all(&hello).await);
            let closed = timeout(Duration::from_millis(1), io.read(&mut [0; 64])).await;
            open += usize::from(closed.is_err());
        }
        assert!(open <= ROOM, "{open}");
        rig.is_served(&client, to).await;
    });
}

#[test]
fn an_upload_whose_first_connection_ended_before_its_order_waits_for_the_client() {
    on_loopback(|mut rig| async move {
        let (transfer, to) = rig.listen_for(me()).await;
        for _ in 0..3 {
            drop(rig.connect(to).await);
        }
        // When somebody else has been served, they have been met.
        drop(rig.upload(8, Base::Empty).await);
        assert_eq!(rig.ended().await.outcome, prepared(0, b""));
        let job = rig.receive(7, Base::Empty);
        rig.begin(transfer, job).await.unwrap();
        let mut client = rig.connect(to).await;
        write(&mut client, b"hello").await;
        drop(client);
        assert_eq!(rig.ended().await.outcome, prepared(5, b"hello"));
    });
}

#[test]
fn one_that_was_reset_before_its_order_is_no_empty_file() {
    on_loopback(|mut rig| async move {
        let (transfer, to) = rig.listen_for(me()).await;
        let aborted = rig.connect(to).await.into_tcp().unwrap();
        let lingers = socket2::SockRef::from(&aborted).set_linger(Some(Duration::ZERO));
        lingers.unwrap();
        drop(aborted);
        drop(rig.upload(8, Base::Empty).await);
        assert_eq!(rig.ended().await.outcome, prepared(0, b""));
        let job = rig.receive(7, Base::Empty);
        rig.begin(transfer, job).await.unwrap();
        let (code, bytes, _) = broken(rig.ended().await);
        assert_eq!((code, bytes), (FaultCode::CONNECTION_BROKEN, 0));
    });
}

#[test]
fn where_no_other_comes_it_was_the_client_with_an_empty_file() {
    on_loopback(|mut rig| async move {
        let (transfer, to) = rig.listen_for(me()).await;
        drop(rig.connect(to).await);
        drop(rig.upload(8, Base::Empty).await);
        assert_eq!(rig.ended().await.outcome, prepared(0, b""));
        let begun = Instant::now();
        let job = rig.receive(7, Base::Empty);
        rig.begin(transfer, job).await.unwrap();
        assert_eq!(rig.ended().await.outcome, prepared(0, b""));
        assert_eq!(begun.elapsed().as_secs(), 3);
    });
}
