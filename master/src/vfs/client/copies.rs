//! The door to copies of files: what is to be looked at, and what came of it.

use std::sync::Arc;

use drftpd_protocol::wire::RootOp;
use drftpd_protocol::{FileId, NodeId, RootId};
use tokio::sync::Notify;

use super::VfsClient;
use crate::vfs::commands::{AddCopy, DropStaged, RemoveCopy, SettleJobs, WantCopies};
use crate::vfs::copied;
use crate::vfs::error::VfsError;
use crate::vfs::tree::{jobs, log};
use crate::vfs::types::{Copied, CopyJob, Held, PreparedBytes};

/// Operations of a log that are looked through at most.
const FAR_BEHIND: usize = 256;

// What a point read finds is there at once; a store on other machines would be waited for.
#[allow(clippy::unused_async)]
impl VfsClient {
    /// Hears when files are to be looked at because of their copies. One may wait for it.
    pub fn copies_asked(&self) -> Arc<Notify> {
        Arc::clone(&self.asked)
    }

    /// Files whose copies are due to be looked at.
    pub async fn copies_due(&self, now: i64, limit: usize) -> Result<Vec<CopyJob>, VfsError> {
        self.read(|sql, _| Ok(jobs::due(sql, now, limit)?))
    }

    /// When the next one is due, behind `now`.
    pub async fn next_copy_due(&self, now: i64) -> Result<Option<i64>, VfsError> {
        self.read(|sql, _| Ok(jobs::next_due(sql, now)?))
    }

    /// Some of all files whose copies are to be looked at, behind one of them.
    pub async fn copy_jobs(&self, after: NodeId, limit: usize) -> Result<Vec<CopyJob>, VfsError> {
        self.read_on_disk(move |sql| Ok(jobs::behind(sql, after, limit)?))
            .await
    }

    /// How many files there are whose copies are to be looked at.
    pub async fn count_copy_jobs(&self) -> Result<u64, VfsError> {
        self.read_on_disk(|sql| Ok(jobs::count(sql)?)).await
    }

    /// A complete file with its copies; nothing if it is none, or gone.
    pub async fn copied(&self, node: NodeId) -> Result<Option<Copied>, VfsError> {
        self.read(|sql, _| copied::copied(sql, node))
    }

    /// So many complete files behind `after` with their holders, and the last one of them; `None` at the end.
    pub async fn held(
        &self,
        after: NodeId,
        limit: u32,
    ) -> Result<(Vec<Held>, Option<NodeId>), VfsError> {
        self.read_on_disk(move |sql| copied::held(sql, after, limit))
            .await
    }

    /// Whether the copies of a slave are to be made elsewhere.
    pub async fn is_evacuating(&self) -> Result<bool, VfsError> {
        self.read(|sql, _| copied::is_evacuating(sql))
    }

    /// Whether a root's disk has still to do something with this generation of a file. Where it is far behind, it is
    /// not looked for.
    pub async fn log_has(&self, root: RootId, file: FileId) -> Result<bool, VfsError> {
        self.read(|sql, _| {
            let row = log::root(sql, root)?.ok_or(VfsError::UnknownRoot(root))?;
            let behind = log::behind(sql, row.key, row.done, FAR_BEHIND)?;
            let is_about = |op: &RootOp| log::file_of(op) == Some(file);
            Ok(behind.len() == FAR_BEHIND || behind.iter().any(|(_, op)| is_about(op)))
        })
    }

    /// A root has prepared a copy. Answers whether it is one: the file may be gone or another by now, or the bytes
    /// other ones; then they are thrown away.
    pub async fn add_copy(
        &self,
        file: FileId,
        root: RootId,
        bytes: PreparedBytes,
    ) -> Result<bool, VfsError> {
        self.change(AddCopy { file, root, bytes }).await
    }

    /// A root's copy is one too many: it goes if there are `least` good ones elsewhere. Answers whether it went.
    pub async fn remove_copy(
        &self,
        file: FileId,
        root: RootId,
        least: u32,
    ) -> Result<bool, VfsError> {
        self.change(RemoveCopy { file, root, least }).await
    }

    /// What a root has staged of a copy is not needed.
    pub async fn drop_staged(&self, file: FileId, root: RootId) -> Result<(), VfsError> {
        self.change(DropStaged { file, root }).await
    }

    /// Copies of these files are to be looked at.
    pub async fn want_copies(&self, files: Vec<NodeId>) -> Result<(), VfsError> {
        self.change(WantCopies { files }).await
    }

    /// What looking at them came to: `done` as they were read, `later` with their next time.
    pub async fn settle_copies(
        &self,
        done: Vec<CopyJob>,
        later: Vec<CopyJob>,
    ) -> Result<(), VfsError> {
        self.change(SettleJobs { done, later }).await
    }
}
