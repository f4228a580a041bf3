//! Finding entries by words of their names, wherever they lie: a full-text index beside the tree.
//!
//! Every command that gives an entry a name, another one, or takes it away notes its number in a queue, in the same batch
//! (a row of some bytes at the end of a table). The [`Indexer`](actor) takes the queue into the index soon after, many
//! entries in one command: written one by one, each upload would pay for a segment of the index of its own. What a crash
//! interrupts is in the queue still. An index that was never made, or not while the search was off, is made from the
//! tree in the background, and goes on where it was after a restart.
//!
//! The index has words and numbers, nothing else: names, paths and owners are looked up in the tree, so what has moved
//! is found where it is.

mod actor;
mod config;
mod index;
mod query;
mod words;

#[cfg(test)]
mod tests;

pub use actor::{NAME, SearchDeps, start};
pub use config::SearchConfig;
pub use index::{Progress, Rebuild, progress};
pub use query::{Found, Part, Question, search};

use std::sync::Arc;

use drftpd_protocol::NodeId;
use tokio::sync::Notify;

use crate::store::{Batch, StoreError, number};

/// What commands of the tree tell of names; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Names {
    on: bool,
    noted: Arc<Notify>,
}

impl Names {
    /// Whether names are noted at all.
    pub fn new(on: bool) -> Self {
        Self {
            on,
            noted: Arc::default(),
        }
    }

    /// Notes an entry whose name is new, another, or gone; answers whether anybody wants to know.
    ///
    /// # Errors
    /// When the database fails.
    pub fn note(&self, batch: &Batch<'_>, node: NodeId) -> Result<bool, StoreError> {
        if self.on {
            let sql = "INSERT INTO search_queue (node) VALUES (?1)";
            batch.run(sql, [number(node.0)])?;
        }
        Ok(self.on)
    }

    /// What was noted is committed.
    pub fn noted(&self) {
        self.noted.notify_one();
    }
}
