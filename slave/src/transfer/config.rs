//! `[transfer]` of the slave's configuration: ports, addresses and limits of data connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytesize::ByteSize;
use drftpd_protocol::wire::Family;
use serde::{Deserialize, Serialize};

use super::peers::Network;
use super::ports::PortRange;

/// `[transfer]`: how this slave carries data connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransferConfig {
    /// Ports that passive data connections arrive at. Several slaves of one machine may share a
    /// range; `"0"` takes any port the system has.
    pub passive_ports: PortRange,
    /// Address to listen on, for channels of its family; channels of the other family, and all
    /// without it, listen on every address.
    pub bind: Option<IpAddr>,
    /// Address that clients are told; without it the one that the master sees the slave at.
    pub announce_address: Option<IpAddr>,
    /// Ports that clients are told, one for each of `passive_ports` (a router that maps ports).
    pub announce_ports: Option<PortRange>,
    /// Data channels at a time.
    pub max_transfers: u32,
    /// Bytes per second of all transfers together that send; without a limit where it is not set.
    pub send_rate: Option<ByteSize>,
    /// The same of those that receive.
    pub receive_rate: Option<ByteSize>,
    /// How often the master hears how far transfers are.
    #[serde(with = "humantime_serde")]
    pub progress_every: Duration,
    /// Address that active data connections come from.
    pub dial_from: Option<IpAddr>,
    /// Networks that are never dialled, beside those that cannot be clients (multicast,
    /// link-local, …; see `peers.rs`). Empty: loopback and private addresses are dialled.
    pub deny_dial: Vec<Network>,
    /// How long a client that took a whole file may take to close its side where the system cannot say whether
    /// everything arrived.
    #[serde(with = "humantime_serde")]
    pub close_wait: Duration,
}

/// A key of `[transfer]` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct TransferConfigError {
    /// The key, with its section.
    pub key: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Default for TransferConfig {
    fn default() -> Self {
        TransferConfig {
            passive_ports: DEFAULT_PORTS,
            bind: None,
            announce_address: None,
            announce_ports: None,
            max_transfers: 1000,
            send_rate: None,
            receive_rate: None,
            progress_every: Duration::from_millis(500),
            dial_from: None,
            deny_dial: Vec::new(),
            close_wait: Duration::from_millis(500),
        }
    }
}

/// `50000-50999`.
const DEFAULT_PORTS: PortRange = match PortRange::new(50000, 50999) {
    Ok(range) => range,
    Err(_) => PortRange::ANY,
};

impl TransferConfig {
    /// Looks for what cannot work together.
    ///
    /// # Errors
    /// The key and the reason.
    pub fn check(&self) -> Result<(), TransferConfigError> {
        let bad = |key, why| Err(TransferConfigError { key, why });
        if let Some(outside) = self.announce_ports
            && outside.count() != self.passive_ports.count()
        {
            return bad(
                "transfer.announce_ports",
                "must be as many as passive_ports",
            );
        }
        if self.max_transfers == 0 {
            return bad("transfer.max_transfers", "must not be zero");
        }
        for (key, rate) in [
            ("transfer.send_rate", self.send_rate),
            ("transfer.receive_rate", self.receive_rate),
        ] {
            if rate.is_some_and(|rate| rate.as_u64() == 0) {
                return bad(key, "must not be 0");
            }
        }
        if self.progress_every.is_zero() {
            return bad("transfer.progress_every", "must not be zero");
        }
        if self.announce_address.is_some_and(|ip| ip.is_unspecified()) {
            return bad(
                "transfer.announce_address",
                "must be the address of one machine",
            );
        }
        Ok(())
    }

    /// The address that channels of this family listen on.
    pub fn listen_address(&self, family: Family) -> IpAddr {
        match (self.bind, family) {
            (Some(bind @ IpAddr::V4(_)), Family::V4) | (Some(bind @ IpAddr::V6(_)), Family::V6) => {
                bind
            }
            (_, Family::V4) => Ipv4Addr::UNSPECIFIED.into(),
            (_, Family::V6) => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// The port that clients are told for one that is listened on.
    pub fn announced_port(&self, port: u16) -> u16 {
        match self.announce_ports {
            Some(outside) => self.passive_ports.seen_as(port, outside),
            None => port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TransferConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn an_empty_section_is_the_default() {
        assert_eq!(read("").unwrap(), TransferConfig::default());
        assert_eq!(
            TransferConfig::default().passive_ports.to_string(),
            "50000-50999"
        );
        assert_eq!(TransferConfig::default().check(), Ok(()));
    }

    #[test]
    fn a_full_section_is_read_and_written_back() {
        let config = read(
            r#"
            passive_ports = "50000-50099"
            bind = "127.0.0.1"
            announce_address = "192.0.2.1"
            announce_ports = "60000-60099"
            max_transfers = 9
            progress_every = "250ms"
            dial_from = "127.0.0.1"
            deny_dial = ["10.0.0.0/8", "::1"]
            close_wait = "1s"
            "#,
        )
        .unwrap();
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.announced_port(50007), 60007);
        assert_eq!(read(&toml::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused() {
        for bad in [
            "passiv_ports = \"1-2\"",
            "passive_ports = \"2-1\"",
            "deny_dial = [\"x\"]",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        for (text, key) in [
            ("announce_ports = \"1-2\"", "transfer.announce_ports"),
            ("max_transfers = 0", "transfer.max_transfers"),
            ("progress_every = \"0s\"", "transfer.progress_every"),
            (
                "announce_address = \"0.0.0.0\"",
                "transfer.announce_address",
            ),
        ] {
            assert_eq!(read(text).unwrap().check().unwrap_err().key, key);
        }
    }

    #[test]
    fn the_other_family_listens_everywhere() {
        let config = read("bind = \"127.0.0.1\"").unwrap();
        assert_eq!(config.listen_address(Family::V4).to_string(), "127.0.0.1");
        assert_eq!(config.listen_address(Family::V6).to_string(), "::");
    }
}
