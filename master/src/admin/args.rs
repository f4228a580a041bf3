//! The arguments of a call: how words, SITE lines and JSON objects become values.

use std::collections::BTreeMap;
use std::fmt;

use drftpd_protocol::{SessionId, SlaveId, VfsPath};
use serde_json::{Map, Value as Json};

use super::answer::AdminError;
use super::param::{Kind, Param, Value};
use crate::audit::cut;

/// The longest text of an argument in the audit log, in bytes.
const LONGEST_SHOWN: usize = 300;
/// What stands for a secret.
const HIDDEN: &str = "<hidden>";

/// The arguments of one call, each of the kind that its parameter says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Args(BTreeMap<&'static str, Value>);

impl Args {
    /// Reads words in the order of the parameters; `name=value`, and what must be named, may stand anywhere.
    ///
    /// # Errors
    /// The argument that is missing, superfluous or wrong.
    pub fn from_words<W: AsRef<[u8]>>(
        params: &'static [Param],
        words: &[W],
        cwd: &VfsPath,
    ) -> Result<Self, AdminError> {
        let mut args = Self::default();
        let mut plain = Vec::new();
        let mut words = words.iter().map(AsRef::as_ref);
        while let Some(word) = words.next() {
            if let Some((param, value)) = named(params, word) {
                args.put(param, value, cwd)?;
            } else if let Some(param) = dashed(params, word) {
                let value = match param.kind {
                    Kind::Switch => Some(param.name.as_bytes()),
                    _ => words.next(),
                };
                let missing = || AdminError::argument(param.name, "is missing");
                args.put(param, value.ok_or_else(missing)?, cwd)?;
            } else {
                plain.push(word);
            }
        }
        let mut plain = plain.into_iter().peekable();
        for param in params.iter().filter(|param| !param.named) {
            if args.0.contains_key(param.name) || plain.peek().is_none() {
                continue;
            }
            if param.kind == Kind::Rest {
                let rest: Vec<&[u8]> = plain.by_ref().collect();
                args.put(param, &rest.join(&b' '), cwd)?;
            } else if let Some(word) = plain.next() {
                args.put(param, word, cwd)?;
            }
        }
        match plain.next() {
            Some(word) => {
                let word = String::from_utf8_lossy(word).into_owned();
                Err(AdminError::argument(&word, "is one argument too many"))
            }
            None => args.whole(params),
        }
    }

    /// Reads a JSON object; paths may be `{"b64": …}` where they are not UTF-8.
    ///
    /// # Errors
    /// The argument that is missing, superfluous or wrong.
    pub fn from_json(
        params: &'static [Param],
        object: &Map<String, Json>,
        cwd: &VfsPath,
    ) -> Result<Self, AdminError> {
        let mut args = Self::default();
        for (name, value) in object {
            let param = params.iter().find(|param| param.name == name);
            let param = param.ok_or_else(|| AdminError::argument(name, "is no argument here"))?;
            match (param.kind, value) {
                (_, Json::Null) | (Kind::Switch, Json::Bool(false)) => {}
                (Kind::Switch, Json::Bool(true)) => args.put(param, name.as_bytes(), cwd)?,
                (Kind::Session | Kind::Number, Json::Number(number)) => {
                    args.put(param, number.to_string().as_bytes(), cwd)?;
                }
                (Kind::Words, Json::Array(words)) => {
                    args.put(param, list(param, words)?.as_bytes(), cwd)?;
                }
                (_, Json::String(text)) => args.put(param, text.as_bytes(), cwd)?,
                (Kind::Path, Json::Object(_)) => args.put(param, &bytes(param, value)?, cwd)?,
                _ => return Err(AdminError::argument(name, "is of the wrong JSON type")),
            }
        }
        args.whole(params)
    }

    fn put(&mut self, param: &Param, word: &[u8], cwd: &VfsPath) -> Result<(), AdminError> {
        let value = param.read(word, cwd)?;
        if self.0.insert(param.name, value).is_some() {
            return Err(AdminError::argument(param.name, "is there twice"));
        }
        Ok(())
    }

    fn whole(self, params: &[Param]) -> Result<Self, AdminError> {
        let missing = |param: &&Param| !param.optional && !self.0.contains_key(param.name);
        match params.iter().find(missing) {
            Some(param) => Err(AdminError::argument(param.name, "is missing")),
            None => Ok(self),
        }
    }

    fn need(&self, name: &str) -> Result<&Value, AdminError> {
        let value = self.0.get(name);
        value.ok_or_else(|| AdminError::argument(name, "is missing"))
    }

