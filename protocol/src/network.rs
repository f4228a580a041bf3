//! Networks: an address, and how many of its bits count.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    /// An address with so many bits, as many as it has at most.
    pub fn of(address: IpAddr, bits: u8) -> Self {
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.min(most);
        Self { address, bits }
    }

    /// The address that it was made of.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many of its bits count.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether it is one address.
    pub fn is_single(&self) -> bool {
        self.bits == if self.address.is_ipv4() { 32 } else { 128 }
    }

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
}
