//! Putting right what the tree says of itself: `vfs fix`, `vfs fix-links`.

use std::fmt;

use drftpd_protocol::VfsPath;
use serde::Serialize;

use super::super::super::{Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::refused;
use crate::accounts::Action;
use crate::vfs::Meant;
use crate::vfs::check::Checked;

/// Links that one call looks for.
const LINKS: usize = 10_000;

/// `vfs fix`.
pub(in crate::admin) const FIX: Command = Command {
    name: "vfs fix",
    site: &["FIXSIZE", "FIXSLAVECOUNT"],
    params: &[],
    about: "counts the totals of all directories, and what users and groups have, again and writes them right, then does what check does",
    permission: Permission::Operator,
    changes: true,
    run: |cx, _| Box::pin(fix(cx)),
};

/// `vfs fix-links [PATH]`.
pub(in crate::admin) const FIX_LINKS: Command = Command {
    name: "vfs fix-links",
    site: &["FIXLINKS"],
    params: &[
        Param::optional(
            "path",
            Kind::Path,
            "at and below which; the whole tree where it is not said",
        ),
        Param::named("dry", Kind::Switch, "only shows them"),
    ],
    about: "deletes links that lead nowhere",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(fix_links(cx, args)),
};

#[derive(Serialize)]
struct Fixed {
    /// Directories whose totals were wrong.
    fixed: u64,
    /// Users and groups that had other files than they were said to have.
    owners: u64,
    check: Checked,
}

async fn fix(cx: Cx) -> Outcome {
    let vfs = &cx.online()?.vfs;
    let fixed = vfs.fix_totals().await;
    let fixed = fixed.map_err(|why| refused("path", why))?;
    let owners = vfs.fix_owned().await;
    let owners = owners.map_err(|why| refused("path", why))?;
    let checked = vfs.check().await.map_err(|why| refused("path", why))?;
    let sees_all = cx.view()?.sees_all_below(&VfsPath::root());
    let check = checked.shown(sees_all);
    Answer::of(&Fixed {
        fixed,
        owners,
        check,
    })
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} directories had wrong totals", self.fixed)?;
        if self.owners > 0 {
            writeln!(f, "{} users and groups had other files", self.owners)?;
        }
        self.check.fmt(f)
    }
}

#[derive(Serialize)]
struct Links {
    links: Vec<String>,
    deleted: bool,
}

async fn fix_links(cx: Cx, args: Args) -> Outcome {
    let root = VfsPath::root();
    let view = cx.view()?;
    let there = view.place(args.maybe_path("path").unwrap_or(&root), Action::View);
    let there = there.await.map_err(|why| refused("path", why))?;
    let vfs = &cx.online()?.vfs;
    let found = vfs.dangling(&there.path, LINKS).await;
    let mut links = Vec::new();
    for (path, entry) in found.map_err(|why| refused("path", why))? {
        if view.may_with(Action::Delete, &path, &entry).is_err() {
            continue;
        }
        if !args.said("dry") {
            // Another one may stand there by now.
            let wiped = vfs.wipe(&Meant::judged(&path, &entry), cx.who()).await;
            wiped.map_err(|why| refused("path", why))?;
        }
        links.push(path.to_string());
    }
    let deleted = !args.said("dry");
    Answer::of(&Links { links, deleted })
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for link in &self.links {
            writeln!(f, "{link}")?;
        }
        let done = if self.deleted { "deleted" } else { "found" };
        write!(
            f,
            "{} links that lead nowhere were {done}",
            self.links.len()
        )
    }
}
