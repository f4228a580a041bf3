//! What passwords and masks must be, by user. Pure.

use serde::{Deserialize, Serialize};

use super::config::AccountsConfig;
use super::masks::Mask;
use super::types::Account;
use super::who::speaks_of;

/// The longest password; argon2 would take more, but nobody types it.
const MAX_PASSWORD: usize = 256;
/// Masks of one account where no rule says otherwise.
const MAX_MASKS: usize = 20;

/// What the passwords of some users must be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordRule {
    /// Whose.
    pub users: Vec<String>,
    /// Least length, in characters.
    pub length: usize,
    /// Least number of upper-case letters.
    pub upper: usize,
    /// Least number of lower-case letters.
    pub lower: usize,
    /// Least number of digits.
    pub digits: usize,
    /// Least number of all other characters.
    pub special: usize,
}

/// What the masks of some users must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaskRule {
    /// Whose.
    pub users: Vec<String>,
    /// Most masks of one user.
    pub masks: usize,
    /// Least number of octets (groups, of IPv6) that a mask says.
    pub octets: u32,
    /// Whether an ident must be said.
    pub ident: bool,
}

impl Default for MaskRule {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            masks: MAX_MASKS,
            octets: 0,
            ident: false,
        }
    }
}

impl AccountsConfig {
    /// Whether a password will do for somebody.
    ///
    /// # Errors
    /// What it lacks.
    pub fn may_have_password(&self, who: &Account, password: &str) -> Result<(), String> {
        if password.is_empty()
            || password.len() > MAX_PASSWORD
            || password.contains(char::is_control)
        {
            return Err(format!(
                "must be 1 to {MAX_PASSWORD} bytes without control characters"
            ));
        }
        let mut rules = self.password_rules.iter();
        let Some(rule) = rules.find(|rule| speaks_of(&rule.users, who)) else {
            return Ok(());
        };
        let count = |is: fn(&char) -> bool| password.chars().filter(is).count();
        let special = |c: &char| !c.is_alphanumeric();
        for (has, needs, what) in [
            (password.chars().count(), rule.length, "characters"),
            (
                count(|c| c.is_uppercase()),
                rule.upper,
                "upper-case letters",
            ),
            (
                count(|c| c.is_lowercase()),
                rule.lower,
                "lower-case letters",
            ),
            (count(|c| c.is_numeric()), rule.digits, "digits"),
            (
                password.chars().filter(special).count(),
                rule.special,
                "other characters",
            ),
        ] {
            if has < needs {
                return Err(format!("must have at least {needs} {what}"));
            }
        }
        Ok(())
    }

    /// Whether somebody may have these masks; answers how many at most.
    ///
    /// # Errors
    /// What one of them lacks.
    pub fn may_have_masks(&self, who: &Account, masks: &[Mask]) -> Result<usize, String> {
        let mut rules = self.mask_rules.iter();
        let Some(rule) = rules.find(|rule| speaks_of(&rule.users, who)) else {
            return Ok(MAX_MASKS);
        };
        for mask in masks {
            if mask.parts() < rule.octets {
                return Err(format!(
                    "{mask}: must say at least {} octets of the address",
                    rule.octets
                ));
            }
            if rule.ident && !mask.names_ident() {
                return Err(format!("{mask}: must say an ident"));
            }
        }
        Ok(rule.masks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> AccountsConfig {
        let text = r#"
            password_rules = [{ users = ["=staff"], length = 8, upper = 1, digits = 1, special = 1 }, { users = ["*"], length = 4 }]
            mask_rules = [{ users = ["!-ann", "*"], octets = 2, ident = true, masks = 3 }]
        "#;
        drftpd_actors::parse(text, None).unwrap()
    }

    #[test]
    fn the_first_rule_that_speaks_of_somebody_says_what_a_password_must_be() {
        let (config, staff, other) = (
            config(),
            Account::of_test("a", "staff"),
            Account::of_test("b", "x"),
        );
        for (who, word, good) in [
            (&staff, "Secret-12", true),
            (&staff, "secret-12", false),
            (&staff, "Secret12x", false),
            (&staff, "S-1", false),
            (&other, "four", true),
            (&other, "fou", false),
            (&other, "a\nbcd", false),
            (&other, "", false),
        ] {
            assert_eq!(config.may_have_password(who, word).is_ok(), good, "{word}");
        }
        let none = AccountsConfig::default();
        assert!(
            none.may_have_password(&other, "x").is_ok()
                && none.may_have_password(&other, "").is_err()
        );
    }

    #[test]
    fn masks_must_say_enough() {
        let (config, bob, ann) = (
            config(),
            Account::of_test("bob", "x"),
            Account::of_test("ann", "x"),
        );
        let may = |who, mask: &str| config.may_have_masks(who, &[mask.parse().unwrap()]);
        assert_eq!(may(&bob, "bob@10.1.*"), Ok(3));
        assert!(may(&bob, "bob@10.*").is_err() && may(&bob, "*@10.1.2.3").is_err());
        assert_eq!(may(&ann, "*@*"), Ok(MAX_MASKS));
    }
}
