//! Carrying out a root's log of operations.
//!
//! Each one may be done again at any time, also when a crash came in the middle of it, or when
//! those behind it were done before. It is answered when what it did is durable.

use drftpd_actors::failpoint;
use drftpd_protocol::ids::OpSeq;
use drftpd_protocol::wire::{Moved, Place, RootOp};

use super::error::{Doing, StorageError};
use super::open::check_depth;
use super::root::{Root, lock};
use super::tree::Work;

/// What became of several operations.
#[derive(Debug)]
pub struct Applied {
    /// Everything up to here is done and durable; `None` if nothing is.
    pub through: Option<OpSeq>,
    /// Operations that found something else than they should, for the log.
    pub remarks: Vec<(OpSeq, String)>,
    /// Why the one behind was not done. It is to be done again.
    pub error: Option<StorageError>,
}

impl Root {
    /// Carries out one operation; answers what it found that it should not have, for the log.
    ///
    /// # Errors
    /// Those of the disk, and a place that cannot be. The operation is to be done again.
    pub fn apply(&self, op: &RootOp) -> Result<Option<String>, StorageError> {
        let live = self.writable()?;
        let _alone = lock(&self.0.tree);
        let mut work = Work::new(self, &live);
        self.judge(work.apply(op))?;
        work.sync()?;
        Ok(work.take_remarks())
    }

    /// Carries out operations in their order up to the first that fails, and makes them durable
    /// together. On a full disk those that only take away come first: or what a user deletes to make
    /// room would wait behind what needs it.
    pub fn apply_all(&self, ops: &[(OpSeq, RootOp)]) -> Applied {
        let mut applied = Applied {
            through: None,
            remarks: Vec::new(),
            error: None,
        };
        let live = match self.writable() {
            Ok(live) => live,
            Err(error) => {
                applied.error = Some(error);
                return applied;
            }
        };
        let _alone = lock(&self.0.tree);
        let mut work = Work::new(self, &live);
        for (index, (at, op)) in ops.iter().enumerate() {
            let done = match self.judge(work.apply(op)) {
                Err(full) if full.is_full() => {
                    work.make_room(&ops[index + 1..]);
                    self.judge(work.apply(op))
                }
                done => done,
            };
            if let Err(error) = done {
                applied.error = Some(error);
                break;
            }
            applied.through = Some(*at);
            applied
                .remarks
                .extend(work.take_remarks().map(|remark| (*at, remark)));
        }
        let synced = work.sync();
        if let Err(error) = synced.and_then(|()| failpoint("operations.synced").doing("syncing")) {
            applied.through = None;
            applied.remarks.clear();
            applied.error = Some(error);
        }
        applied
    }
}

/// What the trash gives up for an operation on a full disk, which needs a directory at most.
const ROOM: u64 = 1 << 20;

impl Work<'_> {
    /// Empties the trash a little, and deletes what operations behind this one delete, which does no
    /// harm: each looks for its file by identity, and is done again in its turn.
    fn make_room(&mut self, behind: &[(OpSeq, RootOp)]) {
        self.root.make_room(self.live, ROOM);
        for (at, op) in behind {
            if matches!(op, RootOp::Delete { .. } | RootOp::DiscardStaged { .. })
                && let Err(error) = self.apply(op)
            {
                tracing::debug!(root = %self.root.id(), seq = %at, %error, "nothing deleted ahead");
            }
        }
        // They are told when it is their turn.
        drop(self.take_remarks());
    }

    fn apply(&mut self, op: &RootOp) -> Result<(), StorageError> {
        places(op).into_iter().flatten().try_for_each(check_depth)?;
        match op {
            RootOp::Publish { file, at } => self.publish(*file, at),
            RootOp::Delete { file, at } => self.delete(*file, at),
            RootOp::Move { what, from, to } => match what {
                Moved::File(file) => self.move_file(*file, from, to),
                Moved::Dir(dir) => self.move_dir(*dir, from, to),
            },
            RootOp::RemoveDir { dir, at } => self.remove_dir(*dir, at),
            RootOp::SetTime { file, at, modified } => self.set_time(*file, at, *modified),
            RootOp::Identify { file, at, size } => self.identify(*file, at, *size),
            RootOp::KeepBeside {
                file,
                from,
                to,
                size,
            } => self.keep_beside(*file, from, to, *size),
            RootOp::SetAside { file, at } => self.set_aside_file(*file, at),
            RootOp::SetAsideStaged { file } => self.set_aside_staged(*file),
            RootOp::Disown { what, at } => self.disown(*what, at),
            RootOp::DiscardStaged { file } => {
                if self.root.discard_in(self.live, *file)? {
                    self.touched(self.staging())?;
                }
                Ok(())
            }
        }
    }
}

fn places(op: &RootOp) -> [Option<&Place>; 2] {
    match op {
        RootOp::Publish { at, .. }
        | RootOp::Delete { at, .. }
        | RootOp::RemoveDir { at, .. }
        | RootOp::SetTime { at, .. }
        | RootOp::Identify { at, .. }
        | RootOp::Disown { at, .. }
        | RootOp::SetAside { at, .. } => [Some(at), None],
        RootOp::Move { from, to, .. } | RootOp::KeepBeside { from, to, .. } => {
            [Some(from), Some(to)]
        }
        RootOp::DiscardStaged { .. } | RootOp::SetAsideStaged { .. } => [None, None],
    }
}
