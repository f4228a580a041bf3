//! Files without a copy, and what lies on disks that users do not see: `vfs lost`, `vfs foreign`.

use std::fmt;

use drftpd_protocol::{RootId, VfsPath};
use serde::Serialize;

use super::super::super::page::{AFTER, LIMIT, Wanted};
use super::super::super::{Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::super::table;
use super::refused;
use crate::accounts::Action;
use crate::vfs::{Spot, Why};

/// Paths that are shown.
const MOST: usize = 1000;
/// Differences that are read at once.
const PART: usize = 1000;

const BELOW: Param = Param::optional(
    "path",
    Kind::Path,
    "at and below which; the whole tree where it is not said",
);

/// `vfs lost [PATH]`.
pub(in crate::admin) const LOST: Command = Command {
    name: "vfs lost",
    site: &["LOST"],
    params: &[BELOW],
    about: "shows files of which no copy is left on any disk that may come back",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(lost(cx, args)),
};

/// `vfs foreign [PATH]`.
pub(in crate::admin) const FOREIGN: Command = Command {
    name: "vfs foreign",
    site: &["FOREIGN"],
    params: &[BELOW, LIMIT, AFTER],
    about: "shows files in quarantine: put on disks by others, and not in the tree",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(foreign(cx, args)),
};

#[derive(Serialize)]
struct LostFiles {
    paths: Vec<String>,
    /// How many there are; not where the caller does not see all of them.
    files: Option<u64>,
    bytes: Option<u64>,
}

async fn lost(cx: Cx, args: Args) -> Outcome {
    let root = VfsPath::root();
    let view = cx.view()?;
    let there = view.place(args.maybe_path("path").unwrap_or(&root), Action::View);
    let there = there.await.map_err(|why| refused("path", why))?;
    let lost = cx.online()?.vfs.lost(&there.path, i64::MAX).await;
    let lost = lost.map_err(|why| refused("path", why))?;
    let sees_all = view.sees_all_below(&there.path);
    let paths = lost.paths.iter().filter(|path| view.sees(path));
    Answer::of(&LostFiles {
        paths: paths.take(MOST).map(ToString::to_string).collect(),
        files: sees_all.then_some(lost.nodes.len() as u64),
        bytes: sees_all.then_some(lost.bytes),
    })
}

impl fmt::Display for LostFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for path in &self.paths {
            writeln!(f, "{path}")?;
        }
        match (self.files, self.bytes) {
            (Some(files), Some(bytes)) => {
                write!(f, "{files} files with {} are lost", table::size(bytes))?;
                match files {
                    0 => Ok(()),
                    _ => write!(f, "; vfs forget-lost forgets them"),
                }
            }
            _ => write!(f, "{} files are lost", self.paths.len()),
        }
    }
}

#[derive(Serialize)]
struct ForeignFiles {
    files: Vec<Foreign>,
}

#[derive(Serialize)]
struct Foreign {
    path: String,
    size: u64,
    slave: String,
    root: RootId,
}

async fn foreign(cx: Cx, args: Args) -> Outcome {
    let root = VfsPath::root();
    let below = args.maybe_path("path").unwrap_or(&root);
    let view = cx.view()?;
    view.may(Action::View, below)
        .map_err(|why| refused("path", why))?;
    let page: Wanted<Spot> = Wanted::of(&args, MOST as u64)?;
    let vfs = &cx.online()?.vfs;
    let (mut found, mut after, mut at_end) = (Vec::new(), page.after.clone(), false);
    while found.len() < page.reads() && !at_end {
        let part = vfs.differences(after, Some(Why::Quarantined), PART).await;
        let part = part.map_err(|why| refused("path", why))?;
        at_end = part.len() < PART;
        after = part.last().map(|last| last.spot.clone());
        // Their places in the tree, were they there.
        let placed = part.into_iter().filter_map(|it| {
            let path = VfsPath::root().resolve(&it.path).ok()?;
            (below.contains(&path) && view.sees(&path)).then_some((path, it))
        });
        found.extend(placed.take(page.reads() - found.len()));
    }
    let next = page.cut(&mut found, |(_, it)| it.spot.clone());
    let files = found.into_iter().map(|(path, it)| Foreign {
        path: path.to_string(),
        size: it.size,
        slave: it.slave,
        root: it.root,
    });
    let files = files.collect();
    Answer::before(&ForeignFiles { files }, next)
}

impl fmt::Display for ForeignFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |it: &Foreign| {
            let (size, root) = (table::size(it.size), it.root.to_string());
            [size, it.slave.clone(), root, it.path.clone()]
        };
        let rows: Vec<_> = self.files.iter().map(row).collect();
        table::write(f, ["SIZE", "SLAVE", "ROOT", "PATH"], &rows)?;
        write!(f, "{} files in quarantine", rows.len())
    }
}
