//! Directories that are told by one digest, and those of them whose entries the master wants to see.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use drftpd_protocol::digest::digest;
use drftpd_protocol::ids::{DirId, NodeId, OpSeq};
use drftpd_protocol::path::Name;
use drftpd_protocol::wire::{DirDigest, DirStep, WalkDigests, WalkEntry, WalkNode};

use super::{Level, Told, Walk};

/// Tells how far a root's log is done.
pub type AppliedNow = Arc<dyn Fn() -> OpSeq + Send + Sync>;

/// What a walk that tells digests keeps of them: what the master has not judged yet, no more.
pub(super) struct Digests {
    applied: AppliedNow,
    last: u64,
    batch: Vec<DirDigest>,
    /// The ways to directories that are not judged, by number.
    unjudged: BTreeMap<u64, Vec<Name>>,
    /// The ways to those whose entries are to be told.
    to_list: VecDeque<Vec<Name>>,
    /// Where the walk goes on behind such a directory.
    behind: Option<(Vec<Level>, Vec<DirStep>)>,
}

/// The digest of a directory that is being read.
pub(super) struct Sum {
    sum: u128,
    /// Whether all that was read has an identity.
    known: bool,
    /// Whether anything was read before.
    begun: bool,
    applied: OpSeq,
}

impl Digests {
    pub fn new(applied: AppliedNow) -> Self {
        Self {
            applied,
            last: 0,
            batch: Vec::new(),
            unjudged: BTreeMap::new(),
            to_list: VecDeque::new(),
            behind: None,
        }
    }
}

/// How a directory with this identity is told, as far as it is known before it is read.
pub(super) fn told(digests: Option<&Digests>, dir: DirId) -> Told {
    match digests {
        Some(digests) if dir != NodeId(0) => Told::Sum(Sum {
            sum: 0,
            known: true,
            begun: false,
            applied: (digests.applied)(),
        }),
        _ => Told::Entries,
    }
}

impl Level {
    /// Adds entries to the directory's digest; false when they are to be told as they are.
    pub(super) fn sum(&mut self, entries: &[WalkEntry]) -> bool {
        let Told::Sum(sum) = &mut self.told else {
            return false;
        };
        for entry in entries {
            match entry.node {
                WalkNode::File {
                    size,
                    file: Some(file),
                    edited: false,
                    ..
                } => {
                    let of = digest(entry.name.as_bytes(), file, size);
                    sum.sum = sum.sum.wrapping_add(of);
                }
                WalkNode::Dir { id: Some(_) } => {}
                WalkNode::File { .. } | WalkNode::Dir { id: None } => sum.known = false,
            }
        }
        if !sum.known && !sum.begun {
            // Nothing of it was read before: all of it can be told at once.
            self.told = Told::Entries;
            return false;
        }
        sum.begun = true;
        true
    }
}

impl Walk {
    /// Digests that are to be told, when there are so many.
    pub(super) fn take_digests(&mut self, least: usize) -> Option<WalkDigests> {
        let digests = self.digests.as_mut()?;
        if digests.batch.len() < least {
            return None;
        }
        Some(WalkDigests {
            root: self.root.id(),
            walk: self.number,
            dirs: std::mem::take(&mut digests.batch),
        })
    }

    /// Whether digests were told that nobody has judged.
    pub(super) fn is_waiting(&self) -> bool {
        let digests = self.digests.as_ref();
        digests.is_some_and(|digests| !digests.unjudged.is_empty())
    }

    /// The master has judged digests up to a number: of some it wants to see the entries.
    pub fn judged(&mut self, through: u64, list: &[u64]) {
        let Some(digests) = &mut self.digests else {
            return;
        };
        let later = digests.unjudged.split_off(&through.saturating_add(1));
        for (number, way) in std::mem::replace(&mut digests.unjudged, later) {
            if list.contains(&number) {
                digests.to_list.push_back(way);
            }
        }
    }

    /// The deepest directory is read whole, with all that is in it.
    pub(super) fn leave(&mut self) {
        let level = self.stack.pop();
        if let (Some(Told::Sum(sum)), Some(digests)) =
            (level.map(|level| level.told), &mut self.digests)
        {
            let way: Vec<Name> = self.path.iter().map(|step| step.name.clone()).collect();
            if sum.known {
                digests.last += 1;
                digests.batch.push(told_of(&self.path, &sum, digests.last));
                digests.unjudged.insert(digests.last, way);
            } else {
                digests.to_list.push_back(way);
            }
        }
        self.path.pop();
    }

    /// Turns to a directory whose entries are to be told, if there is one and no other is being told.
    pub(super) fn begin_listing(&mut self) {
        let Some(digests) = &mut self.digests else {
            return;
        };
        if digests.behind.is_some() {
            return;
        }
        let Some(way) = digests.to_list.pop_front() else {
            return;
        };
        let behind = (
            std::mem::take(&mut self.stack),
            std::mem::take(&mut self.path),
        );
        digests.behind = Some(behind);
        if let Some(fd) = self.open_way(way) {
            self.tell(fd, Told::EntriesOnly);
        }
    }

    /// Goes on where the walk was when it turned to a directory; false when it is over.
    pub(super) fn end_listing(&mut self) -> bool {
        let Some(behind) = self
            .digests
            .as_mut()
            .and_then(|digests| digests.behind.take())
        else {
            return false;
        };
        (self.stack, self.path) = behind;
        true
    }
}

fn told_of(path: &[DirStep], sum: &Sum, number: u64) -> DirDigest {
    let mut up = path.iter().rev();
    let here = up.next();
    DirDigest {
        number,
        dir: here.map_or(NodeId::ROOT, |step| step.id),
        above: up.next().map_or(NodeId::ROOT, |step| step.id),
        name: here.map(|step| step.name.clone()),
        sum: sum.sum.to_le_bytes(),
        applied: sum.applied,
    }
}
