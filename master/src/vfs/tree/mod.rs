//! The tables of the tree: rows, ways through it, and what a command may do with them.
//!
//! Everything here is a plain function over a snapshot or the open batch, without actix.

pub(super) mod agree;
pub(super) mod copies;
pub(super) mod differences;
pub(super) mod jobs;
pub(super) mod log;
pub(super) mod nodes;
pub(super) mod passes;
pub(super) mod reach;
pub(super) mod totals;
pub(super) mod unseen;
pub(super) mod walk;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use drftpd_protocol::{DirId, NodeId, OpSeq, RootId};
use tokio::sync::Notify;

use super::config::VfsConfig;
use super::deletions::Deletions;
use super::error::VfsError;
use super::heads::OpsHeads;
use crate::copies::CopiesConfig;
use crate::outbox::{Event, Outbox};
use crate::search::Names;
use crate::store::{Batch, Command, StoreError};
use copies::Touched;
use log::{Head, RootKey};

/// A change of the tree. Validates before its first write; see [`Command`].
pub(super) trait TreeCommand: Send + 'static {
    /// What is answered after the commit.
    type Answer: Send + 'static;

    /// See [`Command::is_unheard`].
    fn is_unheard(&self) -> bool {
        false
    }

    /// Reads and writes in the open batch.
    fn apply(self, tree: &Tree<'_>) -> Result<Self::Answer, VfsError>;
}

/// What every command is given.
#[derive(Clone)]
pub(super) struct Given {
    /// Wall clock when it was asked for, Unix seconds.
    pub now: i64,
    pub heads: OpsHeads,
    pub deletions: Deletions,
    pub config: Arc<VfsConfig>,
    pub copies: Arc<CopiesConfig>,
    /// Hears when files are to be looked at because of their copies.
    pub asked: Arc<Notify>,
    /// Is told of what was completed.
    pub outbox: Outbox,
    /// Is told of new names.
    pub names: Names,
}

/// A tree command on its way to the writer.
pub(super) struct InTree<C> {
    pub command: C,
    pub given: Given,
}

impl<C: TreeCommand> Command for InTree<C> {
    type Answer = C::Answer;
    type Error = VfsError;

    fn is_unheard(&self) -> bool {
        self.command.is_unheard()
    }

    fn apply(self, batch: &Batch<'_>) -> Result<C::Answer, VfsError> {
        let tree = Tree::new(batch, &self.given);
        let answer = self.command.apply(&tree)?;
        let (asked, gone) = (tree.asked.get(), tree.gone.take());
        let named = tree.named.get();
        let moved = tree.finish()?;
        if asked {
            let asked = self.given.asked;
            batch.on_commit(move || asked.notify_one());
        }
        if named {
            let names = self.given.names;
            batch.on_commit(move || names.noted());
        }
        if !gone.is_empty() {
            let deletions = self.given.deletions;
            batch.on_commit(move || deletions.deleted(&gone));
        }
        if !moved.is_empty() {
            let heads = self.given.heads;
            batch.on_commit(move || heads.moved(moved));
        }
        Ok(answer)
    }
}

/// The open batch as one command sees it. What concerns many rows of one page (digests of
/// directories, heads of logs) is gathered here and written once at its end.
pub(super) struct Tree<'b> {
    batch: &'b Batch<'b>,
    pub now: i64,
    pub config: &'b VfsConfig,
    pub copies: &'b CopiesConfig,
    outbox: &'b Outbox,
    names: &'b Names,
    /// Whether names were noted for the index.
    named: Cell<bool>,
    /// Whether files are to be looked at because of their copies.
    asked: Cell<bool>,
    heads: RefCell<BTreeMap<RootKey, Head>>,
    /// Files that it deletes.
    gone: RefCell<Vec<NodeId>>,
    touched: RefCell<BTreeMap<(DirId, RootKey), Touched>>,
}

impl<'b> Deref for Tree<'b> {
    type Target = Batch<'b>;

    fn deref(&self) -> &Batch<'b> {
        self.batch
    }
}

impl<'b> Tree<'b> {
    fn new(batch: &'b Batch<'b>, given: &'b Given) -> Self {
        Self {
            batch,
            now: given.now,
            config: &given.config,
            copies: &given.copies,
            outbox: &given.outbox,
            names: &given.names,
            named: Cell::new(false),
            asked: Cell::new(false),
            heads: RefCell::default(),
            gone: RefCell::default(),
            touched: RefCell::default(),
        }
    }

    /// Transfers of this file are to end.
    pub fn is_gone(&self, node: NodeId) {
        self.gone.borrow_mut().push(node);
    }

    /// An entry's name is new, another, or gone.
    fn named(&self, node: NodeId) -> Result<(), StoreError> {
        if self.names.note(self.batch, node)? {
            self.named.set(true);
        }
        Ok(())
    }

    /// Tells whoever wants to know what this command completes.
    pub fn tell(&self, event: impl FnOnce() -> Result<Event, VfsError>) -> Result<(), VfsError> {
        self.outbox.note(self.batch, self.now, event)
    }

    fn finish(self) -> Result<Vec<(RootId, OpSeq)>, StoreError> {
        let moved = log::write_heads(&self)?;
        copies::write_touched(&self)?;
        Ok(moved)
    }
}
