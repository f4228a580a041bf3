//! What a walk found on a shared root: other programs work there, and are believed.
//!
//! An edit is a new generation; what has an identity that is not live, or is a copy of what has one, becomes a file of its
//! own. What lies elsewhere than the tree has it is judged when the walk is over: only then is it known whether it was
//! moved or copied. Nothing is concluded of directories that the file list itself has changed since the walk began.
//!
//! Where this root's copy was found to be damaged and another root has good bytes, those stay the truth: what others did
//! to the bad ones is compared with them, and kept beside where it is something else.

use drftpd_protocol::wire::{Moved, RootOp, WalkPart};
use drftpd_protocol::{DirId, Name, OpSeq};

use super::end::is_ours;
use super::found;
use super::merge::Page;
use super::remove::discard;
use super::unknown::{self, Marked};
use crate::vfs::client::Stray;
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, StoredState};
use crate::vfs::tree::log::RootKey;
use crate::vfs::tree::unseen::Settled;
use crate::vfs::tree::{Tree, copies, differences, log, nodes, totals, walk};
use crate::vfs::types::{Entry, FileState, Kind};

/// A directory with an identity.
pub(super) fn dir(
    page: &mut Page<'_, '_>,
    name: Name,
    dir: DirId,
    modified: i64,
) -> Result<(), VfsError> {
    let known = nodes::by_id(page.tree, dir)?.filter(|entry| entry.kind == Kind::Dir);
    let Some(known) = known else {
        return page.adopt_dir(name, modified);
    };
    if is_here(page, &known, &name) {
        page.merged.placed.push(known.id);
    } else {
        stray(page, &known, name);
    }
    Ok(())
}

/// A file that somebody may still be writing: nothing is concluded of it.
pub(super) fn busy(page: &mut Page<'_, '_>, name: Name) -> Result<(), VfsError> {
    again(page, name)
}

/// A file with an identity.
pub(super) fn known(
    page: &mut Page<'_, '_>,
    name: Name,
    marked: Marked,
    (edited, since): (bool, OpSeq),
) -> Result<(), VfsError> {
    let (tree, file) = (page.tree, marked.file);
    let Some(entry) = nodes::by_id(tree, file.node)? else {
        let ours = is_ours(tree, file)? && !differences::was_unknown(tree, file.node)?;
        return match ours {
            true => nobodys(page, name, marked, since),
            false => unknown::judge(page, name, None, marked),
        };
    };
    let held = copies::held(tree, entry.id, page.root.key)?.is_some();
    let (here, current) = (is_here(page, &entry, &name), file == entry.file());
    let complete = entry.state == FileState::Complete;
    if file.generation > entry.generation || (current && !complete) {
        // It lies at a place although the file list knows of no commit.
        unknown::judge(page, name, Some(entry), marked)
    } else if here && current && !edited && marked.size == entry.size {
        page.merged.placed.push(entry.id);
        found::live(page, name, &entry, marked)
    } else if here && held && !is_doubted(tree, &entry, page.root.key)? {
        edit(page, name, entry, (marked.size, marked.modified), since)
    } else if current && held && !here {
        stray(page, &entry, name);
        Ok(())
    } else {
        nobodys(page, name, marked, since)
    }
}

/// A file without identity. Where this root has a file of the tree it has other contents now.
pub(super) fn foreign(
    page: &mut Page<'_, '_>,
    name: Name,
    (size, modified): (u64, i64),
    since: OpSeq,
) -> Result<(), VfsError> {
    if !page.here.in_place && !page.here.displaced {
        return again(page, name); // its directory is judged first
    }
    if let (Some(dir), false) = (page.here.dir(), page.here.displaced)
        && let Some(there) = nodes::child(page.tree, dir, &name)?
        && there.kind == Kind::File
        && there.name.as_ref() == Some(&name)
        && copies::held(page.tree, there.id, page.root.key)?.is_some()
        && !is_doubted(page.tree, &there, page.root.key)?
    {
        return edit(page, name, there, (size, modified), since);
    }
    found::foreign(page, name, size, modified)
}

