//! What files need, by tables of copies and roots.

use std::collections::BTreeMap;
use std::sync::Arc;

use drftpd_protocol::OpSeq;

use super::*;
use crate::slaves::testkit::status;
use crate::slaves::{SlaveView, Standing};

fn root(number: u8) -> RootId {
    RootId([number; 16])
}

/// Their copies: root and slave.
fn on(copies: &[(u8, &str)]) -> Vec<Holder> {
    let holder = |(number, slave): &(u8, &str)| Holder {
        root: root(*number),
        slave: SlaveId::new(*slave).unwrap(),
        leaving: false,
        after: OpSeq::NONE,
    };
    copies.iter().map(holder).collect()
}

/// A root: number, filesystem, state.
type Shown = (u8, u64, RootState);

/// Slaves with their roots.
fn views(slaves: &[(&str, &[Shown])]) -> SlaveViews {
    let view = |(name, roots): &(&str, &[Shown])| {
        let slave = SlaveId::new(*name).unwrap();
        let shown = |(number, filesystem, state): &Shown| RootStatus {
            filesystem: *filesystem,
            state: *state,
            ..status(*number)
        };
        let view = SlaveView {
            slave: slave.clone(),
            address: [127, 0, 0, 1].into(),
            roots: roots.iter().map(shown).collect(),
            transfers: 0,
            receiving: 0,
            sending: 0,
            remerging: false,
            since: 0,
            held: BTreeSet::new(),
            standing: Standing::default(),
        };
        (slave, view)
    };
    Arc::new(slaves.iter().map(view).collect::<BTreeMap<_, _>>())
}

fn rule(copies: u32, slaves: &[&str]) -> CopyRule {
    CopyRule {
        copies,
        slaves: slaves
            .iter()
            .map(|name| SlaveId::new(*name).unwrap())
            .collect(),
        ..CopyRule::none()
    }
}

fn copy(from: &[u8], to: &[u8]) -> Look {
    let roots = |numbers: &[u8]| numbers.iter().map(|number| root(*number)).collect();
    Look::Copy {
        from: roots(from),
        to: roots(to),
    }
}

use RootState::{Absent, Present, ReadOnly};

#[test]
fn another_slave_is_better_than_another_disk_and_one_filesystem_is_no_second_place() {
    let two = views(&[
        ("a", &[(1, 10, Present), (2, 10, Present), (3, 11, Present)]),
        ("b", &[(4, 10, Present)]),
    ]);
    assert_eq!(
        look(&rule(2, &[]), &on(&[(1, "a")]), &two),
        copy(&[1], &[4])
    );
    assert_eq!(
        look(&rule(2, &[]), &on(&[(1, "a"), (2, "a")]), &two),
        copy(&[1, 2], &[4])
    );
    assert_eq!(
        look(&rule(2, &[]), &on(&[(1, "a"), (4, "b")]), &two),
        Look::Enough
    );
    let third = look(&rule(3, &[]), &on(&[(1, "a"), (4, "b")]), &two);
    assert_eq!(third, copy(&[1, 4], &[3]));
    let nowhere = look(&rule(4, &[]), &on(&[(1, "a"), (3, "a"), (4, "b")]), &two);
    assert!(matches!(nowhere, Look::Wait(why) if why.contains("other disk")));
}

#[test]
fn a_holder_that_is_away_counts_and_cannot_be_read() {
    let one = views(&[("b", &[(4, 10, Present)]), ("c", &[(5, 10, Absent)])]);
    assert_eq!(
        look(&rule(2, &[]), &on(&[(1, "a"), (4, "b")]), &one),
        Look::Enough
    );
    for away in [(1, "a"), (5, "c")] {
        let alone = look(&rule(2, &[]), &on(&[away]), &one);
        assert!(
            matches!(alone, Look::Wait(why) if why.contains("has it")),
            "{alone:?}"
        );
    }
}

#[test]
fn copies_go_to_the_slaves_of_the_rule_and_never_to_a_disk_that_is_only_read() {
    let three = views(&[
        ("a", &[(1, 1, ReadOnly)]),
        ("b", &[(2, 1, Present)]),
        ("c", &[(3, 1, ReadOnly), (4, 2, Present)]),
    ]);
    assert_eq!(
        look(&rule(2, &[]), &on(&[(1, "a")]), &three),
        copy(&[1], &[2, 4])
    );
    assert_eq!(
        look(&rule(2, &["c"]), &on(&[(1, "a")]), &three),
        copy(&[1], &[4])
    );
    let nowhere = look(&rule(2, &["a"]), &on(&[(2, "b")]), &three);
    assert!(matches!(nowhere, Look::Wait(_)), "{nowhere:?}");
}

#[test]
fn what_an_evacuated_slave_has_is_copied_elsewhere_from_there_and_counts_as_none() {
    let three = views(&[
        ("a", &[(1, 1, Present)]),
        ("b", &[(2, 1, Present)]),
        ("c", &[(3, 1, Present)]),
    ]);
    let mut holders = on(&[(1, "a"), (2, "b")]);
    holders[0].leaving = true;
    let one = CopyRule::none();
    assert_eq!(look(&one, &holders[..1], &three), copy(&[1], &[2, 3]));
    assert_eq!(look(&one, &holders, &three), Look::Enough);
    assert_eq!(look(&rule(2, &[]), &holders, &three), copy(&[1, 2], &[3]));
    // Its slave being away does not make it a copy.
    let away = views(&[("b", &[(2, 1, Present)])]);
    let wait = look(&one, &holders[..1], &away);
    assert!(matches!(wait, Look::Wait(_)), "{wait:?}");
}

