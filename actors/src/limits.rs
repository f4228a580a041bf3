//! What the operating system lets one process have: open files, and the size of a file.

use std::io;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// Open files that are kept from clients: a share of the limit, within these bounds.
const SHARE: u64 = 4;
const LEAST: u64 = 32;
const MOST: u64 = 4096;

/// A limit of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles(u64);

/// Whether a connection that was accepted may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It may.
    Enough,
    /// The rest is for others; there is enough to say so.
    Reserve,
    /// There is nearly nothing left, not even for a last word.
    Nothing,
}

impl OpenFiles {
    /// A limit of so many.
    pub fn of(limit: u64) -> Self {
        Self(limit)
    }

    /// What holds now.
    pub fn now() -> Self {
        Self(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
    }

    /// Raises the limit as far as an ordinary process may, and gives what holds then.
    pub fn raise() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let most = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if limit.current != limit.maximum
            && let Err(why) = setrlimit(Resource::Nofile, most)
        {
            tracing::warn!(%why, "limit of open files not raised");
        }
        Self::now()
    }

    /// How many there may be.
    pub fn limit(self) -> u64 {
        self.0
    }

    /// How many of them clients do not get, so that everything else still works.
    pub fn reserve(self) -> u64 {
        (self.0 / SHARE).clamp(LEAST, MOST)
    }

    /// How many there are for clients.
    pub fn for_clients(self) -> u64 {
        self.0.saturating_sub(self.reserve())
    }

    /// Whether a connection with this descriptor may stay. The system gives the lowest free number, so all below it are
    /// in use.
    pub fn room(self, descriptor: u64) -> Room {
        if descriptor < self.for_clients() {
            Room::Enough
        } else if descriptor < self.0.saturating_sub(self.reserve() / 2) {
            Room::Reserve
        } else {
            Room::Nothing
        }
    }
}

/// From now on, a write beyond the limit of a file's size (`ulimit -f`) fails and does not end the process. Inside a
/// runtime only.
///
/// # Errors
/// When the signal cannot be handled.
pub fn survive_large_files() -> io::Result<()> {
    // The handler stays when this is dropped; nobody need hear of the signal.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_descriptors_is_not_for_clients() {
        for (limit, reserve) in [(1024, 256), (64, 32), (1 << 20, 4096), (u64::MAX, 4096)] {
            let files = OpenFiles::of(limit);
            assert_eq!(files.reserve(), reserve, "{limit}");
            assert_eq!(files.for_clients(), limit - reserve);
        }
        assert_eq!(OpenFiles::of(10).for_clients(), 0);
    }

    #[test]
    fn whoever_comes_late_is_told_so_and_whoever_comes_last_is_not() {
        let files = OpenFiles::of(1000);
        assert_eq!(files.room(749), Room::Enough);
        assert_eq!(files.room(750), Room::Reserve);
        assert_eq!(files.room(874), Room::Reserve);
        assert_eq!(files.room(875), Room::Nothing);
        assert_eq!(files.room(999), Room::Nothing);
    }

    #[test]
    fn the_limit_is_raised_to_what_the_process_may_have() {
        let files = OpenFiles::raise();
        let most = getrlimit(Resource::Nofile).maximum;
        assert_eq!(files.limit(), most.unwrap_or(u64::MAX));
        assert_eq!(OpenFiles::now(), files);
    }
}
