//! Transfers of clients that run, by whose they are: how many at once, and what part each has of a speed that several
//! share. Pure.
//!
//! Of a speed that several share each has a part of its own, on whichever slave it is: the speed by the number that may
//! run at once where that is limited, else by the number that run now. Those that run hear of another part.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::accounts::Account;
use crate::accounts::limits::{Limit, Limits};
use crate::transfer::Direction;

/// Transfers that run, by session; each session has one at most.
#[derive(Debug, Default)]
pub(super) struct Moves {
    running: BTreeMap<u64, Move>,
    by_user: BTreeMap<(String, Direction), usize>,
    by_group: BTreeMap<(String, Direction), usize>,
}

#[derive(Debug)]
struct Move {
    account: Arc<Account>,
    way: Direction,
    /// Bytes that it will move; 0 where nobody knows.
    expected: u64,
    /// Its part.
    rate: watch::Sender<Option<u64>>,
}

/// A transfer that may run.
#[derive(Debug, Clone)]
pub struct MayMove {
    /// Bytes per second that it has now; `None`: as many as there are.
    pub rate: watch::Receiver<Option<u64>>,
    /// Bytes that other transfers of the user will move the same way, as far as is known.
    pub ahead: u64,
}

/// The limits of one direction: transfers at once, speed of all, speed of each.
fn limits(way: Direction) -> (Limit, Limit, Limit) {
    match way {
        Direction::Upload => (Limit::Uploads, Limit::RateUp, Limit::TransferUp),
        Direction::Download => (Limit::Downloads, Limit::RateDown, Limit::TransferDown),
    }
}

fn word(way: Direction) -> &'static str {
    match way {
        Direction::Upload => "uploads",
        Direction::Download => "downloads",
    }
}

impl Move {
    fn groups(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.account.group).chain(&self.account.groups)
    }

    /// Whether others have less because of it, and more when it is over.
    fn shares(&self) -> bool {
        let (_, rate, _) = limits(self.way);
        let of_groups = self.account.group_limits.iter().map(|(_, limits)| limits);
        let mut all = std::iter::once(&self.account.limits).chain(of_groups);
        all.any(|limits| limits.get(rate).is_some())
    }
}

impl Moves {
    /// Begins a transfer, or says what the client hears. One that the session had is over.
    pub fn begin(
        &mut self,
        session: u64,
        account: &Arc<Account>,
        way: Direction,
        expected: u64,
    ) -> Result<MayMove, String> {
        self.end(session);
        self.has_room(account, way)?;
        let mine = |other: &&Move| other.way == way && other.account.name == account.name;
        let theirs = self.running.values().filter(mine);
        let ahead = theirs.fold(0_u64, |sum, other| sum.saturating_add(other.expected));
        let begun = Move {
            account: Arc::clone(account),
            way,
            expected,
            rate: watch::Sender::new(None),
        };
        *self.by_user.entry((account.name.clone(), way)).or_default() += 1;
        for group in begun.groups() {
            *self.by_group.entry((group.clone(), way)).or_default() += 1;
        }
        let (rate, shares) = (begun.rate.subscribe(), begun.shares());
        begun.rate.send_replace(self.part(account, way));
        self.running.insert(session, begun);
        if shares {
            self.divide(way);
        }
        Ok(MayMove { rate, ahead })
    }

    fn has_room(&self, who: &Account, way: Direction) -> Result<(), String> {
        let (at_once, ..) = limits(way);
        let there = self.of_user(&who.name, way);
        let full = |there: usize, most: Option<u64>| most.is_some_and(|most| there as u64 >= most);
        if full(there, who.limits.get(at_once)) {
            return Err(format!("You have {there} {} running already", word(way)));
        }
        for (group, limits) in &who.group_limits {
            let there = self.of_group(group, way);
            if full(there, limits.get(at_once)) {
                return Err(format!(
                    "Group {group} has {there} {} running already",
                    word(way)
                ));
            }
        }
        Ok(())
    }

    /// A session's transfer is over; one that it has not is left alone.
    pub fn end(&mut self, session: u64) {
        let Some(over) = self.running.remove(&session) else {
            return;
        };
        less(&mut self.by_user, (over.account.name.clone(), over.way));
        for group in over.groups() {
            less(&mut self.by_group, (group.clone(), over.way));
        }
        if over.shares() {
            self.divide(over.way);
        }
    }

    /// Tells those that have another part now.
    fn divide(&self, way: Direction) {
        let theirs = self.running.values();
        for one in theirs.filter(|one| one.way == way && one.shares()) {
            let part = self.part(&one.account, way);
            one.rate.send_if_modified(|rate| {
                let changes = *rate != part;
                *rate = part;
                changes
            });
        }
    }

