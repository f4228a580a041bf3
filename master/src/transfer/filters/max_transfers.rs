//! `maxtransfers`: at most `max` transfers of one direction on a slave.

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

use super::{FilterKind, SlaveFilter, kind};
use crate::transfer::chart::{Ask, Row, Verdict};

pub(super) const KIND: FilterKind = kind::<MaxTransfers>(
    "maxtransfers",
    "leaves out slaves that have `max` transfers of this direction",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaxTransfers {
    max: usize,
}

impl Check for MaxTransfers {
    fn check(&self, _: &mut Vec<ConfigError>) {}
}

impl SlaveFilter for MaxTransfers {
    fn apply(&self, rows: &mut [Row], _: &Ask<'_>) {
        for row in rows.iter_mut().filter(|row| row.transfers >= self.max) {
            let why = format!("has {} of {} transfers", row.transfers, self.max);
            row.judge(KIND.name, Verdict::Reject(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::chart::Chain;
    use drftpd_protocol::VfsPath;

    #[test]
    fn a_slave_at_its_limit_is_left_out() {
        let row = |transfers| Row {
            transfers,
            ..Row::sample("a", 1)
        };
        let mut rows = [row(1), row(2), row(3)];
        let path = VfsPath::root();
        let ask = Ask {
            path: &path,
            chain: Chain::Download,
            bytes: 0,
        };
        MaxTransfers { max: 2 }.apply(&mut rows, &ask);
        assert_eq!(rows.map(|row| row.is_in()), [true, false, false]);
    }
}
