//! Entries by the words of their names, wherever they lie: `vfs search`, `vfs dupe`, `index status`, `index rebuild`.

use std::fmt;

use drftpd_protocol::NodeId;
use serde::Serialize;

use super::super::super::page::{AFTER, LIMIT};
use super::super::super::{
    AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission,
};
use super::find::{Hit, limit};
use super::{kind, refused};
use crate::search::{Part, Progress, Question, Rebuild, progress, search};
use crate::store::StoreError;
use crate::vfs::{self, VfsError};

/// Entries of one answer where no limit is said, and at most.
const USUAL: u64 = 50;
const MOST: u64 = 1000;
/// Entries that one call looks at.
const LOOKED: usize = 10_000;

const TYPE: Kind = Kind::Word(&["dir", "file", "link", "any"]);
const LIMITED: Param = Param::named(LIMIT.name, LIMIT.kind, LIMIT.about);
const BEHIND: Param = Param::named(AFTER.name, AFTER.kind, AFTER.about);

/// `vfs search WORDS`.
pub(in crate::admin) const SEARCH: Command = Command {
    name: "vfs search",
    site: &["SEARCH"],
    params: &[
        Param::new(
            "words",
            Kind::Rest,
            "all of them are in the name; abc* is the beginning of a word",
        ),
        Param::named("type", TYPE, "what is looked for: dir where it is not said"),
        LIMITED,
        BEHIND,
    ],
    about: "finds directories, or files, by words of their names, the newest first",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(by_words(cx, args)),
};

/// `vfs dupe NAME`.
pub(in crate::admin) const DUPE: Command = Command {
    name: "vfs dupe",
    site: &["DUPE"],
    params: &[
        Param::new("name", Kind::Rest, "the whole name, in any case"),
        Param::named("type", TYPE, "what is looked for: any where it is not said"),
        LIMITED,
        BEHIND,
    ],
    about: "shows where there is something of that very name, the newest first",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(by_name(cx, args)),
};

/// `index status`.
pub(in crate::admin) const STATUS: Command = Command {
    name: "index status",
    site: &["INDEXSTATUS"],
    params: &[],
    about: "shows whether the index of names has everything",
    permission: Permission::Operator,
    changes: false,
    run: |cx, _| Box::pin(std::future::ready(status(&cx))),
};

/// `index rebuild`.
pub(in crate::admin) const REBUILD: Command = Command {
    name: "index rebuild",
    site: &["REBUILDINDEX"],
    params: &[],
    about: "makes the index of names anew from the file list, in the background",
    permission: Permission::Operator,
    changes: true,
    run: |cx, _| Box::pin(rebuild(cx)),
};

#[derive(Serialize)]
struct Hits {
    entries: Vec<Hit>,
    /// Whether the index has the whole tree: else there may be more than was found.
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

async fn by_words(cx: Cx, args: Args) -> Outcome {
    let of = match args.text("type") {
        None => Some(vfs::Kind::Dir),
        word => kind(word),
    };
    let question = Question::words(args.need_text("words")?, of);
    ask(
        cx,
        &args,
        question.map_err(|why| AdminError::argument("words", why))?,
    )
    .await
}

async fn by_name(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("name")?;
    let question = Question::named(name.as_bytes(), kind(args.text("type")));
    ask(
        cx,
        &args,
        question.map_err(|why| AdminError::argument("name", why))?,
    )
    .await
}

async fn ask(cx: Cx, args: &Args, question: Question) -> Outcome {
    is_on(&cx)?;
    let before = args.text(AFTER.name).map(str::parse).transpose();
    let before =
        before.map_err(|_| AdminError::argument(AFTER.name, "is no `next` of such a list"))?;
    let part = Part {
        before: before.map(NodeId),
        most: usize::try_from(limit(args, USUAL, MOST)?).unwrap_or(usize::MAX),
        looked: LOOKED,
    };
    let view = cx.view()?;
    let seen = view.seer();
    let find = move |sql: &crate::store::Sql<'_>| {
        let whole = progress(sql)?.0 == Progress::Whole;
        Ok::<_, VfsError>((search(sql, &question, part, seen)?, whole))
    };
    let found = cx.of.store.read_on(&cx.of.blocking, find).await;
    let ((found, next), complete) = found.map_err(|why| refused("words", why))?;
    let hit = |it: &crate::search::Found| {
        let sums = it.entry.kind != vfs::Kind::Dir || view.sees_all_below(&it.path);
        Hit::of(&it.path, &it.entry, sums)
    };
    Answer::of(&Hits {
        entries: found.iter().map(hit).collect(),
        complete,
        next: next.map(|next| next.0.to_string()),
    })
}

fn is_on(cx: &Cx) -> Result<(), AdminError> {
    match cx.of.config.search.enabled {
        true => Ok(()),
        false => Err(AdminError::new(Code::Failed, "search.enabled is off")),
    }
}

impl fmt::Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hit::write(f, &self.entries)?;
        write!(f, "{} entries", self.entries.len())?;
        if !self.complete {
            write!(f, "; the index is being made, there may be more")?;
        }
        match &self.next {
            Some(next) => write!(f, "\nmore: after={next}"),
            None => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Status {
    enabled: bool,
    /// Whether it has the whole tree.
    complete: bool,
    /// Changes that are to come into it.
    waiting: u64,
}

fn status(cx: &Cx) -> Outcome {
    let read = cx.of.store.read(progress);
    let (far, waiting) = read.map_err(|why: StoreError| AdminError::failed(&why))?;
    Answer::of(&Status {
        enabled: cx.of.config.search.enabled,
        complete: far == Progress::Whole,
        waiting,
    })
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.enabled, self.complete) {
            (false, _) => "off: search.enabled says so",
            (true, true) => "complete",
            (true, false) => "being made from the file list",
        };
        write!(
            f,
            "the index of names is {state}; {} changes wait",
            self.waiting
        )
    }
}

async fn rebuild(cx: Cx) -> Outcome {
    is_on(&cx)?;
    let forgotten = cx.of.store.change(Rebuild).await;
    forgotten.map_err(|why| AdminError::failed(&why))?;
    Answer::of(&Rebuilding { rebuilding: true })
}

#[derive(Serialize)]
struct Rebuilding {
    rebuilding: bool,
}

impl fmt::Display for Rebuilding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the index is made anew; index status shows when it is complete"
        )
    }
}
