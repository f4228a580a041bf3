//! Files of which no copy is left go from the tree, when an operator says so.

use drftpd_protocol::NodeId;

use super::remove::erase;
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, StoredState};
use crate::vfs::tree::{Tree, TreeCommand, copies, differences, nodes};
use crate::vfs::types::FileState;

/// Forgets files, as far as they are lost, since before that time where it is known since when, and no upload to them
/// runs. Answers how many.
pub struct ForgetLost {
    pub nodes: Vec<NodeId>,
    pub before: i64,
}

impl TreeCommand for ForgetLost {
    type Answer = u64;

    fn apply(self, tree: &Tree<'_>) -> Result<u64, VfsError> {
        if differences::recovering(tree)? {
            return Err(VfsError::Recovering);
        }
        let mut forgotten = 0;
        for node in self.nodes {
            let entry = nodes::by_id(tree, node)?;
            let Some(entry) = entry.filter(|entry| entry.state == FileState::Complete) else {
                continue;
            };
            let upload = plan::stored(tree, node)?;
            let runs = upload
                .as_ref()
                .is_some_and(|upload| upload.state == StoredState::Runs);
            let lost = copies::holders(tree, node)?.is_empty();
            if runs || !lost || copies::lost_since(tree, node)? > self.before {
                continue;
            }
            erase(tree, &entry, upload)?;
            tree.is_gone(node);
            nodes::touch(tree, entry.parent)?;
            forgotten += 1;
        }
        Ok(forgotten)
    }
}
