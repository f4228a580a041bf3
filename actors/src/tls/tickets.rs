//! Session tickets under a key of our own, so that whoever has the key of a session resumes it, and nobody else.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use rustls::server::ProducesTickets;

/// How long clients may keep a ticket, in seconds: a day. A ticket's real end is that of its key.
const LIFETIME: u32 = 24 * 60 * 60;

/// Seals and opens the tickets (RFC 5077, RFC 8446 section 4.6.1) of one control session with AES-256-GCM under a
/// random nonce. What another key sealed is no error: it means a full handshake.
pub struct SessionTickets(RandomizedNonceKey);

impl SessionTickets {
    /// Tickets under this key.
    ///
    /// # Panics
    /// Never: a key of 32 bytes is what the cipher takes.
    pub fn under(key: &[u8; 32]) -> Arc<dyn ProducesTickets> {
        match RandomizedNonceKey::new(&AES_256_GCM, key) {
            Ok(key) => Arc::new(SessionTickets(key)),
            Err(_) => Arc::new(NoTickets),
        }
    }

    /// No ticket is given, none is taken.
    pub fn none() -> Arc<dyn ProducesTickets> {
        Arc::new(NoTickets)
    }
}

impl fmt::Debug for SessionTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionTickets(..)")
    }
}

impl ProducesTickets for SessionTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::empty(), &mut sealed);
        let mut ticket = nonce.ok()?.as_ref().to_vec();
        ticket.append(&mut sealed);
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = ticket.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self
            .0
            .open_in_place(nonce, Aad::empty(), &mut sealed)
            .ok()?;
        Some(plain.to_vec())
    }
}

#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_opened_with_its_own_key_only_and_never_when_it_was_changed() {
        let (mine, other) = (
            SessionTickets::under(&[1; 32]),
            SessionTickets::under(&[2; 32]),
        );
        let ticket = mine.encrypt(b"state").expect("sealed");
        assert_eq!(mine.decrypt(&ticket).expect("opened"), b"state");
        assert_eq!(other.decrypt(&ticket), None);
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(mine.decrypt(&changed), None, "byte {at}");
            assert_eq!(mine.decrypt(&ticket[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn two_tickets_of_one_state_are_not_alike() {
        let tickets = SessionTickets::under(&[1; 32]);
        assert_ne!(tickets.encrypt(b"state"), tickets.encrypt(b"state"));
    }

    #[test]
    fn where_there_are_none_nothing_is_sealed() {
        let none = SessionTickets::none();
        assert!(!none.enabled());
        assert_eq!(none.encrypt(b"state"), None);
        assert!(SessionTickets::under(&[1; 32]).enabled());
    }
}
