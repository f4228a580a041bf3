//! What the filters would say of a transfer: `transfer dry-run`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use drftpd_protocol::{SessionId, VfsPath};
use serde::Serialize;

use super::super::{
    AdminError, Answer, Args, Caller, Code, Command, Cx, Kind, Online, Outcome, Param, Permission,
};
use super::sessions::way;
use super::table;
use crate::accounts::Action;
use crate::transfer::{Direction, Judged, Want};
use crate::vfs::VfsError;

/// `transfer dry-run PATH up|down`.
pub(in crate::admin) const DRY_RUN: Command = Command {
    name: "transfer dry-run",
    site: &["DRYRUN"],
    params: &[
        Param::new("path", Kind::Path, "the file, there already or not"),
        Param::new(
            "direction",
            Kind::Word(&["up", "down"]),
            "whether a client would upload or download it",
        ),
    ],
    about: "shows which slave would serve a transfer, and what each filter says; nothing is held",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(dry_run(cx, args)),
};

#[derive(Serialize)]
struct DryRun {
    path: String,
    direction: &'static str,
    chosen: Option<String>,
    roots: Vec<Root>,
}

#[derive(Serialize)]
struct Root {
    slave: String,
    root: String,
    score: Option<i64>,
    rejected: Option<String>,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    filter: String,
    says: String,
}

async fn dry_run(cx: Cx, args: Args) -> Outcome {
    let path = args.path("path")?.clone();
    let direction = match args.text("direction") {
        Some("up") => Direction::Upload,
        _ => Direction::Download,
    };
    let online = cx.online()?;
    let view = cx.view()?;
    let path = view.spot(&path, Action::View).await;
    let path = path.map_err(|why| super::vfs::refused("path", why))?;
    let roots = holders(online, &path, direction).await.map_err(refused)?;
    let (session, client) = match &cx.caller {
        Caller::User(user) => (user.session, user.peer),
        Caller::Token(token) => (SessionId(0), token.peer),
        Caller::Owner => (SessionId(0), IpAddr::V4(Ipv4Addr::LOCALHOST)),
    };
    let wanted = online.transfers.wants_siblings(direction);
    let want = Want {
        session,
        path: path.clone(),
        direction,
        roots,
        bytes: 0,
        client,
        siblings: online.vfs.siblings(&path, wanted).await,
    };
    let judged = online.transfers.dry_run(want).await;
    let judged = judged.map_err(|why| AdminError::failed(&why))?;
    let best = judged
        .iter()
        .filter_map(|root| Some((root.verdict.as_ref().ok()?, root)))
        .max_by_key(|(score, _)| **score);
    Answer::of(&DryRun {
        path: path.to_string(),
        direction: way(direction),
        chosen: best.map(|(_, root)| format!("{} {}", root.slave, root.root)),
        roots: judged.into_iter().map(root).collect(),
    })
}

/// The roots that come into question; `None` for all.
async fn holders(
    online: &Online,
    path: &VfsPath,
    direction: Direction,
) -> Result<Option<Vec<drftpd_protocol::RootId>>, VfsError> {
    if direction == Direction::Upload {
        return Ok(None);
    }
    let readable = online.vfs.readable(path).await?;
    Ok(Some(
        readable.holders.iter().map(|(root, _)| *root).collect(),
    ))
}

fn refused(why: VfsError) -> AdminError {
    let code = match why {
        VfsError::NotFound(_) => Code::NotFound,
        VfsError::Store(_) | VfsError::Ask(_) => return AdminError::failed(&why),
        _ => Code::BadArgument,
    };
    AdminError {
        code,
        ..AdminError::argument("path", why)
    }
}

fn root(judged: Judged) -> Root {
    let step = |(filter, says)| Step { filter, says };
    Root {
        slave: judged.slave.to_string(),
        root: judged.root,
        score: judged.verdict.as_ref().ok().copied(),
        rejected: judged.verdict.err(),
        steps: judged.steps.into_iter().map(step).collect(),
    }
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |root: &Root| {
            let steps = root.steps.iter();
            let steps: Vec<_> = steps
                .map(|step| format!("{}: {}", step.filter, step.says))
                .collect();
            let verdict = match (&root.rejected, root.score) {
                (Some(why), _) => format!("no ({why})"),
                (None, score) => score.unwrap_or_default().to_string(),
            };
            [
                root.slave.clone(),
                verdict,
                root.root.clone(),
                steps.join("; "),
            ]
        };
        let rows: Vec<_> = self.roots.iter().map(row).collect();
        table::write(f, ["SLAVE", "SCORE", "ROOT", "FILTERS"], &rows)?;
        match &self.chosen {
            Some(chosen) => write!(f, "best for {} of {}: {chosen}", self.direction, self.path),
            None => write!(f, "nothing can serve {} of {}", self.direction, self.path),
        }
    }
}
