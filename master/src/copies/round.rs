//! One look at the queue: what each file needs that is due, and what of that is begun now.

use std::collections::BTreeSet;

use drftpd_protocol::NodeId;
use tracing::info;

use super::actor::CopiesDeps;
use super::config::CopyRule;
use super::look::{Look, look, mend};
use super::order::Order;
use super::sweep::age;
use crate::slaves::SlaveViews;
use crate::vfs::{Copied, CopyJob, VfsError};

/// Files that are looked at in one go.
const AT_ONCE: usize = 256;

/// What one look at the queue has found.
#[derive(Default)]
pub struct Round {
    pub begin: Vec<(CopyJob, Order)>,
    pub done: Vec<CopyJob>,
    pub later: Vec<CopyJob>,
    /// There may be more that is due.
    pub more: bool,
    pub next_due: Option<i64>,
}

/// A job that failed once more, to be looked at again after a while.
pub fn put_off(deps: &CopiesDeps, job: &CopyJob, why: impl ToString, now: i64) -> CopyJob {
    let tries = job.tries.saturating_add(1);
    let wait = deps.config.retry_after(tries).as_secs();
    CopyJob {
        due: now.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX)),
        tries,
        why: Some(why.to_string()),
        ..job.clone()
    }
}

/// What a file needs: damaged copies are repaired first, then there are as many as a rule says.
fn needs(rule: Option<&CopyRule>, copied: &Copied, views: &SlaveViews) -> Look {
    let mended = mend(&copied.damaged, &copied.holders, views);
    if matches!(mended, Look::Copy { .. }) {
        return mended;
    }
    let looked = match rule {
        Some(rule) => look(rule, &copied.holders, views),
        // Nobody asks for what nobody has.
        None if copied.holders.is_empty() => Look::Enough,
        None => look(&CopyRule::none(), &copied.holders, views),
    };
    match looked {
        Look::Enough => mended,
        other => other,
    }
}

/// Looks at what is due, until as many copies as there is room for are found; settles the rest.
pub async fn round(
    deps: &CopiesDeps,
    running: &BTreeSet<NodeId>,
    room: usize,
    now: i64,
) -> Result<Round, VfsError> {
    let vfs = &deps.maker.vfs;
    let due = vfs.copies_due(now, AT_ONCE).await?;
    let mut round = Round {
        more: due.len() == AT_ONCE,
        ..Round::default()
    };
    let views = deps.maker.slaves.views().borrow().clone();
    for job in due.into_iter().filter(|job| !running.contains(&job.node)) {
        if round.begin.len() == room {
            round.more = true;
            break;
        }
        let Some(copied) = vfs.copied(job.node).await? else {
            round.done.push(job);
            continue;
        };
        let since = copied.entry.created.max(copied.entry.modified);
        let rule = deps.config.rule(&copied.path, age(since, now));
        match needs(rule, &copied, &views) {
            Look::Enough => round.done.push(job),
            Look::Remove(root) => {
                let (file, least) = (copied.entry.file(), rule.map_or(1, |rule| rule.copies));
                let removed = vfs.remove_copy(file, root, least).await?;
                info!(path = %copied.path, %root, removed, "a file has a copy too many");
                // Looked at once more: there may be another one.
                round.more = true;
                if !removed {
                    let why = "it has a copy too many";
                    round.later.push(put_off(deps, &job, why, now));
                }
            }
            Look::Copy { from, to } => {
                let order = Order {
                    copied,
                    from,
                    to,
                    kept: None,
                };
                round.begin.push((job, order));
            }
            Look::Wait(why) => round.later.push(put_off(deps, &job, why, now)),
        }
    }
    if !round.done.is_empty() || !round.later.is_empty() {
        vfs.settle_copies(round.done.clone(), round.later.clone())
            .await?;
    }
    round.next_due = vfs.next_copy_due(now).await?;
    Ok(round)
}
