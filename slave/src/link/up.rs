//! A link that is up: its number, its book, its queue, and the token that ends all that belongs
//! to it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use drftpd_protocol::wire::{Envelope, Fault, FaultCode, kinds};
use futures_util::FutureExt;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, error};

use super::book::Book;
use crate::ops::{Begun, Op};

/// Everything that lives and dies with one link.
pub(super) struct Up {
    /// Which link; numbers are never used again.
    pub number: u64,
    /// What it knows.
    pub book: Book,
    since: Instant,
    out: mpsc::Sender<Envelope>,
    ends: DropGuard,
}

impl Up {
    /// A link that was welcomed just now.
    pub fn new(number: u64, book: Book, out: mpsc::Sender<Envelope>) -> Self {
        Up {
            number,
            book,
            since: Instant::now(),
            out,
            ends: CancellationToken::new().drop_guard(),
        }
    }

    /// Ends with this link.
    pub fn token(&self) -> CancellationToken {
        self.ends.token().clone()
    }

    /// Into the link's queue; whoever waits for a place in it waits no longer than the link lives.
    pub fn out(&self) -> mpsc::Sender<Envelope> {
        self.out.clone()
    }

    /// Whether it lived longer than the pause before it: then pauses begin anew, and a master that
    /// takes slaves and falls at once is still dialled less and less.
    pub fn outlasted(&self, pause: Duration, now: Instant) -> bool {
        now.duration_since(self.since) >= pause
    }

    /// Sends a frame if there is room for it.
    pub fn try_send<M: Serialize>(&self, call: u32, kind: u16, message: &M) -> bool {
        match Envelope::new(call, kind, message) {
            Ok(frame) => self.out.try_send(frame).is_ok(),
            Err(error) => {
                error!(kind, %error, "a frame could not be written");
                true
            }
        }
    }

    /// Runs a call as a task of its own and answers it. `done` is called when there is room for
    /// the answer and before it goes out: so calls that wait to be answered count as under way, and
    /// the number is free before the master can know it.
    pub fn begin(&self, call: u32, op: &'static Op, work: Begun, done: impl FnOnce() + 'static) {
        debug!(link = self.number, call, op = op.name, "a call begins");
        let out = self.out();
        let answered = async move {
            let answer = AssertUnwindSafe(work).catch_unwind().await;
            let answer = answer.unwrap_or_else(|_| {
                error!(call, op = op.name, "an operation panicked");
                Err(Fault::new(FaultCode::FAILED, "the operation panicked"))
            });
            let Ok(room) = out.reserve().await else {
                return;
            };
            done();
            if let Some(frame) = frame(call, op, answer) {
                room.send(frame);
            }
        };
        let ends = self.token().run_until_cancelled_owned(answered);
        drop(actix::spawn(ends.map(drop)));
    }
}

fn frame(call: u32, op: &Op, answer: Result<Vec<u8>, Fault>) -> Option<Envelope> {
    let frame = match answer {
        Ok(body) => Envelope::new(call, kinds::ANSWER, &()).map(|frame| Envelope { body, ..frame }),
        Err(fault) => {
            debug!(call, op = op.name, %fault, "a call failed");
            Envelope::new(call, kinds::FAULT, &fault)
        }
    };
    frame
        .inspect_err(|error| error!(call, %error, "an answer could not be written"))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use drftpd_actors::testkit::{settle, sim};
    use drftpd_protocol::Epoch;

    use super::*;
    use crate::ops;

    fn up(room: usize) -> (Up, mpsc::Receiver<Envelope>) {
        let book = Book::new(Epoch(1), Duration::from_secs(9), 4, Instant::now());
        let (out, told) = mpsc::channel(room);
        (Up::new(1, book, out), told)
    }

    fn ping() -> &'static Op {
        ops::find(kinds::PING).expect("is an operation")
    }

    #[test]
    fn an_operation_that_panics_is_a_fault_of_its_call() {
        sim(async {
            let (up, mut told) = up(4);
            up.begin(
                7,
                ping(),
                async { panic!("on purpose") }.boxed_local(),
                || (),
            );
            let frame = told.recv().await.expect("is answered");
            let fault: Fault = frame.open().expect("a fault");
            assert_eq!((frame.call, fault.code), (7, FaultCode::FAILED));
        });
    }

    #[test]
    fn a_call_is_under_way_until_there_is_room_for_its_answer() {
        sim(async {
            let (up, mut told) = up(1);
            let done = Rc::new(Cell::new(0));
            for call in [1, 2] {
                let done = Rc::clone(&done);
                let answer = async { Ok(Vec::new()) }.boxed_local();
                up.begin(call, ping(), answer, move || done.set(done.get() + 1));
            }
            settle().await;
            assert_eq!(done.get(), 1);
            assert_eq!(told.recv().await.expect("is answered").call, 1);
            settle().await;
            assert_eq!(done.get(), 2);
        });
    }

    #[test]
    fn calls_end_with_their_link() {
        sim(async {
            let (up, mut told) = up(4);
            up.begin(1, ping(), std::future::pending().boxed_local(), || ());
            settle().await;
            drop(up);
            assert!(told.recv().await.is_none(), "nobody holds the queue");
        });
    }
}
