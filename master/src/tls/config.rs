//! `[tls]`: the certificate that FTP clients see, and where TLS must, may or must not be.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::wire::Resumption;
use drftpd_slave::transfer::Network;
use rustls_pki_types::ServerName;
use serde::Deserialize;

use super::policy::{Policy, Rules};
use crate::accounts::Account;

/// `[tls]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and those between it and its authority, PEM; without it one is made at the first start.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// Host names and addresses that a certificate of the master's own is for, beside those where it listens.
    pub names: Vec<String>,
    /// Addresses with ports where TLS begins at once; port 0 means any free one.
    pub listen_implicit: Vec<SocketAddr>,
    /// Whether a login needs TLS.
    pub login: Policy,
    /// Whether listings need TLS.
    pub listings: Policy,
    /// Whether files need TLS.
    pub data: Policy,
    /// Whether data connections have to resume the TLS session of their control connection.
    #[serde(deserialize_with = "resumption")]
    pub data_resumption: Resumption,
    /// What is different for clients of these networks; the first that fits counts.
    pub networks: Vec<NetworkRules>,
    /// How long a handshake may take.
    #[serde(with = "humantime_serde")]
    pub handshake_timeout: Duration,
    /// How often the files of certificate and key are looked at for a change.
    #[serde(with = "humantime_serde")]
    pub look_every: Duration,
}

/// What is different for clients of some networks; what is not named is as for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRules {
    /// Where the clients are.
    pub from: Vec<Network>,
    /// Whether a login needs TLS.
    pub login: Option<Policy>,
    /// Whether listings need TLS.
    pub listings: Option<Policy>,
    /// Whether files need TLS.
    pub data: Option<Policy>,
    /// Whether data connections have to resume the TLS session of their control connection.
    #[serde(default, deserialize_with = "some_resumption")]
    pub data_resumption: Option<Resumption>,
}

/// As the configuration calls it.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    Required,
    Offered,
    Off,
}

fn resumption<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Resumption, D::Error> {
    Ok(match Named::deserialize(from)? {
        Named::Required => Resumption::Required,
        Named::Offered => Resumption::Offered,
        Named::Off => Resumption::Off,
    })
}

fn some_resumption<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Resumption>, D::Error> {
    resumption(from).map(Some)
}

impl TlsConfig {
    /// What holds for a client at an address, and for whoever is logged in there.
    pub fn rules(&self, client: IpAddr, _account: Option<&Account>) -> Rules {
        let fits = |rules: &&NetworkRules| rules.from.iter().any(|net| net.contains(client));
        let there = self.networks.iter().find(fits);
        there.map_or_else(|| self.everybody(), |there| self.there(there))
    }

    fn everybody(&self) -> Rules {
        Rules {
            login: self.login,
            listings: self.listings,
            data: self.data,
            resumption: self.data_resumption,
        }
    }

    fn there(&self, there: &NetworkRules) -> Rules {
        let everybody = self.everybody();
        Rules {
            login: there.login.unwrap_or(everybody.login),
            listings: there.listings.unwrap_or(everybody.listings),
            data: there.data.unwrap_or(everybody.data),
            resumption: there.data_resumption.unwrap_or(everybody.resumption),
        }
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            names: Vec::new(),
            listen_implicit: Vec::new(),
            login: Policy::Allowed,
            listings: Policy::Allowed,
            data: Policy::Allowed,
            data_resumption: Resumption::Offered,
            networks: Vec::new(),
            handshake_timeout: Duration::from_secs(10),
            look_every: Duration::from_secs(60),
        }
    }
}

impl Check for TlsConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |is_wrong: bool, key: &str, why: &str| {
            if is_wrong {
                errors.push(ConfigError::new(format!("tls.{key}"), why));
            }
        };
        let together = "must be named together with the other of certificate and key";
        wrong(
            self.certificate.is_some() && self.key.is_none(),
            "key",
            together,
        );
        wrong(
            self.key.is_some() && self.certificate.is_none(),
            "certificate",
            together,
        );
        for (at, name) in self.names.iter().enumerate() {
            let bad = ServerName::try_from(name.as_str()).is_err();
            let key = format!("names[{at}]");
            wrong(bad, &key, "must be a host name or an address");
        }
        let networks = self.networks.iter().enumerate();
        let networks = networks.map(|(at, of)| (format!("networks[{at}]."), self.there(of)));
        let all = std::iter::once((String::new(), self.everybody())).chain(networks);
        for (prefix, rules) in all {
            for (key, policy) in [("listings", rules.listings), ("data", rules.data)] {
                let cannot = rules.login == Policy::Refused && policy == Policy::Required;
                let why = "cannot be required where login refuses TLS";
                wrong(cannot, &format!("{prefix}{key}"), why);
            }
        }
        for (at, rules) in self.networks.iter().enumerate() {
            let key = format!("networks[{at}].from");
            wrong(rules.from.is_empty(), &key, "must name a network");
        }
        for (key, time) in [
            ("handshake_timeout", self.handshake_timeout),
            ("look_every", self.look_every),
        ] {
            wrong(time < Duration::from_secs(1), key, "must be 1s or more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCANNERS: &str = "login = \"required\"\ndata = \"required\"\n\
        [[networks]]\nfrom = [\"10.1.0.0/16\", \"fd00::7\"]\nlogin = \"allowed\"\ndata = \"allowed\"\n\
        [[networks]]\nfrom = [\"10.0.0.0/8\"]\nlistings = \"required\"\ndata_resumption = \"required\"\n";

    #[test]
    fn the_first_network_that_fits_says_what_is_different() {
        let config: TlsConfig = drftpd_actors::parse(SCANNERS, None).unwrap();
        let at = |ip: &str| config.rules(ip.parse().unwrap(), None);
        assert_eq!(at("192.0.2.1"), config.everybody());
        for scanner in ["10.1.2.3", "fd00::7", "::ffff:10.1.0.1"] {
            let rules = at(scanner);
            assert_eq!(
                (rules.login, rules.data, rules.listings),
                (Policy::Allowed, Policy::Allowed, Policy::Allowed)
            );
        }
        let rules = at("10.2.0.1");
        assert_eq!(
            (rules.login, rules.listings),
            (Policy::Required, Policy::Required)
        );
        assert_eq!(rules.resumption, Resumption::Required);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        for (text, key) in [
            ("certificate = \"a.pem\"", "tls.key"),
            ("key = \"a.pem\"", "tls.certificate"),
            ("names = [\"a.example\", \"no name\"]", "tls.names[1]"),
            ("login = \"refused\"\ndata = \"required\"", "tls.data"),
            ("handshake_timeout = \"0s\"", "tls.handshake_timeout"),
            ("[[networks]]\nfrom = []", "tls.networks[0].from"),
            (
                "listings = \"required\"\n[[networks]]\nfrom = [\"::1\"]\nlogin = \"refused\"",
                "tls.networks[0].listings",
            ),
        ] {
            let errors = drftpd_actors::parse::<TlsConfig>(text, None).unwrap_err();
            let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
            assert_eq!(keys, [key], "{text}");
        }
        for text in [
            "login = \"maybe\"",
            "[[networks]]\nfrom = [\"10.0.0.0/33\"]",
        ] {
            assert!(
                drftpd_actors::parse::<TlsConfig>(text, None).is_err(),
                "{text}"
            );
        }
    }
}
