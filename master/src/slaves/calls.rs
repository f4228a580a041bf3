//! The calls that one slave has to answer: pure book-keeping.
//!
//! A number is never used twice on one link, so a late answer finds nothing and cannot be taken
//! for another's. Each call has a limit of silence: progress moves its deadline, and when it
//! passes only that call is lost, never the link.

use std::collections::BTreeMap;
use std::time::Duration;

use drftpd_protocol::wire::Fault;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallLost {
    /// The slave said no.
    Fault(Fault),
    /// It was silent over this call for too long.
    TimedOut,
    /// Its link is gone.
    Offline,
}

/// The encoded answer of a call.
pub type CallResult = Result<Vec<u8>, CallLost>;

struct Pending {
    kind: u16,
    limit: Duration,
    deadline: Instant,
    asker: oneshot::Sender<CallResult>,
}

/// What became of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Settled {
    /// The asker has it.
    Delivered,
    /// The asker did not wait for it.
    NobodyWaits,
    /// No call has this number (any more).
    Unknown,
}

/// The calls under way on one link.
pub struct Calls {
    open: BTreeMap<u32, Pending>,
    last: u32,
    limit: usize,
}

impl Calls {
    /// Room for `limit` calls at a time.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            open: BTreeMap::new(),
            last: 0,
            limit,
        }
    }

    /// Opens a call; `None` when too many are open. Whoever waits gets the receiver.
    pub fn open(
        &mut self,
        kind: u16,
        limit: Duration,
        now: Instant,
    ) -> Option<(u32, oneshot::Receiver<CallResult>)> {
        if self.open.len() >= self.limit {
            return None;
        }
        let call = self.next_number();
        let (asker, answer) = oneshot::channel();
        let pending = Pending {
            kind,
            limit,
            deadline: now + limit,
            asker,
        };
        self.open.insert(call, pending);
        Some((call, answer))
    }

    /// The next number; 0 is for notices, and one that is still open after four thousand million
    /// others is passed over.
    fn next_number(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.open.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    /// Settles a call with what came.
    pub fn settle(&mut self, call: u32, result: CallResult) -> Settled {
        match self.open.remove(&call) {
            None => Settled::Unknown,
            Some(pending) => match pending.asker.send(result) {
                Ok(()) => Settled::Delivered,
                Err(_) => Settled::NobodyWaits,
            },
        }
    }

    /// A call shows that it is alive; tells whether there is such a call.
    pub fn progress(&mut self, call: u32, now: Instant) -> bool {
        let Some(pending) = self.open.get_mut(&call) else {
            return false;
        };
        pending.deadline = now + pending.limit;
        true
    }

    /// Ends the calls whose time is over; their numbers and kinds, for the log.
    pub fn expire(&mut self, now: Instant) -> Vec<(u32, u16)> {
        let over: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, pending)| pending.deadline <= now)
            .map(|(call, _)| *call)
            .collect();
        let mut expired = Vec::new();
        for call in over {
            let kind = self.open.get(&call).map_or(0, |pending| pending.kind);
            self.settle(call, Err(CallLost::TimedOut));
            expired.push((call, kind));
        }
        expired
    }

    /// How many calls are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn calls() -> (Calls, Instant) {
        (Calls::with_limit(3), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_reaches_its_asker_and_no_other() {
        let (mut calls, now) = calls();
        let (one, mut first) = calls.open(1, SECOND, now).unwrap();
        let (two, mut second) = calls.open(1, SECOND, now).unwrap();
        assert_eq!(calls.settle(two, Ok(vec![2])), Settled::Delivered);
        assert!(first.try_recv().is_err());
        assert_eq!(second.try_recv().unwrap(), Ok(vec![2]));
        assert_eq!(calls.settle(one, Ok(vec![1])), Settled::Delivered);
        assert_eq!(first.try_recv().unwrap(), Ok(vec![1]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_finds_nothing_although_another_call_came_since() {
        let (mut calls, now) = calls();
        let (late, answer) = calls.open(7, SECOND, now).unwrap();
        assert_eq!(calls.expire(now + SECOND), [(late, 7)]);
        assert_eq!(answer.await.unwrap(), Err(CallLost::TimedOut));
        let (next, mut other) = calls.open(7, SECOND, now).unwrap();
        assert_ne!(late, next);
        assert_eq!(calls.settle(late, Ok(vec![9])), Settled::Unknown);
        assert!(other.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn progress_moves_the_deadline_of_its_own_call_only() {
        let (mut calls, now) = calls();
        let (long, _a) = calls.open(1, SECOND, now).unwrap();
        let (short, _b) = calls.open(2, SECOND, now).unwrap();
        assert!(calls.progress(long, now + SECOND / 2));
        assert_eq!(calls.expire(now + SECOND), [(short, 2)]);
        assert_eq!(calls.expire(now + SECOND * 3 / 2), [(long, 1)]);
        assert!(!calls.progress(long, now + SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn more_calls_than_the_limit_are_refused_until_one_is_settled() {
        let (mut calls, now) = calls();
        let open: Vec<_> = (0..3)
            .map(|_| calls.open(1, SECOND, now).unwrap())
            .collect();
        assert!(calls.open(1, SECOND, now).is_none());
        drop(open.into_iter().map(|(call, _)| call).collect::<Vec<_>>());
        assert_eq!(calls.settle(2, Ok(Vec::new())), Settled::NobodyWaits);
        assert!(calls.open(1, SECOND, now).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_wrap_around_without_zero_and_without_those_in_use() {
        let (mut calls, now) = calls();
        calls.last = u32::MAX - 1;
        let (max, _a) = calls.open(1, SECOND, now).unwrap();
        calls.open.insert(
            1,
            Pending {
                kind: 1,
                limit: SECOND,
                deadline: now + SECOND,
                asker: oneshot::channel().0,
            },
        );
        let (next, _b) = calls.open(1, SECOND, now).unwrap();
        assert_eq!((max, next), (u32::MAX, 2));
    }
}
