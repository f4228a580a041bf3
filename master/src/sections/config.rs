//! `[sections]`: which there are.

use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::VfsPath;
use serde::{Deserialize, Deserializer};

use super::date::DatePattern;
use crate::store::Case;

/// Longest name.
const MAX_NAME: usize = 64;

/// `[sections]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SectionsConfig {
    /// The sections.
    pub list: Vec<Section>,
    /// Whose the directories and links are that the site makes for them: a user.
    pub owner: String,
    /// The group of those.
    pub group: String,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// What it is called.
    pub name: String,
    /// Its directory.
    #[serde(deserialize_with = "path")]
    pub path: VfsPath,
    /// How the directory of a day is called; without it the section is plain.
    #[serde(default)]
    pub dated: Option<DatePattern>,
    /// The link that leads to today's directory.
    #[serde(default, deserialize_with = "some_path")]
    pub today: Option<VfsPath>,
}

impl Default for SectionsConfig {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            owner: "drftpd".to_owned(),
            group: "drftpd".to_owned(),
        }
    }
}

impl SectionsConfig {
    /// The section that a resolved path is of: the innermost one whose directory it is, or lies in.
    pub fn of(&self, path: &VfsPath, case: Case) -> Option<&Section> {
        let mine = self.list.iter().filter(|it| it.has(path, case));
        mine.max_by_key(|it| it.path.names().len())
    }

    /// The section of that name, in whatever case.
    pub fn named(&self, name: &str) -> Option<&Section> {
        let is = |it: &&Section| it.name.eq_ignore_ascii_case(name);
        self.list.iter().find(is)
    }
}

impl Section {
    /// Whether a path is its directory, or lies in it.
    fn has(&self, path: &VfsPath, case: Case) -> bool {
        let (mine, names) = (self.path.names(), path.names());
        let same = |(a, b): (&drftpd_protocol::Name, _)| {
            let b: &drftpd_protocol::Name = b;
            a == b || case.fold(a.as_bytes()) == case.fold(b.as_bytes())
        };
        names.len() >= mine.len() && mine.iter().zip(names).all(same)
    }

    /// The directory of the day in which a moment lies (Unix seconds), if it is dated.
    pub fn of_day(&self, unix: i64) -> Option<VfsPath> {
        let name = self.dated.as_ref()?.name(unix).ok()?;
        self.path.join(name).ok()
    }
}

impl Check for SectionsConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        for (key, text) in [("owner", &self.owner), ("group", &self.group)] {
            if text.is_empty() || text.chars().any(char::is_whitespace) {
                let why = "must be a name";
                errors.push(ConfigError::new(format!("sections.{key}"), why));
            }
        }
        for (at, section) in self.list.iter().enumerate() {
            let mut wrong = |key: &str, why: &str| {
                let key = format!("sections.list[{at}].{key}");
                errors.push(ConfigError::new(key, why));
            };
            let name = &section.name;
            let plain = |c: char| !c.is_whitespace() && !c.is_control();
            if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
                wrong("name", "must be one word of at most 64 letters");
            }
            let before = &self.list[..at];
            if before.iter().any(|it| it.name.eq_ignore_ascii_case(name)) {
                wrong("name", "is there twice");
            }
            if section.path.is_root() {
                wrong("path", "must not be the root");
            }
            if before.iter().any(|it| it.path == section.path) {
                wrong("path", "is there twice");
            }
            let Some(today) = &section.today else {
                continue;
            };
            if section.dated.is_none() {
                wrong("today", "needs dated");
            }
            let taken = |it: &Section| it.path == *today || it.today.as_ref() == Some(today);
            if today.is_root() || section.path == *today || before.iter().any(taken) {
                wrong("today", "is something else already");
            }
        }
    }
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VfsPath, D::Error> {
    let text = String::deserialize(deserializer)?;
    VfsPath::absolute(text.as_bytes()).map_err(serde::de::Error::custom)
}

fn some_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<VfsPath>, D::Error> {
    path(deserializer).map(Some)
}
