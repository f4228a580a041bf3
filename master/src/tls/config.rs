//! `[tls]`: the certificate that FTP clients see, and where TLS must, may or must not be.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::wire::Resumption;
use rustls_pki_types::ServerName;
use serde::Deserialize;

use super::policy::{Policy, Rules};
use super::rules::Rule;
use crate::accounts::who;
use crate::acme::AcmeConfig;

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
    /// Whether clients are asked for a certificate of their own on control connections.
    pub client_certificates: bool,
    /// What is different for some users, groups or networks; the first that speaks of client and user decides.
    pub rules: Vec<Rule>,
    /// How long a handshake may take.
    #[serde(with = "humantime_serde")]
    pub handshake_timeout: Duration,
    /// How often the files of certificate and key are looked at for a change.
    #[serde(with = "humantime_serde")]
    pub look_every: Duration,
    /// The authority that gives the certificate; without it nothing is ordered.
    pub acme: Option<AcmeConfig>,
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

/// For a rule, which may leave it out.
pub(super) fn some_resumption<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Resumption>, D::Error> {
    resumption(from).map(Some)
}

impl TlsConfig {
    /// What holds where no rule decides.
    pub(super) fn everybody(&self) -> Rules {
        Rules {
            login: self.login,
            listings: self.listings,
            data: self.data,
            resumption: self.data_resumption,
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
            client_certificates: false,
            rules: Vec::new(),
            handshake_timeout: Duration::from_secs(10),
            look_every: Duration::from_secs(60),
            acme: None,
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
        wrong(
            self.certificate.is_some() && self.acme.is_some(),
            "acme",
            "cannot be named together with certificate and key",
        );
        for (at, name) in self.names.iter().enumerate() {
            let bad = ServerName::try_from(name.as_str()).is_err();
            let key = format!("names[{at}]");
            wrong(bad, &key, "must be a host name or an address");
        }
        let rules = self.rules.iter().enumerate();
        let rules = rules.map(|(at, rule)| (format!("rules[{at}]."), rule.over(self.everybody())));
        let all = std::iter::once((String::new(), self.everybody())).chain(rules);
        for (prefix, rules) in all {
            for (key, policy) in [("listings", rules.listings), ("data", rules.data)] {
                let cannot = rules.login == Policy::Refused && policy == Policy::Required;
                let why = "cannot be required where login refuses TLS";
                wrong(cannot, &format!("{prefix}{key}"), why);
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let key = format!("rules[{at}].users");
            let bad = !rule.users.iter().all(|token| who::is_token(token));
            wrong(bad, &key, "must be like \"*\", \"-user\", \"=group\"");
            let of_all = rule.users.is_empty() && rule.networks.is_empty();
            let why = "must be named, or networks; what holds for everybody stands above";
            wrong(of_all, &key, why);
        }
        for (key, time) in [
            ("handshake_timeout", self.handshake_timeout),
            ("look_every", self.look_every),
        ] {
            wrong(time < Duration::from_secs(1), key, "must be 1s or more");
        }
        if let Some(acme) = &self.acme {
            acme.check(errors);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        for (text, key) in [
            ("certificate = \"a.pem\"", "tls.key"),
            ("key = \"a.pem\"", "tls.certificate"),
            ("names = [\"a.example\", \"no name\"]", "tls.names[1]"),
            ("login = \"refused\"\ndata = \"required\"", "tls.data"),
            ("handshake_timeout = \"0s\"", "tls.handshake_timeout"),
            ("[[rules]]\nlogin = \"allowed\"", "tls.rules[0].users"),
            ("[[rules]]\nusers = [\"=x\", \"bob\"]", "tls.rules[0].users"),
            (
                "listings = \"required\"\n[[rules]]\nnetworks = [\"::1\"]\nlogin = \"refused\"",
                "tls.rules[0].listings",
            ),
        ] {
            let errors = drftpd_actors::parse::<TlsConfig>(text, None).unwrap_err();
            let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
            assert_eq!(keys, [key], "{text}");
        }
        for text in [
            "login = \"maybe\"",
            "[[rules]]\nnetworks = [\"10.0.0.0/33\"]",
        ] {
            assert!(
                drftpd_actors::parse::<TlsConfig>(text, None).is_err(),
                "{text}"
            );
        }
    }
}
