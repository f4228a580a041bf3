//! The end of an upload: committed, or broken off.

use drftpd_protocol::wire::RootOp;
use drftpd_protocol::{FileId, RootId};

use super::remove::{delete_copies, discard, erase, forget};
use crate::accounts::earned::{self, Came};
use crate::outbox::Event;
use crate::store::{number, params};
use crate::vfs::error::VfsError;
use crate::vfs::plan::{self, Stored, StoredState};
use crate::vfs::tree::log::RootKey;
use crate::vfs::tree::{Tree, TreeCommand, copies, log, nodes, totals, walk};
use crate::vfs::types::{Entry, FileState, PreparedBytes};

/// Makes prepared bytes the contents of their file: entry, holder, totals and the operation that
/// publishes them, in one command.
pub struct Commit {
    pub file: FileId,
    pub root: RootId,
    /// Another root that has prepared them.
    pub also: Option<RootId>,
    pub bytes: PreparedBytes,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl TreeCommand for Commit {
    type Answer = Entry;

    fn apply(self, tree: &Tree<'_>) -> Result<Entry, VfsError> {
        let upload = plan::stored(tree, self.file.node)?;
        let upload = upload.filter(|upload| upload.file == self.file && upload.root == self.root);
        let upload = upload.ok_or(VfsError::NoUpload)?;
        let old = nodes::by_id(tree, self.file.node)?.ok_or(VfsError::NoUpload)?;
        if self.bytes.size > nodes::MAX_SIZE {
            return Err(VfsError::NoUpload);
        }
        let also = match self.also {
            Some(also) => Some(log::root(tree, also)?.ok_or(VfsError::UnknownRoot(also))?),
            None => None,
        };
        let replaced = old.state == FileState::Complete;
        if replaced {
            delete_copies(tree, &old)?;
            totals::take_file(tree, old.parent, old.size)?;
        } else {
            // Only now, so that a directory's time tells nothing of uploads that run.
            nodes::touch(tree, old.parent)?;
        }
        let new = self.contents(tree, old)?;
        nodes::update(tree, &new)?;
        forget(tree, new.id)?;
        self.pay(tree, &upload, replaced)?;
        totals::add_file(tree, new.parent, new.size)?;
        publish(tree, &new, upload.root_key)?;
        if let Some(also) = also {
            publish(tree, &new, also.key)?;
        }
        tree.tell(|| {
            let path = walk::path_of(tree, new.id)?;
            Ok(Event::uploaded(&new, path, replaced))
        })?;
        Ok(new)
    }
}

impl Commit {
    /// Pays for what has come, and takes back what went for it.
    fn pay(&self, tree: &Tree<'_>, upload: &Stored, replaced: bool) -> Result<(), VfsError> {
        let (node, now) = (number(self.file.node.0), tree.now);
        let own = self.bytes.size.saturating_sub(upload.keep);
        let came = Came {
            start: number(upload.keep),
            bytes: number(own.min(self.bytes.received)),
            files: 1,
        };
        if !replaced && upload.keep == 0 {
            if let Some(earner) = upload.earner {
                earned::pay_first(tree, node, earner, (came, self.ms), now)?;
            }
            return Ok(());
        }
        earned::keep(tree, node, number(upload.keep), now)?;
        if let Some(earner) = upload.earner {
            earned::came(tree, node, earner, came, now)?;
        }
        Ok(earned::pay(tree, node, self.ms, now)?)
    }

    fn contents(&self, tree: &Tree<'_>, old: Entry) -> Result<Entry, VfsError> {
        let query = "SELECT owner, grp FROM upload WHERE node = ?1";
        let owner = tree.get(query, [number(old.id.0)], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get(1)?))
        })?;
        let (owner, group) = match owner {
            Some((Some(owner), Some(group))) => (owner, group),
            _ => (old.owner, old.group),
        };
        Ok(Entry {
            owner,
            group,
            generation: self.file.generation,
            size: self.bytes.size,
            crc32: Some(self.bytes.crc32),
            blake3: self.bytes.blake3,
            state: FileState::Complete,
            modified: tree.now,
            ..old
        })
    }
}

fn publish(tree: &Tree<'_>, entry: &Entry, root: RootKey) -> Result<(), VfsError> {
    let (file, at) = (entry.file(), walk::place_of(tree, entry)?);
    copies::add(tree, entry, root)?;
    log::append(tree, root, &RootOp::Publish { file, at })?;
    Ok(())
}

/// An upload broke off, or ended without anybody who waited for it.
///
/// A first upload with bytes kept becomes partial; one without is gone; an overwrite leaves what
/// was there before. One that was committed needs nothing, and bytes that nobody knows are thrown
/// away, unless another run of the store may have given out their identity. While the upload runs to another root, this
/// was its second copy, and is its session's affair.
pub struct EndUpload {
    pub file: FileId,
    pub root: RootId,
    /// Bytes in staging.
    pub kept: Option<u64>,
}

impl TreeCommand for EndUpload {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let upload = plan::stored(tree, self.file.node)?;
        let entry = nodes::by_id(tree, self.file.node)?;
        let upload = upload.filter(|upload| upload.file == self.file);
        if let Some(upload) = &upload
            && upload.root != self.root
            && upload.state == StoredState::Runs
        {
            return Ok(());
        }
        let upload = upload.filter(|upload| upload.root == self.root);
        match (entry, upload) {
            (Some(entry), Some(upload)) => break_off(tree, entry, &upload, self.kept),
            (Some(entry), None) if self.is_committed(&entry) => Ok(()),
            _ if self.kept.is_none() => Ok(()),
            _ => match log::root(tree, self.root)? {
                Some(root) => throw_away(tree, root.key, self.file),
                None => Ok(()),
            },
        }
    }
}