    /// A text, a word or the rest.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Words; none where there are none.
    pub fn words(&self, name: &str) -> &[String] {
        match self.0.get(name) {
            Some(Value::Words(words)) => words,
            _ => &[],
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// When there is none.
    pub fn need_text(&self, name: &str) -> Result<&str, AdminError> {
        let text = self.text(name);
        text.ok_or_else(|| AdminError::argument(name, "is missing"))
    }

    /// A secret.
    ///
    /// # Errors
    /// When there is none.
    pub fn secret(&self, name: &str) -> Result<&str, AdminError> {
        match self.need(name)? {
            Value::Secret(secret) => Ok(secret),
            _ => Err(AdminError::argument(name, "is no secret")),
        }
    }

    /// Name of a slave.
    ///
    /// # Errors
    /// When there is none.
    pub fn slave(&self, name: &str) -> Result<&SlaveId, AdminError> {
        match self.need(name)? {
            Value::Slave(slave) => Ok(slave),
            _ => Err(AdminError::argument(name, "is no slave")),
        }
    }

    /// Number of a session.
    ///
    /// # Errors
    /// When there is none.
    pub fn session(&self, name: &str) -> Result<SessionId, AdminError> {
        match self.need(name)? {
            Value::Session(session) => Ok(*session),
            _ => Err(AdminError::argument(name, "is no session")),
        }
    }

    /// A path, if there is one.
    pub fn maybe_path(&self, name: &str) -> Option<&VfsPath> {
        match self.0.get(name)? {
            Value::Path(path) => Some(path),
            _ => None,
        }
    }

    /// A path.
    ///
    /// # Errors
    /// When there is none.
    pub fn path(&self, name: &str) -> Result<&VfsPath, AdminError> {
        match self.need(name)? {
            Value::Path(path) => Ok(path),
            _ => Err(AdminError::argument(name, "is no path")),
        }
    }

    /// Everything that was said, as one JSON object for the audit log: without secrets, and no longer than logs bear.
    pub fn shown(&self) -> Map<String, Json> {
        let text = |text: String| Json::String(cut(text, LONGEST_SHOWN));
        let shown = |value: &Value| match value {
            Value::Text(value) => text(value.clone()),
            Value::Secret(_) => text(HIDDEN.to_owned()),
            Value::Slave(slave) => text(slave.to_string()),
            Value::Session(session) => Json::from(session.0),
            Value::Path(path) => text(path.to_string()),
            Value::Number(number) => Json::from(*number),
            Value::Words(words) => text(words.join(",")),
            Value::Said => Json::Bool(true),
        };
        let all = self.0.iter();
        all.map(|(name, value)| ((*name).to_owned(), shown(value)))
            .collect()
    }

    /// Whether a switch was said.
    pub fn said(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Said)
    }
}

impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            match value {
                Value::Text(text) => write!(f, "{gap}{name}={text:?}")?,
                Value::Secret(_) => write!(f, "{gap}{name}={HIDDEN}")?,
                Value::Slave(slave) => write!(f, "{gap}{name}={slave}")?,
                Value::Session(session) => write!(f, "{gap}{name}={session}")?,
                Value::Path(path) => write!(f, "{gap}{name}={path}")?,
                Value::Number(number) => write!(f, "{gap}{name}={number}")?,
                Value::Words(words) => write!(f, "{gap}{name}={:?}", words.join(","))?,
                Value::Said => write!(f, "{gap}{name}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Args({self})")
    }
}

/// `name=value`, where a parameter has that name.
fn named<'w>(params: &'static [Param], word: &'w [u8]) -> Option<(&'static Param, &'w [u8])> {
    let is_switch =
        |param: &&Param| param.named && param.kind == Kind::Switch && word == param.name.as_bytes();
    if let Some(switch) = params.iter().find(is_switch) {
        return Some((switch, word));
    }
    let at = word.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&word[..at], &word[at + 1..]);
    let param = params.iter().find(|param| param.name.as_bytes() == name)?;
    Some((param, value))
}

/// `-name`, or `-n` of a switch, where a parameter of that name must be named.
fn dashed(params: &'static [Param], word: &[u8]) -> Option<&'static Param> {
    let said = word.strip_prefix(b"-")?;
    let is = |param: &&Param| {
        let name = param.name.as_bytes();
        let short = param.kind == Kind::Switch && said == &name[..1];
        param.named && (said.eq_ignore_ascii_case(name) || short)
    };
    params.iter().find(is)
}

/// Texts of a list, as one word.
fn list(param: &Param, words: &[Json]) -> Result<String, AdminError> {
    let texts: Option<Vec<&str>> = words.iter().map(Json::as_str).collect();
    let texts = texts.filter(|texts| !texts.iter().any(|text| text.contains(',')));
    let why = "must be a list of texts without commas";
    Ok(texts
        .ok_or_else(|| AdminError::argument(param.name, why))?
        .join(","))
}

/// The bytes of `{"b64": …}`.
fn bytes(param: &Param, value: &Json) -> Result<Vec<u8>, AdminError> {
    use base64::Engine;
    let text = value.get("b64").and_then(Json::as_str);
    let engine = base64::engine::general_purpose::STANDARD;
    let bytes = text.and_then(|text| engine.decode(text).ok());
    bytes.ok_or_else(|| AdminError::argument(param.name, "must be text or {\"b64\": …}"))
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
