//! What a client hears whose upload is there already: whose it is, and after `SITE XDUPE` which other names of that
//! directory it need not try either.
//!
//! Told is only what the user may see, and of a long directory only its beginning: the answer is as cheap for a
//! client that tries a thousand names as for one that tries one.

use drftpd_protocol::ftp::{Reply, XDupe};
use drftpd_protocol::{Name, VfsPath};

use super::listing::PAGE;
use super::plans;
use crate::accounts::Action;
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::vfs::{Entry, FileState, Kind, UploadMode, VfsError};

/// Pages of a directory that are looked through for names.
const PAGES: usize = 4;

/// The refusal of an upload to a name that is taken.
pub async fn refusal(cx: &VerbCx, path: &VfsPath, there: &Entry) -> FtpError {
    let reply = Reply::new(553, format!("File exists, uploaded by {}", there.owner));
    let mode = cx.state.xdupe;
    if mode == XDupe::Off {
        return FtpError::Said(reply);
    }
    match names(cx, path, there).await {
        Ok(names) => {
            let lines = mode.lines(names.iter().map(Name::as_bytes));
            FtpError::Said(reply.comments(lines))
        }
        // The refusal does not depend on it.
        Err(why) => {
            tracing::debug!(%why, "names for x-dupe are missing");
            FtpError::Said(reply)
        }
    }
}

/// Whether an upload that met another one is a dupe: what may not be overwritten when it is there need not be waited for,
/// not even by its uploader.
pub async fn instead(cx: &VerbCx, path: &VfsPath, mode: UploadMode, why: FtpError) -> FtpError {
    let met = matches!(why, FtpError::Vfs(VfsError::Busy(_) | VfsError::Exists(_)));
    if !met || mode != UploadMode::Store || cx.may(Action::Overwrite, path).is_ok() {
        return why;
    }
    match cx.services.vfs.stat(path).await {
        // Whose it is, and that it is there at all, its uploader alone may know.
        Ok(there) if cx.may_with(Action::View, path, &there).is_err() => why,
        Ok(there) if cx.may_with(Action::Overwrite, path, &there).is_err() => {
            refusal(cx, path, &there).await
        }
        _ => why,
    }
}

/// Looks once more when an upload has begun: somebody else's may have been completed since it was judged, and it would
/// overwrite that.
///
/// # Errors
/// The refusal; whoever hears it gives the upload up.
pub async fn still_new(cx: &VerbCx, path: &VfsPath, mode: UploadMode) -> Result<(), FtpError> {
    if mode != UploadMode::Store || cx.may(Action::Overwrite, path).is_ok() {
        return Ok(());
    }
    match cx.services.vfs.stat(path).await {
        Ok(there)
            if there.state == FileState::Complete
                && cx.may_with(Action::Overwrite, path, &there).is_err() =>
        {
            Err(refusal(cx, path, &there).await)
        }
        _ => Ok(()),
    }
}

/// Names that would be refused as well, that one first.
async fn names(cx: &VerbCx, path: &VfsPath, there: &Entry) -> Result<Vec<Name>, VfsError> {
    let mut names: Vec<Name> = path.name().cloned().into_iter().collect();
    let directory = path.parent().unwrap_or_default();
    let mut after = None;
    for _ in 0..PAGES {
        let page = cx.services.vfs.list(there.parent, after, PAGE).await?;
        let others = page.entries.iter().filter(|entry| entry.id != there.id);
        let dupes = others.filter(|entry| is_dupe(cx, &directory, entry));
        names.extend(dupes.filter_map(|entry| entry.name.clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(names)
}

/// Whether the user sees it and could not send it.
fn is_dupe(cx: &VerbCx, directory: &VfsPath, entry: &Entry) -> bool {
    let (Some(name), Kind::File, Ok(account)) = (&entry.name, entry.kind, cx.account()) else {
        return false;
    };
    let Ok(path) = directory.join(name.clone()) else {
        return false;
    };
    let action = match entry.state {
        FileState::Uploading => Action::Overwrite,
        _ => plans::what_it_is(UploadMode::Store, Some(entry), &account.name),
    };
    cx.may_with(Action::View, &path, entry).is_ok() && cx.may_with(action, &path, entry).is_err()
}
