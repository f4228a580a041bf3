//! `[traffic]`: how fast a transfer may be, how fast it must be, and what becomes of one that is slower. Pure.
//!
//! The first rule that speaks of user, path and direction decides. Speeds are those of one transfer each; what users have
//! in all are limits of their accounts.

use std::time::Duration;

use bytesize::ByteSize;
use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::VfsPath;
use serde::Deserialize;
use tokio::time::Instant;

use crate::accounts::{Account, who};
use crate::config::directories;
use crate::transfer::Direction;

/// The shortest time in which a transfer is judged: slaves tell twice a second how far they are.
const SHORTEST: Duration = Duration::from_secs(5);

/// `[traffic]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrafficConfig {
    /// Rules; the first that speaks of a transfer decides.
    pub rules: Vec<TrafficRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrafficRule {
    /// Of whom it speaks: `*`, `-user`, `=group`, each with `!` in front for the contrary; the first that fits decides.
    pub users: Vec<String>,
    /// Directories at and below which it holds; empty: everywhere.
    pub paths: Vec<String>,
    /// Which way; without: both.
    pub direction: Option<Way>,
    /// Bytes per second that a transfer has at most.
    pub max_rate: Option<ByteSize>,
    /// Bytes per second that it must have.
    pub min_rate: Option<ByteSize>,
    /// For how long it may have less.
    #[serde(with = "humantime_serde")]
    pub slow_for: Duration,
    /// What becomes of one that had less.
    pub then: Then,
    /// How long its user is kept out, with [`Then::Ban`].
    #[serde(with = "humantime_serde")]
    pub ban_time: Duration,
}

/// A direction, as the file has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// To the site.
    Up,
    /// From the site.
    Down,
}

/// What becomes of a transfer that is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// It ends.
    #[default]
    End,
    /// Its session ends, too.
    Kick,
    /// All sessions of its user end, who is kept out for a while.
    Ban,
}

/// What a transfer must keep up.
#[derive(Debug)]
pub struct Pace {
    /// Bytes per second.
    least: u64,
    slow_for: Duration,
    /// Bytes at its beginning, or when it was last judged; and when that was. It begins when a byte moves: one of which
    /// none does ends by `data.stall_timeout`.
    since: Option<Instant>,
    from: u64,
    /// Bytes now.
    at: u64,
    then: Then,
    ban: Duration,
}

/// A transfer has not kept it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow {
    /// Bytes per second that it must have.
    pub least: u64,
    /// For how long it had less.
    pub slow_for: Duration,
    /// What becomes of it.
    pub then: Then,
    /// How long a ban lasts.
    pub ban: Duration,
}

impl Default for TrafficRule {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            paths: Vec::new(),
            direction: None,
            max_rate: None,
            min_rate: None,
            slow_for: Duration::from_secs(30),
            then: Then::End,
            ban_time: Duration::from_secs(5 * 60),
        }
    }
}

impl TrafficConfig {
    /// The rule for a transfer, if there is one.
    pub fn of(&self, who: &Account, path: &VfsPath, way: Direction) -> Option<&TrafficRule> {
        self.rules
            .iter()
            .find(|rule| rule.speaks_of(who, path, way))
    }
}

impl TrafficRule {
    fn speaks_of(&self, who: &Account, path: &VfsPath, way: Direction) -> bool {
        let this_way = match self.direction {
            None => true,
            Some(Way::Up) => way == Direction::Upload,
            Some(Way::Down) => way == Direction::Download,
        };
        this_way && who::speaks_of(&self.users, who) && directories::hold_for(&self.paths, path)
    }

    /// Bytes per second that a transfer may have at most.
    pub fn most(&self) -> Option<u64> {
        self.max_rate.map(|most| most.as_u64())
    }

    /// What a transfer must keep up.
    pub fn pace(&self) -> Option<Pace> {
        Some(Pace {
            least: self.min_rate?.as_u64(),
            slow_for: self.slow_for,
            since: None,
            from: 0,
            at: 0,
            then: self.then,
            ban: self.ban_time,
        })
    }
}

impl Pace {
    /// It has so many bytes now.
    pub fn moved(&mut self, now: Instant, bytes: u64) {
        if bytes > self.at {
            self.at = bytes;
            self.since.get_or_insert(now);
        }
    }

    /// It goes on behind so many bytes.
    pub fn goes_on_behind(&mut self, before: u64) {
        (self.from, self.at) = (before, before);
    }

    /// When it is to be judged.
    pub fn due(&self) -> Option<Instant> {
        Some(self.since? + self.slow_for)
    }

