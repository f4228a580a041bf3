//! The intent of an upload: stored before its bytes are there, awaited by nobody.

use drftpd_protocol::{FileId, Name, RootId};

use super::remove::discard;
use crate::accounts::earned::{self, Earns};
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
    /// What it earns, and to whom; where nobody gets anything, nothing.
    pub earns: Option<Earns>,
    /// Bytes that were there before it.
    pub keep: u64,
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
        let owner = match &self.onto {
            Onto::Nothing(entry) => {
                place_is_free(tree, entry)?;
                nodes::insert(tree, entry)?;
                None
            }
            Onto::File(owner) => next_generation(tree, self.file, owner.as_ref())?,
            Onto::Rest { keep } => {
                go_on(tree, self.file, root.key, *keep)?;
                None
            }
        };
        self.note(tree, root.key, owner)
    }
}

impl Begin {
    /// `owner`: who has the file when the upload is complete, where that changes.
    fn note(&self, tree: &Tree<'_>, root: RootKey, owner: Option<&Owner>) -> Result<(), VfsError> {
        let paid = |earns: &&Earns| earns.counts || !earns.ratio.is_leech();
        let earns = self.earns.as_ref().filter(paid);
        let earner = earns.map(|earns| earned::earner(tree, earns)).transpose()?;
        tree.run(
            "INSERT OR REPLACE INTO upload
                 (node, generation, root, state, size, since, owner, grp, earner, ratio, counts, keep)
             VALUES (?1, ?2, ?3, 0, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                number(self.file.node.0),
                number(self.file.generation.0),
                root.0,
                tree.now,
                owner.map(|owner| &owner.user),
                owner.map(|owner| &owner.group),
                earner.map(|earner| earner.id),
                earner.map_or(0, |earner| earner.ratio),
                earner.is_some_and(|earner| earner.counts),
                number(self.keep),
            ],
        )?;
        Ok(())
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

/// The next contents of a file. Answers the owner that it has when they are complete; one that is not complete has them
/// now.
fn next_generation<'o>(
    tree: &Tree<'_>,
    file: FileId,
    owner: Option<&'o Owner>,
) -> Result<Option<&'o Owner>, VfsError> {
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
        return Ok(owner);
    }
    // Nothing of the broken one is left: this is a first upload again.
    entry.generation = file.generation;
    entry.state = FileState::Uploading;
    entry.size = 0;
    if let Some(owner) = owner {
        (entry.owner, entry.group) = (owner.user.clone(), owner.group.clone());
    }
    nodes::update(tree, &entry)?;
    earned::keep(tree, number(entry.id.0), 0, tree.now)?;
    Ok(None)
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
    Ok(())
}

fn is_running(upload: Option<&Stored>) -> bool {
    upload.is_some_and(|upload| upload.state == StoredState::Runs)
}
