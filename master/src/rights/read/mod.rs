//! Reads a file of permissions in either form: ours (TOML), and the lines of DrFTPD's `perms.conf`. Both say the same.

mod lines;
mod table;

use std::path::Path;

use drftpd_actors::ConfigError;

use super::directive::{Argument, Directive, ELSEWHERE, named};
use super::rules::{Line, Rules, Written};
use crate::accounts::ratio::Ratio;
use crate::accounts::who::People;
use crate::admin::Commands;
use crate::store::Case;

/// Bytes of a file at most.
const MOST: u64 = 4 * 1024 * 1024;

/// How the line is called that has no path: whom rankings do not show.
const HIDE_IN_STATS: &str = "hideinstats";

/// What is wrong, and in which line.
type Wrong = (usize, String);

/// What was read, with the number of each line about a path in its file.
struct Reading<'c> {
    commands: &'c Commands,
    written: Written,
    numbers: Vec<usize>,
    wrong: Vec<Wrong>,
}

/// Reads a file: TOML if it is called so, else lines.
///
/// # Errors
/// Everything that is wrong with it, each with file and line.
pub fn file(path: &Path, case: Case, commands: &Commands) -> Result<Rules, Vec<ConfigError>> {
    let failed = |why: String| {
        let mut error = ConfigError::new("", why);
        error.file = Some(path.to_owned());
        vec![error]
    };
    let size = std::fs::metadata(path).map_err(|why| failed(why.to_string()))?;
    if size.len() > MOST {
        return Err(failed(format!("must not have more than {MOST} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|why| failed(why.to_string()))?;
    let is_table = path.extension().is_some_and(|end| end == "toml");
    let mut rules = match is_table {
        true => table::read(&text, commands).rules(case),
        false => lines::read(&text, commands).rules(case),
    };
    if let Err(errors) = &mut rules {
        let named = |error: &mut ConfigError| error.file = Some(path.to_owned());
        errors.iter_mut().for_each(named);
    }
    rules
}

/// Reads our form.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub fn table(text: &str, case: Case) -> Result<Rules, Vec<ConfigError>> {
    table::read(text, &Commands::and([])).rules(case)
}

/// Reads DrFTPD's form.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub fn lines(text: &str, case: Case) -> Result<Rules, Vec<ConfigError>> {
    lines::read(text, &Commands::and([])).rules(case)
}

impl<'c> Reading<'c> {
    fn new(commands: &'c Commands) -> Self {
        Self {
            commands,
            written: Written::default(),
            numbers: Vec::new(),
            wrong: Vec::new(),
        }
    }

    fn rules(mut self, case: Case) -> Result<Rules, Vec<ConfigError>> {
        let rules = Rules::new(self.written, case);
        if let Err(errors) = &rules {
            let number = |at: &usize| self.numbers.get(*at).copied().unwrap_or_default();
            let named = errors.iter().map(|(at, why)| (number(at), why.clone()));
            self.wrong.extend(named);
        }
        self.wrong.sort();
        let error = |(line, why)| ConfigError::new(format!("line {line}"), why);
        let wrong: Vec<ConfigError> = self.wrong.into_iter().map(error).collect();
        match rules {
            Ok(rules) if wrong.is_empty() => Ok(rules),
            _ => Err(wrong),
        }
    }

    fn wrong(&mut self, line: usize, why: impl Into<String>) {
        self.wrong.push((line, why.into()));
    }

    /// The kind of that name.
    fn named(&mut self, line: usize, name: &str) -> Option<(Directive, bool)> {
        let known = named(name);
        if known.is_none() {
            let elsewhere = ELSEWHERE.iter().find(|(known, _)| *known == name);
            let why = match elsewhere {
                Some((_, place)) => format!("{name}: is not said here, it is {place}"),
                None => format!("{name}: is no kind of line"),
            };
            self.wrong(line, why);
        }
        known
    }

    /// Takes a line about a path.
    fn line(&mut self, number: usize, of: (Directive, bool), path: &str, rest: Rest<'_>) {
        let (directive, expression) = of;
        let name = directive.form().name;
        let arguments = match arguments(directive, &rest.arguments) {
            Ok(arguments) => arguments,
            Err(why) => return self.wrong(number, format!("{name}: {why}")),
        };
        if let Some(people) = self.people(number, name, rest.people) {
            self.numbers.push(number);
            self.written.lines.push(Line {
                directive,
                expression,
                path: path.to_owned(),
                arguments,
                people,
            });
        }
    }

    /// Takes whom rankings do not show.
    fn hide_in_stats<'t>(&mut self, line: usize, words: impl IntoIterator<Item = &'t str>) {
        if self.written.hidden_in_stats.is_some() {
            return self.wrong(line, format!("{HIDE_IN_STATS}: is there twice"));
        }
        self.written.hidden_in_stats = self.people(line, HIDE_IN_STATS, words);
    }

    /// Takes who may use a command.
    fn command<'t>(&mut self, number: usize, name: &str, people: impl Iterator<Item = &'t str>) {
        let known = self.commands.called(&name.replace('.', " "));
        let Some(known) = known.map(|command| command.name) else {
            return self.wrong(number, format!("{name}: is no command"));
        };
        if self.written.commands.contains_key(known) {
            return self.wrong(number, format!("{name}: is there twice"));
        }
        if let Some(people) = self.people(number, name, people) {
            self.written.commands.insert(known, people);
        }
    }

    fn people<'t>(
        &mut self,
        line: usize,
        name: &str,
        words: impl IntoIterator<Item = &'t str>,
    ) -> Option<People> {
        match People::read(words) {
            Ok(people) if people.is_empty() => {
                self.wrong(
                    line,
                    format!("{name}: names nobody; say !* if that is meant"),
                );
                None
            }
            Ok(people) => Some(people),
            Err(why) => {
                self.wrong(line, format!("{name}: {why}"));
                None
            }
        }
    }
}

/// What stands behind a line's path.
struct Rest<'t> {
    arguments: Vec<&'t str>,
    people: Vec<&'t str>,
}

fn arguments(directive: Directive, said: &[&str]) -> Result<Vec<String>, String> {
    let wanted = directive.form().arguments;
    let mut read = Vec::new();
    for (at, (name, argument)) in wanted.iter().enumerate() {
        let text = said.get(at).ok_or_else(|| format!("{name} is missing"))?;
        let good = match argument {
            Argument::Ratio => text.parse::<Ratio>().is_ok(),
            Argument::Amount => text.parse::<u64>().is_ok(),
            Argument::OneOf(words) => words.contains(text),
            Argument::Text => !text.is_empty(),
        };
        if !good {
            let want = match argument {
                Argument::Ratio => "a number like 3 or 0.5, with up to three places".to_owned(),
                Argument::Amount => "a number of bytes".to_owned(),
                Argument::OneOf(words) => words.join(", "),
                Argument::Text => "a name".to_owned(),
            };
            return Err(format!("{name} must be {want}, not {text:?}"));
        }
        read.push((*text).to_owned());
    }
    Ok(read)
}
