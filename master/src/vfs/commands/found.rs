//! Files that a walk found: those with an identity, and those without.

use std::cmp::Ordering;

use drftpd_protocol::path::MAX_NAME;
use drftpd_protocol::wire::{Moved, Place, RootOp};
use drftpd_protocol::{DirId, FileId, Name, NameError, SlaveId, VfsPath};

use super::end::is_ours;
use super::merge::{Page, found_entry};
use super::scrub::learn;
use super::unknown::{self, Marked};
use crate::outbox::{At, Event};
use crate::store::number;
use crate::vfs::client::Compare;
use crate::vfs::config::Foreign;
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, StoredState};
use crate::vfs::scrub::Sums;
use crate::vfs::tree::differences::{self, Why};
use crate::vfs::tree::log::RootRow;
use crate::vfs::tree::{Tree, copies, log, nodes, walk};
use crate::vfs::types::{Entry, FileState, Kind};

/// Numbers that are tried for the name of a conflict.
const CONFLICTS: u32 = 1000;

/// A file with an identity.
pub(super) fn known(page: &mut Page<'_, '_>, name: Name, marked: Marked) -> Result<(), VfsError> {
    let (tree, file) = (page.tree, marked.file);
    let Some(entry) = nodes::by_id(tree, file.node)? else {
        let ours = is_ours(tree, file)? && !differences::was_unknown(tree, file.node)?;
        return match ours {
            true => set_aside(page, name, marked), // deleted; it stays deleted
            false => unknown::judge(page, name, None, marked),
        };
    };
    match file.generation.cmp(&entry.generation) {
        Ordering::Less => set_aside(page, name, marked),
        Ordering::Equal if entry.state == FileState::Complete => live(page, name, &entry, marked),
        // It lies at a place although the file list knows of no commit.
        _ => unknown::judge(page, name, Some(entry), marked),
    }
}

/// A file of the tree, as its current generation.
pub(super) fn live(
    page: &mut Page<'_, '_>,
    name: Name,
    entry: &Entry,
    marked: Marked,
) -> Result<(), VfsError> {
    let (tree, size) = (page.tree, marked.size);
    let here = page.here.dir() == Some(entry.parent) && entry.name.as_ref() == Some(&name);
    if copies::is_damaged(tree, entry.id, page.root.key)? {
        return damaged(page, name, entry, here);
    }
    let seen = Sums {
        size,
        crc32: marked.crc32,
        blake3: marked.blake3,
    };
    if Sums::of(entry).wrong(&seen).is_some() {
        if here {
            copies::spoil(tree, entry, page.root.key)?;
        }
        return set_aside(page, name, marked);
    }
    copies::found(tree, entry, page.root.key)?;
    page.merged.seen.push(entry.id);
    learn(tree, entry, &seen)?;
    if here {
        page.merged.good += 1;
        return page.identify_dirs(entry, &name);
    }
    to_its_place(page, name, entry)
}

fn to_its_place(page: &mut Page<'_, '_>, name: Name, entry: &Entry) -> Result<(), VfsError> {
    let (from, to) = (page.here.on_disk(name), walk::place_of(page.tree, entry)?);
    let what = Moved::File(entry.file());
    page.append(&RootOp::Move { what, from, to })?;
    page.merged.moved += 1;
    Ok(())
}

/// A copy that was judged by its bytes: what a walk sees of it proves nothing. It stays until good ones come.
fn damaged(page: &mut Page<'_, '_>, name: Name, entry: &Entry, here: bool) -> Result<(), VfsError> {
    page.merged.seen.push(entry.id);
    match here {
        true => Ok(()),
        false => to_its_place(page, name, entry),
    }
}

/// Not wanted any more; while the site is in recovery it stays.
fn set_aside(page: &mut Page<'_, '_>, name: Name, marked: Marked) -> Result<(), VfsError> {
    if differences::recovering(page.tree)? {
        let what = (Why::NotLive, Some(marked.file), marked.size);
        return page.differs(name, what);
    }
    put_aside(page, name, marked.file)
}

