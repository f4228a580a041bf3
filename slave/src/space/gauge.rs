//! Pure: what is known of every root's space, also when its disk does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use drftpd_protocol::RootId;
use drftpd_protocol::wire::{RootState, RootStatus};
use tokio::time::Instant;

/// The last status of every root, and which ones are asked just now.
#[derive(Debug)]
pub struct Gauge {
    patience: Duration,
    roots: BTreeMap<RootId, Dial>,
}

#[derive(Debug)]
struct Dial {
    last: RootStatus,
    asked: Option<Instant>,
}

impl Gauge {
    /// Begins with what the roots said when they were opened. A disk that does not answer within
    /// `patience` counts as absent.
    pub fn new(patience: Duration, roots: Vec<RootStatus>) -> Self {
        let dial = |last: RootStatus| (last.root, Dial { last, asked: None });
        Gauge {
            patience,
            roots: roots.into_iter().map(dial).collect(),
        }
    }

    /// A disk that was mounted after the start.
    pub fn add(&mut self, last: RootStatus) {
        let dial = Dial { last, asked: None };
        self.roots.entry(dial.last.root).or_insert(dial);
    }

    /// Roots to ask now: those that owe no answer. A disk that hangs is asked once, so that it
    /// cannot take one thread after the other.
    pub fn ask(&mut self, now: Instant) -> Vec<RootId> {
        let free = self
            .roots
            .iter_mut()
            .filter(|(_, dial)| dial.asked.is_none());
        free.map(|(root, dial)| {
            dial.asked = Some(now);
            *root
        })
        .collect()
    }

    /// A root's answer; `None` when it could not be asked.
    pub fn answered(&mut self, root: RootId, status: Option<RootStatus>) {
        let Some(dial) = self.roots.get_mut(&root) else {
            return;
        };
        dial.asked = None;
        match status {
            Some(status) => dial.last = status,
            None => dial.last.state = RootState::Absent,
        }
    }

    /// What is told of all roots: the last answers, and roots whose disk hangs as absent. Absent
    /// is not empty, so nothing is lost by it; the master only looks elsewhere meanwhile.
    pub fn statuses(&self, now: Instant) -> Vec<RootStatus> {
        let told = |dial: &Dial| match self.hangs(dial, now) {
            true => RootStatus {
                state: RootState::Absent,
                free: 0,
                ..dial.last.clone()
            },
            false => dial.last.clone(),
        };
        self.roots.values().map(told).collect()
    }

    /// Roots whose disk does not answer, for the log.
    pub fn hanging(&self, now: Instant) -> Vec<RootId> {
        let hangs = self.roots.iter().filter(|(_, dial)| self.hangs(dial, now));
        hangs.map(|(root, _)| *root).collect()
    }

    fn hangs(&self, dial: &Dial, now: Instant) -> bool {
        dial.asked
            .is_some_and(|asked| now.duration_since(asked) >= self.patience)
    }
}

#[cfg(test)]
mod tests {
    use drftpd_protocol::wire::Look;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);
    const A: RootId = RootId([0xA; 16]);
    const B: RootId = RootId([0xB; 16]);

    fn status(root: RootId, free: u64) -> RootStatus {
        RootStatus {
            root,
            path: "/srv".into(),
            state: RootState::Present,
            total: 100,
            free,
            filesystem: 1,
            look: Look::default(),
        }
    }

    fn gauge() -> Gauge {
        Gauge::new(PATIENCE, vec![status(A, 10), status(B, 20)])
    }

    #[test]
    fn a_disk_that_hangs_becomes_absent_and_comes_back_with_its_answer() {
        let (mut gauge, now) = (gauge(), Instant::now());
        assert_eq!(gauge.ask(now), [A, B]);
        gauge.answered(A, Some(status(A, 9)));
        let early = gauge.statuses(now + PATIENCE / 2);
        assert_eq!(early, [status(A, 9), status(B, 20)]);
        let late = now + PATIENCE;
        assert_eq!(gauge.hanging(late), [B]);
        assert_eq!(gauge.statuses(late)[1].state, RootState::Absent);
        gauge.answered(B, Some(status(B, 19)));
        assert_eq!(gauge.statuses(late), [status(A, 9), status(B, 19)]);
    }

    #[test]
    fn a_disk_that_hangs_is_not_asked_again() {
        let (mut gauge, now) = (gauge(), Instant::now());
        assert_eq!(gauge.ask(now), [A, B]);
        gauge.answered(A, Some(status(A, 9)));
        assert_eq!(gauge.ask(now + PATIENCE), [A]);
    }

    #[test]
    fn a_root_that_came_later_is_told_from_then_on() {
        let (mut gauge, now) = (gauge(), Instant::now());
        let c = RootId([0xC; 16]);
        gauge.add(status(c, 30));
        gauge.add(status(A, 99));
        assert_eq!(gauge.statuses(now)[0].free, 10);
        assert_eq!(gauge.ask(now), [A, B, c]);
    }

    #[test]
    fn a_root_that_could_not_be_asked_is_absent_with_its_last_numbers() {
        let (mut gauge, now) = (gauge(), Instant::now());
        gauge.ask(now);
        gauge.answered(A, None);
        let told = gauge.statuses(now);
        assert_eq!((told[0].state, told[0].total), (RootState::Absent, 100));
        gauge.answered(RootId([9; 16]), None);
        assert_eq!(gauge.statuses(now).len(), 2);
    }
}
