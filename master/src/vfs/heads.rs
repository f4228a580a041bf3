//! The newest position of every root's log, for whoever sends operations to slaves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drftpd_protocol::{OpSeq, RootId};
use tokio::sync::watch;

/// Newest positions, one channel for each root: an operation wakes nobody but those who follow its root. Clones share
/// them.
#[derive(Debug, Clone, Default)]
pub struct OpsHeads(Arc<Mutex<BTreeMap<RootId, watch::Sender<OpSeq>>>>);

impl OpsHeads {
    /// These logs grew, or are there.
    pub fn moved(&self, heads: impl IntoIterator<Item = (RootId, OpSeq)>) {
        let mut roots = self.roots();
        for (root, head) in heads {
            roots.entry(root).or_insert_with(none).send_replace(head);
        }
    }

    /// A root's newest position as it changes; [`OpSeq::NONE`] for a root without one.
    pub fn follow(&self, root: RootId) -> watch::Receiver<OpSeq> {
        self.roots().entry(root).or_insert_with(none).subscribe()
    }

    /// All of them as they are.
    pub fn all(&self) -> BTreeMap<RootId, OpSeq> {
        let roots = self.roots();
        let heads = roots.iter().map(|(root, head)| (*root, *head.borrow()));
        heads.collect()
    }

    fn roots(&self) -> MutexGuard<'_, BTreeMap<RootId, watch::Sender<OpSeq>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn none() -> watch::Sender<OpSeq> {
    watch::Sender::new(OpSeq::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_a_root_hears_of_no_other() {
        let heads = OpsHeads::default();
        let (one, other) = (RootId([1; 16]), RootId([2; 16]));
        let mut followed = heads.follow(one);
        heads.moved([(other, OpSeq(7))]);
        assert!(!followed.has_changed().unwrap());
        heads.moved([(one, OpSeq(3))]);
        assert!(followed.has_changed().unwrap());
        assert_eq!(*followed.borrow_and_update(), OpSeq(3));
        assert_eq!(
            heads.all(),
            BTreeMap::from([(one, OpSeq(3)), (other, OpSeq(7))])
        );
    }
}