/// Other contents of a file of the tree: its next generation. What others have of it is out of date.
fn edit(
    page: &mut Page<'_, '_>,
    name: Name,
    old: Entry,
    (size, modified): (u64, i64),
    since: OpSeq,
) -> Result<(), VfsError> {
    let tree = page.tree;
    page.merged.seen.push(old.id);
    let upload = plan::stored(tree, old.id)?;
    let runs = upload
        .as_ref()
        .is_some_and(|upload| upload.state == StoredState::Runs);
    let settled = Settled::new(page.root.key, since).is(tree, old.parent)?;
    // A directory that was moved is followed first: the disk knows no other place of it.
    if runs || !settled || !page.here.in_place || old.state != FileState::Complete {
        return again(page, name);
    }
    if let Some(upload) = &upload {
        discard(tree, upload)?;
    }
    put_aside_elsewhere(tree, &old, page.root.key)?;
    totals::take_file(tree, old.parent, old.size)?;
    let new = Entry {
        generation: tree.ids().generation()?,
        size,
        modified,
        crc32: None,
        blake3: None,
        ..old
    };
    nodes::update(tree, &new)?;
    totals::add_file(tree, new.parent, new.size)?;
    copies::add(tree, &new, page.root.key)?;
    let (file, at) = (new.file(), page.here.in_tree(name));
    page.append(&RootOp::Identify { file, at, size })?;
    page.merged.placed.push(new.id);
    page.merged.edited += 1;
    Ok(())
}

/// Whether a root's copy is damaged, and good bytes are elsewhere: what becomes of the bad ones means nothing.
pub(super) fn is_doubted(tree: &Tree<'_>, file: &Entry, root: RootKey) -> Result<bool, VfsError> {
    let damaged = copies::is_damaged(tree, file.id, root)?;
    Ok(damaged && copies::others(tree, file.id, root)? > 0)
}

/// What carries an identity that is nobody's, that another file has, or that says nothing of its bytes: it is judged as
/// one without.
fn nobodys(
    page: &mut Page<'_, '_>,
    name: Name,
    marked: Marked,
    since: OpSeq,
) -> Result<(), VfsError> {
    let mut settled = Settled::new(page.root.key, since);
    let settled = match page.here.dir() {
        Some(dir) => settled.is_if_known(page.tree, dir)?,
        None => true,
    };
    if settled {
        let (what, at) = (Moved::File(marked.file), page.here.on_disk(name.clone()));
        page.append(&RootOp::Disown { what, at })?;
    }
    again(page, name)
}

/// Something of the tree at another place.
fn stray(page: &mut Page<'_, '_>, entry: &Entry, name: Name) {
    let at = page.here.on_disk(name);
    let node = entry.id;
    page.merged.strays.push(Stray { node, at });
}

/// It is looked at again soon, and nothing is concluded of what the tree has there.
fn again(page: &mut Page<'_, '_>, name: Name) -> Result<(), VfsError> {
    if let Some(dir) = page.here.dir() {
        let there = nodes::child(page.tree, dir, &name)?;
        page.merged.seen.extend(there.map(|entry| entry.id));
    }
    let way = page
        .here
        .disk
        .iter()
        .map(|step| step.name.clone())
        .collect();
    let names = vec![name];
    page.merged.again.push(WalkPart { way, names });
    Ok(())
}

fn is_here(page: &Page<'_, '_>, entry: &Entry, name: &Name) -> bool {
    page.here.dir() == Some(entry.parent) && entry.name.as_ref() == Some(name)
}

/// Nobody holds this generation of a file any more: other roots than this one put their copies into the trash.
pub(super) fn put_aside_elsewhere(
    tree: &Tree<'_>,
    entry: &Entry,
    root: RootKey,
) -> Result<(), VfsError> {
    let roots = copies::remove_all(tree, entry)?;
    let (file, at) = (entry.file(), walk::place_of(tree, entry)?);
    for other in roots.into_iter().filter(|other| *other != root) {
        let at = at.clone();
        log::append(tree, other, &RootOp::SetAside { file, at })?;
    }
    Ok(())
}
