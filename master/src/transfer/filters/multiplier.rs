//! How much what is missing weighs: a number of points for each unit, or "remove".

use drftpd_actors::ConfigError;
use serde::{Deserialize, Deserializer};

use crate::transfer::chart::Verdict;

/// See above; 0 is "remove".
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Multiplier(pub f64);

impl Multiplier {
    /// It must not be negative.
    pub fn check(self, errors: &mut Vec<ConfigError>) {
        if !self.0.is_finite() || self.0 < 0.0 {
            errors.push(ConfigError::new("multiplier", "must not be negative"));
        }
    }

    /// What so much that is missing means for a row.
    pub fn judge(self, missing: u64, why: String) -> Verdict {
        if self.0 == 0.0 {
            return Verdict::Reject(why);
        }
        // As far as points go, what an f64 loses of a large number does not matter.
        Verdict::Score(-((missing as f64 * self.0) as i64), why)
    }
}

impl<'de> Deserialize<'de> for Multiplier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "must be a number or \"remove\"")]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self(number)),
            Written::Text(text) if text == "remove" => Ok(Self(0.0)),
            Written::Text(_) => Err(serde::de::Error::custom("must be a number or \"remove\"")),
        }
    }
}
