//! New directories and links.

use drftpd_protocol::{Generation, VfsPath};

use crate::outbox::Event;
use crate::vfs::client::Owner;
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand, nodes, walk};
use crate::vfs::types::{Entry, FileState, Kind};

/// Longest target of a link.
const MAX_TARGET: usize = 4096;

/// Makes a directory.
pub struct MakeDir {
    pub path: VfsPath,
    pub owner: Owner,
}

impl TreeCommand for MakeDir {
    type Answer = Entry;

    fn apply(self, tree: &Tree<'_>) -> Result<Entry, VfsError> {
        let (mut entry, path) = new_entry(tree, &self.path, Kind::Dir, self.owner)?;
        entry.mode = 0o755;
        add(tree, entry, path)
    }
}

/// Makes a link to another path of the tree, which need not exist.
pub struct MakeLink {
    pub path: VfsPath,
    pub target: Vec<u8>,
    pub owner: Owner,
}

impl TreeCommand for MakeLink {
    type Answer = Entry;

    fn apply(self, tree: &Tree<'_>) -> Result<Entry, VfsError> {
        let above = self.path.parent().unwrap_or_default();
        if self.target.is_empty() || self.target.len() > MAX_TARGET {
            return Err(drftpd_protocol::PathError::TooLong.into());
        }
        above.resolve(&self.target)?;
        let (mut entry, path) = new_entry(tree, &self.path, Kind::Link, self.owner)?;
        entry.mode = 0o777;
        entry.target = Some(self.target);
        add(tree, entry, path)
    }
}

/// An entry for a place that is free, and its path without links.
fn new_entry(
    tree: &Tree<'_>,
    path: &VfsPath,
    kind: Kind,
    owner: Owner,
) -> Result<(Entry, VfsPath), VfsError> {
    let found = walk::find(tree, path, false)?;
    let Some(name) = found.path.name().filter(|_| found.entry.is_none()) else {
        return Err(VfsError::Exists(path.clone()));
    };
    let entry = Entry {
        id: tree.ids().node()?,
        parent: found.parent,
        name: Some(name.clone()),
        kind,
        owner: owner.user,
        group: owner.group,
        mode: 0o644,
        modified: tree.now,
        created: tree.now,
        size: 0,
        files: 0,
        generation: Generation(0),
        crc32: None,
        blake3: None,
        state: FileState::Complete,
        target: None,
    };
    Ok((entry, found.path))
}

fn add(tree: &Tree<'_>, entry: Entry, path: VfsPath) -> Result<Entry, VfsError> {
    nodes::insert(tree, &entry)?;
    nodes::touch(tree, entry.parent)?;
    tree.tell(|| Ok(Event::made(&entry, path)))?;
    Ok(entry)
}
