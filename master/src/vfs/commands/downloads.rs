//! Downloads of which only their slaves know how they ended.

use drftpd_protocol::{SlaveId, TransferId};

use crate::accounts::downloads::{self, Over};
use crate::accounts::tally::Figures;
use crate::vfs::error::VfsError;
use crate::vfs::tree::{Tree, TreeCommand};

/// What was held for a download is settled, as its slave tells it.
pub struct SettleDownload {
    pub transfer: TransferId,
    pub moved: Figures,
}

impl TreeCommand for SettleDownload {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let over = Over {
            transfer: self.transfer,
            moved: self.moved,
            now: tree.now,
        };
        Ok(over.settle(tree)?)
    }
}

/// What earlier masters held for downloads of a slave is given back, but for those that it still knows.
pub struct GiveBack {
    pub slave: SlaveId,
    pub knows: Vec<TransferId>,
    pub first: TransferId,
}

impl TreeCommand for GiveBack {
    type Answer = usize;

    fn apply(self, tree: &Tree<'_>) -> Result<usize, VfsError> {
        let given = downloads::give_back(tree, &self.slave, &self.knows, self.first, tree.now);
        Ok(given?)
    }
}
