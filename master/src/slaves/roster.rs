//! Which slaves are online, and who shows which root: pure book-keeping of the registry.
//!
//! A root belongs to the first slave that shows it, as long as that one is online and has it.
//! Another slave that shows a root with the same identity (a copied disk) is refused for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use drftpd_protocol::wire::{Alive, RootState, RootStatus};
use drftpd_protocol::{RootId, SlaveId};

use super::standing::Standing;
use super::view::{SlaveView, SlaveViews};

/// Number of a link, unique in this run of the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// A link that is up, with whatever handle its manager is reached by.
struct Link<M> {
    id: LinkId,
    manager: M,
    view: SlaveView,
    remerging: BTreeSet<RootId>,
    refused: BTreeSet<RootId>,
}

/// What a link may do after its slave told about its roots.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Roots that it may show.
    pub roots: BTreeSet<RootId>,
    /// Roots that are refused from now on, each with the slave that shows it.
    pub newly_refused: Vec<(RootId, SlaveId)>,
    /// Roots that can be used otherwise than the link said before; of its first word those that are not as they should be.
    pub turned: Vec<RootStatus>,
}

/// All links that are up.
pub struct Roster<M> {
    links: BTreeMap<SlaveId, Link<M>>,
    claims: BTreeMap<RootId, SlaveId>,
    /// Those among the roots which were shown that are retired.
    retired: BTreeSet<RootId>,
}

impl<M> Default for Roster<M> {
    fn default() -> Self {
        Self {
            links: BTreeMap::new(),
            claims: BTreeMap::new(),
            retired: BTreeSet::new(),
        }
    }
}

impl<M: Clone> Roster<M> {
    /// The link of a slave.
    pub fn link(&self, slave: &SlaveId) -> Option<(LinkId, &M)> {
        let link = self.links.get(slave)?;
        Some((link.id, &link.manager))
    }

    /// Where a slave's link comes from.
    pub fn address(&self, slave: &SlaveId) -> Option<IpAddr> {
        self.links.get(slave).map(|link| link.view.address)
    }

    /// Whether this is the slave's link now (and not one that was replaced).
    pub fn is_current(&self, slave: &SlaveId, id: LinkId) -> bool {
        self.links.get(slave).is_some_and(|link| link.id == id)
    }

    /// Every manager with its slave.
    pub fn managers(&self) -> BTreeMap<SlaveId, M> {
        let pair = |(slave, link): (&SlaveId, &Link<M>)| (slave.clone(), link.manager.clone());
        self.links.iter().map(pair).collect()
    }

    /// A link is up. One that was there under the same name is forgotten.
    pub fn link_up(&mut self, id: LinkId, manager: M, address: IpAddr, slave: SlaveId, since: i64) {
        self.release(&slave);
        let view = SlaveView {
            slave: slave.clone(),
            address: address.to_canonical(),
            roots: Vec::new(),
            transfers: 0,
            receiving: 0,
            sending: 0,
            remerging: false,
            held: BTreeSet::new(),
            standing: Standing::default(),
            since,
        };
        let link = Link {
            id,
            manager,
            view,
            remerging: BTreeSet::new(),
            refused: BTreeSet::new(),
        };
        self.links.insert(slave, link);
    }

