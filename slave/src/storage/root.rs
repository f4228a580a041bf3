//! One root: who it is, whether it is there, and what has happened to it.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drftpd_actors::Clock;
use drftpd_protocol::ids::{FileId, RootId};
use drftpd_protocol::wire::{RootState, RootStatus};

use super::error::StorageError;
use super::live::Live;
use super::roots::{Sharing, StoragePolicy};
use super::space::Spaces;
use crate::sys::{entry, space};

/// One storage folder with an identity. Cloning gives another handle to the same root.
#[derive(Clone)]
pub struct Root(pub(super) Arc<Inner>);

/// What all handles of a root share.
pub(super) struct Inner {
    pub(super) id: RootId,
    pub(super) path: PathBuf,
    pub(super) policy: StoragePolicy,
    shared: Option<Sharing>,
    pub(super) clock: Clock,
    live: Mutex<Option<Arc<Live>>>,
    /// A write failed; until the process is started again.
    broken: AtomicBool,
    /// Uploads that run now, each with the word that its bytes were deleted.
    pub(super) running: Mutex<BTreeMap<FileId, Arc<AtomicBool>>>,
    pub(super) space: Spaces,
    /// Bytes in the trash, which make room when they are needed.
    pub(super) trash_bytes: AtomicU64,
    pub(super) trash_number: AtomicU64,
    /// Operations on the tree wait for one another.
    pub(super) tree: Mutex<()>,
    /// Transfers that use it now.
    users: AtomicUsize,
}

/// Space of a root, in bytes.
pub(super) struct Space {
    pub(super) total: u64,
    pub(super) free: u64,
}

impl Root {
    pub(super) fn new(
        path: &Path,
        shared: Option<Sharing>,
        policy: StoragePolicy,
        clock: Clock,
        space: Spaces,
    ) -> Result<Root, StorageError> {
        let (id, live) = Live::open(path)?;
        let root = Root(Arc::new(Inner {
            id,
            path: path.to_owned(),
            policy,
            shared,
            clock,
            live: Mutex::new(None),
            broken: AtomicBool::new(false),
            running: Mutex::default(),
            space,
            trash_bytes: AtomicU64::new(0),
            trash_number: AtomicU64::new(0),
            tree: Mutex::default(),
            users: AtomicUsize::new(0),
        }));
        root.come(live);
        Ok(root)
    }

    /// Its identity.
    pub fn id(&self) -> RootId {
        self.0.id
    }

    /// Its folder, as it is configured.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// A transfer uses it, as long as this is kept: background work gives way.
    pub fn used(&self) -> InUse {
        self.0.users.fetch_add(1, Ordering::Relaxed);
        InUse(self.clone())
    }

    /// Whether transfers use it.
    pub fn is_in_use(&self) -> bool {
        self.0.users.load(Ordering::Relaxed) > 0
    }

    /// How other programs work on it, if they do.
    pub fn shared(&self) -> Option<Sharing> {
        self.0.shared
    }

    /// The time that a file's mark gets: on shared roots only.
    pub(super) fn marked_time(&self, look: &entry::Look) -> Option<i64> {
        self.0.shared.map(|_| look.modified_nanos)
    }

