//! Randomness that comes in from outside, so that a simulation can repeat it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// Throws dice. Cloning gives another handle to the same sequence.
#[derive(Clone)]
pub struct Dice(Option<Arc<Mutex<StdRng>>>);

impl Dice {
    /// The generator of the thread: cryptographic, seeded by the system. Fit for tokens and passwords.
    pub fn system() -> Self {
        Self(None)
    }

    /// The same sequence for the same seed; for tests only.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// Fills a buffer.
    pub fn fill(&self, buffer: &mut [u8]) {
        self.with(|rng| rng.fill_bytes(buffer));
    }

    /// Any number.
    pub fn u64(&self) -> u64 {
        let mut number = 0;
        self.with(|rng| number = rng.next_u64());
        number
    }

    /// A number from 0 to `n - 1`, each as likely; 0 for `n = 0`.
    pub fn below(&self, n: u64) -> u64 {
        let mut number = 0;
        if n > 0 {
            self.with(|rng| number = rng.random_range(0..n));
        }
        number
    }

    /// A secret that cannot be guessed.
    pub fn token(&self) -> [u8; 32] {
        let mut token = [0; 32];
        self.fill(&mut token);
        token
    }

    fn with(&self, throw: impl FnOnce(&mut dyn Rng)) {
        match &self.0 {
            None => throw(&mut rand::rng()),
            Some(rng) => throw(&mut *rng.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Dice(seeded)"
        } else {
            "Dice(system)"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_sequences_and_clones_share_one() {
        let (a, b) = (Dice::seeded(7), Dice::seeded(7));
        assert_eq!(a.token(), b.token());
        assert_eq!(a.clone().u64(), b.u64());
        assert_eq!(a.u64(), b.u64());
        assert_ne!(Dice::seeded(8).token(), Dice::seeded(7).token());
    }

    #[test]
    fn below_stays_below_and_reaches_every_number() {
        let dice = Dice::seeded(1);
        let mut seen = [false; 6];
        for _ in 0..1_000 {
            seen[usize::try_from(dice.below(6)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 6]);
        assert_eq!(dice.below(0), 0);
    }

    #[test]
    fn the_system_gives_another_token_each_time() {
        assert_ne!(Dice::system().token(), Dice::system().token());
    }
}
