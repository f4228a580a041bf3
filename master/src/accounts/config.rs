//! `[accounts]`: how dear one check of a password is, who is let in, and what becomes of those who guess.

use std::time::Duration;

use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::Network;
use serde::{Deserialize, Serialize};

use super::limits::Unit;
use super::policy::{MaskRule, PasswordRule};
use super::ratio::Ratio;
use super::{Account, names, who};

/// `[accounts]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountsConfig {
    /// Memory that one check of a password takes (argon2id), in KiB.
    pub hash_memory_kib: u32,
    /// How often that memory is gone over.
    pub hash_rounds: u32,
    /// Checks at the same time; 0: one less than the machine has processors.
    pub hash_workers: usize,
    /// Logins that may wait for their check; the next hears 421. A thirty-second part of it is for addresses from
    /// which nobody has logged in lately: whoever guesses does not hold up the others.
    pub hash_queue: usize,
    /// Whether administrators' data connections may be with other hosts than their client's (FXP).
    pub administrators_fxp: bool,
    /// Whether administrators may send files that are there already, or rename onto them; if not, they hear of a dupe.
    pub administrators_overwrite: bool,
    /// Whether an account without a mask lets nobody in.
    pub require_mask: bool,
    /// Logins at once on the whole site, operators aside; 0: any number.
    pub max_logins: usize,
    /// Logins beyond [`AccountsConfig::max_logins`] that are kept for some users.
    pub exempt_logins: usize,
    /// Who those are.
    pub exempt: Vec<String>,
    /// Failed logins of one address within [`AccountsConfig::ban_window`] that ban it; 0: never.
    pub ban_after: u32,
    /// For how long failed logins count.
    #[serde(with = "humantime_serde")]
    pub ban_window: Duration,
    /// How long an address is banned.
    #[serde(with = "humantime_serde")]
    pub ban_time: Duration,
    /// Networks that are never banned for failed logins; those of bouncers and proxies are not either.
    pub ban_exempt: Vec<Network>,
    /// Failed logins under one name within the window after which it lets nobody in until the window is over; 0: never.
    pub lock_after: u32,
    /// Group of new users for whom none is said.
    pub default_group: String,
    /// Ratio of new users.
    pub default_ratio: String,
    /// Credits that must be left when a download has taken its own; below 0: so much may be owed.
    pub least_credits: String,
    /// What passwords must be; the first rule that speaks of the user counts.
    pub password_rules: Vec<PasswordRule>,
    /// What masks must be; the first rule that speaks of the user counts.
    pub mask_rules: Vec<MaskRule>,
}

impl AccountsConfig {
    /// What holds where the file says nothing, networks and names aside.
    const BARE: Self = Self {
        hash_memory_kib: 19 * 1024,
        hash_rounds: 2,
        hash_workers: 0,
        hash_queue: 256,
        administrators_fxp: false,
        administrators_overwrite: true,
        require_mask: false,
        max_logins: 0,
        exempt_logins: 0,
        exempt: Vec::new(),
        ban_after: 15,
        ban_window: Duration::from_secs(10 * 60),
        ban_time: Duration::from_secs(15 * 60),
        ban_exempt: Vec::new(),
        lock_after: 0,
        default_group: String::new(),
        default_ratio: String::new(),
        least_credits: String::new(),
        password_rules: Vec::new(),
        mask_rules: Vec::new(),
    };

