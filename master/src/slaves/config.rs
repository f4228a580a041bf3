//! `[slaves]`: the port that slaves dial, and how patient the master is with them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

/// `[slaves]`: the port that slaves dial, and how patient the master is with them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlavesConfig {
    /// Where slaves, and relayed data connections, arrive.
    pub listen: SocketAddr,
    /// How often a slave must be heard; one that was silent three times as long is dead.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// How long a join token can be used.
    #[serde(with = "humantime_serde")]
    pub token_lifetime: Duration,
    /// How long a connection may take to say who it is.
    #[serde(with = "humantime_serde")]
    pub hello_timeout: Duration,
    /// Connections that may be saying who they are at the same time.
    pub max_unproven: usize,
    /// The same, from one address.
    pub max_unproven_per_address: usize,
    /// How long the link of a name that dials again may take to show that it lives.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// How long a running transfer waits for a slave whose link was lost.
    #[serde(with = "humantime_serde")]
    pub lost_transfer_after: Duration,
    /// How long an operation of a root's log, or a checksum, may show no progress.
    #[serde(with = "humantime_serde")]
    pub work_timeout: Duration,
    /// Calls that one slave may have to answer at the same time.
    pub max_calls: usize,
    /// Pages of a walk that a slave may send ahead of the file list.
    pub walk_credit: u32,
    /// Files of one walk whose checksums are compared at the same time.
    pub compare_at_once: usize,
    /// Relayed data connections that may be expected at the same time.
    pub max_relays: usize,
    /// How soon a root is walked again when a walk left something open; twice as long each time, up to an hour.
    #[serde(with = "humantime_serde")]
    pub walk_again_after: Duration,
    /// Walk every root of a slave when it comes, to find what was changed by hand.
    pub remerge_at_start: bool,
}

impl SlavesConfig {
    /// A slave that was silent this many heartbeats is dead.
    pub const DEAD_AFTER: u32 = 3;

    /// How long a slave may be silent.
    pub fn dead_after(&self) -> Duration {
        self.heartbeat * Self::DEAD_AFTER
    }
}

impl Default for SlavesConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 2122)),
            heartbeat: Duration::from_secs(5),
            token_lifetime: Duration::from_secs(3600),
            hello_timeout: Duration::from_secs(10),
            max_unproven: 1024,
            max_unproven_per_address: 256,
            ping_timeout: Duration::from_secs(3),
            lost_transfer_after: Duration::from_secs(15),
            work_timeout: Duration::from_secs(60),
            max_calls: 256,
            walk_credit: 16,
            compare_at_once: 2,
            max_relays: 4096,
            walk_again_after: Duration::from_secs(60),
            remerge_at_start: true,
        }
    }
}

impl Check for SlavesConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut refuse = |key: &str, why: &str| {
            errors.push(ConfigError::new(format!("slaves.{key}"), why));
        };
        if self.heartbeat < Duration::from_millis(100) || self.heartbeat > Duration::from_secs(300)
        {
            refuse("heartbeat", "must be between 100ms and 5m");
        }
        let times = [
            ("token_lifetime", self.token_lifetime),
            ("hello_timeout", self.hello_timeout),
            ("ping_timeout", self.ping_timeout),
            ("lost_transfer_after", self.lost_transfer_after),
            ("work_timeout", self.work_timeout),
            ("walk_again_after", self.walk_again_after),
        ];
        for (key, _) in times.iter().filter(|(_, time)| time.is_zero()) {
            refuse(key, "must not be zero");
        }
        let numbers = [
            ("max_unproven", self.max_unproven),
            ("max_unproven_per_address", self.max_unproven_per_address),
            ("max_calls", self.max_calls),
            ("walk_credit", self.walk_credit as usize),
            ("compare_at_once", self.compare_at_once),
            ("max_relays", self.max_relays),
        ];
        for (key, _) in numbers.iter().filter(|(_, number)| *number == 0) {
            refuse(key, "must be at least 1");
        }
        if self.walk_credit > 256 {
            refuse("walk_credit", "must be at most 256");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors_of(config: &SlavesConfig) -> Vec<String> {
        let mut errors = Vec::new();
        config.check(&mut errors);
        errors.into_iter().map(|error| error.key).collect()
    }

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(errors_of(&SlavesConfig::default()), Vec::<String>::new());
    }

    #[test]
    fn every_wrong_value_is_named_by_its_key() {
        let config = SlavesConfig {
            heartbeat: Duration::ZERO,
            ping_timeout: Duration::ZERO,
            max_calls: 0,
            walk_credit: 1000,
            ..SlavesConfig::default()
        };
        let wrong = [
            "slaves.heartbeat",
            "slaves.ping_timeout",
            "slaves.max_calls",
            "slaves.walk_credit",
        ];
        assert_eq!(errors_of(&config), wrong);
    }
}
