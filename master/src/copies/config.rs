//! `[copies]`: how many copies files have, by their directory, and how the missing ones are made.

use std::time::Duration;

use bytesize::ByteSize;
use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::{SlaveId, VfsPath};
use serde::Deserialize;

use crate::config::directories;

/// Copies of one file at most: more are a mistake.
const MOST: u32 = 16;
/// Copies that may be made at a time.
const MOST_AT_A_TIME: usize = 64;

/// `[copies]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CopiesConfig {
    /// Rules; the first that speaks of a path decides. A file of which none speaks has one copy.
    pub rules: Vec<CopyRule>,
    /// Copies that are made at a time.
    pub at_a_time: usize,
    /// Bytes per second of each; without a limit where it is not set.
    pub max_rate: Option<ByteSize>,
    /// How long no byte of a copy may move before it is given up and tried again.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// How long after a failure a copy is tried again; each time twice as long, up to `retry_to`.
    #[serde(with = "humantime_serde")]
    pub retry_from: Duration,
    /// The longest time until a copy is tried again.
    #[serde(with = "humantime_serde")]
    pub retry_to: Duration,
    /// How long 226 waits, since the client has sent everything, for a second copy that does not come forward.
    #[serde(with = "humantime_serde")]
    pub ack_timeout: Duration,
    /// How often the whole file list is looked through for files with too few copies, beside those that change.
    #[serde(with = "humantime_serde")]
    pub look_every: Duration,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyRule {
    /// Directories at and below which it holds; empty: everywhere.
    #[serde(default)]
    pub paths: Vec<String>,
    /// How old a file is at least, since it was made or last changed, that the rule speaks of; of every age where it is
    /// not set.
    #[serde(default, with = "humantime_serde")]
    pub older_than: Option<Duration>,
    /// How many copies a file has.
    pub copies: u32,
    /// How many copies of an upload are prepared before it is acknowledged: 1 or 2.
    #[serde(default = "one")]
    pub ack_copies: u32,
    /// What becomes of an upload whose second copy is not to be had.
    #[serde(default)]
    pub ack_else: AckElse,
    /// Slaves on which further copies are made; empty: any.
    #[serde(default)]
    pub slaves: Vec<SlaveId>,
    /// Whether copies on other slaves than these do not count.
    #[serde(default)]
    pub only: bool,
    /// What becomes of copies that are more than enough.
    #[serde(default)]
    pub surplus: Surplus,
}

/// What becomes of an upload whose second copy is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckElse {
    /// It is not acknowledged; its bytes are kept for a resume.
    #[default]
    Refuse,
    /// It is acknowledged with one copy, and the second one follows in the background.
    Accept,
}

/// What becomes of copies that are more than enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Surplus {
    /// They stay.
    #[default]
    Keep,
    /// They are removed, once as many as are wanted can be read elsewhere.
    Remove,
}

impl Default for CopiesConfig {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            at_a_time: 2,
            max_rate: None,
            stall_timeout: Duration::from_secs(60),
            retry_from: Duration::from_secs(10),
            retry_to: Duration::from_secs(600),
            ack_timeout: Duration::from_secs(60),
            look_every: Duration::from_secs(3600),
        }
    }
}

impl CopiesConfig {
    /// The rule that speaks of a file at or below this path and of this age.
    pub fn rule(&self, path: &VfsPath, age: Duration) -> Option<&CopyRule> {
        let old = |rule: &CopyRule| rule.older_than.is_none_or(|least| age >= least);
        self.rules
            .iter()
            .find(|rule| old(rule) && rule.speaks_of(path))
    }

    /// Whether a new file in this directory may be one for which something is to be done.
    pub fn concerns(&self, directory: &VfsPath) -> bool {
        let rule = self.rule(directory, Duration::ZERO);
        rule.is_some_and(|rule| rule.copies > 1 || rule.only || rule.surplus == Surplus::Remove)
    }

    /// How long to wait after so many failures in a row.
    pub fn retry_after(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.retry_from.saturating_mul(factor).min(self.retry_to)
    }
}

const fn one() -> u32 {
    1
}

impl CopyRule {
    /// What counts for a file of which no rule speaks: one copy, and no other is made or removed.
    pub fn none() -> Self {
        Self {
            paths: Vec::new(),
            older_than: None,
            copies: 1,
            ack_copies: 1,
            ack_else: AckElse::Refuse,
            slaves: Vec::new(),
            only: false,
            surplus: Surplus::Keep,
        }
    }

    fn speaks_of(&self, path: &VfsPath) -> bool {
        directories::hold_for(&self.paths, path)
    }
}

