//! The commands that a master has: its own, those of plugins, and those of a program that extends it.

use std::sync::Arc;

use super::{COMMANDS, Command};

/// Commands, by name. Cheap to clone.
#[derive(Clone)]
pub struct Commands(Arc<[&'static Command]>);

impl Commands {
    /// The master's own, and these.
    pub fn and(more: impl IntoIterator<Item = &'static Command>) -> Self {
        let mut all: Vec<_> = COMMANDS.iter().copied().chain(more).collect();
        all.sort_by_key(|command| command.name);
        Self(all.into())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &'static Command> + '_ {
        self.0.iter().copied()
    }

    /// The command that words begin with, and the words behind its name. Case does not count.
    pub fn find<'w, W: AsRef<[u8]>>(&self, words: &'w [W]) -> Option<(&'static Command, &'w [W])> {
        let is = |word: &W, name: &str| word.as_ref().eq_ignore_ascii_case(name.as_bytes());
        let begins = |command: &&Command| {
            let names: Vec<&str> = command.name.split(' ').collect();
            words.len() >= names.len() && names.iter().zip(words).all(|(name, word)| is(word, name))
        };
        let command = self.iter().find(begins)?;
        Some((command, &words[command.name.split(' ').count()..]))
    }

    /// The command that is called so, in the table or by SITE.
    pub fn called(&self, name: &str) -> Option<&'static Command> {
        let is = |command: &&Command| {
            let mut site = command.site.iter();
            command.name.eq_ignore_ascii_case(name)
                || site.any(|other| other.eq_ignore_ascii_case(name))
        };
        self.iter().find(is)
    }

    /// Names that more than one command has, for people.
    pub(crate) fn twice(&self) -> Vec<String> {
        let site = |command: &Command| command.site.iter().map(|name| format!("SITE {name}"));
        let names = self.iter().map(|command| command.name.to_owned());
        let mut all: Vec<String> = names.chain(self.iter().flat_map(site)).collect();
        all.sort_unstable();
        let twice = all.windows(2).filter(|pair| pair[0] == pair[1]);
        twice.map(|pair| pair[0].clone()).collect()
    }
}
