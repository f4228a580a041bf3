//! `matchdir`: points for slaves by the path.
//!
//! `match` is a glob over the whole path (`*` crosses slashes, `?` is one character; case counts).
//! `assign` lists `NAME+N`, `NAME-N` or `NAME+remove`, and `all` for every slave. With
//! `assume_remove` slaves that are not named are out; `negate` turns the match around.

use std::fmt;
use std::str::FromStr;

use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::SlaveId;
use serde::{Deserialize, Deserializer};

use super::glob;
use super::{FilterKind, SlaveFilter, kind};
use crate::transfer::chart::{Ask, Row, Verdict};

pub(super) const KIND: FilterKind = kind::<MatchDir>(
    "matchdir",
    "gives slaves points, or leaves them out, where the path matches a pattern",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchDir {
    r#match: String,
    assign: Vec<Assign>,
    #[serde(default)]
    assume_remove: bool,
    #[serde(default)]
    negate: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Assign {
    /// `None`: every slave.
    slave: Option<SlaveId>,
    /// `None`: out.
    points: Option<i64>,
}

struct NotAssign;

impl fmt::Display for NotAssign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be NAME+N, NAME-N or NAME+remove (NAME may be all)")
    }
}

impl FromStr for Assign {
    type Err = NotAssign;

    fn from_str(text: &str) -> Result<Self, NotAssign> {
        let at = text.rfind(['+', '-']).ok_or(NotAssign)?;
        let (name, points) = text.split_at(at);
        let slave = match name {
            "all" => None,
            name => Some(SlaveId::new(name).map_err(|_| NotAssign)?),
        };
        let points = match points {
            "+remove" => None,
            points => Some(points.parse().map_err(|_| NotAssign)?),
        };
        Ok(Assign { slave, points })
    }
}

impl<'de> Deserialize<'de> for Assign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Check for MatchDir {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if !self.r#match.starts_with(['/', '*']) {
            errors.push(ConfigError::new("match", "must begin with / or *"));
        }
    }
}

impl MatchDir {
    fn judge(&self, row: &mut Row) {
        let of_row = |assign: &&Assign| assign.slave.as_ref().is_none_or(|of| *of == row.slave);
        let named: Vec<Assign> = self.assign.iter().filter(of_row).cloned().collect();
        if named.is_empty() && self.assume_remove {
            let why = format!("not named for {}", self.r#match);
            return row.judge(KIND.name, Verdict::Reject(why));
        }
        for assign in named {
            let verdict = match assign.points {
                Some(points) => Verdict::Score(points, format!("for {}", self.r#match)),
                None => Verdict::Reject(format!("removed for {}", self.r#match)),
            };
            row.judge(KIND.name, verdict);
        }
    }
}

impl SlaveFilter for MatchDir {
    fn apply(&self, rows: &mut [Row], ask: &Ask<'_>) {
        let matches = glob::matches(self.r#match.as_bytes(), &ask.path.to_bytes());
        if matches != self.negate {
            rows.iter_mut().for_each(|row| self.judge(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::chart::Chain;
    use drftpd_protocol::VfsPath;

    fn judged(options: &str, path: &str) -> Vec<Option<i64>> {
        let filter: MatchDir = toml::from_str(options).unwrap();
        let mut rows = [Row::sample("a", 1), Row::sample("disk-7", 2)];
        let path = VfsPath::absolute(path.as_bytes()).unwrap();
        let ask = Ask {
            path: &path,
            chain: Chain::Upload,
            bytes: 0,
        };
        filter.apply(&mut rows, &ask);
        rows.iter()
            .map(|row| row.is_in().then_some(row.score))
            .collect()
    }

    #[test]
    fn slaves_get_points_where_the_path_matches_and_none_elsewhere() {
        let options = r#"
            match = "/mp3/*"
            assign = ["a+100", "disk-7-5", "all+1"]
        "#;
        assert_eq!(judged(options, "/mp3/x/y"), [Some(101), Some(-4)]);
        assert_eq!(judged(options, "/MP3/x"), [Some(0), Some(0)]);
        assert_eq!(judged(options, "/mp3"), [Some(0), Some(0)]);
    }

    #[test]
    fn slaves_are_removed_by_name_or_because_they_are_not_named() {
        let by_name = "match = '/a/*'\nassign = ['disk-7+remove']";
        assert_eq!(judged(by_name, "/a/b"), [Some(0), None]);
        let unnamed = "match = '/a/*'\nassign = ['a+3']\nassume_remove = true";
        assert_eq!(judged(unnamed, "/a/b"), [Some(3), None]);
        assert_eq!(judged(unnamed, "/b/b"), [Some(0), Some(0)]);
    }

    #[test]
    fn a_negated_pattern_speaks_of_all_other_paths() {
        let options = "match = '/a/*'\nassign = ['a+3']\nnegate = true";
        assert_eq!(judged(options, "/a/b"), [Some(0), Some(0)]);
        assert_eq!(judged(options, "/b"), [Some(3), Some(0)]);
    }

    #[test]
    fn what_is_no_assignment_is_refused() {
        for bad in ["a", "a+", "+5", "a+x", "a-remove", "a b+1", ""] {
            assert!(bad.parse::<Assign>().is_err(), "{bad}");
        }
    }
}
