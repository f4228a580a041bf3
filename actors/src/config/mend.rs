//! Finds every error of a table by mending one after the other and reading again.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::ConfigError;

/// A file with more errors than this is not read to its end.
const MOST: usize = 64;

/// Where in the table something is wrong.
type KeyPath = Vec<Step>;

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

struct Fault {
    path: KeyPath,
    why: String,
    missing: bool,
}

/// Reads a table as far as that is possible. A value comes also when there are errors; it must then be used for
/// nothing but finding more of them.
pub(super) fn read<T: DeserializeOwned>(table: Table) -> (Option<T>, Vec<ConfigError>) {
    let mut root = Value::Table(table);
    let mut errors: Vec<ConfigError> = Vec::new();
    // One mending may undo another where keys depend on each other, so the rounds are bounded too.
    for _ in 0..MOST * 4 {
        let fault = match attempt::<T>(&root) {
            Ok(value) => return (Some(value), errors),
            Err(fault) => fault,
        };
        let key = key_of(&fault.path);
        if !errors.iter().any(|error| super::concerns(&key, &error.key)) {
            errors.push(ConfigError::new(key, fault.why.clone()));
        }
        if errors.len() >= MOST || !mend::<T>(&mut root, &fault) {
            break;
        }
    }
    (None, errors)
}

fn attempt<T: DeserializeOwned>(root: &Value) -> Result<T, Fault> {
    serde_path_to_error::deserialize(root.clone()).map_err(|error| {
        let why = error.inner().message().to_owned();
        let mut path: KeyPath = error.path().iter().filter_map(step_of).collect();
        let missing = quoted_after(&why, "missing field `");
        let named = missing
            .or_else(|| quoted_after(&why, "unknown field `"))
            .map(|name| Step::Name(name.to_owned()));
        let missing = missing.is_some();
        if let Some(named) = named
            && (missing || path.last() != Some(&named))
        {
            path.push(named);
        }
        let why = if missing {
            "is missing".to_owned()
        } else {
            why
        };
        Fault { path, why, missing }
    })
}

/// Changes the table so that reading gets beyond the fault; false when that is impossible.
fn mend<T: DeserializeOwned>(root: &mut Value, fault: &Fault) -> bool {
    let mut ways: Vec<Option<Value>> = stand_ins().map(Some).collect();
    if !fault.missing && matches!(fault.path.last(), Some(Step::Name(_))) {
        ways.insert(0, None); // take the key out
    }
    for way in ways {
        let mut changed = root.clone();
        if !put(&mut changed, &fault.path, way) {
            continue;
        }
        let beyond = attempt::<T>(&changed)
            .err()
            .is_none_or(|next| next.path != fault.path);
        if beyond {
            *root = changed;
            return true;
        }
    }
    // Nothing fits there: do without the whole section, then without the one around it.
    (1..fault.path.len())
        .rev()
        .any(|depth| take_out(root, &fault.path[..depth]))
}

/// One value of each kind that a key may be wanted to have.
fn stand_ins() -> impl Iterator<Item = Value> {
    let text =
        ["", "1s", "1", "127.0.0.1:1", "127.0.0.1", "/"].map(|text| Value::String(text.to_owned()));
    let other = [
        Value::Integer(1),
        Value::Boolean(false),
        Value::Array(Vec::new()),
        Value::Table(Table::new()),
    ];
    other.into_iter().chain(text).chain([Value::Float(1.0)])
}

fn put(root: &mut Value, path: &[Step], value: Option<Value>) -> bool {
    let Some((last, before)) = path.split_last() else {
        return false;
    };
    match (find(root, before), last, value) {
        (Some(Value::Table(table)), Step::Name(name), Some(value)) => {
            table.insert(name.clone(), value);
            true
        }
        (Some(Value::Table(table)), Step::Name(name), None) => table.remove(name).is_some(),
        (Some(Value::Array(list)), Step::Index(index), Some(value)) => {
            list.get_mut(*index).map(|old| *old = value).is_some()
        }
        _ => false,
    }
}

fn take_out(root: &mut Value, path: &[Step]) -> bool {
    put(root, path, None)
}

fn find<'a>(root: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(root, |at, step| match (at, step) {
        (Value::Table(table), Step::Name(name)) => table.get_mut(name),
        (Value::Array(list), Step::Index(index)) => list.get_mut(*index),
        _ => None,
    })
}

fn step_of(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Name(key.clone())),
        Segment::Enum { variant } => Some(Step::Name(variant.clone())),
        Segment::Unknown => None,
    }
}

fn key_of(path: &[Step]) -> String {
    let mut key = String::new();
    for step in path {
        match step {
            Step::Name(name) if key.is_empty() => key.push_str(name),
            Step::Name(name) => key.extend([".", name]),
            Step::Index(index) => key.push_str(&format!("[{index}]")),
        }
    }
    key
}

fn quoted_after<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    text.strip_prefix(begin)?.split('`').next()
}
