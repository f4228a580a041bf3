//! Looking through the whole file list for files whose copies are not as they should be: what no event has told, because a
//! rule is new, a file has become old enough for one, a directory has moved, or a slave is evacuated.

use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::Clock;
use drftpd_protocol::NodeId;
use tokio::time::sleep;

use super::config::{CopiesConfig, CopyRule};
use super::look::{Look, look};
use crate::slaves::SlavesClient;
use crate::vfs::{Held, VfsClient, VfsError};

/// Files that are read in one piece.
const PAGE: u32 = 1000;
/// Between two pieces: clients come first.
const PAUSE: Duration = Duration::from_millis(20);

/// One look through all.
pub struct Sweep {
    pub vfs: VfsClient,
    pub slaves: SlavesClient,
    pub rules: Arc<CopiesConfig>,
    pub clock: Clock,
}

impl Sweep {
    /// Puts all of them into the queue; answers how many.
    pub async fn run(self) -> Result<usize, VfsError> {
        let (mut after, mut found) = (NodeId(0), 0);
        if self.rules.rules.is_empty() && !self.vfs.is_evacuating().await? {
            return Ok(0);
        }
        loop {
            let (files, last) = self.vfs.held(after, PAGE).await?;
            let wrong = self.not_as_they_should_be(&files);
            found += wrong.len();
            if !wrong.is_empty() {
                self.vfs.want_copies(wrong).await?;
            }
            let Some(last) = last else {
                return Ok(found);
            };
            after = last;
            sleep(PAUSE).await;
        }
    }

    fn not_as_they_should_be(&self, files: &[Held]) -> Vec<NodeId> {
        let (views, now) = (self.slaves.views().borrow().clone(), self.clock.unix());
        let none = CopyRule::none();
        let wrong = |file: &&Held| {
            // Of a file without a good copy none can be made.
            let rule = self.rules.rule(&file.directory, age(file.since, now));
            let rule = rule.unwrap_or(&none);
            !file.holders.is_empty() && look(rule, &file.holders, &views) != Look::Enough
        };
        files.iter().filter(wrong).map(|file| file.node).collect()
    }
}

/// How long something has been as it is.
pub fn age(since: i64, now: i64) -> Duration {
    Duration::from_secs(u64::try_from(now.saturating_sub(since)).unwrap_or(0))
}