    /// A slave told what it has; `None` from a link that is not current.
    pub fn told(&mut self, slave: &SlaveId, id: LinkId, mut alive: Alive) -> Option<Granted> {
        if !self.is_current(slave, id) {
            return None;
        }
        alive
            .roots
            .retain(|root| !self.retired.contains(&root.root));
        let shown: BTreeSet<RootId> = alive
            .roots
            .iter()
            .filter(|root| root.state != RootState::Absent)
            .map(|root| root.root)
            .collect();
        self.claims
            .retain(|root, holder| holder != slave || shown.contains(root));
        for root in &shown {
            self.claims.entry(*root).or_insert_with(|| slave.clone());
        }
        let claims = &self.claims;
        let foreign = |root: &RootId| claims.get(root).filter(|holder| *holder != slave);
        let link = self.links.get_mut(slave)?;
        let refused: Vec<_> = shown
            .iter()
            .filter_map(|root| Some((*root, foreign(root)?.clone())))
            .collect();
        let newly_refused = refused
            .iter()
            .filter(|(root, _)| !link.refused.contains(root))
            .cloned()
            .collect();
        link.refused = refused.into_iter().map(|(root, _)| root).collect();
        let roots = shown.difference(&link.refused).copied().collect();
        let told = once_each(alive.roots, &link.refused);
        let turned = turned(&link.view.roots, &told);
        link.view.roots = told;
        link.view.transfers = alive.transfers;
        link.view.receiving = alive.receiving;
        link.view.sending = alive.sending;
        Some(Granted {
            roots,
            newly_refused,
            turned,
        })
    }

    /// A remerge of a root began or ended.
    pub fn remerging(&mut self, slave: &SlaveId, id: LinkId, root: RootId, runs: bool) {
        let Some(link) = self.links.get_mut(slave).filter(|link| link.id == id) else {
            return;
        };
        if runs {
            link.remerging.insert(root);
        } else {
            link.remerging.remove(&root);
        }
        link.view.remerging = !link.remerging.is_empty();
    }

    /// Whether nothing that a root says counts. Tells whether that is news.
    pub fn holding(&mut self, slave: &SlaveId, id: LinkId, root: RootId, held: bool) -> bool {
        match self.links.get_mut(slave).filter(|link| link.id == id) {
            Some(link) if held => link.view.held.insert(root),
            Some(link) => link.view.held.remove(&root),
            None => false,
        }
    }

    /// An operator has decided something about a slave. Tells whether that is news.
    pub fn standing(&mut self, slave: &SlaveId, standing: Standing) -> bool {
        let view = self.links.get_mut(slave).map(|link| &mut link.view);
        view.is_some_and(|view| std::mem::replace(&mut view.standing, standing) != standing)
    }

    /// A root is retired: no slave shows it any more.
    pub fn retire(&mut self, root: RootId) {
        self.retired.insert(root);
        self.claims.remove(&root);
        for link in self.links.values_mut() {
            link.view.roots.retain(|shown| shown.root != root);
        }
    }

    /// Whether a slave shows a root now, as far as it may.
    pub fn shows(&self, slave: &SlaveId, root: RootId) -> bool {
        self.claims.get(&root) == Some(slave)
    }

    /// A link is down; tells whose it was, if it was current.
    pub fn link_down(&mut self, id: LinkId) -> Option<SlaveId> {
        let (slave, _) = self.links.iter().find(|(_, link)| link.id == id)?;
        let slave = slave.clone();
        self.links.remove(&slave);
        self.release(&slave);
        Some(slave)
    }

    fn release(&mut self, slave: &SlaveId) {
        self.claims.retain(|_, holder| holder != slave);
    }

    /// What others may know.
    pub fn views(&self) -> SlaveViews {
        let pair = |(slave, link): (&SlaveId, &Link<M>)| (slave.clone(), link.view.clone());
        Arc::new(self.links.iter().map(pair).collect())
    }
}

/// The roots that may be shown, each identity once.
/// Those that are in another state than before.
fn turned(before: &[RootStatus], now: &[RootStatus]) -> Vec<RootStatus> {
    let was = |root: &RootStatus| {
        let known = before.iter().find(|known| known.root == root.root);
        known.map_or(RootState::Present, |known| known.state)
    };
    now.iter()
        .filter(|root| was(root) != root.state)
        .cloned()
        .collect()
}

fn once_each(roots: Vec<RootStatus>, refused: &BTreeSet<RootId>) -> Vec<RootStatus> {
    let mut seen = refused.clone();
    roots
        .into_iter()
        .filter(|root| seen.insert(root.root))
        .collect()
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
