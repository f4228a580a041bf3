//! Deletes: by users, and of partial uploads whose time is over.

use drftpd_protocol::wire::RootOp;
use drftpd_protocol::{NodeId, VfsPath};

use crate::accounts::earned;
use crate::outbox::{At, Event};
use crate::store::{id, number, params};
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, Stored, StoredState};
use crate::vfs::tree::{Tree, TreeCommand, copies, log, nodes, totals, walk};
use crate::vfs::types::{Entry, FileState, Kind, Meant};

/// Removes an empty directory. Every root that has, or had, something of it is told.
pub struct RemoveDir {
    pub what: Meant,
    /// Who does it.
    pub by: Option<String>,
}

impl TreeCommand for RemoveDir {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let dir = walk::meant(tree, &self.what)?;
        if dir.kind != Kind::Dir {
            return Err(VfsError::NotADirectory(self.what.path));
        }
        if dir.id == NodeId::ROOT {
            return Err(VfsError::BadMove(self.what.path));
        }
        if !nodes::is_empty(tree, dir.id)? {
            return Err(VfsError::NotEmpty(self.what.path));
        }
        remove_dir(tree, &dir, self.by)
    }
}

/// Takes a directory away that is empty. `by`: who does it.
pub(super) fn remove_dir(tree: &Tree<'_>, dir: &Entry, by: Option<String>) -> Result<(), VfsError> {
    let at = walk::place_of(tree, dir)?;
    tree.tell(|| {
        let path = At(walk::path_of(tree, dir.id)?);
        Ok(Event::DirRemoved { path, by })
    })?;
    for root in copies::dir_removed(tree, dir.id)? {
        let at = at.clone();
        log::append(tree, root, &RootOp::RemoveDir { dir: dir.id, at })?;
    }
    nodes::remove(tree, dir.id)?;
    nodes::touch(tree, dir.parent)?;
    Ok(())
}

/// Deletes a file or a link.
pub struct Delete {
    pub what: Meant,
    /// Who does it.
    pub by: Option<String>,
}

impl TreeCommand for Delete {
    type Answer = Entry;

    fn apply(self, tree: &Tree<'_>) -> Result<Entry, VfsError> {
        let entry = walk::meant(tree, &self.what)?;
        if entry.kind == Kind::Dir {
            return Err(VfsError::IsDirectory(self.what.path));
        }
        earned::keep(tree, number(entry.id.0), 0, tree.now)?;
        delete(tree, &entry, self.by)?;
        Ok(entry)
    }
}

/// Deletes a file or a link. `by`: who does it.
pub(super) fn delete(tree: &Tree<'_>, entry: &Entry, by: Option<String>) -> Result<(), VfsError> {
    // One that runs ends: its slave throws the bytes away, and its session hears of it.
    let upload = plan::stored(tree, entry.id)?;
    if entry.state == FileState::Complete {
        tree.tell(|| {
            let path = walk::path_of(tree, entry.id)?;
            Ok(Event::deleted(entry, path, by))
        })?;
    }
    erase(tree, entry, upload)?;
    tree.is_gone(entry.id);
    nodes::touch(tree, entry.parent)?;
    Ok(())
}

/// What is left of an upload to this entry; it is [`VfsError::Busy`] while one runs.
pub(super) fn not_running(
    tree: &Tree<'_>,
    entry: &Entry,
    path: &VfsPath,
) -> Result<Option<Stored>, VfsError> {
    match plan::stored(tree, entry.id)? {
        Some(upload) if upload.state == StoredState::Runs => Err(VfsError::Busy(path.clone())),
        other => Ok(other),
    }
}

/// Takes a file or link out of the tree and tells every root that has bytes of it.
pub(super) fn erase(
    tree: &Tree<'_>,
    entry: &Entry,
    upload: Option<Stored>,
) -> Result<(), VfsError> {
    if let Some(upload) = &upload {
        discard(tree, upload)?;
    }
    delete_copies(tree, entry)?;
    if entry.kind == Kind::File && entry.state == FileState::Complete {
        totals::take_file(tree, entry.parent, entry.size)?;
    }
    nodes::remove(tree, entry.id)?;
    Ok(())
}

/// Tells every root that holds this generation of a file to delete it.
pub(super) fn delete_copies(tree: &Tree<'_>, entry: &Entry) -> Result<(), VfsError> {
    let roots = copies::remove_all(tree, entry)?;
    if roots.is_empty() {
        return Ok(());
    }
    let (file, at) = (entry.file(), walk::place_of(tree, entry)?);
    for root in roots {
        let at = at.clone();
        log::append(tree, root, &RootOp::Delete { file, at })?;
    }
    Ok(())
}

/// Forgets an upload; its bytes in staging are thrown away.
pub(super) fn discard(tree: &Tree<'_>, upload: &Stored) -> Result<(), VfsError> {
    let file = upload.file;
    log::append(tree, upload.root_key, &RootOp::DiscardStaged { file })?;
    forget(tree, file.node)?;
    Ok(())
}

/// Forgets an upload whose bytes are where they belong, or never were.
pub(super) fn forget(tree: &Tree<'_>, node: NodeId) -> Result<(), VfsError> {
    tree.run("DELETE FROM upload WHERE node = ?1", [number(node.0)])?;
    Ok(())
}

/// Throws away uploads that broke off too long ago, some at a time; answers how many.
pub struct ExpirePartials {
    /// Those that broke off before (Unix seconds).
    pub before: i64,
    pub limit: usize,
}

impl TreeCommand for ExpirePartials {
    type Answer = usize;

    fn apply(self, tree: &Tree<'_>) -> Result<usize, VfsError> {
        let query = "SELECT node FROM upload WHERE state <> 0 AND since < ?1 LIMIT ?2";
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let old = tree.all(query, params![self.before, limit], |row| {
            id(row, 0).map(NodeId)
        })?;
        for node in &old {
            let (upload, entry) = (plan::stored(tree, *node)?, nodes::by_id(tree, *node)?);
            match (entry, upload) {
                (Some(entry), upload) if entry.state != FileState::Complete => {
                    erase(tree, &entry, upload)?;
                }
                (_, Some(upload)) => discard(tree, &upload)?,
                (_, None) => forget(tree, *node)?,
            }
        }
        Ok(old.len())
    }
}
