//! The slave's configuration: one struct per section, unknown keys refused, every error named.
//!
//! `deploy/slave.toml` documents every key; a test compares it with the structs here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use drftpd_actors::{Check, ConfigError, TelemetryConfig};
use drftpd_protocol::SlaveId;
use serde::{Deserialize, Serialize};

use crate::link::MasterAddress;
use crate::storage::{self, Fsync, Sharing, StoragePolicy};
use crate::transfer::TransferConfig;

#[cfg(test)]
mod tests;

/// Everything a slave can be told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlaveConfig {
    /// `[slave]`
    pub slave: IdentityConfig,
    /// `[master]`
    pub master: MasterConfig,
    /// `[link]`
    pub link: LinkConfig,
    /// `[[root]]`, once for each disk.
    pub root: Vec<RootConfig>,
    /// `[storage]`
    pub storage: StorageConfig,
    /// `[transfer]`
    pub transfer: TransferConfig,
    /// `[log]`
    pub log: TelemetryConfig,
    /// `[shutdown]`
    pub shutdown: ShutdownConfig,
}

/// `[slave]`: who this is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// The slave's name; without it the one in its certificate.
    pub name: Option<SlaveId>,
}

/// `[master]`: whom it serves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MasterConfig {
    /// Where the master listens for slaves. Must be set.
    pub address: Option<MasterAddress>,
}

/// `[link]`: how both prove themselves, and how patient the slave is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkConfig {
    /// This slave's certificate (PEM).
    pub certificate: PathBuf,
    /// Its key (PEM); readable by its owner only.
    pub key: PathBuf,
    /// The certificate of the cluster's authority (PEM).
    pub authority: PathBuf,
    /// The file that remembers the highest epoch, so that a replaced master is not obeyed.
    pub seen: PathBuf,
    /// How long dialling, and then each step of the greeting, may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The first pause before the master is dialled again; each failure doubles it.
    #[serde(with = "humantime_serde")]
    pub backoff_min: Duration,
    /// The longest pause.
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
    /// Calls of the master under way at a time; more are refused as busy.
    pub max_calls: usize,
}

/// `[[root]]`: one storage folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootConfig {
    /// The folder; `drftpd-slave join` marks it.
    pub path: PathBuf,
    /// Whether other programs work there too.
    #[serde(default)]
    pub writers: Writers,
    /// On a shared root: how long nothing must have happened to a file until it is taken as it is.
    #[serde(default = "quiet", with = "humantime_serde")]
    pub quiet: Duration,
    /// On a shared root: how often all of it is walked, whether something was heard or not.
    #[serde(default = "rescan_every", with = "humantime_serde")]
    pub rescan_every: Duration,
}

/// Who writes to a root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Writers {
    /// This slave alone: what others did there is judged when it is found, and what they removed is missing.
    #[default]
    Exclusive,
    /// Other programs too, and they are believed.
    Shared,
}

fn quiet() -> Duration {
    Duration::from_millis(500)
}

fn rescan_every() -> Duration {
    Duration::from_secs(600)
}

impl RootConfig {
    /// A folder, all else as it comes.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        RootConfig {
            path: path.into(),
            writers: Writers::default(),
            quiet: quiet(),
            rescan_every: rescan_every(),
        }
    }

    /// The root as storage opens it.
    fn storage(&self) -> storage::RootConfig {
        let shared = (self.writers == Writers::Shared).then_some(Sharing {
            quiet: self.quiet,
            rescan_every: self.rescan_every,
        });
        storage::RootConfig {
            shared,
            ..storage::RootConfig::existing(&self.path)
        }
    }
}

/// `[storage]`: how safe, how gentle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// Whether an upload is on the disk before it is confirmed.
    pub fsync: Fsync,
    /// How long a root keeps what was set aside in its trash.
    #[serde(with = "humantime_serde")]
    pub trash_keep: Duration,
    /// Entries per second that a walk of a root reads at most; 0 without a limit.
    pub walk_rate: u32,
    /// Pieces of disk work at a time, over all roots.
    pub threads: usize,
}

