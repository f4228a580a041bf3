//! A rename with whatever else its caller wants to be done in the same batch: all of it is there after a crash, or nothing.

use std::cell::OnceCell;
use std::ops::Deref;

use drftpd_protocol::{NodeId, VfsPath};

use super::Rename;
use super::own::give;
use super::times::follow;
use crate::outbox::Event;
use crate::store::{Batch, id, number, params};
use crate::vfs::client::VfsClient;
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand, nodes, walk};
use crate::vfs::types::{Entry, Kind, Meant};

/// Everything below an entry, itself first, with its kind.
const BELOW: &str = "WITH RECURSIVE below (id, kind) AS (
        SELECT id, kind FROM node WHERE id = ?1
        UNION ALL
        SELECT node.id, node.kind FROM below JOIN node ON node.parent = below.id
        WHERE below.kind = 0)
    SELECT id, kind FROM below";
/// Complete files below a directory, by whose they are.
const SHARES: &str = "WITH RECURSIVE dir (id) AS (
        SELECT ?1
        UNION ALL
        SELECT node.id FROM dir JOIN node ON node.parent = dir.id WHERE node.kind = 0)
    SELECT node.owner, sum(node.size) FROM dir JOIN node ON node.parent = dir.id
    WHERE node.kind = 1 AND node.state = 2 GROUP BY node.owner ORDER BY node.owner";

/// Whether a file below a directory is not complete.
const UNFINISHED: &str = "WITH RECURSIVE dir (id) AS (
        SELECT ?1
        UNION ALL
        SELECT node.id FROM dir JOIN node ON node.parent = dir.id WHERE node.kind = 0)
    SELECT 1 FROM dir JOIN node ON node.parent = dir.id WHERE node.kind = 1 AND node.state <> 2 LIMIT 1";

/// What is done together with a rename.
pub trait Along: Send + 'static {
    /// What is answered.
    type Answer: Send + 'static;

    /// Looks whether it may be, before anything is written; writes nothing.
    ///
    /// # Errors
    /// When it may not: nothing is done then, the rename neither.
    fn check(&mut self, moving: &Moving<'_>) -> Result<(), VfsError>;

    /// Writes, after the rename has.
    ///
    /// # Errors
    /// When the store fails.
    fn write(self, moved: &Moving<'_>) -> Result<Self::Answer, VfsError>;
}

/// What is renamed, in the open batch.
pub struct Moving<'t> {
    tree: &'t Tree<'t>,
    entry: Entry,
    /// It, and all below it.
    below: OnceCell<Vec<(NodeId, i64)>>,
}

impl<'t> Deref for Moving<'t> {
    type Target = Batch<'t>;

    fn deref(&self) -> &Batch<'t> {
        self.tree
    }
}

