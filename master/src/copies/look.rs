//! What a file needs, pure: whether its copies are enough, else where a further one comes from and goes to, and which
//! one is too many.
//!
//! Roots of one slave on one filesystem are one disk, and copies on one disk are one copy. A holder that is not there
//! now counts: its slave may be on its way. Who knows that it will not come back evacuates it or retires its root. A
//! copy is removed only while as many as are wanted can be read elsewhere.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use drftpd_protocol::wire::{RootState, RootStatus};
use drftpd_protocol::{RootId, SlaveId};

use super::config::{CopyRule, Surplus};
use crate::slaves::SlaveViews;
use crate::vfs::Holder;

/// What is to be done for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Enough,
    /// One more copy, from one of these roots to one of those.
    Copy {
        /// Holders that can be read now.
        from: Vec<RootId>,
        /// Roots that may take it.
        to: Vec<RootId>,
    },
    /// The copy of this root is one too many.
    Remove(RootId),
    /// Nothing can be done now; why.
    Wait(&'static str),
}

/// A disk: of which slave, and which of its filesystems.
type Disk<'a> = (&'a SlaveId, u64);

/// A root that is there.
#[derive(Clone, Copy)]
struct Shown<'a> {
    disk: Disk<'a>,
    root: &'a RootStatus,
    /// What a walk of it finds does not count, so perhaps not all it should have is there.
    is_held: bool,
}

/// A copy that is there.
#[derive(Clone, Copy)]
struct Here<'a> {
    shown: Shown<'a>,
    counts: bool,
}

impl CopyRule {
    fn counts(&self, holder: &Holder) -> bool {
        !holder.leaving && (!self.only || self.slaves.contains(&holder.slave))
    }

    fn likes(&self, slave: &SlaveId) -> bool {
        self.slaves.is_empty() || self.slaves.contains(slave)
    }
}

/// Looks at a file with these good copies.
pub fn look(rule: &CopyRule, holders: &[Holder], views: &SlaveViews) -> Look {
    let shown = shown(views);
    let place = |holder: &Holder| shown.iter().find(|it| it.root.root == holder.root);
    let here: Vec<Here<'_>> = holders
        .iter()
        .filter_map(|holder| {
            Some(Here {
                shown: *place(holder)?,
                counts: rule.counts(holder),
            })
        })
        .collect();
    let counted = here.iter().filter(|it| it.counts);
    let disks: BTreeSet<Disk<'_>> = counted.map(|it| it.shown.disk).collect();
    let away = holders
        .iter()
        .filter(|it| rule.counts(it) && place(it).is_none());
    if disks.len() + away.count() >= rule.copies as usize {
        return surplus(rule, &here).map_or(Look::Enough, Look::Remove);
    }
    if here.is_empty() {
        return Look::Wait("no slave that has it is online");
    }
    let to = takers(rule, &here, &shown);
    match to.is_empty() {
        true => Look::Wait("no other disk that may take it is online"),
        false => Look::Copy {
            from: here.iter().map(|it| it.shown.root.root).collect(),
            to,
        },
    }
}

/// Looks at a file of which these copies are damaged and those are good: good bytes go where damaged ones are. Without
/// a good one nothing is done, an operator decides.
pub fn mend(damaged: &[RootId], holders: &[Holder], views: &SlaveViews) -> Look {
    if damaged.is_empty() || holders.is_empty() {
        return Look::Enough;
    }
    let (mut from, mut to) = (Vec::new(), Vec::new());
    for it in shown(views) {
        let root = it.root.root;
        if holders.iter().any(|holder| holder.root == root) {
            from.push(root);
        } else if damaged.contains(&root) && it.root.state == RootState::Present {
            to.push(root);
        }
    }
    match (from.is_empty(), to.is_empty()) {
        (true, _) => Look::Wait("no slave that has good bytes of it is online"),
        (_, true) => Look::Wait("the disk with a damaged copy of it cannot be written now"),
        _ => Look::Copy { from, to },
    }
}

/// All roots that are there. What a slave has that is worked on is away.
fn shown(views: &SlaveViews) -> Vec<Shown<'_>> {
    let here = views.values().filter(|view| !view.standing.maintenance);
    here.flat_map(|view| view.roots.iter().map(move |root| (view, root)))
        .filter(|(_, root)| root.state != RootState::Absent)
        .map(|(view, root)| Shown {
            disk: (&view.slave, root.filesystem),
            root,
            is_held: view.held.contains(&root.root),
        })
        .collect()
}

/// Roots that may take a further copy; those of other slaves, if there are some.
fn takers(rule: &CopyRule, here: &[Here<'_>], shown: &[Shown<'_>]) -> Vec<RootId> {
    let has = |disk: Disk<'_>| here.iter().any(|it| it.shown.disk == disk);
    let takes = |it: &&Shown<'_>| {
        rule.likes(it.disk.0) && it.root.state == RootState::Present && !has(it.disk)
    };
    let others: Vec<&Shown<'_>> = shown.iter().filter(takes).collect();
    let counts = |slave| here.iter().any(|it| it.counts && it.shown.disk.0 == slave);
    let elsewhere: Vec<RootId> = others
        .iter()
        .filter(|it| !counts(it.disk.0))
        .map(|it| it.root.root)
        .collect();
    match elsewhere.is_empty() {
        true => others.iter().map(|it| it.root.root).collect(),
        false => elsewhere,
    }
}

/// The copy that can best be done without: one that does not count, then one that shares its disk with another, then one
/// on a slave that the rule does not name, then the one on the fullest disk.
fn surplus(rule: &CopyRule, here: &[Here<'_>]) -> Option<RootId> {
    if rule.surplus == Surplus::Keep {
        return None;
    }
    let sound = |it: &&Here<'_>| it.counts && !it.shown.is_held;
    let disks: BTreeSet<Disk<'_>> = here.iter().filter(sound).map(|it| it.shown.disk).collect();
    let shares = |it: &Here<'_>| {
        let on = |other: &&Here<'_>| sound(other) && other.shown.disk == it.shown.disk;
        here.iter().filter(on).count() > 1
    };
    let left = |it: &Here<'_>| disks.len() - usize::from(sound(&it) && !shares(it));
    here.iter()
        .filter(|it| it.shown.root.state == RootState::Present && !it.shown.is_held)
        .filter(|it| left(it) >= rule.copies as usize)
        .max_by_key(|it| {
            let unnamed = !rule.likes(it.shown.disk.0);
            (!it.counts, shares(it), unnamed, Reverse(it.shown.root.free))
        })
        .map(|it| it.shown.root.root)
}

#[cfg(test)]
mod tests {
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
}
