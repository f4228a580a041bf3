//! Between two walks of a root: what earlier ones left, and what they have believed.

use std::collections::VecDeque;
use std::time::Duration;

use drftpd_actors::Backoff;
use tokio::time::{Instant, timeout_at};

use super::asked::{Asked, Extent};
use super::roots::RootCx;

/// Longest pause before a walk that looks at what an earlier one left open.
const LONGEST_REST: Duration = Duration::from_secs(3600);
/// First pause before what a walk of a shared root left is looked at again.
const SHORT_REST: Duration = Duration::from_millis(50);
/// So long files that were removed from a shared root count together.
const LATELY: Duration = Duration::from_secs(60);

/// Files of a shared root that walks have believed to be removed, of late.
#[derive(Default)]
pub(super) struct Lately(VecDeque<(Instant, u64)>);

impl Lately {
    /// A walk that began then has believed so many.
    pub fn note(&mut self, removed: u64, now: Instant) {
        if removed > 0 {
            self.0.push_back((now, removed));
        }
    }

    /// How many that are.
    pub fn removed(&mut self, now: Instant) -> u64 {
        self.0.retain(|(at, _)| now.duration_since(*at) < LATELY);
        self.0.iter().map(|(_, removed)| removed).sum()
    }
}

/// What a walk leaves to a later one.
pub(super) struct Left {
    pub what: Extent,
    /// Whether others wait for it.
    pub soon: bool,
}

/// The time between two walks.
pub(super) struct Rest {
    pause: Backoff,
    /// Pauses on shared roots, where others wait for what was left.
    short: Backoff,
    /// What earlier walks left, and when it is looked at again.
    left: Option<(Extent, Instant)>,
}

impl Rest {
    pub fn new(cx: &RootCx) -> Self {
        let (first, dice) = (cx.deps.config.walk_again_after, cx.deps.dice.clone());
        Self {
            pause: Backoff::new(first, LONGEST_REST.max(first), dice.clone()),
            short: Backoff::new(SHORT_REST, LONGEST_REST, dice),
            left: None,
        }
    }

    /// A walk of so much is over.
    pub fn leave(&mut self, walked: &Extent, left: Option<Left>) {
        let Some(Left { what, soon }) = left else {
            self.short.reset();
            if *walked == Extent::Whole {
                self.left = None;
            }
            return;
        };
        let pause = match soon {
            true => self.short.next_wait(),
            false => self.pause.next_wait(),
        };
        let due = Instant::now() + pause;
        self.left = Some(match self.left.take() {
            Some((before, earlier)) => (before.and(what), earlier.min(due)),
            None => (what, due),
        });
    }

    /// Waits until somebody asks, or until it is time for what was left. Where something is always asked for, what is due
    /// goes with it.
    pub async fn next(&mut self, asked: &Asked) -> Extent {
        let next = match &self.left {
            None => asked.next().await,
            Some((_, due)) => match timeout_at(*due, asked.next()).await {
                Ok(next) => next,
                Err(_) => return self.left.take().map_or(Extent::Whole, |(left, _)| left),
            },
        };
        self.pause.reset();
        let now = Instant::now();
        match self.left.take_if(|(_, due)| *due <= now) {
            Some((left, _)) => next.and(left),
            None => next,
        }
    }
}

#[cfg(test)]
mod tests {
    use drftpd_actors::Dice;
    use drftpd_protocol::VfsPath;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_due_is_not_forgotten_over_what_is_always_asked_for() {
        let asked = Asked::default();
        let of = |path: &[u8]| Extent::at(&VfsPath::absolute(path).unwrap());
        let (left, new) = (of(b"/left"), of(b"/new"));
        let pauses = || Backoff::new(SHORT_REST, LONGEST_REST, Dice::seeded(1));
        let mut rest = Rest {
            pause: pauses(),
            short: pauses(),
            left: None,
        };
        let what = left.clone();
        rest.leave(&new, Some(Left { what, soon: true }));
        asked.ask(new.clone());
        assert_eq!(rest.next(&asked).await, new, "not due");
        tokio::time::advance(LONGEST_REST).await;
        asked.ask(new.clone());
        assert_eq!(rest.next(&asked).await, new.and(left));
        assert!(rest.left.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_removed_within_a_minute_counts_together() {
        let (mut lately, begun) = (Lately::default(), Instant::now());
        lately.note(3, begun);
        lately.note(0, begun);
        lately.note(4, begun + LATELY / 2);
        assert_eq!(lately.removed(begun + LATELY / 2), 7);
        assert_eq!(lately.removed(begun + LATELY), 4);
        assert_eq!(lately.removed(begun + LATELY * 2), 0);
    }
}
