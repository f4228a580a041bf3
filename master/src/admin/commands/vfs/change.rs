//! Single changes: `vfs mkdir`, `vfs mv`, `vfs rm`, `vfs ln`, `vfs touch`.

use std::fmt;

use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::FtpTime;
use serde::Serialize;

use super::super::super::{
    AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission,
};
use super::refused;
use crate::accounts::Action;
use crate::vfs::{self, Times, VfsError};

/// `vfs mkdir PATH`.
pub(in crate::admin) const MKDIR: Command = Command {
    name: "vfs mkdir",
    site: &["MKDIR"],
    params: &[Param::new("path", Kind::Path, "the directory to make")],
    about: "makes a directory",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(mkdir(cx, args)),
};

/// `vfs mv FROM TO`.
pub(in crate::admin) const MV: Command = Command {
    name: "vfs mv",
    site: &["MV", "RENAME"],
    params: &[
        Param::new("from", Kind::Path, "a file, a directory or a link"),
        Param::new(
            "to",
            Kind::Path,
            "its new name, or a directory to put it in",
        ),
    ],
    about: "renames or moves something, with all below it",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(mv(cx, args)),
};

/// `vfs rm PATH`.
pub(in crate::admin) const RM: Command = Command {
    name: "vfs rm",
    site: &["RM"],
    params: &[Param::new(
        "path",
        Kind::Path,
        "a file, a link, or a directory that is empty",
    )],
    about: "deletes one entry, as a client does; vfs wipe takes whole directories",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(rm(cx, args)),
};

/// `vfs ln TARGET NAME`.
pub(in crate::admin) const LN: Command = Command {
    name: "vfs ln",
    site: &["LINK"],
    params: &[
        Param::new("target", Kind::Path, "what it leads to; it must be there"),
        Param::new("name", Kind::Path, "the link to make"),
    ],
    about: "makes a link to a file or a directory",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(ln(cx, args)),
};

/// `vfs touch PATH [TIME]`.
pub(in crate::admin) const TOUCH: Command = Command {
    name: "vfs touch",
    site: &["TOUCH"],
    params: &[
        Param::new("path", Kind::Path, "a file or a directory"),
        Param::optional(
            "time",
            Kind::Text,
            "UTC, as 20260131120000; now where it is not said",
        ),
    ],
    about: "sets the time of modification",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(touch(cx, args)),
};

/// What was done with which path.
#[derive(Serialize)]
struct Done {
    path: String,
    #[serde(skip)]
    what: &'static str,
}

impl Done {
    fn answer(path: &VfsPath, what: &'static str) -> Outcome {
        let path = path.to_string();
        Answer::of(&Self { path, what })
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.what)
    }
}

async fn mkdir(cx: Cx, args: Args) -> Outcome {
    let path = args.path("path")?;
    let made = cx.view()?.make_dir(path, cx.makes_for()).await;
    made.map_err(|why| refused("path", why))?;
    Done::answer(path, "is made")
}

async fn mv(cx: Cx, args: Args) -> Outcome {
    let (from, to) = (args.path("from")?, args.path("to")?);
    let view = cx.view()?;
    let into = view.look(to, true).await.ok();
    let into = into.filter(|there| view.sees(&there.path));
    let is_dir = |entry: &vfs::Entry| entry.kind == vfs::Kind::Dir;
    let into = into.filter(|there| there.entry.as_ref().is_some_and(is_dir));
    let to = match (into, from.name()) {
        // In the directory that is there; a directory in itself is the file list's to refuse.
        (Some(there), Some(name)) if there.path != *from => {
            let inside = there.path.join(name.clone());
            inside.map_err(|why| refused("to", why))?
        }
        _ => to.clone(),
    };
    let moved = view.rename(from, &to, cx.who()).await;
    moved.map_err(|why| refused("from", why))?;
    Done::answer(&to, "is its name now")
}

async fn rm(cx: Cx, args: Args) -> Outcome {
    let path = args.path("path")?;
    let view = cx.view()?;
    let gone = match view.delete(path, cx.who()).await {
        Err(crate::rights::ViewError::Vfs(VfsError::IsDirectory(_))) => {
            view.remove_dir(path, cx.who()).await
        }
        gone => gone.map(drop),
    };
    gone.map_err(|why| refused("path", why))?;
    Done::answer(path, "is deleted")
}

async fn ln(cx: Cx, args: Args) -> Outcome {
    let (target, name) = (args.path("target")?, args.path("name")?);
    let view = cx.view()?;
    let there = view.target(target, Action::View).await;
    there.map_err(|why| refused("target", why))?;
    let place = view.new_place(name, Action::Upload).await;
    let (place, _) = place.map_err(|why| refused("name", why))?;
    let vfs = &cx.online()?.vfs;
    let to = target.to_bytes();
    let made = vfs.make_link(&place, &to, cx.makes_for()).await;
    made.map_err(|why| refused("name", why))?;
    Done::answer(&place, "is made")
}

async fn touch(cx: Cx, args: Args) -> Outcome {
    let path = args.path("path")?;
    let at = match args.text("time") {
        None => cx.of.clock.unix(),
        Some(text) => {
            let time = FtpTime::parse(text.as_bytes());
            time.map_err(|why| AdminError::argument("time", why))?
                .unix()
        }
    };
    let times = Times {
        modified: Some(at),
        created: None,
    };
    let set = cx.view()?.set_times(path, times).await;
    let there = set.map_err(|why| refused("path", why))?;
    Done::answer(&there.path, "has another time")
}
