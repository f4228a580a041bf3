//! `maxbandwidth`: leaves out slaves that move more than `max` bytes per second in this direction, as they last told.

use bytesize::ByteSize;
use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

use super::{FilterKind, SlaveFilter, kind, size};
use crate::transfer::chart::{Ask, Row, Verdict};

pub(super) const KIND: FilterKind = kind::<MaxBandwidth>(
    "maxbandwidth",
    "leaves out slaves that move more than `max` bytes per second in this direction",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaxBandwidth {
    #[serde(deserialize_with = "size::read")]
    max: u64,
}

impl Check for MaxBandwidth {
    fn check(&self, _: &mut Vec<ConfigError>) {}
}

impl SlaveFilter for MaxBandwidth {
    fn apply(&self, rows: &mut [Row], _: &Ask<'_>) {
        for row in rows.iter_mut().filter(|row| row.throughput > self.max) {
            let (now, max) = (ByteSize(row.throughput), ByteSize(self.max));
            let why = format!("moves {now}/s, more than {max}/s");
            row.judge(KIND.name, Verdict::Reject(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::VfsPath;

    #[test]
    fn a_slave_above_its_limit_is_left_out() {
        let row = |throughput| Row {
            throughput,
            ..Row::sample("a", 1)
        };
        let mut rows = [row(0), row(1000), row(1001)];
        MaxBandwidth { max: 1000 }.apply(&mut rows, &Ask::sample(&VfsPath::root()));
        assert_eq!(rows.map(|row| row.is_in()), [true, true, false]);
    }
}
