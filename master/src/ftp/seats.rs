//! Who may connect, and who may log in: counts of control connections, in all, from one address, and without a login; and
//! of logins by user, by user and address, and by group. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::config::FtpConfig;
use crate::accounts::Account;
use crate::accounts::address::counted_as;
use crate::accounts::limits::Limit;

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
    /// Logins that the limit of the site counts.
    counted: usize,
    by_user: BTreeMap<String, usize>,
    by_user_here: BTreeMap<(String, IpAddr), usize>,
    by_group: BTreeMap<String, usize>,
}

#[derive(Debug, Clone)]
struct Seat {
    address: IpAddr,
    logged_in: bool,
    who: Option<Who>,
}

/// Who is logged in, as they are counted.
#[derive(Debug, Clone)]
struct Who {
    user: String,
    groups: Vec<String>,
    at: IpAddr,
    counted: bool,
}

fn take<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    *counts.entry(key).or_default() += 1;
}

fn give_back<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(there) = counts.get_mut(key) {
        *there -= 1;
        if *there == 0 {
            counts.remove(key);
        }
    }
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
        let seat = Seat {
            address,
            logged_in: false,
            who: None,
        };
        self.taken.insert(id, seat);
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
        give_back(&mut self.by_address, &from);
        take(&mut self.by_address, to);
        if let Some(seat) = self.taken.get_mut(&id) {
            seat.address = to;
        }
        Ok(())
    }

    /// Somebody wants to log in: counts them, or says what is full. A seat that is not known is let in.
    pub fn log_in(
        &mut self,
        id: u64,
        account: &Account,
        most: Option<usize>,
    ) -> Result<(), String> {
        let Some(seat) = self.taken.get(&id) else {
            return Ok(());
        };
        let at = seat.address;
        self.forget_login(id);
        self.has_room(account, at, most)?;
        let mut groups = account.groups.clone();
        groups.push(account.group.clone());
        let who = Who {
            user: account.name.clone(),
            groups,
            at,
            counted: !account.admin,
        };
        self.counted += usize::from(who.counted);
        take(&mut self.by_user, who.user.clone());
        take(&mut self.by_user_here, (who.user.clone(), at));
        for group in &who.groups {
            take(&mut self.by_group, group.clone());
        }
        if let Some(seat) = self.taken.get_mut(&id) {
            seat.who = Some(who);
        }
        self.login_changed(id, true);
        Ok(())
    }

    fn has_room(&self, who: &Account, at: IpAddr, most: Option<usize>) -> Result<(), String> {
        let full =
            |there: usize, limit: Option<u64>| limit.is_some_and(|most| there as u64 >= most);
        if !who.admin && most.is_some_and(|most| self.counted >= most) {
            return Err("The site is full, try again later".to_owned());
        }
        let there = self.by_user.get(&who.name).copied().unwrap_or_default();
        if full(there, who.limits.get(Limit::Logins)) {
            return Err(format!("You are logged in {there} times already"));
        }
        let here = (who.name.clone(), at);
        let here = self.by_user_here.get(&here).copied().unwrap_or_default();
        if full(here, who.tightest(Limit::LoginsPerAddress)) {
            return Err(format!(
                "You are logged in {here} times from your address already"
            ));
        }
        for (group, limits) in &who.group_limits {
            let there = self.by_group.get(group).copied().unwrap_or_default();
            if full(there, limits.get(Limit::Logins)) {
                return Err(format!("Group {group} is logged in {there} times already"));
            }
        }
        Ok(())
    }

    /// Somebody has logged in, or is not any more. A seat that is not known is left alone.
    pub fn login_changed(&mut self, id: u64, logged_in: bool) {
        if !logged_in {
            self.forget_login(id);
        }
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

    fn forget_login(&mut self, id: u64) {
        let Some(who) = self.taken.get_mut(&id).and_then(|seat| seat.who.take()) else {
            return;
        };
        self.counted -= usize::from(who.counted);
        for group in &who.groups {
            give_back(&mut self.by_group, group);
        }
        give_back(&mut self.by_user, &who.user);
        give_back(&mut self.by_user_here, &(who.user, who.at));
    }

    /// A connection is over. A seat that is not known is left alone.
    pub fn leave(&mut self, id: u64) {
        self.forget_login(id);
        let Some(seat) = self.taken.remove(&id) else {
            return;
        };
        if !seat.logged_in {
            self.unauthenticated -= 1;
        }
        give_back(&mut self.by_address, &seat.address);
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
    fn logins_are_counted_by_user_address_group_and_site() {
        let (mut seats, config) = (Seats::default(), FtpConfig::default());
        let mut ann = Account::of_test("ann", "users");
        ann.limits.set(Limit::Logins, 3);
        ann.limits.set(Limit::LoginsPerAddress, 1);
        let mut staff = crate::accounts::limits::Limits::default();
        staff.set(Limit::Logins, 1);
        let bob = |name: &str| Account {
            group_limits: vec![("staff".to_owned(), staff.clone())],
            ..Account::of_test(name, "staff")
        };
        for id in 1..=9 {
            let at = IpAddr::from([10, 0, 0, u8::try_from(id).unwrap()]);
            assert_eq!(seats.take(id, at, &config), Ok(()));
        }
        assert_eq!(seats.take(10, ip("10.0.0.1"), &config), Ok(()));
        assert_eq!(seats.log_in(1, &ann, None), Ok(()));
        assert!(
            seats
                .log_in(10, &ann, None)
                .unwrap_err()
                .contains("from your address")
        );
        assert_eq!(seats.log_in(2, &ann, None), Ok(()));
        assert_eq!(seats.log_in(3, &ann, None), Ok(()));
        assert!(seats.log_in(4, &ann, None).unwrap_err().contains("3 times"));
        // Again on the same connection is not one more.
        assert_eq!(seats.log_in(3, &ann, None), Ok(()));
        assert_eq!(seats.log_in(5, &bob("bob"), None), Ok(()));
        assert!(
            seats
                .log_in(6, &bob("rob"), None)
                .unwrap_err()
                .contains("staff")
        );
        seats.login_changed(5, false);
        assert_eq!(seats.log_in(6, &bob("rob"), None), Ok(()));
        let eve = Account::of_test("eve", "users");
        assert!(seats.log_in(7, &eve, Some(4)).unwrap_err().contains("full"));
        let root = Account {
            admin: true,
            ..Account::of_test("root", "users")
        };
        assert_eq!(seats.log_in(7, &root, Some(4)), Ok(()));
        (1..=10).for_each(|id| seats.leave(id));
        assert!(seats.by_user.is_empty() && seats.by_user_here.is_empty());
        assert!(seats.by_group.is_empty() && seats.counted == 0);
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
                    1 if host == 2 => {
                        let _full = seats.log_in(id, &Account::of_test("ann", "users"), Some(3));
                    }
                    1 => seats.login_changed(id, host > 0),
                    _ => seats.leave(id),
                }
                prop_assert!(seats.taken.len() <= 4 && seats.unauthenticated <= 4);
                prop_assert_eq!(seats.by_address.values().sum::<usize>(), seats.taken.len());
            }
            (0..6).for_each(|id| seats.leave(id));
            prop_assert!(seats.taken.is_empty() && seats.by_address.is_empty());
            prop_assert!(seats.by_user.is_empty() && seats.by_group.is_empty());
            prop_assert_eq!((seats.unauthenticated, seats.counted), (0, 0));
        }
    }
}
