//! Revisions of the wire, newest first. Write the line, then the change.

use serde::{Deserialize, Serialize};

/// What changed on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub enum Revision {
    /// The first one.
    R1 = 1,
}

impl Revision {
    /// The oldest one that this build speaks.
    pub const OLDEST: Revision = Revision::R1;
    /// The newest one that this build speaks.
    pub const NEWEST: Revision = Revision::R1;

    /// The newest revision that both ends speak; `None` where there is none.
    ///
    /// A peer's bounds are plain numbers: it may be newer than everything known here.
    pub fn common(oldest: u16, newest: u16) -> Option<Revision> {
        let best = newest.min(Revision::NEWEST.into());
        (best >= oldest)
            .then(|| Revision::try_from(best).ok())
            .flatten()
    }
}

impl From<Revision> for u16 {
    fn from(revision: Revision) -> u16 {
        revision as u16
    }
}

impl TryFrom<u16> for Revision {
    type Error = String;

    fn try_from(number: u16) -> Result<Self, String> {
        match number {
            1 => Ok(Revision::R1),
            other => Err(format!("unknown revision {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_revision_is_chosen() {
        assert_eq!(Revision::common(1, 1), Some(Revision::R1));
        assert_eq!(Revision::common(1, 9), Some(Revision::R1));
        assert_eq!(Revision::common(2, 9), None);
        assert_eq!(Revision::common(0, 0), None);
    }
}
