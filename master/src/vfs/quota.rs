//! Disk quotas of uploads: how large a file may become, in the light of what its owner and its group have, and of what
//! their other uploads take that run. Pure but for the snapshot it reads.

use drftpd_protocol::FileId;

use super::client::Owner;
use super::error::VfsError;
use super::tree::nodes;
use super::types::{Entry, FileState, Kind};
use super::uploads::Uploads;
use crate::accounts::disk::{self, Full, Holder, Owned};
use crate::accounts::limits::Limit;
use crate::store::{Sql, Store, StoreError};

/// How large a file may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Bytes of the whole file.
    pub bytes: u64,
    /// What is said where it would become larger.
    pub full: Full,
}

/// How large the file of an upload may become that will belong to `owner`; nothing where no quota holds for them.
///
/// # Errors
/// [`VfsError::OverQuota`] where they have as many files as they may, or the store.
pub(super) fn room(
    sql: &Sql<'_>,
    live: &Uploads,
    file: FileId,
    owner: &Owner,
) -> Result<Option<Room>, VfsError> {
    let mut room: Option<Room> = None;
    for holder in [Holder::User(&owner.user), Holder::Group(&owner.group)] {
        let most = disk::most(sql, holder)?;
        if most == disk::Most::default() {
            continue;
        }
        let others = others(sql, live, file, holder)?;
        if let Some(files) = most.files.filter(|most| others.files >= *most) {
            return Err(VfsError::OverQuota(Full::new(
                holder,
                Limit::DiskFiles,
                files,
            )));
        }
        let bytes = most.bytes.unwrap_or(u64::MAX);
        let left = bytes.saturating_sub(others.bytes);
        if room.as_ref().is_none_or(|room| left < room.bytes) {
            room = Some(Room {
                bytes: left,
                full: Full::new(holder, Limit::Disk, bytes),
            });
        }
    }
    Ok(room)
}

/// Whether an upload that runs is within the quota of whose file it is.
///
/// # Errors
/// [`VfsError::OverQuota`] where it is not, or the store.
pub(super) fn is_within(store: &Store, live: &Uploads, file: FileId) -> Result<(), VfsError> {
    let (Some(owner), Some(size)) = (live.claimed_by(file), live.size(file)) else {
        return Ok(());
    };
    match store.read(|sql| room(sql, live, file, owner))? {
        Some(room) => room.takes(size),
        None => Ok(()),
    }
}

/// What all other files take, those that come among them.
fn others(
    sql: &Sql<'_>,
    live: &Uploads,
    file: FileId,
    holder: Holder<'_>,
) -> Result<Owned, StoreError> {
    let mut all = disk::owned(sql, holder)?;
    if let Some(old) = counted(sql, file, holder)? {
        // It gives way to the new one.
        all.files = all.files.saturating_sub(1);
        all.bytes = all.bytes.saturating_sub(old.size);
    }
    for (other, owner, size) in live.claimed() {
        if other.node == file.node || !is_of(holder, &owner.user, &owner.group) {
            continue;
        }
        match counted(sql, other, holder)? {
            // Stored, and its end is on the way back.
            Some(there) if there.file() == other && there.state == FileState::Complete => {}
            Some(there) => all.bytes = all.bytes.saturating_add(size.saturating_sub(there.size)),
            None => {
                all.files += 1;
                all.bytes = all.bytes.saturating_add(size);
            }
        }
    }
    Ok(all)
}

/// What stands at the place of an upload, where that is among what its holder is said to have.
fn counted(sql: &Sql<'_>, file: FileId, holder: Holder<'_>) -> Result<Option<Entry>, StoreError> {
    let there = nodes::by_id(sql, file.node)?;
    Ok(there.filter(|there| {
        let counts = there.kind == Kind::File && there.state != FileState::Uploading;
        counts && is_of(holder, &there.owner, &there.group)
    }))
}

fn is_of(holder: Holder<'_>, user: &str, group: &str) -> bool {
    match holder {
        Holder::User(name) => name == user,
        Holder::Group(name) => name == group,
    }
}

impl Room {
    /// Whether so many bytes fit.
    ///
    /// # Errors
    /// [`VfsError::OverQuota`] where they do not.
    pub fn takes(&self, bytes: u64) -> Result<(), VfsError> {
        match bytes <= self.bytes {
            true => Ok(()),
            false => Err(VfsError::OverQuota(self.full.clone())),
        }
    }
}
