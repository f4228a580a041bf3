//! Relayed data connections that are expected: pure book-keeping of one-time tokens.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use drftpd_actors::Incoming;
use drftpd_protocol::wire::RelayToken;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long a token can be used.
pub const LIFETIME: Duration = Duration::from_secs(10);

struct Expected {
    from: IpAddr,
    until: Instant,
    to: oneshot::Sender<Incoming>,
}

/// Why a relayed connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotExpected {
    /// Never made, used before, or too late.
    #[error("its token is unknown, was used, or is too old")]
    Token,
    /// Not the address of the slave's link. The token is spent all the same.
    #[error("it comes from another address than the slave's link")]
    Address,
}

/// The tokens that were given out.
pub struct Relays {
    expected: BTreeMap<RelayToken, Expected>,
    limit: usize,
}

impl Relays {
    /// Room for `limit` tokens at a time.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            expected: BTreeMap::new(),
            limit,
        }
    }

    /// Expects a connection with this token; `None` when too many are expected.
    pub fn expect(
        &mut self,
        token: RelayToken,
        from: IpAddr,
        now: Instant,
    ) -> Option<oneshot::Receiver<Incoming>> {
        self.expire(now);
        if self.expected.len() >= self.limit {
            return None;
        }
        let (to, connection) = oneshot::channel();
        let until = now + LIFETIME;
        let from = from.to_canonical();
        self.expected.insert(token, Expected { from, until, to });
        Some(connection)
    }

    /// A connection shows a token; answers who waits for it.
    ///
    /// # Errors
    /// When it is not expected.
    pub fn arrived(
        &mut self,
        token: RelayToken,
        from: IpAddr,
        now: Instant,
    ) -> Result<oneshot::Sender<Incoming>, NotExpected> {
        let expected = self.expected.remove(&token).ok_or(NotExpected::Token)?;
        if expected.until <= now {
            return Err(NotExpected::Token);
        }
        if expected.from != from.to_canonical() {
            return Err(NotExpected::Address);
        }
        Ok(expected.to)
    }

    /// Forgets tokens that are too old, or whose waiter is gone.
    pub fn expire(&mut self, now: Instant) {
        self.expected
            .retain(|_, expected| expected.until > now && !expected.to.is_closed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn token(byte: u8) -> RelayToken {
        RelayToken([byte; 32])
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_good_once() {
        let (mut relays, now) = (Relays::with_limit(9), Instant::now());
        let _waiter = relays.expect(token(1), HERE, now).unwrap();
        assert!(relays.arrived(token(1), HERE, now).is_ok());
        let again = relays.arrived(token(1), HERE, now).err();
        assert_eq!(again, Some(NotExpected::Token));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_a_late_and_a_foreign_token_are_refused() {
        let (mut relays, now) = (Relays::with_limit(9), Instant::now());
        let _waiters = [1, 2, 3].map(|byte| relays.expect(token(byte), HERE, now).unwrap());
        let wrong = relays.arrived(token(9), HERE, now).err();
        assert_eq!(wrong, Some(NotExpected::Token));
        let late = relays.arrived(token(1), HERE, now + LIFETIME).err();
        assert_eq!(late, Some(NotExpected::Token));
        let foreign = relays.arrived(token(2), THERE, now).err();
        assert_eq!(foreign, Some(NotExpected::Address));
        let spent = relays.arrived(token(2), HERE, now).err();
        assert_eq!(spent, Some(NotExpected::Token));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_the_same_in_its_ipv6_form() {
        let (mut relays, now) = (Relays::with_limit(9), Instant::now());
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        let _waiter = relays.expect(token(1), mapped, now).unwrap();
        assert!(relays.arrived(token(1), HERE, now).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_forgets_who_is_gone() {
        let (mut relays, now) = (Relays::with_limit(2), Instant::now());
        let waiter = relays.expect(token(1), HERE, now).unwrap();
        let _other = relays.expect(token(2), HERE, now).unwrap();
        assert!(relays.expect(token(3), HERE, now).is_none());
        drop(waiter);
        assert!(relays.expect(token(3), HERE, now).is_some());
        assert!(relays.expect(token(4), HERE, now + LIFETIME).is_some());
    }
}