/// `[shutdown]`: how it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownConfig {
    /// How long running transfers may still take.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        LinkConfig {
            certificate: "slave-cert.pem".into(),
            key: "slave-key.pem".into(),
            authority: "slave-authority.pem".into(),
            seen: "slave-seen".into(),
            connect_timeout: Duration::from_secs(10),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            max_calls: 256,
        }
    }
}

impl Default for StorageConfig {
    fn default() -> Self {
        StorageConfig {
            fsync: Fsync::Always,
            trash_keep: Duration::from_secs(7 * 24 * 3600),
            walk_rate: 200_000,
            threads: 16,
        }
    }
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        ShutdownConfig {
            drain: Duration::from_secs(60),
        }
    }
}

impl SlaveConfig {
    /// Reads and checks a file. Relative paths in it are taken from the file's folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with file and key.
    pub fn read(path: &Path) -> Result<Self, Vec<ConfigError>> {
        let mut config: SlaveConfig = drftpd_actors::read(path)?;
        config.beside(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Takes relative paths from this folder.
    pub fn beside(&mut self, folder: &Path) {
        let LinkConfig {
            certificate,
            key,
            authority,
            seen,
            ..
        } = &mut self.link;
        let roots = self.root.iter_mut().map(|root| &mut root.path);
        for path in [certificate, key, authority, seen].into_iter().chain(roots) {
            *path = folder.join(&*path);
        }
    }

    /// The roots as storage opens them: what is no root already is absent, never made.
    pub fn roots(&self) -> Vec<storage::RootConfig> {
        self.root.iter().map(RootConfig::storage).collect()
    }

    /// The sections of a newer configuration that count only after the next start.
    pub fn waiting_for_restart(&self, newer: &SlaveConfig) -> Vec<&'static str> {
        let changed = [
            ("slave", self.slave != newer.slave),
            ("master", self.master != newer.master),
            ("link", self.link != newer.link),
            ("root", self.root != newer.root),
            ("storage", self.storage != newer.storage),
            ("log", self.log != newer.log),
        ];
        let changed = changed.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(section, _)| section).collect()
    }

    /// How roots treat what is stored in them.
    pub fn policy(&self) -> StoragePolicy {
        StoragePolicy {
            fsync: self.storage.fsync,
            trash_keep: self.storage.trash_keep,
            pretended_space: None,
        }
    }
}

impl Check for SlaveConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |bad: bool, key: &str, why: &str| {
            if bad {
                errors.push(ConfigError::new(key, why));
            }
        };
        wrong(
            self.master.address.is_none(),
            "master.address",
            "must be set",
        );
        wrong(
            self.root.is_empty(),
            "root",
            "at least one [[root]] must be set",
        );
        for (at, root) in self.root.iter().enumerate() {
            let key = format!("root.{at}.path");
            let again = self.root[..at].iter().any(|other| other.path == root.path);
            wrong(root.path.as_os_str().is_empty(), &key, "must not be empty");
            wrong(again, &key, "is the path of another root");
            let (shortest, longest) = (Duration::from_millis(50), Duration::from_secs(60));
            wrong(
                !(shortest..=longest).contains(&root.quiet),
                &format!("root.{at}.quiet"),
                "must be 50ms to 1m",
            );
            wrong(
                root.rescan_every < Duration::from_secs(1),
                &format!("root.{at}.rescan_every"),
                "must be at least one second",
            );
        }
        let LinkConfig {
            connect_timeout,
            backoff_min,
            backoff_max,
            max_calls,
            ..
        } = &self.link;
        wrong(
            connect_timeout.is_zero(),
            "link.connect_timeout",
            "must not be zero",
        );
        wrong(
            backoff_min.is_zero(),
            "link.backoff_min",
            "must not be zero",
        );
        wrong(
            backoff_max < backoff_min,
            "link.backoff_max",
            "must not be below backoff_min",
        );
        wrong(
            !(1..=65_536).contains(max_calls),
            "link.max_calls",
            "must be 1 to 65536",
        );
        wrong(
            !(1..=512).contains(&self.storage.threads),
            "storage.threads",
            "must be 1 to 512",
        );
        if let Err(bad) = self.transfer.check() {
            errors.push(ConfigError::new(bad.key, bad.why));
        }
        self.log.check(errors);
    }
}
