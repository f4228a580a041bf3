//! What a walk of a shared root concludes: other programs have moved, copied or removed what the tree has.

use drftpd_protocol::wire::{Moved, Place, RootOp};
use drftpd_protocol::{NodeId, OpSeq, RootId, SlaveId};

use super::merge::{Here, Page};
use super::remove::discard;
use super::rename::carry_out;
use super::shared::{is_doubted, put_aside_elsewhere};
use crate::vfs::client::{Merged, Stray};
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, StoredState};
use crate::vfs::tree::log::RootRow;
use crate::vfs::tree::unseen::Settled;
use crate::vfs::tree::{Tree, TreeCommand, copies, jobs, log, nodes, reach, totals, walk};
use crate::vfs::types::{Entry, FileState, Kind};

/// What became of something that lies at another place than the tree has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// The tree has it there now.
    Renamed,
    /// It becomes something of its own.
    Disowned,
    /// Something else is under way.
    Later,
}

/// Judges what lies at other places, each with whether its own is empty: then it was moved, else it is a copy.
pub struct Follow {
    pub root: RootId,
    pub slave: SlaveId,
    pub since: OpSeq,
    pub strays: Vec<(Stray, bool)>,
}

impl TreeCommand for Follow {
    type Answer = Vec<Followed>;

    fn apply(self, tree: &Tree<'_>) -> Result<Vec<Followed>, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        // What this command does itself is not yet in the rows that it asks.
        let mut settled = Settled::new(root.key, self.since);
        let one =
            |(stray, moved): &(Stray, bool)| match self.is_settled(tree, &mut settled, stray)? {
                Some((from, here)) if !root.held && !moved => {
                    drop(here);
                    disown(tree, &root, &from, stray.at.clone())
                }
                Some((from, here)) if !root.held => {
                    self.rename(tree, root.clone(), from, here, stray)
                }
                _ => Ok(Followed::Later),
            };
        self.strays.iter().map(one).collect()
    }
}

impl Follow {
    /// What lies elsewhere, and the directory where it lies, if the file list itself did nothing there.
    fn is_settled(
        &self,
        tree: &Tree<'_>,
        settled: &mut Settled,
        stray: &Stray,
    ) -> Result<Option<(Entry, Here)>, VfsError> {
        let Some(from) = nodes::by_id(tree, stray.node)? else {
            return Ok(None);
        };
        let here = Here::find(tree, &self.slave, stray.at.dirs.clone())?;
        let Some(here) = here.filter(|here| here.in_place) else {
            return Ok(None);
        };
        for dir in [Some(from.parent), here.dir()].into_iter().flatten() {
            if !settled.is_if_known(tree, dir)? {
                return Ok(None);
            }
        }
        Ok(Some((from, here)))
    }

    fn rename(
        &self,
        tree: &Tree<'_>,
        root: RootRow,
        from: Entry,
        here: Here,
        stray: &Stray,
    ) -> Result<Followed, VfsError> {
        let mut page = Page {
            tree,
            root,
            slave: self.slave.clone(),
            here,
            merged: Merged::default(),
            adopted_bytes: 0,
            shared: Some(self.since),
        };
        let (parent, name) = (page.make_missing()?, stray.at.name.clone());
        if from.kind == Kind::Dir {
            let into_itself = walk::is_within(tree, parent, from.id)?;
            if into_itself || reach::allow_move(tree, &from, parent, &name).is_err() {
                return Ok(Followed::Later);
            }
        }
        if let Some(taken) = nodes::child(tree, parent, &name)?
            && taken.id != from.id
        {
            let ours = copies::held(tree, taken.id, page.root.key)?.is_some();
            if !ours || from.kind != Kind::File {
                return disown(tree, &page.root, &from, stray.at.clone());
            }
            if !erase(tree, &page.root, &taken)? {
                return Ok(Followed::Later);
            }
        }
        let to = Entry {
            parent,
            name: Some(name),
            ..from.clone()
        };
        carry_out(tree, &from, &to)?;
        Ok(Followed::Renamed)
    }
}

