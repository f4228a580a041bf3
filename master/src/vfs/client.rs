//! The narrow door to the file list: reads on committed snapshots, changes through `VfsActor`.
//!
//! Every change answers after the commit that holds it, `begin_upload` excepted.

mod copies;
mod operators;
mod scrub;
mod shared;
mod walks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Recipient};
use drftpd_actors::{Blocking, Ping, ask};
use drftpd_protocol::{DirId, FileId, Name, NodeId, RootId, SlaveId, TransferId, VfsPath};

use super::actor::VfsActor;
use super::commands::{
    Commit, Delete, EndUpload, GiveBack, LoseUpload, MakeDir, MakeLink, RemoveDir, Rename,
    SetTimes, SettleDownload,
};
use super::deletions::{Deletions, Followed};
use super::error::VfsError;
use super::heads::OpsHeads;
use super::messages::{BeginUpload, Change, CommitUpload, Finish, Orphan};
use super::tree::nodes;
use super::tree::{TreeCommand, walk};
use super::types::{
    Entry, FileState, Kind, Looked, Meant, Page, PreparedBytes, Readable, Times, Upload,
    UploadMode, UploadPlan,
};
use super::uploads::Uploads;
use super::{plan, quota, reads};
use crate::accounts::downloads;
use crate::accounts::earned::Earns;
use crate::accounts::tally::Figures;
use crate::store::{Sql, Store};
use tokio::sync::{Notify, watch};
pub use walks::{Begins, Compare, Concluded, Merged, SawAll, SawShared, Stray};

/// How long a change may take; a page of a walk is the longest.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);

/// Handle to the file list; cheap to clone, one per holder.
#[derive(Clone)]
pub struct VfsClient {
    addr: Addr<VfsActor>,
    pub(super) store: Store,
    pub(super) blocking: Blocking,
    pub(super) live: watch::Receiver<Arc<Uploads>>,
    heads: OpsHeads,
    asked: Arc<Notify>,
    deletions: Deletions,
}

/// Who an entry belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// User name.
    pub user: String,
    /// Group name.
    pub group: String,
}

// What a point read finds is there at once; a store on other machines would be waited for.
#[allow(clippy::unused_async)]
impl VfsClient {
    pub(super) fn new(
        addr: Addr<VfsActor>,
        store: Store,
        blocking: Blocking,
        (live, heads, asked, deletions): (
            watch::Receiver<Arc<Uploads>>,
            OpsHeads,
            Arc<Notify>,
            Deletions,
        ),
    ) -> Self {
        Self {
            addr,
            store,
            blocking,
            live,
            heads,
            asked,
            deletions,
        }
    }

    /// For health checks.
    pub fn ping(&self) -> Recipient<Ping> {
        self.addr.clone().recipient()
    }

    pub(super) async fn change<C: TreeCommand>(&self, command: C) -> Result<C::Answer, VfsError> {
        ask(&self.addr, Change(command), CHANGE_LIMIT).await?
    }

