//! Files of which no copy is left, for operators: which they are, and forgetting them.

use drftpd_protocol::{NodeId, VfsPath};

use super::VfsClient;
use super::commands::ForgetLost;
use super::error::VfsError;
use super::tree::{copies, walk};
use super::types::Kind;
use crate::store::{Sql, StoreError, id};

/// Paths that are told; the others are counted.
const TOLD: usize = 1000;
/// Files that one command of the act takes away: clients' changes come in between.
const AT_ONCE: usize = 256;

/// Files of which no copy is left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// All of them.
    pub nodes: Vec<NodeId>,
    /// Paths of some.
    pub paths: Vec<VfsPath>,
    /// Bytes that they had.
    pub bytes: u64,
}

impl VfsClient {
    /// Complete files at and below a path of which no root in use has a good copy, and that since before (Unix seconds)
    /// where it is known since when. Those of which a copy is only offline are none. Reads all files there are.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], or the store.
    pub async fn lost(&self, path: &VfsPath, before: i64) -> Result<Lost, VfsError> {
        let path = path.clone();
        let read = move |sql: &Sql<'_>| lost(sql, &path, before);
        self.store.read_on(&self.blocking, read).await
    }

    /// Forgets files of which no copy is left, as far as that is so still; answers how many. Copies that come back later
    /// are set aside.
    ///
    /// # Errors
    /// [`VfsError::Recovering`] while the store may be older than its disks, or the store.
    pub async fn forget_lost(&self, lost: &Lost, before: i64) -> Result<u64, VfsError> {
        let mut forgotten = 0;
        for nodes in lost.nodes.chunks(AT_ONCE) {
            let nodes = nodes.to_vec();
            forgotten += self.change(ForgetLost { nodes, before }).await?;
        }
        Ok(forgotten)
    }
}

fn lost(sql: &Sql<'_>, path: &VfsPath, before: i64) -> Result<Lost, VfsError> {
    let top = walk::existing(sql, path, false)?;
    let query = "SELECT id, parent, size FROM node WHERE kind = 1 AND state = 2 AND NOT EXISTS
                 (SELECT 1 FROM copy JOIN root ON root.key = copy.root
                  WHERE copy.node = node.id AND copy.state = 0 AND root.state < 2) ORDER BY parent, key";
    let mut lost = Lost::default();
    sql.each(query, [], |row| {
        let column = |at| id(row, at).map_err(StoreError::from);
        let (node, parent, size) = (NodeId(column(0)?), NodeId(column(1)?), column(2)?);
        let inside = match top.kind {
            Kind::Dir => walk::is_within(sql, parent, top.id)?,
            _ => node == top.id,
        };
        if inside && copies::lost_since(sql, node)? <= before {
            lost.bytes += size;
            lost.nodes.push(node);
            if lost.paths.len() < TOLD {
                lost.paths.push(walk::path_of(sql, node)?);
            }
        }
        Ok::<_, VfsError>(())
    })?;
    Ok(lost)
}
