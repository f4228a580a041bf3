//! What the slave side asks: logs of operations, and walks of roots.

use std::collections::BTreeSet;

use drftpd_actors::ask;
use drftpd_protocol::wire::{DirDigest, Place, RootOp, StagedEntry, WalkPage, WalkPart};
use drftpd_protocol::{FileId, NodeId, OpSeq, RootId, SlaveId, VfsPath};

use super::shared::Believed;
use super::{CHANGE_LIMIT, VfsClient};
use crate::store::Sql;
use crate::vfs::commands::{
    BeginWalk, ConfirmRoot, DecideRecovery, ForgetDifferences, HoldRoot, LoseCopies, MergeCompared,
    MergePage, MergeStaged, OpsDone, ShowRoot, Walked,
};
use crate::vfs::error::VfsError;
use crate::vfs::messages::Merge;
use crate::vfs::tree::agree::{Judged, judge};
use crate::vfs::tree::differences::{self, Decision, Difference, Spot, Why};
use crate::vfs::tree::log;
use crate::vfs::tree::unseen::{Seen, Unseen, Within, unseen, unseen_damaged};

/// Operations of a log in one answer at most.
const MAX_OPS: usize = 4096;
/// Missing copies that are noted in one command.
const LOSE_AT_ONCE: usize = 256;
/// Differences that one command forgets.
const FORGET_AT_ONCE: usize = 1024;
/// So many missing copies are never too many, in a small root.
const BELIEVED: u64 = 100;

/// A file of a walk whose place is taken by a live file of the same size: the caller compares
/// checksums of both and tells with [`VfsClient::merge_compared`].
#[derive(Debug, Clone)]
pub struct Compare {
    /// The live file and where it is.
    pub live: FileId,
    /// Where the found file lies (the same place, on the walked root).
    pub at: Place,
    /// Other roots that hold the live file. Where there is none, there is a CRC-32.
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
    /// Conflicts kept beside, at these paths.
    pub kept_beside: Vec<VfsPath>,
    /// Files set aside.
    pub set_aside: u64,
    /// Files and directories that go to their place by an operation.
    pub moved: u64,
    /// Identities that this store never gave out, left as they are: the store is older than the
    /// disk.
    pub unknown: u64,
    /// Files in quarantine.
    pub quarantined: u64,
    /// Left for the next walk: an upload to their place runs, or an operation is under way.
    pub left: u64,
    /// Left for good: the file list has no place for them.
    pub refused: u64,
    /// To be compared by the caller.
    pub compare: Vec<Compare>,
    /// Files of which the root has a copy, wherever it lies, or may have one.
    pub seen: Vec<NodeId>,
    /// Entries of the tree of whose places alone was told: the root has nothing there.
    pub gone: Vec<NodeId>,
    /// On a shared root: files that have other contents now.
    pub edited: u64,
    /// On a shared root: what was seen at its place, directories too.
    pub placed: Vec<NodeId>,
    /// On a shared root: what was seen at another place.
    pub strays: Vec<Stray>,
    /// On a shared root: what is to be looked at again soon.
    pub again: Vec<WalkPart>,
}

/// Something of the tree that lies at another place on a shared root: it was moved, or copied with its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// What.
    pub node: NodeId,
    /// Where.
    pub at: Place,
}

/// What a walk of a root begins from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Begins {
    /// Position of the root's log up to which its disk has followed.
    pub since: OpSeq,
    /// Nothing that the root says counts until an operator confirms it: it is not walked.
    pub held: bool,
}

/// A walk that saw everything there is on a root.
#[derive(Debug, Clone, Default)]
pub struct SawAll {
    /// What it began from.
    pub since: OpSeq,
    /// Uploads that are still being received: their end will be told.
    pub running: Vec<FileId>,
    /// What it saw of the file list's files.
    pub seen: Seen,
    /// Directories whose digests agree: all that the root should have of them is there.
    pub agreed: Seen,
    /// Whether what it did not see may be called missing: not when the store is older than the disk.
    pub conclude: bool,
    /// What of the root it was of.
    pub within: Within,
    /// Where other programs work on the root too: what a walk of theirs needs to know.
    pub shared: Option<SawShared>,
}

/// What a walk of a shared root saw besides.
#[derive(Debug, Clone, Default)]
pub struct SawShared {
    /// What lies at its place.
    pub placed: Seen,
    /// What lies at another place.
    pub strays: Vec<Stray>,
    /// How many files the walks shortly before it have believed to be removed: what is removed slowly is too much too.
    pub lately: u64,
    /// Those of the latter of which their own place was looked at, and nothing was there.
    pub left: Vec<NodeId>,
}

