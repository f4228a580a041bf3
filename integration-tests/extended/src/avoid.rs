//! The filter `avoid`: keeps files of a directory off some slaves.

use drftpd_actors::{Check, ConfigError};
use drftpd_master::transfer::filters::{FilterKind, SlaveFilter, kind};
use drftpd_master::transfer::{Ask, Row, Verdict};
use serde::Deserialize;

/// Its line in the table.
pub const AVOID: FilterKind = kind::<Avoid>(
    "avoid",
    "leaves out `slaves` for whatever lies in a directory called `dir`",
);

/// Its options: `{ name = "avoid", dir = "private", slaves = ["rented-1"] }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Avoid {
    dir: String,
    slaves: Vec<String>,
}

impl Check for Avoid {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if self.slaves.is_empty() {
            errors.push(ConfigError::new("slaves", "must name a slave"));
        }
    }
}

impl SlaveFilter for Avoid {
    fn apply(&self, rows: &mut [Row], ask: &Ask<'_>) {
        let dir = self.dir.as_bytes();
        let mut names = ask.path.names().iter();
        if !names.any(|name| name.as_bytes() == dir) {
            return;
        }
        for row in rows {
            if self
                .slaves
                .iter()
                .any(|slave| *slave == row.slave.to_string())
            {
                let why = format!("{} must not lie there", self.dir);
                row.judge(AVOID.name, Verdict::Reject(why));
            }
        }
    }
}
