//! Passwords: argon2id, in the PHC form that says with which parameters a hash was made. Pure, and slow on purpose:
//! for the pool of [`super::actor`], never on an arbiter.

use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use drftpd_actors::Dice;

use super::buffers::Buffers;
use super::config::AccountsConfig;
use super::legacy::Legacy;

/// Letters and digits that are not taken for one another.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Characters of a generated password: more than 110 bits.
const GENERATED: usize = 20;

/// Why a hash was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct HashError(String);

impl HashError {
    pub(super) fn new(why: impl std::fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// Makes and checks hashes with the parameters of the configuration. Clones share the memory that hashes are made in.
#[derive(Debug, Clone)]
pub struct Hasher {
    params: Params,
    buffers: Arc<Buffers>,
}

impl Hasher {
    /// The parameters of `[accounts]`.
    ///
    /// # Errors
    /// When argon2 does not take them.
    pub fn new(config: &AccountsConfig) -> Result<Self, HashError> {
        let params = Params::new(config.hash_memory_kib, config.hash_rounds, 1, None);
        let params = params.map_err(|why| HashError(why.to_string()))?;
        let buffers = Arc::new(Buffers::new(params.block_count()));
        Ok(Self { params, buffers })
    }

    /// The hash of a new password, in PHC form.
    ///
    /// # Errors
    /// When argon2 does not take the password.
    pub fn hash(&self, password: &[u8], salt: &[u8; 16]) -> Result<String, HashError> {
        let failed = |why: &dyn std::fmt::Display| HashError(why.to_string());
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let argon2 = Argon2::new(algorithm, version, self.params.clone());
        let salt = Salt::new(salt).map_err(|why| failed(&why))?;
        let hash = self.output(&argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN);
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&self.params).map_err(|why| failed(&why))?,
            salt: Some(salt),
            hash: Some(hash.map_err(|why| failed(&why))?),
        };
        Ok(hash.to_string())
    }

    /// Whether a password is the one of a hash. What is no hash is nobody's password. One of an older daemon is checked
    /// beside the work of one of ours, so that the time does not tell whose it is.
    pub fn matches(&self, password: &[u8], hash: &str) -> bool {
        if let Some(legacy) = Legacy::read(hash) {
            let right = legacy.matches(password);
            if !right {
                self.matches_nobody(password);
            }
            return right;
        }
        self.computed(password, hash)
            .is_some_and(|(computed, stored)| computed == stored) // in constant time
    }

    /// What a password gives with the parameters of a hash, and what the hash has.
    fn computed(&self, password: &[u8], hash: &str) -> Option<(Output, Output)> {
        let hash = PasswordHash::new(hash).ok()?;
        let (salt, stored) = (hash.salt?, hash.hash?);
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map_or(Ok(Version::V0x13), Version::try_from);
        let params = Params::try_from(&hash).ok()?;
        let argon2 = Argon2::new(algorithm, version.ok()?, params);
        let computed = self.output(&argon2, password, &salt, stored.len());
        Some((computed.ok()?, stored))
    }

    fn output(
        &self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        length: usize,
    ) -> Result<Output, argon2::Error> {
        let mut bytes = [0; Output::MAX_LENGTH];
        let out = bytes
            .get_mut(..length)
            .ok_or(argon2::Error::OutputTooLong)?;
        let blocks = argon2.params().block_count();
        let done = self.buffers.lend(blocks, |memory| {
            argon2.hash_password_into_with_memory(password, salt, out, memory)
        });
        done.unwrap_or(Err(argon2::Error::OutOfMemory))?;
        Output::new(&bytes[..length]).map_err(|_| argon2::Error::OutputTooShort)
    }

    /// How many buffers were made for hashing.
    #[cfg(test)]
    pub(super) fn buffers_made(&self) -> usize {
        self.buffers.made()
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
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    fn hasher(memory: u32) -> Hasher {
        Hasher::new(&AccountsConfig {
            hash_memory_kib: memory,
            hash_rounds: 1,
            ..AccountsConfig::default()
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
    fn hashes_are_those_that_argon2_makes_with_memory_of_its_own() {
        let hasher = hasher(64);
        let hash = hasher.hash(b"secret", &[7; 16]).unwrap();
        let params = Params::new(64, 1, 1, None).unwrap();
        let plain = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let own: PasswordHash = plain.hash_password_with_salt(b"secret", &[7; 16]).unwrap();
        assert_eq!(own.to_string(), hash);
        assert!(plain.verify_password(b"secret", hash.as_str()).is_ok());
        // Other algorithms, versions, lengths and lanes, as imported accounts may have them.
        for (algorithm, version, length, lanes) in [
            (Algorithm::Argon2i, Version::V0x10, 16, 2),
            (Algorithm::Argon2d, Version::V0x13, 64, 1),
            (Algorithm::Argon2id, Version::V0x13, 24, 4),
        ] {
            let params = Params::new(32, 2, lanes, Some(length)).unwrap();
            let other = Argon2::new(algorithm, version, params);
            let other: PasswordHash = other.hash_password_with_salt(b"secret", &[9; 16]).unwrap();
            assert!(hasher.matches(b"secret", &other.to_string()), "{other}");
            assert!(!hasher.matches(b"secrets", &other.to_string()), "{other}");
        }
        assert_eq!(hasher.buffers_made(), 1);
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
