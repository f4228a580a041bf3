//! One row as one line of JSON: numbers and text as they are, bytes that are text as text, all
//! others as `{"b64": …}`; what is not there is left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value as Cell, ValueRef};
use serde_json::{Map, Value, json};

use super::schema::{Holds, Table};

/// A line that cannot be taken.
pub(super) type Wrong = String;

/// A row as a line.
pub(super) fn write(table: &Table, row: &rusqlite::Row<'_>) -> rusqlite::Result<Value> {
    let mut cells = Map::new();
    for (at, (name, holds)) in table.columns.iter().enumerate() {
        let value = match (row.get_ref(at)?, holds) {
            (ValueRef::Null, _) => continue,
            (ValueRef::Integer(number), _) => number.into(),
            (ValueRef::Blob(bytes), Holds::Name) => name_value(bytes),
            (ValueRef::Blob(bytes), _) => b64(bytes),
            (other, _) => other.as_str()?.into(),
        };
        cells.insert((*name).to_owned(), value);
    }
    Ok(json!({ table.name: cells }))
}

fn name_value(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => b64(bytes),
    }
}

fn b64(bytes: &[u8]) -> Value {
    json!({ "b64": STANDARD.encode(bytes) })
}

/// The cells of a line, in the order of the table's columns.
pub(super) fn read(table: &Table, cells: &Map<String, Value>) -> Result<Vec<Cell>, Wrong> {
    let known = |key: &String| table.columns.iter().any(|(name, _)| name == key);
    if let Some(unknown) = cells.keys().find(|key| !known(key)) {
        return Err(format!("{} has no {unknown}", table.name));
    }
    let columns = table.columns.iter();
    let cell = |(name, holds): &(&str, Holds)| {
        let value = cells.get(*name).unwrap_or(&Value::Null);
        read_cell(value, *holds).ok_or_else(|| format!("{name} of {} is wrong", table.name))
    };
    columns.map(cell).collect()
}

fn read_cell(value: &Value, holds: Holds) -> Option<Cell> {
    Some(match (value, holds) {
        (Value::Null, _) => Cell::Null,
        (Value::Number(number), Holds::Number) => Cell::Integer(number.as_i64()?),
        (Value::String(text), Holds::Text) => Cell::Text(text.clone()),
        (Value::String(text), Holds::Name) => Cell::Blob(text.clone().into_bytes()),
        (Value::Object(object), Holds::Name | Holds::Bytes) => {
            let text = object.get("b64")?.as_str()?;
            Cell::Blob(STANDARD.decode(text).ok()?)
        }
        _ => return None,
    })
}