    /// A read of many rows, on a thread of the pool.
    async fn read_on_disk<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Sql<'_>) -> Result<T, VfsError> + Send + 'static,
    ) -> Result<T, VfsError> {
        self.store.read_on(&self.blocking, read).await
    }

    /// A read of a few rows, here and now.
    fn read<T>(
        &self,
        read: impl FnOnce(&Sql<'_>, &Uploads) -> Result<T, VfsError>,
    ) -> Result<T, VfsError> {
        // Memory before the store: an upload that is stored meanwhile is seen twice, never not.
        let live = Arc::clone(&self.live.borrow());
        self.store.read(|sql| read(sql, &live))
    }

    /// The newest position of every root's log, to be followed: what is behind it is to be sent.
    pub fn ops_heads(&self) -> OpsHeads {
        self.heads.clone()
    }

    #[cfg(test)]
    pub(super) async fn panic_for_test(&self) {
        let answer = ask(&self.addr, super::actor::PanicDue, CHANGE_LIMIT).await;
        assert_eq!(answer, Err(drftpd_actors::AskError::Gone));
    }

    /// Follows a file that a transfer is about, so that it ends when the file is deleted; `None` when it is already.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn follow(&self, file: FileId) -> Result<Option<Followed>, VfsError> {
        let followed = self.deletions.follow(file.node);
        let is_there = |sql: &Sql<'_>, live: &Uploads| {
            Ok(live.is_unstored(file) || nodes::by_id(sql, file.node)?.is_some())
        };
        Ok(self.read(is_there)?.then_some(followed))
    }

    /// How many uploads run.
    pub fn running_uploads(&self) -> usize {
        self.live.borrow().len()
    }

    /// Makes a link to another path of the tree, relative to its directory or absolute; the
    /// target need not exist.
    pub async fn make_link(
        &self,
        path: &VfsPath,
        target: &[u8],
        owner: Owner,
    ) -> Result<Entry, VfsError> {
        let (path, target) = (path.clone(), target.to_vec());
        self.change(MakeLink {
            path,
            target,
            owner,
        })
        .await
    }

    /// What stands at a path; links on the way are followed, the last one too.
    pub async fn stat(&self, path: &VfsPath) -> Result<Entry, VfsError> {
        self.read(|sql, live| reads::stat(sql, live, path, true))
    }

    /// Like `stat`, but a link at the end is shown itself.
    pub async fn stat_link(&self, path: &VfsPath) -> Result<Entry, VfsError> {
        self.read(|sql, live| reads::stat(sql, live, path, false))
    }

    /// The path with all links on the way resolved (the last name need not exist): what policies
    /// are evaluated on.
    pub async fn resolve(&self, path: &VfsPath) -> Result<VfsPath, VfsError> {
        self.read(|sql, _| Ok(walk::find(sql, path, true)?.path))
    }

    /// Where a path leads and what stands there; a link at the end is followed if `last`. Every directory on the way must
    /// be there.
    pub async fn look(&self, path: &VfsPath, last: bool) -> Result<Looked, VfsError> {
        self.read(|sql, live| reads::look(sql, live, path, last))
    }

    /// How many files of a path's directory lie on which root, as far as a placement needs that: none where no filter
    /// wants to know, of a very large directory some of them, and none when it cannot be read.
    pub async fn siblings(&self, path: &VfsPath, wanted: bool) -> BTreeMap<RootId, u32> {
        if !wanted {
            return BTreeMap::new();
        }
        let path = path.clone();
        let read = move |sql: &Sql<'_>| reads::siblings(sql, &path);
        self.read_on_disk(read).await.unwrap_or_default()
    }

    /// Some entries of a directory, behind `after`.
    pub async fn list(
        &self,
        dir: DirId,
        after: Option<Name>,
        limit: usize,
    ) -> Result<Page, VfsError> {
        let live = Arc::clone(&self.live.borrow());
        self.read_on_disk(move |sql| reads::list(sql, &live, dir, after.as_ref(), limit))
            .await
    }

    /// Which of these entries are complete files without a good copy on any of the roots that are present.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn offline(
        &self,
        entries: &[Entry],
        present: &Arc<BTreeSet<RootId>>,
    ) -> Result<BTreeSet<NodeId>, VfsError> {
        let is_file = |it: &&Entry| it.kind == Kind::File && it.state == FileState::Complete;
        let files: Vec<NodeId> = entries.iter().filter(is_file).map(|it| it.id).collect();
        let present = Arc::clone(present);
        self.read_on_disk(move |sql| reads::offline(sql, &files, &present))
            .await
    }

    /// A file for RETR: partial ones are [`VfsError::Incomplete`], running uploads are readable.
    pub async fn readable(&self, path: &VfsPath) -> Result<Readable, VfsError> {
        self.read(|sql, live| reads::readable(sql, live, path))
    }

    /// Makes a directory; its parent must exist.
    pub async fn make_dir(&self, path: &VfsPath, owner: Owner) -> Result<Entry, VfsError> {
        let path = path.clone();
        self.change(MakeDir { path, owner }).await
    }

    /// Removes an empty directory. `by`: who does it.
    pub async fn remove_dir(
        &self,
        what: impl Into<Meant>,
        by: Option<&str>,
    ) -> Result<(), VfsError> {
        let (what, by) = (what.into(), by.map(str::to_owned));
        self.change(RemoveDir { what, by }).await
    }

    /// Deletes a file or a link; answers what it was. `by`: who does it.
    pub async fn delete(
        &self,
        what: impl Into<Meant>,
        by: Option<&str>,
    ) -> Result<Entry, VfsError> {
        let (what, by) = (what.into(), by.map(str::to_owned));
        self.change(Delete { what, by }).await
    }

    /// Renames; `to` must not exist, or be the file which `replaces` names. `by`: who does it.
    pub async fn rename(
        &self,
        from: impl Into<Meant>,
        to: &VfsPath,
        replaces: Option<NodeId>,
        by: Option<&str>,
    ) -> Result<(), VfsError> {
        let rename = Rename {
            from: from.into(),
            to: to.clone(),
            replaces,
            by: by.map(str::to_owned),
        };
        self.change(rename).await
    }

    /// Sets times of an entry.
    pub async fn set_times(&self, what: impl Into<Meant>, times: Times) -> Result<(), VfsError> {
        let what = what.into();
        self.change(SetTimes { what, times }).await
    }

    /// What an upload would do.
    pub async fn plan_upload(
        &self,
        path: &VfsPath,
        mode: UploadMode,
    ) -> Result<UploadPlan, VfsError> {
        self.read(|sql, live| Ok(plan::plan(sql, live, path, mode)?.shown()))
    }

    /// Begins an upload to `root`: the entry is there (or its next generation is under way) when
    /// this answers, in memory; the intent goes into the store's next batch.
    pub async fn begin_upload(
        &self,
        path: &VfsPath,
        mode: UploadMode,
        owner: Owner,
        root: RootId,
    ) -> Result<Upload, VfsError> {
        self.begin_paid(path, mode, owner, (root, None), 0).await
    }

    /// The same, for an upload that earns something, and that will bring so many bytes (0: nobody knows).
    pub async fn begin_paid(
        &self,
        path: &VfsPath,
        mode: UploadMode,
        owner: Owner,
        (root, earns): (RootId, Option<Earns>),
        expected: u64,
    ) -> Result<Upload, VfsError> {
        let begin = BeginUpload {
            path: path.clone(),
            mode,
            owner,
            root,
            earns,
            expected,
        };
        ask(&self.addr, begin, CHANGE_LIMIT).await?
    }

    /// Tells how many bytes of a running upload are there.
    pub fn upload_grew(&self, file: FileId, size: u64) {
        self.live.borrow().grew(file, size);
    }

    /// Whether a running upload is within the disk quota of whose file it is.
    ///
    /// # Errors
    /// [`VfsError::OverQuota`] where it is not, or the store.
    pub fn is_within_quota(&self, file: FileId) -> Result<(), VfsError> {
        let live = Arc::clone(&self.live.borrow());
        quota::is_within(&self.store, &live, file)
    }

    /// Commits a prepared upload: entry, holder, publish operation in one command.
    pub async fn commit_upload(
        &self,
        file: FileId,
        root: RootId,
        bytes: PreparedBytes,
    ) -> Result<Entry, VfsError> {
        self.commit_copies(file, (root, None), bytes, 0).await
    }

    /// Commits an upload that took so many milliseconds, and that another root may have prepared, too: it is a holder
    /// from the beginning.
    pub async fn commit_copies(
        &self,
        file: FileId,
        (root, also): (RootId, Option<RootId>),
        bytes: PreparedBytes,
        ms: u64,
    ) -> Result<Entry, VfsError> {
        let commit = Commit {
            file,
            root,
            also,
            bytes,
            ms,
        };
        ask(&self.addr, CommitUpload(commit), CHANGE_LIMIT).await?
    }

    /// An upload broke off. `kept` bytes stay in staging for a resume; an overwrite leaves what was
    /// there before and its staged bytes are discarded.
    pub async fn break_upload(
        &self,
        file: FileId,
        root: RootId,
        kept: Option<u64>,
    ) -> Result<(), VfsError> {
        let end = EndUpload { file, root, kept };
        ask(&self.addr, Finish(file, end), CHANGE_LIMIT).await?
    }

    /// The transfer of an upload is lost with its slave: it is partial from now on, and what is kept of
    /// it is known when the slave is back.
    pub async fn lose_upload(&self, file: FileId, root: RootId) -> Result<(), VfsError> {
        let seen = self.live.borrow().size(file).unwrap_or(0);
        let lose = LoseUpload { file, root, seen };
        ask(&self.addr, Finish(file, lose), CHANGE_LIMIT).await?
    }

    /// The end of a transfer that nobody waits for (its session or the master went away): a
    /// committed one needs nothing, a known intent becomes partial, anything else is discarded. While
    /// a session goes on with the same upload, it is the end of an earlier transfer and says nothing.
    pub async fn settle_orphan(
        &self,
        file: FileId,
        root: RootId,
        kept: Option<u64>,
    ) -> Result<(), VfsError> {
        let end = EndUpload { file, root, kept };
        ask(&self.addr, Orphan(file, end), CHANGE_LIMIT).await?
    }

    /// The end of a download that nobody waits for: paid for, if somebody holds credits for it.
    pub async fn settle_download(
        &self,
        transfer: TransferId,
        moved: Figures,
    ) -> Result<(), VfsError> {
        self.change(SettleDownload { transfer, moved }).await
    }

    /// Gives back what was held for downloads of masters before `first`, but for those that the slave knows; answers how
    /// many.
    pub async fn downloads_known(
        &self,
        slave: &SlaveId,
        knows: Vec<TransferId>,
        first: TransferId,
    ) -> Result<usize, VfsError> {
        let held = self.read(|sql, _| Ok(downloads::are_held(sql, first)?))?;
        if !held {
            return Ok(0);
        }
        let slave = slave.clone();
        self.change(GiveBack {
            slave,
            knows,
            first,
        })
        .await
    }

    /// The path of a node, for logs and operators.
    pub async fn path_of(&self, node: NodeId) -> Result<VfsPath, VfsError> {
        self.read(|sql, _| walk::path_of(sql, node))
    }
}
