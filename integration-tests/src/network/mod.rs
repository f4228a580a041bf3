//! Hosts of their own on one machine: network namespaces on one bridge, each with its own address, and others behind a
//! gateway.

mod gateway;
mod weather;

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::cluster::run;

pub use gateway::Mapping;
pub use weather::Lost;

/// Where `ip` keeps the namespaces that have a name.
const NAMESPACES: &str = "/run/netns";

/// Hosts on one cable; gone when it is dropped.
pub struct Network {
    /// The start of all names.
    prefix: String,
    names: Vec<String>,
}

impl Network {
    /// A host for each number from 1 on, with the address that [`Network::address`] tells; nothing where this may not
    /// be, which is said.
    ///
    /// # Errors
    /// When namespaces may be made, but not what belongs into them.
    #[allow(clippy::print_stderr)]
    pub fn of(hosts: u8) -> Result<Option<Self>> {
        static NETWORKS: AtomicU32 = AtomicU32::new(0);
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("drftpd-{}-{number}", std::process::id());
        let mut network = Network {
            prefix,
            names: Vec::new(),
        };
        if let Err(why) = network.add("hub") {
            eprintln!(
                "skipped: no network namespaces here (root and the program ip are needed): {why}"
            );
            return Ok(None);
        }
        let hub = network.name("hub");
        bridge(&hub, "cable")?;
        for host in 1..=hosts {
            network.plug_in(host, Network::address(host), &hub, "cable")?;
        }
        Ok(Some(network))
    }

    /// The address of a host on the cable.
    pub fn address(host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 211, 7, host)
    }

    /// A host's namespace.
    pub fn host(&self, host: u8) -> String {
        self.name(&host.to_string())
    }

    /// Does something on a host: sockets that it makes and programs that it starts are there.
    ///
    /// # Errors
    /// What the work says, or when the host cannot be entered.
    pub fn within<T: Send>(&self, host: u8, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let place = format!("{NAMESPACES}/{}", self.host(host));
        let place = File::open(&place).context(place)?;
        thread::scope(|scope| {
            let there = scope.spawn(move || {
                move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network))?;
                work()
            });
            let done = there.join();
            done.map_err(|_| anyhow!("what ran on host {host} panicked"))?
        })
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

    /// A new host with this address, on a bridge in the namespace `hub`.
    fn plug_in(&mut self, host: u8, address: Ipv4Addr, hub: &str, bridge: &str) -> Result<()> {
        self.add(&host.to_string())?;
        let (name, end) = (self.host(host), format!("end{host}"));
        let link = ["link", "add", "eth0", "netns", &name, "type", "veth"];
        ip(&[&link[..], &["peer", "name", &end, "netns", hub]].concat())?;
        ip(&["-n", hub, "link", "set", &end, "master", bridge, "up"])?;
        let address = format!("{address}/24");
        ip(&["-n", &name, "address", "add", &address, "dev", "eth0"])?;
        ip(&["-n", &name, "link", "set", "eth0", "up"])?;
        ip(&["-n", &name, "link", "set", "lo", "up"])
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

fn bridge(namespace: &str, name: &str) -> Result<()> {
    ip(&["-n", namespace, "link", "add", name, "type", "bridge"])?;
    ip(&["-n", namespace, "link", "set", name, "up"])
}

fn ip(args: &[&str]) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(args);
    run(command).map(drop).context("ip")
}
