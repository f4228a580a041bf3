//! Who may have which other hosts at the other end of a data connection (FXP): the rules of `[fxp]`, for a user and a
//! resolved path.
//!
//! The first rule that speaks of user and path decides; of whom none speaks, the permissions do ([`crate::rights`]), which
//! may also forbid what a rule allows.

use std::net::IpAddr;

use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::wire::PeerRule;
use drftpd_protocol::{Network, VfsPath};
use serde::Deserialize;

use crate::accounts::{Account, Action, who};
use crate::config::directories;
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::transfer::Direction;

/// `[fxp]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FxpConfig {
    /// Networks that are never at the other end, whoever asks; a client itself is not another host.
    pub deny: Vec<Network>,
    /// Rules; the first that speaks of user and path decides.
    pub rules: Vec<FxpRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FxpRule {
    /// Of whom it speaks: `*`, `-user`, `=group`, each with `!` in front for the contrary; the first that fits decides.
    pub users: Vec<String>,
    /// Directories at and below which it holds; empty: everywhere.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Networks of the other hosts; empty: any that is no neighbour of the cluster alone.
    #[serde(default)]
    pub peers: Vec<Network>,
    /// Whether they may.
    #[serde(default = "yes")]
    pub allow: bool,
}

fn yes() -> bool {
    true
}

/// Which other hosts somebody may have at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fxp<'a> {
    /// None.
    No,
    /// Any, but for those denied.
    Any {
        /// Never.
        deny: &'a [Network],
    },
    /// Those of these networks, but for those denied.
    Among {
        /// Those.
        peers: &'a [Network],
        /// Never.
        deny: &'a [Network],
    },
}

impl FxpConfig {
    fn of(&self, who: &Account, path: &VfsPath, otherwise: bool) -> Fxp<'_> {
        let deny = &self.deny;
        let rule = self.rules.iter().find(|rule| rule.speaks_of(who, path));
        match rule {
            Some(rule) if !rule.allow => Fxp::No,
            Some(FxpRule { peers, .. }) if !peers.is_empty() => Fxp::Among { peers, deny },
            None if !otherwise => Fxp::No,
            _ => Fxp::Any { deny },
        }
    }
}

impl FxpRule {
    fn speaks_of(&self, who: &Account, path: &VfsPath) -> bool {
        who::speaks_of(&self.users, who) && directories::hold_for(&self.paths, path)
    }
}

/// Which other hosts the user may have for a resolved path; without a direction: in either. What may not be seen has none.
pub fn of<'a>(cx: &'a VerbCx, path: &VfsPath, direction: Option<Direction>) -> Fxp<'a> {
    let Ok(account) = cx.account() else {
        return Fxp::No;
    };
    let rules = cx.services.rights.rules();
    let denied = |direction| rules.denies_fxp(account, path, direction);
    let denied = match direction {
        Some(direction) => denied(direction),
        None => denied(Direction::Upload) && denied(Direction::Download),
    };
    let otherwise = match cx.may(Action::Fxp, path) {
        Ok(()) => true,
        Err(FtpError::Denied) => false,
        Err(_) => return Fxp::No,
    };
    if denied {
        return Fxp::No;
    }
    cx.services.data.fxp.of(account, path, otherwise)
}

impl Fxp<'_> {
    /// Who may connect: the client, and those.
    pub fn who_may_connect(self, client: IpAddr) -> PeerRule {
        let client = client.to_canonical();
        match self {
            Self::No => PeerRule::Only(client),
            Self::Any { deny: [] } => PeerRule::Any,
            Self::Any { deny } => PeerRule::Among {
                client,
                allow: Vec::new(),
                deny: deny.to_vec(),
            },
            Self::Among { peers, deny } => PeerRule::Among {
                client,
                allow: peers.to_vec(),
                deny: deny.to_vec(),
            },
        }
    }
}

impl Check for FxpConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        for (at, rule) in self.rules.iter().enumerate() {
            let mut wrong = |is_wrong: bool, key: &str, why: &str| {
                if is_wrong {
                    errors.push(ConfigError::new(format!("fxp.rules[{at}].{key}"), why));
                }
            };
            let tokens = rule.users.iter().all(|token| who::is_token(token));
            let users = !rule.users.is_empty() && tokens;
            wrong(!users, "users", "must be like \"*\", \"-user\", \"=group\"");
            let paths = directories::are_sound(&rule.paths);
            wrong(!paths, "paths", "must be directories that begin with /");
            let both = !rule.allow && !rule.peers.is_empty();
            wrong(both, "peers", "must be left out where nothing is allowed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        deny = ["203.0.113.7"]
        rules = [
            { users = ["!-eve", "=trusted"], paths = ["/in"], peers = ["203.0.113.0/24"] },
            { users = ["-bob"], paths = ["/private"], allow = false },
            { users = ["-bob"] },
        ]
    "#;

    #[test]
    fn the_first_rule_that_speaks_of_user_and_path_decides() {
        let config: FxpConfig = drftpd_actors::parse(TEXT, None).unwrap();
        let of = |name: &str, group: &str, path: &str, otherwise: bool| {
            let path = VfsPath::absolute(path.as_bytes()).unwrap();
            match config.of(&Account::of_test(name, group), &path, otherwise) {
                Fxp::No => "no",
                Fxp::Any { .. } => "any",
                Fxp::Among { .. } => "some",
            }
        };
        assert_eq!(of("ann", "trusted", "/in/x", false), "some");
        assert_eq!(of("ann", "trusted", "/in", false), "some");
        assert_eq!(of("ann", "trusted", "/inner", false), "no");
        assert_eq!(of("eve", "trusted", "/in/x", false), "no");
        assert_eq!(of("bob", "users", "/private/x", true), "no");
        assert_eq!(of("bob", "users", "/x", false), "any");
        assert_eq!(of("eve", "trusted", "/in/x", true), "any");
        assert_eq!(of("ann", "users", "/in/x", false), "no");
    }

    #[test]
    fn denied_hosts_are_not_let_in_but_the_client_always_is() {
        let config: FxpConfig = drftpd_actors::parse(TEXT, None).unwrap();
        let path = VfsPath::absolute(b"/in").unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let client = ip("203.0.113.7");
        let rule = |name: &str, group: &str| {
            let fxp = config.of(&Account::of_test(name, group), &path, false);
            fxp.who_may_connect(client)
        };
        let some = rule("ann", "trusted");
        assert!(some.holds(client) && some.holds(ip("203.0.113.9")));
        assert!(!some.holds(ip("192.0.2.1")));
        let any = rule("bob", "users");
        assert!(any.holds(client) && any.holds(ip("192.0.2.1")));
        let near = config.of(&Account::of_test("bob", "users"), &path, false);
        assert!(!near.who_may_connect(ip("192.0.2.1")).holds(client));
        assert_eq!(rule("carl", "users"), PeerRule::Only(client));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let text =
            r#"rules = [ { users = ["bob"], paths = ["x"], peers = ["::/0"], allow = false } ]"#;
        let errors = drftpd_actors::parse::<FxpConfig>(text, None).unwrap_err();
        let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "fxp.rules[0].users",
                "fxp.rules[0].paths",
                "fxp.rules[0].peers"
            ]
        );
        assert!(drftpd_actors::parse::<FxpConfig>("rules = [ {} ]", None).is_err());
    }
}
