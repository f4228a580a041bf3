//! How often logins from an address failed lately, and from where they succeeded: bounded, whoever calls. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Sources that are remembered at most; the oldest is forgotten for a new one.
const MOST: usize = 100_000;

/// Failed logins by whoever it is that is counted: an address, or a name.
#[derive(Debug)]
pub struct Failures<K> {
    counted: BTreeMap<K, (u32, Instant)>,
    /// By their first failure; those counted anew since are passed over.
    order: VecDeque<(Instant, K)>,
    most: usize,
}

impl<K: Ord + Clone> Default for Failures<K> {
    fn default() -> Self {
        Self::up_to(MOST)
    }
}

impl<K: Ord + Clone> Failures<K> {
    fn up_to(most: usize) -> Self {
        Self {
            counted: BTreeMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    /// One more; answers how many there were within `window` of the first.
    pub fn add(&mut self, key: K, window: Duration, now: Instant) -> u32 {
        self.forget(window, now);
        if let Some((count, _)) = self.counted.get_mut(&key) {
            *count = count.saturating_add(1);
            return *count;
        }
        self.counted.insert(key.clone(), (1, now));
        self.order.push_back((now, key));
        1
    }

    /// How many there are.
    pub fn count(&self, key: &K, window: Duration, now: Instant) -> u32 {
        let counted = self.counted.get(key);
        let fresh = counted.filter(|(_, first)| now.saturating_duration_since(*first) < window);
        fresh.map_or(0, |(count, _)| *count)
    }

    /// They do not count any more.
    pub fn clear(&mut self, key: &K) {
        self.counted.remove(key);
    }

    fn forget(&mut self, window: Duration, now: Instant) {
        while let Some((first, _)) = self.order.front() {
            let over = now.saturating_duration_since(*first) >= window;
            if !over && self.order.len() < self.most {
                return;
            }
            if let Some((first, key)) = self.order.pop_front()
                && self.counted.get(&key).is_some_and(|(_, at)| *at == first)
            {
                self.counted.remove(&key);
            }
        }
    }
}

/// Addresses from which somebody logged in lately: their logins go before those of strangers.
#[derive(Debug, Default)]
pub struct Known {
    known: BTreeMap<IpAddr, u64>,
    order: VecDeque<(u64, IpAddr)>,
    last: u64,
}

impl Known {
    /// Addresses that are remembered.
    const MOST: usize = 10_000;

    /// Somebody has logged in from there.
    pub fn add(&mut self, address: IpAddr) {
        self.last += 1;
        self.known.insert(address, self.last);
        self.order.push_back((self.last, address));
        while self.order.len() > 2 * Self::MOST || self.known.len() > Self::MOST {
            if let Some((at, address)) = self.order.pop_front()
                && self.known.get(&address) == Some(&at)
            {
                self.known.remove(&address);
            }
        }
    }

    /// Whether somebody did.
    pub fn contains(&self, address: &IpAddr) -> bool {
        self.known.contains_key(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn failures_count_within_the_window_and_no_longer() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        assert_eq!(failures.add(1, WINDOW, start), 1);
        assert_eq!(failures.add(1, WINDOW, start + WINDOW / 2), 2);
        assert_eq!(failures.add(2, WINDOW, start + WINDOW / 2), 1);
        assert_eq!(failures.count(&1, WINDOW, start + WINDOW / 2), 2);
        assert_eq!(failures.count(&1, WINDOW, start + WINDOW), 0);
        assert_eq!(failures.add(1, WINDOW, start + WINDOW), 1);
        failures.clear(&1);
        assert_eq!(failures.count(&1, WINDOW, start + WINDOW), 0);
    }

    #[tokio::test]
    async fn memory_has_a_bound_however_many_call() {
        let (mut failures, now) = (Failures::up_to(100), Instant::now());
        for key in 0..100_000 {
            failures.add(key, WINDOW, now);
            if key % 3 == 0 {
                failures.clear(&key);
            }
            assert!(failures.counted.len() <= 100 && failures.order.len() <= 100);
        }
        assert_eq!(failures.count(&99_998, WINDOW, now), 1);
        assert_eq!(failures.count(&0, WINDOW, now), 0);
        let mut known = Known::default();
        for n in 0..50_000_u32 {
            known.add(std::net::Ipv4Addr::from(n % 15_000).into());
            known.add(std::net::Ipv4Addr::from(7).into());
        }
        assert!(known.known.len() <= Known::MOST && known.order.len() <= 2 * Known::MOST);
        assert!(known.contains(&std::net::Ipv4Addr::from(7).into()));
    }
}
