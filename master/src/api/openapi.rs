//! The document that describes the API (OpenAPI 3.1), made from the table: one operation for each command.

use serde_json::{Map, Value, json};

use super::events::About;
use super::reply::status;
use super::requests::BASE;
use super::scopes::parts;
use crate::admin::{Code, Command, Commands, Kind, Param, Permission};

/// Every error that a command may answer.
const CODES: [Code; 8] = [
    Code::UnknownCommand,
    Code::BadArgument,
    Code::NotFound,
    Code::Exists,
    Code::Denied,
    Code::NotRunning,
    Code::Busy,
    Code::Failed,
];
/// What the API itself answers before a command is asked.
const BEFORE: [(u16, &str); 5] = [
    (401, "unauthorized"),
    (405, "method_not_allowed"),
    (408, "timeout"),
    (413, "too_large"),
    (429, "too_many_requests"),
];

/// The whole document.
pub(super) fn document(commands: &Commands) -> Value {
    let mut paths = Map::new();
    for command in commands.iter() {
        let post = json!({ "post": operation(command) });
        paths.insert(path(command), post);
    }
    paths.insert(format!("{BASE}/openapi.json"), get("This document"));
    paths.insert(format!("{BASE}/events"), events());
    for (at, about) in [
        (
            "/livez",
            "200 while the master lives, else 503 and what does not",
        ),
        (
            "/readyz",
            "200 while it lives and takes new clients, else 503",
        ),
        ("/metrics", "Numbers in the text format of Prometheus"),
    ] {
        paths.insert(at.to_owned(), open(get(about)));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "drftpd-rs",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every command of the operator. Tokens: drftpd-master token create.",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Error": error(), "Path": any_path() },
            "responses": responses(),
        },
    })
}

/// The address of a command.
pub(super) fn path(command: &Command) -> String {
    format!("{BASE}/{}", command.name.replace(' ', "/"))
}

fn operation(command: &Command) -> Value {
    let (area, _) = parts(command);
    let who = match command.permission {
        Permission::Anyone if command.name == "help" => "Any token.",
        _ if command.changes => "A token whose scopes name it, or operate.",
        _ => "A token whose scopes name it, or read.",
    };
    let mut answers = json!({
        "200": {
            "description": "Done; with `Accept: text/plain` as text for people",
            "content": {
                "application/json": { "schema": result(command) },
                "text/plain": { "schema": { "type": "string" } },
            },
        },
    });
    if let Value::Object(answers) = &mut answers {
        for status in statuses() {
            let at = format!("#/components/responses/{status}");
            answers.insert(status, json!({ "$ref": at }));
        }
    }
    let needs = command.params.iter().any(|param| !param.optional);
    json!({
        "operationId": command.name.replace([' ', '-'], "_"),
        "summary": command.about,
        "description": who,
        "tags": [area],
        "x-site": command.site,
        "x-changes": command.changes,
        "requestBody": {
            "required": needs,
            "content": { "application/json": { "schema": arguments(command.params) } },
        },
        "responses": answers,
    })
}

/// The object that a command takes.
fn arguments(params: &[Param]) -> Value {
    let mut properties = Map::new();
    for param in params {
        let mut schema = kind(param.kind);
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".to_owned(), param.about.into());
        }
        properties.insert(param.name.to_owned(), schema);
    }
    let required = params.iter().filter(|param| !param.optional);
    let required: Vec<&str> = required.map(|param| param.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Session | Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Path => json!({ "$ref": "#/components/schemas/Path" }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Switch => json!({ "type": "boolean", "default": false }),
        Kind::Words => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Secret => json!({ "type": "string", "format": "password" }),
        // Whatever is said as text.
        _ => json!({ "type": "string" }),
    }
}

/// A list says where the next page begins.
fn result(command: &Command) -> Value {
    let pages = command.params.iter().any(|param| param.name == "after");
    match pages {
        true => json!({
            "type": "object",
            "properties": {
                "next": {
                    "type": "string",
                    "description": "there is more: `after` of the next page",
                },
            },
        }),
        false => json!({ "type": "object" }),
    }
}

fn get(about: &str) -> Value {
    let ok = json!({ "200": { "description": about } });
    json!({ "get": { "summary": about, "responses": ok } })
}

/// What happens, as it happens.
fn events() -> Value {
    let kinds: Vec<&str> = About::ALL.iter().map(|(name, _)| *name).collect();
    let items = json!({ "type": "string", "enum": kinds });
    let mut item = get("What happens, as server-sent events; needs the scope read");
    if let Some(get) = item.get_mut("get").and_then(Value::as_object_mut) {
        let kinds = json!({
            "name": "kinds", "in": "query", "explode": false,
            "description": "without it all of them",
            "schema": { "type": "array", "items": items },
        });
        get.insert("parameters".to_owned(), json!([kinds]));
        let stream = json!({ "text/event-stream": { "schema": { "type": "string" } } });
        let ok = json!({ "description": "until the master drains", "content": stream });
        get.insert("responses".to_owned(), json!({ "200": ok }));
    }
    item
}

