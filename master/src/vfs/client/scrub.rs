//! The door to reading copies again: passes, what they read, and what they found.

use std::time::Duration;

use drftpd_protocol::{FileId, NodeId, RootId};

use super::VfsClient;
use crate::vfs::commands::{BeginDuePasses, BeginPasses, EndPass, PauseScrub, TakeReadings};
use crate::vfs::error::VfsError;
use crate::vfs::scrub::{self, CopiesPage, Damaged, Finding, Pass, Reading, Scope, Stored};
use crate::vfs::tree::passes;

// What a point read finds is there at once; a store on other machines would be waited for.
#[allow(clippy::unused_async)]
impl VfsClient {
    /// All passes, under way or not, and whether all reading is paused.
    pub async fn passes(&self) -> Result<(Vec<Pass>, bool), VfsError> {
        self.read(|sql, _| Ok((passes::all(sql)?, scrub::is_paused(sql)?)))
    }

    /// What is to be read next of a root.
    pub async fn next_pass(&self, root: RootId) -> Result<Option<Pass>, VfsError> {
        self.read(|sql, _| Ok(passes::next(sql, root)?))
    }

    /// Whether a root is not known yet, or its pass has been due for `every`.
    pub async fn passes_are_due(&self, every: Duration, now: i64) -> Result<bool, VfsError> {
        let every = seconds(every);
        self.read(|sql, _| {
            let waits = |pass: &Pass| {
                let due = pass.began.saturating_add(every) <= now;
                !pass.runs && pass.below == NodeId::ROOT && due
            };
            Ok(!passes::unknown(sql)?.is_empty() || passes::all(sql)?.iter().any(waits))
        })
    }

    /// Begins the passes that are due; see [`Self::passes_are_due`].
    pub async fn begin_due_passes(&self, every: Duration) -> Result<usize, VfsError> {
        let every = seconds(every);
        self.change(BeginDuePasses { every }).await
    }

    /// Begins passes now; answers how many of them are under way.
    pub async fn begin_passes(&self, scope: Scope) -> Result<usize, VfsError> {
        self.change(BeginPasses { scope }).await
    }

    /// Copies of a pass, some at a time.
    pub async fn copies_behind(&self, pass: &Pass, limit: usize) -> Result<CopiesPage, VfsError> {
        let (root, range) = (pass.root, (pass.below, pass.at));
        self.read_on_disk(move |sql| scrub::copies_behind(sql, root, range, limit))
            .await
    }

    /// A copy as it is now.
    pub async fn stored_copy(
        &self,
        root: RootId,
        node: NodeId,
    ) -> Result<Option<Stored>, VfsError> {
        self.read(|sql, _| scrub::stored_copy(sql, root, node))
    }

    /// What a pass has read, up to a file; answers what is damaged.
    pub async fn take_readings(
        &self,
        pass: &Pass,
        readings: Vec<(FileId, Reading)>,
        at: NodeId,
    ) -> Result<Vec<Damaged>, VfsError> {
        let (root, below) = (pass.root, pass.below);
        self.change(TakeReadings {
            root,
            below,
            readings,
            at,
        })
        .await
    }

    /// A pass has read everything.
    pub async fn end_pass(&self, pass: &Pass) -> Result<(), VfsError> {
        let (root, below) = (pass.root, pass.below);
        self.change(EndPass { root, below }).await
    }

    /// Pauses all reading, or lets it go on; that is remembered.
    pub async fn pause_scrub(&self, paused: bool) -> Result<(), VfsError> {
        self.change(PauseScrub { paused }).await
    }

    /// The newest findings, and how many there are.
    pub async fn scrub_findings(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Finding>, VfsError> {
        self.read_on_disk(move |sql| Ok(passes::findings(sql, before, limit)?))
            .await
    }

    /// How many copies were found to be damaged, and are not forgotten yet.
    pub async fn count_scrub_findings(&self) -> Result<u64, VfsError> {
        self.read_on_disk(|sql| Ok(passes::count_findings(sql)?))
            .await
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
