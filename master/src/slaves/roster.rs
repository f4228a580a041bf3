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
mod tests {
    use drftpd_protocol::wire::Look;

    use super::*;

    fn slave(name: &str) -> SlaveId {
        SlaveId::new(name).unwrap()
    }

    fn root(byte: u8, state: RootState) -> RootStatus {
        RootStatus {
            root: RootId([byte; 16]),
            path: format!("/disk{byte}"),
            state,
            total: 100,
            free: 50,
            filesystem: 1,
            look: Look::default(),
        }
    }

    fn alive(roots: Vec<RootStatus>) -> Alive {
        Alive {
            roots,
            transfers: 3,
            receiving: 4,
            sending: 5,
        }
    }

    fn roster(names: &[&str]) -> Roster<()> {
        let mut roster = Roster::default();
        for (at, name) in names.iter().enumerate() {
            let address = [127, 0, 0, 1].into();
            roster.link_up(LinkId(at as u64 + 1), (), address, slave(name), 9);
        }
        roster
    }

    const PRESENT: RootState = RootState::Present;

    #[test]
    fn what_a_slave_tells_is_what_others_see() {
        let mut roster = roster(&["a"]);
        let told = alive(vec![root(1, PRESENT), root(2, RootState::Absent)]);
        let granted = roster.told(&slave("a"), LinkId(1), told).unwrap();
        assert_eq!(granted.roots, BTreeSet::from([RootId([1; 16])]));
        let views = roster.views();
        let view = &views[&slave("a")];
        assert!(view.shows(RootId([1; 16])) && !view.shows(RootId([2; 16])));
        assert_eq!((view.transfers, view.roots.len(), view.since), (3, 2, 9));
    }

    #[test]
    fn the_second_slave_that_shows_a_root_is_refused_for_it_until_the_first_is_gone() {
        let mut roster = roster(&["a", "b"]);
        let both = || alive(vec![root(1, PRESENT)]);
        roster.told(&slave("a"), LinkId(1), both()).unwrap();
        let more = || alive(vec![root(1, PRESENT), root(2, PRESENT)]);
        let granted = roster.told(&slave("b"), LinkId(2), more()).unwrap();
        assert_eq!(granted.roots, BTreeSet::from([RootId([2; 16])]));
        assert_eq!(granted.newly_refused, [(RootId([1; 16]), slave("a"))]);
        assert!(!roster.views()[&slave("b")].shows(RootId([1; 16])));
        let again = roster.told(&slave("b"), LinkId(2), more()).unwrap();
        assert_eq!(again.newly_refused, [], "said once");

        assert_eq!(roster.link_down(LinkId(1)), Some(slave("a")));
        let granted = roster.told(&slave("b"), LinkId(2), more()).unwrap();
        assert_eq!(granted.roots.len(), 2);
        assert!(roster.shows(&slave("b"), RootId([1; 16])));
    }

    #[test]
    fn a_root_that_is_unmounted_may_be_shown_by_another_slave() {
        let mut roster = roster(&["a", "b"]);
        let here = || alive(vec![root(1, PRESENT)]);
        roster.told(&slave("a"), LinkId(1), here()).unwrap();
        let gone = alive(vec![root(1, RootState::Absent)]);
        roster.told(&slave("a"), LinkId(1), gone).unwrap();
        let granted = roster.told(&slave("b"), LinkId(2), here()).unwrap();
        assert_eq!((granted.roots.len(), granted.newly_refused.len()), (1, 0));
    }

    #[test]
    fn what_becomes_of_a_root_is_told_once_and_also_of_a_slaves_first_word() {
        let mut roster = roster(&["a"]);
        let mut told = |state| {
            let told = roster.told(&slave("a"), LinkId(1), alive(vec![root(1, state)]));
            let turned = told.unwrap().turned;
            turned.iter().map(|root| root.state).collect::<Vec<_>>()
        };
        assert_eq!(told(PRESENT), []);
        for state in [RootState::ReadOnly, RootState::Absent, PRESENT] {
            assert_eq!(told(state), [state]);
            assert_eq!(told(state), []);
        }
        let mut roster = self::roster(&["a"]);
        let broken = alive(vec![root(1, RootState::ReadOnly)]);
        let told = roster.told(&slave("a"), LinkId(1), broken).unwrap();
        assert_eq!(told.turned.len(), 1);
    }