    /// How many checks are made at the same time.
    pub fn workers(&self) -> usize {
        if self.hash_workers > 0 {
            return self.hash_workers;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cores.saturating_sub(1).max(1)
    }

    /// Logins of strangers that are checked, or wait before others do, at a time.
    pub fn strangers(&self) -> usize {
        // Fewer than can be checked at once would leave processors idle, more is what the others wait for.
        (self.hash_queue / 32).max(self.workers())
    }

    /// Bytes of credits that must be left.
    pub fn least_credits(&self) -> i64 {
        Unit::read_signed(&self.least_credits).unwrap_or(0)
    }

    /// Logins at once on the whole site, operators aside, when somebody may still log in.
    pub fn most_logins(&self, who: &Account) -> Option<usize> {
        let most = match who::speaks_of(&self.exempt, who) {
            true => self.max_logins.saturating_add(self.exempt_logins),
            false => self.max_logins,
        };
        (self.max_logins > 0).then_some(most)
    }

    /// Ratio of new users.
    pub fn ratio(&self) -> Ratio {
        self.default_ratio.parse().unwrap_or(Ratio(1))
    }
}

impl Default for AccountsConfig {
    fn default() -> Self {
        let loopback = [[127, 0, 0, 0].into(), std::net::Ipv6Addr::LOCALHOST.into()];
        Self {
            ban_exempt: vec![Network::of(loopback[0], 8), Network::of(loopback[1], 128)],
            default_group: "users".to_owned(),
            default_ratio: "0".to_owned(),
            least_credits: "0".to_owned(),
            ..Self::BARE
        }
    }
}

impl Check for AccountsConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut within = |key: &str, value: usize, least: usize, most: usize| {
            if !(least..=most).contains(&value) {
                let why = format!("must be from {least} to {most}");
                errors.push(ConfigError::new(format!("accounts.{key}"), why));
            }
        };
        let memory = usize::try_from(self.hash_memory_kib).unwrap_or(usize::MAX);
        let rounds = usize::try_from(self.hash_rounds).unwrap_or(usize::MAX);
        within("hash_memory_kib", memory, 8, 4 * 1024 * 1024);
        within("hash_rounds", rounds, 1, 1_000);
        within("hash_workers", self.hash_workers, 0, 256);
        within("hash_queue", self.hash_queue, 1, 100_000);
        let mut wrong = |is_wrong: bool, key: &str, why: &str| {
            if is_wrong {
                errors.push(ConfigError::new(format!("accounts.{key}"), why));
            }
        };
        for (key, time) in [("ban_window", self.ban_window), ("ban_time", self.ban_time)] {
            wrong(time < Duration::from_secs(1), key, "must be 1s or more");
        }
        let group = names::check(&self.default_group);
        wrong(
            group.is_err(),
            "default_group",
            "must be the name of a group",
        );
        let ratio = self.default_ratio.parse::<Ratio>();
        wrong(
            ratio.is_err(),
            "default_ratio",
            "must be a ratio, like \"3\" or \"0.5\"",
        );
        wrong(
            Unit::read_signed(&self.least_credits).is_none(),
            "least_credits",
            "must be a number of bytes, like \"10GB\" or \"-500MB\"",
        );
        let tokens =
            |users: &[String]| !users.is_empty() && users.iter().all(|it| who::is_token(it));
        let why = "users must be tokens: *, -user, =group, with ! for the contrary";
        let exempt = self.exempt.is_empty() || tokens(&self.exempt);
        wrong(!exempt, "exempt", why);
        let passwords = self.password_rules.iter().all(|rule| tokens(&rule.users));
        wrong(!passwords, "password_rules", why);
        let masks = self.mask_rules.iter().all(|rule| tokens(&rule.users));
        wrong(!masks, "mask_rules", why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_users_have_seats_of_their_own_when_the_site_is_full() {
        let mut config = AccountsConfig {
            max_logins: 10,
            exempt_logins: 2,
            exempt: vec!["!-eve".to_owned(), "=exempt".to_owned()],
            ..AccountsConfig::default()
        };
        let most = |config: &AccountsConfig, name, group| {
            config.most_logins(&Account::of_test(name, group))
        };
        assert_eq!(most(&config, "ann", "users"), Some(10));
        assert_eq!(most(&config, "bob", "exempt"), Some(12));
        assert_eq!(most(&config, "eve", "exempt"), Some(10));
        config.max_logins = 0;
        assert_eq!(most(&config, "bob", "exempt"), None);
        let mut errors = Vec::new();
        config.exempt = vec!["exempt".to_owned()];
        config.check(&mut errors);
        assert_eq!(errors[0].key, "accounts.exempt");
    }
}
