//! Transfers whose end somebody waits for: pure book-keeping that outlives every link.
//!
//! A transfer survives the loss of its slave's link. Its waiter is kept until the slave is back
//! and tells the end, until the slave is back and does not know the transfer, or until patience
//! ends. An end that was delivered stays known until the waiter says that what it means is
//! stored; told again meanwhile it is passed over, and after long silence it is given up as an
//! orphan.

use std::collections::{BTreeMap, BTreeSet};

use drftpd_protocol::wire::TransferEnded;
use drftpd_protocol::{SlaveId, TransferId};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// Transfers of absent slaves that are remembered; a transfer that is forgotten is ended later.
const MOST_GIVEN_UP: usize = 10_000;

struct Waiting {
    slave: SlaveId,
    ended: oneshot::Sender<TransferEnded>,
    progress: watch::Sender<u64>,
    /// Set while the slave's link is down.
    lost_at: Option<Instant>,
}

struct Delivered {
    ended: TransferEnded,
    slave: SlaveId,
    orphan_at: Instant,
}

/// What a waiter holds.
pub struct Awaiting {
    /// The end, once.
    pub ended: oneshot::Receiver<TransferEnded>,
    /// Bytes as last told.
    pub progress: watch::Receiver<u64>,
}

/// What to do with an end that a slave tells.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// A waiter has it, or had it before and has not said that it is stored.
    Known,
    /// Nobody waits: settle it with the file list.
    Orphan(Box<TransferEnded>),
}

/// Transfers of a slave that came back, that nobody waits for.
#[derive(Debug, PartialEq, Eq)]
pub struct Nobodys {
    /// Whoever waited has given them up while the slave was away: they are to be ended at once.
    pub given_up: Vec<TransferId>,
    /// They may be of an earlier master, or not have begun yet.
    pub others: Vec<TransferId>,
}

/// All transfers that somebody waits for.
#[derive(Default)]
pub struct Awaited {
    waiting: BTreeMap<TransferId, Waiting>,
    /// Those of absent slaves that nobody waits for any more, until the slave is back.
    given_up: BTreeMap<TransferId, SlaveId>,
    delivered: BTreeMap<TransferId, Delivered>,
}

impl Awaited {
    /// Somebody waits for a transfer of `slave` from now on.
    pub fn expect(&mut self, slave: SlaveId, transfer: TransferId) -> Awaiting {
        let (ended, ended_rx) = oneshot::channel();
        let (progress, progress_rx) = watch::channel(0);
        let waiting = Waiting {
            slave,
            ended,
            progress,
            lost_at: None,
        };
        self.waiting.insert(transfer, waiting);
        Awaiting {
            ended: ended_rx,
            progress: progress_rx,
        }
    }

    /// Nobody waits any more.
    pub fn forget(&mut self, transfer: TransferId) {
        self.waiting.remove(&transfer);
    }

    /// Nobody waits any more, and the slave is away: it is told when it is back.
    pub fn give_up(&mut self, slave: SlaveId, transfer: TransferId) {
        self.waiting.remove(&transfer);
        self.given_up.insert(transfer, slave);
        if self.given_up.len() > MOST_GIVEN_UP {
            self.given_up.pop_first();
        }
    }

    /// How far a transfer is. Only its own slave is believed.
    pub fn moved(&mut self, slave: &SlaveId, transfer: TransferId, bytes: u64) {
        if let Some(waiting) = self.waiting.get(&transfer)
            && waiting.slave == *slave
        {
            waiting.progress.send_replace(bytes);
        }
    }

    /// A slave tells a transfer's end. `orphan_at` is when it is given up if its waiter takes it
    /// and then says nothing.
    pub fn ended(&mut self, slave: &SlaveId, ended: TransferEnded, orphan_at: Instant) -> End {
        let transfer = ended.transfer;
        let known = self.delivered.get(&transfer);
        if known.is_some_and(|known| known.slave == *slave) {
            return End::Known;
        }
        if self
            .waiting
            .get(&transfer)
            .is_none_or(|waiting| waiting.slave != *slave)
        {
            return End::Orphan(Box::new(ended));
        }
        let Some(waiting) = self.waiting.remove(&transfer) else {
            return End::Orphan(Box::new(ended));
        };
        match waiting.ended.send(ended.clone()) {
            Ok(()) => {
                let slave = slave.clone();
                let delivered = Delivered {
                    ended,
                    slave,
                    orphan_at,
                };
                self.delivered.insert(transfer, delivered);
                End::Known
            }
            Err(ended) => End::Orphan(Box::new(ended)),
        }
    }

    /// What a transfer's end says is stored.
    pub fn seen(&mut self, transfer: TransferId) {
        self.delivered.remove(&transfer);
    }

    /// A slave's link is lost: its transfers are given up at `at`, unless it is back before.
    pub fn link_lost(&mut self, slave: &SlaveId, at: Instant) {
        let its = self
            .waiting
            .values_mut()
            .filter(|waiting| waiting.slave == *slave);
        its.for_each(|waiting| waiting.lost_at = Some(at));
    }

    /// A slave is back with these transfers. Those it does not know any more are lost: their
    /// waiters hear it at once. Answers those that nobody waits for, to be ended.
    pub fn link_back(&mut self, slave: &SlaveId, has: &[TransferId]) -> Nobodys {
        let its = |_: &TransferId, of: &mut SlaveId| of == slave;
        let given_up = self.given_up.extract_if(.., its);
        let given_up: BTreeSet<_> = given_up.map(|(transfer, _)| transfer).collect();
        self.waiting
            .retain(|transfer, waiting| waiting.slave != *slave || has.contains(transfer));
        let its = self
            .waiting
            .values_mut()
            .filter(|waiting| waiting.slave == *slave);
        its.for_each(|waiting| waiting.lost_at = None);
        let nobodys = has.iter().filter(|transfer| !self.is_known(**transfer));
        let (given_up, others) = nobodys.partition(|transfer| given_up.contains(transfer));
        Nobodys { given_up, others }
    }

