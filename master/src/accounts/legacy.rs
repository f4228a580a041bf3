//! Hashes of passwords that accounts bring along from DrFTPD and glftpd. They are only ever checked: the first login with
//! the right password replaces them by argon2id. Pure, for the pool of [`super::actor`].
//!
//! As they are stored: `{MD5}`, `{SHA1}`, … with the digest in hex behind it (DrFTPD, without salt), `{PLAIN}` with the
//! password, `$2a$12$…` (bcrypt, DrFTPD's default), and `$SALT$HASH` in hex (glftpd: PBKDF2, HMAC-SHA1, 100 rounds).

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, pbkdf2};
use md2::Md2;
use md5::{Digest, Md5};

/// Rounds of glftpd.
const GLFTPD_ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// A hash of an older daemon.
#[derive(Clone, PartialEq, Eq)]
pub enum Legacy<'h> {
    /// The password itself.
    Plain(&'h str),
    /// A digest without salt.
    Digest(Kind, Vec<u8>),
    /// bcrypt.
    Bcrypt(&'h str),
    /// glftpd.
    Glftpd { salt: Vec<u8>, hash: Vec<u8> },
}

/// Which digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// MD2.
    Md2,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The names that stand in braces, and how long the digests are.
const DIGESTS: [(&str, Kind, usize); 6] = [
    ("MD2", Kind::Md2, 16),
    ("MD5", Kind::Md5, 16),
    ("SHA1", Kind::Sha1, 20),
    ("SHA256", Kind::Sha256, 32),
    ("SHA384", Kind::Sha384, 48),
    ("SHA512", Kind::Sha512, 64),
];

impl<'h> Legacy<'h> {
    /// What is stored, if it is one of these.
    pub fn read(stored: &'h str) -> Option<Self> {
        if let Some(rest) = stored.strip_prefix('{') {
            let (name, rest) = rest.split_once('}')?;
            if name == "PLAIN" {
                return Some(Self::Plain(rest));
            }
            let (_, kind, length) = DIGESTS.iter().find(|(known, ..)| *known == name)?;
            let bytes = unhex(rest).filter(|bytes| bytes.len() == *length)?;
            return Some(Self::Digest(*kind, bytes));
        }
        if ["$2a$", "$2b$", "$2y$", "$2x$"]
            .iter()
            .any(|it| stored.starts_with(it))
        {
            return Some(Self::Bcrypt(stored));
        }
        let (salt, hash) = stored.strip_prefix('$')?.split_once('$')?;
        let (salt, hash) = (unhex(salt)?, unhex(hash)?);
        (!salt.is_empty() && hash.len() == 20).then_some(Self::Glftpd { salt, hash })
    }

    /// Whether a password is the one. DrFTPD cut blanks off both ends before it made a hash.
    pub fn matches(&self, password: &[u8]) -> bool {
        let trimmed = password.trim_ascii();
        match self {
            Self::Plain(stored) => same(stored.as_bytes(), password),
            Self::Digest(kind, stored) => same(stored, &kind.of(trimmed)),
            Self::Bcrypt(stored) => bcrypt::verify(trimmed, stored).unwrap_or(false),
            Self::Glftpd { salt, hash } => {
                let algorithm = pbkdf2::PBKDF2_HMAC_SHA1;
                pbkdf2::verify(algorithm, GLFTPD_ROUNDS, salt, password, hash).is_ok()
            }
        }
    }
}

impl Kind {
    fn of(self, password: &[u8]) -> Vec<u8> {
        let by = |algorithm| digest::digest(algorithm, password).as_ref().to_vec();
        match self {
            Self::Md2 => Md2::digest(password).to_vec(),
            Self::Md5 => Md5::digest(password).to_vec(),
            Self::Sha1 => by(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            Self::Sha256 => by(&digest::SHA256),
            Self::Sha384 => by(&digest::SHA384),
            Self::Sha512 => by(&digest::SHA512),
        }
    }
}

/// In constant time for one length.
fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// The bytes of hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|two| (two[0] << 4) | two[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `secret`, each made by other programs (Python's hashlib and bcrypt's reference).
    const HASHES: [&str; 7] = [
        "{PLAIN}secret",
        "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
        "{SHA1}E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4",
        "{SHA256}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
        "{SHA384}58a775ba4112be3005ae4407ce757d88fda71d40497bb8026ecac54d4e3ffc7232ce8de3ab5acb30ae39760fee7c53ed",
        "{SHA512}bd2b1aaf7ef4f09be9f52ce2d8d599674d81aa9d6a4421696dc4d93dd0619d682ce56b4d64a9ef097761ced99e0f67265b5f76085e5b0ee7ca4696b2ad6fe2b2",
        "$c1ac9ded$5d2b3c3bb93260de4bd735b1b93a4d79a4662782",
    ];

    #[test]
    fn hashes_of_older_daemons_match_their_password_and_no_other() {
        for stored in HASHES {
            let hash = Legacy::read(stored).expect(stored);
            assert!(hash.matches(b"secret"), "{stored}");
            for wrong in [&b"Secret"[..], b"secre", b""] {
                assert!(!hash.matches(wrong), "{stored}");
            }
        }
        let made = bcrypt::hash("secret", 4).unwrap();
        let bcrypt = Legacy::read(&made).unwrap();
        assert!(bcrypt.matches(b"secret") && !bcrypt.matches(b"secrets"));
        // The example of RFC 1319.
        let md2 = Legacy::read("{MD2}da853b0d3f88d99b30283a69e6ded6bb").unwrap();
        assert!(md2.matches(b"abc"));
    }

    #[test]
    fn what_is_no_such_hash_is_none() {
        for none in [
            "",
            "{MD5}",
            "{MD5}5ebe",
            "{MD7}00",
            "{MD5",
            "$argon2id$v=19$m=8,t=1,p=1$",
            "$1$abc$def",
            "$$",
            "secret",
        ] {
            assert!(Legacy::read(none).is_none(), "{none}");
        }
    }
}
