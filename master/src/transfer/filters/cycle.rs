//! `cycle`: of the slaves with the most points the one that was not chosen for longest gets one
//! more. Put it last.

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

use super::{FilterKind, SlaveFilter, kind};
use crate::transfer::chart::{Ask, Row, Verdict};

pub(super) const KIND: FilterKind = kind::<Cycle>(
    "cycle",
    "of equally good slaves takes the one that was not chosen for longest; put it last",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cycle {}

impl Check for Cycle {
    fn check(&self, _: &mut Vec<ConfigError>) {}
}

impl SlaveFilter for Cycle {
    fn apply(&self, rows: &mut [Row], _: &Ask<'_>) {
        let best = rows.iter().filter(|row| row.is_in()).map(|row| row.score);
        let Some(best) = best.max() else { return };
        let top = |row: &&Row| row.is_in() && row.score == best;
        let next = rows.iter().filter(top);
        let next = next.min_by(|a, b| (a.last_used, &a.slave).cmp(&(b.last_used, &b.slave)));
        let Some(next) = next.map(|row| row.slave.clone()) else {
            return;
        };
        let its = |row: &&mut Row| row.is_in() && row.score == best && row.slave == next;
        for row in rows.iter_mut().filter(its) {
            row.judge(KIND.name, Verdict::Score(1, "is its turn".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::VfsPath;

    fn row(slave: &str, last_used: u64, score: i64) -> Row {
        Row {
            last_used,
            score,
            ..Row::sample(slave, 1)
        }
    }

    fn scores(mut rows: Vec<Row>) -> Vec<i64> {
        let path = VfsPath::root();
        Cycle {}.apply(&mut rows, &Ask::sample(&path));
        rows.iter().map(|row| row.score).collect()
    }

    #[test]
    fn the_one_not_chosen_for_longest_is_next() {
        let rows = vec![row("a", 3, 0), row("b", 1, 0), row("c", 2, 0)];
        assert_eq!(scores(rows), [0, 1, 0]);
    }

    #[test]
    fn only_the_best_take_part_and_one_that_is_out_does_not() {
        let mut out = row("b", 0, 9);
        out.rejected = Some("out".to_owned());
        let rows = vec![row("a", 3, 5), out, row("c", 1, 4)];
        assert_eq!(scores(rows), [6, 9, 4]);
        assert_eq!(scores(Vec::new()), Vec::<i64>::new());
    }
}
