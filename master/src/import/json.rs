//! The JSON that DrFTPD writes: what Java's json-io makes of its objects. Numbers and dates may stand alone or as
//! `{"@type": …, "value": …}`, lists as they are or in `@items`, maps as `@keys` and `@items`, and an object that was
//! written before is `{"@ref": N}` of its `@id`. Pure.

use std::collections::HashMap;

use serde_json::Value;

/// A document, with the objects that others of it name.
pub(super) struct Document<'v> {
    top: &'v Value,
    named: HashMap<i64, &'v Value>,
}

impl<'v> Document<'v> {
    /// Looks for objects with names.
    pub fn new(top: &'v Value) -> Self {
        let mut named = HashMap::new();
        let mut open = vec![top];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(object) => {
                    if let Some(id) = object.get("@id").and_then(Value::as_i64) {
                        named.insert(id, value);
                    }
                    open.extend(object.values());
                }
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        Self { top, named }
    }

    /// A field of the object itself.
    pub fn field(&self, name: &str) -> Option<&'v Value> {
        self.plain(self.top.get(name)?)
    }

    /// What a value is behind its type and its reference; nothing where it is null.
    fn plain(&self, value: &'v Value) -> Option<&'v Value> {
        let named = value.get("@ref").and_then(Value::as_i64);
        let value = match named {
            Some(id) => self.named.get(&id)?,
            None => value,
        };
        let value = value.get("value").unwrap_or(value);
        (!value.is_null()).then_some(value)
    }

    /// The items of a list.
    pub fn items(&self, value: &'v Value) -> Vec<&'v Value> {
        let items = value.get("@items").unwrap_or(value).as_array();
        let items = items.map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(|it| self.plain(it)).collect()
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Vec<&'v str> {
        let items = self.field(name).map(|list| self.items(list));
        let items = items.unwrap_or_default().into_iter();
        items.filter_map(Value::as_str).collect()
    }

    /// What DrFTPD keeps in maps whose keys are objects with a name.
    pub fn data(&self) -> HashMap<&'v str, &'v Value> {
        let Some(map) = self.top.get("_data") else {
            return HashMap::new();
        };
        let list = |name: &str| map.get(name).and_then(Value::as_array);
        let (Some(keys), Some(items)) = (list("@keys"), list("@items")) else {
            return HashMap::new();
        };
        let named = keys.iter().zip(items).filter_map(|(key, item)| {
            let key = self.plain(key)?.get("_key")?.as_str()?;
            Some((key, self.plain(item)?))
        });
        named.collect()
    }
}

/// A whole number.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    }
}

/// A number as it is written, for what has places.
pub(super) fn decimal(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => Some(format!("{float:.3}")),
            _ => Some(number.to_string()),
        },
        _ => None,
    }
}

/// A moment, Unix seconds: json-io writes milliseconds.
pub(super) fn moment(value: &Value) -> Option<i64> {
    number(value).map(|millis| millis.div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_found_in_every_form() {
        let top = json!({
            "_a": ["x", {"@type": "string", "value": "y"}],
            "_b": {"@type": "java.util.ArrayList", "@items": ["z"]},
            "_c": {"@id": 4, "@type": "date", "value": 12_500},
            "_d": {"@ref": 4},
            "_data": {"@keys": [{"@id": 7, "_key": "ratio"}, {"_key": "tagline"}, {"@ref": 7}],
                "@items": [{"@type": "float", "value": 2.5}, "fine", null]},
        });
        let document = Document::new(&top);
        assert_eq!(document.texts("_a"), ["x", "y"]);
        assert_eq!(document.texts("_b"), ["z"]);
        assert_eq!(document.field("_d").and_then(moment), Some(12));
        let data = document.data();
        assert_eq!(decimal(data["ratio"]).as_deref(), Some("2.500"));
        assert_eq!(data["tagline"], "fine");
        assert!(document.field("_e").is_none() && document.texts("_e").is_empty());
    }
}
