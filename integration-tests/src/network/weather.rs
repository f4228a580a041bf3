//! Cables that are cut, in one direction or both, or slow.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Network;
use crate::client::Tool;
use crate::cluster::run;

/// Which packets of a host are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// All.
    All,
    /// Those that it sends.
    Sent,
    /// Those that it would receive.
    Received,
}

impl Network {
    /// From now on packets between a host and another one are lost; nobody is told.
    ///
    /// # Errors
    /// When the system does not do what it must.
    pub fn cut(&self, host: u8, other: u8, lost: Lost) -> Result<()> {
        let other = Network::address(other);
        let chain = |hook: &str, side: &str| {
            format!(
                "chain {hook} {{ type filter hook {hook} priority filter; ip {side} {other} drop; }}"
            )
        };
        let sent = (lost != Lost::Received).then(|| chain("output", "daddr"));
        let received = (lost != Lost::Sent).then(|| chain("input", "saddr"));
        let chains: Vec<_> = sent.into_iter().chain(received).collect();
        self.nft(host, format!("table ip cut {{\n{}\n}}", chains.join("\n")))
    }

    /// Packets of a host arrive again.
    ///
    /// # Errors
    /// When the system does not do what it must.
    pub fn mend(&self, host: u8) -> Result<()> {
        self.nft(host, "delete table ip cut".to_owned())
    }

    /// From now on a host sends and receives so many bits in a second.
    ///
    /// # Errors
    /// When the system does not do what it must.
    pub fn slow(&self, host: u8, bits: u32) -> Result<()> {
        let rate = format!("{bits}bit");
        let limit = ["tbf", "rate", &rate, "burst", "16kb", "latency", "1s"];
        let (hub, end) = (self.name("hub"), format!("end{host}"));
        for (namespace, device) in [(&self.host(host), "eth0"), (&hub, end.as_str())] {
            let at = ["-n", namespace, "qdisc", "add", "dev", device, "root"];
            let mut command = Command::new("tc");
            command.args(at).args(limit);
            run(command).context("tc")?;
        }
        Ok(())
    }

    /// Rules for the packets of a host.
    pub(super) fn nft(&self, host: u8, rules: String) -> Result<()> {
        self.within(host, || {
            let nft = Tool::new("nft", Path::new("/"));
            nft.args(["-f", "-"]).input(rules).run().map(drop)
        })
    }
}
