//! `tls.rules`: what is different for some users, groups or networks of clients. Pure.
//!
//! The first rule that speaks of the client *and* of the user decides, whether it is about one or the other; what it
//! leaves out is as for everybody. Before the password is known to be right it is not known who the user is, so that
//! several rules may hold.

use std::net::IpAddr;

use drftpd_protocol::Network;
use drftpd_protocol::wire::Resumption;
use serde::Deserialize;

use super::config::{TlsConfig, some_resumption};
use super::policy::{Policy, Rules};
use crate::accounts::{Account, who};

/// What is different for some; what is not named is as for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Of whom it speaks: `*`, `-user`, `=group`, each with `!` in front for the contrary; empty: of everybody.
    #[serde(default)]
    pub users: Vec<String>,
    /// Where the clients are; empty: anywhere.
    #[serde(default)]
    pub networks: Vec<Network>,
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

impl Rule {
    fn is_for(&self, client: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|net| net.contains(client))
    }

    fn speaks_of(&self, who: &Account) -> bool {
        self.users.is_empty() || who::speaks_of(&self.users, who)
    }

    /// What holds where it decides.
    pub(super) fn over(&self, everybody: Rules) -> Rules {
        Rules {
            login: self.login.unwrap_or(everybody.login),
            listings: self.listings.unwrap_or(everybody.listings),
            data: self.data.unwrap_or(everybody.data),
            resumption: self.data_resumption.unwrap_or(everybody.resumption),
        }
    }
}

impl TlsConfig {
    /// What holds for somebody whose client is there.
    pub fn rules(&self, client: IpAddr, who: &Account) -> Rules {
        let fits = |rule: &&Rule| rule.is_for(client) && rule.speaks_of(who);
        let decides = self.rules.iter().find(fits);
        decides.map_or_else(|| self.everybody(), |rule| rule.over(self.everybody()))
    }

    /// What may hold for whoever it is whose client is there, in the order of the rules. Never empty.
    pub fn possible(&self, client: IpAddr) -> Vec<Rules> {
        let mut all = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.is_for(client)) {
            all.push(rule.over(self.everybody()));
            if rule.users.is_empty() {
                return all;
            }
        }
        all.push(self.everybody());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Policy::{Allowed, Refused, Required};

    const TEXT: &str = r#"
        login = "required"
        data = "required"
        [[rules]]
        users = ["-root", "=staff"]
        listings = "required"
        data_resumption = "required"
        [[rules]]
        networks = ["10.1.0.0/16", "fd00::7"]
        login = "allowed"
        data = "allowed"
        [[rules]]
        users = ["!-eve", "=scanners"]
        login = "allowed"
        data = "refused"
        [[rules]]
        users = ["=scanners"]
        networks = ["10.0.0.0/8"]
        data = "allowed"
    "#;

    #[test]
    fn the_first_rule_that_speaks_of_client_and_user_decides() {
        let config: TlsConfig = drftpd_actors::parse(TEXT, None).unwrap();
        for (client, name, group, login, listings, data, resumption) in [
            (
                "192.0.2.1",
                "bob",
                "users",
                Required,
                Allowed,
                Required,
                Resumption::Offered,
            ),
            (
                "192.0.2.1",
                "root",
                "users",
                Required,
                Required,
                Required,
                Resumption::Required,
            ),
            // The user's rule stands before that of the network.
            (
                "10.1.0.1",
                "root",
                "users",
                Required,
                Required,
                Required,
                Resumption::Required,
            ),
            (
                "10.1.0.1",
                "ann",
                "staff",
                Required,
                Required,
                Required,
                Resumption::Required,
            ),
            (
                "10.1.0.1",
                "bob",
                "users",
                Allowed,
                Allowed,
                Allowed,
                Resumption::Offered,
            ),
            (
                "fd00::7",
                "bob",
                "users",
                Allowed,
                Allowed,
                Allowed,
                Resumption::Offered,
            ),
            (
                "::ffff:10.1.0.1",
                "bob",
                "users",
                Allowed,
                Allowed,
                Allowed,
                Resumption::Offered,
            ),
            (
                "192.0.2.1",
                "one",
                "scanners",
                Allowed,
                Allowed,
                Refused,
                Resumption::Offered,
            ),
            // In a group, but excepted; and then both conditions of a rule must be met.
            (
                "192.0.2.1",
                "eve",
                "scanners",
                Required,
                Allowed,
                Required,
                Resumption::Offered,
            ),
            (
                "10.2.0.1",
                "eve",
                "scanners",
                Required,
                Allowed,
                Allowed,
                Resumption::Offered,
            ),
        ] {
            let want = Rules {
                login,
                listings,
                data,
                resumption,
            };
            let rules = config.rules(client.parse().unwrap(), &Account::of_test(name, group));
            assert_eq!(rules, want, "{name} of {group} at {client}");
        }
    }

    #[test]
    fn what_may_hold_ends_with_the_first_rule_for_everybody_there() {
        let config: TlsConfig = drftpd_actors::parse(TEXT, None).unwrap();
        let logins = |client: &str| {
            let possible = config.possible(client.parse().unwrap());
            possible.iter().map(|rules| rules.login).collect::<Vec<_>>()
        };
        assert_eq!(logins("10.1.0.1"), [Required, Allowed]);
        assert_eq!(logins("192.0.2.1"), [Required, Allowed, Required]);
        assert_eq!(logins("10.2.0.1"), [Required, Allowed, Required, Required]);
        assert_eq!(
            TlsConfig::default().possible([192, 0, 2, 1].into()).len(),
            1
        );
    }

    #[test]
    fn whoever_may_be_known_is_judged_as_one_of_those_that_may_be() {
        let config: TlsConfig = drftpd_actors::parse(TEXT, None).unwrap();
        for client in ["192.0.2.1", "10.1.0.1", "10.2.0.1"] {
            let client = client.parse().unwrap();
            for who in [
                Account::of_test("root", "users"),
                Account::of_test("one", "scanners"),
                Account::of_test("eve", "scanners"),
                Account::of_test("bob", "users"),
            ] {
                let possible = config.possible(client);
                assert!(possible.contains(&config.rules(client, &who)), "{who:?}");
            }
        }
    }
}
