//! Files that a walk found where the file list has another of the same size: both are read, and
//! equal ones become a further copy. How two disks with the same content become one tree. Where no other root has the
//! file, its checksum says what the bytes should be.

use std::collections::BTreeSet;

use drftpd_protocol::wire::{Algorithm, Checksum, ChecksumDone};
use drftpd_protocol::{FileId, NodeId, OpSeq, RootId};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;
use tracing::debug;

use super::error::SlaveError;
use super::findings::Findings;
use super::link::LinkHandle;
use super::roots::RootCx;
use super::view::slave_of;
use crate::vfs::{Compare, VfsError};

/// Results that are told to the file list in one command at most.
const AT_ONCE: usize = 64;

/// What comparing came to.
#[derive(Default)]
pub(super) struct Compared {
    /// What it changed.
    pub found: Findings,
    /// Files of which the root has something else.
    pub others: BTreeSet<NodeId>,
    /// How many were found equal or not.
    pub judged: usize,
}

/// Compares what comes until nothing more can come.
pub(super) async fn run(
    cx: &RootCx,
    to_compare: mpsc::Receiver<Compare>,
) -> Result<Compared, VfsError> {
    let coming = stream::unfold(to_compare, async |mut coming| {
        Some((coming.recv().await?, coming))
    });
    let results = coming
        .map(|compare| judge(cx, compare))
        .buffer_unordered(cx.deps.config.compare_at_once.max(1))
        .filter_map(async |result| result)
        .ready_chunks(AT_ONCE);
    let mut results = std::pin::pin!(results);
    let mut sum = Compared::default();
    while let Some(compared) = results.next().await {
        let different = compared.iter().filter(|(_, equal)| !equal);
        sum.others
            .extend(different.map(|(compare, _)| compare.live.node));
        sum.judged += compared.len();
        let files = &cx.deps.files;
        let merged = files.merge_compared(cx.root, cx.slave(), compared).await?;
        sum.found.add(cx, &merged);
    }
    Ok(sum)
}

/// Whether both are equal; `None` when that cannot be found out now: a later walk tries again.
async fn judge(cx: &RootCx, compare: Compare) -> Option<(Compare, bool)> {
    let known = compare.crc32.filter(|_| compare.holders.is_empty());
    if let Some(crc32) = known {
        return against(cx, compare, crc32).await;
    }
    let (holder, root, after) = reachable(cx, &compare)?;
    let method = Algorithm::Blake3;
    let found = found(cx, &compare, method);
    let live = checksum(
        cx,
        &holder,
        (root, after),
        Some(compare.live),
        &compare,
        method,
    );
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

/// Whether what was found adds up to what it should.
async fn against(cx: &RootCx, compare: Compare, crc32: u32) -> Option<(Compare, bool)> {
    match found(cx, &compare, Algorithm::Crc32).await {
        Ok(found) if found.bytes == compare.size => {
            Some((compare, found.sum == crc32.to_be_bytes()))
        }
        found => {
            debug!(slave = %cx.slave(), root = %cx.root, file = %compare.live, found = ?found.err(),
                "a file could not be compared, a later walk tries again");
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

/// The checksum of what the walk has found.
async fn found(
    cx: &RootCx,
    compare: &Compare,
    method: Algorithm,
) -> Result<ChecksumDone, SlaveError> {
    let here = (cx.root, OpSeq::NONE);
    checksum(cx, &cx.handle, here, None, compare, method).await
}

async fn checksum(
    cx: &RootCx,
    slave: &LinkHandle,
    (root, after): (RootId, OpSeq),
    file: Option<FileId>,
    compare: &Compare,
    algorithm: Algorithm,
) -> Result<ChecksumDone, SlaveError> {
    let call = Checksum {
        root,
        file,
        at: compare.at.clone(),
        algorithm,
        offset: 0,
        length: None,
        after,
    };
    slave.call(&call, cx.deps.config.work_timeout).await
}
