//! Further copies of files: `copy list`, `copy look`.

use std::fmt;

use drftpd_protocol::{NodeId, SlaveId};
use serde::Serialize;

use super::super::page::{AFTER, LIMIT, Wanted};
use super::super::{AdminError, Answer, Args, Command, Cx, Outcome, Permission};
use super::table;
use crate::vfs::{CopyJob, VfsError};

/// Files that are shown, where nobody says how many.
const USUAL: u64 = 200;

/// `copy list`.
pub(in crate::admin) const LIST: Command = Command {
    name: "copy list",
    site: &["JOBS"],
    params: &[LIMIT, AFTER],
    about: "shows the files that are to get another copy, and the copies that are being made",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(list(cx, args)),
};

/// `copy look`.
pub(in crate::admin) const LOOK: Command = Command {
    name: "copy look",
    site: &["COPYLOOK"],
    params: &[],
    about: "looks through the whole file list for files with too few copies, in the background",
    permission: Permission::Operator,
    changes: true,
    run: |cx, _| Box::pin(std::future::ready(look(&cx))),
};

#[derive(Serialize)]
struct Listed {
    /// How many there are; not all are shown, and none that the caller does not see.
    waiting: u64,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    path: String,
    size: u64,
    since: i64,
    /// When it is looked at again.
    due: i64,
    failures: u32,
    why: Option<String>,
    copying: Option<Copying>,
}

#[derive(Serialize)]
struct Copying {
    from: SlaveId,
    to: SlaveId,
    bytes: u64,
}

async fn list(cx: Cx, args: Args) -> Outcome {
    let page: Wanted<u64> = Wanted::of(&args, USUAL)?;
    let online = cx.online()?;
    let failed = |why: VfsError| AdminError::failed(&why);
    let after = NodeId(page.after.unwrap_or(0));
    let jobs = online.vfs.copy_jobs(after, page.reads()).await;
    let mut jobs = jobs.map_err(failed)?;
    let next = page.cut(&mut jobs, |job| job.node.0);
    let waiting = online.vfs.count_copy_jobs().await.map_err(failed)?;
    let under_way = online.copies.under_way();
    let view = cx.view()?;
    let mut files = Vec::with_capacity(jobs.len());
    for job in jobs {
        let Some(copied) = online.vfs.copied(job.node).await.map_err(failed)? else {
            continue; // deleted, and not yet looked at
        };
        if !view.sees(&copied.path) {
            continue;
        }
        let copying = under_way.get(&job.node).map(|under| Copying {
            from: under.from.clone(),
            to: under.to.clone(),
            bytes: *under.bytes.borrow(),
        });
        let CopyJob {
            since,
            due,
            tries,
            why,
            ..
        } = job;
        files.push(File {
            path: copied.path.to_string(),
            size: copied.entry.size,
            since,
            due,
            failures: tries,
            why,
            copying,
        });
    }
    Answer::before(&Listed { waiting, files }, next)
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |file: &File| {
            let state = match (&file.copying, &file.why) {
                (Some(Copying { from, to, bytes }), _) => {
                    let (bytes, size) = (table::size(*bytes), table::size(file.size));
                    format!("{from} to {to}, {bytes} of {size}")
                }
                (None, Some(why)) => {
                    let (at, failures) = (table::moment(file.due), file.failures);
                    format!("again {at}, {failures} times: {why}")
                }
                (None, None) => "waits".to_owned(),
            };
            [
                file.path.clone(),
                table::size(file.size),
                table::moment(file.since),
                state,
            ]
        };
        let rows: Vec<_> = self.files.iter().map(row).collect();
        table::write(f, ["FILE", "SIZE", "SINCE", "STATE"], &rows)?;
        write!(f, "{} files to get another copy", self.waiting)
    }
}

#[derive(Serialize)]
struct Looking {
    rules: usize,
}

fn look(cx: &Cx) -> Outcome {
    cx.online()?.copies.look_around();
    let rules = cx.of.config.copies.rules.len();
    Answer::of(&Looking { rules })
}

impl fmt::Display for Looking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rules {
            0 => write!(f, "copies.rules has none: every file has one copy"),
            _ => write!(f, "looking; `copy list` shows what is found"),
        }
    }
}