#[test]
fn a_copy_too_many_goes_while_enough_can_be_read_elsewhere_the_least_useful_first() {
    let roots = views(&[
        ("a", &[(1, 10, Present), (2, 10, Present)]),
        ("b", &[(3, 1, Present)]),
        ("c", &[(4, 1, Absent)]),
        ("d", &[(5, 1, ReadOnly)]),
    ]);
    let tidy = |copies, slaves: &[&str]| CopyRule {
        surplus: Surplus::Remove,
        ..rule(copies, slaves)
    };
    let all = on(&[(1, "a"), (2, "a"), (3, "b"), (4, "c")]);
    assert_eq!(look(&rule(1, &[]), &all, &roots), Look::Enough);
    // Two of one disk, then a slave that is not named; one that is away neither goes nor is counted on.
    assert_eq!(look(&tidy(2, &[]), &all, &roots), Look::Remove(root(2)));
    let two = on(&[(2, "a"), (3, "b"), (4, "c")]);
    assert_eq!(look(&tidy(2, &[]), &two, &roots), Look::Enough);
    assert_eq!(look(&tidy(1, &["b"]), &two, &roots), Look::Remove(root(2)));
    assert_eq!(look(&tidy(1, &["a"]), &two, &roots), Look::Remove(root(3)));
    let fixed = on(&[(3, "b"), (5, "d")]);
    assert_eq!(
        look(&tidy(1, &["b"]), &fixed, &roots),
        Look::Remove(root(3)),
        "only it can go"
    );
}

#[test]
fn files_move_to_the_only_slaves_that_count_and_then_go_where_they_were() {
    let two = views(&[("a", &[(1, 1, Present)]), ("b", &[(2, 1, Present)])]);
    let moves = CopyRule {
        only: true,
        surplus: Surplus::Remove,
        ..rule(1, &["b"])
    };
    let (before, between) = (on(&[(1, "a")]), on(&[(1, "a"), (2, "b")]));
    assert_eq!(look(&moves, &before, &two), copy(&[1], &[2]));
    assert_eq!(look(&moves, &between, &two), Look::Remove(root(1)));
    assert_eq!(look(&moves, &between[1..], &two), Look::Enough);
    // Not while the other one is away.
    let alone = views(&[("a", &[(1, 1, Present)])]);
    assert_eq!(look(&moves, &between, &alone), Look::Enough);
}

#[test]
fn a_root_that_is_held_is_not_counted_on_when_a_copy_goes() {
    let two = views(&[("a", &[(1, 1, Present)]), ("b", &[(2, 1, Present)])]);
    let mut held = (*two).clone();
    let b = held.get_mut(&SlaveId::new("b").unwrap()).unwrap();
    b.held.insert(root(2));
    let tidy = CopyRule {
        surplus: Surplus::Remove,
        ..rule(1, &[])
    };
    let both = on(&[(1, "a"), (2, "b")]);
    assert!(matches!(look(&tidy, &both, &two), Look::Remove(_)));
    assert_eq!(look(&tidy, &both, &Arc::new(held)), Look::Enough);
}

#[test]
fn good_bytes_go_where_damaged_ones_are_and_nowhere_without_good_ones() {
    let three = views(&[
        ("a", &[(1, 1, Present)]),
        ("b", &[(2, 1, ReadOnly), (3, 2, Present)]),
    ]);
    assert_eq!(mend(&[], &on(&[(1, "a")]), &three), Look::Enough);
    assert_eq!(mend(&[root(1)], &[], &three), Look::Enough);
    assert_eq!(mend(&[root(1)], &on(&[(2, "b")]), &three), copy(&[2], &[1]));
    assert_eq!(
        mend(&[root(1), root(2)], &on(&[(3, "b")]), &three),
        copy(&[3], &[1])
    );
    for (damaged, good, why) in [(2, 1, "cannot be written"), (1, 9, "is online")] {
        let waits = mend(&[root(damaged)], &on(&[(good, "a")]), &three);
        assert!(
            matches!(waits, Look::Wait(said) if said.contains(why)),
            "{waits:?}"
        );
    }
}

#[test]
fn a_second_copy_goes_to_another_slave_than_the_one_that_receives_and_nowhere_if_that_is_gone() {
    let two = views(&[
        ("a", &[(1, 10, Present), (2, 11, Present)]),
        ("b", &[(3, 10, Present), (4, 11, ReadOnly)]),
    ]);
    let second = |rule: &CopyRule, first, views| second_roots(rule, root(first), views);
    assert_eq!(second(&rule(2, &[]), 1, &two), [root(3)]);
    assert_eq!(second(&rule(2, &["a"]), 1, &two), [root(2)]);
    assert_eq!(second(&rule(2, &["b"]), 3, &two), []);
    let alone = views(&[("a", &[(1, 10, Present), (2, 10, Present)])]);
    assert_eq!(second(&rule(2, &[]), 1, &alone), [], "one filesystem");
    assert_eq!(second(&rule(2, &[]), 3, &alone), []);
}
