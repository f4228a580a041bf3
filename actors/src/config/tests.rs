//! What an operator sees of a wrong file.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    listen: SocketAddr,
    #[serde(default)]
    transfer: Transfer,
    #[serde(default)]
    root: Vec<Root>,
    #[serde(default)]
    limits: BTreeMap<String, u32>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Transfer {
    slots: u16,
    mode: Mode,
    ports: Vec<u16>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Relay,
    Refuse,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    path: PathBuf,
    #[serde(default)]
    reserve: u64,
}

impl Default for Transfer {
    fn default() -> Self {
        Self {
            slots: 10,
            mode: Mode::Relay,
            ports: Vec::new(),
        }
    }
}

impl Check for Config {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if self.transfer.slots == 0 {
            errors.push(ConfigError::new("transfer.slots", "must not be 0"));
        }
        if self.name.len() < 3 {
            errors.push(ConfigError::new("name", "is too short"));
        }
    }
}

fn keys(text: &str) -> Vec<String> {
    parse::<Config>(text, None)
        .unwrap_err()
        .into_iter()
        .map(|error| error.key)
        .collect()
}

const GOOD: &str = r#"
name = "site"
listen = "127.0.0.1:21"
[transfer]
slots = 3
mode = "refuse"
ports = [1, 2]
[[root]]
path = "/srv/a"
[limits]
anna = 5
"#;

#[test]
fn a_good_file_is_read() {
    let config: Config = parse(GOOD, None).unwrap();
    assert_eq!(
        (config.transfer.slots, config.transfer.mode),
        (3, Mode::Refuse)
    );
    assert_eq!((config.name.as_str(), config.listen.port()), ("site", 21));
    assert_eq!(
        (config.root[0].path.as_path(), config.root[0].reserve),
        (Path::new("/srv/a"), 0)
    );
    assert_eq!(
        (config.transfer.ports, config.limits["anna"]),
        (vec![1, 2], 5)
    );
}

#[test]
fn every_error_is_named_with_its_whole_key() {
    let text = r#"
        name = 7
        lissten = "127.0.0.1:21"
        [transfer]
        slots = "many"
        slotz = 3
        mode = "perhaps"
        ports = [1, "x", 3, 70000]
        [[root]]
        path = "/srv/a"
        [[root]]
        paht = "/srv/b"
        reserve = -1
        [limits]
        anna = "no"
        bert = 5
    "#;
    let mut found = keys(text);
    found.sort();
    let wanted = [
        "limits.anna",
        "lissten",
        "listen",
        "name",
        "root[1].paht",
        "root[1].path",
        "root[1].reserve",
        "transfer.mode",
        "transfer.ports[1]",
        "transfer.ports[3]",
        "transfer.slots",
        "transfer.slotz",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn missing_keys_and_wrong_values_are_found_together() {
    assert_eq!(
        keys("[transfer]\nslots = 0"),
        ["name", "listen", "transfer.slots"]
    );
    assert_eq!(
        keys("name = \"ab\"\nlisten = \"127.0.0.1:1\"\n[transfer]\nslots = 0"),
        ["transfer.slots", "name"]
    );
}

#[test]
fn a_section_of_the_wrong_kind_is_named() {
    assert_eq!(
        keys("transfer = 5\nlisten = \"127.0.0.1:1\"\nname = \"abc\"\nroot = \"x\""),
        ["root", "transfer"]
    );
}

#[test]
fn a_file_that_is_not_toml_is_named_with_its_line() {
    let errors =
        parse::<Config>("name = \"x\"\n[transfer\n", Some(Path::new("master.toml"))).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].to_string().starts_with("master.toml: line 2: "),
        "{}",
        errors[0]
    );
}

#[test]
fn an_error_reads_as_file_key_and_reason() {
    let errors = parse::<Config>(
        &GOOD.replace("slots = 3", "slots = 0"),
        Some(Path::new("a.toml")),
    )
    .unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "a.toml: transfer.slots: must not be 0"
    );
    assert_eq!(
        ConfigError::new("", "no such file").to_string(),
        "no such file"
    );
}

#[test]
fn an_override_is_toml_where_it_can_be_and_text_where_not() {
    let mut table: Table = GOOD.parse().unwrap();
    let overrides = [
        "transfer.slots=9",
        "name=my site",
        "transfer.ports=[5]",
        "root.0.path=/srv/z",
        "limits.bert = 1",
        "new.a.b=x=y",
    ];
    apply_overrides(&mut table, &overrides).unwrap();
    assert_eq!(table["transfer"]["slots"].as_integer(), Some(9));
    assert_eq!(table["name"].as_str(), Some("my site"));
    assert_eq!(table["transfer"]["ports"][0].as_integer(), Some(5));
    assert_eq!(table["root"][0]["path"].as_str(), Some("/srv/z"));
    assert_eq!(table["limits"]["bert"].as_integer(), Some(1));
    assert_eq!(table["new"]["a"]["b"].as_str(), Some("x=y"));
}

#[test]
fn an_override_cannot_smuggle_in_a_second_key() {
    let mut table = Table::new();
    apply_overrides(&mut table, &["a=1\nb = 2"]).unwrap();
    assert_eq!(table["a"].as_str(), Some("1\nb = 2"));
    assert!(!table.contains_key("b"));
}

#[test]
fn overrides_that_cannot_be_applied_are_all_named() {
    let mut table: Table = GOOD.parse().unwrap();
    let errors = apply_overrides(
        &mut table,
        &[
            "slots",
            "name.x=1",
            "transfer..slots=1",
            "root.7.path=1",
            "=1",
        ],
    );
    let keys: Vec<_> = errors
        .unwrap_err()
        .into_iter()
        .map(|error| error.key)
        .collect();
    assert_eq!(
        keys,
        ["slots", "name.x", "transfer..slots", "root.7.path", ""]
    );
}

#[test]
fn a_file_is_read_with_overrides_and_a_missing_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.toml");
    std::fs::write(&path, GOOD).unwrap();
    let config: Config = read_with_overrides(&path, &["transfer.slots=4"]).unwrap();
    assert_eq!(config.transfer.slots, 4);
    assert_eq!(read::<Config>(&path).unwrap().transfer.slots, 3);
    let errors = read::<Config>(&dir.path().join("none.toml")).unwrap_err();
    assert!(
        errors[0].to_string().contains("none.toml: "),
        "{}",
        errors[0]
    );
}
