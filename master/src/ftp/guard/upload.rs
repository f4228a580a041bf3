//! An upload in the file list, until its end is settled there.

use std::rc::Rc;

use drftpd_protocol::wire::{Base, Fault, FaultCode};
use drftpd_protocol::{FileId, RootId, VfsPath};
use tracing::debug;

use crate::accounts::earned::Earns;
use crate::ftp::cleanup::Cleanup;
use crate::ftp::services::Services;
use crate::vfs::{Owner, Upload, UploadMode, VfsError};

/// An upload that the file list knows of: settled there when dropped, unless its transfer took over.
pub struct UploadGuard {
    services: Rc<Services>,
    cleanup: Cleanup,
    file: FileId,
    root: RootId,
    /// Bytes in staging from before, which stay if nothing is received.
    kept: Option<u64>,
    armed: bool,
}

impl UploadGuard {
    /// Begins an upload in the file list, in a way that cannot be cut in the middle.
    ///
    /// # Errors
    /// What the file list says.
    pub async fn begin(
        services: &Rc<Services>,
        cleanup: &Cleanup,
        path: VfsPath,
        mode: UploadMode,
        owner: Owner,
        (root, earns): (RootId, Earns),
        expected: u64,
    ) -> Result<(Upload, Self), VfsError> {
        let (services, undo) = (Rc::clone(services), cleanup.clone());
        let begin = async move {
            let to = (root, Some(earns));
            let begun = services.vfs.begin_paid(&path, mode, owner, to, expected);
            let upload = begun.await?;
            let kept = match upload.base {
                Base::Staged { keep } => Some(keep),
                Base::Empty | Base::Copy { .. } => None,
            };
            let guard = Self {
                file: upload.file,
                services,
                cleanup: undo,
                root,
                kept,
                armed: true,
            };
            Ok((upload, guard))
        };
        cleanup
            .uncut(begin)
            .await
            .unwrap_or(Err(VfsError::NoUpload))
    }

    /// Which bytes these are.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// The root that takes them.
    pub fn root(&self) -> RootId {
        self.root
    }

    /// The slave does not go on with it: it may have less of it in staging than was thought, or nothing.
    pub(super) fn refused(&mut self, why: &Fault) {
        let known = self.kept.filter(|_| why.code != FaultCode::NO_SUCH_FILE);
        self.kept = known.map(|kept| why.there.unwrap_or(kept));
    }

    /// Tells the file list that nobody knows how the upload ended: its slave is gone.
    pub(super) async fn lose(mut self) {
        self.armed = false;
        let lost = self.services.vfs.lose_upload(self.file, self.root);
        if let Err(why) = lost.await {
            debug!(file = %self.file, %why, "lost upload not noted, the next start will");
        }
    }

    /// The file list knows the end.
    pub(super) fn disarm(mut self) {
        self.armed = false;
    }

    /// Tells the file list that the upload ended without a commit.
    pub(super) async fn settle(mut self, kept: Option<u64>) {
        self.armed = false;
        let settled = self.services.vfs.break_upload(self.file, self.root, kept);
        if let Err(why) = settled.await {
            debug!(file = %self.file, %why, "broken upload not settled, the next walk of its root will");
        }
    }
}

impl Drop for UploadGuard {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (services, file, root, kept) =
            (Rc::clone(&self.services), self.file, self.root, self.kept);
        drop(self.cleanup.uncut(async move {
            if let Err(why) = services.vfs.break_upload(file, root, kept).await {
                debug!(%file, %why, "unused upload not settled");
            }
        }));
    }
}
