//! How much may move now: speed limits of one transfer and of all together, and when a thread is worth keeping.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A limited transfer moves in grants of this long at its speed.
const GRANT: Duration = Duration::from_millis(50);
/// One of several that share a limit has so much of it at a time: none waits for long while there are many.
const SHARE: Duration = Duration::from_millis(5);
/// What may be caught up after a pause.
const BURST: Duration = Duration::from_millis(250);

/// A speed limit: bytes flow in at the rate, whoever moves takes them out.
#[derive(Debug)]
pub struct Pace {
    rate: u64,
    level: f64,
    at: Instant,
}

/// An answer of [`Pace::grant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// That many bytes may move now.
    Now(u64),
    /// None before this time has passed.
    After(Duration),
}

impl Pace {
    /// A limit of `rate` bytes per second; 0 is taken as 1.
    pub fn new(rate: u64, now: Instant) -> Self {
        let mut pace = Pace {
            rate: rate.max(1),
            level: 0.0,
            at: now,
        };
        pace.level = pace.piece();
        pace
    }

    /// What may move now, or how long to wait for a piece worth moving.
    pub fn grant(&mut self, now: Instant) -> Grant {
        self.flow(now);
        if self.level >= self.piece() {
            return Grant::Now(self.level as u64);
        }
        let missing = (self.piece() - self.level) / self.rate as f64;
        Grant::After(Duration::from_secs_f64(missing) + Duration::from_millis(1))
    }

    /// Bytes flow in.
    fn flow(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let most = (self.rate as f64 * BURST.as_secs_f64()).max(self.piece());
        self.level = (self.level + passed * self.rate as f64).min(most);
        self.at = now;
    }

    /// Says that so many bytes moved.
    pub fn moved(&mut self, bytes: u64) {
        self.level -= bytes as f64;
    }

    /// Another rate from now on; of what has flowed in at the old one no more stays than a piece.
    fn change(&mut self, rate: u64, now: Instant) {
        self.flow(now);
        self.rate = rate.max(1);
        self.level = self.level.min(self.piece());
    }

    /// Puts a piece aside for one of several, who may have it at the time that is answered with it: first come, first
    /// served.
    fn reserve(&mut self, now: Instant) -> (u64, Instant) {
        self.flow(now);
        let piece = (self.rate as f64 * SHARE.as_secs_f64()).max(1.0).floor();
        self.level -= piece;
        let wait = Duration::from_secs_f64((-self.level / self.rate as f64).max(0.0));
        (piece as u64, now + wait)
    }

    fn give_back(&mut self, bytes: u64) {
        self.level += bytes as f64;
    }

    /// The least that is worth moving.
    fn piece(&self) -> f64 {
        (self.rate as f64 * GRANT.as_secs_f64()).max(1.0)
    }
}

/// A limit that all transfers of one direction share: each takes a piece at a time, so none waits for long.
#[derive(Debug, Clone)]
pub struct SharedPace(Arc<Mutex<Pace>>);

impl SharedPace {
    /// A limit of `rate` bytes per second for all of them.
    pub fn new(rate: u64, now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Pace::new(rate, now))))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Pace) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Bytes per second of one transfer, which may change while it runs. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Rate(Arc<AtomicU64>);

impl Rate {
    /// From now on so many; `None`: any number.
    pub fn set(&self, rate: Option<u64>) {
        let rate = rate.map_or(0, |rate| rate.max(1));
        self.0.store(rate, Ordering::Relaxed);
    }

    fn now(&self) -> Option<u64> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            rate => Some(rate),
        }
    }
}

/// Every limit of one transfer.
#[derive(Debug)]
pub struct Limits {
    rate: Rate,
    /// Its own limit, as long as there is a rate.
    own: Option<Pace>,
    shared: Option<SharedPace>,
    /// What was put aside of the shared one and has not moved yet, and when it may.
    taken: (u64, Instant),
}

impl Limits {
    /// Its own limit, and the one that it shares.
    pub fn new(rate: Rate, shared: Option<SharedPace>) -> Self {
        Self {
            rate,
            own: None,
            shared,
            taken: (0, Instant::now()),
        }
    }

