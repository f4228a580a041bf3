//! Walks of one root that were asked for and have not begun. Many that are asked for meanwhile become one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use drftpd_protocol::wire::WalkPart;
use drftpd_protocol::{NodeId, VfsPath};
use tokio::sync::Notify;

use crate::vfs::Within;

/// Parts of one walk at most; where more are asked for all of the root is walked.
const MAX_PARTS: usize = 1024;

/// What a walk is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of a root.
    Whole,
    /// Parts of it.
    Parts(Vec<WalkPart>),
}

impl Extent {
    /// What lies at and below a path.
    pub fn at(path: &VfsPath) -> Self {
        let Some((name, above)) = path.names().split_last() else {
            return Self::Whole;
        };
        let entry = WalkPart {
            way: above.to_vec(),
            names: vec![name.clone()],
        };
        let below = WalkPart {
            way: path.names().to_vec(),
            names: Vec::new(),
        };
        Self::Parts(vec![entry, below])
    }

    /// These parts, if there are any.
    pub fn of(parts: Vec<WalkPart>) -> Option<Self> {
        (!parts.is_empty()).then(|| Self::Parts(Vec::new()).and(Self::Parts(parts)))
    }

    /// What of the root a walk of it was of, when it found nothing at the places of these entries.
    pub fn within(&self, gone: Vec<NodeId>) -> Within {
        match self {
            Self::Whole => Within::All,
            Self::Parts(parts) => {
                let dirs = parts.iter().filter(|part| part.names.is_empty());
                let below = dirs.map(|part| part.way.clone()).collect();
                Within::Parts { below, gone }
            }
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Parts(mut all), Self::Parts(more)) => {
                for part in more {
                    if all.len() > MAX_PARTS {
                        return Self::Whole; // each is compared with all: not with every one of a million
                    }
                    if !all.contains(&part) {
                        all.push(part);
                    }
                }
                match all.len() <= MAX_PARTS {
                    true => Self::Parts(all),
                    false => Self::Whole,
                }
            }
            _ => Self::Whole,
        }
    }
}

/// What is asked for of one root.
#[derive(Debug, Default)]
pub(super) struct Asked {
    next: Mutex<Option<Extent>>,
    news: Notify,
}

impl Asked {
    /// Asks for a walk, after the one that may run now.
    pub fn ask(&self, extent: Extent) {
        let mut next = self.lock();
        let before = next.take();
        *next = Some(match before {
            Some(before) => before.and(extent),
            None => extent,
        });
        drop(next);
        self.news.notify_one();
    }

    /// Waits until one is asked for, and takes all that is.
    pub async fn next(&self) -> Extent {
        loop {
            if let Some(extent) = self.lock().take() {
                return extent;
            }
            self.news.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Extent>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use drftpd_protocol::Name;

    use super::*;

    fn at(path: &str) -> Extent {
        Extent::at(&VfsPath::absolute(path.as_bytes()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_for_meanwhile_becomes_one_walk() {
        let asked = Asked::default();
        asked.ask(at("/a/b"));
        asked.ask(at("/c"));
        asked.ask(at("/a/b"));
        let Extent::Parts(parts) = asked.next().await else {
            panic!("all of it");
        };
        assert_eq!(parts.len(), 4, "{parts:?}");
        asked.ask(at("/a"));
        asked.ask(at("/"));
        asked.ask(at("/b"));
        assert_eq!(asked.next().await, Extent::Whole);
    }

    #[test]
    fn too_many_parts_are_all_of_it() {
        let all = (0..MAX_PARTS).map(|n| at(&format!("/{n}")));
        assert_eq!(all.reduce(Extent::and), Some(Extent::Whole));
        // Of a million it is known at once: compared with each other they would take hours.
        let part = |n: usize| WalkPart {
            way: vec![Name::new(n.to_string().into_bytes()).unwrap()],
            names: Vec::new(),
        };
        let million = (0..1_000_000).map(part).collect();
        assert_eq!(Extent::of(million), Some(Extent::Whole));
    }
}
