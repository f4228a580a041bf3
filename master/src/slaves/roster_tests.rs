//! What slaves tell, what others see of it, and who is refused.

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
