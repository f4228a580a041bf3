//! Passwords: argon2id, in the PHC form that says with which parameters a hash was made. Pure, and slow on purpose:
//! for the pool of [`super::actor`], never on an arbiter.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use drftpd_actors::Dice;

use super::config::AccountsConfig;

/// Letters and digits that are not taken for one another.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Characters of a generated password: more than 110 bits.
const GENERATED: usize = 20;

/// Why a hash was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct HashError(String);

/// Makes and checks hashes with the parameters of the configuration.
#[derive(Debug, Clone)]
pub struct Hasher {
    params: Params,
}

impl Hasher {
    /// The parameters of `[accounts]`.
    ///
    /// # Errors
    /// When argon2 does not take them.
    pub fn new(config: &AccountsConfig) -> Result<Self, HashError> {
        let params = Params::new(config.hash_memory_kib, config.hash_rounds, 1, None);
        let params = params.map_err(|why| HashError(why.to_string()))?;
        Ok(Self { params })
    }

    /// The hash of a new password, in PHC form.
    ///
    /// # Errors
    /// When argon2 does not take the password.
    pub fn hash(&self, password: &[u8], salt: &[u8; 16]) -> Result<String, HashError> {
        let hash: Result<PasswordHash, _> = self.argon2().hash_password_with_salt(password, salt);
        Ok(hash.map_err(|why| HashError(why.to_string()))?.to_string())
    }

    /// Whether a password is the one of a hash. What is no hash is nobody's password.
    pub fn matches(&self, password: &[u8], hash: &str) -> bool {
        let Ok(hash) = PasswordHash::new(hash) else {
            return false;
        };
        self.argon2().verify_password(password, &hash).is_ok()
    }

    /// Does the work of [`Hasher::matches`] for somebody who has no hash, so that nobody can tell by the time.
    pub fn matches_nobody(&self, password: &[u8]) {
        // The result must not be needed, or the work could be left out.
        std::hint::black_box(self.hash(password, &[0x5A; 16]).is_ok());
    }

    /// Whether a hash was made with other parameters than today's.
    pub fn is_outdated(&self, hash: &str) -> bool {
        let parsed = PasswordHash::new(hash).ok();
        let params = parsed.as_ref().and_then(|hash| Params::try_from(hash).ok());
        let same = |made: Params| {
            made.m_cost() == self.params.m_cost()
                && made.t_cost() == self.params.t_cost()
                && made.p_cost() == self.params.p_cost()
        };
        !params.is_some_and(same)
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }
}

/// A new salt.
pub fn salt(dice: &Dice) -> [u8; 16] {
    let mut salt = [0; 16];
    dice.fill(&mut salt);
    salt
}

/// A password that nobody guesses and everybody can type.
pub fn generate(dice: &Dice) -> String {
    let sides = ALPHABET.len() as u64;
    let letter = || {
        let at = usize::try_from(dice.below(sides)).unwrap_or(0);
        char::from(ALPHABET[at])
    };
    (0..GENERATED).map(|_| letter()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(memory: u32) -> Hasher {
        Hasher::new(&AccountsConfig {
            hash_memory_kib: memory,
            hash_rounds: 1,
            ..AccountsConfig::DEFAULT
        })
        .unwrap()
    }

    #[test]
    fn only_the_very_password_matches() {
        let hasher = hasher(8);
        let hash = hasher.hash(b"secret", &[7; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert!(hasher.matches(b"secret", &hash));
        for wrong in [&b"Secret"[..], b"secret ", b"secret\0", b""] {
            assert!(!hasher.matches(wrong, &hash), "{wrong:?}");
        }
        assert!(!hasher.matches(b"secret", "$1$not-argon2"));
        assert!(!hasher.matches(b"", ""));
    }

    #[test]
    fn a_hash_of_other_parameters_still_matches_and_is_outdated() {
        let (old, new) = (hasher(8), hasher(16));
        let hash = old.hash(b"secret", &[7; 16]).unwrap();
        assert!(new.matches(b"secret", &hash));
        assert!(new.is_outdated(&hash));
        assert!(!old.is_outdated(&hash));
        assert!(old.is_outdated("nonsense"));
    }

    #[test]
    fn an_empty_password_of_somebody_without_a_hash_matches_nothing() {
        let hasher = hasher(8);
        hasher.matches_nobody(b"");
        hasher.matches_nobody(&[0xFF; 400]);
        assert!(!hasher.matches(b"", "!"));
    }

    #[test]
    fn generated_passwords_are_long_typable_and_different() {
        let dice = Dice::seeded(drftpd_actors::testkit::seed());
        let (one, two) = (generate(&dice), generate(&dice));
        assert_ne!(one, two);
        assert_eq!(one.len(), GENERATED);
        assert!(one.bytes().all(|c| ALPHABET.contains(&c)), "{one}");
    }
}
