//! What an upload would do to what stands at its path. Pure but for the snapshot it reads.

use drftpd_protocol::wire::{Base, Place};
use drftpd_protocol::{DirId, FileId, Generation, Name, NodeId, RootId, VfsPath};

use super::client::Owner;
use super::commands::{Begin, Onto};
use super::error::VfsError;
use super::tree::log::{self, RootKey};
use super::tree::{copies, walk};
use super::types::{Entry, FileState, Kind, Upload, UploadMode, UploadPlan};
use super::uploads::Uploads;
use crate::accounts::earned::{Earner, Earns};
use crate::store::{Ids, Sql, id, number};

/// An upload as the store has it.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub file: FileId,
    pub root: RootId,
    pub root_key: RootKey,
    pub state: StoredState,
    /// Bytes that are kept.
    pub size: u64,
    /// Bytes that were there before its last transfer.
    pub keep: u64,
    /// Who is paid for it.
    pub earner: Option<Earner>,
}

/// State of an upload as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredState {
    /// A transfer of this master owns it.
    Runs,
    /// It broke off; its size is known.
    Partial,
    /// Its master went away and its slave has not told yet.
    Unknown,
}

impl StoredState {
    /// As the column has it.
    pub fn number(self) -> i64 {
        match self {
            Self::Runs => 0,
            Self::Partial => 1,
            Self::Unknown => 2,
        }
    }
}

/// The upload of a node that runs or broke off.
pub(super) fn stored(sql: &Sql<'_>, node: NodeId) -> Result<Option<Stored>, VfsError> {
    let query = "SELECT upload.generation, root.id, root.key, upload.state, upload.size, keep, earner, ratio, counts
                 FROM upload JOIN root ON root.key = upload.root WHERE node = ?1";
    let row = sql.get(query, [number(node.0)], |row| {
        Ok(Stored {
            file: FileId {
                node,
                generation: Generation(id(row, 0)?),
            },
            root: RootId(row.get(1)?),
            root_key: RootKey(row.get(2)?),
            state: match row.get::<_, i64>(3)? {
                0 => StoredState::Runs,
                1 => StoredState::Partial,
                _ => StoredState::Unknown,
            },
            size: id(row, 4)?,
            keep: id(row, 5)?,
            earner: match row.get(6)? {
                Some(id) => Some(Earner {
                    id,
                    ratio: row.get(7)?,
                    counts: row.get(8)?,
                }),
                None => None,
            },
        })
    })?;
    Ok(row)
}

/// What an upload would do.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub parent: DirId,
    pub name: Name,
    pub existing: Option<Entry>,
    pub how: How,
}

/// What the new bytes follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// Nothing: a new file, or all of an old one anew.
    Fresh,
    /// Bytes of a complete file, on a root that holds it.
    CopyOf { keep: u64, holders: Vec<RootId> },
    /// Bytes of a partial one, on the only root that has them.
    GoOn { keep: u64, root: RootId },
}

/// Plans an upload.
pub(super) fn plan(
    sql: &Sql<'_>,
    live: &Uploads,
    path: &VfsPath,
    mode: UploadMode,
) -> Result<Plan, VfsError> {
    let found = walk::find(sql, path, true)?;
    let Some(name) = found.path.name().cloned() else {
        return Err(VfsError::IsDirectory(path.clone()));
    };
    let key = sql.case().fold(name.as_bytes());
    if live.unstored(found.parent, &key).is_some() {
        return Err(VfsError::Busy(path.clone()));
    }
    let how = match &found.entry {
        None => fresh(mode, 0)?,
        Some(entry) => over(sql, live, path, entry, mode)?,
    };
    Ok(Plan {
        parent: found.parent,
        name,
        existing: found.entry,
        how,
    })
}

/// Onto nothing: there is no byte to go on from.
fn fresh(mode: UploadMode, size: u64) -> Result<How, VfsError> {
    match mode {
        UploadMode::Resume { offset } if offset > 0 => Err(VfsError::BadOffset { offset, size }),
        _ => Ok(How::Fresh),
    }
}

fn over(
    sql: &Sql<'_>,
    live: &Uploads,
    path: &VfsPath,
    entry: &Entry,
    mode: UploadMode,
) -> Result<How, VfsError> {
    if entry.kind == Kind::Dir {
        return Err(VfsError::IsDirectory(path.clone()));
    }
    let stored = stored(sql, entry.id)?;
    let runs = stored.as_ref().map(|upload| upload.state) == Some(StoredState::Runs);
    if live.is_busy(entry.id) || runs {
        return Err(VfsError::Busy(path.clone()));
    }
    let complete = entry.state == FileState::Complete;
    let at = stored.as_ref().map(|upload| upload.root);
    let partial = stored.filter(|upload| !complete && upload.state == StoredState::Partial);
    let known = match &partial {
        _ if complete => Some(entry.size),
        Some(upload) => Some(upload.size),
        None => None,
    };
    let offset = match (mode, known) {
        (UploadMode::Store | UploadMode::Resume { offset: 0 }, _) => return Ok(How::Fresh),
        (_, None) => {
            let path = path.clone();
            return Err(match at {
                Some(root) => VfsError::Closing { path, root },
                None => VfsError::Incomplete(path),
            });
        }
        (UploadMode::Append, Some(size)) => size,
        (UploadMode::Resume { offset }, Some(size)) if offset > size => {
            return Err(VfsError::BadOffset { offset, size });
        }
        (UploadMode::Resume { offset }, Some(_)) => offset,
    };
    if let Some(upload) = partial {
        let (keep, root) = (offset, upload.root);
        return Ok(How::GoOn { keep, root });
    }
    if offset == 0 {
        return Ok(How::Fresh);
    }
    let holders = copies::holders(sql, entry.id)?;
    let holders = holders.into_iter().map(|(root, _)| root).collect();
    let keep = offset;
    Ok(How::CopyOf { keep, holders })
}

