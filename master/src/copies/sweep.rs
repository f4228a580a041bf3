//! Looking through the whole file list for files with too few copies: what no event has told, because a rule is new or a
//! root was retired.

use std::sync::Arc;
use std::time::Duration;

use drftpd_protocol::NodeId;
use tokio::time::sleep;

use super::config::CopiesConfig;
use crate::vfs::{VfsClient, VfsError};

/// Files that are read in one piece.
const PAGE: usize = 1000;
/// Between two pieces: clients come first.
const PAUSE: Duration = Duration::from_millis(20);

/// Puts all of them into the queue; answers how many.
pub async fn sweep(vfs: VfsClient, rules: Arc<CopiesConfig>) -> Result<usize, VfsError> {
    let (mut after, mut found) = (NodeId(0), 0);
    loop {
        let (few, last) = vfs.too_few_copies(&rules, after, PAGE).await?;
        found += few.len();
        if !few.is_empty() {
            vfs.want_copies(few).await?;
        }
        let Some(last) = last else {
            return Ok(found);
        };
        after = last;
        sleep(PAUSE).await;
    }
}
