//! Entries of the tree: SIZE MDTM MFMT MKD RMD DELE RNFR RNTO.

use drftpd_protocol::ftp::reply::{Reply, Text};
use drftpd_protocol::ftp::{FtpTime, args};

use super::{Arg, Change, Done, Feat, Verb, VerbResult};
use crate::accounts::Action;
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::vfs::{Kind, VfsError};

/// `SIZE` (RFC 3659, section 4): bytes of a file, as many as are there by now if it is being uploaded.
pub(super) const SIZE: Verb = Verb {
    name: "SIZE",
    syntax: "SIZE <SP> pathname",
    feat: Feat::Line("SIZE"),
    run: |cx, arg| Box::pin(size(cx, arg)),
    ..Verb::PLAIN
};

async fn size(cx: VerbCx, arg: Arg) -> VerbResult {
    let path = cx.path(arg.path()?)?;
    let resolved = cx.target(&path, Action::View).await?;
    let entry = cx.services.vfs.stat(&resolved).await?;
    match entry.kind {
        Kind::File => Ok(Reply::new(213, entry.size.to_string()).into()),
        Kind::Dir | Kind::Link => Err(VfsError::IsDirectory(resolved).into()),
    }
}

/// `MDTM` (RFC 3659, section 3), and its old use with a time in front, which sets it.
pub(super) const MDTM: Verb = Verb {
    name: "MDTM",
    syntax: "MDTM <SP> pathname",
    feat: Feat::Line("MDTM"),
    run: |cx, arg| Box::pin(mdtm(cx, arg)),
    ..Verb::PLAIN
};

async fn mdtm(cx: VerbCx, arg: Arg) -> VerbResult {
    let shown = modified(&cx, arg.path()?).await;
    match (shown, args::timed_path(&arg)) {
        // A file that is called like a time and a path is meant itself.
        (Err(FtpError::Vfs(VfsError::NotFound(_))), Some((time, path))) => {
            set_modified(&cx, time, path).await?;
            Ok(Reply::new(213, time.to_string()).into())
        }
        (shown, _) => Ok(Reply::new(213, shown?.to_string()).into()),
    }
}

async fn modified(cx: &VerbCx, arg: &[u8]) -> Result<FtpTime, FtpError> {
    let resolved = cx.target(&cx.path(arg)?, Action::View).await?;
    let entry = cx.services.vfs.stat(&resolved).await?;
    Ok(FtpTime::from_unix(entry.modified))
}

/// `MFMT` (draft-somers-ftp-mfxx): sets the time of modification.
pub(super) const MFMT: Verb = Verb {
    name: "MFMT",
    syntax: "MFMT <SP> time <SP> pathname",
    feat: Feat::Line("MFMT"),
    run: |cx, arg| Box::pin(mfmt(cx, arg)),
    ..Verb::PLAIN
};

async fn mfmt(cx: VerbCx, arg: Arg) -> VerbResult {
    let (time, path) = args::mfmt(&arg)?;
    set_modified(&cx, time, path).await?;
    let fact = format!("Modify={time}; ");
    Ok(Reply::new(213, Text::concat(&[fact.as_bytes(), path])).into())
}

pub(super) async fn set_modified(cx: &VerbCx, time: FtpTime, path: &[u8]) -> Result<(), FtpError> {
    let resolved = cx.target(&cx.path(path)?, Action::SetTime).await?;
    let set = cx.services.vfs.set_modified(&resolved, time.unix());
    Ok(set.await?)
}

/// `MFCT` (draft-somers-ftp-mfxx): times of creation are not kept, so none can be set, and FEAT does not promise it.
/// What is not there or not allowed is said as for MFMT.
pub(super) const MFCT: Verb = Verb {
    name: "MFCT",
    syntax: "MFCT <SP> time <SP> pathname",
    run: |cx, arg| Box::pin(mfct(cx, arg)),
    ..Verb::PLAIN
};

