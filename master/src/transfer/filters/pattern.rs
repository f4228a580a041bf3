//! Patterns over whole paths.

use std::fmt;

use drftpd_protocol::VfsPath;
use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer};

use super::glob;

/// Matches paths.
pub(super) trait Pattern: fmt::Display + Send + Sync {
    /// Whether it matches this one.
    fn matches(&self, path: &VfsPath) -> bool;
}

/// A glob: `*` crosses slashes, `?` is one character; case counts.
#[derive(Debug)]
pub(super) struct Glob(String);

impl Pattern for Glob {
    fn matches(&self, path: &VfsPath) -> bool {
        glob::matches(self.0.as_bytes(), &path.to_bytes())
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.starts_with(['/', '*']) {
            true => Ok(Self(text)),
            false => Err(serde::de::Error::custom("must begin with / or *")),
        }
    }
}

/// A regular expression that matches anywhere in the path; case does not count. Bytes that are no UTF-8 are U+FFFD.
#[derive(Debug)]
pub(super) struct Expression(Regex);

impl Pattern for Expression {
    fn matches(&self, path: &VfsPath) -> bool {
        self.0.is_match(&String::from_utf8_lossy(&path.to_bytes()))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let made = RegexBuilder::new(&text).case_insensitive(true).build();
        match made {
            Ok(regex) => Ok(Self(regex)),
            Err(why) => Err(serde::de::Error::custom(format!(
                "is no regular expression: {why}"
            ))),
        }
    }
}
