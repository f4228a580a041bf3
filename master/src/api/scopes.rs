//! What a token may be used for. Pure.
//!
//! A scope is a word: `read` (commands that change nothing, and events), `operate` (all commands but those on tokens),
//! `AREA:*` or `AREA:VERB` (those commands alone), `*` (everything). What no scope names is refused, so a word that
//! this version does not know allows nothing.

use std::fmt;

use crate::admin::{Command, Commands};

/// The commands on tokens: with them a token could make itself a greater one.
const TOKENS: &str = "token";

/// One scope.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Everything,
    Operate,
    Read,
    Command { area: String, verb: Option<String> },
}

/// All scopes of one token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

/// Why words are no scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadScope {
    /// There is none.
    #[error("must name a scope")]
    None,
    /// Not a scope.
    #[error("{0:?} is no scope: say read, operate, AREA:*, AREA:VERB or *")]
    Unknown(String),
    /// There is no such command.
    #[error("{0:?}: there is no such command")]
    NoCommand(String),
}

impl Scopes {
    /// Reads scopes that somebody asks for: each must be of use today.
    ///
    /// # Errors
    /// [`BadScope`] names the word.
    pub fn asked<W: AsRef<str>>(words: &[W], commands: &Commands) -> Result<Self, BadScope> {
        let scopes = Self::stored(words);
        let text = |at: usize| words[at].as_ref().to_owned();
        for (at, scope) in scopes.0.iter().enumerate() {
            let Scope::Command { area, verb } = scope else {
                continue;
            };
            if verb.is_none() && !words[at].as_ref().ends_with(":*") {
                return Err(BadScope::Unknown(text(at)));
            }
            if !commands.iter().any(|command| scope.allows(command)) || area.is_empty() {
                return Err(BadScope::NoCommand(text(at)));
            }
        }
        if scopes.0.is_empty() {
            return Err(BadScope::None);
        }
        Ok(scopes)
    }

    /// Reads scopes that were taken once, perhaps by another version.
    pub fn stored<W: AsRef<str>>(words: &[W]) -> Self {
        Self(
            words
                .iter()
                .map(|word| Scope::read(word.as_ref()))
                .collect(),
        )
    }

    /// Whether a command is among them.
    pub fn allow(&self, command: &Command) -> bool {
        self.0.iter().any(|scope| scope.allows(command))
    }

    /// Whether what happens may be watched: it names every user and path.
    pub fn may_watch(&self) -> bool {
        let all = |scope: &Scope| !matches!(scope, Scope::Command { .. });
        self.0.iter().any(all)
    }

    /// Whether all that others allow is allowed here, too, also in versions to come.
    pub fn cover(&self, others: &Self) -> bool {
        let covered = |other| self.0.iter().any(|scope| scope.covers(other));
        others.0.iter().all(covered)
    }
}

impl Scope {
    fn read(word: &str) -> Self {
        match word {
            "*" => Self::Everything,
            "operate" => Self::Operate,
            "read" => Self::Read,
            _ => {
                let (area, verb) = word.split_once(':').unwrap_or((word, "*"));
                Self::Command {
                    area: area.to_owned(),
                    verb: Some(verb).filter(|verb| *verb != "*").map(str::to_owned),
                }
            }
        }
    }

    fn allows(&self, command: &Command) -> bool {
        let (area, verb) = parts(command);
        match self {
            Self::Everything => true,
            Self::Operate => area != TOKENS,
            Self::Read => !command.changes && area != TOKENS,
            Self::Command { area: a, verb: v } => {
                a == area && v.as_deref().is_none_or(|v| Some(v) == verb)
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) | (Self::Operate, Self::Operate | Self::Read) => true,
            (Self::Operate, Self::Command { area, .. }) => area != TOKENS,
            (
                Self::Command { area: a, verb: v },
                Self::Command {
                    area: other,
                    verb: w,
                },
            ) => a == other && (v.is_none() || v == w),
            (mine, other) => mine == other,
        }
    }
}

/// Area and verb of a command's name; a name of one word is its own area.
pub(super) fn parts(command: &Command) -> (&'static str, Option<&'static str>) {
    match command.name.split_once(' ') {
        Some((area, verb)) => (area, Some(verb)),
        None => (command.name, None),
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { "," };
            match scope {
                Scope::Everything => write!(f, "{gap}*")?,
                Scope::Operate => write!(f, "{gap}operate")?,
                Scope::Read => write!(f, "{gap}read")?,
                Scope::Command { area, verb } => {
                    write!(f, "{gap}{area}:{}", verb.as_deref().unwrap_or("*"))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::COMMANDS;

    fn asked(text: &str) -> Result<Scopes, BadScope> {
        let words: Vec<&str> = text.split(',').filter(|word| !word.is_empty()).collect();
        Scopes::asked(&words, &Commands::and([]))
    }

    fn allowed(text: &str) -> Vec<&'static str> {
        let scopes = asked(text).unwrap();
        let allowed = COMMANDS.iter().filter(|command| scopes.allow(command));
        allowed.map(|command| command.name).collect()
    }

    #[test]
    fn each_scope_allows_what_it_says_and_no_more() {
        assert_eq!(allowed("*").len(), COMMANDS.len());
        let operate = allowed("operate");
        let tokens = COMMANDS.iter().filter(|it| it.name.starts_with("token "));
        assert_eq!(operate.len() + tokens.count(), COMMANDS.len());
        let read = allowed("read");
        for (name, expected) in [
            ("who", true),
            ("slave list", true),
            ("slave add", false),
            ("shutdown", false),
            ("token list", false),
            // It has the hashes of all passwords.
            ("dump", false),
            ("backup", false),
        ] {
            assert_eq!(read.contains(&name), expected, "{name}");
        }
        assert_eq!(allowed("slave:add,kick:*"), ["kick", "slave add"]);
        let slaves = allowed("slave:*");
        assert!(slaves.len() > 3 && slaves.iter().all(|name| name.starts_with("slave ")));
    }

    #[test]
    fn what_names_nothing_is_refused_by_its_word() {
        for (text, why) in [
            ("", BadScope::None),
            ("reed", BadScope::Unknown("reed".to_owned())),
            ("slave", BadScope::Unknown("slave".to_owned())),
            ("read,slav:*", BadScope::NoCommand("slav:*".to_owned())),
            ("slave:ad", BadScope::NoCommand("slave:ad".to_owned())),
            (":*", BadScope::NoCommand(":*".to_owned())),
        ] {
            assert_eq!(asked(text), Err(why), "{text}");
        }
        // What another version has stored allows nothing here.
        let later = Scopes::stored(&["cosmos:*", "whatever"]);
        assert!(!COMMANDS.iter().any(|command| later.allow(command)));
    }

    #[test]
    fn a_token_covers_only_what_it_has_itself() {
        for (mine, other, expected) in [
            ("*", "*", true),
            ("operate", "read,slave:*", true),
            ("operate", "token:*", false),
            ("operate", "*", false),
            ("token:*,read", "read", true),
            ("token:*", "operate", false),
            ("slave:*", "slave:add", true),
            ("slave:add", "slave:*", false),
            ("read", "operate", false),
        ] {
            let covers = asked(mine).unwrap().cover(&asked(other).unwrap());
            assert_eq!(covers, expected, "{mine} over {other}");
        }
        assert!(asked("read").unwrap().may_watch() && !asked("who:*").unwrap().may_watch());
    }

    #[test]
    fn scopes_are_written_as_they_are_read() {
        let text = "read,slave:*,kick:*,slave:add";
        assert_eq!(asked(text).unwrap().to_string(), text);
    }
}
