//! Reading copies again: passes that begin and end, and what was read.

use drftpd_protocol::{FileId, NodeId, RootId};

use crate::store::{number, params};
use crate::vfs::error::VfsError;
use crate::vfs::scrub::{Damaged, Reading, Scope, Sums};
use crate::vfs::tree::log::RootRow;
use crate::vfs::tree::{Tree, TreeCommand, copies, log, nodes, passes, walk};
use crate::vfs::types::{Entry, FileState, Kind};

/// How long findings are kept that nothing is to be done about any more.
const KEEP: i64 = 180 * 24 * 3600;

/// Passes begin now; those that are under way go on. Answers how many are under way of what was asked for.
pub struct BeginPasses {
    pub scope: Scope,
}

impl TreeCommand for BeginPasses {
    type Answer = usize;

    fn apply(self, tree: &Tree<'_>) -> Result<usize, VfsError> {
        let (roots, below) = match self.scope {
            Scope::Everything => (every_root(tree)?, NodeId::ROOT),
            Scope::Root(root) => {
                let row = log::root(tree, root)?.ok_or(VfsError::UnknownRoot(root))?;
                (vec![row.key], NodeId::ROOT)
            }
            Scope::Below(path) => {
                let found = walk::find(tree, &path, true)?.entry;
                let entry = found.ok_or(VfsError::NotFound(path))?;
                let roots = match entry.kind {
                    Kind::Dir => copies::roots_below(tree, entry.id)?,
                    _ => copies::roots_of(tree, entry.id)?,
                };
                (roots, entry.id)
            }
        };
        for root in &roots {
            passes::begin(tree, *root, below)?;
        }
        Ok(roots.len())
    }
}

fn every_root(tree: &Tree<'_>) -> Result<Vec<log::RootKey>, VfsError> {
    let roots = log::roots(tree)?.into_iter();
    Ok(roots.map(|row| row.key).collect())
}

/// Notes roots that are new, and begins the passes of those that had none for so many seconds. Answers how many.
pub struct BeginDuePasses {
    pub every: i64,
}

impl TreeCommand for BeginDuePasses {
    type Answer = usize;

    fn apply(self, tree: &Tree<'_>) -> Result<usize, VfsError> {
        for root in passes::unknown(tree)? {
            passes::know(tree, root)?;
        }
        Ok(passes::begin_due(
            tree,
            tree.now.saturating_sub(self.every),
        )?)
    }
}

/// What a pass has read, up to a file. A verdict counts for the copy that was read alone: not when the file was
/// deleted, overwritten or moved to another root meanwhile. Answers what was found to be damaged just now.
pub struct TakeReadings {
    pub root: RootId,
    pub below: NodeId,
    pub readings: Vec<(FileId, Reading)>,
    pub at: NodeId,
}

impl TreeCommand for TakeReadings {
    type Answer = Vec<Damaged>;

    fn apply(self, tree: &Tree<'_>) -> Result<Vec<Damaged>, VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let (mut damaged, mut bytes) = (Vec::new(), 0);
        if root.held {
            return Ok(damaged); // nothing that it says counts
        }
        for (file, reading) in &self.readings {
            if let Reading::Sums(sums) = reading {
                bytes += sums.size;
            }
            damaged.extend(take(tree, &root, *file, reading)?);
        }
        let counts = (self.readings.len(), bytes, damaged.len());
        passes::advance(tree, (root.key, self.below), self.at, counts)?;
        Ok(damaged)
    }
}

fn take(
    tree: &Tree<'_>,
    root: &RootRow,
    file: FileId,
    reading: &Reading,
) -> Result<Option<Damaged>, VfsError> {
    let live = |entry: &Entry| entry.file() == file && entry.state == FileState::Complete;
    let Some(entry) = nodes::by_id(tree, file.node)?.filter(live) else {
        return Ok(None);
    };
    let good = copies::held(tree, file.node, root.key)? == Some(true);
    if !good && !copies::is_damaged(tree, file.node, root.key)? {
        return Ok(None);
    }
    let wrong = match reading {
        Reading::Sums(read) => match Sums::of(&entry).wrong(read) {
            Some(why) => why,
            None => return is_good(tree, root, &entry, read).map(|()| None),
        },
        Reading::Unreadable(why) => why.clone(),
    };
    if !copies::condemn(tree, &entry, root.key)? {
        return Ok(None); // known
    }
    let path = walk::path_of(tree, file.node)?;
    passes::note(tree, root.key, file, (&path, &wrong))?;
    Ok(Some(Damaged {
        path,
        why: wrong,
        good_elsewhere: !copies::holders(tree, file.node)?.is_empty(),
    }))
}

/// A copy is what it should be; what was not known of it is known now.
fn is_good(tree: &Tree<'_>, root: &RootRow, entry: &Entry, read: &Sums) -> Result<(), VfsError> {
    learn(tree, entry, read)?;
    copies::add(tree, entry, root.key)?;
    Ok(())
}

/// What was not known of a file is known from now on: by bytes of it that are what they should be.
pub(super) fn learn(tree: &Tree<'_>, entry: &Entry, read: &Sums) -> Result<(), VfsError> {
    let crc32 = entry.crc32.or(read.crc32);
    let blake3 = entry.blake3.or(read.blake3);
    if (crc32, blake3) != (entry.crc32, entry.blake3) {
        let sql = "UPDATE node SET crc32 = ?2, blake3 = ?3 WHERE id = ?1";
        let node = number(entry.id.0);
        tree.run(sql, params![node, crc32, blake3.map(|sum| sum.0)])?;
    }
    Ok(())
}

/// A pass has read everything.
pub struct EndPass {
    pub root: RootId,
    pub below: NodeId,
}

impl TreeCommand for EndPass {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        passes::end(tree, root.key, self.below)?;
        Ok(passes::forget(tree, tree.now.saturating_sub(KEEP))?)
    }
}

/// An operator pauses all reading, or lets it go on.
pub struct PauseScrub {
    pub paused: bool,
}

impl TreeCommand for PauseScrub {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let sql = match self.paused {
            true => "INSERT OR REPLACE INTO meta (key, value) VALUES ('scrub_paused', 'yes')",
            false => "DELETE FROM meta WHERE key = 'scrub_paused'",
        };
        tree.run(sql, [])?;
        Ok(())
    }
}
