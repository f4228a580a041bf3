//! The narrow door to the file list: reads on committed snapshots, changes through `VfsActor`.
//!
//! Every change answers after the commit that holds it, `begin_upload` excepted.

use drftpd_protocol::wire::{DirStep, Place, RootOp, StagedEntry, WalkEntry};
use drftpd_protocol::{DirId, FileId, Name, NodeId, OpSeq, RootId, SlaveId, VfsPath};

use super::error::VfsError;
use super::types::{Entry, Page, PreparedBytes, Readable, Upload, UploadMode, UploadPlan};

/// Handle to the file list; cheap to clone, one per holder.
#[derive(Clone)]
pub struct VfsClient {}

/// Who an entry belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// User name.
    pub user: String,
    /// Group name.
    pub group: String,
}

/// A file of a walk whose place is taken by a live file of the same size: the caller compares
/// checksums of both and tells with [`VfsClient::merge_compared`].
#[derive(Debug, Clone)]
pub struct Compare {
    /// The live file and where it is.
    pub live: FileId,
    /// Where the found file lies (the same place, on the walked root).
    pub at: Place,
    /// Roots that hold the live file.
    pub holders: Vec<(RootId, OpSeq)>,
    /// Size of both.
    pub size: u64,
    /// Time of modification of the found one.
    pub modified: i64,
    /// CRC-32 of the live file where known.
    pub crc32: Option<u32>,
}

/// What a page of a walk changed.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// Files adopted.
    pub adopted: u64,
    /// Copies that are as the file list says.
    pub good: u64,
    /// Conflicts kept beside.
    pub kept_beside: u64,
    /// Files set aside.
    pub set_aside: u64,
    /// To be compared by the caller.
    pub compare: Vec<Compare>,
}

#[allow(clippy::todo, clippy::unused_async)]
impl VfsClient {
    /// What stands at a path; links on the way are followed, the last one too.
    pub async fn stat(&self, path: &VfsPath) -> Result<Entry, VfsError> {
        todo!("{path}")
    }

    /// Like `stat`, but a link at the end is shown itself.
    pub async fn stat_link(&self, path: &VfsPath) -> Result<Entry, VfsError> {
        todo!("{path}")
    }

    /// The path with all links on the way resolved (the last name need not exist): what policies
    /// are evaluated on.
    pub async fn resolve(&self, path: &VfsPath) -> Result<VfsPath, VfsError> {
        todo!("{path}")
    }

    /// Some entries of a directory, behind `after`.
    pub async fn list(
        &self,
        dir: DirId,
        after: Option<Name>,
        limit: usize,
    ) -> Result<Page, VfsError> {
        todo!("{dir} {after:?} {limit}")
    }

    /// A file for RETR: partial ones are [`VfsError::Incomplete`], running uploads are readable.
    pub async fn readable(&self, path: &VfsPath) -> Result<Readable, VfsError> {
        todo!("{path}")
    }

    /// Makes a directory; its parent must exist.
    pub async fn make_dir(&self, path: &VfsPath, owner: Owner) -> Result<Entry, VfsError> {
        todo!("{path} {owner:?}")
    }

    /// Removes an empty directory.
    pub async fn remove_dir(&self, path: &VfsPath) -> Result<(), VfsError> {
        todo!("{path}")
    }

    /// Deletes a file or a link; answers what it was.
    pub async fn delete(&self, path: &VfsPath) -> Result<Entry, VfsError> {
        todo!("{path}")
    }

    /// Renames; `to` must not exist (a file may replace a file when `replace`).
    pub async fn rename(
        &self,
        from: &VfsPath,
        to: &VfsPath,
        replace: bool,
    ) -> Result<(), VfsError> {
        todo!("{from} {to} {replace}")
    }

    /// Sets a time of modification (Unix seconds).
    pub async fn set_modified(&self, path: &VfsPath, modified: i64) -> Result<(), VfsError> {
        todo!("{path} {modified}")
    }

    /// What an upload would do.
    pub async fn plan_upload(
        &self,
        path: &VfsPath,
        mode: UploadMode,
    ) -> Result<UploadPlan, VfsError> {
        todo!("{path} {mode:?}")
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
        todo!("{path} {mode:?} {owner:?} {root}")
    }

    /// Tells how many bytes of a running upload are there.
    pub fn upload_grew(&self, file: FileId, size: u64) {
        todo!("{file} {size}")
    }

    /// Commits a prepared upload: entry, holder, publish operation in one command.
    pub async fn commit_upload(
        &self,
        file: FileId,
        root: RootId,
        bytes: PreparedBytes,
    ) -> Result<Entry, VfsError> {
        todo!("{file} {root} {bytes:?}")
    }

    /// An upload broke off. `kept` bytes stay in staging for a resume; an overwrite leaves what was
    /// there before and its staged bytes are discarded.
    pub async fn break_upload(
        &self,
        file: FileId,
        root: RootId,
        kept: Option<u64>,
    ) -> Result<(), VfsError> {
        todo!("{file} {root} {kept:?}")
    }

    /// The end of a transfer that nobody waits for (its session or the master went away): a
    /// committed one needs nothing, a known intent becomes partial, anything else is discarded.
    pub async fn settle_orphan(
        &self,
        file: FileId,
        root: RootId,
        kept: Option<u64>,
    ) -> Result<(), VfsError> {
        todo!("{file} {root} {kept:?}")
    }

    /// A slave shows a root: known or new, the file list has a row for it from now on.
    pub async fn root_shown(&self, root: RootId, slave: &SlaveId) -> Result<OpSeq, VfsError> {
        todo!("{root} {slave}")
    }

    /// Operations of a root's log behind `after`, with the position of the newest there is.
    pub async fn ops_after(
        &self,
        root: RootId,
        after: OpSeq,
        limit: usize,
    ) -> Result<Vec<(OpSeq, RootOp)>, VfsError> {
        todo!("{root} {after} {limit}")
    }

    /// Operations up to here are done on the root's disk.
    pub async fn ops_done(&self, root: RootId, through: OpSeq) -> Result<(), VfsError> {
        todo!("{root} {through}")
    }

    /// A page of a walk: adopts what is new, confirms what is known, sets aside what is not, in
    /// one command.
    pub async fn merge_page(
        &self,
        root: RootId,
        slave: &SlaveId,
        dir: Vec<DirStep>,
        entries: Vec<WalkEntry>,
    ) -> Result<Merged, VfsError> {
        todo!("{root} {slave} {dir:?} {entries:?}")
    }

    /// The answer to a [`Compare`]: equal files become another copy, others are kept beside.
    pub async fn merge_compared(
        &self,
        root: RootId,
        slave: &SlaveId,
        compared: Vec<(Compare, bool)>,
    ) -> Result<Merged, VfsError> {
        todo!("{root} {slave} {compared:?}")
    }

    /// Staged files of a walk: committed ones are published, known intents become partial, the
    /// rest is discarded.
    pub async fn merge_staged(
        &self,
        root: RootId,
        files: Vec<StagedEntry>,
    ) -> Result<(), VfsError> {
        todo!("{root} {files:?}")
    }

    /// The path of a node, for logs and operators.
    pub async fn path_of(&self, node: NodeId) -> Result<VfsPath, VfsError> {
        todo!("{node}")
    }
}
