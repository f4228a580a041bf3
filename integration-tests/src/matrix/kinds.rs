//! What can happen to a cluster, and in which order a seed says it.

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The master is killed, and started again after a while.
    MasterKilled,
    /// The master stands still.
    MasterStopped,
    /// The master dies at a point of a commit.
    MasterCrashes,
    /// A slave is killed.
    SlaveKilled,
    /// A slave stands still.
    SlaveStopped,
    /// A slave dies in the middle of writing a file.
    HalfWritten,
    /// Master and slave are killed at once.
    BothKilled,
    /// Nothing gets from a slave to its master, nor back.
    LinkCut,
    /// Nothing gets through in one direction.
    LinkCutOneWay,
    /// Few bytes get through.
    LinkSlow,
    /// Everything gets through late.
    LinkLate,
    /// A disk is full.
    DiskFull,
    /// A disk does not give what was written.
    ReadError,
    /// A disk does not take what is written.
    SyncError,
    /// A root's folder is empty, as when its disk is not mounted.
    Unmounted,
    /// Files of a root are edited, removed, added and moved by hand while its slave is away.
    ByHand,
    /// All files of a root are removed.
    Emptied,
    /// A root is put back as it was a while ago.
    OldCopy,
    /// A second process with a slave's certificate.
    SlaveTwice,
    /// A second slave shows a copy of a root.
    RootTwice,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 20] = [
        Kind::MasterKilled,
        Kind::MasterStopped,
        Kind::MasterCrashes,
        Kind::SlaveKilled,
        Kind::SlaveStopped,
        Kind::HalfWritten,
        Kind::BothKilled,
        Kind::LinkCut,
        Kind::LinkCutOneWay,
        Kind::LinkSlow,
        Kind::LinkLate,
        Kind::DiskFull,
        Kind::ReadError,
        Kind::SyncError,
        Kind::Unmounted,
        Kind::ByHand,
        Kind::Emptied,
        Kind::OldCopy,
        Kind::SlaveTwice,
        Kind::RootTwice,
    ];
}

/// Faults that a short round has room for, at least.
const A_ROUND: u64 = 5;

/// Deals kinds: the same for the same seed, and all of them over some seeds in a row.
pub struct Deck {
    kinds: Vec<Kind>,
    next: u64,
}

impl Deck {
    /// Of these kinds.
    pub fn of(kinds: &[Kind], seed: u64) -> Self {
        Deck {
            kinds: kinds.to_vec(),
            // Each four seeds begin somewhere else.
            next: seed
                .wrapping_mul(A_ROUND)
                .wrapping_add((seed / 4).wrapping_mul(3)),
        }
    }

    /// The next one.
    pub fn deal(&mut self) -> Option<Kind> {
        let all = self.kinds.len() as u64;
        let at = self.next.checked_rem(all)?;
        self.next = self.next.wrapping_add(1);
        // Neighbours of the list are not neighbours in a round.
        let step = if all.is_multiple_of(7) { 1 } else { 7 };
        self.kinds.get((at * step % all) as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn some_seeds_in_a_row_deal_every_kind() {
        let dealt = |seed| {
            let mut deck = Deck::of(&Kind::ALL, seed);
            (0..A_ROUND).filter_map(|_| deck.deal()).collect::<Vec<_>>()
        };
        let all: BTreeSet<_> = (8..12).flat_map(dealt).collect();
        assert_eq!(all.len(), Kind::ALL.len());
        assert_eq!(dealt(7), dealt(7));
        assert_eq!(Deck::of(&[], 1).deal(), None);
    }
}