impl EndUpload {
    fn is_committed(&self, entry: &Entry) -> bool {
        entry.file() == self.file && entry.state == FileState::Complete
    }
}

/// The transfer of an upload is lost: its slave is gone, and did not say how it ended. A first
/// upload is partial from now on; how much of it is kept is known when the slave tells (it may have
/// told already). An overwrite is given up.
pub struct LoseUpload {
    pub file: FileId,
    pub root: RootId,
    /// Bytes that it had when it was last heard of; shown until the slave tells.
    pub seen: u64,
}

impl TreeCommand for LoseUpload {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let upload = plan::stored(tree, self.file.node)?;
        let upload = upload.filter(|upload| upload.file == self.file && upload.root == self.root);
        let upload = upload.filter(|upload| upload.state == StoredState::Runs);
        let entry = nodes::by_id(tree, self.file.node)?;
        let (Some(mut entry), Some(upload)) = (entry, upload) else {
            return Ok(()); // its end was told meanwhile
        };
        if upload.size > 0 || entry.state == FileState::Complete {
            return break_off(tree, entry, &upload, Some(upload.size));
        }
        entry.state = FileState::Partial;
        entry.size = self.seen.min(nodes::MAX_SIZE);
        nodes::update(tree, &entry)?;
        let sql = "UPDATE upload SET state = ?2, since = ?3 WHERE node = ?1";
        let unknown = StoredState::Unknown.number();
        tree.run(sql, params![number(entry.id.0), unknown, tree.now])?;
        Ok(())
    }
}

/// Whether this start of the master gave out a file's identity, stored or not.
fn file_of_this_start(tree: &Tree<'_>, file: FileId) -> bool {
    let now = tree.ids().incarnation();
    [file.node.0, file.generation.0]
        .into_iter()
        .any(|n| crate::store::Issued::of(n).incarnation == now)
}

/// Whether this store gave out a file's identity, both parts of it.
pub(super) fn is_ours(tree: &Tree<'_>, file: FileId) -> Result<bool, VfsError> {
    let first = file.generation.0 <= 1;
    Ok(tree.issued(file.node.0)? && (first || tree.issued(file.generation.0)?))
}

/// Staged bytes that the file list does not know. Those whose identity is known to be used up, or is
/// of this start, were deleted or refused: they go. Those of an earlier start that was killed before
/// it stored what it gave out were never acknowledged, as far as this store knows; a copy of its files
/// that was put back knows less than all, so they go to the trash, where they can be found. Those of
/// starts that this store did not make stay.
pub(super) fn throw_away(tree: &Tree<'_>, root: RootKey, file: FileId) -> Result<(), VfsError> {
    let first = file.generation.0 <= 1;
    let op = if is_ours(tree, file)? || file_of_this_start(tree, file) {
        RootOp::DiscardStaged { file }
    } else if tree.begun(file.node.0)? && (first || tree.begun(file.generation.0)?) {
        RootOp::SetAsideStaged { file }
    } else {
        return Ok(());
    };
    log::append(tree, root, &op)?;
    Ok(())
}

/// What becomes of an upload whose transfer is over without a commit.
pub(super) fn break_off(
    tree: &Tree<'_>,
    mut entry: Entry,
    upload: &Stored,
    kept: Option<u64>,
) -> Result<(), VfsError> {
    let first = entry.state != FileState::Complete;
    match kept.filter(|kept| *kept > 0 && *kept <= nodes::MAX_SIZE) {
        Some(size) if first => {
            entry.state = FileState::Partial;
            entry.size = size;
            nodes::update(tree, &entry)?;
            // Told again, there is nothing more of it.
            let sql =
                "UPDATE upload SET state = ?2, size = ?3, keep = ?3, since = ?4 WHERE node = ?1";
            let state = StoredState::Partial.number();
            came_so_far(tree, upload, size)?;
            let size = number(size);
            tree.run(sql, params![number(entry.id.0), state, size, tree.now])?;
            Ok(())
        }
        _ if first => {
            let staged = kept.is_some().then(|| upload.clone());
            forget(tree, entry.id)?;
            erase(tree, &entry, staged)
        }
        _ if kept.is_some() => discard(tree, upload),
        _ => forget(tree, entry.id),
    }
}

/// Notes whose the bytes are that are kept of an upload which broke off.
fn came_so_far(tree: &Tree<'_>, upload: &Stored, kept: u64) -> Result<(), VfsError> {
    let node = number(upload.file.node.0);
    if upload.keep > 0 {
        earned::keep(tree, node, number(upload.keep.min(kept)), tree.now)?;
    }
    if let Some(earner) = upload.earner {
        let came = Came {
            start: number(upload.keep),
            bytes: number(kept.saturating_sub(upload.keep)),
            files: 0,
        };
        earned::came(tree, node, earner, came, tree.now)?;
    }
    Ok(())
}

/// The master that ran all uploads is gone: what is kept of each is not known until its slave
/// tells. Carried out once, at the start of a master.
pub struct MastersGone;

impl TreeCommand for MastersGone {
    type Answer = usize;

    fn apply(self, tree: &Tree<'_>) -> Result<usize, VfsError> {
        let (runs, unknown) = (StoredState::Runs.number(), StoredState::Unknown.number());
        let states = params![
            nodes::state_number(FileState::Uploading),
            nodes::state_number(FileState::Partial),
            runs
        ];
        tree.run(
            "UPDATE node SET state = ?2 WHERE state = ?1
             AND id IN (SELECT node FROM upload WHERE state = ?3)",
            states,
        )?;
        let sql = "UPDATE upload SET state = ?2, since = ?3 WHERE state = ?1";
        Ok(tree.run(sql, params![runs, unknown, tree.now])?)
    }
}
