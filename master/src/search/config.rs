//! `[search]`: whether there is an index of names.

use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

/// `[search]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchConfig {
    /// Whether names are indexed, for `vfs search` and `vfs dupe`.
    pub enabled: bool,
    /// How long changes are gathered before they come into the index.
    #[serde(with = "humantime_serde")]
    pub delay: Duration,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            delay: Duration::from_secs(1),
        }
    }
}

impl Check for SearchConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if self.delay > Duration::from_secs(3600) {
            errors.push(ConfigError::new("search.delay", "must be 1h or less"));
        }
    }
}
