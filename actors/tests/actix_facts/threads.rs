//! What happens between threads.

use std::panic::catch_unwind;

use actix::prelude::*;
use drftpd_actors::Place;
use tokio::sync::oneshot;

use crate::subject::Again;

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
