//! One argument of a command: its name, what it must be, and how a word becomes its value.

use std::fmt;

use drftpd_protocol::{SessionId, SlaveId, VfsPath};

use super::answer::AdminError;

/// One argument that a command takes.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name: a key of the JSON object, lower-case.
    pub name: &'static str,
    /// What it must be.
    pub kind: Kind,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it must be named: it is no word in the order of the others.
    pub named: bool,
    /// What it means, in a few words.
    pub about: &'static str,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Every word that is left, with spaces between.
    Rest,
    /// Text that no log and no answer may hold.
    Secret,
    /// Name of a slave.
    Slave,
    /// Number of a session.
    Session,
    /// A path of the tree; a relative one is taken from where the caller stands.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Said or not: its own name as a word, `true` in JSON.
    Switch,
    /// A number, from 0 on.
    Number,
    /// Words with commas between; in JSON also a list of texts.
    Words,
}

impl Param {
    /// An argument that must be there.
    pub const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            optional: false,
            named: false,
            about,
        }
    }

    /// An argument that may be left out.
    pub const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            optional: true,
            named: false,
            about,
        }
    }

    /// An argument that may be left out, and is named where it is said: `name=value` or `-name value`; of a switch its
    /// name, or `-` and the first letter of that.
    pub const fn named(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            named: true,
            ..Self::optional(name, kind, about)
        }
    }

    /// As help shows it.
    pub fn syntax(&self) -> String {
        let shown = match self.kind {
            Kind::Word(words) => words.join("|"),
            Kind::Switch => self.name.to_owned(),
            _ => self.name.to_ascii_uppercase(),
        };
        let shown = match (self.named, self.kind) {
            (true, Kind::Switch) => format!("-{}", &self.name[..1]),
            (true, _) => format!("{}={shown}", self.name),
            (false, _) => shown,
        };
        if self.optional {
            format!("[{shown}]")
        } else {
            shown
        }
    }

    pub(super) fn read(&self, bytes: &[u8], cwd: &VfsPath) -> Result<Value, AdminError> {
        let wrong = |why: &dyn fmt::Display| AdminError::argument(self.name, why);
        if self.kind == Kind::Path {
            let path = cwd.resolve(bytes).map_err(|why| wrong(&why))?;
            return Ok(Value::Path(path));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong(&"must be UTF-8"))?;
        if text.chars().any(char::is_control) {
            return Err(wrong(&"must not hold control characters"));
        }
        match self.kind {
            Kind::Slave => {
                let name = SlaveId::new(text).map_err(|why| wrong(&why))?;
                Ok(Value::Slave(name))
            }
            Kind::Session => {
                let number = text.parse().map_err(|_| wrong(&"must be a number"))?;
                Ok(Value::Session(SessionId(number)))
            }
            Kind::Word(words) => {
                let known = words.iter().find(|word| word.eq_ignore_ascii_case(text));
                let known = known.ok_or_else(|| wrong(&format!("must be {}", words.join(" or "))));
                Ok(Value::Text((*known?).to_owned()))
            }
            Kind::Number => {
                let number = text.parse().map_err(|_| wrong(&"must be a number"))?;
                Ok(Value::Number(number))
            }
            Kind::Words => {
                let words = text.split(',').map(str::trim);
                let words = words.filter(|word| !word.is_empty());
                Ok(Value::Words(words.map(str::to_owned).collect()))
            }
            Kind::Switch if text.eq_ignore_ascii_case(self.name) => Ok(Value::Said),
            Kind::Switch => Err(wrong(&format!("must be the word {}", self.name))),
            Kind::Secret => Ok(Value::Secret(text.to_owned())),
            Kind::Text | Kind::Rest | Kind::Path => Ok(Value::Text(text.to_owned())),
        }
    }
}

/// An argument's value.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Secret(String),
    Slave(SlaveId),
    Session(SessionId),
    Path(VfsPath),
    Number(u64),
    Words(Vec<String>),
    Said,
}