    /// Whether somebody wrote a file of a shared root so lately that he may still be at it.
    pub(super) fn is_busy(&self, look: &entry::Look) -> bool {
        let Some(sharing) = self.0.shared else {
            return false;
        };
        let now = self.0.clock.now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX));
        let quiet = i64::try_from(sharing.quiet.as_nanos()).unwrap_or(i64::MAX);
        // One from the future says nothing.
        (0..quiet).contains(&now.saturating_sub(look.modified_nanos))
    }

    /// Looks whether the root is there, takes it back if it has come back, lets it go if not.
    pub(super) fn refresh(&self) -> RootState {
        // Not held while the disk is asked: one that hangs must not hold up who asks for another.
        let held = lock(&self.0.live).clone();
        if let Some(live) = held {
            if live.is_still_at(&self.0.path, self.0.id) {
                live.look_whether_writable();
                return self.state_of(&live);
            }
            tracing::error!(root = %self.0.id, path = %self.0.path.display(), "root is absent");
            lock(&self.0.live).take_if(|now| Arc::ptr_eq(now, &live));
        }
        match Live::open(&self.0.path) {
            Ok((id, live)) if id == self.0.id => {
                tracing::info!(root = %id, path = %self.0.path.display(), "root is back");
                let state = self.state_of(&live);
                self.come(live);
                state
            }
            Ok((other, _)) => {
                tracing::debug!(root = %self.0.id, %other, "another root lies at this path");
                RootState::Absent
            }
            Err(error) => {
                tracing::debug!(root = %self.0.id, %error, "root is still absent");
                RootState::Absent
            }
        }
    }

    fn come(&self, live: Live) {
        let bytes = super::trash::measure(&live);
        self.0.trash_bytes.store(bytes, Ordering::Relaxed);
        super::identify::clean(&live);
        *lock(&self.0.live) = Some(Arc::new(live));
    }

    fn state_of(&self, live: &Live) -> RootState {
        match live.is_read_only() || self.is_broken() {
            true => RootState::ReadOnly,
            false => RootState::Present,
        }
    }

    /// Bytes promised to uploads of its filesystem that are not on the disk yet.
    pub fn reserved(&self) -> u64 {
        let promised = self.device().map(|device| self.0.space.promised(device));
        promised.map_or(0, |promised| promised.bytes())
    }

    /// Looks whether it is there, and how much space it has.
    pub(super) fn status(&self) -> RootStatus {
        let look = self.0.space.look();
        let state = self.refresh();
        let Space { total, free } = self.space();
        RootStatus {
            root: self.0.id,
            path: self.0.path.display().to_string(),
            state,
            total,
            free,
            filesystem: self.device().unwrap_or(0),
            look,
        }
    }

    /// How much there is, and is free for uploads: what was promised is not, what lies in its trash
    /// is.
    pub(super) fn space(&self) -> Space {
        if let Some(pretended) = self.0.policy.pretended_space {
            let (total, free) = (pretended, pretended);
            return Space { total, free };
        }
        let live = lock(&self.0.live).clone();
        let trash = self.0.trash_bytes.load(Ordering::Relaxed);
        match live.map(|live| space::of(live.top.as_fd())) {
            Some(Ok(on_disk)) => Space {
                total: on_disk.total,
                free: on_disk
                    .free
                    .saturating_add(trash)
                    .saturating_sub(self.reserved()),
            },
            _ => Space { total: 0, free: 0 },
        }
    }

    /// Its filesystem, if it is there.
    pub(super) fn device(&self) -> Option<u64> {
        lock(&self.0.live).as_ref().map(|live| live.device)
    }

    /// Its open folders.
    pub(super) fn live(&self) -> Result<Arc<Live>, StorageError> {
        lock(&self.0.live)
            .clone()
            .ok_or_else(|| StorageError::Absent {
                root: self.0.id,
                path: self.0.path.clone(),
            })
    }

    /// Its open folders, if something may be written.
    pub(super) fn writable(&self) -> Result<Arc<Live>, StorageError> {
        let live = self.live()?;
        match self.state_of(&live) {
            RootState::Present => Ok(live),
            _ => Err(StorageError::ReadOnly(self.0.id)),
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::Relaxed)
    }

    /// A write failed: nothing more is written until the process is started again.
    pub(super) fn break_off(&self, error: &StorageError) {
        if !self.0.broken.swap(true, Ordering::Relaxed) {
            let path = self.0.path.display();
            tracing::error!(root = %self.0.id, %path, %error, "a write failed, the root is read-only now");
        }
    }

    /// Judges an error of the tree: a failing disk makes the root read-only.
    pub(super) fn judge<T>(&self, done: Result<T, StorageError>) -> Result<T, StorageError> {
        if let Err(error) = &done
            && error.is_failure()
        {
            self.break_off(error);
        }
        done
    }

    /// Judges an error of writing bytes: everything but a full disk makes the root read-only.
    pub(super) fn judge_write<T>(&self, done: Result<T, StorageError>) -> Result<T, StorageError> {
        if let Err(error) = &done
            && matches!(error, StorageError::Io { .. })
            && !error.is_full()
        {
            self.break_off(error);
        }
        done
    }
}

/// A transfer's use of a root, from the opening of its file to its end.
#[derive(Debug)]
pub struct InUse(Root);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({}, {})", self.0.id, self.0.path.display())
    }
}

/// A lock whose holder panicked holds plain values: they are taken as they are.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