    /// Judges what has moved since it was judged last.
    ///
    /// # Errors
    /// When that was too little.
    pub fn judge(&mut self, now: Instant) -> Result<(), TooSlow> {
        let Some(since) = self.since else {
            return Ok(());
        };
        let moved = u128::from(self.at - self.from) * 1_000;
        let least = u128::from(self.least) * now.duration_since(since).as_millis();
        (self.since, self.from) = (Some(now), self.at);
        match moved < least {
            false => Ok(()),
            true => Err(TooSlow {
                least: self.least,
                slow_for: self.slow_for,
                then: self.then,
                ban: self.ban,
            }),
        }
    }
}

impl Check for TrafficConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        for (at, rule) in self.rules.iter().enumerate() {
            let mut wrong = |is_wrong: bool, key: &str, why: &str| {
                if is_wrong {
                    errors.push(ConfigError::new(format!("traffic.rules[{at}].{key}"), why));
                }
            };
            let tokens = rule.users.iter().all(|token| who::is_token(token));
            let users = !rule.users.is_empty() && tokens;
            wrong(!users, "users", "must be like \"*\", \"-user\", \"=group\"");
            let paths = directories::are_sound(&rule.paths);
            wrong(!paths, "paths", "must be directories that begin with /");
            let none = |rate: Option<ByteSize>| rate.is_some_and(|rate| rate.as_u64() == 0);
            wrong(none(rule.max_rate), "max_rate", "must be more than 0");
            wrong(none(rule.min_rate), "min_rate", "must be more than 0");
            let both = rule.min_rate.zip(rule.max_rate);
            let upside_down = both.is_some_and(|(min, max)| min >= max);
            wrong(upside_down, "min_rate", "must be less than max_rate");
            wrong(rule.slow_for < SHORTEST, "slow_for", "must be 5s or more");
            let ban = rule.ban_time < Duration::from_secs(1);
            wrong(ban, "ban_time", "must be 1s or more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        rules = [
            { users = ["=siteop"], max_rate = "1GB" },
            { users = ["*"], paths = ["/iso"], direction = "down", min_rate = "50kB", slow_for = "10s", then = "ban" },
            { users = ["!-eve", "*"], direction = "up", max_rate = "2MB" },
        ]"#;

    fn config() -> TrafficConfig {
        toml::from_str(TEXT).unwrap()
    }

    fn path(text: &str) -> VfsPath {
        VfsPath::absolute(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_first_rule_that_speaks_of_a_transfer_decides() {
        let config = config();
        let rule = |name: &str, at, way| {
            let who = Account {
                admin: name == "root",
                ..Account::of_test(name, "users")
            };
            let rule = config.of(&who, &path(at), way);
            rule.map(|rule| (rule.max_rate.map(|it| it.as_u64()), rule.then))
        };
        let (up, down) = (Direction::Upload, Direction::Download);
        let end = Then::End;
        assert_eq!(
            rule("root", "/iso/x", down),
            Some((Some(1_000_000_000), end))
        );
        assert_eq!(rule("bob", "/iso/x", down), Some((None, Then::Ban)));
        assert_eq!(rule("bob", "/iso/x", up), Some((Some(2_000_000), end)));
        assert_eq!(rule("eve", "/iso/x", up), None);
        assert_eq!(rule("bob", "/other", down), None);
        assert_eq!(config.rules[2].most(), Some(2_000_000));
        assert_eq!(config.rules[1].most(), None);
    }

    #[test]
    fn a_transfer_is_slow_when_it_moves_too_little_for_so_long() {
        let mut pace = config().rules[1].pace().unwrap();
        pace.goes_on_behind(500);
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        // Until a byte moves there is nothing to judge.
        assert_eq!(pace.due(), None);
        pace.moved(after(3), 500);
        assert_eq!(pace.due(), None);
        pace.moved(after(5), 100_500);
        assert_eq!(pace.due(), Some(after(15)));
        // 500,000 bytes in ten seconds are just enough.
        pace.moved(after(14), 500_500);
        assert_eq!(pace.judge(after(15)), Ok(()));
        assert_eq!(pace.due(), Some(after(25)));
        pace.moved(after(16), 1_000_499);
        let slow = pace.judge(after(25)).unwrap_err();
        assert_eq!((slow.least, slow.then), (50_000, Then::Ban));
        // One that stands is as slow as can be.
        assert!(pace.judge(after(35)).is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let text = r#"rules = [
            { users = [], min_rate = "0B" },
            { users = ["bob"], paths = ["x/../../y"], min_rate = "2MB", max_rate = "1MB", slow_for = "1s", ban_time = "0s" },
        ]"#;
        let mut errors = Vec::new();
        toml::from_str::<TrafficConfig>(text)
            .unwrap()
            .check(&mut errors);
        let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
        let of_second = ["users", "paths", "min_rate", "slow_for", "ban_time"];
        let of_second = of_second.map(|key| format!("traffic.rules[1].{key}"));
        assert_eq!(
            keys[..2],
            ["traffic.rules[0].users", "traffic.rules[0].min_rate"]
        );
        assert_eq!(keys[2..], of_second.each_ref().map(String::as_str));
    }
}