impl Check for CopiesConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |is_wrong: bool, key: String, why: String| {
            if is_wrong {
                errors.push(ConfigError::new(format!("copies.{key}"), why));
            }
        };
        let (at, most) = (self.at_a_time, MOST_AT_A_TIME);
        let range = format!("must be 1 to {most}");
        wrong(!(1..=most).contains(&at), "at_a_time".into(), range);
        let none = self.max_rate.is_some_and(|rate| rate.as_u64() == 0);
        wrong(none, "max_rate".into(), "must not be 0".into());
        for (key, time) in [
            ("stall_timeout", self.stall_timeout),
            ("retry_from", self.retry_from),
            ("ack_timeout", self.ack_timeout),
            ("look_every", self.look_every),
        ] {
            let why = "must be at least one second".to_owned();
            wrong(time < Duration::from_secs(1), key.into(), why);
        }
        let why = "must not be shorter than copies.retry_from".to_owned();
        wrong(self.retry_to < self.retry_from, "retry_to".into(), why);
        for (at, rule) in self.rules.iter().enumerate() {
            let paths = directories::are_sound(&rule.paths);
            let why = "must be directories that begin with /".to_owned();
            wrong(!paths, format!("rules[{at}].paths"), why);
            let some = (1..=MOST).contains(&rule.copies);
            wrong(
                !some,
                format!("rules[{at}].copies"),
                format!("must be 1 to {MOST}"),
            );
            let at_once = rule.ack_copies;
            let why = "must be 1 or 2, and not more than copies".to_owned();
            let sound = (1..=rule.copies.clamp(1, 2)).contains(&at_once);
            wrong(!sound, format!("rules[{at}].ack_copies"), why);
            let why = "is for new files, older_than for others".to_owned();
            let never = at_once > 1 && rule.older_than.is_some();
            wrong(never, format!("rules[{at}].ack_copies"), why);
            let why = "needs slaves".to_owned();
            let nowhere = rule.only && rule.slaves.is_empty();
            wrong(nowhere, format!("rules[{at}].only"), why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CopiesConfig, Vec<String>> {
        let read = drftpd_actors::parse::<CopiesConfig>(text, None);
        read.map_err(|errors| errors.into_iter().map(|error| error.key).collect())
    }

    fn path(text: &str) -> VfsPath {
        VfsPath::absolute(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_first_rule_that_speaks_of_a_path_decides() {
        let config = read(
            r#"rules = [
                { paths = ["/pub/tmp"], copies = 1 },
                { paths = ["/pub", "/keep"], copies = 3, slaves = ["a"] },
            ]"#,
        );
        let config = config.unwrap();
        for (at, copies) in [
            ("/pub/tmp/x", 1),
            ("/pub/x", 3),
            ("/keep/a/b", 3),
            ("/public/x", 1),
        ] {
            let rule = config.rule(&path(at), Duration::ZERO);
            assert_eq!(rule.map_or(1, |rule| rule.copies), copies, "{at}");
            assert_eq!(config.concerns(&path(at)), copies > 1, "{at}");
        }
        let rule = config.rule(&path("/pub/x"), Duration::ZERO);
        assert_eq!(rule.unwrap().slaves.len(), 1);
    }

    #[test]
    fn a_rule_for_old_files_speaks_of_them_when_they_are_old() {
        let config = read(
            r#"rules = [
                { older_than = "30d", copies = 1, slaves = ["archive"], only = true, surplus = "remove" },
                { copies = 2 },
            ]"#,
        );
        let config = config.unwrap();
        let day = Duration::from_secs(24 * 3600);
        for (age, copies) in [(29 * day, 2), (30 * day, 1)] {
            let rule = config.rule(&path("/a"), age).unwrap();
            assert_eq!(rule.copies, copies, "{age:?}");
        }
        assert!(config.concerns(&path("/a")));
        let moves = read(r#"rules = [{ copies = 1, slaves = ["a"], only = true }]"#);
        assert!(moves.unwrap().concerns(&path("/a")));
    }

    #[test]
    fn whatever_is_wrong_is_named_by_its_key() {
        let text = r#"
            at_a_time = 0
            max_rate = "0B"
            retry_from = "10ms"
            retry_to = "1ms"
            rules = [{ paths = ["pub"], copies = 0, only = true }]
        "#;
        let keys = [
            "copies.at_a_time",
            "copies.max_rate",
            "copies.retry_from",
            "copies.retry_to",
            "copies.rules[0].paths",
            "copies.rules[0].copies",
            "copies.rules[0].only",
        ];
        assert_eq!(read(text).unwrap_err(), keys);
    }

    #[test]
    fn two_copies_before_226_are_copies_of_the_rule_and_of_new_files() {
        let rule = |text: &str| read(&format!("rules = [{{ {text} }}]"));
        let of = |text: &str| rule(text).unwrap().rules.remove(0);
        let two = of("copies = 3, ack_copies = 2");
        assert_eq!((two.ack_copies, two.ack_else), (2, AckElse::Refuse));
        assert_eq!(of("copies = 2").ack_copies, 1);
        let accept = of(r#"copies = 2, ack_copies = 2, ack_else = "accept""#);
        assert_eq!(accept.ack_else, AckElse::Accept);
        for wrong in [
            "copies = 1, ack_copies = 2",
            "copies = 3, ack_copies = 3",
            "copies = 1, ack_copies = 0",
            r#"copies = 2, ack_copies = 2, older_than = "1h""#,
        ] {
            let keys = rule(wrong).unwrap_err();
            assert_eq!(keys, ["copies.rules[0].ack_copies"], "{wrong}");
        }
    }

    #[test]
    fn failures_are_followed_by_longer_waits_up_to_the_longest() {
        let config = CopiesConfig::default();
        let seconds = [1, 2, 3, 7, 8, u32::MAX].map(|n| config.retry_after(n).as_secs());
        assert_eq!(seconds, [10, 20, 40, 600, 600, 600]);
    }
}
