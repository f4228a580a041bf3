//! Join tokens: one line that an operator carries from the master to a new machine.
//!
//! The text is `drftpd1.` and, in URL-safe base64 without padding, a secret of 32 bytes followed
//! by the SHA-256 fingerprint of the authority's certificate (DER).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a token's text begins with; another number would be another layout.
const PREFIX: &str = "drftpd1.";
/// Bytes of each half.
const HALF: usize = 32;

/// A token as `drftpd-master slave add` prints it and `drftpd-slave join` takes it.
///
/// Its `Display` is the whole secret: it is for the one line that an operator copies, never for
/// a log. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Proves the machine to the master; one use.
    pub secret: [u8; HALF],
    /// SHA-256 of the authority's certificate (DER); proves the master to the machine.
    pub authority: [u8; HALF],
}

/// Why a token's text was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Something else was pasted.
    #[error("a join token begins with {PREFIX}")]
    Prefix,
    /// A character that base64 does not have.
    #[error("the join token contains a character that does not belong there")]
    NotBase64,
    /// Cut off, or too much pasted.
    #[error("the join token is not as long as it must be: was it copied whole?")]
    Length,
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 2 * HALF];
        bytes[..HALF].copy_from_slice(&self.secret);
        bytes[HALF..].copy_from_slice(&self.authority);
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken(..)")
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = text.trim().strip_prefix(PREFIX).ok_or(TokenError::Prefix)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|error| match error {
            base64::DecodeError::InvalidByte(..) => TokenError::NotBase64,
            _ => TokenError::Length,
        })?;
        match bytes.as_chunks::<HALF>() {
            ([secret, authority], []) => Ok(JoinToken {
                secret: *secret,
                authority: *authority,
            }),
            _ => Err(TokenError::Length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> JoinToken {
        JoinToken {
            secret: std::array::from_fn(|at| at as u8),
            authority: [0xFB; HALF],
        }
    }

    #[test]
    fn a_token_is_read_back_from_its_text_and_from_a_line_with_blanks() {
        let text = token().to_string();
        assert!(text.starts_with("drftpd1.AAECAw"), "{text}");
        assert_eq!(text.parse(), Ok(token()));
        assert_eq!(format!(" {text}\n").parse(), Ok(token()));
    }

    #[test]
    fn a_token_that_was_cut_or_changed_is_named() {
        let text = token().to_string();
        let cut = &text[..text.len() - 1];
        assert_eq!(cut.parse::<JoinToken>(), Err(TokenError::Length));
        let long = format!("{text}AAAA");
        assert_eq!(long.parse::<JoinToken>(), Err(TokenError::Length));
        let strange = text.replace("AAECAw", "AA!CAw");
        assert_eq!(strange.parse::<JoinToken>(), Err(TokenError::NotBase64));
        assert_eq!("AAECAw".parse::<JoinToken>(), Err(TokenError::Prefix));
        assert_eq!("".parse::<JoinToken>(), Err(TokenError::Prefix));
    }

    #[test]
    fn a_token_keeps_its_secret_from_the_log() {
        assert_eq!(format!("{:?}", token()), "JoinToken(..)");
    }
}
