//! `[scrub]`: how often copies are read again, and how fast.

use std::time::Duration;

use bytesize::ByteSize;
use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

/// Less would keep a slave silent for too long between two pieces.
const LEAST_RATE: u64 = 64 << 10;

/// `[scrub]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScrubConfig {
    /// Whether every root is read again from time to time; `scrub start` works without, too.
    pub automatic: bool,
    /// From the begin of one pass over a root to that of the next; a root that is new has its first one after that time.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// Bytes per second that are read of a root at most; 0: without a limit.
    pub max_rate: ByteSize,
    /// Bytes per second at most while transfers of that root run; 0: none.
    pub busy_rate: ByteSize,
}

impl Default for ScrubConfig {
    fn default() -> Self {
        Self {
            automatic: true,
            every: Duration::from_secs(30 * 24 * 3600),
            max_rate: ByteSize::mib(16),
            busy_rate: ByteSize::mib(1),
        }
    }
}

impl Check for ScrubConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |is_wrong: bool, key: &str, why: &str| {
            if is_wrong {
                errors.push(ConfigError::new(format!("scrub.{key}"), why));
            }
        };
        let short = self.every < Duration::from_secs(1);
        wrong(short, "every", "must be at least one second");
        for (key, rate) in [("max_rate", self.max_rate), ("busy_rate", self.busy_rate)] {
            let slow = (1..LEAST_RATE).contains(&rate.as_u64());
            wrong(slow, key, "must be 0B, or at least 64KiB");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_wrong_is_named_by_its_key() {
        let text = "every = \"10ms\"\nmax_rate = \"1KiB\"\nbusy_rate = \"1B\"\n";
        let errors = drftpd_actors::parse::<ScrubConfig>(text, None).unwrap_err();
        let keys: Vec<_> = errors.into_iter().map(|error| error.key).collect();
        assert_eq!(keys, ["scrub.every", "scrub.max_rate", "scrub.busy_rate"]);
        let text = "every = \"1h\"\nmax_rate = \"0B\"\nbusy_rate = \"0B\"\n";
        assert!(drftpd_actors::parse::<ScrubConfig>(text, None).is_ok());
    }
}
