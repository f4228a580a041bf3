//! The directory of a day, and the link that leads to it.

use drftpd_protocol::{Name, VfsPath};

use super::make::{MakeDir, MakeLink};
use crate::store::{number, params};
use crate::vfs::client::Owner;
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand, nodes, walk};
use crate::vfs::types::{Entry, Kind};

/// Makes the directory of a day with all above it, and lets the link lead there, as far as that is not so already.
pub struct KeepDated {
    /// Of the day.
    pub dir: VfsPath,
    /// Where the link stands; its directory need not be there.
    pub link: Option<VfsPath>,
    /// Whose is what is made.
    pub owner: Owner,
}

/// What was not so before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// The directory was made.
    pub made: bool,
    /// The link was made, or leads to another directory than before.
    pub moved: bool,
}

impl TreeCommand for KeepDated {
    type Answer = Kept;

    fn apply(self, tree: &Tree<'_>) -> Result<Kept, VfsError> {
        // Looked at before anything is written: a command that is refused has changed nothing.
        let link = self
            .link
            .as_ref()
            .map(|link| Ok::<_, VfsError>((link, there(tree, link)?)));
        let link = link.transpose()?;
        if let Some((link, Some(taken))) = &link
            && taken.kind != Kind::Link
        {
            return Err(VfsError::Exists((*link).clone()));
        }
        may_be_made(tree, &self.dir)?;
        if let Some((link, None)) = &link {
            may_be_made(tree, &link.parent().unwrap_or_default())?;
        }
        let made = make_all(tree, &self.dir, &self.owner)?;
        let target = self.dir.to_bytes();
        let moved = match link {
            None => false,
            Some((_, Some(there))) if there.target.as_deref() == Some(&target[..]) => false,
            Some((_, Some(there))) => {
                let sql = "UPDATE node SET target = ?2, modified = ?3 WHERE id = ?1";
                tree.run(sql, params![number(there.id.0), target, tree.now])?;
                nodes::touch(tree, there.parent)?;
                true
            }
            Some((link, None)) => {
                make_all(tree, &link.parent().unwrap_or_default(), &self.owner)?;
                let (path, owner) = (link.clone(), self.owner.clone());
                MakeLink {
                    path,
                    target,
                    owner,
                }
                .apply(tree)?;
                true
            }
        };
        Ok(Kept { made, moved })
    }
}

/// What stands at a path, if all above it is there.
fn there(tree: &Tree<'_>, path: &VfsPath) -> Result<Option<Entry>, VfsError> {
    match walk::find(tree, path, false) {
        Ok(found) => Ok(found.entry),
        Err(VfsError::NotFound(_)) => Ok(None),
        Err(why) => Err(why),
    }
}

/// Whether nothing but directories stands on a way, as far as it is there.
fn may_be_made(tree: &Tree<'_>, dir: &VfsPath) -> Result<(), VfsError> {
    for way in ways(dir) {
        match walk::find(tree, &way, true) {
            Ok(found) => match found.entry {
                Some(entry) if entry.kind != Kind::Dir => return Err(VfsError::NotADirectory(way)),
                Some(_) => {}
                None => return Ok(()),
            },
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

/// Makes what is missing of a way; answers whether that was anything.
fn make_all(tree: &Tree<'_>, dir: &VfsPath, owner: &Owner) -> Result<bool, VfsError> {
    let mut made = false;
    for way in ways(dir) {
        if walk::find(tree, &way, true)?.entry.is_none() {
            let owner = owner.clone();
            MakeDir { path: way, owner }.apply(tree)?;
            made = true;
        }
    }
    Ok(made)
}

/// A path and all above it but the root, from the top down.
fn ways(path: &VfsPath) -> impl Iterator<Item = VfsPath> {
    let names: Vec<Name> = path.names().to_vec();
    let mut way = VfsPath::root();
    names.into_iter().map_while(move |name| {
        way = way.join(name).ok()?;
        Some(way.clone())
    })
}
