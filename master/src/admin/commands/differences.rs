//! What lies on disks and is not in the tree: `root differences`, `recovery end`.

use std::fmt;

use drftpd_protocol::{FileId, RootId, VfsPath};
use serde::Serialize;

use super::super::page::{AFTER, LIMIT, Wanted};
use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use super::table;
use crate::vfs::{Decision, Difference, Spot, VfsError, Why};

/// Lines of one answer, where nobody says how many.
const USUAL: u64 = 1000;

/// `root differences`.
pub(in crate::admin) const LIST: Command = Command {
    name: "root differences",
    site: &["DIFFERENCES"],
    params: &[LIMIT, AFTER],
    about: "shows what lies on disks and is not in the tree: in quarantine, or of another store",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(list(cx, args)),
};

/// `recovery end adopt|trash`.
pub(in crate::admin) const RECOVERY_END: Command = Command {
    name: "recovery end",
    site: &["RECOVERYEND"],
    params: &[Param::new(
        "take",
        Kind::Word(&["adopt", "trash"]),
        "what becomes of files that the restored store does not know",
    )],
    about: "ends the recovery of a store that was restored: what only the disks know comes into the tree, or goes to their trash",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(end(cx, args)),
};

#[derive(Serialize)]
struct Listed {
    differences: Vec<Shown>,
    all: u64,
}

#[derive(Serialize)]
struct Shown {
    root: RootId,
    slave: String,
    why: &'static str,
    file: Option<FileId>,
    size: u64,
    path: String,
}

impl From<Difference> for Shown {
    fn from(it: Difference) -> Self {
        Self {
            root: it.root,
            slave: it.slave,
            why: match it.why {
                Why::Unknown => "unknown",
                Why::Quarantined => "quarantine",
                Why::NotLive => "deleted",
            },
            file: it.file,
            size: it.size,
            path: it.path.escape_ascii().to_string(),
        }
    }
}

async fn list(cx: Cx, args: Args) -> Outcome {
    let page: Wanted<Spot> = Wanted::of(&args, USUAL)?;
    let (vfs, failed) = (&cx.online()?.vfs, |why: VfsError| AdminError::failed(&why));
    let some = vfs.differences(page.after.clone(), None, page.reads());
    let mut some = some.await.map_err(failed)?;
    let next = page.cut(&mut some, |it| it.spot.clone());
    let all = vfs.count_differences().await.map_err(failed)?;
    let view = cx.view()?;
    // Where it would be in the tree.
    let seen = |it: &Difference| {
        let path = VfsPath::root().resolve(&it.path);
        path.is_ok_and(|path| view.sees(&path)) || cx.account().is_none()
    };
    let some = some.into_iter().filter(seen);
    let differences = some.map(Shown::from).collect();
    Answer::before(&Listed { differences, all }, next)
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |it: &Shown| {
            [
                it.slave.clone(),
                it.root.to_string(),
                it.why.to_owned(),
                table::size(it.size),
                it.path.clone(),
            ]
        };
        let rows: Vec<_> = self.differences.iter().map(row).collect();
        table::write(f, ["SLAVE", "ROOT", "WHY", "SIZE", "PATH"], &rows)?;
        write!(f, "{} of {}", rows.len(), self.all)
    }
}

#[derive(Serialize)]
struct Ended {
    take: String,
}

async fn end(cx: Cx, args: Args) -> Outcome {
    let online = cx.online()?;
    let take = args.text("take").unwrap_or_default().to_owned();
    let decision = match take.as_str() {
        "adopt" => Decision::Adopt,
        _ => Decision::SetAside,
    };
    let was = online.vfs.decide_recovery(decision).await;
    if !was.map_err(|why| AdminError::failed(&why))? {
        return Err(AdminError::new(Code::Failed, "the site is not in recovery"));
    }
    for slave in online.slaves.views().borrow().keys() {
        // One that is going away now is walked when it is back.
        drop(online.slaves.walk_again(slave, None));
    }
    Answer::of(&Ended { take })
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "decided: {}; all roots are walked again", self.take)
    }
}
