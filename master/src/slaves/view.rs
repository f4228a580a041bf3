//! What the rest of the master may know about slaves: latest values, by a watch channel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use drftpd_protocol::wire::{RootState, RootStatus};
use drftpd_protocol::{RootId, SlaveId};

use super::standing::Standing;

/// All slaves that are online, as they last told.
pub type SlaveViews = Arc<BTreeMap<SlaveId, SlaveView>>;

/// One online slave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaveView {
    /// Its name.
    pub slave: SlaveId,
    /// Where its link comes from.
    pub address: IpAddr,
    /// Its roots; `free` already lacks what the slave has reserved.
    pub roots: Vec<RootStatus>,
    /// Data channels it has.
    pub transfers: u32,
    /// Bytes per second that come in.
    pub receiving: u64,
    /// Bytes per second that go out.
    pub sending: u64,
    /// Whether a remerge of one of its roots runs.
    pub remerging: bool,
    /// Roots that are held: they take no uploads, and nothing that a walk of them finds counts.
    pub held: BTreeSet<RootId>,
    /// What an operator has decided about it.
    pub standing: Standing,
    /// Online since, Unix seconds.
    pub since: i64,
}

impl SlaveView {
    /// Whether this root can be read now: what a slave has that is worked on is offline.
    pub fn shows(&self, root: RootId) -> bool {
        let here = |r: &RootStatus| r.root == root && r.state != RootState::Absent;
        !self.standing.maintenance && self.roots.iter().any(here)
    }
}

/// All roots that slaves show now.
pub fn shown_roots(views: &SlaveViews) -> BTreeSet<RootId> {
    let roots = views.values().flat_map(|view| {
        let all = view.roots.iter().map(|status| status.root);
        all.filter(|root| view.shows(*root))
    });
    roots.collect()
}

/// Which slave shows a root now.
pub fn slave_of(views: &SlaveViews, root: RootId) -> Option<&SlaveView> {
    views.values().find(|view| view.shows(root))
}
