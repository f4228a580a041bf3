//! Renames: one command, whatever lies below, and one operation for each root concerned.

use drftpd_protocol::wire::{Moved, Place, RootOp};
use drftpd_protocol::{NodeId, VfsPath};

use super::remove::{erase, not_running};
use crate::accounts::earned;
use crate::outbox::{At, Event};
use crate::store::number;
use crate::vfs::error::VfsError;
use crate::vfs::plan::Stored;
use crate::vfs::tree::log::RootKey;
use crate::vfs::tree::walk::{self, Found};
use crate::vfs::tree::{Tree, TreeCommand, copies, log, nodes, reach, totals};
use crate::vfs::types::{Entry, FileState, Kind, Meant};

/// Renames a file, a link or a directory with all below it.
pub struct Rename {
    pub from: Meant,
    pub to: VfsPath,
    /// The file whose place a file may take.
    pub replaces: Option<NodeId>,
    /// Who does it.
    pub by: Option<String>,
}

impl TreeCommand for Rename {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let from = walk::meant(tree, &self.from)?;
        if from.id == NodeId::ROOT {
            return Err(VfsError::BadMove(self.from.path));
        }
        let to = walk::find(tree, &self.to, false)?;
        if from.kind == Kind::Dir && walk::is_within(tree, to.parent, from.id)? {
            return Err(VfsError::BadMove(self.to));
        }
        let replaced = self.replaced(tree, &from, &to)?;
        // The spelling asked for, not the one that stands there.
        let Some(name) = self.to.name().cloned() else {
            return Err(VfsError::Exists(self.to));
        };
        let target = Entry {
            parent: to.parent,
            name: Some(name),
            ..from.clone()
        };
        if (target.parent, &target.name) == (from.parent, &from.name) {
            return Ok(());
        }
        if from.kind == Kind::Dir {
            reach::allow_move(tree, &from, target.parent, name_of(&target)?)?;
        }
        if let Some((entry, upload)) = replaced {
            if entry.state == FileState::Complete {
                let by = self.by.clone();
                tree.tell(|| Ok(Event::deleted(&entry, walk::path_of(tree, entry.id)?, by)))?;
            }
            earned::keep(tree, number(entry.id.0), 0, tree.now)?;
            erase(tree, &entry, upload)?;
        }
        carry_out(tree, &from, &target)?;
        if from.kind != Kind::Dir && from.state != FileState::Complete {
            return Ok(());
        }
        tree.tell(|| {
            Ok(Event::Renamed {
                from: At(walk::path_of(tree, from.parent)?.join(name_of(&from)?.clone())?),
                path: At(walk::path_of(tree, from.id)?),
                by: self.by,
                dir: from.kind == Kind::Dir,
            })
        })
    }
}

impl Rename {
    /// What the rename takes away, if that is allowed.
    fn replaced(
        &self,
        tree: &Tree<'_>,
        from: &Entry,
        to: &Found,
    ) -> Result<Option<(Entry, Option<Stored>)>, VfsError> {
        match &to.entry {
            None => Ok(None),
            Some(entry) if entry.id == from.id => Ok(None),
            Some(entry) if self.may_replace(from, entry) => {
                let upload = not_running(tree, entry, &self.to)?;
                Ok(Some((entry.clone(), upload)))
            }
            Some(_) => Err(VfsError::Exists(self.to.clone())),
        }
    }

    fn may_replace(&self, from: &Entry, there: &Entry) -> bool {
        self.replaces == Some(there.id) && from.kind != Kind::Dir && there.kind != Kind::Dir
    }
}

/// Gives an entry that place and that name, and tells every root concerned.
pub(super) fn carry_out(tree: &Tree<'_>, from: &Entry, to: &Entry) -> Result<(), VfsError> {
    let old_place = walk::place_of(tree, from)?;
    nodes::place(tree, from.id, to.parent, name_of(to)?)?;
    let new_place = walk::place_of(tree, to)?;
    let (roots, what) = match from.kind {
        Kind::Dir => {
            let roots = copies::dir_moved(tree, from.id, to.parent)?;
            reach::moved(tree, to)?;
            (roots, Moved::Dir(from.id))
        }
        _ => (copies::moved(tree, from, to)?, Moved::File(from.file())),
    };
    tell(tree, &roots, what, &old_place, &new_place)?;
    if from.parent != to.parent {
        move_totals(tree, from, to)?;
        nodes::touch(tree, from.parent)?;
    }
    nodes::touch(tree, to.parent)?;
    Ok(())
}

fn name_of(entry: &Entry) -> Result<&drftpd_protocol::Name, VfsError> {
    let name = entry.name.as_ref();
    name.ok_or_else(|| VfsError::BadMove(VfsPath::root()))
}

fn tell(
    tree: &Tree<'_>,
    roots: &[RootKey],
    what: Moved,
    from: &Place,
    to: &Place,
) -> Result<(), VfsError> {
    for root in roots {
        let (from, to) = (from.clone(), to.clone());
        log::append(tree, *root, &RootOp::Move { what, from, to })?;
    }
    Ok(())
}

fn move_totals(tree: &Tree<'_>, from: &Entry, to: &Entry) -> Result<(), VfsError> {
    let counted = match from.kind {
        Kind::Dir => true,
        Kind::File => from.state == FileState::Complete,
        Kind::Link => false,
    };
    if counted {
        let (bytes, files) = (number(from.size), number(from.files));
        totals::add(tree, from.parent, -bytes, -files)?;
        totals::add(tree, to.parent, bytes, files)?;
    }
    Ok(())
}
