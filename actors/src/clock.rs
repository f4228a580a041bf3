//! The wall clock (file times, bans, statistics), which tests set by hand.
//!
//! For limits and measurements use `tokio::time::Instant`, never this.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const NANOS: i64 = 1_000_000_000;

/// Tells the time of day. Cloning gives another handle to the same clock.
#[derive(Clone)]
pub struct Clock(Option<Arc<AtomicI64>>); // nanoseconds since 1970; reaches to the year 2262

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until it is set, beginning at these seconds since 1970 (UTC).
    pub fn manual(unix_seconds: i64) -> Self {
        Self(Some(Arc::new(AtomicI64::new(
            unix_seconds.saturating_mul(NANOS),
        ))))
    }

    /// Now.
    pub fn now(&self) -> SystemTime {
        let Some(hand) = &self.0 else {
            return SystemTime::now();
        };
        let nanos = hand.load(Ordering::Relaxed);
        let distance = Duration::from_nanos(nanos.unsigned_abs());
        if nanos < 0 {
            UNIX_EPOCH - distance
        } else {
            UNIX_EPOCH + distance
        }
    }

    /// Whole seconds since 1970 (UTC).
    pub fn unix(&self) -> i64 {
        let whole = |distance: Duration| i64::try_from(distance.as_secs()).unwrap_or(i64::MAX);
        match self.now().duration_since(UNIX_EPOCH) {
            Ok(since) => whole(since),
            Err(before) => -whole(before.duration()),
        }
    }

    /// Waits, at most for so long, until a later second than this (since 1970, UTC) is shown. It blocks the thread
    /// and is for the start of a program. A manual clock moves only by hand: it is not waited for.
    #[expect(
        clippy::disallowed_methods,
        reason = "before there is an arbiter that it could block"
    )]
    pub fn wait_past(&self, unix_seconds: i64, most: Duration) {
        let from = Instant::now();
        while self.0.is_none() && self.unix() <= unix_seconds && from.elapsed() < most {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sets a manual clock; the system's clock is left alone.
    pub fn set(&self, unix_seconds: i64) {
        if let Some(hand) = &self.0 {
            hand.store(unix_seconds.saturating_mul(NANOS), Ordering::Relaxed);
        }
    }

    /// Moves a manual clock forward; the system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Some(hand) = &self.0 {
            hand.fetch_add(
                i64::try_from(by.as_nanos()).unwrap_or(i64::MAX),
                Ordering::Relaxed,
            );
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.is_some() { "manual" } else { "system" };
        write!(f, "Clock({kind}, {})", self.unix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_for_all_its_clones() {
        let clock = Clock::manual(1_000);
        let other = clock.clone();
        assert_eq!(other.unix(), 1_000);
        clock.advance(Duration::from_millis(2_500));
        assert_eq!(other.unix(), 1_002);
        assert_eq!(other.now(), UNIX_EPOCH + Duration::from_millis(1_002_500));
        clock.set(-5);
        assert_eq!(other.unix(), -5);
    }

    #[test]
    fn the_next_second_is_waited_for_but_not_a_time_far_away_nor_a_hand() {
        let clock = Clock::system();
        let begun = clock.unix();
        clock.wait_past(begun, Duration::from_secs(60));
        assert!(clock.unix() > begun);
        clock.wait_past(i64::MAX, Duration::from_millis(1));
        Clock::manual(5).wait_past(5, Duration::MAX);
    }

    #[test]
    fn the_system_clock_cannot_be_set() {
        let clock = Clock::system();
        let before = clock.unix();
        clock.set(0);
        clock.advance(Duration::from_secs(1_000_000));
        assert!(clock.unix() >= before && clock.unix() < before + 1_000_000);
    }
}
