//! Identities: 63 bits, the incarnation of this start of the master above a counter.
//!
//! Handed out from memory; never twice in the life of a store, also not after a restore, because
//! every start forces the incarnation to grow and syncs it before anything else.

use std::sync::atomic::{AtomicU64, Ordering};

use drftpd_protocol::{Generation, NodeId, TransferId};

use super::error::StoreError;

/// Incarnations are seconds since 2026-01-01 00:00 UTC.
pub(super) const BEGIN: i64 = 1_767_225_600;
/// Bits of the counter.
const COUNTER: u32 = 31;
const MOST: u64 = (1 << COUNTER) - 1;

/// Hands out identities.
#[derive(Debug)]
pub struct Ids {
    incarnation: u64,
    nodes: AtomicU64,
    transfers: AtomicU64,
}

impl Ids {
    pub(super) fn new(incarnation: u64) -> Self {
        Self {
            incarnation,
            nodes: AtomicU64::new(0),
            transfers: AtomicU64::new(0),
        }
    }

    /// Which start of the master this is.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// When this start was, as the incarnation has it, Unix seconds: never before any earlier start.
    pub fn began(&self) -> i64 {
        BEGIN.saturating_add_unsigned(self.incarnation)
    }

    /// An identity for a new node.
    ///
    /// # Errors
    /// [`StoreError::NoMoreIds`] after two thousand million.
    pub fn node(&self) -> Result<NodeId, StoreError> {
        self.next(&self.nodes).map(NodeId)
    }

    /// A number for the next contents of a file: greater than all it had, and used by no other.
    ///
    /// # Errors
    /// Like [`Ids::node`].
    pub fn generation(&self) -> Result<Generation, StoreError> {
        self.next(&self.nodes).map(Generation)
    }

    /// A number for a data channel.
    ///
    /// # Errors
    /// Like [`Ids::node`].
    pub fn transfer(&self) -> Result<TransferId, StoreError> {
        self.next(&self.transfers).map(TransferId)
    }

    /// The least number that this start of the master gives to a data channel.
    pub fn first_transfer(&self) -> TransferId {
        TransferId(self.incarnation << COUNTER)
    }

    fn next(&self, counter: &AtomicU64) -> Result<u64, StoreError> {
        let n = counter.fetch_add(1, Ordering::Relaxed) + 1;
        if n > MOST {
            return Err(StoreError::NoMoreIds);
        }
        Ok(self.incarnation << COUNTER | n)
    }
}

/// The parts of an identity, to tell whether this store gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    /// The incarnation that gave it out.
    pub incarnation: u64,
    /// Its number there.
    pub counter: u64,
}

impl Issued {
    /// Takes a node's number or a generation's apart.
    pub fn of(number: u64) -> Self {
        Self {
            incarnation: number >> COUNTER,
            counter: number & MOST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_carry_their_incarnation() {
        let ids = Ids::new(77);
        let (a, b) = (ids.node().unwrap(), ids.generation().unwrap());
        assert!(b.0 > a.0);
        assert_eq!(Issued::of(a.0).incarnation, 77);
        assert_eq!(Issued::of(b.0).counter, 2);
        assert!(ids.transfer().unwrap().0 >> 63 == 0);
        assert!(Ids::new(78).node().unwrap().0 > b.0);
    }

    #[test]
    fn a_counter_that_is_used_up_refuses_and_never_reaches_the_next_incarnation() {
        let ids = Ids::new(5);
        ids.nodes.store(MOST - 1, Ordering::Relaxed);
        let last = ids.node().unwrap();
        assert_eq!(Issued::of(last.0).incarnation, 5);
        assert!(matches!(ids.node(), Err(StoreError::NoMoreIds)));
        assert!(matches!(ids.node(), Err(StoreError::NoMoreIds)));
    }
}
