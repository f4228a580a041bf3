//! Our form: for each kind a list of lines `{ path = "/incoming/*", who = "=uploaders !*" }`, with `regex` in place of
//! `path` for an expression, and `[commands]`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Commands, Directive, HIDE_IN_STATS, Reading, Rest};

/// Tells in which line something stands.
struct Text<'t>(&'t str);

impl Text<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self.0.as_bytes().iter().take(at);
        before.filter(|byte| **byte == b'\n').count() + 1
    }
}

pub(super) fn read<'c>(text: &str, commands: &'c Commands) -> Reading<'c> {
    let mut reading = Reading::new(commands);
    let (table, errors) = DeTable::parse_recoverable(text);
    let text = Text(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        reading.wrong(text.line(at), error.message());
    }
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in entries {
        let line = text.line(name.span().start);
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("commands", DeValue::Table(commands)) => read_commands(&mut reading, &text, commands),
            (HIDE_IN_STATS, _) => match words(value) {
                Some(people) => reading.hide_in_stats(line, people),
                None => reading.wrong(
                    line,
                    format!("{HIDE_IN_STATS}: must be a text, or a list of texts"),
                ),
            },
            ("commands", _) => reading.wrong(line, "commands: must be a table"),
            (name, DeValue::Array(lines)) => {
                let Some((directive, false)) = reading.named(line, name) else {
                    continue;
                };
                for entry in lines.iter() {
                    let line = text.line(entry.span().start);
                    read_line(&mut reading, line, directive, entry);
                }
            }
            (name, _) => {
                if reading.named(line, name).is_some() {
                    reading.wrong(line, format!("{name}: must be a list of lines"));
                }
            }
        }
    }
    reading
}

fn read_commands(reading: &mut Reading<'_>, text: &Text<'_>, commands: &DeTable<'_>) {
    let mut commands: Vec<_> = commands.iter().collect();
    commands.sort_by_key(|(name, _)| name.span().start);
    for (name, who) in commands {
        let line = text.line(name.span().start);
        let name = name.get_ref();
        match words(who) {
            Some(people) => reading.command(line, name, people.into_iter()),
            None => reading.wrong(line, format!("{name}: must be a text, or a list of texts")),
        }
    }
}

/// The words of one line.
#[derive(Default)]
struct Said<'t> {
    path: Option<(&'t str, bool)>,
    people: Option<Vec<&'t str>>,
    arguments: Vec<(&'t str, &'t str)>,
}

fn read_line(
    reading: &mut Reading<'_>,
    number: usize,
    directive: Directive,
    entry: &Spanned<DeValue<'_>>,
) {
    let form = directive.form();
    let said = match said(directive, entry) {
        Ok(said) => said,
        Err(why) => return reading.wrong(number, format!("{}: {why}", form.name)),
    };
    let (Some((path, expression)), Some(people)) = (said.path, said.people) else {
        let why = format!("{}: needs path (or regex) and who", form.name);
        return reading.wrong(number, why);
    };
    let argument = |(name, _): &(&str, _)| {
        let found = said.arguments.iter().find(|(said, _)| said == name);
        found.map(|(_, text)| *text)
    };
    let arguments = form.arguments.iter().map_while(argument).collect();
    let rest = Rest { arguments, people };
    reading.line(number, (directive, expression), path, rest);
}

fn said<'t>(directive: Directive, entry: &'t Spanned<DeValue<'_>>) -> Result<Said<'t>, String> {
    let DeValue::Table(entry) = entry.get_ref() else {
        return Err("a line is { path = …, who = … }".to_owned());
    };
    let mut said = Said::default();
    for (key, value) in entry {
        let key = key.get_ref().as_ref();
        let text = || {
            value
                .get_ref()
                .as_str()
                .ok_or(format!("{key} must be a text"))
        };
        let is_argument = directive
            .form()
            .arguments
            .iter()
            .any(|(name, _)| *name == key);
        match key {
            "path" | "regex" if said.path.is_some() => {
                return Err("path and regex exclude each other".to_owned());
            }
            "path" => said.path = Some((text()?, false)),
            "regex" => said.path = Some((text()?, true)),
            "who" => {
                let words = words(value).ok_or("who must be a text, or a list of texts")?;
                said.people = Some(words);
            }
            key if is_argument => {
                let number = match value.get_ref() {
                    DeValue::Integer(number) => number.as_str(),
                    DeValue::Float(number) => number.as_str(),
                    _ => text()?,
                };
                said.arguments.push((key, number));
            }
            _ => return Err(format!("{key} is no key of this line")),
        }
    }
    Ok(said)
}

/// Words of a text, or of a list of texts.
fn words<'t>(value: &'t Spanned<DeValue<'_>>) -> Option<Vec<&'t str>> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.split_whitespace().collect()),
        DeValue::Array(list) => {
            let texts = list.iter().map(|text| text.get_ref().as_str());
            let texts = texts.collect::<Option<Vec<_>>>()?;
            Some(texts.into_iter().flat_map(str::split_whitespace).collect())
        }
        _ => None,
    }
}