impl SawShared {
    /// What lies elsewhere is not gone, nor is what lies below it.
    fn keep_strays_from(&mut self, gone: &mut Vec<NodeId>) {
        let strays: BTreeSet<NodeId> = self.strays.iter().map(|stray| stray.node).collect();
        let (left, gone_for_good) = gone.iter().partition(|node| strays.contains(node));
        (self.left, *gone) = (left, gone_for_good);
    }
}

/// What a walk that saw everything says of a root's copies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Concluded {
    /// Copies that the root should have had.
    pub copies: u64,
    /// Those that are not there.
    pub missing: u64,
    /// Files of which that was the last copy.
    pub lost: u64,
    /// Copies that were not seen, but something happened to them meanwhile: for the next walk.
    pub unsettled: u64,
    /// So many are missing that nothing was changed, and the root is held.
    pub held: bool,
    /// On a shared root: files that other programs removed.
    pub removed: u64,
    /// On a shared root: directories that they removed.
    pub removed_dirs: u64,
    /// On a shared root: files and directories that other programs renamed.
    pub renamed: u64,
    /// On a shared root: what is to be looked at again soon.
    pub again: Vec<WalkPart>,
}

/// Whether so many missing copies, of which some were confirmed, are too many of all to be believed.
pub(super) fn is_too_much(missing: u64, confirmed: u64, copies: u64) -> bool {
    missing > confirmed + BELIEVED.max(copies / 100)
}

impl VfsClient {
    /// A slave shows a root: known or new, the file list has a row for it from now on. Answers the
    /// position up to which its disk has followed its log: send what is behind it.
    pub async fn root_shown(&self, root: RootId, slave: &SlaveId) -> Result<OpSeq, VfsError> {
        let slave = slave.clone();
        self.change(ShowRoot { root, slave }).await
    }

