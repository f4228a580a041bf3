//! Keys for session tickets: one for each control session, derived from a secret of this start that never leaves the
//! master. A slave is told the keys of the sessions it serves, and learns nothing of others.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use drftpd_actors::Dice;
use drftpd_protocol::SessionId;
use drftpd_protocol::wire::TicketKey;

/// What the derived keys are for.
const PURPOSE: &[u8] = b"drftpd session tickets";

/// Derives the keys.
pub struct TicketKeys(Prk);

impl TicketKeys {
    /// With a secret of its own.
    pub fn new(dice: &Dice) -> Self {
        let secret = dice.token();
        Self(Salt::new(HKDF_SHA256, PURPOSE).extract(&secret))
    }

    /// The key of one control session.
    ///
    /// # Errors
    /// Never in practice: HKDF gives 32 bytes.
    pub fn of(&self, session: SessionId) -> Result<TicketKey, aws_lc_rs::error::Unspecified> {
        let number = session.0.to_be_bytes();
        let info = [&number[..]];
        let mut key = [0; 32];
        self.0.expand(&info, Length)?.fill(&mut key)?;
        Ok(TicketKey(key))
    }
}

/// 32 bytes.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_of_every_start_has_a_key_of_its_own() {
        let (one, other) = (Dice::seeded(1), Dice::seeded(2));
        let (one, other) = (TicketKeys::new(&one), TicketKeys::new(&other));
        let key = |keys: &TicketKeys, session| keys.of(SessionId(session)).unwrap();
        assert_eq!(key(&one, 1), key(&one, 1));
        assert_ne!(key(&one, 1), key(&one, 2));
        assert_ne!(key(&one, 1), key(&other, 1));
        assert_ne!(key(&one, 1).0, [0; 32]);
    }
}
