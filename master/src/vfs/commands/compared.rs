//! What comparing found: equal files become another copy, others are kept beside.

use drftpd_protocol::wire::RootOp;
use drftpd_protocol::{DirId, NodeId, RootId, SlaveId, VfsPath};

use super::found::{Loose, conflict_names, keep_beside};
use crate::vfs::client::{Compare, Merged};
use crate::vfs::error::VfsError;
use crate::vfs::tree::log::RootRow;
use crate::vfs::tree::{Tree, TreeCommand, copies, log, nodes, totals, walk};
use crate::vfs::types::FileState;

/// Takes the results of comparisons.
pub struct MergeCompared {
    pub root: RootId,
    pub slave: SlaveId,
    pub compared: Vec<(Compare, bool)>,
}

impl TreeCommand for MergeCompared {
    type Answer = Merged;

    fn apply(self, tree: &Tree<'_>) -> Result<Merged, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let mut merged = Merged::default();
        if root.held {
            return Ok(merged);
        }
        for (compare, equal) in self.compared {
            let Some(dir) = unmoved(tree, &compare)? else {
                merged.left += 1;
                continue;
            };
            if equal {
                match another_copy(tree, &root, dir, &compare)? {
                    true => merged.adopted += 1,
                    false => merged.left += 1,
                }
            } else {
                match other_bytes(tree, &root, &self.slave, dir, &compare)? {
                    Some(path) => merged.kept_beside.push(path),
                    None => merged.left += 1,
                }
            }
        }
        Ok(merged)
    }
}

/// The directory in which both were, if it is where it was.
fn unmoved(tree: &Tree<'_>, compare: &Compare) -> Result<Option<DirId>, VfsError> {
    let dir = compare.at.dirs.last().map_or(NodeId::ROOT, |step| step.id);
    if nodes::by_id(tree, dir)?.is_none() {
        return Ok(None);
    }
    Ok((walk::steps(tree, dir)? == compare.at.dirs).then_some(dir))
}

fn another_copy(
    tree: &Tree<'_>,
    root: &RootRow,
    dir: DirId,
    compare: &Compare,
) -> Result<bool, VfsError> {
    let there = nodes::child(tree, dir, &compare.at.name)?;
    let is_live = |entry: &crate::vfs::types::Entry| {
        entry.file() == compare.live && entry.state == FileState::Complete
    };
    let Some(entry) = there.filter(is_live) else {
        return Ok(false);
    };
    copies::found(tree, &entry, root.key)?;
    let (file, at, size) = (entry.file(), compare.at.clone(), compare.size);
    log::append(tree, root.key, &RootOp::Identify { file, at, size })?;
    Ok(true)
}

fn other_bytes(
    tree: &Tree<'_>,
    root: &RootRow,
    slave: &SlaveId,
    dir: DirId,
    compare: &Compare,
) -> Result<Option<VfsPath>, VfsError> {
    if nodes::child(tree, dir, &compare.at.name)?.is_none() {
        return Ok(None); // its place is free meanwhile: the next walk adopts it
    }
    let from = compare.at.clone();
    let names = conflict_names(&from.name, slave);
    let loose = Loose {
        size: compare.size,
        modified: compare.modified,
    };
    let kept = keep_beside(tree, root, dir, from, names, loose)?;
    if kept.is_some() {
        totals::add_file(tree, dir, compare.size)?;
    }
    Ok(kept)
}
