//! What the slave side asks of the file list, as a trait, so that it can be tried with a list that
//! a test holds in its hand.

use drftpd_protocol::wire::{DirDigest, RootOp, StagedEntry, WalkPage};
use drftpd_protocol::{FileId, NodeId, OpSeq, RootId, SlaveId, TransferId};
use futures_util::future::LocalBoxFuture;

use crate::accounts::tally::Figures;
use crate::vfs::{
    Begins, Compare, Concluded, Judged, Merged, OpsHeads, SawAll, VfsClient, VfsError,
};

/// An answer of the file list.
pub type Answer<'a, T> = LocalBoxFuture<'a, Result<T, VfsError>>;

/// The part of the file list that slaves are kept in step with. See [`VfsClient`].
pub trait FileList: Send + Sync + 'static {
    /// The newest position of every root's log, to be followed.
    fn ops_heads(&self) -> OpsHeads;
    /// A slave shows a root; answers how far the root's log is done.
    fn root_shown<'a>(&'a self, root: RootId, slave: &'a SlaveId) -> Answer<'a, OpSeq>;
    /// Operations of a root's log behind `after`.
    fn ops_after(
        &self,
        root: RootId,
        after: OpSeq,
        most: usize,
    ) -> Answer<'_, Vec<(OpSeq, RootOp)>>;
    /// Operations up to here are done.
    fn ops_done(&self, root: RootId, through: OpSeq) -> Answer<'_, ()>;
    /// What a walk of a root begins from.
    fn walk_begins(&self, root: RootId) -> Answer<'_, Begins>;
    /// What a walk of parts of a root begins from.
    fn part_walk_begins(&self, root: RootId) -> Answer<'_, Begins>;
    /// Digests of a walk that began there.
    fn judge_digests(&self, root: RootId, since: OpSeq, dirs: Vec<DirDigest>)
    -> Answer<'_, Judged>;
    /// A page of a walk; of a shared root with what its disk had followed when the walk began.
    fn merge_page<'a>(
        &'a self,
        slave: &'a SlaveId,
        page: WalkPage,
        shared: Option<OpSeq>,
    ) -> Answer<'a, Merged>;
    /// Files that were compared, each with whether they are equal.
    fn merge_compared<'a>(
        &'a self,
        root: RootId,
        slave: &'a SlaveId,
        compared: Vec<(Compare, bool)>,
    ) -> Answer<'a, Merged>;
    /// Staged files of a walk; answers which of the list's files they are.
    fn merge_staged(&self, root: RootId, files: Vec<StagedEntry>) -> Answer<'_, Vec<NodeId>>;
    /// A walk saw everything.
    fn walked<'a>(
        &'a self,
        root: RootId,
        slave: &'a SlaveId,
        walk: SawAll,
    ) -> Answer<'a, Concluded>;
    /// The end of a download that nobody waits for.
    fn settle_download(&self, transfer: TransferId, moved: Figures) -> Answer<'_, ()>;
    /// Downloads of earlier masters that a slave knows: it will tell no end of others.
    fn downloads_known<'a>(
        &'a self,
        slave: &'a SlaveId,
        knows: Vec<TransferId>,
        first: TransferId,
    ) -> Answer<'a, usize>;
    /// The end of an upload that nobody waits for.
    fn settle_orphan(&self, file: FileId, root: RootId, kept: Option<u64>) -> Answer<'_, ()>;
}

impl FileList for VfsClient {
    fn ops_heads(&self) -> OpsHeads {
        VfsClient::ops_heads(self)
    }

    fn root_shown<'a>(&'a self, root: RootId, slave: &'a SlaveId) -> Answer<'a, OpSeq> {
        Box::pin(VfsClient::root_shown(self, root, slave))
    }

    fn ops_after(
        &self,
        root: RootId,
        after: OpSeq,
        most: usize,
    ) -> Answer<'_, Vec<(OpSeq, RootOp)>> {
        Box::pin(VfsClient::ops_after(self, root, after, most))
    }

    fn ops_done(&self, root: RootId, through: OpSeq) -> Answer<'_, ()> {
        Box::pin(VfsClient::ops_done(self, root, through))
    }

    fn walk_begins(&self, root: RootId) -> Answer<'_, Begins> {
        Box::pin(VfsClient::walk_begins(self, root))
    }

    fn part_walk_begins(&self, root: RootId) -> Answer<'_, Begins> {
        Box::pin(std::future::ready(VfsClient::part_walk_begins(self, root)))
    }

    fn judge_digests(
        &self,
        root: RootId,
        since: OpSeq,
        dirs: Vec<DirDigest>,
    ) -> Answer<'_, Judged> {
        Box::pin(VfsClient::judge_digests(self, root, since, dirs))
    }

    fn merge_page<'a>(
        &'a self,
        slave: &'a SlaveId,
        page: WalkPage,
        shared: Option<OpSeq>,
    ) -> Answer<'a, Merged> {
        Box::pin(VfsClient::merge_page(self, slave, page, shared))
    }

    fn merge_compared<'a>(
        &'a self,
        root: RootId,
        slave: &'a SlaveId,
        compared: Vec<(Compare, bool)>,
    ) -> Answer<'a, Merged> {
        Box::pin(VfsClient::merge_compared(self, root, slave, compared))
    }

    fn merge_staged(&self, root: RootId, files: Vec<StagedEntry>) -> Answer<'_, Vec<NodeId>> {
        Box::pin(VfsClient::merge_staged(self, root, files))
    }

    fn walked<'a>(
        &'a self,
        root: RootId,
        slave: &'a SlaveId,
        walk: SawAll,
    ) -> Answer<'a, Concluded> {
        Box::pin(VfsClient::walked(self, root, slave, walk))
    }

    fn settle_download(&self, transfer: TransferId, moved: Figures) -> Answer<'_, ()> {
        Box::pin(VfsClient::settle_download(self, transfer, moved))
    }

    fn downloads_known<'a>(
        &'a self,
        slave: &'a SlaveId,
        knows: Vec<TransferId>,
        first: TransferId,
    ) -> Answer<'a, usize> {
        Box::pin(VfsClient::downloads_known(self, slave, knows, first))
    }

    fn settle_orphan(&self, file: FileId, root: RootId, kept: Option<u64>) -> Answer<'_, ()> {
        Box::pin(VfsClient::settle_orphan(self, file, root, kept))
    }
}