pub(super) fn put_aside(page: &mut Page<'_, '_>, name: Name, file: FileId) -> Result<(), VfsError> {
    let at = page.here.on_disk(name);
    page.append(&RootOp::SetAside { file, at })?;
    page.merged.set_aside += 1;
    Ok(())
}

/// A file without identity.
pub(super) fn foreign(
    page: &mut Page<'_, '_>,
    name: Name,
    size: u64,
    modified: i64,
) -> Result<(), VfsError> {
    let tree = page.tree;
    if page.here.displaced {
        return displaced(page, name, size, modified);
    }
    if !page.here.in_place {
        page.merged.left += 1; // its directory is brought to its place first
        return Ok(());
    }
    if !page.here.takes(name.as_bytes().len()) {
        page.merged.refused += 1; // a path that is too long for the tree
        return Ok(());
    }
    let there = match page.here.dir() {
        Some(dir) => nodes::child(tree, dir, &name)?,
        None => None,
    };
    let Some(there) = there else {
        return adopt(page, name, size, modified);
    };
    if there.kind == Kind::File {
        let upload = plan::stored(tree, there.id)?.map(|upload| upload.state);
        if there.state != FileState::Complete || upload == Some(StoredState::Runs) {
            return page.leave(&there);
        }
        if page.is_behind() && copies::held(tree, there.id, page.root.key)?.is_some() {
            return page.leave(&there); // what gives it its identity, or comes to its place, is under way
        }
        if there.size == size && there.name.as_ref() == Some(&name) {
            return same_size(page, name, &there, modified);
        }
    }
    beside(page, name, size, modified)
}

fn adopt(page: &mut Page<'_, '_>, name: Name, size: u64, modified: i64) -> Result<(), VfsError> {
    if page.tree.config.foreign == Foreign::Quarantine {
        page.merged.quarantined += 1;
        return page.differs(name, (Why::Quarantined, None, size));
    }
    let dir = page.make_missing()?;
    let mut entry = found_entry(page.tree, dir, name.clone(), modified)?;
    entry.size = size;
    nodes::insert(page.tree, &entry)?;
    copies::add(page.tree, &entry, page.root.key)?;
    let (file, at) = (entry.file(), page.here.in_tree(name));
    page.append(&RootOp::Identify { file, at, size })?;
    page.tree.tell(|| {
        let path = At(walk::path_of(page.tree, file.node)?);
        Ok(Event::FileFound { path, size })
    })?;
    page.adopted_bytes += number(size);
    page.merged.adopted += 1;
    Ok(())
}

/// The place is taken by a file of the same size: perhaps it is the same.
fn same_size(
    page: &mut Page<'_, '_>,
    name: Name,
    there: &Entry,
    modified: i64,
) -> Result<(), VfsError> {
    let tree = page.tree;
    let holders = copies::holders(tree, there.id)?;
    let (mine, others): (Vec<_>, Vec<_>) = holders
        .into_iter()
        .partition(|(root, _)| *root == page.root.id);
    let (size, at) = (there.size, page.here.in_tree(name.clone()));
    match (mine.is_empty(), others.is_empty()) {
        // Nobody can show the bytes it should have, nor what they add up to.
        (true, true) if there.crc32.is_none() => beside(page, name, size, modified),
        // Its identity was lost, and there is nothing to compare it with.
        (false, true) if there.crc32.is_none() => {
            let file = there.file();
            page.append(&RootOp::Identify { file, at, size })?;
            page.merged.seen.push(there.id);
            page.merged.good += 1;
            Ok(())
        }
        _ => {
            page.merged.compare.push(Compare {
                live: there.file(),
                at,
                holders: others,
                size,
                modified,
                crc32: there.crc32,
            });
            Ok(())
        }
    }
}

/// The place is taken by something else.
fn beside(page: &mut Page<'_, '_>, name: Name, size: u64, modified: i64) -> Result<(), VfsError> {
    let from = |page: &Page<'_, '_>| page.here.in_tree(name.clone());
    let names = conflict_names(&name, &page.slave.clone());
    keep(page, from, names, Loose { size, modified })
}

