//! Entries of the tree: SIZE MDTM MFMT MFCT MFF MKD RMD DELE RNFR RNTO.

use drftpd_protocol::ftp::args::NewTimes;
use drftpd_protocol::ftp::reply::{Reply, Text};
use drftpd_protocol::ftp::{FtpTime, args};

use super::{Arg, Change, Done, Feat, Verb, VerbResult};
use crate::accounts::Action;
use crate::events::DeleteLogged;
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::vfs::{Kind, Times, VfsError};

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
    let there = cx.target(&path, Action::View).await?;
    match there.entry.kind {
        Kind::File => Ok(Reply::new(213, there.entry.size.to_string()).into()),
        Kind::Dir | Kind::Link => Err(VfsError::IsDirectory(there.path).into()),
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
            set_times(&cx, NewTimes::modify(time), path).await?;
            Ok(Reply::new(213, time.to_string()).into())
        }
        (shown, _) => Ok(Reply::new(213, shown?.to_string()).into()),
    }
}

async fn modified(cx: &VerbCx, arg: &[u8]) -> Result<FtpTime, FtpError> {
    let there = cx.target(&cx.path(arg)?, Action::View).await?;
    Ok(FtpTime::from_unix(there.entry.modified))
}

/// `MFF` (draft-somers-ftp-mfxx): sets the times that it names.
pub(super) const MFF: Verb = Verb {
    name: "MFF",
    syntax: "MFF <SP> fact=value; <SP> pathname",
    feat: Feat::Line("MFF Create;Modify;"),
    run: |cx, arg| Box::pin(mff(cx, arg)),
    ..Verb::PLAIN
};

async fn mff(cx: VerbCx, arg: Arg) -> VerbResult {
    let (times, path) = args::mff(&arg)?;
    facts_set(&cx, times, path).await
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
    facts_set(&cx, NewTimes::modify(time), path).await
}

/// `MFCT` (draft-somers-ftp-mfxx): sets the time of creation.
pub(super) const MFCT: Verb = Verb {
    name: "MFCT",
    syntax: "MFCT <SP> time <SP> pathname",
    feat: Feat::Line("MFCT"),
    run: |cx, arg| Box::pin(mfct(cx, arg)),
    ..Verb::PLAIN
};

async fn mfct(cx: VerbCx, arg: Arg) -> VerbResult {
    let (time, path) = args::mfmt(&arg)?;
    let times = NewTimes {
        create: Some(time),
        modify: None,
    };
    facts_set(&cx, times, path).await
}

/// Sets times and names them as MFMT, MFCT and MFF answer: `213 Modify=…; path`.
async fn facts_set(cx: &VerbCx, times: NewTimes, path: &[u8]) -> VerbResult {
    set_times(cx, times, path).await?;
    let named = [("Modify", times.modify), ("Create", times.create)];
    let named = named
        .into_iter()
        .filter_map(|(fact, time)| Some((fact, time?)));
    let facts: String = named
        .map(|(fact, time)| format!("{fact}={time};"))
        .collect();
    let text = Text::concat(&[facts.as_bytes(), b" ", path]);
    Ok(Reply::new(213, text).into())
}

/// Sets times of an entry that the user may set times of.
pub(super) async fn set_times(cx: &VerbCx, times: NewTimes, path: &[u8]) -> Result<(), FtpError> {
    let times = Times {
        modified: times.modify.map(FtpTime::unix),
        created: times.create.map(FtpTime::unix),
    };
    cx.view()?.set_times(&cx.path(path)?, times).await?;
    Ok(())
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
    cx.view()?.make_dir(&path, cx.owner()?).await?;
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
    cx.view()?.remove_dir(&path, cx.who()).await?;
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
    let there = cx.view()?.delete(&path, cx.who()).await?;
    if there.kind == Kind::File {
        let account = cx.account()?;
        cx.services.bus.publish(DeleteLogged {
            user: account.name.clone(),
            client: cx.client(),
            bytes: there.size,
            path,
            at: cx.services.clock.unix(),
            anonymous: account.anonymous,
        });
    }
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
    let there = cx.view()?.place(&path, Action::Rename).await?;
    let reply = Reply::pending("Ready for the new name");
    Ok(Done::with(reply, Change::RenameFrom(there.path)))
}

/// `RNTO` (RFC 959). What RNFR named is judged again, it may be another one by now.
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
    cx.view()?.rename(&from, &path, cx.who()).await?;
    Ok(Reply::done("Renamed").into())
}
