//! What is wrong with addresses, ports, certificates and the clock, found out before clients do: `doctor`.
//!
//! Each area is a pure look at the configuration, at what the machine answers ([`Machine`]) and at what the store and a
//! running master know ([`Known`]); it gives findings, good ones too, each with what to do about it.

mod addresses;
mod certificates;
mod clock;
pub mod machine;
mod ordered;
mod ports;
mod slaves;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use drftpd_protocol::SlaveId;
use serde::Serialize;

use crate::config::MasterConfig;
pub use machine::Machine;
pub use slaves::probe;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Good,
    /// May be meant so.
    Note,
    /// Somebody will have trouble.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `addresses`, `ports`, `certificates`, `clock` or `slaves`.
    pub area: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do about it; empty for good findings.
    pub remedy: String,
}

/// What the store and a running master know.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Where a running master serves FTP; nothing where none runs.
    pub serving: Option<Vec<SocketAddr>>,
    /// Slaves that belong to the cluster.
    pub slaves: BTreeSet<SlaveId>,
    /// The authority's certificate, DER.
    pub authority: Option<Vec<u8>>,
    /// Accounts that need a certificate of their own beside the password.
    pub need_certificate: usize,
    /// Now, Unix seconds.
    pub now: i64,
    /// When the store was begun for the last time, as its identities have it, Unix seconds.
    pub began: i64,
}

/// Looks at everything but slaves. Blocks for some system calls and a few connections to this machine.
pub fn examine(config: &MasterConfig, machine: &dyn Machine, known: &Known) -> Vec<Finding> {
    let mut found = Vec::new();
    addresses::look(config, machine, known, &mut found);
    ports::look(config, machine, known, &mut found);
    certificates::look(config, known, &mut found);
    clock::look(known, &mut found);
    found
}

/// Notes findings of one area.
struct Notes<'a> {
    area: &'static str,
    found: &'a mut Vec<Finding>,
}

impl Notes<'_> {
    fn good(&mut self, what: impl Into<String>) {
        self.add(Severity::Good, what.into(), String::new());
    }

    fn note(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Note, what.into(), remedy.into());
    }

    fn wrong(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Wrong, what.into(), remedy.into());
    }

    fn add(&mut self, severity: Severity, what: String, remedy: String) {
        let area = self.area;
        self.found.push(Finding {
            area,
            severity,
            what,
            remedy,
        });
    }
}
