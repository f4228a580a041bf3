//! `[ftp]`: where clients connect, how many, and how long they may take.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use drftpd_slave::transfer::Network;
use serde::Deserialize;

/// `[ftp]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FtpConfig {
    /// Addresses with ports to listen at; `[::]:21` is for IPv4 as well; port 0 means any free one.
    pub listen: Vec<SocketAddr>,
    /// What the 220 says.
    pub greeting: String,
    /// Names of this site that HOST may say (RFC 7151); empty: any.
    pub hosts: Vec<String>,
    /// Networks of load balancers that tell by the PROXY protocol whom they bring; others are not believed.
    pub proxies: Vec<Network>,
    /// Networks of bouncers that tell by IDNT whom they bring; others are not believed.
    pub bouncers: Vec<Network>,
    /// Control connections at once; the next hears 421.
    pub max_connections: usize,
    /// Control connections at once from one IPv4 address or one IPv6 /64.
    pub max_per_address: usize,
    /// Control connections at once on which nobody is logged in.
    pub max_unauthenticated: usize,
    /// A session without a transfer that says nothing for so long hears 421.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// A connection on which nobody is logged in after so long hears 421.
    #[serde(with = "humantime_serde")]
    pub login_timeout: Duration,
    /// Wrong passwords on one connection before it is closed.
    pub login_tries: u32,
    /// How long the first failed login of a connection takes; each further one takes twice as long, at most
    /// [`FtpConfig::MAX_LOGIN_DELAY`].
    #[serde(with = "humantime_serde")]
    pub login_delay: Duration,
    /// Commands that fail before login until the connection is closed.
    pub max_errors_before_login: u32,
    /// A client that takes nothing of a reply for so long is cut off.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// How long ABOR waits for the slave to say that the transfer is over.
    #[serde(with = "humantime_serde")]
    pub abort_timeout: Duration,
    /// How listings show files of which no copy is online.
    pub offline: Offline,
}

/// How a listing shows a file of which no copy is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offline {
    /// As any other.
    #[default]
    Shown,
    /// With dashes for its mode, and not as one that may be fetched.
    Dashes,
    /// With dashes, and an entry beside it that says so, as DrFTPD does.
    Marked,
    /// Not at all.
    Hidden,
}

impl FtpConfig {
    /// No failed login takes longer than this.
    pub const MAX_LOGIN_DELAY: Duration = Duration::from_secs(8);
}

impl Default for FtpConfig {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 2121))],
            greeting: "drftpd-rs ready".to_owned(),
            hosts: Vec::new(),
            proxies: Vec::new(),
            bouncers: Vec::new(),
            max_connections: 10_000,
            max_per_address: 200,
            max_unauthenticated: 2_000,
            idle_timeout: Duration::from_secs(15 * 60),
            login_timeout: Duration::from_secs(60),
            login_tries: 3,
            login_delay: Duration::from_secs(1),
            max_errors_before_login: 40,
            write_timeout: Duration::from_secs(60),
            abort_timeout: Duration::from_secs(5),
            offline: Offline::Shown,
        }
    }
}

impl Check for FtpConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |is_wrong: bool, key: &str, why: &str| {
            if is_wrong {
                errors.push(ConfigError::new(format!("ftp.{key}"), why));
            }
        };
        wrong(self.listen.is_empty(), "listen", "must name an address");
        let greets_badly = self.greeting.is_empty()
            || self.greeting.len() > 200
            || self.greeting.contains(char::is_control);
        wrong(
            greets_badly,
            "greeting",
            "must be one line of 1 to 200 bytes",
        );
        let no_name =
            |host: &String| host.is_empty() || host.contains(|c: char| c.is_control() || c == ' ');
        wrong(
            self.hosts.iter().any(no_name),
            "hosts",
            "must be names of hosts",
        );
        for (key, count) in [
            ("max_connections", self.max_connections),
            ("max_per_address", self.max_per_address),
            ("max_unauthenticated", self.max_unauthenticated),
            ("login_tries", self.login_tries as usize),
            (
                "max_errors_before_login",
                self.max_errors_before_login as usize,
            ),
        ] {
            wrong(count == 0, key, "must not be 0");
        }
        for (key, time) in [
            ("idle_timeout", self.idle_timeout),
            ("login_timeout", self.login_timeout),
            ("write_timeout", self.write_timeout),
            ("abort_timeout", self.abort_timeout),
        ] {
            wrong(time < Duration::from_secs(1), key, "must be 1s or more");
        }
        wrong(
            self.login_delay > Self::MAX_LOGIN_DELAY,
            "login_delay",
            "must be 8s or less",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_short_section_is_enough() {
        let config: FtpConfig = drftpd_actors::parse(
            "listen = [\"127.0.0.1:0\", \"[::]:2121\"]\nidle_timeout = \"5m\"",
            None,
        )
        .unwrap();
        assert_eq!(config.idle_timeout, Duration::from_secs(300));
        assert_eq!(config.listen.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let text = "listen = []\ngreeting = \"a\\nb\"\nmax_per_address = 0\nidle_timeout = \"0s\"";
        let errors = drftpd_actors::parse::<FtpConfig>(text, None).unwrap_err();
        let mut keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "ftp.greeting",
                "ftp.idle_timeout",
                "ftp.listen",
                "ftp.max_per_address"
            ]
        );
    }
}
