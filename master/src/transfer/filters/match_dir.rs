//! `matchdir` and `matchdirex`: points for slaves by the path.
//!
//! `match` is a glob over the whole path (`*` crosses slashes, `?` is one character; case counts), in `matchdirex` a
//! regular expression (case does not count). `assign` lists `NAME+N`, `NAME-N` or `NAME+remove`, and `all` for every
//! slave. With `assume_remove` slaves that are not named are out; `negate` turns the match around.

use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

use super::assign::Assign;
use super::pattern::{Expression, Glob, Pattern};
use super::{FilterKind, SlaveFilter, kind};
use crate::transfer::chart::{Ask, Row, Verdict};

pub(super) const KIND: FilterKind = kind::<MatchDir<Glob>>(
    "matchdir",
    "gives slaves points, or leaves them out, where the path matches a pattern",
);

pub(super) const KIND_EX: FilterKind = kind::<MatchDir<Expression>>(
    "matchdirex",
    "gives slaves points, or leaves them out, where the path matches a regular expression",
);

/// See above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchDir<P> {
    r#match: P,
    assign: Vec<Assign>,
    #[serde(default)]
    assume_remove: bool,
    #[serde(default)]
    negate: bool,
}

/// Which of the two a pattern makes it.
trait Named {
    const NAME: &str;
}

impl Named for Glob {
    const NAME: &str = KIND.name;
}

impl Named for Expression {
    const NAME: &str = KIND_EX.name;
}

impl<P> Check for MatchDir<P> {
    fn check(&self, _: &mut Vec<ConfigError>) {}
}

impl<P: Pattern + Named> MatchDir<P> {
    fn judge(&self, row: &mut Row) {
        let of_row = |assign: &&Assign| assign.is_of(&row.slave);
        let named: Vec<Assign> = self.assign.iter().filter(of_row).cloned().collect();
        if named.is_empty() && self.assume_remove {
            let why = format!("not named for {}", self.r#match);
            return row.judge(P::NAME, Verdict::Reject(why));
        }
        for assign in named {
            let verdict = match assign.points {
                Some(points) => Verdict::Score(points, format!("for {}", self.r#match)),
                None => Verdict::Reject(format!("removed for {}", self.r#match)),
            };
            row.judge(P::NAME, verdict);
        }
    }
}

impl<P: Pattern + Named> SlaveFilter for MatchDir<P> {
    fn apply(&self, rows: &mut [Row], ask: &Ask<'_>) {
        if self.r#match.matches(ask.path) != self.negate {
            rows.iter_mut().for_each(|row| self.judge(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::VfsPath;

    fn judged_by<P: Pattern + Named + for<'de> Deserialize<'de>>(
        options: &str,
        path: &str,
    ) -> Vec<Option<i64>> {
        let filter: MatchDir<P> = toml::from_str(options).unwrap();
        let mut rows = [Row::sample("a", 1), Row::sample("disk-7", 2)];
        let path = VfsPath::absolute(path.as_bytes()).unwrap();
        filter.apply(&mut rows, &Ask::sample(&path));
        rows.iter()
            .map(|row| row.is_in().then_some(row.score))
            .collect()
    }

    fn judged(options: &str, path: &str) -> Vec<Option<i64>> {
        judged_by::<Glob>(options, path)
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
    fn an_expression_matches_anywhere_and_in_any_case() {
        let options = r"
            match = '/(mp3|flac)/[^/]+-(19|20)\d\d-'
            assign = ['a+7']
        ";
        let judged = |path| judged_by::<Expression>(options, path);
        assert_eq!(judged("/Site/FLAC/x-1999-y/z"), [Some(7), Some(0)]);
        assert_eq!(judged("/flac/x-2199-y/z"), [Some(0), Some(0)]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let glob = "match = 'a/*'\nassign = ['a+3']";
        assert!(toml::from_str::<MatchDir<Glob>>(glob).is_err());
        let expression = "match = '(a'\nassign = ['a+3']";
        let refused = toml::from_str::<MatchDir<Expression>>(expression).unwrap_err();
        assert!(refused.message().contains("no regular expression"));
    }
}
