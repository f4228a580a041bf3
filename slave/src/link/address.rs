//! Where the master listens for slaves: `HOST:PORT`, with brackets around an IPv6 address.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host (name or address) and a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MasterAddress {
    host: String,
    port: u16,
}

/// Why a text is no address of a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be HOST:PORT, with brackets around an IPv6 address")]
pub struct MasterAddressError;

impl MasterAddress {
    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for MasterAddress {
    type Err = MasterAddressError;

    fn from_str(text: &str) -> Result<Self, MasterAddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(MasterAddressError)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let strange = |c: char| c.is_whitespace() || c.is_control() || "[]/@".contains(c);
        let named = bare.is_none() && !host.contains(':');
        let host = bare.unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port != 0);
        let good = !host.is_empty() && !host.contains(strange) && (named || bare.is_some());
        match port.filter(|_| good) {
            Some(port) => Ok(MasterAddress {
                host: host.to_owned(),
                port,
            }),
            None => Err(MasterAddressError),
        }
    }
}

impl fmt::Display for MasterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl From<std::net::SocketAddr> for MasterAddress {
    fn from(at: std::net::SocketAddr) -> Self {
        MasterAddress {
            host: at.ip().to_string(),
            port: at.port(),
        }
    }
}

impl TryFrom<String> for MasterAddress {
    type Error = MasterAddressError;

    fn try_from(text: String) -> Result<Self, MasterAddressError> {
        text.parse()
    }
}

impl From<MasterAddress> for String {
    fn from(address: MasterAddress) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read_back_from_their_text() {
        for (text, host) in [
            ("master.example.net:2122", "master.example.net"),
            ("192.0.2.1:1", "192.0.2.1"),
            ("[2001:db8::1]:65535", "2001:db8::1"),
        ] {
            let address: MasterAddress = text.parse().expect(text);
            assert_eq!((address.host(), address.to_string().as_str()), (host, text));
        }
    }

    #[test]
    fn what_is_no_host_and_port_is_refused() {
        for bad in [
            "",
            "master",
            "master:",
            "master:0",
            "master:65536",
            ":2122",
            "[]:1",
            "::1:2122",
            "a b:1",
            "https://master:1",
            "[::1:2122",
        ] {
            assert_eq!(
                bad.parse::<MasterAddress>(),
                Err(MasterAddressError),
                "{bad}"
            );
        }
    }
}
