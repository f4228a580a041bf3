//! What lies in the staging folder of a root, as a walk tells it.

use drftpd_protocol::wire::{RootOp, StagedEntry};
use drftpd_protocol::{NodeId, RootId};

use super::end::{break_off, is_ours, throw_away};
use crate::store::{number, params};
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, StoredState};
use crate::vfs::tree::log::RootRow;
use crate::vfs::tree::{Tree, TreeCommand, copies, differences, log, nodes, walk};
use crate::vfs::types::{Entry, FileState};

/// Committed files are published, known intents become partial, the rest is thrown away or goes to the
/// trash: but not prepared bytes whose identity this store never gave out. Answers which files were committed.
pub struct MergeStaged {
    pub root: RootId,
    pub files: Vec<StagedEntry>,
}

impl TreeCommand for MergeStaged {
    type Answer = Vec<NodeId>;

    fn apply(self, tree: &Tree<'_>) -> Result<Vec<NodeId>, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let mut seen = Vec::new();
        for staged in self.files.iter().filter(|_| !root.held) {
            if take(tree, &root, staged)? {
                seen.push(staged.file.node);
            }
        }
        Ok(seen)
    }
}

/// Whether it is a copy that goes to its place.
fn take(tree: &Tree<'_>, root: &RootRow, staged: &StagedEntry) -> Result<bool, VfsError> {
    let file = staged.file;
    let entry = nodes::by_id(tree, file.node)?;
    let upload = plan::stored(tree, file.node)?;
    let upload = upload.filter(|upload| upload.file == file);
    if let Some(upload) = &upload
        && upload.root_key != root.key
        && upload.state == StoredState::Runs
    {
        return Ok(false); // the second copy of an upload that runs to another root: its session's affair
    }
    let upload = upload.filter(|upload| upload.root_key == root.key);
    match (entry, upload) {
        (Some(entry), None) if is_committed(&entry, staged) => {
            return publish(tree, root, &entry, staged);
        }
        (Some(_), Some(upload)) if upload.state == StoredState::Runs => note(tree, staged)?,
        (Some(entry), Some(upload)) => break_off(tree, entry, &upload, Some(staged.size))?,
        // What the store does not know may be what it lost.
        _ if differences::recovering(tree)? => {}
        // Not complete, or adopted without a checksum: perhaps all that there is of it.
        _ if staged.prepared.is_none() && !is_ours(tree, file)? => {
            log::append(tree, root.key, &RootOp::SetAsideStaged { file })?;
        }
        _ => throw_away(tree, root.key, file)?,
    }
    Ok(false)
}

/// Its end is on the way here; or it was lost with its slave, which nobody has noticed yet. Then this
/// is what is kept.
fn note(tree: &Tree<'_>, staged: &StagedEntry) -> Result<(), VfsError> {
    let size = number(staged.size.min(nodes::MAX_SIZE));
    let node = number(staged.file.node.0);
    tree.run(
        "UPDATE upload SET size = ?2 WHERE node = ?1",
        params![node, size],
    )?;
    Ok(())
}

fn is_committed(entry: &Entry, staged: &StagedEntry) -> bool {
    entry.file() == staged.file && entry.state == FileState::Complete
}

/// Bytes of a committed file: they go to their place, whoever else has them too.
fn publish(
    tree: &Tree<'_>,
    root: &RootRow,
    entry: &Entry,
    staged: &StagedEntry,
) -> Result<bool, VfsError> {
    let file = entry.file();
    let same_sum = staged.prepared.is_some() && staged.prepared == entry.crc32;
    let held = copies::held(tree, entry.id, root.key)?.is_some();
    if staged.size != entry.size || !(same_sum || held) {
        log::append(tree, root.key, &RootOp::DiscardStaged { file })?;
        return Ok(false);
    }
    if held && root.done < root.newest {
        return Ok(true); // the operation that publishes it is under way
    }
    // What was damaged may be here because something else came to its place: it must be read before it is good.
    if !copies::is_damaged(tree, entry.id, root.key)? {
        copies::add(tree, entry, root.key)?;
    }
    let at = walk::place_of(tree, entry)?;
    log::append(tree, root.key, &RootOp::Publish { file, at })?;
    Ok(true)
}