    /// Whether there is none.
    pub fn are_none(&self) -> bool {
        self.rate.now().is_none() && self.shared.is_none()
    }

    /// Follows what the rate is now.
    fn follow(&mut self, now: Instant) {
        match (self.rate.now(), &mut self.own) {
            (None, own) => *own = None,
            (Some(rate), Some(pace)) if pace.rate == rate => {}
            (Some(rate), Some(pace)) => pace.change(rate, now),
            (Some(rate), own) => *own = Some(Pace::new(rate, now)),
        }
    }

    /// What may move now; all that is there where nothing limits it.
    pub fn grant(&mut self, now: Instant) -> Grant {
        self.follow(now);
        let own = match self.own.as_mut().map(|pace| pace.grant(now)) {
            Some(Grant::Now(bytes)) => bytes,
            Some(after) => return after,
            None => u64::MAX,
        };
        let Some(shared) = &self.shared else {
            return Grant::Now(own);
        };
        if self.taken.0 == 0 {
            self.taken = shared.with(|pace| pace.reserve(now));
        }
        let (bytes, from) = self.taken;
        match from.saturating_duration_since(now) {
            Duration::ZERO => Grant::Now(own.min(bytes)),
            wait => Grant::After(wait),
        }
    }

    /// Says that so many bytes moved.
    pub fn moved(&mut self, bytes: u64) {
        if let Some(own) = &mut self.own {
            own.moved(bytes);
        }
        if let Some(shared) = &self.shared {
            // What came along beyond the grant is paid by all.
            shared.with(|pace| pace.moved(bytes.saturating_sub(self.taken.0)));
            self.taken.0 = self.taken.0.saturating_sub(bytes);
        }
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.with(|pace| pace.give_back(self.taken.0));
        }
    }
}

/// Whether a thread may wait a moment for the socket instead of being given back. It pays on fast
/// connections; on slow ones the thread would mostly wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience(bool);

impl Default for Patience {
    /// New connections are taken for fast ones.
    fn default() -> Self {
        Patience(true)
    }
}

impl Patience {
    /// How long a thread waits for the socket.
    pub const MOMENT: Duration = Duration::from_millis(2);

    /// How long to wait on the thread now.
    pub fn wait(self) -> Duration {
        if self.0 { Self::MOMENT } else { Duration::ZERO }
    }

    /// A turn ended because waiting was in vain.
    pub fn in_vain(&mut self) {
        self.0 = false;
    }

