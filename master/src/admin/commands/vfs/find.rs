//! `vfs find`: entries below a directory, by what they are.

use std::fmt;
use std::ops::ControlFlow;

use drftpd_protocol::VfsPath;
use serde::Serialize;
use serde_json::Value;

use super::super::super::page::LIMIT;
use super::super::super::{
    AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission,
};
use super::super::table;
use super::wanted::Wanted;
use super::{argument, refused, word};
use crate::accounts::Action;
use crate::rights::Here;
use crate::slaves::shown_roots;
use crate::store::Sql;
use crate::vfs::{self, Entry, VfsError, Visitor};

/// Entries of one answer where no limit is said, and at most.
const USUAL: u64 = 100;
const MOST: u64 = 1000;
/// Entries that one call looks at.
const LOOKED: usize = 50_000;

/// `vfs find [PATH] [name=…] …`.
pub(in crate::admin) const FIND: Command = Command {
    name: "vfs find",
    site: &["FIND"],
    params: &[
        Param::optional(
            "path",
            Kind::Path,
            "where; the whole tree where it is not said",
        ),
        Param::named(
            "name",
            Kind::Text,
            "a pattern that the name fits, in any case",
        ),
        Param::named("type", Kind::Word(&["file", "dir", "link"]), "what it is"),
        Param::named("size", Kind::Text, "bytes, as 1GiB: or 10M:20M or :0"),
        Param::named(
            "age",
            Kind::Text,
            "since the last change, as 7d: or 1h:2h or :30m",
        ),
        Param::named("owner", Kind::Text, "whose it is"),
        Param::named("group", Kind::Text, "the owner's group"),
        Param::named("slave", Kind::Slave, "has a good copy of it"),
        Param::named("copies", Kind::Text, "good copies, as 0:1 or 3:"),
        Param::named(
            "state",
            Kind::Word(&["complete", "uploading", "partial", "offline", "lost"]),
            "of files: offline has copies, and none of them is online; lost has none",
        ),
        Param::named(LIMIT.name, LIMIT.kind, LIMIT.about),
        Param::named(
            "after",
            Kind::Path,
            "only what comes behind this entry: `next` of the page before",
        ),
    ],
    about: "finds entries below a directory by name, size, age, owner, copies and more",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(find(cx, args)),
};

#[derive(Serialize)]
struct Hits {
    entries: Vec<Hit>,
    /// Where there may be more: `after` of the next page. Entries that were looked at count, too, so that a page may be
    /// short or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Value>,
    #[serde(skip)]
    more: Option<VfsPath>,
}

/// An entry as lists show it.
#[derive(Serialize)]
pub(in crate::admin) struct Hit {
    path: String,
    kind: &'static str,
    size: Option<u64>,
    modified: i64,
    owner: String,
    group: String,
}

impl Hit {
    /// `sums`: whether the size may be shown.
    pub fn of(path: &VfsPath, entry: &Entry, sums: bool) -> Self {
        Self {
            path: path.to_string(),
            kind: word(entry.kind),
            size: sums.then_some(entry.size),
            modified: entry.modified,
            owner: entry.owner.clone(),
            group: entry.group.clone(),
        }
    }

    /// Lists of them for people.
    pub fn write(f: &mut fmt::Formatter<'_>, hits: &[Self]) -> fmt::Result {
        let row = |hit: &Self| {
            [
                hit.kind.to_owned(),
                hit.size.map_or_else(|| "-".to_owned(), table::size),
                table::moment(hit.modified),
                format!("{}:{}", hit.owner, hit.group),
                hit.path.clone(),
            ]
        };
        let rows: Vec<_> = hits.iter().map(row).collect();
        table::write(f, ["KIND", "SIZE", "CHANGED", "OF", "PATH"], &rows)
    }
}

async fn find(cx: Cx, args: Args) -> Outcome {
    let root = VfsPath::root();
    let path = args.maybe_path("path").unwrap_or(&root);
    let view = cx.view()?;
    let there = view.target(path, Action::View).await;
    let there = there.map_err(|why| refused("path", why))?;
    let online = cx.online()?;
    let shown = shown_roots(&online.slaves.views().borrow());
    let wanted = Wanted::read(&args, cx.of.clock.unix(), shown)?;
    let limit = usize::try_from(limit(&args, USUAL, MOST)?).unwrap_or(usize::MAX);
    let finder = Finder {
        wanted,
        limit,
        here: view.here(&root),
        hits: Vec::new(),
    };
    let after = args.maybe_path("after").cloned();
    let visited = online.vfs.visit(&there.path, after, LOOKED, finder).await;
    let visited = visited.map_err(|why| refused("path", why))?;
    Answer::of(&Hits {
        entries: visited.visitor.hits,
        next: visited.next.as_ref().map(argument),
        more: visited.next,
    })
}

/// How many entries are asked for.
pub(super) fn limit(args: &Args, usual: u64, most: u64) -> Result<u64, AdminError> {
    match args.number(LIMIT.name) {
        Some(0) => Err(AdminError::argument(LIMIT.name, "must be 1 or more")),
        limit => Ok(limit.unwrap_or(usual).min(most)),
    }
}

struct Finder {
    wanted: Wanted,
    limit: usize,
    /// What the caller sees; `None`: everything.
    here: Option<Here>,
    hits: Vec<Hit>,
}

impl Visitor for Finder {
    fn sees(&mut self, path: &VfsPath) -> bool {
        self.here.as_ref().is_none_or(|here| here.sees(path))
    }

    fn visit(
        &mut self,
        sql: &Sql<'_>,
        path: &VfsPath,
        entry: &Entry,
    ) -> Result<ControlFlow<()>, VfsError> {
        let here = self.here.as_ref();
        if here.is_none_or(|here| here.shows(path, entry)) && self.wanted.has(sql, entry)? {
            let is_dir = entry.kind == vfs::Kind::Dir;
            let sums = !is_dir || here.is_none_or(|here| here.shows_sums(path));
            self.hits.push(Hit::of(path, entry, sums));
        }
        Ok(match self.hits.len() >= self.limit {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

impl fmt::Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hit::write(f, &self.entries)?;
        write!(f, "{} entries", self.entries.len())?;
        match &self.more {
            Some(next) => write!(f, "\nmore: after={next}"),
            None => Ok(()),
        }
    }
}
