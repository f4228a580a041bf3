//! `[events]`: whom the outbox tells what has happened.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::VfsPath;
use serde::Deserialize;

use super::event::{Event, KINDS};
use crate::config::directories;

/// Fewest events that are kept for readers that are behind.
const LEAST_KEPT: u64 = 1000;
/// Most events of one delivery.
const MOST_AT_ONCE: usize = 1000;
/// The longest name of a reader.
const LONGEST_NAME: usize = 64;

/// `[events]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// Events that wait for the slowest reader at most; then the oldest are dropped, and readers are told how many.
    pub keep: u64,
    /// How long after a failure a delivery is tried again; each time twice as long, up to `retry_to`.
    #[serde(with = "humantime_serde")]
    pub retry_from: Duration,
    /// The longest time until a delivery is tried again.
    #[serde(with = "humantime_serde")]
    pub retry_to: Duration,
    /// Servers that are sent events by HTTP.
    pub webhooks: Vec<WebhookConfig>,
    /// Programs that read events from their standard input.
    pub programs: Vec<ProgramConfig>,
}

/// Which events somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Kinds; empty: all.
    pub kinds: Vec<String>,
    /// Directories at and below which something happened; empty: everywhere.
    pub paths: Vec<String>,
}

impl Wanted {
    /// These kinds, at and below these directories.
    pub fn of(kinds: &[String], paths: &[String]) -> Self {
        Self {
            kinds: kinds.to_vec(),
            paths: paths.to_vec(),
        }
    }

    /// Whether an event is one of these: what is renamed also for where it was before. What happened nowhere in the tree is for
    /// those who name no directories.
    pub fn has(&self, event: &Event) -> bool {
        let of_kind = self.kinds.is_empty() || self.kinds.iter().any(|it| it == event.kind());
        let holds = |path: &VfsPath| directories::hold_for(&self.paths, path);
        let (path, before) = event.paths();
        let somewhere = path.is_some_and(holds) || before.is_some_and(holds);
        of_kind && (self.paths.is_empty() || somewhere)
    }
}

/// A server that is sent events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// By what it is known in logs, and in the store: a reader of another name is told what happens from then on.
    pub name: String,
    /// Where: `https://…`, or `http://` on loopback.
    pub url: String,
    /// File with the secret that signs what is sent.
    pub secret: PathBuf,
    /// File with the authorities (PEM) by which the server is believed; without it those that browsers believe.
    #[serde(default)]
    pub authority: Option<PathBuf>,
    /// How long the server may take.
    #[serde(default = "default_timeout", with = "humantime_serde")]
    pub timeout: Duration,
    /// Events of one request at most.
    #[serde(default = "default_at_once")]
    pub at_once: usize,
    /// Kinds of events; empty: all.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Directories; empty: everywhere.
    #[serde(default)]
    pub paths: Vec<String>,
}

/// A program that reads events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramConfig {
    /// By what it is known, as for a webhook.
    pub name: String,
    /// The program, by its whole path, and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// How long it may take to read what it is given.
    #[serde(default = "default_timeout", with = "humantime_serde")]
    pub timeout: Duration,
    /// Kinds of events; empty: all.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Directories; empty: everywhere.
    #[serde(default)]
    pub paths: Vec<String>,
}

impl WebhookConfig {
    /// Which events it is sent.
    pub fn wanted(&self) -> Wanted {
        Wanted::of(&self.kinds, &self.paths)
    }
}

impl ProgramConfig {
    /// Which events it reads.
    pub fn wanted(&self) -> Wanted {
        Wanted::of(&self.kinds, &self.paths)
    }
}

fn default_timeout() -> Duration {
    Duration::from_secs(10)
}

fn default_at_once() -> usize {
    100
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            keep: 100_000,
            retry_from: Duration::from_secs(1),
            retry_to: Duration::from_secs(300),
            webhooks: Vec::new(),
            programs: Vec::new(),
        }
    }
}

impl EventsConfig {
    /// Names of all readers that it makes.
    pub fn readers(&self) -> Vec<String> {
        let webhooks = self.webhooks.iter().map(|webhook| webhook.name.clone());
        let programs = self.programs.iter().map(|program| program.name.clone());
        webhooks.chain(programs).collect()
    }

    /// How long to wait after so many failures in a row.
    pub fn retry_after(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.retry_from.saturating_mul(factor).min(self.retry_to)
    }

    /// The files that it names.
    pub fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let webhooks = self.webhooks.iter_mut();
        webhooks.flat_map(|it| std::iter::once(&mut it.secret).chain(&mut it.authority))
    }
}

