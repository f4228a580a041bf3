//! `[store]` and `[names]`: how the store keeps its promises, and which names are the same.

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Power loss loses nothing that was acknowledged.
    Full,
    /// Killing any process loses nothing; power loss may lose the last moments, consistently.
    Relaxed,
}

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// What a commit survives: `"full"` or `"relaxed"`.
    pub durability: Durability,
    /// Commands that may wait for the writer before it refuses more.
    pub queue: usize,
    /// Commands in one commit at most.
    pub batch: usize,
    /// Reader connections that are kept open.
    pub readers: usize,
    /// Memory for pages of the writer, in MiB; each reader has an eighth of it.
    pub cache_mib: u32,
}

impl StoreConfig {
    /// What holds where the file says nothing.
    pub const DEFAULT: Self = Self {
        durability: Durability::Full,
        queue: 4096,
        batch: 256,
        readers: 8,
        cache_mib: 64,
    };
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Check for StoreConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut within = |key: &str, value: usize, least: usize, most: usize| {
            if !(least..=most).contains(&value) {
                let why = format!("must be from {least} to {most}");
                errors.push(ConfigError::new(format!("store.{key}"), why));
            }
        };
        within("queue", self.queue, 16, 1_000_000);
        within("batch", self.batch, 1, 10_000);
        within("readers", self.readers, 1, 256);
        let cache = usize::try_from(self.cache_mib).unwrap_or(usize::MAX);
        within("cache_mib", cache, 1, 65_536);
    }
}

/// Which names are the same. Chosen when the store is made, never later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Case {
    /// Those with the same bytes.
    #[default]
    Sensitive,
    /// Those that differ only in case; the spelling given first is kept.
    Insensitive,
}

impl Case {
    /// As the store notes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sensitive => "sensitive",
            Self::Insensitive => "insensitive",
        }
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        [Self::Sensitive, Self::Insensitive]
            .into_iter()
            .find(|case| case.as_str() == text)
    }

    /// What two names must have in common to be the same. Bytes that are not UTF-8 are folded
    /// where they are ASCII.
    pub fn fold(self, name: &[u8]) -> Vec<u8> {
        match (self, std::str::from_utf8(name)) {
            (Self::Sensitive, _) => name.to_vec(),
            (Self::Insensitive, Ok(text)) => text.to_lowercase().into_bytes(),
            (Self::Insensitive, Err(_)) => name.to_ascii_lowercase(),
        }
    }
}

/// `[names]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamesConfig {
    /// `"sensitive"` or `"insensitive"` (case-preserving); a store that is there keeps its own.
    pub case: Case,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_only_where_case_does_not_count() {
        assert_eq!(Case::Sensitive.fold(b"A.Txt"), b"A.Txt");
        assert_eq!(Case::Insensitive.fold(b"A.Txt"), b"a.txt");
        let (upper, lower) = ("GRÖSSE".as_bytes(), "grösse".as_bytes());
        assert_eq!(Case::Insensitive.fold(upper), lower);
        assert_eq!(Case::Insensitive.fold(b"\xC4X"), b"\xC4x");
    }

    #[test]
    fn a_queue_that_holds_nothing_is_refused_by_its_key() {
        let config = StoreConfig {
            queue: 0,
            ..StoreConfig::DEFAULT
        };
        let mut errors = Vec::new();
        config.check(&mut errors);
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].key, "store.queue");
        let mut none = Vec::new();
        StoreConfig::DEFAULT.check(&mut none);
        assert!(none.is_empty());
    }
}
