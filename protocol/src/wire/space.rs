//! Free space, and the order in which it was looked at.

use serde::{Deserialize, Serialize};

use crate::ids::RootId;

/// When a slave looked at its disks, in its own count: what an earlier look saw is out of date.
///
/// Numbers are given out before the disk is asked, so whatever had ended by then is in what a look
/// with a greater number saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Look {
    /// Which run of the slave counts; looks of two runs cannot be compared.
    pub run: u64,
    /// Greater is later.
    pub number: u64,
}

impl Look {
    /// Whether this look came before the other one of the same run.
    pub fn is_before(self, other: Look) -> bool {
        self.run == other.run && self.number < other.number
    }
}

/// What an upload left free, looked at after its bytes were set aside, or were all there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceSeen {
    /// When.
    pub look: Look,
    /// Its root, and all that share the filesystem: bytes free for us, reservations taken off.
    pub free: Vec<(RootId, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_of_two_runs_have_no_order() {
        let look = |run, number| Look { run, number };
        assert!(look(1, 1).is_before(look(1, 2)));
        assert!(!look(1, 2).is_before(look(1, 2)));
        assert!(!look(2, 1).is_before(look(1, 2)));
    }
}
