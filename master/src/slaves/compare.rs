//! Files that a walk found where the file list has another of the same size: both are read, and
//! equal ones become a further copy. How two disks with the same content become one tree.

use drftpd_protocol::wire::{Algorithm, Checksum, ChecksumDone};
use drftpd_protocol::{FileId, OpSeq, RootId};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;
use tracing::debug;

use super::error::SlaveError;
use super::link::LinkHandle;
use super::roots::RootCx;
use super::view::slave_of;
use crate::vfs::{Compare, Merged, VfsError};

/// Results that are told to the file list in one command at most.
const AT_ONCE: usize = 64;

/// Compares what comes until nothing more can come; answers what the results changed.
pub(super) async fn run(
    cx: &RootCx,
    to_compare: mpsc::Receiver<Compare>,
) -> Result<Merged, VfsError> {
    let coming = stream::unfold(to_compare, async |mut coming| {
        Some((coming.recv().await?, coming))
    });
    let results = coming
        .map(|compare| judge(cx, compare))
        .buffer_unordered(cx.deps.config.compare_at_once.max(1))
        .filter_map(async |result| result)
        .ready_chunks(AT_ONCE);
    let mut results = std::pin::pin!(results);
    let mut sum = Merged::default();
    while let Some(compared) = results.next().await {
        let files = &cx.deps.files;
        let merged = files.merge_compared(cx.root, cx.slave(), compared).await?;
        sum.adopted += merged.adopted;
        sum.kept_beside += merged.kept_beside;
        sum.set_aside += merged.set_aside;
    }
    Ok(sum)
}

/// Whether both are equal; `None` when that cannot be found out now: a later walk tries again.
async fn judge(cx: &RootCx, compare: Compare) -> Option<(Compare, bool)> {
    let (holder, root, after) = reachable(cx, &compare)?;
    let found = checksum(cx, &cx.handle, cx.root, None, &compare, OpSeq::NONE);
    let live = checksum(cx, &holder, root, Some(compare.live), &compare, after);
    match tokio::join!(found, live) {
        (Ok(found), Ok(live)) if found.bytes == compare.size && live.bytes == compare.size => {
            Some((compare, found.sum == live.sum))
        }
        (found, live) => {
            let (found, live) = (found.err(), live.err());
            debug!(slave = %cx.slave(), root = %cx.root, file = %compare.live, ?found, ?live,
                "two files could not be compared, a later walk tries again");
            None
        }
    }
}

/// A holder that is online, other than the root that is walked.
fn reachable(cx: &RootCx, compare: &Compare) -> Option<(LinkHandle, RootId, OpSeq)> {
    let views = cx.deps.views.borrow().clone();
    let links = cx.deps.links.borrow().clone();
    let others = compare.holders.iter().filter(|(root, _)| *root != cx.root);
    let mut online = others.filter_map(|(root, after)| {
        let slave = &slave_of(&views, *root)?.slave;
        Some((links.get(slave)?.clone(), *root, *after))
    });
    online.next()
}

async fn checksum(
    cx: &RootCx,
    slave: &LinkHandle,
    root: RootId,
    file: Option<FileId>,
    compare: &Compare,
    after: OpSeq,
) -> Result<ChecksumDone, SlaveError> {
    let call = Checksum {
        root,
        file,
        at: compare.at.clone(),
        algorithm: Algorithm::Blake3,
        offset: 0,
        length: None,
        after,
    };
    slave.call(&call, cx.deps.config.work_timeout).await
}
