//! How an upload ends: prepared, kept for a resume, or thrown away.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

use drftpd_actors::failpoint;
use drftpd_protocol::ids::FileId;

use super::error::{Doing, StorageError};
use super::live::Live;
use super::mark::{self, FileMark, Mark};
use super::root::{Root, lock};
use super::roots::Fsync;
use super::staging::{Staging, staged_name};
use crate::sys::entry;

impl Root {
    /// Ends an upload: all bytes are there, get their identity and are made durable, as the
    /// policy says. Answers the size.
    ///
    /// # Errors
    /// [`StorageError::Revoked`], a full disk, or a disk that failed, which makes the root
    /// read-only. What was written stays as what broke off.
    pub fn prepare(&self, mut staging: Staging, crc32: u32) -> Result<u64, StorageError> {
        let done = self.judge_write(self.finish(&staging, crc32));
        staging.ended = done.is_ok();
        done
    }

    fn finish(&self, staging: &Staging, crc32: u32) -> Result<u64, StorageError> {
        let (file, size) = (&staging.file, staging.len);
        failpoint("upload.received").doing("ending an upload")?;
        file.set_len(size).doing("ending an upload")?;
        let written = entry::look_at(file.as_fd()).doing("looking at an upload")?;
        let mark = FileMark {
            file: staging.id,
            size,
            crc32: Some(crc32),
            blake3: staging.blake3(),
            modified: self.marked_time(&written),
        };
        mark::write(file.as_fd(), Mark::File(mark))?;
        failpoint("upload.marked").doing("ending an upload")?;
        if self.0.policy.fsync == Fsync::Always {
            entry::sync(file.as_fd()).doing("making an upload durable")?;
            entry::sync(staging.live.staging.as_fd()).doing("making staging durable")?;
        }
        let name = staged_name(staging.id);
        let here = entry::look(staging.live.staging.as_fd(), &name).doing("looking at staging")?;
        match here {
            Some(here) if here.inode == written.inode && !staging.is_revoked() => Ok(size),
            _ => Err(StorageError::Revoked(staging.id)),
        }
    }

    /// Breaks an upload off and keeps what is there for a resume; answers how much that is. An
    /// empty one is thrown away.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keep(&self, mut staging: Staging) -> Result<u64, StorageError> {
        staging.ended = true;
        if staging.is_revoked() {
            return Ok(0);
        }
        if staging.len == 0 {
            drop_staged(&staging.live, staging.id)?;
            return Ok(0);
        }
        let freed = staging.file.set_len(staging.len);
        self.judge_write(freed.doing("ending an upload that broke off"))?;
        Ok(staging.len)
    }

    /// Breaks an upload off and throws away what is there: its disk is full.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn give_back(&self, mut staging: Staging) -> Result<(), StorageError> {
        staging.ended = true;
        drop_staged(&staging.live, staging.id).map(drop)
    }

    /// Throws staged bytes away, also those that are being written; `false` if there are none.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn discard(&self, file: FileId) -> Result<bool, StorageError> {
        let live = self.writable()?;
        self.judge(self.discard_in(&live, file))
    }

    pub(super) fn discard_in(&self, live: &Live, file: FileId) -> Result<bool, StorageError> {
        if let Some(revoked) = lock(&self.0.running).get(&file) {
            revoked.store(true, Ordering::Relaxed);
        }
        drop_staged(live, file)
    }

    /// Whether an upload with this identity is being written.
    pub(super) fn is_running(&self, file: FileId) -> bool {
        lock(&self.0.running).contains_key(&file)
    }
}

/// Takes the name of staged bytes away; who reads them reads on.
pub(super) fn drop_staged(live: &Live, file: FileId) -> Result<bool, StorageError> {
    match entry::unlink(live.staging.as_fd(), &staged_name(file)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).doing("throwing staged bytes away"),
    }
}
