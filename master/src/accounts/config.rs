//! `[accounts]`: how dear one check of a password is, and how many are made at a time.

use drftpd_actors::{Check, ConfigError};
use serde::{Deserialize, Serialize};

/// `[accounts]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountsConfig {
    /// Memory that one check of a password takes (argon2id), in KiB.
    pub hash_memory_kib: u32,
    /// How often that memory is gone over.
    pub hash_rounds: u32,
    /// Checks at the same time; 0: one less than the machine has processors.
    pub hash_workers: usize,
    /// Logins that may wait for their check; the next hears 421.
    pub hash_queue: usize,
    /// Whether administrators' data connections may be with other hosts than their client's (FXP).
    pub administrators_fxp: bool,
    /// Whether administrators may send files that are there already, or rename onto them; if not, they hear of a dupe.
    pub administrators_overwrite: bool,
}

impl AccountsConfig {
    /// What holds where the file says nothing.
    pub const DEFAULT: Self = Self {
        hash_memory_kib: 19 * 1024,
        hash_rounds: 2,
        hash_workers: 0,
        hash_queue: 256,
        administrators_fxp: false,
        administrators_overwrite: true,
    };

    /// How many checks are made at the same time.
    pub fn workers(&self) -> usize {
        if self.hash_workers > 0 {
            return self.hash_workers;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cores.saturating_sub(1).max(1)
    }
}

impl Default for AccountsConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Check for AccountsConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut within = |key: &str, value: usize, least: usize, most: usize| {
            if !(least..=most).contains(&value) {
                let why = format!("must be from {least} to {most}");
                errors.push(ConfigError::new(format!("accounts.{key}"), why));
            }
        };
        let memory = usize::try_from(self.hash_memory_kib).unwrap_or(usize::MAX);
        let rounds = usize::try_from(self.hash_rounds).unwrap_or(usize::MAX);
        within("hash_memory_kib", memory, 8, 4 * 1024 * 1024);
        within("hash_rounds", rounds, 1, 1_000);
        within("hash_workers", self.hash_workers, 0, 256);
        within("hash_queue", self.hash_queue, 1, 100_000);
    }
}
