//! A network behind a gateway: its hosts go out under the gateway's address, and come to be reached from outside only
//! by ports that the gateway maps.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;

use super::{Network, bridge, ip};

/// The gateway's own number there.
const GATEWAY: u8 = 1;

/// Ports of a gateway that lead to those of a host behind it, one to one.
#[derive(Debug, Clone, Copy)]
pub struct Mapping {
    /// The first outside.
    pub outside: u16,
    /// The first on the host.
    pub inside: u16,
    /// How many.
    pub ports: u16,
}

impl Mapping {
    /// What is outside, as configurations have it.
    pub fn outside_range(&self) -> String {
        format!("{}-{}", self.outside, self.outside + self.ports - 1)
    }

    /// What is inside.
    pub fn inside_range(&self) -> String {
        format!("{}-{}", self.inside, self.inside + self.ports - 1)
    }
}

impl Network {
    /// A host's address behind a gateway.
    pub fn inside(host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 211, 8, host)
    }

    /// Makes `gateway` a router, with these hosts behind it: hidden ones go out under its address, open ones under their
    /// own. Nobody outside begins a connection to any of them.
    ///
    /// # Errors
    /// When the system does not do what it must.
    pub fn behind(&mut self, gateway: u8, hidden: &[u8], open: &[u8]) -> Result<()> {
        let router = self.host(gateway);
        bridge(&router, "inside")?;
        let here = Network::inside(GATEWAY);
        let address = format!("{here}/24");
        ip(&["-n", &router, "address", "add", &address, "dev", "inside"])?;
        for host in hidden.iter().chain(open) {
            self.plug_in(*host, Network::inside(*host), &router, "inside")?;
            let (host, here) = (self.host(*host), here.to_string());
            ip(&["-n", &host, "route", "add", "default", "via", &here])?;
        }
        let addresses = hidden.iter().map(|host| Network::inside(*host).to_string());
        let hidden: Vec<_> = addresses.collect();
        self.rules(
            gateway,
            format!(
                "chain out {{
                    type nat hook postrouting priority srcnat;
                    ip saddr {{ {} }} oifname eth0 masquerade
                }}
                chain through {{
                    type filter hook forward priority filter; policy drop;
                    iifname inside accept
                    ct state established,related accept
                    ct status dnat accept
                }}",
                hidden.join(", ")
            ),
        )?;
        self.within(gateway, || {
            // What goes from host to host inside is none of the gateway's rules' business; not every kernel can have it.
            let between = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
            if between.exists() {
                fs::write(between, "0")?;
            }
            Ok(fs::write("/proc/sys/net/ipv4/ip_forward", "1")?)
        })
    }

    /// Lets whoever comes to these ports of `gateway` through to a host behind it.
    ///
    /// # Errors
    /// When the system does not do what it must.
    pub fn map(&self, gateway: u8, host: u8, mapping: Mapping) -> Result<()> {
        let (outside, inside) = (Network::address(gateway), Network::inside(host));
        let pair = |at: u16| {
            let (outside, inside_port) = (mapping.outside + at, mapping.inside + at);
            format!("{outside} : {inside} . {inside_port}")
        };
        let pairs: Vec<_> = (0..mapping.ports).map(pair).collect();
        self.rules(
            gateway,
            format!(
                "chain in {{
                    type nat hook prerouting priority dstnat;
                    ip daddr {outside} dnat ip to tcp dport map {{ {} }}
                }}",
                pairs.join(", ")
            ),
        )
    }

    fn rules(&self, gateway: u8, chains: String) -> Result<()> {
        self.nft(gateway, format!("table ip gateway {{\n{chains}\n}}"))
    }

    /// Lets a host outside know the way to one behind `gateway`, whose own address is seen there.
    ///
    /// # Errors
    /// When the system does not do what it must.
    pub fn route(&self, from: u8, host: u8, gateway: u8) -> Result<()> {
        let to = Network::inside(host).to_string();
        let via = Network::address(gateway).to_string();
        ip(&["-n", &self.host(from), "route", "add", &to, "via", &via])
    }
}