async fn mfct(cx: VerbCx, arg: Arg) -> VerbResult {
    let (_, path) = args::mfmt(&arg)?;
    let resolved = cx.target(&cx.path(path)?, Action::SetTime).await?;
    cx.services.vfs.stat(&resolved).await?;
    Ok(Reply::new(
        504,
        "Times of creation are not kept here, MFMT sets the time of the last change",
    )
    .into())
}

/// `MKD` (RFC 959): answers the new directory's whole path.
pub(super) const MKD: Verb = Verb {
    name: "MKD",
    aliases: &["XMKD"],
    syntax: "MKD <SP> pathname",
    run: |cx, arg| Box::pin(mkd(cx, arg)),
    ..Verb::PLAIN
};

async fn mkd(cx: VerbCx, arg: Arg) -> VerbResult {
    let path = cx.path(arg.path()?)?;
    let place = cx.place(&path, Action::MakeDir).await?;
    cx.services.vfs.make_dir(&place, cx.owner()?).await?;
    Ok(Reply::path(&path.to_bytes(), "created").into())
}

/// `RMD` (RFC 959): only what is empty.
pub(super) const RMD: Verb = Verb {
    name: "RMD",
    aliases: &["XRMD"],
    syntax: "RMD <SP> pathname",
    run: |cx, arg| Box::pin(rmd(cx, arg)),
    ..Verb::PLAIN
};

async fn rmd(cx: VerbCx, arg: Arg) -> VerbResult {
    let path = cx.path(arg.path()?)?;
    let place = cx.place(&path, Action::RemoveDir).await?;
    cx.services.vfs.remove_dir(&place).await?;
    Ok(Reply::done("Directory removed").into())
}

/// `DELE` (RFC 959): a file, or a link and not what it leads to.
pub(super) const DELE: Verb = Verb {
    name: "DELE",
    syntax: "DELE <SP> pathname",
    run: |cx, arg| Box::pin(dele(cx, arg)),
    ..Verb::PLAIN
};

async fn dele(cx: VerbCx, arg: Arg) -> VerbResult {
    let path = cx.path(arg.path()?)?;
    let place = cx.place(&path, Action::Delete).await?;
    cx.services.vfs.delete(&place).await?;
    Ok(Reply::done("Deleted").into())
}

/// `RNFR` (RFC 959): what to rename; only the very next verb can say into what.
pub(super) const RNFR: Verb = Verb {
    name: "RNFR",
    syntax: "RNFR <SP> pathname",
    run: |cx, arg| Box::pin(rnfr(cx, arg)),
    ..Verb::PLAIN
};

async fn rnfr(cx: VerbCx, arg: Arg) -> VerbResult {
    let path = cx.path(arg.path()?)?;
    let place = cx.place(&path, Action::RenameFrom).await?;
    cx.services.vfs.stat_link(&place).await?;
    let reply = Reply::pending("Ready for the new name");
    Ok(Done::with(reply, Change::RenameFrom(place)))
}

/// `RNTO` (RFC 959). The new place is judged like any other; a file gives way only where it might be overwritten.
pub(super) const RNTO: Verb = Verb {
    name: "RNTO",
    syntax: "RNTO <SP> pathname",
    run: |cx, arg| Box::pin(rnto(cx, arg)),
    ..Verb::PLAIN
};

async fn rnto(cx: VerbCx, arg: Arg) -> VerbResult {
    let from = cx.state.rename_from.clone();
    let from = from.ok_or(FtpError::Sequence("Say RNFR first"))?;
    let path = cx.path(arg.path()?)?;
    let to = cx.place(&path, Action::RenameTo).await?;
    let replace = cx.may(Action::Overwrite, &to).is_ok();
    match cx.services.vfs.rename(&from, &to, replace).await {
        Err(VfsError::Exists(_)) => Err(FtpError::NameTaken),
        renamed => {
            renamed?;
            Ok(Reply::done("Renamed").into())
        }
    }
}
