//! Changes that operators make: of many entries at once, and of what the tree says of itself.

use drftpd_protocol::{DirId, NodeId, VfsPath};

use super::{Owner, VfsClient};
use crate::store::{Sql, id};
use crate::vfs::check::owned;
use crate::vfs::commands::{FixOwned, FixTotals, GiveTo, KeepDated, Kept, Wipe, Wiped, wrong};
use crate::vfs::error::VfsError;
use crate::vfs::tree::{nodes, walk};
use crate::vfs::types::{Entry, Kind, Meant};

/// Entries that one command of a long act changes: clients' changes come in between.
const AT_ONCE: usize = 256;
/// How often it is looked again whether all totals are right: others may move what is wrong meanwhile.
const ROUNDS: usize = 20;

impl VfsClient {
    /// Deletes an entry with all below it, part by part; it must still be the one that was judged. `by`: who does it.
    ///
    /// # Errors
    /// [`VfsError::NotFound`] where another stands there, or the store: then a part of it may be gone.
    pub async fn wipe(&self, what: &Meant, by: Option<&str>) -> Result<Wiped, VfsError> {
        let mut all = Wiped::default();
        while !all.done {
            let wipe = Wipe {
                what: what.clone(),
                limit: AT_ONCE,
                by: by.map(str::to_owned),
            };
            all = all.and(self.change(wipe).await?);
        }
        Ok(all)
    }

    /// Gives entries another owner, another group, or both; answers how many are still there.
    ///
    /// # Errors
    /// When the store fails: then some may be given already.
    pub async fn give_to(
        &self,
        nodes: &[NodeId],
        owner: Option<&str>,
        group: Option<&str>,
    ) -> Result<u64, VfsError> {
        let mut given = 0;
        for nodes in nodes.chunks(AT_ONCE) {
            let give = GiveTo {
                nodes: nodes.to_vec(),
                owner: owner.map(str::to_owned),
                group: group.map(str::to_owned),
            };
            given += self.change(give).await?;
        }
        Ok(given)
    }

    /// Counts again what directories come to, and writes it where that was something else; answers how many were wrong.
    /// Reads the whole tree.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn fix_totals(&self) -> Result<u64, VfsError> {
        let mut fixed = 0;
        for _ in 0..ROUNDS {
            let look = |sql: &Sql<'_>| Ok::<_, VfsError>(wrong(sql, AT_ONCE * 16)?);
            let dirs: Vec<DirId> = self.store.read_on(&self.blocking, look).await?;
            if dirs.is_empty() {
                break;
            }
            for dirs in dirs.chunks(AT_ONCE) {
                let dirs = dirs.to_vec();
                fixed += self.change(FixTotals { dirs }).await?;
            }
        }
        Ok(fixed)
    }

    /// Counts again what users and groups have, where that is wrong; answers how many sums were. A look at every file,
    /// and another one in the way of all changes where something is wrong.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn fix_owned(&self) -> Result<u64, VfsError> {
        let look = |sql: &Sql<'_>| Ok::<_, VfsError>(owned::wrong(sql)?);
        match self.store.read_on(&self.blocking, look).await?.is_empty() {
            true => Ok(0),
            false => self.change(FixOwned).await,
        }
    }

    /// Links that lead nowhere, or only in a circle, at and below a path: some of them. Reads the whole tree.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], or the store.
    pub async fn dangling(
        &self,
        below: &VfsPath,
        most: usize,
    ) -> Result<Vec<(VfsPath, Entry)>, VfsError> {
        let below = below.clone();
        let read = move |sql: &Sql<'_>| dangling(sql, &below, most);
        self.store.read_on(&self.blocking, read).await
    }

    /// Makes the directory of a day with all above it, and lets the link lead there, as far as that is not so already.
    ///
    /// # Errors
    /// Where something else stands in the way.
    pub async fn keep_dated(
        &self,
        dir: &VfsPath,
        link: Option<&VfsPath>,
        owner: Owner,
    ) -> Result<Kept, VfsError> {
        let (dir, link) = (dir.clone(), link.cloned());
        self.change(KeepDated { dir, link, owner }).await
    }

    /// Directories of a directory, the newest first, behind some that were seen.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn newest_dirs(
        &self,
        dir: DirId,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Entry>, VfsError> {
        let read = move |sql: &Sql<'_>| Ok(nodes::newest_dirs(sql, dir, skip, limit)?);
        self.store.read_on(&self.blocking, read).await
    }
}

fn dangling(
    sql: &Sql<'_>,
    below: &VfsPath,
    most: usize,
) -> Result<Vec<(VfsPath, Entry)>, VfsError> {
    let top = walk::existing(sql, below, false)?;
    let mut found = Vec::new();
    let links = sql.all("SELECT id FROM node WHERE kind = 2", [], |row| {
        id(row, 0).map(NodeId)
    })?;
    for link in links {
        let Some(entry) = nodes::by_id(sql, link)? else {
            continue;
        };
        let inside = match top.kind {
            Kind::Dir => walk::is_within(sql, entry.parent, top.id)?,
            _ => link == top.id,
        };
        if !inside {
            continue;
        }
        let path = walk::path_of(sql, link)?;
        let leads = match walk::find(sql, &path, true) {
            Ok(found) => found.entry.is_some(),
            Err(why @ (VfsError::Store(_) | VfsError::Ask(_))) => return Err(why),
            Err(_nowhere) => false,
        };
        if !leads {
            found.push((path, entry));
            if found.len() >= most {
                break;
            }
        }
    }
    Ok(found)
}
