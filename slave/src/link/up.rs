//! A link that is up: its number, its book, its queue, and the token that ends all that belongs
//! to it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix::Addr;
use drftpd_actors::tell;
use drftpd_protocol::wire::{Envelope, Fault, FaultCode, kinds};
use futures_util::FutureExt;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, error};

use super::actor::{CallDone, MasterLink};
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

    /// Whether it has lived long enough for the pauses between attempts to begin anew.
    pub fn is_settled(&self, now: Instant) -> bool {
        now.duration_since(self.since) >= self.book.patience().min(Duration::from_secs(60))
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

    /// Runs a call as a task of its own and answers it.
    pub fn begin(&self, call: u32, op: &'static Op, work: Begun, link: Addr<MasterLink>) {
        debug!(link = self.number, call, op = op.name, "a call begins");
        let (number, out) = (self.number, self.out());
        let answered = async move {
            let answer = AssertUnwindSafe(work).catch_unwind().await;
            let answer = answer.unwrap_or_else(|_| {
                error!(call, op = op.name, "an operation panicked");
                Err(Fault::new(FaultCode::FAILED, "the operation panicked"))
            });
            // The number is free before the master can know the answer, but not before there is
            // room for it: so calls that wait to be answered count as under way.
            let Ok(room) = out.reserve().await else {
                return;
            };
            tell(&link, CallDone { link: number, call });
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
