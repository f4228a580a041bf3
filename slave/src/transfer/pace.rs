//! How much may move now, pure: a speed limit, and when a thread is worth keeping.

use std::time::Duration;

use tokio::time::Instant;

/// A limited transfer moves in grants of this long at its speed.
const GRANT: Duration = Duration::from_millis(50);
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
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let most = (self.rate as f64 * BURST.as_secs_f64()).max(self.piece());
        self.level = (self.level + passed * self.rate as f64).min(most);
        self.at = now;
        if self.level >= self.piece() {
            return Grant::Now(self.level as u64);
        }
        let missing = (self.piece() - self.level) / self.rate as f64;
        Grant::After(Duration::from_secs_f64(missing) + Duration::from_millis(1))
    }

    /// Says that so many bytes moved.
    pub fn moved(&mut self, bytes: u64) {
        self.level -= bytes as f64;
    }

    /// The least that is worth moving.
    fn piece(&self) -> f64 {
        (self.rate as f64 * GRANT.as_secs_f64()).max(1.0)
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
