//! Pure: what a link that is up knows. Whose frames it takes, which calls are under way, and
//! until when a silent master counts as alive.

use std::collections::BTreeSet;
use std::time::Duration;

use drftpd_protocol::Epoch;
use drftpd_protocol::wire::{EndedSeen, Envelope, Fault, FaultCode, WalkCredit, kinds};
use tokio::time::Instant;

use crate::ops::{self, Op};

/// A master is dead when nothing was heard for so many heartbeats.
const DEAD_AFTER: u32 = 3;
/// The slave speaks so many times in a heartbeat.
const BEATS: u32 = 3;
/// Numbers of notices of the master; an unknown one is passed over.
const MASTER_NOTICES: std::ops::RangeInclusive<u16> = 0x0300..=0x03FF;

/// The book of one link.
#[derive(Debug)]
pub struct Book {
    epoch: Epoch,
    heartbeat: Duration,
    heard: Instant,
    limit: usize,
    calls: BTreeSet<u32>,
}

/// What to do about a frame.
#[derive(Debug)]
pub enum Verdict {
    /// Begin this operation.
    Begin(&'static Op),
    /// Answer the call with this fault; the link lives.
    Refuse(Fault),
    /// The master has stored how a transfer ended.
    EndedSeen(EndedSeen),
    /// More pages of a walk may go out.
    WalkCredit(WalkCredit),
    /// Nothing to do; the text is for the log.
    Ignore(&'static str),
    /// This is not the master that was welcomed: part, and say hello anew.
    Part(&'static str),
}

impl Book {
    /// A book for a link that was welcomed just now.
    pub fn new(epoch: Epoch, heartbeat: Duration, limit: usize, now: Instant) -> Self {
        Book {
            epoch,
            heartbeat,
            heard: now,
            limit,
            calls: BTreeSet::new(),
        }
    }

    /// How often the slave says that it is alive.
    pub fn beat(&self) -> Duration {
        (self.heartbeat / BEATS).max(Duration::from_millis(1))
    }

    /// How long the master may be silent.
    pub fn patience(&self) -> Duration {
        self.heartbeat * DEAD_AFTER
    }

    /// Whether the master was silent for too long.
    pub fn is_dead(&self, now: Instant) -> bool {
        now.duration_since(self.heard) >= self.patience()
    }

    /// Calls that are under way.
    pub fn outstanding(&self) -> usize {
        self.calls.len()
    }

    /// Judges a frame that arrived. A call that is begun stands in the book from here on.
    pub fn judge(&mut self, frame: &Envelope, now: Instant) -> Verdict {
        self.heard = now;
        if frame.epoch < self.epoch {
            let text = format!("epoch {} is over, this is {}", frame.epoch, self.epoch);
            return Verdict::Refuse(Fault::new(FaultCode::STALE_EPOCH, text));
        }
        if frame.epoch > self.epoch {
            return Verdict::Part("the master's epoch grew during the link");
        }
        match frame.kind {
            kinds::ENDED_SEEN => notice(frame, Verdict::EndedSeen),
            kinds::WALK_CREDIT => notice(frame, Verdict::WalkCredit),
            kind if MASTER_NOTICES.contains(&kind) => Verdict::Ignore("a notice of unknown kind"),
            kinds::ANSWER | kinds::FAULT => Verdict::Ignore("an answer, but a slave never asks"),
            kind => self.begin(frame.call, kind),
        }
    }

    /// A call's answer goes out: its number may be used again.
    pub fn done(&mut self, call: u32) {
        self.calls.remove(&call);
    }

    fn begin(&mut self, call: u32, kind: u16) -> Verdict {
        let op = match ops::find(kind) {
            Ok(op) => op,
            Err(fault) => return Verdict::Refuse(fault),
        };
        if self.calls.contains(&call) {
            let text = format!("call {call} is under way already");
            return Verdict::Refuse(Fault::new(FaultCode::BAD_REQUEST, text));
        }
        if self.calls.len() >= self.limit {
            let text = format!("{} calls are under way", self.calls.len());
            return Verdict::Refuse(Fault::new(FaultCode::BUSY, text));
        }
        self.calls.insert(call);
        Verdict::Begin(op)
    }
}

fn notice<M: drftpd_protocol::wire::MasterNotice>(
    frame: &Envelope,
    what: fn(M) -> Verdict,
) -> Verdict {
    frame
        .open()
        .map_or(Verdict::Ignore("a notice that does not decode"), what)
}

#[cfg(test)]
mod tests {
    use drftpd_protocol::TransferId;
    use drftpd_protocol::wire::{Ping, encode};

    use super::*;

    const EPOCH: Epoch = Epoch(5);
    const HEARTBEAT: Duration = Duration::from_secs(10);

    fn book() -> Book {
        Book::new(EPOCH, HEARTBEAT, 2, Instant::now())
    }

    fn call(call: u32, kind: u16) -> Envelope {
        Envelope::new(call, kind, &Ping {})
            .expect("encodes")
            .of(EPOCH)
    }

    fn refused(verdict: Verdict) -> FaultCode {
        match verdict {
            Verdict::Refuse(fault) => fault.code,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_call_number_is_free_again_when_it_is_answered() {
        let mut book = book();
        let now = Instant::now();
        assert!(
            matches!(book.judge(&call(1, kinds::PING), now), Verdict::Begin(op) if op.kind == kinds::PING)
        );
        let twice = book.judge(&call(1, kinds::PING), now);
        assert_eq!(refused(twice), FaultCode::BAD_REQUEST);
        book.done(1);
        assert!(matches!(
            book.judge(&call(1, kinds::PING), now),
            Verdict::Begin(_)
        ));
    }

    #[test]
    fn more_calls_than_agreed_are_busy() {
        let mut book = book();
        let now = Instant::now();
        for number in 1..=2 {
            assert!(matches!(
                book.judge(&call(number, kinds::PING), now),
                Verdict::Begin(_)
            ));
        }
        assert_eq!(
            refused(book.judge(&call(3, kinds::PING), now)),
            FaultCode::BUSY
        );
        assert_eq!(book.outstanding(), 2);
    }

    #[test]
    fn a_master_of_an_older_epoch_is_refused_and_one_of_a_newer_must_say_so_first() {
        let mut book = book();
        let now = Instant::now();
        let old = call(1, kinds::PING).of(Epoch(4));
        assert_eq!(refused(book.judge(&old, now)), FaultCode::STALE_EPOCH);
        let new = call(1, kinds::PING).of(Epoch(6));
        assert!(matches!(book.judge(&new, now), Verdict::Part(_)));
        assert_eq!(book.outstanding(), 0);
    }

    #[test]
    fn an_unknown_kind_is_refused_but_an_unknown_notice_passed_over() {
        let mut book = book();
        let now = Instant::now();
        let unknown = book.judge(&call(1, 0x01F0), now);
        assert_eq!(refused(unknown), FaultCode::UNKNOWN_KIND);
        assert!(matches!(
            book.judge(&call(0, 0x03F0), now),
            Verdict::Ignore(_)
        ));
        assert!(matches!(
            book.judge(&call(0, kinds::ANSWER), now),
            Verdict::Ignore(_)
        ));
    }

    #[test]
    fn notices_of_the_master_are_understood() {
        let mut book = book();
        let seen = EndedSeen {
            transfer: TransferId(9),
        };
        let mut frame = call(0, kinds::ENDED_SEEN);
        frame.body = encode(&seen).expect("encodes");
        let verdict = book.judge(&frame, Instant::now());
        assert!(matches!(verdict, Verdict::EndedSeen(got) if got == seen));
    }

    #[test]
    fn a_master_is_dead_after_three_silent_heartbeats_and_any_frame_counts() {
        let mut book = book();
        let start = book.heard;
        assert!(!book.is_dead(start + HEARTBEAT * 2));
        book.judge(&call(0, kinds::ANSWER), start + HEARTBEAT * 2);
        assert!(!book.is_dead(start + HEARTBEAT * 4));
        assert!(book.is_dead(start + HEARTBEAT * 5));
        assert_eq!(book.beat() * 3, HEARTBEAT - Duration::from_nanos(1));
    }
}