/// A directory above has a name that something else has in the tree.
fn displaced(
    page: &mut Page<'_, '_>,
    name: Name,
    size: u64,
    modified: i64,
) -> Result<(), VfsError> {
    let from = |page: &Page<'_, '_>| page.here.on_disk(name.clone());
    let names = conflict_names(&name, &page.slave.clone());
    let names = std::iter::once(Ok(name.clone())).chain(names);
    keep(page, from, names, Loose { size, modified })
}

fn keep(
    page: &mut Page<'_, '_>,
    from: impl FnOnce(&Page<'_, '_>) -> Place,
    names: impl Iterator<Item = Result<Name, NameError>>,
    loose: Loose,
) -> Result<(), VfsError> {
    if !page.here.takes(MAX_NAME) {
        page.merged.refused += 1; // the name beside may be longer than a path may be
        return Ok(());
    }
    let dir = page.make_missing()?;
    let from = from(page);
    match keep_beside(page.tree, &page.root, dir, from, names, loose)? {
        Some(path) => {
            page.adopted_bytes += number(loose.size);
            page.merged.kept_beside.push(path);
        }
        None => page.merged.left += 1,
    }
    Ok(())
}

/// A file without identity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loose {
    pub size: u64,
    pub modified: i64,
}

/// Gives a file without identity, whose place is taken, the first of these names in a directory that is free; answers
/// its path. Not again while the disk may not yet have followed the first time.
pub(super) fn keep_beside(
    tree: &Tree<'_>,
    root: &RootRow,
    dir: DirId,
    from: Place,
    names: impl Iterator<Item = Result<Name, NameError>>,
    loose: Loose,
) -> Result<Option<VfsPath>, VfsError> {
    let is_behind = root.done < root.newest;
    for name in names {
        let name = name?;
        if let Some(taken) = nodes::child(tree, dir, &name)? {
            let held = copies::held(tree, taken.id, root.key)? == Some(true);
            if is_behind && held && taken.size == loose.size {
                return Ok(None);
            }
            continue;
        }
        let mut entry = found_entry(tree, dir, name, loose.modified)?;
        entry.size = loose.size;
        nodes::insert(tree, &entry)?;
        copies::add(tree, &entry, root.key)?;
        let op = RootOp::KeepBeside {
            file: entry.file(),
            from,
            to: walk::place_of(tree, &entry)?,
            size: loose.size,
        };
        log::append(tree, root.key, &op)?;
        return Ok(Some(walk::path_of(tree, entry.id)?));
    }
    Ok(None)
}

/// Names beside a name: `NAME.conflict-SLAVE`, then `NAME.conflict-SLAVE.2` and so on.
pub(super) fn conflict_names(
    name: &Name,
    slave: &SlaveId,
) -> impl Iterator<Item = Result<Name, NameError>> + use<> {
    let (name, slave) = (name.clone(), slave.clone());
    (1..=CONFLICTS).map(move |n| conflict_name(&name, &slave, n))
}

/// `NAME.conflict-SLAVE`, then `NAME.conflict-SLAVE.2`, cut so that it is a name.
fn conflict_name(name: &Name, slave: &SlaveId, n: u32) -> Result<Name, NameError> {
    let mut end = format!(".conflict-{slave}");
    if n > 1 {
        end += &format!(".{n}");
    }
    let name = name.as_bytes();
    let mut bytes = name[..name.len().min(MAX_NAME - end.len())].to_vec();
    bytes.extend_from_slice(end.as_bytes());
    Name::new(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_named_after_its_slave_and_stays_a_name() {
        let slave = SlaveId::new("s".repeat(32)).unwrap();
        let of = |name: &str, n| {
            let name = Name::new(name.as_bytes().to_vec()).unwrap();
            conflict_name(&name, &slave, n).unwrap()
        };
        assert!(of("a.mkv", 1).to_string().starts_with("a.mkv.conflict-sss"));
        assert!(of("a.mkv", 12).to_string().ends_with("s.12"));
        assert_eq!(of(&"x".repeat(255), 1000).as_bytes().len(), 255);
    }
}
