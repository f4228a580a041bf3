//! `[storage]`: what the file list does with uploads that broke off, and with files it finds.

use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

/// `[storage]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VfsConfig {
    /// How long the bytes of an upload that broke off are kept for a resume.
    #[serde(with = "humantime_serde")]
    pub keep_partial: Duration,
    /// How often those that are older are looked for.
    #[serde(with = "humantime_serde")]
    pub expire_every: Duration,
    /// What becomes of files that were put on a slave by hand where the tree has nothing.
    pub foreign: Foreign,
    /// Whether files have a BLAKE3 beside their CRC-32.
    pub blake3: bool,
    /// Owner of files that were found on a slave and adopted.
    pub adopt_owner: String,
    /// Their group.
    pub adopt_group: String,
}

/// What becomes of files that were put on a slave by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Foreign {
    /// They come into the tree.
    Adopt,
    /// They are listed for the operator (`root differences`) and nobody else sees them.
    Quarantine,
}

impl Default for VfsConfig {
    fn default() -> Self {
        Self {
            keep_partial: Duration::from_secs(24 * 3600),
            expire_every: Duration::from_secs(60),
            foreign: Foreign::Adopt,
            blake3: false,
            adopt_owner: "drftpd".into(),
            adopt_group: "drftpd".into(),
        }
    }
}

impl Check for VfsConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if self.expire_every < Duration::from_secs(1) {
            let why = "must be at least one second";
            errors.push(ConfigError::new("storage.expire_every", why));
        }
        for (key, value) in [
            ("storage.adopt_owner", &self.adopt_owner),
            ("storage.adopt_group", &self.adopt_group),
        ] {
            if value.is_empty() || value.chars().any(|c| c.is_whitespace() || c.is_control()) {
                errors.push(ConfigError::new(key, "must be a name without blanks"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_text_and_wrong_keys_are_named() {
        let read = |text: &str| drftpd_actors::parse::<VfsConfig>(text, None);
        let config = read("keep_partial = \"2h\"").unwrap();
        assert_eq!(config.keep_partial, Duration::from_secs(7200));
        let errors = read("expire_every = \"1ms\"\nadopt_owner = \"a b\"").unwrap_err();
        let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
        assert_eq!(keys, ["storage.expire_every", "storage.adopt_owner"]);
    }
}
