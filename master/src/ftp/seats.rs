//! Who may connect: counts of control connections, in all, from one address, and without a login. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::config::FtpConfig;

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    All,
    Address,
    Unauthenticated,
}

impl Full {
    /// What the client hears.
    pub fn text(self) -> &'static str {
        match self {
            Self::All | Self::Unauthenticated => "Too many connections, try again later",
            Self::Address => "Too many connections from your address",
        }
    }
}

/// The connections that are there.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: BTreeMap<u64, Seat>,
    by_address: BTreeMap<IpAddr, usize>,
    unauthenticated: usize,
}

#[derive(Debug, Clone, Copy)]
struct Seat {
    address: IpAddr,
    logged_in: bool,
}

impl Seats {
    /// Takes a seat for a new connection.
    pub fn take(&mut self, id: u64, from: IpAddr, config: &FtpConfig) -> Result<(), Full> {
        let address = counted_as(from);
        let there = self.by_address.get(&address).copied().unwrap_or_default();
        if self.taken.len() >= config.max_connections {
            return Err(Full::All);
        }
        if there >= config.max_per_address {
            return Err(Full::Address);
        }
        if self.unauthenticated >= config.max_unauthenticated {
            return Err(Full::Unauthenticated);
        }
        let logged_in = false;
        self.taken.insert(id, Seat { address, logged_in });
        self.by_address.insert(address, there + 1);
        self.unauthenticated += 1;
        Ok(())
    }

    /// A connection turns out to come from elsewhere. A seat that is not known is left alone.
    pub fn moved(&mut self, id: u64, to: IpAddr, config: &FtpConfig) -> Result<(), Full> {
        let to = counted_as(to);
        let Some(from) = self.taken.get(&id).map(|seat| seat.address) else {
            return Ok(());
        };
        let there = self.by_address.get(&to).copied().unwrap_or_default();
        if to != from && there >= config.max_per_address {
            return Err(Full::Address);
        }
        self.uncount(from);
        *self.by_address.entry(to).or_default() += 1;
        if let Some(seat) = self.taken.get_mut(&id) {
            seat.address = to;
        }
        Ok(())
    }

    /// Somebody has logged in, or is not any more. A seat that is not known is left alone.
    pub fn login_changed(&mut self, id: u64, logged_in: bool) {
        let Some(seat) = self.taken.get_mut(&id) else {
            return;
        };
        match (seat.logged_in, logged_in) {
            (false, true) => self.unauthenticated -= 1,
            (true, false) => self.unauthenticated += 1,
            _ => {}
        }
        seat.logged_in = logged_in;
    }

    /// A connection is over. A seat that is not known is left alone.
    pub fn leave(&mut self, id: u64) {
        let Some(seat) = self.taken.remove(&id) else {
            return;
        };
        if !seat.logged_in {
            self.unauthenticated -= 1;
        }
        self.uncount(seat.address);
    }

    fn uncount(&mut self, address: IpAddr) {
        if let Some(there) = self.by_address.get_mut(&address) {
            *there -= 1;
            if *there == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// One IPv4 address, or one IPv6 network of the size that a customer gets at the least.
pub(crate) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn small() -> FtpConfig {
        FtpConfig {
            max_connections: 4,
            max_per_address: 2,
            max_unauthenticated: 3,
            ..FtpConfig::default()
        }
    }

    #[test]
    fn each_limit_is_kept_and_a_leaver_makes_room() {
        let (mut seats, config) = (Seats::default(), small());
        assert_eq!(seats.take(1, ip("10.0.0.1"), &config), Ok(()));
        assert_eq!(seats.take(2, ip("::ffff:10.0.0.1"), &config), Ok(()));
        assert_eq!(seats.take(3, ip("10.0.0.1"), &config), Err(Full::Address));
        assert_eq!(seats.take(3, ip("10.0.0.2"), &config), Ok(()));
        assert_eq!(
            seats.take(4, ip("10.0.0.3"), &config),
            Err(Full::Unauthenticated)
        );
        seats.login_changed(1, true);
        assert_eq!(seats.take(4, ip("10.0.0.3"), &config), Ok(()));
        seats.login_changed(2, true);
        assert_eq!(seats.take(5, ip("10.0.0.4"), &config), Err(Full::All));
        seats.leave(1);
        assert_eq!(seats.take(5, ip("10.0.0.1"), &config), Ok(()));
    }

    #[test]
    fn a_connection_that_was_brought_counts_at_its_own_address() {
        let (mut seats, config) = (Seats::default(), small());
        for id in 1..=2 {
            assert_eq!(seats.take(id, ip("10.0.0.1"), &config), Ok(()));
            assert_eq!(seats.moved(id, ip("192.0.2.1"), &config), Ok(()));
        }
        assert_eq!(seats.take(3, ip("10.0.0.1"), &config), Ok(()));
        let full = seats.moved(3, ip("192.0.2.1"), &config);
        assert_eq!(full, Err(Full::Address));
        assert_eq!(seats.moved(2, ip("192.0.2.1"), &config), Ok(()));
        (1..=3).for_each(|id| seats.leave(id));
        assert!(seats.by_address.is_empty());
    }

    #[test]
    fn one_ipv6_network_counts_as_one_address() {
        assert_eq!(counted_as(ip("2001:db8::1")), counted_as(ip("2001:db8::2")));
        assert_ne!(
            counted_as(ip("2001:db8::1")),
            counted_as(ip("2001:db8:0:1::1"))
        );
    }

    proptest! {
        #[test]
        fn when_all_have_left_nothing_is_counted(
            steps in proptest::collection::vec((0u64..6, 0u8..3, 0u8..3), 0..60)
        ) {
            let (mut seats, config) = (Seats::default(), small());
            for (id, what, host) in steps {
                match what {
                    0 if !seats.taken.contains_key(&id) => {
                        let _full = seats.take(id, IpAddr::from([10, 0, 0, host]), &config);
                    }
                    1 => seats.login_changed(id, host > 0),
                    _ => seats.leave(id),
                }
                prop_assert!(seats.taken.len() <= 4 && seats.unauthenticated <= 4);
                prop_assert_eq!(seats.by_address.values().sum::<usize>(), seats.taken.len());
            }
            (0..6).for_each(|id| seats.leave(id));
            prop_assert!(seats.taken.is_empty() && seats.by_address.is_empty());
            prop_assert_eq!(seats.unauthenticated, 0);
        }
    }
}
