//! Files with identities that this store never gave out: it was restored from a backup, and the disk is newer. They wait
//! for an operator, and do what that one decided.

use drftpd_protocol::wire::{Blake3Sum, Moved, RootOp};
use drftpd_protocol::{FileId, Name};

use super::found::{conflict_names, put_aside};
use super::merge::{Page, found_entry};
use super::remove::{delete_copies, forget};
use crate::store::number;
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, StoredState};
use crate::vfs::tree::differences::{self, Decision, Why};
use crate::vfs::tree::{Tree, TreeCommand, copies, nodes, totals, walk};
use crate::vfs::types::{Entry, FileState, Kind};

/// A file with an identity, as it lies on a disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marked {
    pub file: FileId,
    pub size: u64,
    pub crc32: Option<u32>,
    pub blake3: Option<Blake3Sum>,
    pub modified: i64,
}

/// A file whose identity this store never gave out, or of which it knows older contents only.
pub(super) fn judge(
    page: &mut Page<'_, '_>,
    name: Name,
    entry: Option<Entry>,
    marked: Marked,
) -> Result<(), VfsError> {
    // Nothing is concluded of what the store has of it.
    page.merged
        .seen
        .extend(entry.as_ref().map(|entry| entry.id));
    match differences::decision(page.tree, marked.file, entry.is_some())? {
        Some(Decision::Adopt) => adopt(page, name, entry, marked),
        Some(Decision::SetAside) => put_aside(page, name, marked.file),
        None => {
            page.merged.unknown += 1;
            page.differs(name, (Why::Unknown, Some(marked.file), marked.size))
        }
    }
}

/// It comes into the tree as it is, under its own identity.
fn adopt(
    page: &mut Page<'_, '_>,
    name: Name,
    entry: Option<Entry>,
    marked: Marked,
) -> Result<(), VfsError> {
    let upload = plan::stored(page.tree, marked.file.node)?;
    if upload.is_some_and(|upload| upload.state == StoredState::Runs) {
        page.merged.left += 1;
        return Ok(());
    }
    match entry {
        None => anew(page, name, marked),
        Some(old) if old.kind == Kind::File => newer(page, name, old, marked),
        Some(_) => {
            page.merged.refused += 1;
            Ok(())
        }
    }
}

fn anew(page: &mut Page<'_, '_>, name: Name, marked: Marked) -> Result<(), VfsError> {
    if !page.here.in_place && !page.here.displaced {
        page.merged.left += 1; // its directory is brought to its place first
        return Ok(());
    }
    if !page.here.takes(drftpd_protocol::path::MAX_NAME) {
        page.merged.refused += 1;
        return Ok(());
    }
    let dir = page.make_missing()?;
    let names = std::iter::once(Ok(name.clone())).chain(conflict_names(&name, &page.slave.clone()));
    for free in names {
        let free = free?;
        if nodes::child(page.tree, dir, &free)?.is_some() {
            continue;
        }
        let entry = Entry {
            id: marked.file.node,
            generation: marked.file.generation,
            size: marked.size,
            crc32: marked.crc32,
            blake3: marked.blake3,
            ..found_entry(page.tree, dir, free, marked.modified)?
        };
        nodes::insert(page.tree, &entry)?;
        page.adopted_bytes += number(marked.size);
        page.merged.adopted += 1;
        return hold(page, name, &entry);
    }
    page.merged.refused += 1;
    Ok(())
}

/// The disk has newer contents of a file of the tree.
fn newer(page: &mut Page<'_, '_>, name: Name, old: Entry, marked: Marked) -> Result<(), VfsError> {
    let tree = page.tree;
    if old.state == FileState::Complete {
        delete_copies(tree, &old)?;
        totals::take_file(tree, old.parent, old.size)?;
    }
    let new = Entry {
        generation: marked.file.generation,
        size: marked.size,
        crc32: marked.crc32,
        blake3: marked.blake3,
        modified: marked.modified,
        state: FileState::Complete,
        ..old
    };
    nodes::update(tree, &new)?;
    forget(tree, new.id)?;
    totals::add_file(tree, new.parent, new.size)?;
    page.merged.good += 1;
    hold(page, name, &new)
}

/// The root has a copy of a file of the tree, which goes to its place if it is not there.
fn hold(page: &mut Page<'_, '_>, name: Name, entry: &Entry) -> Result<(), VfsError> {
    differences::take_in(page.tree, entry.file())?;
    copies::add(page.tree, entry, page.root.key)?;
    page.merged.seen.push(entry.id);
    let here = page.here.dir() == Some(entry.parent) && entry.name.as_ref() == Some(&name);
    if here && page.here.in_place {
        return page.identify_dirs(entry, &name);
    }
    let (from, to) = (page.here.on_disk(name), walk::place_of(page.tree, entry)?);
    let what = Moved::File(entry.file());
    page.append(&RootOp::Move { what, from, to })?;
    page.merged.moved += 1;
    Ok(())
}

/// An operator decides what becomes of files whose identities this store never gave out: the next walks do it.
pub struct DecideRecovery {
    pub decision: Decision,
}

impl TreeCommand for DecideRecovery {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        Ok(differences::decide(tree, self.decision)?)
    }
}
