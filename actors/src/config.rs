//! Reading configuration: every error at once, each with file, key and reason.
//!
//! serde stops at its first error. So an error is noted, the offending key is taken out (or a missing one filled
//! in) and the rest is read again, until nothing more is found; then the values are checked.

mod mend;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// What is wrong with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file it stands in; nothing for `--set` and for built-in text.
    pub file: Option<PathBuf>,
    /// The whole key (`section.key`), or the line where the file is not TOML at all.
    pub key: String,
    /// The reason.
    pub why: String,
}

impl ConfigError {
    /// An error of a key; the file is filled in by whoever read it.
    pub fn new(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            file: None,
            key: key.into(),
            why: why.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for ConfigError {}

/// What serde cannot know: limits, and keys that must fit each other.
pub trait Check {
    /// Adds one error for each thing that is wrong, with the whole key.
    fn check(&self, errors: &mut Vec<ConfigError>);
}

/// Reads and checks a file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read<T: DeserializeOwned + Check>(path: &Path) -> Result<T, Vec<ConfigError>> {
    read_with_overrides::<T, &str>(path, &[])
}

/// Reads and checks a file after some keys were given other values (`section.key=value`).
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_with_overrides<T, S>(path: &Path, overrides: &[S]) -> Result<T, Vec<ConfigError>>
where
    T: DeserializeOwned + Check,
    S: AsRef<str>,
{
    read_prepared(path, overrides, |_, _| {})
}

/// The same; before its values are checked `prepare` fills in what no file says and the check needs. It is also given what
/// was read, with those other values.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_prepared<T, S>(
    path: &Path,
    overrides: &[S],
    prepare: impl FnOnce(&mut T, Table),
) -> Result<T, Vec<ConfigError>>
where
    T: DeserializeOwned + Check,
    S: AsRef<str>,
{
    let (table, mut errors) = read_table(path, overrides)?;
    let read = table.clone();
    match parse_prepared(table, Some(path), |value| prepare(value, read)) {
        Ok(value) if errors.is_empty() => return Ok(value),
        Ok(_) => {}
        Err(more) => errors.extend(more),
    }
    Err(errors)
}

/// Reads a file as it is, with other values for some keys, and what is wrong with those.
fn read_table<S: AsRef<str>>(
    path: &Path,
    overrides: &[S],
) -> Result<(Table, Vec<ConfigError>), Vec<ConfigError>> {
    let in_file = |errors| in_file(errors, Some(path));
    let text = std::fs::read_to_string(path)
        .map_err(|why| in_file(vec![ConfigError::new("", why.to_string())]))?;
    let mut table = table(&text).map_err(|error| in_file(vec![error]))?;
    let wrong = apply_overrides(&mut table, overrides).err();
    Ok((table, wrong.unwrap_or_default()))
}

/// Reads and checks text; `file` is only named in errors.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse<T: DeserializeOwned + Check>(
    text: &str,
    file: Option<&Path>,
) -> Result<T, Vec<ConfigError>> {
    let table = table(text).map_err(|error| in_file(vec![error], file))?;
    parse_table(table, file)
}

/// Reads and checks what is TOML already.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_table<T: DeserializeOwned + Check>(
    table: Table,
    file: Option<&Path>,
) -> Result<T, Vec<ConfigError>> {
    parse_prepared(table, file, |_| {})
}

fn parse_prepared<T: DeserializeOwned + Check>(
    table: Table,
    file: Option<&Path>,
    prepare: impl FnOnce(&mut T),
) -> Result<T, Vec<ConfigError>> {
    let (value, mut errors) = mend::read::<T>(table);
    if let Some(mut value) = value {
        prepare(&mut value);
        let mut wrong = Vec::new();
        value.check(&mut wrong);
        // A key that could not be read has a stand-in now, of which nothing need be said.
        wrong.retain(|error| !errors.iter().any(|known| concerns(&error.key, &known.key)));
        errors.extend(wrong);
        if errors.is_empty() {
            return Ok(value);
        }
    }
    Err(in_file(errors, file))
}

/// Gives keys other values, each from `section.key=value`. The value is read as TOML where it is TOML, else taken as
/// a string. Numbers in a key count the elements of a list that is there: `root.0.path=/srv`.
///
/// # Errors
/// One for each that could not be applied; the others are.
pub fn apply_overrides<S: AsRef<str>>(
    table: &mut Table,
    overrides: &[S],
) -> Result<(), Vec<ConfigError>> {
    let wrong = |text: &S| set(table, text.as_ref()).err();
    let errors: Vec<_> = overrides.iter().filter_map(wrong).collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

fn set(table: &mut Table, text: &str) -> Result<(), ConfigError> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| ConfigError::new(text, "should read section.key=value"))?;
    let key = key.trim();
    let wrong = |why: &str| ConfigError::new(key, why);
    let (path, last) = key
        .rsplit_once('.')
        .map_or((None, key), |(path, last)| (Some(path), last));
    if last.is_empty() || path.is_some_and(|path| path.split('.').any(str::is_empty)) {
        return Err(wrong("has an empty name in it"));
    }
    let mut names = path.into_iter().flat_map(|path| path.split('.'));
    let Some(first) = names.next() else {
        table.insert(last.to_owned(), value_of(value));
        return Ok(());
    };
    let mut at = table
        .entry(first)
        .or_insert_with(|| Value::Table(Table::new()));
    for name in names {
        at = step(at, name).ok_or_else(|| wrong("goes through something that is no section"))?;
    }
    *step(at, last).ok_or_else(|| wrong("goes through something that is no section"))? =
        value_of(value);
    Ok(())
}

/// One name further down; a section that is missing is made.
fn step<'a>(at: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    match at {
        Value::Table(table) => Some(
            table
                .entry(name)
                .or_insert_with(|| Value::Table(Table::new())),
        ),
        Value::Array(list) => list.get_mut(name.parse::<usize>().ok()?),
        _ => None,
    }
}

fn value_of(text: &str) -> Value {
    let text = text.trim();
    let read = format!("v = {text}").parse::<Table>().ok();
    let only = read
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("v"));
    only.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn table(text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!("line {}", before.matches('\n').count() + 1));
        ConfigError::new(line.unwrap_or_default(), error.message())
    })
}

fn in_file(mut errors: Vec<ConfigError>, file: Option<&Path>) -> Vec<ConfigError> {
    for error in &mut errors {
        if error.file.is_none() {
            error.file = file.map(Path::to_path_buf);
        }
    }
    errors
}

/// Whether `key` is `of` or lies below it.
fn concerns(key: &str, of: &str) -> bool {
    key.strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests;
