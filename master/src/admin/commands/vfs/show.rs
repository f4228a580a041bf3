//! What there is of one entry, and how much lies where: `vfs stat`, `vfs du`.

use std::fmt;

use drftpd_protocol::RootId;
use serde::Serialize;

use super::super::super::{Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::super::table;
use super::{refused, word};
use crate::accounts::Action;
use crate::slaves::slave_of;
use crate::vfs::{self, Entry, FileState, VfsError};

/// Directories that `du` shows.
const MOST: usize = 200;
/// Entries that are read at a time.
const PAGE: usize = 1024;

/// `vfs stat PATH`.
pub(in crate::admin) const STAT: Command = Command {
    name: "vfs stat",
    site: &["FILE"],
    params: &[Param::new(
        "path",
        Kind::Path,
        "a file, a directory or a link",
    )],
    about: "shows everything that the file list has of one entry",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(stat(cx, args)),
};

/// `vfs du PATH`.
pub(in crate::admin) const DU: Command = Command {
    name: "vfs du",
    site: &["DU"],
    params: &[Param::new("path", Kind::Path, "a directory")],
    about: "shows how much lies in each directory of a directory, the largest first",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(du(cx, args)),
};

#[derive(Serialize)]
struct Shown {
    path: String,
    kind: &'static str,
    /// `complete`, `partial` or `uploading`.
    state: &'static str,
    /// Of a directory: not where something below is hidden from the caller.
    size: Option<u64>,
    files: Option<u64>,
    owner: String,
    group: String,
    modified: i64,
    created: i64,
    crc32: Option<String>,
    blake3: Option<String>,
    id: u64,
    generation: u64,
    target: Option<String>,
    copies: Vec<Copy>,
}

#[derive(Serialize)]
struct Copy {
    slave: String,
    root: RootId,
    online: bool,
    damaged: bool,
}

async fn stat(cx: Cx, args: Args) -> Outcome {
    let path = args.path("path")?;
    let view = cx.view()?;
    let there = view.place(path, Action::View).await;
    let there = there.map_err(|why| refused("path", why))?;
    let (path, entry) = (there.path, there.entry);
    let sums = entry.kind != vfs::Kind::Dir || view.sees_all_below(&path);
    let here = view.here(&path.parent().unwrap_or_default());
    let target = entry.target.as_deref();
    let shows = |target: &&[u8]| {
        here.as_ref()
            .is_none_or(|it| it.shows_target(&path, target))
    };
    let target = target.filter(shows);
    let target = target.map(|target| target.escape_ascii().to_string());
    let copies = match entry.kind {
        vfs::Kind::File => copies(&cx, &entry).await,
        _ => Ok(Vec::new()),
    };
    Answer::of(&Shown {
        path: path.to_string(),
        kind: word(entry.kind),
        state: match entry.state {
            FileState::Complete => "complete",
            FileState::Partial => "partial",
            FileState::Uploading => "uploading",
        },
        size: sums.then_some(entry.size),
        files: sums.then_some(entry.files),
        modified: entry.modified,
        created: entry.created,
        crc32: entry.crc32.map(|crc32| format!("{crc32:08x}")),
        blake3: entry.blake3.map(|sum| sum.to_string()),
        id: entry.id.0,
        generation: entry.generation.0,
        target,
        copies: copies.map_err(|why| refused("path", why))?,
        owner: entry.owner,
        group: entry.group,
    })
}

async fn copies(cx: &Cx, entry: &Entry) -> Result<Vec<Copy>, VfsError> {
    let Ok(online) = cx.online() else {
        return Ok(Vec::new());
    };
    let Some(copied) = online.vfs.copied(entry.id).await? else {
        return Ok(Vec::new());
    };
    let views = online.slaves.views();
    let views = views.borrow();
    let good = copied.holders.iter().map(|holder| Copy {
        slave: holder.slave.to_string(),
        root: holder.root,
        online: slave_of(&views, holder.root).is_some(),
        damaged: false,
    });
    let damaged = copied.damaged.iter().map(|root| Copy {
        slave: slave_of(&views, *root).map_or_else(|| "-".to_owned(), |it| it.slave.to_string()),
        root: *root,
        online: slave_of(&views, *root).is_some(),
        damaged: true,
    });
    Ok(good.chain(damaged).collect())
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}, {})", self.path, self.kind, self.state)?;
        if let Some(target) = &self.target {
            writeln!(f, "leads to {target}")?;
        }
        if let (Some(size), Some(files)) = (self.size, self.files) {
            writeln!(f, "size {size} ({}), files {files}", table::size(size))?;
        }
        let (owner, group) = (&self.owner, &self.group);
        writeln!(
            f,
            "of {owner}:{group}, number {} generation {}",
            self.id, self.generation
        )?;
        let (made, changed) = (table::moment(self.created), table::moment(self.modified));
        writeln!(f, "made {made}, changed {changed}")?;
        for (name, sum) in [("CRC-32", &self.crc32), ("BLAKE3", &self.blake3)] {
            if let Some(sum) = sum {
                writeln!(f, "{name} {sum}")?;
            }
        }
        for copy in &self.copies {
            let state = match (copy.damaged, copy.online) {
                (true, _) => "damaged",
                (false, true) => "online",
                (false, false) => "offline",
            };
            writeln!(f, "copy on {} (root {}), {state}", copy.slave, copy.root)?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Du {
    path: String,
    /// Not where something below is hidden from the caller.
    size: Option<u64>,
    files: Option<u64>,
    /// The largest ones.
    directories: Vec<Below>,
    /// How many there are.
    all: usize,
}

#[derive(Serialize)]
struct Below {
    name: String,
    size: u64,
    files: u64,
}

async fn du(cx: Cx, args: Args) -> Outcome {
    let path = args.path("path")?;
    let view = cx.view()?;
    let there = view.target(path, Action::View).await;
    let there = there.map_err(|why| refused("path", why))?;
    let vfs = &cx.online()?.vfs;
    if there.entry.kind != vfs::Kind::Dir {
        return Err(refused("path", VfsError::NotADirectory(there.path)));
    }
    let sees_all = view.sees_all_below(&there.path);
    let (mut below, mut all, mut after) = (Vec::new(), 0, None);
    loop {
        let page = vfs.list(there.entry.id, after, PAGE).await;
        let page = page.map_err(|why| refused("path", why))?;
        for entry in page.entries {
            let Some(name) = entry.name.filter(|_| entry.kind == vfs::Kind::Dir) else {
                continue;
            };
            let path = there.path.join(name.clone());
            let path = path.map_err(|why| refused("path", why))?;
            if !sees_all && (!view.sees(&path) || !view.sees_all_below(&path)) {
                continue;
            }
            all += 1;
            below.push(Below {
                name: name.to_string(),
                size: entry.size,
                files: entry.files,
            });
        }
        below.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.name.cmp(&b.name)));
        below.truncate(MOST);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Answer::of(&Du {
        path: there.path.to_string(),
        size: sees_all.then_some(there.entry.size),
        files: sees_all.then_some(there.entry.files),
        directories: below,
        all,
    })
}

impl fmt::Display for Du {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |it: &Below| [table::size(it.size), it.files.to_string(), it.name.clone()];
        let rows: Vec<_> = self.directories.iter().map(row).collect();
        table::write(f, ["SIZE", "FILES", "DIRECTORY"], &rows)?;
        let shown = rows.len();
        if shown < self.all {
            writeln!(f, "and {} more", self.all - shown)?;
        }
        match (self.size, self.files) {
            (Some(size), Some(files)) => {
                write!(f, "{}: {files} files with {}", self.path, table::size(size))
            }
            _ => write!(f, "{}: not everything there is shown", self.path),
        }
    }
}
