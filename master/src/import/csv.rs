//! Lines with commas between (RFC 4180); the first one names the columns: `user`, `password` (in clear) or `hash`, `group`,
//! `groups`, `administers` and `masks` (blanks between), `deleted`, and every field that `user change` has. Pure.

use std::path::Path;

use super::{Found, User, hash, mask};
use crate::accounts::edit::Change;
use crate::accounts::names::check;
use crate::accounts::table::Stored;

/// Columns beside the fields of `user change`.
const OWN: [&str; 8] = [
    "user",
    "password",
    "hash",
    "group",
    "groups",
    "administers",
    "masks",
    "deleted",
];

/// Reads users.
pub(super) fn read(
    text: &str,
    file: &Path,
    group: &str,
    now: i64,
    found: &mut Found,
) -> Result<(), String> {
    let mut records = Records::of(text);
    let wrong = |why: &dyn std::fmt::Display| format!("{}:1: {why}", file.display());
    let (_, columns) = records.next().ok_or_else(|| wrong(&"there is nothing"))?;
    let columns = columns.map_err(|why| wrong(&why))?;
    let columns: Vec<String> = columns
        .iter()
        .map(|it| it.trim().to_ascii_lowercase())
        .collect();
    if !columns.iter().any(|column| column == "user") {
        return Err(wrong(
            &"the first line must name the columns, user among them",
        ));
    }
    for (line, fields) in records {
        let fields = match fields {
            Ok(fields) if fields.iter().all(|field| field.trim().is_empty()) => continue,
            Ok(fields) if fields.len() == columns.len() => fields,
            Ok(fields) => {
                let why = format!(
                    "is not taken: {} fields, not {}",
                    fields.len(),
                    columns.len()
                );
                found.finding(file, Some(line), why);
                continue;
            }
            Err(why) => {
                found.finding(file, Some(line), format!("is not taken: {why}"));
                continue;
            }
        };
        let named = columns
            .iter()
            .map(String::as_str)
            .zip(fields.iter().map(|it| it.trim()));
        let named: Vec<(&str, &str)> = named.filter(|(_, value)| !value.is_empty()).collect();
        user(&named, (file, line), group, now, found);
    }
    Ok(())
}

fn user(
    named: &[(&str, &str)],
    (file, line): (&Path, usize),
    group: &str,
    now: i64,
    found: &mut Found,
) {
    let of = |column: &str| {
        named
            .iter()
            .find(|(name, _)| *name == column)
            .map(|(_, value)| *value)
    };
    let name = of("user").unwrap_or_default();
    if let Err(why) = check(name) {
        return found.finding(
            file,
            Some(line),
            format!("user {name:?} is not taken: {why}"),
        );
    }
    if found
        .users
        .iter()
        .any(|user| user.stored.account.name == name)
    {
        return found.finding(file, Some(line), format!("user {name} is there twice"));
    }
    let mut wrong = Vec::new();
    let mut groups = |column: &str| {
        let words = of(column).unwrap_or_default().split_ascii_whitespace();
        let (good, bad): (Vec<&str>, Vec<&str>) =
            words.partition(|name| found.group(name, now).is_some());
        wrong.extend(
            bad.iter()
                .map(|name| format!("group {name:?} is not taken: it is no name")),
        );
        good.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let primary = groups("group").into_iter().next();
    let (mut others, administers) = (groups("groups"), groups("administers"));
    let primary = primary.unwrap_or_else(|| group.to_owned());
    found.group(&primary, now);
    others.retain(|other| *other != primary);
    others.sort();
    others.dedup();
    let mut user = User::new(name, &primary, now);
    let stored = &mut user.stored;
    (stored.account.groups, stored.account.administers) = (others, administers);
    for word in of("masks").unwrap_or_default().split_ascii_whitespace() {
        match mask(word) {
            Ok(mask) => stored.masks.push(mask),
            Err(why) => wrong.push(why),
        }
    }
    if let Some(said) = of("hash") {
        match hash(said) {
            Ok(hash) => stored.password = Some(hash),
            Err(why) => wrong.push(why),
        }
    }
    stored.account.deleted = of("deleted").is_some_and(|it| ["yes", "true", "1"].contains(&it));
    for (column, value) in named.iter().filter(|(column, _)| !OWN.contains(column)) {
        match Change::read(column, &[value]) {
            Ok(change) => put(stored, change),
            Err(why) => wrong.push(format!("{column} is not taken: {why}")),
        }
    }
    user.clear = of("password").map(str::to_owned);
    for why in wrong {
        found.finding(file, Some(line), format!("user {name}: {why}"));
    }
    found.users.push(user);
}

/// Puts a field into an account that is not stored yet.
fn put(stored: &mut Stored, change: Change) {
    let account = &mut stored.account;
    match change {
        Change::Group(group) => account.group = group,
        Change::Ratio(ratio) => account.ratio = ratio,
        Change::Credits(bytes) => stored.credits = bytes,
        Change::Allotment(bytes) => stored.allotment = bytes,
        Change::Tagline(text) => stored.tagline = text,
        Change::Comment(text) => stored.comment = text,
        Change::Home(path) => account.home = path,
        Change::Expires(until) => stored.expires = until,
        Change::Certificate(hash) => stored.certificate = hash,
        Change::Created(at) => stored.created = at,
        Change::Limits(limits) => {
            for (limit, value) in limits {
                if let Some(value) = value {
                    account.limits.set(limit, value);
                }
            }
        }
        Change::Switch(switch, on) => match switch {
            "admin" => account.admin = on,
            "anonymous" => account.anonymous = on,
            "jail" => account.jail = on,
            "must_change" => account.must_change = on,
            _ => stored.disabled = on,
        },
    }
}

/// The records of a text, with the lines in which they begin.
struct Records<'t> {
    chars: std::iter::Peekable<std::str::Chars<'t>>,
    line: usize,
}

impl<'t> Records<'t> {
    fn of(text: &'t str) -> Self {
        let chars = text.trim_start_matches('\u{feff}').chars().peekable();
        Self { chars, line: 1 }
    }

    /// One field, and whether it is the last one of its record.
    fn field(&mut self) -> Result<(String, bool), &'static str> {
        let mut field = String::new();
        let quoted = self.chars.next_if_eq(&'"').is_some();
        let mut open = quoted;
        loop {
            match self.chars.next() {
                None if open => return Err("a quote is not closed"),
                None => return Ok((field, true)),
                Some('"') if open && self.chars.next_if_eq(&'"').is_some() => field.push('"'),
                Some('"') if open => open = false,
                Some(',') if !open => return Ok((field, false)),
                Some('\r') if !open && self.chars.peek() == Some(&'\n') => {}
                Some('\n') => {
                    self.line += 1;
                    if !open {
                        return Ok((field, true));
                    }
                    field.push('\n');
                }
                Some(_) if quoted && !open => return Err("something stands behind a quote"),
                Some(c) => field.push(c),
            }
        }
    }
}

impl Iterator for Records<'_> {
    type Item = (usize, Result<Vec<String>, &'static str>);

    fn next(&mut self) -> Option<Self::Item> {
        self.chars.peek()?;
        let line = self.line;
        let mut fields = Vec::new();
        loop {
            match self.field() {
                Ok((field, last)) => {
                    fields.push(field);
                    if last {
                        return Some((line, Ok(fields)));
                    }
                }
                Err(why) => {
                    // The rest of the line says nothing any more.
                    while self.chars.next_if(|c| *c != '\n').is_some() {}
                    if self.chars.next().is_some() {
                        self.line += 1;
                    }
                    return Some((line, Err(why)));
                }
            }
        }
    }
}
