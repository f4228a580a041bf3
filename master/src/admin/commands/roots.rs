//! The disks behind the tree: `root list`, `root confirm`.

use std::collections::BTreeMap;
use std::fmt;

use drftpd_protocol::wire::RootState;
use drftpd_protocol::{RootId, SlaveId};
use serde::Serialize;

use super::super::page::{AFTER, LIMIT};
use super::super::{
    AdminError, Answer, Args, Code, Command, Cx, Kind, Listing, Outcome, Param, Permission,
};
use super::table;
use crate::slaves::slave_of;
use crate::store::{Sql, StoreError};
use crate::vfs::VfsError;

/// `root list`.
pub(in crate::admin) const LIST: Command = Command {
    name: "root list",
    site: &["ROOTS"],
    params: &[LIMIT, AFTER],
    about: "shows every storage folder of the cluster, present or not",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(list(&cx, &args))),
};

/// `root confirm ROOT`.
pub(in crate::admin) const CONFIRM: Command = Command {
    name: "root confirm",
    site: &["CONFIRMROOT"],
    params: &[Param::new(
        "root",
        Kind::Text,
        "the root's identity, as root list shows it",
    )],
    about: "says that what a held root misses is gone; it is walked again and believed",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(confirm(cx, args)),
};

#[derive(Serialize)]
struct Confirmed {
    root: RootId,
    missing: u64,
}

async fn confirm(cx: Cx, args: Args) -> Outcome {
    let online = cx.online()?;
    let root = args
        .text("root")
        .unwrap_or_default()
        .parse::<RootId>()
        .map_err(|why| AdminError::argument("root", &why))?;
    let confirmed = online.vfs.confirm_root(root).await;
    let missing = confirmed.map_err(|why| match why {
        VfsError::UnknownRoot(_) => AdminError {
            code: Code::NotFound,
            ..AdminError::argument("root", &why)
        },
        _ => AdminError::failed(&why),
    })?;
    let missing = missing.ok_or_else(|| AdminError::argument("root", "is not held"))?;
    let views = online.slaves.views().borrow().clone();
    if let Some(view) = slave_of(&views, root) {
        // One that is going away now is walked when it is back.
        drop(online.slaves.walk_again(&view.slave, Some(root)));
    }
    Answer::of(&Confirmed { root, missing })
}

impl fmt::Display for Confirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (root, missing) = (self.root, self.missing);
        write!(
            f,
            "root {root} is walked again, and {missing} copies may be missing"
        )
    }
}

#[derive(Serialize)]
struct Listed {
    roots: Vec<Root>,
}

#[derive(Serialize)]
struct Root {
    root: RootId,
    slave: String,
    state: &'static str,
    path: Option<String>,
    waiting_operations: u64,
    total: Option<u64>,
    free: Option<u64>,
}

/// A root as the store has it.
pub(super) struct Row {
    pub id: RootId,
    pub slave: String,
    pub state: i64,
    pub waiting: u64,
}

/// All roots that the file list knows.
pub(super) fn rows(sql: &Sql<'_>) -> Result<Vec<Row>, StoreError> {
    let text = "SELECT id, slave, state, newest - done FROM root ORDER BY slave, key";
    sql.all(text, [], |row| {
        Ok(Row {
            id: RootId(row.get(0)?),
            slave: row.get(1)?,
            state: row.get(2)?,
            waiting: crate::store::id(row, 3)?,
        })
    })
}

fn list(cx: &Cx, args: &Args) -> Outcome {
    let rows = cx.of.store.read(rows);
    let rows = rows.map_err(|why| AdminError::failed(&why))?;
    let online = cx.of.online.get();
    let views = online.map(|online| online.slaves.views().borrow().clone());
    let views = views.unwrap_or_default();
    let shown: BTreeMap<RootId, _> = views
        .values()
        .flat_map(|view| {
            view.roots
                .iter()
                .map(|root| (root.root, (&view.slave, root)))
        })
        .collect();
    let root = |row: Row| {
        let now = shown.get(&row.id);
        Root {
            root: row.id,
            state: state(row.state, now.map(|(_, root)| root.state)),
            path: now.map(|(_, root)| root.path.clone()),
            waiting_operations: row.waiting,
            total: now.map(|(_, root)| root.total),
            free: now.map(|(_, root)| root.free),
            slave: now.map_or(row.slave, |(slave, _): &(&SlaveId, _)| slave.to_string()),
        }
    };
    let roots = rows.into_iter().map(root).collect();
    Answer::page(Listed { roots }, args)
}

impl Listing for Listed {
    type Entry = Root;
    type Key = RootId;

    fn entries(&mut self) -> &mut Vec<Root> {
        &mut self.roots
    }

    fn key(entry: &Root) -> RootId {
        entry.root
    }
}

fn state(stored: i64, shown: Option<RootState>) -> &'static str {
    match (stored, shown) {
        (1, _) => "held",
        (2, _) => "retired",
        (_, Some(RootState::Absent) | None) => "absent",
        (_, Some(RootState::ReadOnly)) => "read-only",
        (_, Some(_)) => "present",
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |root: &Root| {
            let space = match (root.free, root.total) {
                (Some(free), Some(total)) => {
                    format!("{} of {}", table::size(free), table::size(total))
                }
                _ => "-".to_owned(),
            };
            [
                root.root.to_string(),
                root.slave.clone(),
                root.state.to_owned(),
                root.waiting_operations.to_string(),
                space,
                root.path.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        };
        let rows: Vec<_> = self.roots.iter().map(row).collect();
        let heading = ["ROOT", "SLAVE", "STATE", "WAITING", "FREE", "FOLDER"];
        table::write(f, heading, &rows)?;
        write!(f, "{} roots", rows.len())
    }
}
