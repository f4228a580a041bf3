//! `mintimeonline`: slaves that came online less than `min` ago are out (`multiplier` 0 or "remove"), or lose a point for
//! every second that is missing, times the multiplier: who comes and goes is not relied on.

use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

use super::multiplier::Multiplier;
use super::{FilterKind, SlaveFilter, kind};
use crate::transfer::chart::{Ask, Row};

pub(super) const KIND: FilterKind = kind::<MinTimeOnline>(
    "mintimeonline",
    "keeps transfers off slaves that came online less than `min` ago: out, or fewer points by `multiplier`",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MinTimeOnline {
    #[serde(with = "humantime_serde")]
    min: Duration,
    #[serde(default)]
    multiplier: Multiplier,
}

impl Check for MinTimeOnline {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        self.multiplier.check(errors);
    }
}

impl SlaveFilter for MinTimeOnline {
    fn apply(&self, rows: &mut [Row], _: &Ask<'_>) {
        for row in rows.iter_mut().filter(|row| row.online < self.min) {
            let missing = (self.min - row.online).as_secs().max(1);
            let min = humantime::format_duration(self.min);
            let why = format!("online for {} s of {min}", row.online.as_secs());
            row.judge(KIND.name, self.multiplier.judge(missing, why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::VfsPath;

    fn judged(options: &str) -> Vec<Option<i64>> {
        let filter: MinTimeOnline = toml::from_str(options).unwrap();
        let row = |seconds| Row {
            online: Duration::from_secs(seconds),
            ..Row::sample("a", 1)
        };
        let mut rows = [row(0), row(59), row(60)];
        filter.apply(&mut rows, &Ask::sample(&VfsPath::root()));
        rows.iter()
            .map(|row| row.is_in().then_some(row.score))
            .collect()
    }

    #[test]
    fn who_just_came_is_out_or_loses_points() {
        assert_eq!(judged("min = '1m'"), [None, None, Some(0)]);
        let points = judged("min = '1m'\nmultiplier = 10");
        assert_eq!(points, [Some(-600), Some(-10), Some(0)]);
    }
}
