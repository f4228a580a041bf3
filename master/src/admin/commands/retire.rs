//! Giving disks up for good: `root retire`, `slave retire`.

use std::fmt;

use drftpd_protocol::{RootId, SlaveId};
use serde::Serialize;

use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use super::slaves::refused;
use crate::slaves::EnrollError;
use crate::vfs::{Leaving, Loss, VfsError};

/// Files that a refusal names.
const NAMED: usize = 20;

const FORCE: Param = Param::optional(
    "force",
    Kind::Switch,
    "also if the last copies of files, or uploads that broke off, are lost with it",
);

/// `root retire ROOT [force]`.
pub(in crate::admin) const ROOT: Command = Command {
    name: "root retire",
    site: &["RETIREROOT"],
    params: &[
        Param::new(
            "root",
            Kind::Text,
            "the root's identity, as root list shows it",
        ),
        FORCE,
    ],
    about: "gives a storage folder up for good: its copies count no more, its operations are dropped; entries stay",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(root(cx, args)),
};

/// `slave retire NAME [force]`.
pub(in crate::admin) const SLAVE: Command = Command {
    name: "slave retire",
    site: &["RETIRESLAVE"],
    params: &[Param::new("name", Kind::Slave, "the slave's name"), FORCE],
    about: "gives a slave and all its storage folders up for good, and takes it out of the cluster; entries stay",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(slave(cx, args)),
};

#[derive(Serialize)]
struct Retired {
    slave: Option<SlaveId>,
    roots: Vec<RootId>,
    copies: u64,
    last_copies: u64,
    uploads: u64,
    paths: Vec<String>,
}

async fn root(cx: Cx, args: Args) -> Outcome {
    let root = args.text("root").unwrap_or_default().parse::<RootId>();
    let root = root.map_err(|why| AdminError::argument("root", &why))?;
    let loss = lose(&cx, &args, Leaving::Root(root)).await?;
    Answer::of(&Retired::of(None, loss))
}

async fn slave(cx: Cx, args: Args) -> Outcome {
    let name = args.slave("name")?;
    let loss = lose(&cx, &args, Leaving::Slave(name.clone())).await?;
    // One that was removed before has left its roots behind.
    match cx.online()?.slaves.remove(name).await {
        Err(EnrollError::Unknown(_)) if !loss.roots.is_empty() => {}
        removed => removed.map_err(|why| refused("name", &why))?,
    }
    Answer::of(&Retired::of(Some(name.clone()), loss))
}

/// Retires roots, where nothing is lost with them or that is wanted.
async fn lose(cx: &Cx, args: &Args, leaving: Leaving) -> Result<Loss, AdminError> {
    let online = cx.online()?;
    if let Leaving::Root(root) = &leaving
        && !online.vfs.knows_root(*root).map_err(failed)?
    {
        return Err(failed(VfsError::UnknownRoot(*root)));
    }
    let mut loss = online.vfs.loss(leaving).await.map_err(failed)?;
    let view = cx.view()?;
    loss.paths.retain(|path| view.sees(path));
    if (loss.last > 0 || loss.uploads > 0) && !args.said("force") {
        return Err(AdminError::argument("force", WouldLose(&loss)));
    }
    for root in &loss.roots {
        online.vfs.retire_root(*root).await.map_err(failed)?;
        online.slaves.retired(*root).await;
    }
    Ok(loss)
}

fn failed(why: VfsError) -> AdminError {
    let mut error = AdminError::failed(&why);
    match why {
        VfsError::UnknownRoot(_) => error.code = Code::NotFound,
        VfsError::RootInUse { .. } => error.code = Code::Busy,
        _ => {}
    }
    error
}

/// What stands against it.
struct WouldLose<'l>(&'l Loss);

impl fmt::Display for WouldLose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loss = self.0;
        write!(
            f,
            "nothing was done: the last copies of {} files and {} unfinished uploads would be lost; say force",
            loss.last, loss.uploads
        )?;
        let named = loss.paths.len().min(NAMED);
        for path in &loss.paths[..named] {
            write!(f, "\n{path}")?;
        }
        match loss.last.saturating_sub(named as u64) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl Retired {
    fn of(slave: Option<SlaveId>, loss: Loss) -> Self {
        Self {
            slave,
            roots: loss.roots,
            copies: loss.copies,
            last_copies: loss.last,
            uploads: loss.uploads,
            paths: loss.paths.iter().map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(slave) = &self.slave {
            write!(f, "slave {slave} is removed; ")?;
        }
        write!(
            f,
            "{} roots are retired with {} copies, {} of them the last ones, and {} unfinished uploads",
            self.roots.len(),
            self.copies,
            self.last_copies,
            self.uploads
        )
    }
}