impl Check for EventsConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |bad: bool, key: String, why: &str| {
            if bad {
                errors.push(ConfigError::new(format!("events.{key}"), why));
            }
        };
        let few = self.keep < LEAST_KEPT;
        wrong(few, "keep".into(), "must be 1000 or more");
        let none = self.retry_from.is_zero() || self.retry_from > self.retry_to;
        let why = "must be more than nothing and at most events.retry_to";
        wrong(none, "retry_from".into(), why);
        let mut names = BTreeSet::new();
        let mut check = |list: &str, at: usize, name: &str, wanted: &Wanted, timeout: Duration| {
            let key = |key: &str| format!("{list}[{at}].{key}");
            let twice = !names.insert(name.to_owned());
            wrong(twice, key("name"), "is the name of two readers");
            let plugins = name.starts_with("plugin.");
            wrong(plugins, key("name"), "must not begin with plugin.");
            let why = "must be 1 to 64 letters, digits or one of . _ -";
            wrong(!is_name(name), key("name"), why);
            let mut kinds = wanted.kinds.iter();
            let unknown = kinds.any(|kind| !KINDS.contains(&kind.as_str()));
            let why = format!("each must be one of {}", KINDS.join(", "));
            wrong(unknown, key("kinds"), &why);
            let why = "must be directories that begin with /";
            wrong(!directories::are_sound(&wanted.paths), key("paths"), why);
            wrong(
                timeout.is_zero(),
                key("timeout"),
                "must be more than nothing",
            );
        };
        for (at, it) in self.webhooks.iter().enumerate() {
            check("webhooks", at, &it.name, &it.wanted(), it.timeout);
        }
        for (at, it) in self.programs.iter().enumerate() {
            check("programs", at, &it.name, &it.wanted(), it.timeout);
        }
        for (at, it) in self.webhooks.iter().enumerate() {
            let key = |key: &str| format!("webhooks[{at}].{key}");
            let why = "must be an https:// address, or an http:// one on loopback";
            wrong(!is_url(&it.url), key("url"), why);
            let outside = it.at_once == 0 || it.at_once > MOST_AT_ONCE;
            wrong(outside, key("at_once"), "must be 1 to 1000");
        }
        for (at, it) in self.programs.iter().enumerate() {
            let absolute = it.command.first().is_some_and(|it| it.starts_with('/'));
            let why = "must begin with the whole path of a program";
            wrong(!absolute, format!("programs[{at}].command"), why);
        }
    }
}

fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(good)
}

fn is_url(text: &str) -> bool {
    let Ok(url) = text.parse::<Uri>() else {
        return false;
    };
    match (url.scheme_str(), url.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => crate::web::is_loopback(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        let config: EventsConfig = toml::from_str(text).unwrap();
        let mut errors = Vec::new();
        config.check(&mut errors);
        errors.into_iter().map(|error| error.key).collect()
    }

    const WEBHOOK: &str = "[[webhooks]]\nname = 'a'\nsecret = 'key'\n";

    #[test]
    fn what_cannot_be_is_named_by_its_key() {
        assert_eq!(wrong(""), [""; 0]);
        assert_eq!(wrong("keep = 1"), ["events.keep"]);
        assert_eq!(wrong("retry_from = '1h'"), ["events.retry_from"]);
        for (url, good) in [
            ("https://example.org/hook", true),
            ("http://127.0.0.1:8080/", true),
            ("http://[::1]/", true),
            ("http://example.org/", false),
            ("ftp://example.org/", false),
            ("nothing", false),
        ] {
            let found = wrong(&format!("{WEBHOOK}url = '{url}'"));
            assert_eq!(found.is_empty(), good, "{url} {found:?}");
        }
        let url = "url = 'https://example.org/'\n";
        let kinds = format!("{WEBHOOK}{url}kinds = ['file.gone']");
        assert_eq!(wrong(&kinds), ["events.webhooks[0].kinds"]);
        let paths = format!("{WEBHOOK}{url}paths = ['a']");
        assert_eq!(wrong(&paths), ["events.webhooks[0].paths"]);
        let many = format!("{WEBHOOK}{url}at_once = 0");
        assert_eq!(wrong(&many), ["events.webhooks[0].at_once"]);
        let twice = format!("{WEBHOOK}{url}[[programs]]\nname = 'a'\ncommand = ['cat']");
        let found = ["events.programs[0].name", "events.programs[0].command"];
        assert_eq!(wrong(&twice), found);
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let config = EventsConfig::default();
        let after = |failures| config.retry_after(failures).as_secs();
        assert_eq!((after(1), after(2), after(5), after(40)), (1, 2, 16, 300));
    }
}