    /// Whether somebody waits for a transfer, or has its end and did not say that it is stored.
    pub fn is_known(&self, transfer: TransferId) -> bool {
        self.waiting.contains_key(&transfer) || self.delivered.contains_key(&transfer)
    }

    /// Gives up what waited too long: waiters hear that their transfer is lost; delivered ends
    /// whose waiter said nothing are orphans.
    pub fn expire(&mut self, now: Instant) -> Vec<(SlaveId, TransferEnded)> {
        let late = |_: &TransferId, it: &mut Waiting| it.lost_at.is_some_and(|at| at <= now);
        let late: Vec<_> = self.waiting.extract_if(.., late).collect();
        for (transfer, waiting) in late {
            self.give_up(waiting.slave, transfer);
        }
        let over = self
            .delivered
            .extract_if(.., |_, delivered| delivered.orphan_at <= now);
        over.map(|(_, delivered)| (delivered.slave, delivered.ended))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use drftpd_protocol::wire::Outcome;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    const T: TransferId = TransferId(7);

    fn slave(name: &str) -> SlaveId {
        SlaveId::new(name).unwrap()
    }

    fn end() -> TransferEnded {
        TransferEnded {
            transfer: T,
            upload: None,
            outcome: Outcome::Sent { bytes: 5 },
            took_ms: 1,
            tls: None,
            space: None,
        }
    }

    fn nobodys(given_up: &[TransferId], others: &[TransferId]) -> Nobodys {
        Nobodys {
            given_up: given_up.to_vec(),
            others: others.to_vec(),
        }
    }

    fn later(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_told_again_after_the_link_came_back_reaches_the_waiter_that_still_waits() {
        let mut awaited = Awaited::default();
        let mut waiter = awaited.expect(slave("a"), T);
        awaited.link_lost(&slave("a"), later(60));
        assert!(awaited.expire(later(59)).is_empty());
        assert_eq!(awaited.link_back(&slave("a"), &[T]), nobodys(&[], &[]));
        awaited.expire(later(600));
        awaited.moved(&slave("a"), T, 3);
        assert_eq!(*waiter.progress.borrow_and_update(), 3);
        assert_eq!(awaited.ended(&slave("a"), end(), later(900)), End::Known);
        assert_eq!(waiter.ended.try_recv(), Ok(end()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_transfer_is_lost_when_the_slave_comes_back_without_it_or_not_in_time() {
        let mut awaited = Awaited::default();
        let mut without = awaited.expect(slave("a"), T);
        awaited.link_lost(&slave("a"), later(60));
        assert_eq!(awaited.link_back(&slave("a"), &[]), nobodys(&[], &[]));
        assert_eq!(without.ended.try_recv(), Err(TryRecvError::Closed));

        let mut never = awaited.expect(slave("a"), T);
        awaited.link_lost(&slave("a"), later(60));
        awaited.expire(later(60));
        assert_eq!(never.ended.try_recv(), Err(TryRecvError::Closed));
        assert!(awaited.waiting.is_empty());
        // Its slave may be in the middle of it, and is told as soon as it is back.
        let back = awaited.link_back(&slave("b"), &[T]);
        assert_eq!(back, nobodys(&[], &[T]), "another slave's");
        let back = awaited.link_back(&slave("a"), &[T]);
        assert_eq!(back, nobodys(&[T], &[]));
        let back = awaited.link_back(&slave("a"), &[T]);
        assert_eq!(back, nobodys(&[], &[T]), "told once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_transfer_that_nobody_waits_for_is_named_when_the_slave_comes_back() {
        let mut awaited = Awaited::default();
        let _waiter = awaited.expect(slave("a"), T);
        let back = awaited.link_back(&slave("a"), &[T, TransferId(8)]);
        assert_eq!(back, nobodys(&[], &[TransferId(8)]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_an_orphan_when_its_waiter_went_away_or_never_said_that_it_is_stored() {
        let mut awaited = Awaited::default();
        drop(awaited.expect(slave("a"), T));
        assert_eq!(
            awaited.ended(&slave("a"), end(), later(9)),
            End::Orphan(Box::new(end()))
        );

        let _waiter = awaited.expect(slave("a"), T);
        assert_eq!(awaited.ended(&slave("a"), end(), later(9)), End::Known);
        // Told again on another link, while the waiter still works on it.
        assert_eq!(awaited.ended(&slave("a"), end(), later(9)), End::Known);
        assert_eq!(awaited.expire(later(9)), [(slave("a"), end())]);
        assert_eq!(
            awaited.ended(&slave("a"), end(), later(9)),
            End::Orphan(Box::new(end()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_seen_end_is_forgotten_and_a_foreign_slave_is_not_believed() {
        let mut awaited = Awaited::default();
        let mut waiter = awaited.expect(slave("a"), T);
        awaited.moved(&slave("b"), T, 99);
        assert_eq!(*waiter.progress.borrow_and_update(), 0);
        assert_eq!(
            awaited.ended(&slave("b"), end(), later(9)),
            End::Orphan(Box::new(end()))
        );
        assert_eq!(awaited.ended(&slave("a"), end(), later(9)), End::Known);
        awaited.seen(T);
        assert!(awaited.expire(later(99)).is_empty());
    }
}
