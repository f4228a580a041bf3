//! The intent of an upload: stored before its bytes are there, awaited by nobody.

use drftpd_protocol::{FileId, Name, RootId};

use super::remove::discard;
use crate::store::{number, params};
use crate::vfs::client::Owner;
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, Stored, StoredState};
use crate::vfs::tree::log::RootKey;
use crate::vfs::tree::{Tree, TreeCommand, log, nodes};
use crate::vfs::types::{Entry, FileState, Kind};

/// Stores that an upload runs. Refused when its place is not as it was planned; the commit is then
/// refused too.
pub struct Begin {
    pub file: FileId,
    pub root: RootId,
    pub onto: Onto,
}

/// What an upload goes to.
pub enum Onto {
    /// A free place: the entry that is made there.
    Nothing(Entry),
    /// A file: the next generation of it. A new owner, where all its bytes are new.
    File(Option<Owner>),
    /// The same generation of a partial one, with so many bytes kept.
    Rest {
        /// Bytes that are kept.
        keep: u64,
    },
}

impl TreeCommand for Begin {
    type Answer = ();

    /// Only the commit is heard of, unless a slave is told to throw away what was there before.
    fn is_unheard(&self) -> bool {
        !matches!(self.onto, Onto::File(_))
    }

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let root = log::root(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        match self.onto {
            Onto::Nothing(entry) => {
                place_is_free(tree, &entry)?;
                nodes::insert(tree, &entry)?;
                nodes::touch(tree, entry.parent)?;
                note(tree, self.file, root.key, None)
            }
            Onto::File(owner) => next_generation(tree, self.file, root.key, owner),
            Onto::Rest { keep } => go_on(tree, self.file, root.key, keep),
        }
    }
}

fn place_is_free(tree: &Tree<'_>, entry: &Entry) -> Result<(), VfsError> {
    let parent = nodes::by_id(tree, entry.parent)?;
    if parent.is_none_or(|parent| parent.kind != Kind::Dir) {
        return Err(VfsError::NoUpload);
    }
    let name: Option<&Name> = entry.name.as_ref();
    match name {
        Some(name) if nodes::child(tree, entry.parent, name)?.is_none() => Ok(()),
        _ => Err(VfsError::NoUpload),
    }
}

fn next_generation(
    tree: &Tree<'_>,
    file: FileId,
    root: RootKey,
    owner: Option<Owner>,
) -> Result<(), VfsError> {
    let entry = nodes::by_id(tree, file.node)?.filter(|entry| entry.kind == Kind::File);
    let mut entry = entry.ok_or(VfsError::NoUpload)?;
    let left = plan::stored(tree, file.node)?;
    let newer = file.generation > entry.generation;
    if !newer || is_running(left.as_ref()) {
        return Err(VfsError::NoUpload);
    }
    if let Some(left) = left {
        discard(tree, &left)?;
    }
    if entry.state == FileState::Complete {
        tree.used(file.generation.0);
        return note(tree, file, root, owner);
    }
    // Nothing of the broken one is left: this is a first upload again.
    entry.generation = file.generation;
    entry.state = FileState::Uploading;
    entry.size = 0;
    if let Some(owner) = owner {
        (entry.owner, entry.group) = (owner.user, owner.group);
    }
    nodes::update(tree, &entry)?;
    note(tree, file, root, None)
}

fn go_on(tree: &Tree<'_>, file: FileId, root: RootKey, keep: u64) -> Result<(), VfsError> {
    let entry = nodes::by_id(tree, file.node)?.filter(|entry| entry.file() == file);
    let mut entry = entry.ok_or(VfsError::NoUpload)?;
    let left = plan::stored(tree, file.node)?.ok_or(VfsError::NoUpload)?;
    let fits = left.file == file && left.root_key == root && left.size >= keep;
    if !fits || left.state != StoredState::Partial {
        return Err(VfsError::NoUpload);
    }
    entry.state = FileState::Uploading;
    entry.size = keep;
    nodes::update(tree, &entry)?;
    note(tree, file, root, None)
}

fn is_running(upload: Option<&Stored>) -> bool {
    upload.is_some_and(|upload| upload.state == StoredState::Runs)
}

fn note(
    tree: &Tree<'_>,
    file: FileId,
    root: RootKey,
    owner: Option<Owner>,
) -> Result<(), VfsError> {
    let (user, group) = owner.map(|owner| (owner.user, owner.group)).unzip();
    tree.run(
        "INSERT OR REPLACE INTO upload (node, generation, root, state, size, since, owner, grp)
         VALUES (?1, ?2, ?3, 0, 0, ?4, ?5, ?6)",
        params![
            number(file.node.0),
            number(file.generation.0),
            root.0,
            tree.now,
            user,
            group
        ],
    )?;
    Ok(())
}
