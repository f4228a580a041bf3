//! Giving files up of which no copy is left: `vfs forget-lost`.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use super::table;
use super::vfs::refused;
use crate::accounts::Action;
use crate::rights::ViewError;
use crate::vfs::{Lost, VfsError};

/// Files that are named to people.
const NAMED: usize = 100;

/// `vfs forget-lost PATH [older-than=TIME] [confirm=FILES]`.
pub(in crate::admin) const FORGET_LOST: Command = Command {
    name: "vfs forget-lost",
    site: &["FORGETLOST"],
    params: &[
        Param::new(
            "path",
            Kind::Path,
            "a file, or a directory with all below it",
        ),
        Param::optional(
            "older-than",
            Kind::Text,
            "only files that are known to be lost for so long, as 7d; those of retired roots always",
        ),
        Param::optional(
            "confirm",
            Kind::Text,
            "how many files that are, as it was listed: then they are forgotten",
        ),
    ],
    about: "lists files of which no copy is left on any disk that may come back, and forgets them when that is confirmed",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(forget_lost(cx, args)),
};

#[derive(Serialize)]
struct LostFiles {
    files: u64,
    bytes: u64,
    paths: Vec<String>,
    forgotten: Option<u64>,
}

async fn forget_lost(cx: Cx, args: Args) -> Outcome {
    let online = cx.online()?;
    let view = cx.view()?;
    let there = view.place(args.path("path")?, Action::View).await;
    let there = there.map_err(|why| refused("path", why))?;
    // Nobody would judge each of them: where lines tell one from another, none is told of or forgotten.
    if !view.deletes_all_below(&there.path) {
        return Err(refused("path", ViewError::Denied));
    }
    let path = &there.path;
    let older_than = match args.text("older-than") {
        Some(text) => humantime::parse_duration(text)
            .map_err(|why| AdminError::argument("older-than", &why))?,
        None => Duration::ZERO,
    };
    let long = i64::try_from(older_than.as_secs()).unwrap_or(i64::MAX);
    let before = cx.of.clock.unix().saturating_sub(long);
    let confirmed = args.text("confirm").map(str::parse::<u64>).transpose();
    let confirmed = confirmed.map_err(|why| AdminError::argument("confirm", &why))?;
    let lost = online.vfs.lost(path, before).await.map_err(failed)?;
    let files = lost.nodes.len() as u64;
    let forgotten = match confirmed {
        None => None,
        Some(confirmed) if confirmed != files => {
            let why =
                format!("nothing was done: {files} files are lost, and {confirmed} were confirmed");
            return Err(AdminError::argument("confirm", &why));
        }
        Some(_) => Some(
            online
                .vfs
                .forget_lost(&lost, before)
                .await
                .map_err(failed)?,
        ),
    };
    Answer::of(&LostFiles::of(&lost, forgotten))
}

fn failed(why: VfsError) -> AdminError {
    let mut error = AdminError::failed(&why);
    match why {
        VfsError::NotFound(_) => error.code = Code::NotFound,
        VfsError::Recovering => error.code = Code::Busy,
        _ => {}
    }
    error
}

impl LostFiles {
    fn of(lost: &Lost, forgotten: Option<u64>) -> Self {
        Self {
            files: lost.nodes.len() as u64,
            bytes: lost.bytes,
            paths: lost.paths.iter().map(ToString::to_string).collect(),
            forgotten,
        }
    }
}

impl fmt::Display for LostFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(forgotten) = self.forgotten {
            return write!(f, "{forgotten} files are forgotten");
        }
        let named = self.paths.len().min(NAMED);
        for path in &self.paths[..named] {
            writeln!(f, "{path}")?;
        }
        match self.files.saturating_sub(named as u64) {
            0 => {}
            more => writeln!(f, "and {more} more")?,
        }
        let (files, size) = (self.files, table::size(self.bytes));
        write!(f, "{files} files with {size} are lost")?;
        match files {
            0 => Ok(()),
            files => write!(f, "; confirm={files} forgets them"),
        }
    }
}
