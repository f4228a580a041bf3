//! Whose entries are, when an operator says so.

use drftpd_protocol::NodeId;

use crate::store::{Batch, StoreError, number, params};
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand};

/// Gives entries another owner, another group, or both; answers how many are still there.
pub struct GiveTo {
    pub nodes: Vec<NodeId>,
    pub owner: Option<String>,
    pub group: Option<String>,
}

impl TreeCommand for GiveTo {
    type Answer = u64;

    fn apply(self, tree: &Tree<'_>) -> Result<u64, VfsError> {
        let mut given = 0;
        for node in self.nodes {
            given += give(tree, node, self.owner.as_deref(), self.group.as_deref())?;
        }
        Ok(given as u64)
    }
}

/// Gives one entry to a user and to a group, where such a one is named; answers how many that were.
pub(super) fn give(
    batch: &Batch<'_>,
    node: NodeId,
    owner: Option<&str>,
    group: Option<&str>,
) -> Result<usize, StoreError> {
    let sql = "UPDATE node SET owner = coalesce(?2, owner), grp = coalesce(?3, grp) WHERE id = ?1";
    batch.run(sql, params![number(node.0), owner, group])
}