impl Plan {
    /// As a session sees it.
    pub fn shown(self) -> UploadPlan {
        let (only_roots, offset) = match self.how {
            How::Fresh => (None, 0),
            How::CopyOf { keep, holders } => (Some(holders), keep),
            How::GoOn { keep, root } => (Some(vec![root]), keep),
        };
        UploadPlan {
            existing: self.existing,
            only_roots,
            offset,
        }
    }

    /// What the slave's new bytes follow.
    pub fn base(&self, at: &Place) -> Base {
        match (&self.how, &self.existing) {
            (How::GoOn { keep, .. }, _) => Base::Staged { keep: *keep },
            (How::CopyOf { keep, .. }, Some(entry)) => Base::Copy {
                file: entry.file(),
                at: at.clone(),
                keep: *keep,
            },
            _ => Base::Empty,
        }
    }

    /// Whether a root can take it.
    pub fn takes(&self, root: RootId) -> bool {
        match &self.how {
            How::Fresh => true,
            How::CopyOf { holders, .. } => holders.contains(&root),
            How::GoOn { root: only, .. } => *only == root,
        }
    }
}

/// An upload that begins.
pub(super) struct Begun {
    pub upload: Upload,
    pub intent: Begin,
    /// Whose the file will be.
    pub owner: Owner,
    /// Bytes kept from before.
    pub keep: u64,
    /// The entry that only memory has until the intent is stored, under its folded name.
    pub unstored: Option<(Vec<u8>, Entry)>,
}

impl Begun {
    /// Whether there is a file already at its place.
    pub fn is_onto_file(&self) -> bool {
        !matches!(self.intent.onto, Onto::Nothing(_))
    }
}

/// Turns a plan into an upload and its intent.
pub(super) fn begin(
    sql: &Sql<'_>,
    ids: &Ids,
    now: i64,
    plan: Plan,
    owner: Owner,
    (root, earns): (RootId, Option<Earns>),
) -> Result<Begun, VfsError> {
    let row = log::root(sql, root)?.ok_or(VfsError::UnknownRoot(root))?;
    if !plan.takes(root) {
        return Err(VfsError::NoUpload);
    }
    let at = walk::place(sql, plan.parent, plan.name.clone())?;
    let base = plan.base(&at);
    let (keep, fresh) = match plan.how {
        How::Fresh => (0, true),
        How::CopyOf { keep, .. } | How::GoOn { keep, .. } => (keep, false),
    };
    let owner = match &plan.existing {
        Some(entry) if !fresh => Owner {
            user: entry.owner.clone(),
            group: entry.group.clone(),
        },
        _ => owner,
    };
    let (file, onto) = match (&plan.existing, &base) {
        (None, _) => {
            let entry = new_file(ids, now, &plan, owner.clone())?;
            (entry.file(), Onto::Nothing(entry))
        }
        (Some(entry), Base::Staged { keep }) => (entry.file(), Onto::Rest { keep: *keep }),
        (Some(entry), _) => {
            let (node, generation) = (entry.id, ids.generation()?);
            let owner = fresh.then(|| owner.clone());
            (FileId { node, generation }, Onto::File(owner))
        }
    };
    let unstored = match &onto {
        Onto::Nothing(entry) => {
            let key = sql.case().fold(plan.name.as_bytes());
            Some((key, entry.clone()))
        }
        _ => None,
    };
    Ok(Begun {
        upload: Upload {
            file,
            root,
            at,
            base,
            after: row.pending(),
            blake3: false,
            room: None,
        },
        owner,
        intent: Begin {
            file,
            root,
            onto,
            earns,
            keep,
        },
        keep,
        unstored,
    })
}

fn new_file(ids: &Ids, now: i64, plan: &Plan, owner: Owner) -> Result<Entry, VfsError> {
    Ok(Entry {
        id: ids.node()?,
        parent: plan.parent,
        name: Some(plan.name.clone()),
        kind: Kind::File,
        owner: owner.user,
        group: owner.group,
        mode: 0o644,
        modified: now,
        created: now,
        size: 0,
        files: 1,
        generation: Generation(1),
        crc32: None,
        blake3: None,
        state: FileState::Uploading,
        target: None,
    })
}
