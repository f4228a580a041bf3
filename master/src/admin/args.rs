//! Arguments of commands: their types, and how words, SITE lines and JSON objects become values.

use std::collections::BTreeMap;
use std::fmt;

use drftpd_protocol::{SessionId, SlaveId, VfsPath};
use serde_json::{Map, Value as Json};

use super::answer::AdminError;
use crate::audit::cut;

/// The longest text of an argument in the audit log, in bytes.
const LONGEST_SHOWN: usize = 300;
/// What stands for a secret.
const HIDDEN: &str = "<hidden>";

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

    fn read(&self, bytes: &[u8], cwd: &VfsPath) -> Result<Value, AdminError> {
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
enum Value {
    Text(String),
    Secret(String),
    Slave(SlaveId),
    Session(SessionId),
    Path(VfsPath),
    Number(u64),
    Words(Vec<String>),
    Said,
}

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
