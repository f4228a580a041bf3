//! What a transfer would be, and whether it may: the same for PRET, for PASV and for the transfer's own verb.

use std::time::Duration;

use drftpd_actors::AskError;
use drftpd_protocol::{RootId, VfsPath};
use tokio::time::{Instant, sleep};

use super::credit::{self, within_caps};
use super::dupes;
use crate::accounts::Action;
use crate::extend::Act;
use crate::ftp::error::FtpError;
use crate::ftp::guard::TransferGuard;
use crate::ftp::services::VerbCx;
use crate::rights::At;
use crate::slaves::slave_of;
use crate::transfer::{Direction, TransferError, Want};
use crate::vfs::{Entry, FileState, Looked, Readable, UploadMode, UploadPlan, VfsError};

/// How long a slave that is back may take to close an upload that somebody wants to go on with.
const TO_CLOSE: Duration = Duration::from_secs(3);
/// How often it is looked whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A download that is allowed.
#[derive(Debug)]
pub struct DownloadFrom {
    /// The file, resolved.
    pub path: VfsPath,
    /// What the file list says of it.
    pub readable: Readable,
}

/// An upload that is allowed.
#[derive(Debug)]
pub struct UploadTo {
    /// The file, resolved.
    pub path: VfsPath,
    /// How it treats what is there.
    pub mode: UploadMode,
    /// What the file list says of it.
    pub plan: UploadPlan,
}

/// Looks whether a file may be fetched.
///
/// # Errors
/// When it is not there, not complete, or not for this user.
pub async fn download(cx: &VerbCx, path: &VfsPath) -> Result<DownloadFrom, FtpError> {
    let At { path, .. } = cx.target(path, Action::Download).await?;
    let readable = cx.services.vfs.readable(&path).await?;
    if readable.entry.state == FileState::Uploading {
        let rules = cx.services.rights.rules();
        if rules.waits_for_uploads(cx.account()?, &path) {
            return Err(VfsError::Busy(path).into());
        }
    }
    within_caps(cx, &path, Direction::Download)?;
    // How much will be wanted is known when it begins: REST may come between.
    credit::suffice(cx, &path, readable.entry.size.min(1))?;
    let entry = Some(&readable.entry);
    cx.passes(Act::Download, &path, entry, None).await?;
    Ok(DownloadFrom { path, readable })
}

/// Looks whether a file may be sent.
///
/// # Errors
/// When the user may not, or the file list cannot take it.
pub async fn upload(cx: &VerbCx, path: &VfsPath, mode: UploadMode) -> Result<UploadTo, FtpError> {
    let Looked { path, entry, .. } = cx.look(path, true).await?;
    // Of what is hidden nothing is told, be it there or not.
    if cx.may(Action::View, &path).is_err() {
        cx.may(Action::Upload, &path)?;
    } else if let Err(in_the_way) = cx.view()?.may_meet(&path, entry.as_ref()) {
        cx.may(Action::Upload, &path)?;
        return Err(in_the_way.into());
    }
    let plan = match planned(cx, &path, mode).await {
        Ok(plan) => plan,
        Err(why) => {
            // Nobody learns what is there by trying.
            cx.may(Action::Upload, &path)?;
            return Err(dupes::instead(cx, &path, mode, why.into()).await);
        }
    };
    let there = plan.existing.as_ref();
    judge(cx, &path, mode, there).await?;
    cx.passes(Act::Upload, &path, there, None).await?;
    within_caps(cx, &path, Direction::Upload)?;
    Ok(UploadTo { path, mode, plan })
}

