//! `bandwidth`: a slave loses a point for every byte per second that it moves in this direction,
//! times `multiplier`. Transfers that are too young to show in what it last told count as
//! `assumed` bytes per second, so that a burst does not go to one slave.

use bytesize::ByteSize;
use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

use super::{FilterKind, SlaveFilter, kind, size};
use crate::transfer::chart::{Ask, Row, Verdict};

pub(super) const KIND: FilterKind = kind::<Bandwidth>(
    "bandwidth",
    "prefers slaves that move few bytes in this direction, `multiplier` points for each",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Bandwidth {
    multiplier: f64,
    #[serde(deserialize_with = "size::read")]
    assumed: u64,
}

impl Default for Bandwidth {
    fn default() -> Self {
        Self {
            multiplier: 1.0,
            assumed: 10_000_000,
        }
    }
}

impl Check for Bandwidth {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if !self.multiplier.is_finite() {
            errors.push(ConfigError::new("multiplier", "must be a number"));
        }
    }
}

impl SlaveFilter for Bandwidth {
    fn apply(&self, rows: &mut [Row], _: &Ask<'_>) {
        for row in rows {
            let young = self.assumed.saturating_mul(row.young as u64);
            let bytes = row.throughput.saturating_add(young);
            if bytes > 0 {
                let points = -((bytes as f64 * self.multiplier) as i64);
                let why = format!("moves {}/s, {} just began", ByteSize(bytes), row.young);
                row.judge(KIND.name, Verdict::Score(points, why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::VfsPath;

    fn scores(filter: &Bandwidth, rows: &mut [Row]) -> Vec<i64> {
        let path = VfsPath::root();
        filter.apply(rows, &Ask::sample(&path));
        rows.iter().map(|row| row.score).collect()
    }

    #[test]
    fn a_busy_slave_loses_points() {
        let busy = Row {
            throughput: 500,
            ..Row::sample("b", 2)
        };
        let filter = Bandwidth {
            multiplier: 2.0,
            assumed: 0,
        };
        assert_eq!(
            scores(&filter, &mut [Row::sample("a", 1), busy]),
            [0, -1000]
        );
    }

    #[test]
    fn transfers_that_just_began_count_before_the_slave_tells_of_them() {
        let young = Row {
            young: 3,
            ..Row::sample("a", 1)
        };
        let filter = Bandwidth {
            multiplier: 1.0,
            assumed: 10,
        };
        assert_eq!(scores(&filter, &mut [young]), [-30]);
    }
}
