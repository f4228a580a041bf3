//! `minfreespace`: keeps uploads off disks that are nearly full.
//!
//! Below `min` a root is out (`multiplier` 0 or "remove"), or loses a point for every byte that is
//! missing, times the multiplier. Two of them make two stages: a soft one and a hard one.

use bytesize::ByteSize;
use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

use super::multiplier::Multiplier;
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
    #[serde(default)]
    multiplier: Multiplier,
}

impl Check for MinFreeSpace {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        self.multiplier.check(errors);
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
        self.multiplier.judge(missing, why)
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
        let multiplier = Multiplier(multiplier);
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