/// What the file list says of an upload. One that broke off with its slave's link is closed as soon as the slave is
/// back, which takes it a moment: whoever comes to go on with it waits that long.
async fn planned(cx: &VerbCx, path: &VfsPath, mode: UploadMode) -> Result<UploadPlan, VfsError> {
    let until = Instant::now() + TO_CLOSE;
    loop {
        let plan = cx.services.vfs.plan_upload(path, mode).await;
        let Err(VfsError::Closing { root, .. }) = &plan else {
            return plan;
        };
        let views = cx.services.slaves.views();
        let is_back = slave_of(&views.borrow(), *root).is_some();
        if !is_back || Instant::now() >= until {
            return plan;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Whether the user may send to there, in the light of what is there.
async fn judge(
    cx: &VerbCx,
    path: &VfsPath,
    mode: UploadMode,
    there: Option<&Entry>,
) -> Result<(), FtpError> {
    let action = what_it_is(mode, there, &cx.account()?.name);
    let Some(there) = there else {
        return cx.may(action, path);
    };
    match cx.may_with(action, path, there) {
        Err(FtpError::Denied) if action == Action::Overwrite => {
            Err(dupes::refusal(cx, path, there).await)
        }
        judged => judged,
    }
}

/// Which right an upload takes. What is left of a user's own upload that broke off is in nobody's way.
pub(super) fn what_it_is(mode: UploadMode, existing: Option<&Entry>, user: &str) -> Action {
    match (mode, existing) {
        (_, None) => Action::Upload,
        (UploadMode::Resume { .. } | UploadMode::Append, Some(_)) => Action::Resume,
        (UploadMode::Store, Some(there))
            if there.state != FileState::Complete && there.owner == user =>
        {
            Action::Upload
        }
        (UploadMode::Store, Some(_)) => Action::Overwrite,
    }
}

/// The mode that a STOR has after a REST.
pub fn store_mode(rest: Option<u64>) -> UploadMode {
    match rest {
        Some(offset) if offset > 0 => UploadMode::Resume { offset },
        _ => UploadMode::Store,
    }
}

impl DownloadFrom {
    /// The roots with the file that some slave shows now.
    ///
    /// # Errors
    /// [`TransferError::NoSlave`] where there is none.
    pub fn present(&self, cx: &VerbCx) -> Result<Vec<RootId>, TransferError> {
        let views = cx.services.slaves.views();
        let views = views.borrow();
        let holders = self.readable.holders.iter().map(|(root, _)| *root);
        let present: Vec<_> = holders
            .filter(|root| slave_of(&views, *root).is_some())
            .collect();
        if present.is_empty() {
            return Err(TransferError::NoSlave {
                direction: Direction::Download,
                path: self.path.clone(),
                why: "no root with the file is present".to_owned(),
            });
        }
        Ok(present)
    }

    /// Holds a slot on one of these roots.
    ///
    /// # Errors
    /// What the coordinator says.
    pub async fn hold(
        &self,
        cx: &VerbCx,
        roots: Vec<RootId>,
    ) -> Result<TransferGuard, TransferError> {
        let want = want(cx, &self.path, Direction::Download, Some(roots), 0);
        hold(cx, want.await).await
    }
}

impl UploadTo {
    /// Holds a slot where the file can go.
    ///
    /// # Errors
    /// What the coordinator says.
    pub async fn hold(&self, cx: &VerbCx) -> Result<TransferGuard, TransferError> {
        let (bytes, roots) = (cx.state.expected.unwrap_or(0), self.plan.only_roots.clone());
        let want = want(cx, &self.path, Direction::Upload, roots, bytes);
        hold(cx, want.await).await
    }

    /// Holds a slot for an announced upload. A REST may still follow, so the slot is where the bytes lie that are
    /// there, if it can be.
    ///
    /// # Errors
    /// What the coordinator says.
    pub async fn hold_early(&self, cx: &VerbCx) -> Result<TransferGuard, FtpError> {
        if self.plan.existing.is_some() && self.plan.only_roots.is_none() {
            let appended = planned(cx, &self.path, UploadMode::Append);
            let roots = appended.await.ok().and_then(|plan| plan.only_roots);
            let bytes = cx.state.expected.unwrap_or(0);
            if roots.is_some()
                && let want = want(cx, &self.path, Direction::Upload, roots, bytes).await
                && let Ok(there) = hold(cx, want).await
            {
                return Ok(there);
            }
        }
        Ok(self.hold(cx).await?)
    }
}

async fn want(
    cx: &VerbCx,
    path: &VfsPath,
    direction: Direction,
    roots: Option<Vec<RootId>>,
    bytes: u64,
) -> Want {
    let wanted = cx.services.transfers.wants_siblings(direction);
    Want {
        session: cx.session,
        path: path.clone(),
        direction,
        roots,
        bytes,
        client: cx.client(),
        siblings: cx.services.vfs.siblings(path, wanted).await,
    }
}

/// Cut in the middle, the slot is freed when it comes.
async fn hold(cx: &VerbCx, want: Want) -> Result<TransferGuard, TransferError> {
    let (services, cleanup) = (cx.services.clone(), cx.cleanup.clone());
    let hold = async move {
        let slot = services.transfers.hold(want).await?;
        Ok(TransferGuard::new(&services, &cleanup, slot))
    };
    let held = cx.cleanup.uncut(hold).await;
    held.unwrap_or(Err(TransferError::Ask(AskError::Gone)))
}

#[cfg(test)]
mod tests {
    use drftpd_protocol::{Generation, NodeId};

    use super::*;
    use crate::vfs::Kind;

    fn entry(state: FileState, owner: &str) -> Entry {
        Entry {
            id: NodeId(2),
            parent: NodeId::ROOT,
            name: None,
            kind: Kind::File,
            owner: owner.to_owned(),
            group: String::new(),
            mode: 0o644,
            modified: 0,
            created: 0,
            size: 1,
            files: 1,
            generation: Generation(1),
            crc32: None,
            blake3: None,
            state,
            target: None,
        }
    }

    #[test]
    fn the_right_that_an_upload_takes_depends_on_what_is_there() {
        let complete = entry(FileState::Complete, "bob");
        let own = entry(FileState::Partial, "bob");
        let foreign = entry(FileState::Partial, "eve");
        let resume = UploadMode::Resume { offset: 1 };
        for (mode, there, want) in [
            (UploadMode::Store, None, Action::Upload),
            (UploadMode::Append, None, Action::Upload),
            (UploadMode::Store, Some(&complete), Action::Overwrite),
            (UploadMode::Store, Some(&own), Action::Upload),
            (UploadMode::Store, Some(&foreign), Action::Overwrite),
            (resume, Some(&complete), Action::Resume),
            (UploadMode::Append, Some(&foreign), Action::Resume),
        ] {
            assert_eq!(what_it_is(mode, there, "bob"), want, "{mode:?} {there:?}");
        }
    }

    #[test]
    fn rest_makes_a_store_go_on_unless_it_is_at_the_beginning() {
        assert_eq!(store_mode(None), UploadMode::Store);
        assert_eq!(store_mode(Some(0)), UploadMode::Store);
        assert_eq!(store_mode(Some(7)), UploadMode::Resume { offset: 7 });
    }
}
