//! The files of a quickstart: what the first run writes and later runs obey.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::note;
use super::overrides::Overrides;
use crate::cli::{Failure, QuickstartOrder, absolute};
use crate::config::MasterConfig;
use crate::config::document::{DOCUMENT, Setting, fill};
use crate::deps::Serving;

/// Control connections of one address: on a machine of one's own they are all one's own.
const MAX_PER_ADDRESS: i64 = 5_000;
/// Logins that may wait for their check, for the same reason.
const HASH_QUEUE: i64 = 2_000;

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub dir: PathBuf,
    pub config: PathBuf,
}

impl Files {
    pub fn of(dir: &Path) -> Result<Self, Failure> {
        let dir = absolute(dir)?;
        Ok(Self {
            config: dir.join("master.toml"),
            dir,
        })
    }

    /// The folder of a slave, counted from 1.
    pub fn slave(&self, number: u16) -> PathBuf {
        self.dir.join(name_of(number))
    }

    /// How many slaves there are: those that have a folder, counted from 1 without a gap.
    pub fn slaves(&self) -> u16 {
        let there = (1..=u16::MAX).take_while(|number| self.slave(*number).is_dir());
        there.last().unwrap_or(0)
    }

    /// Writes the configuration of the first run, and a folder for each slave.
    pub fn write(&self, order: &QuickstartOrder) -> Result<(), Failure> {
        for number in 1..=order.slaves {
            crate::setup::make_folder(&self.slave(number))?;
        }
        let text = fill(DOCUMENT, &settings(order));
        let text = text.map_err(|key| Failure::failed(format!("no key {key}")))?;
        write(&self.config, &text)
    }

    /// Says what of the command line does not count, because the files say otherwise.
    pub fn say_differences(&self, order: &QuickstartOrder, config: &MasterConfig) {
        let file = self.config.display();
        let other = |given: std::net::SocketAddr, has: Option<&std::net::SocketAddr>| {
            given.port() != 0 && has != Some(&given)
        };
        let differences = [
            ("--listen", other(order.listen, config.ftp.listen.first())),
            (
                "--slave-listen",
                other(order.slave_listen, Some(&config.slaves.listen)),
            ),
            (
                "--admin-listen",
                other(order.admin_listen, Some(&config.admin.listen)),
            ),
            (
                "--passive-ports",
                order.passive_ports != config.passive.ports,
            ),
            ("--slaves", order.slaves != self.slaves()),
        ];
        let differ = differences.iter().filter(|(_, differs)| *differs);
        for (option, _) in differ {
            note(&format!("{option} differs from {file}, which counts"));
        }
    }

    /// Writes the ports that were chosen in place of a port 0, so that they stay.
    pub fn keep_ports(&self, overrides: &Overrides, serving: &Serving) -> Result<(), Failure> {
        let failed = |why: String| Failure::failed(format!("{}: {why}", self.config.display()));
        let text = fs::read_to_string(&self.config).map_err(|why| failed(why.to_string()))?;
        let table: Table = text
            .parse()
            .map_err(|why: toml::de::Error| failed(why.to_string()))?;
        let mut settings: Vec<Setting> = Vec::new();
        let ftp: Vec<Value> = serving.ftp.iter().map(|at| at.to_string().into()).collect();
        if free_port(&table, "ftp", "listen") && !overrides.sets("ftp.listen") {
            settings.push(("ftp", "listen", Value::Array(ftp)));
        }
        let admin = serving.admin.map(|at| at.to_string());
        let slaves = Some(serving.slaves.address().to_string());
        for (section, at) in [("admin", admin), ("slaves", slaves)] {
            let key = format!("{section}.listen");
            if let Some(at) = at.filter(|_| free_port(&table, section, "listen"))
                && !overrides.sets(&key)
            {
                settings.push((section, "listen", at.into()));
            }
        }
        if settings.is_empty() {
            return Ok(());
        }
        let text = fill(&text, &settings).map_err(|key| failed(format!("no key {key}")))?;
        write(&self.config, &text)
    }
}

/// The name of a slave.
pub(super) fn name_of(number: u16) -> String {
    format!("slave-{number}")
}

/// Whether a key of the file names port 0.
fn free_port(table: &Table, section: &str, key: &str) -> bool {
    let is_free = |value: &Value| value.as_str().is_some_and(|at| at.ends_with(":0"));
    match table.get(section).and_then(|section| section.get(key)) {
        Some(Value::Array(list)) => list.iter().any(is_free),
        Some(value) => is_free(value),
        None => false,
    }
}

/// What differs from the documented defaults.
fn settings(order: &QuickstartOrder) -> Vec<Setting> {
    let listen = Value::Array(vec![order.listen.to_string().into()]);
    vec![
        ("ftp", "listen", listen),
        ("ftp", "max_per_address", MAX_PER_ADDRESS.into()),
        ("passive", "ports", order.passive_ports.to_string().into()),
        ("slaves", "listen", order.slave_listen.to_string().into()),
        ("admin", "listen", order.admin_listen.to_string().into()),
        ("accounts", "hash_queue", HASH_QUEUE.into()),
    ]
}

/// Writes a file whole, through another one beside it.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let fresh = file.with_extension("toml.new");
    let written = fs::File::create(&fresh).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        fs::rename(&fresh, file)
    });
    written.map_err(|why| Failure::failed(format!("{}: {why}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        order: QuickstartOrder,
    }

    fn order(dir: &Path, more: &[&str]) -> QuickstartOrder {
        let dir = dir.to_str().unwrap();
        let words = ["x", "--dir", dir].into_iter().chain(more.iter().copied());
        Typed::try_parse_from(words).unwrap().order
    }

    #[test]
    fn what_the_first_run_writes_is_what_the_order_says() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path()).unwrap();
        let order = order(
            dir.path(),
            &[
                "--listen",
                "127.0.0.1:0",
                "--passive-ports",
                "6000-6009",
                "--slaves",
                "3",
            ],
        );
        files.write(&order).unwrap();
        let config = MasterConfig::read(&files.config, &[]).unwrap();
        assert_eq!(config.ftp.listen, [order.listen]);
        assert_eq!(config.passive.ports, order.passive_ports);
        assert_eq!(config.slaves.listen, order.slave_listen);
        assert_eq!(config.admin.listen, order.admin_listen);
        assert_eq!(config.master.dir, dir.path().join("."));
        assert_eq!(files.slaves(), 3);
    }

    #[test]
    fn a_port_zero_is_seen_in_lists_too() {
        let table: Table = "[a]\nx = [\"1:1\", \"[::]:0\"]\ny = \"1:0\"\nz = \"1:10\""
            .parse()
            .unwrap();
        let free: Vec<_> = ["x", "y", "z", "none"]
            .iter()
            .map(|key| free_port(&table, "a", key))
            .collect();
        assert_eq!(free, [true, true, false, false]);
    }
}
