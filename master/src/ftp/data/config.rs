//! `[passive]`, where clients connect to the master itself, and `[data]`, how long data connections may take.

use std::net::IpAddr;
use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use drftpd_slave::transfer::PortRange;
use serde::Deserialize;

/// What becomes of a PASV or EPSV that no PRET announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WithoutPret {
    /// The master listens; what a slave has to do with it is forwarded.
    #[default]
    Relay,
    /// It is refused, and the client told of PRET. Some clients then turn to PORT by themselves.
    Refuse,
}

/// What becomes of an EPSV whose announced transfer a slave serves that has another address than the client knows: 229
/// names only a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EpsvAfterPret {
    /// The master listens and forwards.
    #[default]
    Relay,
    /// It is refused and PRET stays, so that a client goes on with PASV, which names the slave.
    Refuse,
}

/// `[passive]`: data connections that arrive at the master.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PassiveConfig {
    /// Ports to listen at, shared with whoever uses them too; `"0"` takes any free one.
    pub ports: PortRange,
    /// Address to listen at, for connections of its family; without it the one at which the client's control
    /// connection came in.
    pub address: Option<IpAddr>,
    /// Address that 227 names; without it the one at which the client's control connection came in.
    pub announce_address: Option<IpAddr>,
    /// Ports that clients are told, one for each of `ports` (a router that maps ports).
    pub announce_ports: Option<PortRange>,
    /// What becomes of PASV and EPSV without PRET.
    pub without_pret: WithoutPret,
    /// What becomes of EPSV after PRET where it could not lead to the slave.
    pub epsv_after_pret: EpsvAfterPret,
    /// Transfers forwarded at once; the next hears 450.
    pub relay_max: usize,
}

impl Default for PassiveConfig {
    fn default() -> Self {
        Self {
            ports: PortRange::new(50_000, 50_999).unwrap_or(PortRange::ANY),
            address: None,
            announce_address: None,
            announce_ports: None,
            without_pret: WithoutPret::default(),
            epsv_after_pret: EpsvAfterPret::default(),
            relay_max: 256,
        }
    }
}

impl Check for PassiveConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |is_wrong: bool, key: &str, why: &str| {
            if is_wrong {
                errors.push(ConfigError::new(format!("passive.{key}"), why));
            }
        };
        let nowhere =
            |address: Option<IpAddr>| address.is_some_and(|address| address.is_unspecified());
        wrong(
            nowhere(self.announce_address),
            "announce_address",
            "must be an address that clients can connect to",
        );
        let other_count = |announced: PortRange| announced.count() != self.ports.count();
        wrong(
            self.announce_ports.is_some_and(other_count),
            "announce_ports",
            "must have as many ports as passive.ports",
        );
        let relays = self.without_pret == WithoutPret::Relay;
        wrong(
            relays && self.relay_max == 0,
            "relay_max",
            "must not be 0 while without_pret is \"relay\"",
        );
    }
}

/// Each of them is remembered.
const MOST_FAILED_DIALS: usize = 1000;

/// `[data]`: how long data connections may take, wherever they end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// How long the other end of a data connection may take to appear; as long a slave that was announced by 227
    /// waits for the transfer.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// A transfer of which no byte moves for so long is ended.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// How long a slave may take to open a port.
    #[serde(with = "humantime_serde")]
    pub open_timeout: Duration,
    /// Dials (PORT, EPRT) that may fail within a minute, for one user at one address; the next one is not tried until
    /// one of them was a minute ago, and hears what a failed one hears. 0: any number.
    pub failed_dials: usize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(120),
            open_timeout: Duration::from_secs(10),
            failed_dials: 10,
        }
    }
}

impl Check for DataConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        for (key, time) in [
            ("connect_timeout", self.connect_timeout),
            ("stall_timeout", self.stall_timeout),
            ("open_timeout", self.open_timeout),
        ] {
            if time < Duration::from_secs(1) {
                errors.push(ConfigError::new(
                    format!("data.{key}"),
                    "must be 1s or more",
                ));
            }
        }
        if self.failed_dials > MOST_FAILED_DIALS {
            let why = format!("must be {MOST_FAILED_DIALS} at most, or 0 for any number");
            errors.push(ConfigError::new("data.failed_dials", why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys<T: serde::de::DeserializeOwned + Check + std::fmt::Debug>(text: &str) -> Vec<String> {
        let errors = drftpd_actors::parse::<T>(text, None).unwrap_err();
        let mut keys: Vec<_> = errors.into_iter().map(|error| error.key).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn empty_sections_are_enough() {
        let passive: PassiveConfig = drftpd_actors::parse("", None).unwrap();
        assert_eq!(passive.ports.to_string(), "50000-50999");
        assert_eq!(passive.without_pret, WithoutPret::Relay);
        assert_eq!(
            drftpd_actors::parse::<DataConfig>("", None).unwrap(),
            DataConfig::default()
        );
    }

    #[test]
    fn settings_are_read() {
        let text = "ports = \"2000-2009\"\nannounce_ports = \"3000-3009\"\naddress = \"10.0.0.1\"\n\
                    announce_address = \"192.0.2.1\"\nwithout_pret = \"refuse\"\nrelay_max = 0";
        let passive: PassiveConfig = drftpd_actors::parse(text, None).unwrap();
        assert_eq!(passive.without_pret, WithoutPret::Refuse);
        assert_eq!(passive.ports.count(), 10);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let text = "announce_address = \"0.0.0.0\"\nannounce_ports = \"1-2\"\nrelay_max = 0";
        assert_eq!(
            keys::<PassiveConfig>(text),
            [
                "passive.announce_address",
                "passive.announce_ports",
                "passive.relay_max"
            ]
        );
        assert_eq!(
            keys::<DataConfig>("stall_timeout = \"0s\"\nfailed_dials = 1001"),
            ["data.failed_dials", "data.stall_timeout"]
        );
    }
}
