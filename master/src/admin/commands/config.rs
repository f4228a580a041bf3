//! The configuration that counts: `config show`.

use std::fmt;

use serde::Serialize;
use toml::{Table, Value};

use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use crate::config::document::DOCUMENT;

/// What stands for what nobody should see.
const HIDDEN: &str = "<hidden>";

/// `config show [SECTION]`.
pub(in crate::admin) const SHOW: Command = Command {
    name: "config show",
    site: &["CONFIG"],
    params: &[Param::optional("section", Kind::Text, "that section alone")],
    about: "shows the configuration, defaults where the file says nothing; what might be secret is hidden",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(show(&cx, &args))),
};

#[derive(Serialize)]
struct Shown {
    config: Table,
}

fn show(cx: &Cx, args: &Args) -> Outcome {
    let mut config = defaults()?;
    overlay(&mut config, &cx.config().given.0);
    if let Some(section) = args.text("section") {
        let only = config.remove(section);
        let only = only.ok_or_else(|| {
            let why = AdminError::argument("section", "there is no such section");
            AdminError {
                code: Code::NotFound,
                ..why
            }
        })?;
        config = Table::from_iter([(section.to_owned(), only)]);
    }
    for (key, value) in &mut config {
        match key.as_str() {
            // Nobody here knows what they hold.
            "plugins" => hide(value),
            key => mask(key, value),
        }
    }
    Answer::of(&Shown { config })
}

fn defaults() -> Result<Table, AdminError> {
    let read = DOCUMENT.parse::<Table>();
    read.map_err(|why| AdminError::failed(&why))
}

/// Puts what is said in the place of what is not.
fn overlay(under: &mut Table, over: &Table) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => overlay(under, over),
            _ => {
                under.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Hides what a key or an address may tell: passwords in addresses, and all that stands behind their `?`. Keys of secrets
/// name files, which are shown.
fn mask(key: &str, value: &mut Value) {
    match value {
        Value::Table(table) => table.iter_mut().for_each(|(key, value)| mask(key, value)),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(key, item)),
        Value::String(text) => {
            let secret = ["password", "token", "hmac"]
                .iter()
                .any(|word| key.contains(word));
            if secret && !key.ends_with("lifetime") {
                HIDDEN.clone_into(text);
            } else {
                mask_address(text);
            }
        }
        _ => {}
    }
}

/// Hides all texts.
fn hide(value: &mut Value) {
    match value {
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| hide(value)),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::String(text) => HIDDEN.clone_into(text),
        _ => {}
    }
}

fn mask_address(text: &mut String) {
    let Some((scheme, rest)) = text.split_once("://") else {
        return;
    };
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let place = match place.rsplit_once('@') {
        Some((_, host)) => format!("{HIDDEN}@{host}"),
        None => place.to_owned(),
    };
    let path = match path.split_once('?') {
        Some((path, _)) => format!("{path}?{HIDDEN}"),
        None => path.to_owned(),
    };
    *text = format!("{scheme}://{place}{path}");
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = toml::to_string(&self.config).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_stands_in_the_place_of_defaults_and_secrets_do_not() {
        let mut config = defaults().unwrap();
        let given = "[ftp]\ngreeting = 'hi'\n[[events.webhooks]]\nname = 'a'\nsecret = '/etc/key'\n\
            url = 'https://me:word@example.net/hook?key=word'\n[x]\npassword = 'word'\n";
        overlay(&mut config, &given.parse().unwrap());
        config.iter_mut().for_each(|(key, value)| mask(key, value));
        let text = Shown { config }.to_string();
        assert!(text.contains("greeting = \"hi\"") && text.contains("secret = \"/etc/key\""));
        assert!(
            text.contains("https://<hidden>@example.net/hook?<hidden>"),
            "{text}"
        );
        assert!(
            !text.contains("word@") && !text.contains("key=word") && !text.contains("\"word\""),
            "{text}"
        );
        assert!(
            text.contains("[shutdown]") && text.contains("token_lifetime = \"1h\""),
            "{text}"
        );
    }
}
