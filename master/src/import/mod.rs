//! Accounts of other daemons: read from their files ([`read`]), compared with what is in the store, and made there
//! ([`plan`]). Reading decides nothing and changes nothing; whatever cannot be taken is a [`Finding`] with its file, its
//! line where there is one, and the reason.
//!
//! Passwords come as hashes and stay so: they are checked as they are, and replaced by argon2id at the next login. Those
//! that a file has in clear are hashed before they are stored.

mod csv;
mod drftpd;
mod glftpd;
mod json;
mod passwd;
pub mod plan;
mod read;

#[cfg(test)]
mod tests;

pub use read::{Format, read};

use std::fmt::Display;
use std::path::Path;

use serde::Serialize;

use crate::accounts::edit::groups::Group;
use crate::accounts::limits::Limits;
use crate::accounts::names::{check, check_text};
use crate::accounts::ratio::Ratio;
use crate::accounts::table::Stored;
use crate::accounts::{Account, legacy};

/// The most memory that checking an imported hash may take, in KiB.
const MOST_MEMORY: u32 = 1024 * 1024;
/// The greatest cost of an imported bcrypt hash: each more doubles the time.
const MOST_COST: u32 = 15;

/// What was found in files.
#[derive(Debug, Default)]
pub struct Found {
    /// Users, in the order in which they were found.
    pub users: Vec<User>,
    /// Groups.
    pub groups: Vec<Group>,
    /// What cannot be taken.
    pub findings: Vec<Finding>,
}

/// A user to be.
#[derive(Debug, Clone)]
pub struct User {
    /// As they will be stored; the password is a hash that was checked to be one.
    pub stored: Stored,
    /// Their password, where the file has it in clear.
    pub clear: Option<String>,
}

impl User {
    fn new(name: &str, group: &str, now: i64) -> Self {
        Self {
            stored: Stored::new(Account::new(name, group), None, now),
            clear: None,
        }
    }
}

/// Something that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What, and why.
    pub why: String,
}

impl Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.why),
            None => write!(f, "{}: {}", self.file, self.why),
        }
    }
}

impl Found {
    fn finding(&mut self, file: &Path, line: Option<usize>, why: impl Display) {
        self.findings.push(Finding {
            file: file.display().to_string(),
            line,
            // Files are others' work: what they hold must not write lines of its own.
            why: why.to_string().replace(char::is_control, "?"),
        });
    }

    /// A group that is new here, as far as it is none of the special ones.
    fn group(&mut self, name: &str, now: i64) -> Option<&mut Group> {
        if let Some(at) = self.groups.iter().position(|group| group.name == name) {
            return self.groups.get_mut(at);
        }
        check(name).ok()?;
        self.groups.push(Group {
            name: name.to_owned(),
            created: now,
            slots: 0,
            leech_slots: 0,
            least_ratio: Ratio(0),
            most_ratio: Ratio(0),
            limits: Limits::default(),
        });
        self.groups.last_mut()
    }
}

/// Puts a mask into the form that is kept, or says why it cannot be.
fn mask(text: &str) -> Result<String, String> {
    let mask = text.parse::<crate::accounts::masks::Mask>();
    mask.map(|mask| mask.to_string())
        .map_err(|why| format!("mask {text:?} is not taken: {why}"))
}

/// A text that may be kept, or why not.
fn text(what: &str, text: &str) -> Result<String, String> {
    match check_text(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(why) => Err(format!("{what} is not taken: {why}")),
    }
}

/// A hash that can be checked at a login, or why not.
fn hash(hash: &str) -> Result<String, String> {
    let taken = || Ok(hash.to_owned());
    match legacy::Legacy::read(hash) {
        Some(legacy::Legacy::Plain(_)) => Err("the password is in clear".to_owned()),
        Some(legacy::Legacy::Bcrypt(text)) => {
            let cost = text.split('$').nth(2).and_then(|cost| cost.parse().ok());
            match cost.filter(|cost: &u32| *cost <= MOST_COST && text.len() == 60) {
                Some(_) => taken(),
                None => Err("the password is no bcrypt hash that can be checked".to_owned()),
            }
        }
        Some(_) => taken(),
        None => {
            let parsed = argon2::PasswordHash::new(hash).ok();
            let params = parsed.and_then(|it| argon2::Params::try_from(&it).ok());
            match params.filter(|it| it.m_cost() <= MOST_MEMORY && it.t_cost() <= 100) {
                Some(_) => taken(),
                None => Err("the password is hashed in a way that is not known here".to_owned()),
            }
        }
    }
}
