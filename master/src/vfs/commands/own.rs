//! Whose entries are, when an operator says so.

use drftpd_protocol::NodeId;

use crate::store::{number, params};
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
        let sql =
            "UPDATE node SET owner = coalesce(?2, owner), grp = coalesce(?3, grp) WHERE id = ?1";
        let mut given = 0;
        for node in self.nodes {
            given += tree.run(sql, params![number(node.0), self.owner, self.group])?;
        }
        Ok(given as u64)
    }
}
