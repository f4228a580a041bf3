//! `slavetop` and `stripefiles`: by who has files of the directory already, to keep them together or to spread them.
//!
//! `slavetop` gives `points` to the `slaves` that have the most files of the directory, `stripefiles` leaves out all but
//! those that have the fewest. Roots of one slave count together, whoever else comes into question.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::SlaveId;
use serde::Deserialize;

use super::{FilterKind, SlaveFilter, kind};
use crate::transfer::chart::{Ask, Row, Verdict};

pub(super) const TOP: FilterKind = kind::<SlaveTop>(
    "slavetop",
    "gives `points` to the `slaves` that have the most files of the directory",
);

pub(super) const STRIPE: FilterKind = kind::<StripeFiles>(
    "stripefiles",
    "keeps the slaves that have the fewest files of the directory",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlaveTop {
    slaves: usize,
    points: i64,
}

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StripeFiles {}

impl Check for SlaveTop {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if self.slaves == 0 {
            errors.push(ConfigError::new("slaves", "must be at least 1"));
        }
    }
}

impl Check for StripeFiles {
    fn check(&self, _: &mut Vec<ConfigError>) {}
}

/// Files of the directory on each slave that is in.
fn files(rows: &[Row]) -> BTreeMap<SlaveId, u32> {
    let mut files = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_in()) {
        let sum: &mut u32 = files.entry(row.slave.clone()).or_default();
        *sum = sum.saturating_add(row.siblings);
    }
    files
}

impl SlaveFilter for SlaveTop {
    fn wants_siblings(&self) -> bool {
        true
    }

    fn apply(&self, rows: &mut [Row], _: &Ask<'_>) {
        let mut top: Vec<(SlaveId, u32)> = files(rows).into_iter().collect();
        top.retain(|(_, files)| *files > 0);
        top.sort_by_key(|(slave, files)| (Reverse(*files), slave.clone()));
        top.truncate(self.slaves);
        for row in rows.iter_mut().filter(|row| row.is_in()) {
            if let Some((_, files)) = top.iter().find(|(slave, _)| *slave == row.slave) {
                let why = format!("has {files} files of the directory");
                row.judge(TOP.name, Verdict::Score(self.points, why));
            }
        }
    }
}

impl SlaveFilter for StripeFiles {
    fn wants_siblings(&self) -> bool {
        true
    }

    fn apply(&self, rows: &mut [Row], _: &Ask<'_>) {
        let files = files(rows);
        let fewest = files.values().min().copied().unwrap_or(0);
        for row in rows.iter_mut().filter(|row| row.is_in()) {
            let has = files.get(&row.slave).copied().unwrap_or(0);
            if has > fewest {
                let why = format!("has {has} files of the directory, another one {fewest}");
                row.judge(STRIPE.name, Verdict::Reject(why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::VfsPath;

    /// Slaves with files of the directory; `b` has them on two roots.
    fn rows() -> Vec<Row> {
        let row = |slave, siblings| Row {
            siblings,
            ..Row::sample(slave, 1)
        };
        let mut out = row("d", 99);
        out.rejected = Some("out".to_owned());
        vec![row("a", 5), row("b", 3), row("b", 4), row("c", 0), out]
    }

    fn judged(filter: &impl SlaveFilter) -> Vec<Option<i64>> {
        let mut rows = rows();
        filter.apply(&mut rows, &Ask::sample(&VfsPath::root()));
        rows.iter()
            .map(|row| row.is_in().then_some(row.score))
            .collect()
    }

    #[test]
    fn those_with_the_most_files_get_points_and_who_has_none_never() {
        let top = |slaves| SlaveTop { slaves, points: 10 };
        let (ten, none) = (Some(10), Some(0));
        assert_eq!(judged(&top(1)), [none, ten, ten, none, None]);
        assert_eq!(judged(&top(9)), [ten, ten, ten, none, None]);
    }

    #[test]
    fn those_with_the_fewest_files_are_kept() {
        let none = Some(0);
        assert_eq!(judged(&StripeFiles {}), [None, None, None, none, None]);
    }
}
