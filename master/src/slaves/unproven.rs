//! Connections that have not said who they are: so many at a time, and so many of one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts them. Cloning gives another handle to the same counts.
#[derive(Clone)]
pub(super) struct Unproven {
    counts: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    most: usize,
    most_of_one: usize,
}

/// One connection that is counted, until this is dropped.
pub(super) struct Counted {
    unproven: Unproven,
    address: IpAddr,
}

impl Unproven {
    pub fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            counts: Arc::default(),
            most,
            most_of_one,
        }
    }

    /// Counts one more; `None` when there are too many.
    pub fn count(&self, address: IpAddr) -> Option<Counted> {
        let address = address.to_canonical();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let of_one = counts.get(&address).copied().unwrap_or(0);
        if all >= self.most || of_one >= self.most_of_one {
            return None;
        }
        counts.insert(address, of_one + 1);
        let unproven = self.clone();
        Some(Counted { unproven, address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let counts = &self.unproven.counts;
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_the_places_of_all() {
        let unproven = Unproven::new(3, 2);
        let (one, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let held = [unproven.count(one), unproven.count(one)];
        assert!(held.iter().all(Option::is_some));
        assert!(unproven.count(one).is_none());
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        assert!(unproven.count(mapped).is_none(), "the same address");
        let last = unproven.count(other).unwrap();
        assert!(unproven.count([10, 0, 0, 3].into()).is_none(), "all taken");
        drop(last);
        assert!(unproven.count([10, 0, 0, 3].into()).is_some());
        drop(held);
        assert!(unproven.count(one).is_some());
    }
}
