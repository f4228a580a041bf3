//! Of whom a rule speaks: words in order, of which the first that fits decides. Pure.
//!
//! `*` is whoever is logged in, `%` whoever is not, `=group` a group's members, `-user` one user; with `!` in front a word
//! says no. Of whom no word speaks is not meant. Administrators are members of [`OPERATORS`], anonymous accounts of
//! [`ANONYMOUS`], whatever groups they have.

use std::fmt;

use super::types::Account;

/// The group of the operators of the site, which administrators are always in.
pub const OPERATORS: &str = "siteop";

/// The group of anonymous accounts, which they are always in.
pub const ANONYMOUS: &str = "anonymous";

/// Words of the language, read and kept for many questions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct People(Vec<Word>);

/// One word: whether it says yes, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    yes: bool,
    whom: Whom,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    LoggedIn,
    NotLoggedIn,
    Group(String),
    User(String),
}

/// A text that is no word of the language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not *, %, =group or -user, with or without ! in front")]
pub struct NoWord(pub String);

impl People {
    /// Reads words.
    ///
    /// # Errors
    /// The first that is none.
    pub fn read<'t>(words: impl IntoIterator<Item = &'t str>) -> Result<Self, NoWord> {
        let words = words.into_iter();
        let read = words.map(|text| Word::read(text).ok_or_else(|| NoWord(text.to_owned())));
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    /// Whether somebody who is logged in is meant.
    pub fn has(&self, who: &Account) -> bool {
        let fits = |word: &Word| word.whom.is(who).then_some(word.yes);
        self.0.iter().find_map(fits) == Some(true)
    }

    /// Whether there is no word, so that nobody is ever meant.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Word {
    fn read(text: &str) -> Option<Self> {
        let (yes, text) = match text.strip_prefix('!') {
            Some(text) => (false, text),
            None => (true, text),
        };
        let whom = match text.split_at_checked(1)? {
            ("*", "") => Whom::LoggedIn,
            ("%", "") => Whom::NotLoggedIn,
            ("=", group) if !group.is_empty() => Whom::Group(group.to_owned()),
            ("-", user) if !user.is_empty() => Whom::User(user.to_owned()),
            _ => return None,
        };
        Some(Self { yes, whom })
    }
}

impl Whom {
    fn is(&self, who: &Account) -> bool {
        match self {
            Self::LoggedIn => true,
            Self::NotLoggedIn => false,
            Self::User(user) => *user == who.name,
            Self::Group(group) => {
                who.is_in(group)
                    || (who.admin && group.as_str() == OPERATORS)
                    || (who.anonymous && group.as_str() == ANONYMOUS)
            }
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.yes { "" } else { "!" })?;
        match &self.whom {
            Whom::LoggedIn => f.write_str("*"),
            Whom::NotLoggedIn => f.write_str("%"),
            Whom::Group(group) => write!(f, "={group}"),
            Whom::User(user) => write!(f, "-{user}"),
        }
    }
}

impl fmt::Display for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}{word}")?;
        }
        Ok(())
    }
}

/// Whether words of a configuration are about somebody; what is no word is about nobody.
pub fn speaks_of(words: &[String], who: &Account) -> bool {
    let read = words.iter().filter_map(|text| Word::read(text));
    let mut fits = read.filter_map(|word| word.whom.is(who).then_some(word.yes));
    fits.next() == Some(true)
}

/// Whether it is written like a word.
pub fn is_token(text: &str) -> bool {
    Word::read(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_that_fits_decides_and_nobody_else_is_meant() {
        let bob = Account::of_test("bob", "users");
        let admin = Account {
            admin: true,
            ..Account::of_test("root", "drftpd")
        };
        for (words, of_bob, of_admin) in [
            ("*", true, true),
            ("", false, false),
            ("%", false, false),
            ("!% *", true, true),
            ("!*", false, false),
            ("* !*", true, true),
            ("!-bob *", false, true),
            ("-bob !*", true, false),
            ("!=users -bob", false, false),
            ("-bob !=users", true, false),
            ("=siteop", false, true),
            ("!=siteop *", true, false),
            ("=drftpd =users", true, true),
            ("-Bob =Users", false, false),
        ] {
            let people = People::read(words.split_whitespace()).unwrap();
            assert_eq!(people.to_string(), words);
            let found = (people.has(&bob), people.has(&admin));
            assert_eq!(found, (of_bob, of_admin), "{words}");
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            assert_eq!(speaks_of(&words, &bob), of_bob, "{words:?}");
        }
    }

    #[test]
    fn what_is_no_word_is_refused() {
        for text in ["", "bob", "=", "-", "!", "!!*", "**", "%x", "@all"] {
            assert_eq!(People::read(["*", text]), Err(NoWord(text.to_owned())));
            assert!(!is_token(text), "{text}");
        }
    }
}
