//! Hosts of their own on one machine: network namespaces on one bridge, each with its own address.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cluster::run;

/// Hosts on one cable; gone when it is dropped.
pub struct Network {
    /// The start of all names.
    prefix: String,
    names: Vec<String>,
}

impl Network {
    /// A host for each name, with the address that [`Network::address`] tells; nothing where this may not be.
    ///
    /// # Errors
    /// When namespaces may be made, but not what belongs into them.
    pub fn of(hosts: u8) -> Result<Option<Self>> {
        let prefix = format!("drftpd-{}", std::process::id());
        let mut network = Network {
            prefix,
            names: Vec::new(),
        };
        if network.add("hub").is_err() {
            return Ok(None);
        }
        let hub = network.name("hub");
        ip(&["-n", &hub, "link", "add", "cable", "type", "bridge"])?;
        ip(&["-n", &hub, "link", "set", "cable", "up"])?;
        for host in 1..=hosts {
            network.add(&host.to_string())?;
            let (name, end) = (network.host(host), format!("end{host}"));
            let link = ["link", "add", "eth0", "netns", &name, "type", "veth"];
            ip(&[&link[..], &["peer", "name", &end, "netns", &hub]].concat())?;
            ip(&["-n", &hub, "link", "set", &end, "master", "cable", "up"])?;
            let address = format!("{}/24", Network::address(host));
            ip(&["-n", &name, "address", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &name, "link", "set", "eth0", "up"])?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
        }
        Ok(Some(network))
    }

    /// A host's address.
    pub fn address(host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 211, 7, host)
    }

    /// A host's namespace.
    pub fn host(&self, host: u8) -> String {
        self.name(&host.to_string())
    }

    fn name(&self, of: &str) -> String {
        format!("{}-{of}", self.prefix)
    }

    fn add(&mut self, of: &str) -> Result<()> {
        let name = self.name(of);
        ip(&["netns", "add", &name])?;
        self.names.push(name);
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.names {
            // What is left of it goes with the machine.
            drop(ip(&["netns", "delete", name]));
        }
    }
}

fn ip(args: &[&str]) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(args);
    run(command).map(drop).context("ip")
}
