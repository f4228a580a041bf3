//! Which files are deleted, for transfers of them that run. A delete wakes nobody but those.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drftpd_protocol::NodeId;
use tokio::sync::watch;

/// The files that somebody follows. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Deletions(Arc<Mutex<BTreeMap<NodeId, watch::Sender<()>>>>);

impl Deletions {
    /// These are gone: identities are never used again.
    pub(super) fn deleted(&self, nodes: &[NodeId]) {
        let mut followed = self.followed();
        for node in nodes {
            followed.remove(node);
        }
    }

    /// Follows a file that is there now; whoever begins looks once more whether it still is.
    pub(super) fn follow(&self, node: NodeId) -> Followed {
        let mut followed = self.followed();
        let sender = followed
            .entry(node)
            .or_insert_with(|| watch::Sender::new(()));
        Followed {
            node,
            gone: sender.subscribe(),
            all: self.clone(),
        }
    }

    fn followed(&self) -> MutexGuard<'_, BTreeMap<NodeId, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that a transfer follows.
#[derive(Debug)]
pub struct Followed {
    node: NodeId,
    gone: watch::Receiver<()>,
    all: Deletions,
}

impl Followed {
    /// Waits until the file is deleted.
    pub async fn deleted(&mut self) {
        // Nothing is ever sent: the sender goes.
        while self.gone.changed().await.is_ok() {}
    }

    /// Whether it is.
    pub fn is_deleted(&self) -> bool {
        self.gone.has_changed().is_err()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let mut followed = self.all.followed();
        // This one still counts.
        let last = |sender: &watch::Sender<()>| sender.receiver_count() <= 1;
        if followed.get(&self.node).is_some_and(last) {
            followed.remove(&self.node);
        }
    }
}

#[cfg(test)]
mod tests {
    use drftpd_actors::testkit::sim;

    use super::*;

    #[test]
    fn who_follows_hears_of_that_file_alone_and_nothing_is_kept_of_those_who_went() {
        sim(async {
            let all = Deletions::default();
            let (mut one, two) = (all.follow(NodeId(7)), all.follow(NodeId(7)));
            let other = all.follow(NodeId(8));
            drop(two);
            assert!(!one.is_deleted());
            all.deleted(&[NodeId(7), NodeId(9)]);
            one.deleted().await;
            assert!(one.is_deleted() && !other.is_deleted());
            drop((one, other));
            assert!(all.followed().is_empty());
        });
    }
}
