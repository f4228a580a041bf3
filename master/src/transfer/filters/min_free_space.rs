//! `minfreespace`: keeps uploads off disks that are nearly full.
//!
//! Below `min` a root is out (`multiplier` 0 or "remove"), or loses a point for every byte that is
//! missing, times the multiplier. Two of them make two stages: a soft one and a hard one.

use bytesize::ByteSize;
use drftpd_actors::{Check, ConfigError};
use serde::{Deserialize, Deserializer};

use super::{FilterKind, SlaveFilter, kind, size};
use crate::transfer::chart::{Ask, Row, Verdict};

pub(super) const KIND: FilterKind = kind::<MinFreeSpace>(
    "minfreespace",
    "keeps uploads off disks with less than `min` free: out, or fewer points by `multiplier`",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MinFreeSpace {
    #[serde(deserialize_with = "size::read")]
    min: u64,
    #[serde(default, deserialize_with = "multiplier")]
    multiplier: f64,
}

fn multiplier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be a number or \"remove\"")]
    enum Multiplier {
        Number(f64),
        Text(String),
    }
    match Multiplier::deserialize(deserializer)? {
        Multiplier::Number(number) => Ok(number),
        Multiplier::Text(text) if text == "remove" => Ok(0.0),
        Multiplier::Text(_) => Err(serde::de::Error::custom("must be a number or \"remove\"")),
    }
}

impl Check for MinFreeSpace {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if !self.multiplier.is_finite() || self.multiplier < 0.0 {
            errors.push(ConfigError::new("multiplier", "must not be negative"));
        }
    }
}

impl MinFreeSpace {
    fn judge(&self, row: &Row, bytes: u64) -> Verdict {
        let left = row.free.saturating_sub(bytes);
        if left >= self.min {
            return Verdict::Pass;
        }
        let missing = self.min - left;
        let why = format!("{} missing to {}", ByteSize(missing), ByteSize(self.min));
        if self.multiplier == 0.0 {
            return Verdict::Reject(why);
        }
        // As far as points go, what an f64 loses of a large number does not matter.
        Verdict::Score(-((missing as f64 * self.multiplier) as i64), why)
    }
}

impl SlaveFilter for MinFreeSpace {
    fn apply(&self, rows: &mut [Row], ask: &Ask<'_>) {
        if !ask.chain.receives() {
            return;
        }
        for row in rows {
            let verdict = self.judge(row, ask.bytes);
            row.judge(KIND.name, verdict);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::chart::Chain;
    use drftpd_protocol::VfsPath;

    fn judged(min: u64, multiplier: f64, free: u64, bytes: u64, chain: Chain) -> Row {
        let mut rows = [Row {
            free,
            ..Row::sample("a", 1)
        }];
        let path = VfsPath::root();
        let ask = Ask {
            path: &path,
            chain,
            bytes,
        };
        MinFreeSpace { min, multiplier }.apply(&mut rows, &ask);
        let [row] = rows;
        row
    }

    #[test]
    fn a_nearly_full_disk_takes_no_upload_but_gives_downloads() {
        assert!(!judged(100, 0.0, 99, 0, Chain::Upload).is_in());
        assert!(!judged(100, 0.0, 99, 0, Chain::CopyTo).is_in());
        assert!(judged(100, 0.0, 100, 0, Chain::Upload).is_in());
        assert!(judged(100, 0.0, 99, 0, Chain::Download).is_in());
    }

    #[test]
    fn the_upload_itself_counts() {
        assert!(!judged(100, 0.0, 150, 51, Chain::Upload).is_in());
        assert!(judged(100, 0.0, 150, 50, Chain::Upload).is_in());
    }

    #[test]
    fn with_a_multiplier_missing_bytes_cost_points() {
        assert_eq!(judged(100, 2.0, 40, 0, Chain::Upload).score, -120);
        assert_eq!(judged(100, 2.0, 100, 0, Chain::Upload).score, 0);
        assert_eq!(judged(100, 0.5, 40, 10, Chain::Upload).score, -35);
    }
}
