//! The configuration against `deploy/slave.toml`, and every error by its key.

use std::collections::BTreeSet;

use bytesize::ByteSize;
use toml::{Table, Value};

use super::*;

const DOCUMENT: &str = include_str!("../../../deploy/slave.toml");

/// The document with its optional keys switched on: `#key = value` begins a line, prose `# `.
fn with_optional_keys() -> String {
    let lines = DOCUMENT.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn keys(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                keys(&format!("{prefix}.{name}"), value, into);
            }
        }
        Value::Array(list) if list.first().is_some_and(Value::is_table) => {
            list.iter().for_each(|value| keys(prefix, value, into));
        }
        _ => drop(into.insert(prefix.to_owned())),
    }
}

fn keys_of(table: Table) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    keys("", &Value::Table(table), &mut found);
    found
}

/// A configuration in which every optional key is set, so that it is written out.
fn full() -> SlaveConfig {
    let mut config = SlaveConfig::default();
    config.slave.name = Some("disk-1".parse().expect("a name"));
    config.master.address = Some("localhost:2122".parse().expect("an address"));
    config.root = vec![RootConfig::at("/srv")];
    config.transfer.bind = Some([127, 0, 0, 1].into());
    config.transfer.announce_address = Some([127, 0, 0, 1].into());
    config.transfer.announce_ports = Some(config.transfer.passive_ports);
    config.transfer.dial_from = Some([127, 0, 0, 1].into());
    config.transfer.send_rate = Some(ByteSize::mb(100));
    config.transfer.receive_rate = Some(ByteSize::mb(100));
    config
}

fn wrong_keys(text: &str) -> Vec<String> {
    let good = "[master]\naddress = \"localhost:2122\"\n[[root]]\npath = \"/srv\"\n";
    let errors = drftpd_actors::parse::<SlaveConfig>(&format!("{good}{text}"), None);
    let errors = errors.err().unwrap_or_default();
    errors.into_iter().map(|error| error.key).collect()
}

#[test]
fn the_document_says_the_defaults() {
    let documented: SlaveConfig = toml::from_str(DOCUMENT).expect("parses");
    assert_eq!(documented, SlaveConfig::default());
}

#[test]
fn every_key_is_in_the_document_and_the_document_has_no_other() {
    let documented = keys_of(with_optional_keys().parse().expect("is TOML"));
    let known = keys_of(Table::try_from(full()).expect("is TOML"));
    assert_eq!(documented, known);
}

#[test]
fn the_document_can_be_used_once_its_optional_keys_are_set() {
    let config = drftpd_actors::parse::<SlaveConfig>(&with_optional_keys(), None);
    let config = config.expect("is a good configuration");
    assert!(config.master.address.is_some() && config.root.len() == 1);
}

#[test]
fn every_error_is_named_by_its_key() {
    assert_eq!(wrong_keys(""), [""; 0]);
    for (text, key) in [
        ("[[root]]\npath = \"/srv\"", "root.1.path"),
        ("[[root]]\npath = \"/a\"\nquiet = \"1ms\"", "root.1.quiet"),
        (
            "[[root]]\npath = \"/a\"\nrescan_every = \"1ms\"",
            "root.1.rescan_every",
        ),
        (
            "[[root]]\npath = \"/a\"\nwriters = \"all\"",
            "root[1].writers",
        ),
        ("[link]\nconnect_timeout = \"0s\"", "link.connect_timeout"),
        ("[link]\nbackoff_max = \"1ms\"", "link.backoff_max"),
        ("[link]\nmax_calls = 0", "link.max_calls"),
        ("[storage]\nthreads = 0", "storage.threads"),
        ("[transfer]\nmax_transfers = 0", "transfer.max_transfers"),
        ("[transfer]\nsend_rate = \"0B\"", "transfer.send_rate"),
        ("[shutdown]\ndrain = \"soon\"", "shutdown.drain"),
        ("[slave]\nname = \"../x\"", "slave.name"),
        ("[storage]\nfsync = \"maybe\"", "storage.fsync"),
        ("[link]\ncolour = 1", "link.colour"),
    ] {
        assert_eq!(wrong_keys(text), [key], "{text}");
    }
}

#[test]
fn what_must_be_set_is_asked_for() {
    let errors = drftpd_actors::parse::<SlaveConfig>("", None).expect_err("nothing is set");
    let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["master.address", "root"]);
}

#[test]
fn relative_paths_are_taken_from_the_folder_of_the_file() {
    let mut config = full();
    config.root[0].path = "disk".into();
    config.beside(Path::new("/etc/drftpd"));
    assert_eq!(config.link.key, Path::new("/etc/drftpd/slave-key.pem"));
    assert_eq!(config.roots()[0].path, Path::new("/etc/drftpd/disk"));
    config.beside(Path::new("/elsewhere"));
    assert_eq!(config.link.seen, Path::new("/etc/drftpd/slave-seen"));
}