/// Without a token.
fn open(mut item: Value) -> Value {
    if let Some(get) = item.get_mut("get").and_then(Value::as_object_mut) {
        get.insert("security".to_owned(), json!([]));
    }
    item
}

fn error() -> Value {
    let codes = CODES.iter().map(|code| json!(code));
    let codes = codes.chain(BEFORE.iter().map(|(_, code)| json!(code)));
    json!({
        "type": "object",
        "properties": {
            "code": { "type": "string", "enum": codes.collect::<Vec<_>>() },
            "field": { "type": "string", "description": "the argument that is wrong" },
            "message": { "type": "string", "description": "for people" },
        },
        "required": ["code", "message"],
    })
}

fn any_path() -> Value {
    json!({
        "description": "a path of the tree; as base64 where it is not UTF-8",
        "oneOf": [
            { "type": "string" },
            {
                "type": "object",
                "properties": { "b64": { "type": "string", "contentEncoding": "base64" } },
                "required": ["b64"],
                "additionalProperties": false,
            },
        ],
    })
}

/// Every status but 200, each once.
fn statuses() -> Vec<String> {
    let of_codes = CODES.iter().map(|code| status(*code).as_u16());
    let mut all: Vec<u16> = of_codes
        .chain(BEFORE.iter().map(|(status, _)| *status))
        .collect();
    all.sort_unstable();
    all.dedup();
    all.iter().map(ToString::to_string).collect()
}

fn responses() -> Value {
    let mut responses = Map::new();
    for number in statuses() {
        let codes = CODES
            .iter()
            .filter(|code| status(**code).as_str() == number);
        let codes = codes.filter_map(|code| json!(code).as_str().map(str::to_owned));
        let before = BEFORE
            .iter()
            .filter(|(status, _)| status.to_string() == number);
        let codes: Vec<String> = codes
            .chain(before.map(|(_, code)| (*code).to_owned()))
            .collect();
        let schema = json!({ "$ref": "#/components/schemas/Error" });
        let response = json!({
            "description": codes.join(", "),
            "content": { "application/json": { "schema": schema } },
        });
        responses.insert(number, response);
    }
    Value::Object(responses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::COMMANDS;

    #[test]
    fn the_document_has_every_command_of_the_table_and_each_of_its_arguments() {
        let document = document(&Commands::and([]));
        let paths = document["paths"].as_object().unwrap();
        let commands = paths.values().filter(|item| item.get("post").is_some());
        assert_eq!(commands.count(), COMMANDS.len());
        for command in COMMANDS {
            let post = &paths[&path(command)]["post"];
            assert_eq!(post["summary"], command.about, "{}", command.name);
            let body = &post["requestBody"];
            let schema = &body["content"]["application/json"]["schema"];
            let properties = schema["properties"].as_object().unwrap();
            assert_eq!(properties.len(), command.params.len(), "{}", command.name);
            let required = schema["required"].as_array().unwrap();
            for param in command.params {
                let property = &properties[param.name];
                assert_eq!(property["description"], param.about);
                let is_required = required.contains(&json!(param.name));
                assert_eq!(
                    is_required, !param.optional,
                    "{} {}",
                    command.name, param.name
                );
                let typed = match param.kind {
                    Kind::Path => property["$ref"] == "#/components/schemas/Path",
                    Kind::Switch => property["type"] == "boolean",
                    Kind::Session | Kind::Number => property["type"] == "integer",
                    Kind::Words => property["type"] == "array",
                    Kind::Word(words) => property["enum"] == json!(words),
                    _ => property["type"] == "string",
                };
                assert!(typed, "{} {}: {property}", command.name, param.name);
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        let document = document(&Commands::and([]));
        let mut names = std::collections::BTreeSet::new();
        let mut references = 0;
        let mut todo = vec![&document];
        while let Some(value) = todo.pop() {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(to)) = fields.get("$ref") {
                        let at = to.strip_prefix('#').unwrap();
                        assert!(document.pointer(at).is_some(), "{to}");
                        references += 1;
                    }
                    if let Some(Value::String(name)) = fields.get("operationId") {
                        assert!(names.insert(name), "{name} is there twice");
                    }
                    todo.extend(fields.values());
                }
                Value::Array(list) => todo.extend(list),
                _ => {}
            }
        }
        assert!(names.len() == COMMANDS.len() && references > COMMANDS.len());
        for status in [
            "400", "401", "403", "404", "409", "413", "429", "500", "503",
        ] {
            assert!(document["components"]["responses"][status].is_object());
        }
    }
}
