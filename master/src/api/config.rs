//! `[api]`: where the HTTP API listens, and how much of it there is for whom.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use drftpd_actors::{Check, ConfigError};
use serde::Deserialize;

/// A head of a request is never longer than this; hyper's own least is 8 KiB.
pub(super) const MAX_HEAD: usize = 16 * 1024;

/// `[api]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Whether the listener of `[admin]` has the API, too.
    pub on_admin: bool,
    /// Addresses with ports of its own; port 0 means any free one.
    pub listen: Vec<SocketAddr>,
    /// Whether those have TLS; only loopback addresses may have none.
    pub tls: bool,
    /// A certificate of its own, PEM; without it that of `[tls]`.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// Connections at once, on all its listeners.
    pub max_connections: usize,
    /// Connections at once of one address (of one network of 64 bits with IPv6).
    pub max_per_address: usize,
    /// The longest body of a request.
    pub max_body: ByteSize,
    /// How long a request may take to arrive, and how long a connection may wait for its next one.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// Requests a second of one address; twice as many at a time.
    pub address_rate: u32,
    /// Requests a second with one token; twice as many at a time.
    pub token_rate: u32,
    /// How long the first wrong token of an address takes; each further one takes twice as long, at most
    /// [`ApiConfig::MAX_FAILED_DELAY`].
    #[serde(with = "humantime_serde")]
    pub failed_delay: Duration,
    /// Wrong tokens of one address before it hears 429 for `refuse_for`.
    pub max_failed: u32,
    /// How long; and how long wrong tokens are remembered.
    #[serde(with = "humantime_serde")]
    pub refuse_for: Duration,
    /// Who may follow events at once.
    pub max_followers: usize,
    /// Events that are kept for one who follows slowly; what is older is lost for them, and they are told how many.
    pub events_kept: usize,
}

impl ApiConfig {
    /// The longest that a wrong token takes.
    pub const MAX_FAILED_DELAY: Duration = Duration::from_secs(8);
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            on_admin: true,
            listen: Vec::new(),
            tls: true,
            certificate: None,
            key: None,
            max_connections: 256,
            max_per_address: 64,
            max_body: ByteSize::kib(64),
            request_timeout: Duration::from_secs(30),
            address_rate: 100,
            token_rate: 50,
            failed_delay: Duration::from_secs(1),
            max_failed: 10,
            refuse_for: Duration::from_secs(60),
            max_followers: 32,
            events_kept: 1024,
        }
    }
}

impl Check for ApiConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |is_wrong: bool, key: &str, why: &str| {
            if is_wrong {
                errors.push(ConfigError::new(format!("api.{key}"), why));
            }
        };
        let outside = |at: &SocketAddr| !at.ip().to_canonical().is_loopback();
        let open = !self.tls && self.listen.iter().any(outside);
        let why = "must be true beyond loopback: tokens and answers could be read on the way";
        wrong(open, "tls", why);
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
        let none = "must be 1 or more";
        for (key, number) in [
            ("max_connections", self.max_connections),
            ("max_per_address", self.max_per_address),
            ("max_followers", self.max_followers),
        ] {
            wrong(number == 0, key, none);
        }
        let kept = !(16..=65_536).contains(&self.events_kept);
        wrong(kept, "events_kept", "must be 16 to 65536");
        wrong(self.address_rate == 0, "address_rate", none);
        wrong(self.token_rate == 0, "token_rate", none);
        wrong(self.max_failed == 0, "max_failed", none);
        let body = self.max_body < ByteSize::kib(1) || self.max_body > ByteSize::mib(16);
        wrong(body, "max_body", "must be 1KiB to 16MiB");
        let long = self.failed_delay > Self::MAX_FAILED_DELAY;
        wrong(long, "failed_delay", "must be 8s or less");
        for (key, time) in [
            ("request_timeout", self.request_timeout),
            ("refuse_for", self.refuse_for),
        ] {
            wrong(time < Duration::from_secs(1), key, "must be 1s or more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        for (text, key) in [
            (
                "tls = false\nlisten = [\"127.0.0.1:1\", \"0.0.0.0:8022\"]",
                "api.tls",
            ),
            ("certificate = \"a.pem\"", "api.key"),
            ("key = \"a.pem\"", "api.certificate"),
            ("max_body = \"1GiB\"", "api.max_body"),
            ("failed_delay = \"9s\"", "api.failed_delay"),
            ("request_timeout = \"0s\"", "api.request_timeout"),
            ("token_rate = 0", "api.token_rate"),
            ("events_kept = 1", "api.events_kept"),
        ] {
            let errors = drftpd_actors::parse::<ApiConfig>(text, None).unwrap_err();
            let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
            assert_eq!(keys, [key], "{text}");
        }
        let plain =
            "tls = false\nlisten = [\"127.0.0.1:0\", \"[::1]:0\", \"[::ffff:127.0.0.1]:0\"]";
        assert!(drftpd_actors::parse::<ApiConfig>(plain, None).is_ok());
    }
}
