//! Who may be at the other end of a data connection, pure: networks, and the rules for dialling out.
//!
//! The master decides for users; these rules hold for any master, so that a slave can never be made
//! to talk to a service of its own machine or network that no FTP client is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use drftpd_protocol::wire::PeerRule;
use serde::{Deserialize, Serialize};

/// Lowest port that a slave dials: below lie services, not FTP clients.
const LOWEST_PORT: u16 = 1024;

/// An address with the number of bits that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an address or a network like 10.0.0.0/8")]
pub struct NetworkError;

impl Network {
    /// Whether the address lies in it. An IPv4 address in IPv6 clothes is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(it)) => {
                same_bits(net.to_bits().into(), it.to_bits().into(), 32 - self.bits)
            }
            (IpAddr::V6(net), IpAddr::V6(it)) => {
                same_bits(net.to_bits(), it.to_bits(), 128 - self.bits)
            }
            _ => false,
        }
    }
}

fn same_bits(a: u128, b: u128, ignored: u8) -> bool {
    (a ^ b).checked_shr(ignored.into()).unwrap_or(0) == 0
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| NetworkError)?,
            None => most,
        };
        if bits > most {
            return Err(NetworkError);
        }
        Ok(Network { address, bits })
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

/// Whether a peer with this address may use a listening channel.
pub fn may_connect(rule: PeerRule, peer: IpAddr) -> bool {
    match rule {
        PeerRule::Any => true,
        PeerRule::Only(address) => address.to_canonical() == peer.to_canonical(),
    }
}

/// Whether this slave may dial `to`; else what speaks against it.
///
/// Never: the unspecified address, multicast, broadcast, link-local addresses (where clouds keep
/// their secrets) and ports below 1024; then the networks of `deny_dial`. Loopback and private
/// addresses are allowed unless they are named there: laboratories, containers and the cluster in
/// one process live on them.
///
/// # Errors
/// The reason, for the log.
pub fn may_dial(to: SocketAddr, denied: &[Network]) -> Result<(), &'static str> {
    let address = to.ip().to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if to.port() < LOWEST_PORT {
        return Err("port below 1024");
    }
    if address.is_unspecified() || address.is_multicast() || broadcast || link_local {
        return Err("not the address of one machine");
    }
    if denied.iter().any(|network| network.contains(address)) {
        return Err("denied by transfer.deny_dial");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_contains_what_shares_its_bits() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("fd00::/8", "fd12::1", "fe00::1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("192.0.2.128/25", "192.0.2.200", "192.0.2.100"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(ip(inside)), "{network} {inside}");
            assert!(!parsed.contains(ip(outside)), "{network} {outside}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains(ip("8.8.8.8")) && !all.contains(ip("::1")));
        let all: Network = "::/0".parse().unwrap();
        assert!(all.contains(ip("2001:db8::1")) && !all.contains(ip("8.8.8.8")));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "x/8", "10.0.0.0/"] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
    }

    #[test]
    fn only_the_named_peer_may_connect_in_either_clothes() {
        let rule = PeerRule::Only(ip("192.0.2.1"));
        assert!(may_connect(rule, ip("192.0.2.1")));
        assert!(may_connect(rule, ip("::ffff:192.0.2.1")));
        assert!(!may_connect(rule, ip("192.0.2.2")));
        assert!(may_connect(PeerRule::Any, ip("192.0.2.2")));
    }

    #[test]
    fn a_slave_never_dials_services_or_many_machines() {
        for bad in [
            "192.0.2.1:1023",
            "192.0.2.1:0",
            "0.0.0.0:5000",
            "[::]:5000",
            "224.0.0.1:5000",
            "[ff02::1]:5000",
            "255.255.255.255:5000",
            "169.254.169.254:8080",
            "[fe80::1]:5000",
            "[::ffff:169.254.1.1]:5000",
        ] {
            assert!(may_dial(bad.parse().unwrap(), &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn loopback_and_private_addresses_are_dialled_unless_denied() {
        let loopback = "127.0.0.1:2000".parse().unwrap();
        let private = "10.1.2.3:2000".parse().unwrap();
        assert!(may_dial(loopback, &[]).is_ok() && may_dial(private, &[]).is_ok());
        let denied = ["127.0.0.0/8", "10.0.0.0/8"].map(|n| n.parse().unwrap());
        assert!(may_dial(loopback, &denied).is_err() && may_dial(private, &denied).is_err());
    }
}
