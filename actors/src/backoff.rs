//! Exponential back-off with jitter: how long to wait before the next attempt.

use std::time::Duration;

use crate::dice::Dice;

/// Doubles its wait from one failure to the next up to a cap; each wait is between half and all of that, so that
/// many slaves that lost one master do not come back in one wave.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    attempts: u32,
    dice: Dice,
}

impl Backoff {
    /// Begins with `first` and never waits longer than `cap`.
    pub fn new(first: Duration, cap: Duration, dice: Dice) -> Self {
        Self {
            first,
            cap,
            attempts: 0,
            dice,
        }
    }

    /// How long to wait after one more failure.
    pub fn next_wait(&mut self) -> Duration {
        let factor = 2_u32.saturating_pow(self.attempts);
        self.attempts = self.attempts.saturating_add(1);
        let whole = self.first.saturating_mul(factor).min(self.cap);
        let half = whole / 2;
        let jitter = u64::try_from((whole - half).as_nanos()).unwrap_or(u64::MAX);
        half + Duration::from_nanos(self.dice.below(jitter.saturating_add(1)))
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// How many waits there were since the last success.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_cap_and_begin_anew_after_a_reset() {
        let mut backoff = Backoff::new(SECOND, 8 * SECOND, Dice::seeded(3));
        for whole in [1, 2, 4, 8, 8, 8] {
            let wait = backoff.next_wait();
            assert!(
                wait >= whole * SECOND / 2 && wait <= whole * SECOND,
                "{wait:?} for {whole}"
            );
        }
        assert_eq!(backoff.attempts(), 6);
        backoff.reset();
        assert!(backoff.next_wait() <= SECOND);
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut backoff = Backoff::new(SECOND, Duration::MAX, Dice::seeded(3));
        let longest = (0..1_000).map(|_| backoff.next_wait()).max();
        assert!(longest > Some(1_000_000 * SECOND));
    }

    #[test]
    fn two_that_fail_together_do_not_come_back_together() {
        let dice = Dice::seeded(4);
        let mut waits = [0; 2].map(|_| Backoff::new(SECOND, SECOND, dice.clone()).next_wait());
        waits.sort();
        assert!(waits[0] < waits[1]);
    }
}
