//! `[transfer]`: how slots are held, and the chains of filters that choose slaves.

use std::collections::BTreeMap;
use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;
use toml::Table;

use super::chart::Chain;
use super::filters::{self, FilterKinds, Filters};

/// `[transfer]`: how slots are held, and the chains of filters that choose slaves.
///
/// ```toml
/// [[transfer.upload.filter]]
/// name = "minfreespace"
/// min = "1GiB"
/// multiplier = 1
///
/// [[transfer.upload.filter]]
/// name = "cycle"
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransferConfig {
    /// How long a slot is held for a transfer that does not begin.
    #[serde(with = "humantime_serde")]
    pub hold_timeout: Duration,
    /// How long after its begin a transfer is counted on top of what its slave tells; two
    /// heartbeats.
    #[serde(with = "humantime_serde")]
    pub settle_after: Duration,
    /// Slots that may be held at the same time.
    pub max_slots: usize,
    /// The same, for one session.
    pub max_slots_per_session: usize,
    /// Filters for uploads of clients.
    pub upload: ChainConfig,
    /// Filters for downloads of clients.
    pub download: ChainConfig,
    /// Filters for where a further copy goes.
    pub copy_to: ChainConfig,
    /// Filters for where a further copy comes from.
    pub copy_from: ChainConfig,
    /// The filters that this program has.
    #[serde(skip)]
    pub kinds: FilterKinds,
}

/// One chain: `[[transfer.CHAIN.filter]]`, in the order in which they judge.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// Each with its `name` and its options.
    pub filter: Vec<Table>,
}

impl ChainConfig {
    fn of(text: &str) -> Self {
        // The text is ours and tried by a test.
        toml::from_str(text).unwrap_or(ChainConfig { filter: Vec::new() })
    }
}

const UPLOAD: &str = r#"filter = [
    { name = "bandwidth" },
    { name = "minfreespace", min = "1GiB", multiplier = 1 },
    { name = "minfreespace", min = "16MiB", multiplier = "remove" },
    { name = "cycle" },
]"#;
const DOWNLOAD: &str = r#"filter = [
    { name = "bandwidth" },
    { name = "cycle" },
]"#;
const COPY_TO: &str = r#"filter = [
    { name = "maxtransfers", max = 2 },
    { name = "bandwidth" },
    { name = "minfreespace", min = "1GiB", multiplier = 1 },
    { name = "minfreespace", min = "100MiB", multiplier = "remove" },
    { name = "cycle" },
]"#;
const COPY_FROM: &str = r#"filter = [
    { name = "maxtransfers", max = 2 },
    { name = "bandwidth" },
    { name = "cycle" },
]"#;

impl Default for TransferConfig {
    fn default() -> Self {
        Self {
            hold_timeout: Duration::from_secs(60),
            settle_after: Duration::from_secs(10),
            max_slots: 10_000,
            max_slots_per_session: 16,
            upload: ChainConfig::of(UPLOAD),
            download: ChainConfig::of(DOWNLOAD),
            copy_to: ChainConfig::of(COPY_TO),
            copy_from: ChainConfig::of(COPY_FROM),
            kinds: FilterKinds::default(),
        }
    }
}

impl TransferConfig {
    fn chain(&self, chain: Chain) -> (&'static str, &ChainConfig) {
        match chain {
            Chain::Upload => ("transfer.upload", &self.upload),
            Chain::Download => ("transfer.download", &self.download),
            Chain::CopyTo => ("transfer.copy_to", &self.copy_to),
            Chain::CopyFrom => ("transfer.copy_from", &self.copy_from),
        }
    }

    /// Makes the filters of all chains.
    ///
    /// # Errors
    /// Everything that is wrong with them, with whole keys.
    pub fn filters(&self) -> Result<BTreeMap<Chain, Filters>, Vec<ConfigError>> {
        let (mut all, mut errors) = (BTreeMap::new(), Vec::new());
        for chain in Chain::ALL {
            let (key, config) = self.chain(chain);
            match filters::make(key, &config.filter, &self.kinds) {
                Ok(filters) => drop(all.insert(chain, filters)),
                Err(wrong) => errors.extend(wrong),
            }
        }
        if errors.is_empty() {
            Ok(all)
        } else {
            Err(errors)
        }
    }
}

impl Check for TransferConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut refuse = |key: &str, why: &str| {
            errors.push(ConfigError::new(format!("transfer.{key}"), why));
        };
        if self.hold_timeout.is_zero() {
            refuse("hold_timeout", "must not be zero");
        }
        if self.max_slots == 0 {
            refuse("max_slots", "must be at least 1");
        }
        if self.max_slots_per_session == 0 {
            refuse("max_slots_per_session", "must be at least 1");
        }
        errors.extend(self.filters().err().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        transfer: TransferConfig,
    }

    impl Check for File {
        fn check(&self, errors: &mut Vec<ConfigError>) {
            self.transfer.check(errors);
        }
    }

    fn keys(text: &str) -> Vec<String> {
        let errors = drftpd_actors::parse::<File>(text, None).err();
        let errors = errors.unwrap_or_default();
        errors.into_iter().map(|error| error.key).collect()
    }

    #[test]
    fn the_default_chains_are_sound_and_not_empty() {
        let filters = TransferConfig::default().filters().unwrap();
        let lengths: Vec<_> = filters.values().map(Vec::len).collect();
        assert_eq!(lengths, [4, 2, 5, 3]);
    }

    #[test]
    fn a_chain_is_written_as_an_array_of_tables() {
        let text = r#"
            [transfer]
            hold_timeout = "30s"
            [[transfer.upload.filter]]
            name = "minfreespace"
            min = "1GiB"
            [[transfer.upload.filter]]
            name = "cycle"
            [transfer.download]
            filter = []
        "#;
        let file = drftpd_actors::parse::<File>(text, None).unwrap();
        assert_eq!(file.transfer.hold_timeout, Duration::from_secs(30));
        let filters = file.transfer.filters().unwrap();
        assert_eq!(
            (
                filters[&Chain::Upload].len(),
                filters[&Chain::Download].len()
            ),
            (2, 0)
        );
        assert_eq!(filters[&Chain::CopyTo].len(), 5, "left as it was");
    }

    #[test]
    fn whatever_is_wrong_is_named_by_its_key() {
        let text = r#"
            [transfer]
            max_slots = 0
            [[transfer.upload.filter]]
            name = "nonsense"
            [[transfer.download.filter]]
            name = "bandwidth"
            multiplicator = 2
        "#;
        let wrong = [
            "transfer.max_slots",
            "transfer.upload.filter[0].name",
            "transfer.download.filter[0].multiplicator",
        ];
        assert_eq!(keys(text), wrong);
        let text = "[transfer.upload]\nfilters = []";
        assert_eq!(keys(text)[0], "transfer.upload.filters");
    }
}
