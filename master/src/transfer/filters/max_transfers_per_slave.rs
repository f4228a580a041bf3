//! `maxtransfersperslave`: a limit of transfers of this direction for each slave, where the path matches.
//!
//! `match` is a regular expression (case does not count), `assign` lists `NAME+N`: at most N transfers on that slave;
//! `all` speaks of every slave, and the least limit counts. `negate` turns the match around.

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

use super::assign::Assign;
use super::pattern::{Expression, Pattern};
use super::{FilterKind, SlaveFilter, kind};
use crate::transfer::chart::{Ask, Row, Verdict};

pub(super) const KIND: FilterKind = kind::<MaxTransfersPerSlave>(
    "maxtransfersperslave",
    "leaves out slaves that have as many transfers of this direction as `assign` allows them, by path",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaxTransfersPerSlave {
    r#match: Expression,
    assign: Vec<Assign>,
    #[serde(default)]
    negate: bool,
}

impl Check for MaxTransfersPerSlave {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        for (at, assign) in self.assign.iter().enumerate() {
            if assign.points.is_none_or(|limit| limit < 0) {
                let why = "must be NAME+N: at most so many transfers";
                errors.push(ConfigError::new(format!("assign[{at}]"), why));
            }
        }
    }
}

impl SlaveFilter for MaxTransfersPerSlave {
    fn apply(&self, rows: &mut [Row], ask: &Ask<'_>) {
        if self.r#match.matches(ask.path) == self.negate {
            return;
        }
        for row in rows {
            let its = self.assign.iter().filter(|assign| assign.is_of(&row.slave));
            let most = its.filter_map(|assign| assign.points).min();
            let most = most.and_then(|most| usize::try_from(most).ok());
            if let Some(most) = most.filter(|most| row.transfers >= *most) {
                let why = format!("has {} of {most} transfers", row.transfers);
                row.judge(KIND.name, Verdict::Reject(why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::VfsPath;

    fn is_in(options: &str, path: &str) -> Vec<bool> {
        let filter: MaxTransfersPerSlave = toml::from_str(options).unwrap();
        let row = |slave, transfers| Row {
            transfers,
            ..Row::sample(slave, 1)
        };
        let mut rows = [row("a", 2), row("b", 2), row("c", 9)];
        let path = VfsPath::absolute(path.as_bytes()).unwrap();
        filter.apply(&mut rows, &Ask::sample(&path));
        rows.iter().map(Row::is_in).collect()
    }

    #[test]
    fn each_slave_has_its_limit_where_the_path_matches() {
        let limits = "match = '^/x264/'\nassign = ['a+3', 'b+2', 'all+8']";
        assert_eq!(is_in(limits, "/X264/rel/file"), [true, false, false]);
        assert_eq!(is_in(limits, "/mp3/rel/file"), [true; 3]);
        let negated = format!("{limits}\nnegate = true");
        assert_eq!(is_in(&negated, "/mp3/rel/file"), [true, false, false]);
        let none = "match = ''\nassign = ['a+0']";
        assert_eq!(is_in(none, "/"), [false, true, true]);
    }

    #[test]
    fn what_is_no_limit_is_named() {
        for bad in ["a-1", "a+remove"] {
            let options = format!("match = ''\nassign = ['b+1', '{bad}']");
            let filter: MaxTransfersPerSlave = toml::from_str(&options).unwrap();
            let mut errors = Vec::new();
            filter.check(&mut errors);
            assert_eq!(errors[0].key, "assign[1]", "{bad}");
        }
    }
}
