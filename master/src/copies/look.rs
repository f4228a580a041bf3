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

/// Roots that may take the second copy of a file while this one receives it.
pub fn second_roots(rule: &CopyRule, first: RootId, views: &SlaveViews) -> Vec<RootId> {
    let shown = shown(views);
    let place = shown.iter().find(|it| it.root.root == first);
    // Nobody can be told to send it on.
    place.map_or_else(Vec::new, |place| {
        let here = Here {
            shown: *place,
            counts: true,
        };
        takers(rule, &[here], &shown)
    })
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
#[path = "look_tests.rs"]
mod tests;