fn disown(tree: &Tree<'_>, root: &RootRow, entry: &Entry, at: Place) -> Result<Followed, VfsError> {
    let what = match entry.kind {
        Kind::Dir => Moved::Dir(entry.id),
        _ => Moved::File(entry.file()),
    };
    log::append(tree, root.key, &RootOp::Disown { what, at })?;
    Ok(Followed::Disowned)
}

/// A file that is not on this root's disk any more goes from the tree; other roots put their copies into the trash.
/// False while an upload to it runs.
fn erase(tree: &Tree<'_>, root: &RootRow, entry: &Entry) -> Result<bool, VfsError> {
    let upload = plan::stored(tree, entry.id)?;
    if upload
        .as_ref()
        .is_some_and(|upload| upload.state == StoredState::Runs)
    {
        return Ok(false);
    }
    if entry.kind != Kind::File || entry.state != FileState::Complete {
        return Ok(false);
    }
    if let Some(upload) = &upload {
        discard(tree, upload)?;
    }
    put_aside_elsewhere(tree, entry, root.key)?;
    totals::take_file(tree, entry.parent, entry.size)?;
    nodes::remove(tree, entry.id)?;
    nodes::touch(tree, entry.parent)?;
    tree.is_gone(entry.id);
    Ok(true)
}

/// What other programs put on one root and removed from another they have moved there, or they took back a copy of their
/// own: this root's copy goes and no other. False where all copies are of our making: they go with the one that was
/// removed.
fn leave(tree: &Tree<'_>, root: &RootRow, entry: &Entry) -> Result<bool, VfsError> {
    let brought = copies::is_brought(tree, entry.id)?;
    if !brought || copies::others(tree, entry.id, root.key)? == 0 {
        return Ok(false);
    }
    copies::remove(tree, entry, root.key)?;
    jobs::look_after(tree, entry)?;
    Ok(true)
}

/// Files that other programs removed from a shared root go from the tree, unless something happened to them since the
/// walk began. Answers how many.
pub struct BelieveGone {
    pub root: RootId,
    pub since: OpSeq,
    pub nodes: Vec<NodeId>,
}

impl TreeCommand for BelieveGone {
    type Answer = u64;

    fn apply(self, tree: &Tree<'_>) -> Result<u64, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let mut settled = Settled::new(root.key, self.since);
        let mut gone = 0;
        for node in self.nodes.into_iter().filter(|_| !root.held) {
            let Some(entry) = nodes::by_id(tree, node)? else {
                continue;
            };
            let good = copies::held(tree, node, root.key)? == Some(true);
            let damaged = !good && copies::is_damaged(tree, node, root.key)?;
            // One that can be repaired is brought back.
            let is_gone = good || damaged && !is_doubted(tree, &entry, root.key)?;
            if is_gone && settled.is(tree, entry.parent)? {
                let went = good && leave(tree, &root, &entry)? || erase(tree, &root, &entry)?;
                gone += u64::from(went);
            }
        }
        Ok(gone)
    }
}

/// Directories that other programs removed from a shared root go from the tree, where nothing is in them; those below
/// others come first. Answers how many.
pub struct BelieveDirsGone {
    pub root: RootId,
    pub dirs: Vec<NodeId>,
}

impl TreeCommand for BelieveDirsGone {
    type Answer = u64;

    fn apply(self, tree: &Tree<'_>) -> Result<u64, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let mut gone = 0;
        for node in self.dirs.into_iter().filter(|_| !root.held) {
            let entry = nodes::by_id(tree, node)?.filter(|entry| entry.kind == Kind::Dir);
            let Some(entry) = entry.filter(|entry| entry.id != NodeId::ROOT) else {
                continue;
            };
            let known = copies::dir_row(tree, node, root.key)?.is_some();
            if !known || !nodes::is_empty(tree, node)? {
                continue;
            }
            let at = walk::place_of(tree, &entry)?;
            for other in copies::dir_removed(tree, node)? {
                let (dir, at) = (node, at.clone());
                log::append(tree, other, &RootOp::RemoveDir { dir, at })?;
            }
            nodes::remove(tree, node)?;
            nodes::touch(tree, entry.parent)?;
            gone += 1;
        }
        Ok(gone)
    }
}
