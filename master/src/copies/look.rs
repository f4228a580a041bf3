//! What a file needs, pure: whether its copies are enough, else where a further one comes from and goes to.
//!
//! Roots of one slave on one filesystem are one disk, and copies on one disk are one copy. A holder that is not there
//! now counts: its slave may be on its way. Who knows that it will not come back retires its root.

use std::collections::BTreeSet;

use drftpd_protocol::wire::{RootState, RootStatus};
use drftpd_protocol::{RootId, SlaveId};

use super::config::CopyRule;
use crate::slaves::SlaveViews;

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
    /// Nothing can be done now; why.
    Wait(&'static str),
}

/// A disk: of which slave, and which of its filesystems.
type Disk<'a> = (&'a SlaveId, u64);

/// Looks at a file of which these copies are damaged and those are good: good bytes go where damaged ones are. Without
/// a good one nothing is done, an operator decides.
pub fn mend(damaged: &[RootId], holders: &[RootId], views: &SlaveViews) -> Look {
    if damaged.is_empty() || holders.is_empty() {
        return Look::Enough;
    }
    let shown = shown(views);
    let among = |roots: &[RootId], takes: fn(RootState) -> bool| -> Vec<RootId> {
        let is = |root: &&RootStatus| roots.contains(&root.root) && takes(root.state);
        let among = shown.iter().map(|(_, root)| *root).filter(is);
        among.map(|root| root.root).collect()
    };
    let from = among(holders, |_| true);
    let to = among(damaged, |state| state == RootState::Present);
    match (from.is_empty(), to.is_empty()) {
        (true, _) => Look::Wait("no slave that has good bytes of it is online"),
        (_, true) => Look::Wait("the disk with a damaged copy of it cannot be written now"),
        _ => Look::Copy { from, to },
    }
}

/// Roots that are there.
fn shown(views: &SlaveViews) -> Vec<(Disk<'_>, &RootStatus)> {
    let roots = views
        .values()
        .flat_map(|view| view.roots.iter().map(move |root| (&view.slave, root)));
    roots
        .map(|(slave, root)| ((slave, root.filesystem), root))
        .filter(|(_, root)| root.state != RootState::Absent)
        .collect()
}

/// Looks at a file with these good copies.
pub fn look(rule: &CopyRule, holders: &[RootId], views: &SlaveViews) -> Look {
    let held = |root: &RootId| holders.contains(root);
    let shown = shown(views);
    let here = shown.iter().filter(|(_, root)| held(&root.root));
    let disks: BTreeSet<Disk<'_>> = here.clone().map(|(disk, _)| *disk).collect();
    let away = holders
        .iter()
        .filter(|holder| shown.iter().all(|(_, root)| root.root != **holder));
    if disks.len() + away.count() >= rule.copies as usize {
        return Look::Enough;
    }
    let from: Vec<RootId> = here.map(|(_, root)| root.root).collect();
    if from.is_empty() {
        return Look::Wait("no slave that has it is online");
    }
    let slaves: BTreeSet<&SlaveId> = disks.iter().map(|(slave, _)| *slave).collect();
    let may = |slave: &SlaveId| rule.slaves.is_empty() || rule.slaves.contains(slave);
    let takes = |(disk, root): &&(Disk<'_>, &RootStatus)| {
        may(disk.0) && root.state == RootState::Present && !disks.contains(disk)
    };
    let others = shown.iter().filter(takes);
    let root = |(_, root): &(Disk<'_>, &RootStatus)| root.root;
    let elsewhere = others.clone().filter(|(disk, _)| !slaves.contains(disk.0));
    let mut to: Vec<RootId> = elsewhere.map(root).collect();
    if to.is_empty() {
        to = others.map(root).collect();
    }
    match to.is_empty() {
        true => Look::Wait("no other disk that may take it is online"),
        false => Look::Copy { from, to },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::slaves::testkit::status;
    use crate::slaves::{SlaveView, Standing};

    fn root(number: u8) -> RootId {
        RootId([number; 16])
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
            paths: Vec::new(),
            copies,
            slaves: slaves
                .iter()
                .map(|name| SlaveId::new(*name).unwrap())
                .collect(),
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
        assert_eq!(look(&rule(2, &[]), &[root(1)], &two), copy(&[1], &[4]));
        assert_eq!(
            look(&rule(2, &[]), &[root(1), root(2)], &two),
            copy(&[1, 2], &[4])
        );
        assert_eq!(look(&rule(2, &[]), &[root(1), root(4)], &two), Look::Enough);
        let third = look(&rule(3, &[]), &[root(1), root(4)], &two);
        assert_eq!(third, copy(&[1, 4], &[3]));
        let nowhere = look(&rule(4, &[]), &[root(1), root(3), root(4)], &two);
        assert!(matches!(nowhere, Look::Wait(why) if why.contains("other disk")));
    }

    #[test]
    fn a_holder_that_is_away_counts_and_cannot_be_read() {
        let one = views(&[("b", &[(4, 10, Present)]), ("c", &[(5, 10, Absent)])]);
        assert_eq!(look(&rule(2, &[]), &[root(1), root(4)], &one), Look::Enough);
        for away in [root(1), root(5)] {
            let alone = look(&rule(2, &[]), &[away], &one);
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
        assert_eq!(look(&rule(2, &[]), &[root(1)], &three), copy(&[1], &[2, 4]));
        assert_eq!(look(&rule(2, &["c"]), &[root(1)], &three), copy(&[1], &[4]));
        let nowhere = look(&rule(2, &["a"]), &[root(2)], &three);
        assert!(matches!(nowhere, Look::Wait(_)), "{nowhere:?}");
    }

    #[test]
    fn good_bytes_go_where_damaged_ones_are_and_nowhere_without_good_ones() {
        let three = views(&[
            ("a", &[(1, 1, Present)]),
            ("b", &[(2, 1, ReadOnly), (3, 2, Present)]),
        ]);
        assert_eq!(mend(&[], &[root(1)], &three), Look::Enough);
        assert_eq!(mend(&[root(1)], &[], &three), Look::Enough);
        assert_eq!(mend(&[root(1)], &[root(2)], &three), copy(&[2], &[1]));
        assert_eq!(
            mend(&[root(1), root(2)], &[root(3)], &three),
            copy(&[3], &[1])
        );
        for (damaged, good, why) in [(2, 1, "cannot be written"), (1, 9, "is online")] {
            let waits = mend(&[root(damaged)], &[root(good)], &three);
            assert!(
                matches!(waits, Look::Wait(said) if said.contains(why)),
                "{waits:?}"
            );
        }
    }
}