impl Moving<'_> {
    /// What it is, as it was before the rename.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Wall clock, Unix seconds.
    pub fn now(&self) -> i64 {
        self.tree.now
    }

    /// Refuses what is no directory, or has more files than this.
    ///
    /// # Errors
    /// [`VfsError::NotADirectory`], [`VfsError::Unwanted`].
    pub fn is_directory_of(&self, most: u64) -> Result<(), VfsError> {
        if self.entry.kind != Kind::Dir {
            return Err(VfsError::NotADirectory(self.path()?));
        }
        match self.entry.files > most {
            true => Err(VfsError::Unwanted(format!(
                "it has {} files, more than {most}",
                self.entry.files
            ))),
            false => Ok(()),
        }
    }

    /// Whose the complete files below it are, and how many bytes of them.
    ///
    /// # Errors
    /// When the store fails.
    pub fn shares(&self) -> Result<Vec<(String, u64)>, VfsError> {
        let shares = self.all(SHARES, [number(self.entry.id.0)], |row| {
            Ok((row.get(0)?, id(row, 1)?))
        });
        Ok(shares?)
    }

    /// The files below it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn files(&self) -> Result<Vec<NodeId>, VfsError> {
        let files = self.below()?.iter().filter(|(_, kind)| *kind == 1);
        Ok(files.map(|(node, _)| *node).collect())
    }

    /// Ends all transfers of files below it, as if the files were deleted: 426; uploads stay to be gone on with.
    ///
    /// # Errors
    /// When the store fails.
    pub fn end_transfers(&self) -> Result<(), VfsError> {
        for file in self.files()? {
            self.tree.is_gone(file);
        }
        Ok(())
    }

    /// Gives it, and all below it, to a user and to a group, where such a one is named.
    ///
    /// # Errors
    /// When the store fails.
    pub fn give_to(&self, user: Option<&str>, group: Option<&str>) -> Result<(), VfsError> {
        for (node, _) in self.below()? {
            give(self, *node, user, group)?;
        }
        Ok(())
    }

    /// Sets the time of modification of it, and of all below it; copies follow.
    ///
    /// # Errors
    /// When the store fails.
    pub fn touch(&self, modified: i64) -> Result<(), VfsError> {
        for (node, _) in self.below()? {
            let sql = "UPDATE node SET modified = ?2 WHERE id = ?1";
            self.run(sql, params![number(node.0), modified])?;
            if let Some(entry) = nodes::by_id(self.tree, *node)? {
                follow(self.tree, &entry, modified)?;
            }
        }
        Ok(())
    }

    /// Tells whoever wants to know.
    ///
    /// # Errors
    /// When the store fails.
    pub fn tell(&self, event: Event) -> Result<(), VfsError> {
        self.tree.tell(|| Ok(event))
    }

    /// Whether a file below it is being uploaded, or its upload broke off.
    ///
    /// # Errors
    /// When the store fails.
    pub fn has_unfinished(&self) -> Result<bool, VfsError> {
        let one = self.get(UNFINISHED, [number(self.entry.id.0)], |_| Ok(()))?;
        Ok(one.is_some())
    }

    /// The directories that it lies in, itself, and those below it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn directories(&self) -> Result<Vec<NodeId>, VfsError> {
        let above = walk::steps(self.tree, self.entry.parent)?.into_iter();
        let below = self.below()?.iter();
        let dirs = below.filter(|(_, kind)| *kind == 0).map(|(node, _)| *node);
        Ok(above.map(|step| step.id).chain(dirs).collect())
    }

    /// Where it is at this moment.
    ///
    /// # Errors
    /// When the store fails.
    pub fn path(&self) -> Result<VfsPath, VfsError> {
        walk::path_of(self.tree, self.entry.id)
    }

    /// Read once: nobody else changes the tree while the batch is open, and the rename moves all of it together.
    fn below(&self) -> Result<&[(NodeId, i64)], VfsError> {
        if let Some(below) = self.below.get() {
            return Ok(below);
        }
        let below = self.all(BELOW, [number(self.entry.id.0)], |row| {
            Ok((NodeId(id(row, 0)?), row.get(1)?))
        })?;
        Ok(self.below.get_or_init(|| below))
    }
}

/// Renames, and does what belongs to it.
struct RenameAlong<A> {
    rename: Rename,
    along: A,
}

impl<A: Along> TreeCommand for RenameAlong<A> {
    type Answer = A::Answer;

    fn apply(mut self, tree: &Tree<'_>) -> Result<A::Answer, VfsError> {
        let entry = walk::meant(tree, &self.rename.from)?;
        let moving = Moving {
            tree,
            entry,
            below: OnceCell::new(),
        };
        self.along.check(&moving)?;
        self.rename.apply(tree)?;
        self.along.write(&moving)
    }
}

impl VfsClient {
    /// Renames, and does what belongs to it in the same batch. `by`: who does it.
    ///
    /// # Errors
    /// What the rename says, or the other part before anything was written.
    pub async fn rename_along<A: Along>(
        &self,
        from: impl Into<Meant>,
        to: &VfsPath,
        by: &str,
        along: A,
    ) -> Result<A::Answer, VfsError> {
        let rename = Rename {
            from: from.into(),
            to: to.clone(),
            replaces: None,
            by: Some(by.to_owned()),
        };
        self.change(RenameAlong { rename, along }).await
    }
}
