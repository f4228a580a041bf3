//! Entries by their name alone, wherever they lie: an index that is there only where a plugin wants it.

use drftpd_protocol::{Name, NodeId, VfsPath};

use super::client::VfsClient;
use super::error::VfsError;
use super::tree::{nodes, walk};
use super::types::Entry;
use crate::store::{Batch, Command, Sql, StoreError, id, params};

/// Makes the index, or takes it away.
struct IndexNames(bool);

impl Command for IndexNames {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let sql = match self.0 {
            true => "CREATE INDEX IF NOT EXISTS node_names ON node (key)",
            false => "DROP INDEX IF EXISTS node_names",
        };
        batch.run(sql, [])?;
        Ok(())
    }
}

impl VfsClient {
    /// Has names indexed from now on, or not any more. Takes seconds for a million entries that are there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn index_names(&self, wanted: bool) -> Result<(), VfsError> {
        Ok(self.store.change(IndexNames(wanted)).await?)
    }

    /// Where the first entry of a name is that `fits`; of more than `most` of that name the others are not looked at. Names
    /// must be indexed.
    ///
    /// # Errors
    /// When the store fails, or has no index.
    pub fn named(
        &self,
        name: &Name,
        most: u32,
        mut fits: impl FnMut(&VfsPath, &Entry) -> bool,
    ) -> Result<Option<VfsPath>, VfsError> {
        self.store.read(|sql: &Sql<'_>| {
            let query = "SELECT id FROM node INDEXED BY node_names WHERE key = ?1 LIMIT ?2";
            let key = sql.case().fold(name.as_bytes());
            let all = sql.all(query, params![key, most], |row| id(row, 0).map(NodeId))?;
            for node in all {
                let Some(entry) = nodes::by_id(sql, node)? else {
                    continue;
                };
                let path = walk::path_of(sql, node)?;
                if fits(&path, &entry) {
                    return Ok(Some(path));
                }
            }
            Ok(None)
        })
    }
}