    fn of_user(&self, user: &str, way: Direction) -> usize {
        let there = self.by_user.get(&(user.to_owned(), way));
        there.copied().unwrap_or_default()
    }

    fn of_group(&self, group: &str, way: Direction) -> usize {
        let there = self.by_group.get(&(group.to_owned(), way));
        there.copied().unwrap_or_default()
    }

    /// The part of one transfer: the least of its own limit and its parts of those that it shares; never nothing.
    fn part(&self, who: &Account, way: Direction) -> Option<u64> {
        let (at_once, rate, each) = limits(way);
        let part = |limits: &Limits, run: usize| {
            let among = limits.get(at_once).unwrap_or(run as u64);
            Some((limits.get(rate)? / among.max(1)).max(1))
        };
        let own = part(&who.limits, self.of_user(&who.name, way));
        let groups = who.group_limits.iter();
        let groups = groups.filter_map(|(group, limits)| part(limits, self.of_group(group, way)));
        let alone = who.tightest(each);
        own.into_iter().chain(alone).chain(groups).min()
    }
}

fn less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Some(there) = counts.get_mut(&key) {
        *there -= 1;
        if *there == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Direction::{Download, Upload};

    fn ann(limits: &[(Limit, u64)]) -> Arc<Account> {
        let mut ann = Account::of_test("ann", "crew");
        for (limit, value) in limits {
            ann.limits.set(*limit, *value);
        }
        Arc::new(ann)
    }

    fn now(begun: &MayMove) -> Option<u64> {
        *begun.rate.borrow()
    }

    #[test]
    fn no_more_run_at_once_than_user_and_group_may() {
        let ann = ann(&[(Limit::Uploads, 2)]);
        let mut crew = Limits::default();
        crew.set(Limit::Downloads, 1);
        let bob = Arc::new(Account {
            group_limits: vec![("crew".to_owned(), crew)],
            ..Account::of_test("bob", "crew")
        });
        let mut moves = Moves::default();
        for session in [1, 2] {
            assert!(moves.begin(session, &ann, Upload, 0).is_ok());
        }
        let full = moves.begin(3, &ann, Upload, 0).unwrap_err();
        assert!(full.contains("2 uploads"), "{full}");
        assert!(
            moves.begin(2, &ann, Upload, 0).is_ok(),
            "the session's own one is over"
        );
        assert!(moves.begin(3, &ann, Download, 0).is_ok());
        let full = moves.begin(4, &bob, Download, 0).unwrap_err();
        assert!(full.contains("crew"), "{full}");
        moves.end(3);
        assert!(moves.begin(4, &bob, Download, 0).is_ok());
        moves.end(1);
        assert!(moves.begin(3, &ann, Upload, 0).is_ok());
        (1..=4).for_each(|session| moves.end(session));
        assert!(moves.by_user.is_empty() && moves.by_group.is_empty());
    }

    #[test]
    fn a_speed_is_divided_by_those_that_may_run_or_else_by_those_that_do() {
        let mut moves = Moves::default();
        let three = ann(&[(Limit::RateDown, 900), (Limit::Downloads, 3)]);
        for session in 1..=3 {
            let begun = moves.begin(session, &three, Download, 10).unwrap();
            assert_eq!((now(&begun), begun.ahead), (Some(300), (session - 1) * 10));
        }
        (1..=3).for_each(|session| moves.end(session));
        let any = ann(&[(Limit::RateDown, 900), (Limit::TransferDown, 500)]);
        let all = [1, 2, 3].map(|session| moves.begin(session, &any, Download, 0).unwrap());
        assert_eq!(all.each_ref().map(now), [Some(300); 3]);
        moves.end(2);
        assert_eq!([now(&all[0]), now(&all[2])], [Some(450); 2]);
        moves.end(3);
        assert_eq!(now(&all[0]), Some(500));
        // The other way is another matter.
        assert_eq!(now(&moves.begin(4, &any, Upload, 0).unwrap()), None);
    }

    #[test]
    fn members_of_a_group_share_its_speed() {
        let mut crew = Limits::default();
        crew.set(Limit::RateUp, 1_000);
        let member = |name: &str| {
            Arc::new(Account {
                group_limits: vec![("crew".to_owned(), crew.clone())],
                ..Account::of_test(name, "crew")
            })
        };
        let mut moves = Moves::default();
        let first = moves.begin(1, &member("a"), Upload, 0).unwrap();
        assert_eq!(now(&first), Some(1_000));
        let second = moves.begin(2, &member("b"), Upload, 0).unwrap();
        assert_eq!([now(&first), now(&second)], [Some(500); 2]);
        moves.end(1);
        assert_eq!(now(&second), Some(1_000));
    }
}