    /// Operations of a root's log behind `after`, with the position of the newest there is.
    pub async fn ops_after(
        &self,
        root: RootId,
        after: OpSeq,
        limit: usize,
    ) -> Result<Vec<(OpSeq, RootOp)>, VfsError> {
        let limit = limit.min(MAX_OPS);
        let read = move |sql: &Sql<'_>| -> Result<_, VfsError> {
            let row = log::root(sql, root)?.ok_or(VfsError::UnknownRoot(root))?;
            Ok(log::behind(sql, row.key, after, limit)?)
        };
        self.store.read_on(&self.blocking, read).await
    }

    /// Operations up to here are done on the root's disk.
    pub async fn ops_done(&self, root: RootId, through: OpSeq) -> Result<(), VfsError> {
        self.change(OpsDone { root, through }).await
    }

    /// A walk of parts of a root begins; asked before the slave is. Answers what it begins from.
    pub fn part_walk_begins(&self, root: RootId) -> Result<Begins, VfsError> {
        let row = self.read(|sql, _| Ok(log::root(sql, root)?))?;
        let row = row.ok_or(VfsError::UnknownRoot(root))?;
        Ok(Begins {
            since: row.done,
            held: row.held,
        })
    }

    /// A walk of a root begins; asked before the slave is. Answers what it begins from.
    pub async fn walk_begins(&self, root: RootId) -> Result<Begins, VfsError> {
        self.change(BeginWalk { root }).await
    }

    /// Digests of a walk: which directories agree, and of which the entries are wanted.
    pub async fn judge_digests(
        &self,
        root: RootId,
        since: OpSeq,
        dirs: Vec<DirDigest>,
    ) -> Result<Judged, VfsError> {
        let read = move |sql: &Sql<'_>| -> Result<_, VfsError> {
            let row = log::root(sql, root)?.ok_or(VfsError::UnknownRoot(root))?;
            Ok(judge(sql, row.key, since, &dirs)?)
        };
        self.store.read_on(&self.blocking, read).await
    }

    /// A page of a walk: adopts what is new, confirms what is known, sets aside what is not, in
    /// one command. Of a shared root with what its disk had followed when the walk began: there other programs are
    /// believed.
    pub async fn merge_page(
        &self,
        slave: &SlaveId,
        page: WalkPage,
        shared: Option<OpSeq>,
    ) -> Result<Merged, VfsError> {
        let page = MergePage {
            root: page.root,
            slave: slave.clone(),
            dir: page.dir,
            entries: page.entries,
            looked: page.looked,
            shared,
        };
        ask(&self.addr, Merge(page), CHANGE_LIMIT).await?
    }

    /// The answer to a [`Compare`]: equal files become another copy, others are kept beside.
    pub async fn merge_compared(
        &self,
        root: RootId,
        slave: &SlaveId,
        compared: Vec<(Compare, bool)>,
    ) -> Result<Merged, VfsError> {
        let slave = slave.clone();
        self.change(MergeCompared {
            root,
            slave,
            compared,
        })
        .await
    }

    /// Staged files of a walk: committed ones are published, known intents become partial, the
    /// rest is discarded. Answers which files the committed ones are.
    pub async fn merge_staged(
        &self,
        root: RootId,
        files: Vec<StagedEntry>,
    ) -> Result<Vec<NodeId>, VfsError> {
        self.change(MergeStaged { root, files }).await
    }

    /// A walk of a root saw everything there is, of the root or of some of its parts. Of uploads that were lost with their
    /// master or their slave, and of which it told nothing, nothing is left. Copies that it did not see are missing, unless
    /// something happened to them since it began; where those are too many to be believed, the root is held instead.
    /// On a shared root they were moved or removed by others, and so they are in the tree.
    pub async fn walked(
        &self,
        root: RootId,
        slave: &SlaveId,
        walk: SawAll,
    ) -> Result<Concluded, VfsError> {
        let mut concluded = Concluded::default();
        let whole = walk.within == Within::All;
        let forget = |limit| ForgetDifferences { root, limit };
        while whole && self.change(forget(FORGET_AT_ONCE)).await? == FORGET_AT_ONCE {}
        let mut walk = walk;
        if let (Some(saw), Within::Parts { gone, .. }) = (&mut walk.shared, &mut walk.within) {
            saw.keep_strays_from(gone);
        }
        let recovering = self.read(|sql, _| Ok(differences::recovering(sql)?))?;
        if walk.conclude && !recovering {
            let (since, seen, agreed) = (walk.since, walk.seen.sorted(), walk.agreed.sorted());
            let (within, agrees) = (walk.within, agreed.clone());
            let is_shared = walk.shared.is_some();
            let read = move |sql: &Sql<'_>| -> Result<_, VfsError> {
                let row = log::root(sql, root)?.ok_or(VfsError::UnknownRoot(root))?;
                let mut unseen = unseen(sql, row.key, since, &within, (&seen, &agrees))?;
                if is_shared {
                    let damaged = unseen_damaged(sql, row.key, since, &within, &seen)?;
                    unseen.missing.extend(damaged);
                }
                Ok((unseen, row.missing))
            };
            let (unseen, confirmed) = self.store.read_on(&self.blocking, read).await?;
            concluded = match walk.shared {
                Some(saw) => {
                    let walk = Believed {
                        root,
                        slave,
                        since,
                        agreed,
                        confirmed,
                    };
                    self.believe(walk, saw, unseen).await?
                }
                None => self.conclude(root, since, unseen, confirmed).await?,
            };
        }
        if whole && !concluded.held {
            let running = walk.running.into_iter().collect();
            self.change(Walked { root, running }).await?;
        }
        Ok(concluded)
    }

    async fn conclude(
        &self,
        root: RootId,
        since: OpSeq,
        unseen: Unseen,
        confirmed: u64,
    ) -> Result<Concluded, VfsError> {
        let mut concluded = Concluded {
            copies: unseen.copies,
            unsettled: unseen.unsettled,
            ..Concluded::default()
        };
        let missing = unseen.missing.len() as u64;
        if is_too_much(missing, confirmed, unseen.copies) {
            self.change(HoldRoot { root, missing }).await?;
            concluded.missing = missing;
            concluded.held = true;
            return Ok(concluded);
        }
        for nodes in unseen.missing.chunks(LOSE_AT_ONCE) {
            let nodes = nodes.to_vec();
            let lose = LoseCopies { root, since, nodes };
            let (missing, lost) = self.change(lose).await?;
            concluded.missing += missing;
            concluded.lost += lost;
        }
        Ok(concluded)
    }

    /// Some of what lies on disks and is not in the tree, behind one of it. `why`: that alone.
    pub async fn differences(
        &self,
        after: Option<Spot>,
        why: Option<Why>,
        most: usize,
    ) -> Result<Vec<Difference>, VfsError> {
        let read = move |sql: &Sql<'_>| Ok(differences::behind(sql, after.as_ref(), why, most)?);
        self.store.read_on(&self.blocking, read).await
    }

    /// How much lies on disks and is not in the tree.
    pub async fn count_differences(&self) -> Result<u64, VfsError> {
        let read = |sql: &Sql<'_>| Ok(differences::count(sql)?);
        self.store.read_on(&self.blocking, read).await
    }

    /// An operator decides what becomes of files with identities that this store never gave out. False when the site is
    /// not in recovery.
    pub async fn decide_recovery(&self, decision: Decision) -> Result<bool, VfsError> {
        if !self.read(|sql, _| Ok(differences::recovering(sql)?))? {
            return Ok(false);
        }
        self.change(DecideRecovery { decision }).await?;
        Ok(true)
    }

    /// An operator confirms that what a held root misses is gone: its next walk is believed. Answers how many copies
    /// that were; `None` when it is not held.
    pub async fn confirm_root(&self, root: RootId) -> Result<Option<u64>, VfsError> {
        self.change(ConfirmRoot { root }).await
    }
}