    #[test]
    fn one_identity_on_two_folders_of_a_slave_is_one_root() {
        let mut roster = roster(&["a"]);
        let twice = alive(vec![root(1, PRESENT), root(1, PRESENT)]);
        roster.told(&slave("a"), LinkId(1), twice).unwrap();
        assert_eq!(roster.views()[&slave("a")].roots.len(), 1);
    }

    #[test]
    fn a_link_that_was_replaced_is_not_heard() {
        let mut roster = roster(&["a"]);
        roster.link_up(LinkId(9), (), [127, 0, 0, 1].into(), slave("a"), 9);
        assert_eq!(roster.told(&slave("a"), LinkId(1), alive(Vec::new())), None);
        assert_eq!(roster.link_down(LinkId(1)), None);
        assert!(roster.is_current(&slave("a"), LinkId(9)));
    }

    #[test]
    fn a_root_is_held_as_long_as_its_own_link_says() {
        let mut roster = roster(&["a"]);
        let one = RootId([1; 16]);
        assert!(roster.holding(&slave("a"), LinkId(1), one, true));
        assert!(!roster.holding(&slave("a"), LinkId(1), one, true));
        assert!(!roster.holding(&slave("a"), LinkId(9), one, false));
        assert_eq!(roster.views()[&slave("a")].held, BTreeSet::from([one]));
        assert!(roster.holding(&slave("a"), LinkId(1), one, false));
        assert!(roster.views()[&slave("a")].held.is_empty());
    }

    #[test]
    fn a_root_that_is_retired_is_shown_by_nobody_whatever_is_told() {
        let mut roster = roster(&["a"]);
        let both = || alive(vec![root(1, PRESENT), root(2, PRESENT)]);
        roster.told(&slave("a"), LinkId(1), both()).unwrap();
        roster.retire(RootId([1; 16]));
        let shown = |roster: &Roster<()>| {
            let view = &roster.views()[&slave("a")];
            let all = view.roots.iter().map(|root| root.root);
            all.collect::<Vec<_>>()
        };
        assert_eq!(shown(&roster), [RootId([2; 16])]);
        let granted = roster.told(&slave("a"), LinkId(1), both()).unwrap();
        assert_eq!(granted.roots, BTreeSet::from([RootId([2; 16])]));
        assert_eq!(shown(&roster), [RootId([2; 16])]);
        assert!(!roster.shows(&slave("a"), RootId([1; 16])));
    }

    #[test]
    fn what_a_slave_that_is_worked_on_has_is_not_there_for_others() {
        let mut roster = roster(&["a"]);
        let here = alive(vec![root(1, PRESENT)]);
        roster.told(&slave("a"), LinkId(1), here).unwrap();
        let worked_on = Standing {
            maintenance: true,
            ..Standing::default()
        };
        assert!(roster.standing(&slave("a"), worked_on));
        assert!(!roster.standing(&slave("a"), worked_on), "said once");
        let shows = |roster: &Roster<()>| roster.views()[&slave("a")].shows(RootId([1; 16]));
        assert!(!shows(&roster));
        let drained = Standing {
            drained: true,
            ..Standing::default()
        };
        assert!(roster.standing(&slave("a"), drained) && shows(&roster));
    }

    #[test]
    fn a_slave_remerges_while_one_of_its_roots_does() {
        let mut roster = roster(&["a"]);
        let (one, two) = (RootId([1; 16]), RootId([2; 16]));
        roster.remerging(&slave("a"), LinkId(1), one, true);
        roster.remerging(&slave("a"), LinkId(1), two, true);
        roster.remerging(&slave("a"), LinkId(1), one, false);
        assert!(roster.views()[&slave("a")].remerging);
        roster.remerging(&slave("a"), LinkId(1), two, false);
        assert!(!roster.views()[&slave("a")].remerging);
    }
}
