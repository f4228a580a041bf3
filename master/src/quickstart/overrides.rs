//! `--set section.key=value`: for the master where it has that key, else for every embedded slave. `slave.` in front
//! means the slaves in any case (`slave.log.level=debug`).

use drftpd_actors::{ConfigError, apply_overrides, parse_table};
use drftpd_slave::SlaveConfig;
use serde::de::DeserializeOwned;
use toml::Table;

use crate::cli::Failure;
use crate::config::MasterConfig;

/// What goes where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Overrides {
    pub master: Vec<String>,
    pub slaves: Vec<String>,
}

impl Overrides {
    /// Sorts what was said.
    ///
    /// # Errors
    /// A key that neither has is the master's error.
    pub fn sort(said: &[String]) -> Result<Self, Failure> {
        let mut sorted = Self::default();
        for set in said {
            if let Some(set) = set.strip_prefix("slave.") {
                sorted.slaves.push(set.to_owned());
            } else if !knows::<MasterConfig>(set) && knows::<SlaveConfig>(set) {
                sorted.slaves.push(set.clone());
            } else {
                sorted.master.push(set.clone());
            }
        }
        Ok(sorted)
    }

    /// Whether a key of the master is among them.
    pub fn sets(&self, key: &str) -> bool {
        let key_of = |set: &String| set.split_once('=').map(|(key, _)| key.trim().to_owned());
        self.master
            .iter()
            .any(|set| key_of(set).as_deref() == Some(key))
    }
}

/// Whether a configuration has that key, whatever it thinks of the value.
fn knows<T: DeserializeOwned + drftpd_actors::Check>(set: &str) -> bool {
    let mut table = Table::new();
    if apply_overrides(&mut table, &[set]).is_err() {
        return false;
    }
    let errors = parse_table::<T>(table, None).err().unwrap_or_default();
    let unknown = |error: &ConfigError| error.why.starts_with("unknown field");
    !errors.iter().any(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_whoever_has_it_the_master_first() {
        let said = [
            "store.durability=relaxed",
            "storage.fsync=never",
            "storage.keep_partial=1h",
            "log.level=debug",
            "slave.log.level=trace",
            "ftp.nonsense=1",
            "accounts.hash_rounds=nonsense",
        ];
        let said: Vec<String> = said.iter().map(|set| (*set).to_owned()).collect();
        let sorted = Overrides::sort(&said).unwrap();
        assert_eq!(sorted.slaves, ["storage.fsync=never", "log.level=trace"]);
        assert_eq!(sorted.master.len(), 5);
        assert!(sorted.sets("log.level") && !sorted.sets("storage.fsync"));
    }
}
