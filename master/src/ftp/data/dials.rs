//! How often dials may fail (PORT, EPRT): whoever looks for open ports by sending us there does not get far.
//!
//! Counted for each user at each address. Where too many failed within a minute the next transfer hears, without a
//! dial, what a failed one hears. Clients whose firewall lets nobody in notice nothing when they turn to PASV: only
//! dials are counted. Dials that run at the same time all begin.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::accounts::address::counted_as;

/// For so long a failure counts.
const COUNTS_FOR: Duration = Duration::from_secs(60);

/// Of how many users and addresses failures are kept; then those that failed longest ago are forgotten.
const KEPT: usize = 4096;

/// A user at an address, an IPv6 one without its second half.
type Who = (String, IpAddr);

/// Failed dials of all sessions.
#[derive(Debug)]
pub struct FailedDials {
    limit: usize,
    recent: Mutex<Recent>,
}

impl FailedDials {
    /// So many may fail within a minute; 0: any number.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            recent: Mutex::default(),
        }
    }

    /// Whether a dial may be tried now.
    pub fn may_try(&self, user: &str, client: IpAddr) -> bool {
        self.limit == 0 || self.recent().count(&who(user, client), Instant::now()) < self.limit
    }

    /// A dial has failed.
    pub fn failed(&self, user: &str, client: IpAddr) {
        if self.limit == 0 {
            return;
        }
        let (who, now) = (who(user, client), Instant::now());
        if self.recent().add(who, self.limit, now) {
            tracing::warn!(user, %client, "too many dials failed, none is tried for a while");
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn who(user: &str, client: IpAddr) -> Who {
    (user.to_owned(), counted_as(client))
}

/// The last failures, pure: of each at most as many as are allowed, the latest last.
#[derive(Debug, Default)]
struct Recent(BTreeMap<Who, VecDeque<Instant>>);

impl Recent {
    /// Failures that count.
    fn count(&self, who: &Who, now: Instant) -> usize {
        let counts = |failed: &&Instant| now.duration_since(**failed) < COUNTS_FOR;
        self.0
            .get(who)
            .map_or(0, |failures| failures.iter().filter(counts).count())
    }

    /// One more; tells whether now as many failed as may.
    fn add(&mut self, who: Who, limit: usize, now: Instant) -> bool {
        let before = self.count(&who, now);
        if self.0.len() >= KEPT && !self.0.contains_key(&who) {
            self.make_room(now);
        }
        let failures = self.0.entry(who).or_default();
        failures.push_back(now);
        while failures.len() > limit {
            failures.pop_front();
        }
        before + 1 == limit
    }

    /// Forgets those that do not count any more, and if there are none, whoever failed longest ago.
    fn make_room(&mut self, now: Instant) {
        let last = |failures: &VecDeque<Instant>| failures.back().copied();
        let counts =
            |failed: Option<Instant>| failed.is_some_and(|at| now.duration_since(at) < COUNTS_FOR);
        self.0.retain(|_, failures| counts(last(failures)));
        if self.0.len() < KEPT {
            return;
        }
        let oldest = self.0.iter().min_by_key(|(_, failures)| last(failures));
        if let Some(oldest) = oldest.map(|(who, _)| who.clone()) {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 10;

    fn from(client: &str) -> Who {
        who("ann", client.parse().unwrap())
    }

    #[test]
    fn as_many_as_may_fail_count_for_a_minute_each() {
        let (mut recent, ann, begun) = (Recent::default(), from("192.0.2.1"), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        for second in 0..9 {
            assert!(!recent.add(ann.clone(), LIMIT, at(second)));
        }
        assert!(
            recent.add(ann.clone(), LIMIT, at(9)),
            "the tenth is the last"
        );
        assert_eq!(recent.count(&ann, at(59)), LIMIT);
        assert_eq!(recent.count(&ann, at(60)), LIMIT - 1);
        assert!(recent.add(ann.clone(), LIMIT, at(60)));
        assert_eq!(recent.count(&ann, at(119)), 1);
        assert_eq!(recent.count(&ann, at(120)), 0);
    }

    #[test]
    fn failures_of_others_do_not_count_and_a_network_of_ipv6_is_one() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        recent.add(from("2001:db8::1"), LIMIT, now);
        for other in [
            from("192.0.2.1"),
            from("2001:db8:0:1::1"),
            who("bob", "2001:db8::1".parse().unwrap()),
        ] {
            assert_eq!(recent.count(&other, now), 0, "{other:?}");
        }
        assert_eq!(recent.count(&from("2001:db8::2:3"), now), 1);
        recent.add(from("::ffff:192.0.2.1"), LIMIT, now);
        assert_eq!(recent.count(&from("192.0.2.1"), now), 1);
    }

    #[test]
    fn no_more_are_kept_than_fit_and_those_that_count_longest() {
        let (mut recent, begun) = (Recent::default(), Instant::now());
        let nth = |n: usize| who(&format!("user-{n}"), "192.0.2.1".parse().unwrap());
        let at = |n: usize| begun + Duration::from_millis(u64::try_from(n).unwrap());
        for n in 0..2 * KEPT {
            recent.add(nth(n), LIMIT, at(n));
            assert!(recent.0.len() <= KEPT);
        }
        assert_eq!(recent.count(&nth(0), at(2 * KEPT)), 0);
        assert_eq!(recent.count(&nth(2 * KEPT - 1), at(2 * KEPT)), 1);
        for _ in 0..100 {
            recent.add(nth(9), LIMIT, at(2 * KEPT));
        }
        assert_eq!(recent.0[&nth(9)].len(), LIMIT);
        recent.add(nth(0), LIMIT, at(2 * KEPT) + COUNTS_FOR);
        assert_eq!(recent.0.len(), 1, "nothing else counts");
    }
}