    /// The socket was ready again after so long, without a thread waiting.
    pub fn ready_after(&mut self, waited: Duration) {
        self.0 = waited < Self::MOMENT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves whatever is granted for `time` and says how much it was.
    fn moved_in(pace: &mut Pace, mut now: Instant, time: Duration) -> u64 {
        let end = now + time;
        let mut moved = 0;
        while now < end {
            match pace.grant(now) {
                Grant::Now(bytes) => {
                    pace.moved(bytes);
                    moved += bytes;
                }
                Grant::After(wait) => now += wait,
            }
        }
        moved
    }

    #[tokio::test(start_paused = true)]
    async fn over_time_the_rate_is_met_at_every_speed() {
        for rate in [1, 10, 1_000, 1_000_000, 1_000_000_000] {
            let now = Instant::now();
            let mut pace = Pace::new(rate, now);
            let moved = moved_in(&mut pace, now, Duration::from_secs(100)) as f64;
            let right = rate as f64 * 100.0;
            assert!(
                (0.9 * right..=1.1 * right).contains(&moved),
                "{rate}: {moved}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_caught_up_only_a_little() {
        let now = Instant::now();
        let mut pace = Pace::new(1_000_000, now);
        assert_eq!(
            pace.grant(now + Duration::from_secs(3600)),
            Grant::Now(250_000)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_moved_beyond_the_grant_is_paid_back() {
        let now = Instant::now();
        let mut pace = Pace::new(1_000, now);
        pace.moved(1_050);
        let Grant::After(wait) = pace.grant(now) else {
            panic!("nothing is left");
        };
        assert!(wait > Duration::from_secs(1), "{wait:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn transfers_that_share_a_limit_keep_it_together_and_fairly() {
        let now = Instant::now();
        let shared = SharedPace::new(1_000_000, now);
        let mut all: Vec<_> = (0..4)
            .map(|_| (Limits::new(Rate::default(), Some(shared.clone())), now, 0))
            .collect();
        let end = now + Duration::from_secs(10);
        while let Some((limits, at, moved)) = all.iter_mut().min_by_key(|(_, at, _)| *at)
            && *at < end
        {
            match limits.grant(*at) {
                Grant::Now(bytes) => {
                    limits.moved(bytes);
                    *moved += bytes;
                    // Sending takes a moment, so each has its turn.
                    *at += Duration::from_millis(1);
                }
                Grant::After(wait) => *at += wait,
            }
        }
        let moved: Vec<u64> = all.iter().map(|(.., moved)| *moved).collect();
        let sum: u64 = moved.iter().sum();
        assert!((9_500_000..=10_500_000).contains(&sum), "{moved:?}");
        assert!(moved.iter().all(|one| *one > 2_000_000), "{moved:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_own_limit_counts_beside_the_shared_one_and_what_is_left_goes_back() {
        let now = Instant::now();
        let after = |millis| now + Duration::from_millis(millis);
        let shared = SharedPace::new(1_000, now);
        let own = Rate::default();
        own.set(Some(100));
        let mut slow = Limits::new(own, Some(shared.clone()));
        assert_eq!(slow.grant(now), Grant::Now(5));
        slow.moved(5);
        assert!(matches!(slow.grant(now), Grant::After(_)));
        // Of the 50 bytes that are there at the beginning nine pieces are left.
        let none = Rate::default;
        let mut other = Limits::new(none(), Some(shared.clone()));
        for _ in 0..9 {
            assert_eq!(other.grant(now), Grant::Now(5));
            other.moved(5);
        }
        let wait = Grant::After(Duration::from_millis(5));
        assert_eq!(
            (other.grant(now), other.grant(after(5))),
            (wait, Grant::Now(5))
        );
        other.moved(5);
        // Who has waited in vain gives its place to the next one.
        let mut gone = Limits::new(none(), Some(shared.clone()));
        assert_eq!(gone.grant(after(5)), wait);
        drop(gone);
        let mut next = Limits::new(none(), Some(shared));
        assert_eq!(next.grant(after(5)), wait);
        let mut none = Limits::new(none(), None);
        assert!(none.are_none() && !other.are_none());
        assert_eq!(none.grant(now), Grant::Now(u64::MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_that_changes_counts_from_then_on() {
        let mut now = Instant::now();
        let rate = Rate::default();
        let mut limits = Limits::new(rate.clone(), None);
        assert!(limits.are_none());
        for (set, right) in [
            (1_000_000, 10_000_000.0),
            (1_000, 10_000.0),
            (50_000, 500_000.0),
        ] {
            rate.set(Some(set));
            assert!(!limits.are_none());
            let (end, mut moved) = (now + Duration::from_secs(10), 0);
            while now < end {
                match limits.grant(now) {
                    Grant::Now(bytes) => {
                        limits.moved(bytes);
                        moved += bytes;
                    }
                    Grant::After(wait) => now += wait,
                }
            }
            let moved = moved as f64;
            assert!(
                (0.9 * right..=1.1 * right).contains(&moved),
                "{set}: {moved}"
            );
        }
        rate.set(None);
        assert_eq!(limits.grant(now), Grant::Now(u64::MAX));
    }

    #[test]
    fn patience_ends_in_vain_and_returns_with_a_fast_peer() {
        let mut patience = Patience::default();
        assert_eq!(patience.wait(), Patience::MOMENT);
        patience.in_vain();
        assert_eq!(patience.wait(), Duration::ZERO);
        patience.ready_after(Duration::from_millis(50));
        assert_eq!(patience.wait(), Duration::ZERO);
        patience.ready_after(Duration::from_micros(100));
        assert_eq!(patience.wait(), Patience::MOMENT);
    }
}
