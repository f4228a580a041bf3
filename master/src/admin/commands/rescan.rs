//! Looking at disks again: `rescan`.

use std::fmt;

use drftpd_protocol::RootId;
use serde::Serialize;

use super::super::{Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::vfs::refused;
use crate::accounts::Action;

/// `rescan PATH`.
pub(in crate::admin) const RESCAN: Command = Command {
    name: "rescan",
    site: &["RESCAN"],
    params: &[Param::new(
        "path",
        Kind::Path,
        "a file or a directory, whether the tree has it or only a disk",
    )],
    about: "walks what every disk has at and below a path, to find what was changed there by hand",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(rescan(cx, args)),
};

#[derive(Serialize)]
struct Rescanned {
    path: String,
    roots: Vec<RootId>,
}

/// Answered when it is ordered: what a walk finds is told by the log and by events.
async fn rescan(cx: Cx, args: Args) -> Outcome {
    let path = args.path("path")?;
    let view = cx.view()?;
    let seen = view.may(Action::View, path);
    seen.map_err(|why| refused("path", why))?;
    if view.look(path, true).await.is_ok() {
        let seen = view.spot(path, Action::View).await;
        seen.map_err(|why| refused("path", why))?;
    }
    let roots = cx.online()?.slaves.rescan(path);
    let path = path.to_string();
    Answer::of(&Rescanned { path, roots })
}

impl fmt::Display for Rescanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (roots, path) = (self.roots.len(), &self.path);
        write!(f, "{roots} roots are walked at and below {path}")
    }
}
