//! `vfs wipe`: a directory with everything in it.

use std::fmt;

use serde::Serialize;

use super::super::super::{
    AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission,
};
use super::super::table;
use super::refused;
use crate::accounts::Action;
use crate::extend::Act;
use crate::rights::ViewError;
use crate::vfs::{self, Wiped};

/// `vfs wipe [-r] PATH`.
pub(in crate::admin) const WIPE: Command = Command {
    name: "vfs wipe",
    site: &["WIPE"],
    params: &[
        Param::new("path", Kind::Path, "a file, a link or a directory"),
        Param::named(
            "recursive",
            Kind::Switch,
            "confirms that a directory goes with everything in it",
        ),
    ],
    about: "deletes an entry, a directory with everything in it, without taking credits back",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(wipe(cx, args)),
};

#[derive(Serialize)]
struct Gone {
    path: String,
    files: u64,
    bytes: u64,
    directories: u64,
    links: u64,
}

async fn wipe(cx: Cx, args: Args) -> Outcome {
    let path = args.path("path")?;
    let view = cx.view()?;
    let there = view.place(path, Action::Delete).await;
    let there = there.map_err(|why| refused("path", why))?;
    let vfs = &cx.online()?.vfs;
    if there.entry.kind == vfs::Kind::Dir {
        if !args.said("recursive") {
            let page = vfs.list(there.entry.id, None, 1).await;
            let page = page.map_err(|why| refused("path", why))?;
            if !page.entries.is_empty() {
                let why = "is a directory that is not empty: say -r (recursive) to delete it with everything in it";
                return Err(AdminError {
                    code: Code::Failed,
                    ..AdminError::argument("path", why)
                });
            }
        }
        // Nobody would judge each of them: where lines tell one from another, it is not done at all.
        if !view.deletes_all_below(&there.path) {
            return Err(refused("path", ViewError::Denied));
        }
    }
    let what = match there.entry.kind {
        vfs::Kind::Dir => Act::RemoveDir,
        _ => Act::Delete,
    };
    let passes = view.passes(what, &there.path, Some(&there.entry), None);
    passes.await.map_err(|why| refused("path", why))?;
    let wiped = vfs.wipe(&there.meant(), cx.who()).await;
    let Wiped {
        files,
        bytes,
        dirs,
        links,
        ..
    } = wiped.map_err(|why| refused("path", why))?;
    Answer::of(&Gone {
        path: there.path.to_string(),
        files,
        bytes,
        directories: dirs,
        links,
    })
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, size) = (self.files, table::size(self.bytes));
        write!(
            f,
            "{} is deleted: {files} files with {size}, {} directories, {} links",
            self.path, self.directories, self.links
        )
    }
}
