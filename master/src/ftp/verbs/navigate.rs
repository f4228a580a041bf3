//! Where the user stands: CWD CDUP PWD.

use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::Reply;

use super::{Arg, Change, Done, Feat, Verb, VerbResult};
use crate::accounts::Action;
use crate::ftp::services::VerbCx;
use crate::vfs::{Kind, VfsError};

/// `CWD` (RFC 959). Paths are absolute or relative, with slashes, which is what TVFS (RFC 3659) promises.
pub(super) const CWD: Verb = Verb {
    name: "CWD",
    aliases: &["XCWD"],
    syntax: "CWD <SP> pathname",
    feat: Feat::Line("TVFS"),
    run: |cx, arg| Box::pin(cwd(cx, arg)),
    ..Verb::PLAIN
};

async fn cwd(cx: VerbCx, arg: Arg) -> VerbResult {
    let path = cx.path(arg.path()?)?;
    go(cx, path).await
}

/// `CDUP` (RFC 959): `CWD ..`, and nothing at the root.
pub(super) const CDUP: Verb = Verb {
    name: "CDUP",
    aliases: &["XCUP"],
    syntax: "CDUP",
    run: |cx, _| Box::pin(cdup(cx)),
    ..Verb::PLAIN
};

async fn cdup(cx: VerbCx) -> VerbResult {
    let above = cx.state.cwd.parent().unwrap_or_default();
    go(cx, above).await
}

async fn go(cx: VerbCx, path: VfsPath) -> VerbResult {
    let there = cx.target(&path, Action::View).await?;
    if there.entry.kind != Kind::Dir {
        return Err(VfsError::NotADirectory(there.path).into());
    }
    let reply = cx.entered(&path, &there.path);
    Ok(Done::with(reply, Change::Cwd(path)))
}

/// `PWD` (RFC 959, quoted as its appendix II wants).
pub(super) const PWD: Verb = Verb {
    name: "PWD",
    aliases: &["XPWD"],
    syntax: "PWD",
    run: |cx, _| {
        let reply = Reply::path(&cx.state.cwd.to_bytes(), "is the current directory");
        Box::pin(std::future::ready(Ok(reply.into())))
    },
    ..Verb::PLAIN
};
