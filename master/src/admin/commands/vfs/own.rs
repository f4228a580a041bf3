//! `vfs chown`: whose an entry is, and all below it.

use std::fmt;
use std::ops::ControlFlow;

use drftpd_protocol::{NodeId, VfsPath};
use serde::Serialize;

use super::super::super::{
    AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission,
};
use super::refused;
use crate::accounts::Action;
use crate::rights::ViewError;
use crate::store::{Sql, StoreError};
use crate::vfs::{self, Entry, VfsError, Visitor};

/// Entries that are read at a time.
const AT_ONCE: usize = 4096;

/// `vfs chown [-r] USER[:GROUP] PATH`.
pub(in crate::admin) const CHOWN: Command = Command {
    name: "vfs chown",
    site: &["CHOWN"],
    params: &[
        Param::new(
            "whose",
            Kind::Text,
            "a user, whose group it gets too, USER:GROUP, or :GROUP alone",
        ),
        Param::new("path", Kind::Path, "a file, a directory or a link"),
        Param::named(
            "recursive",
            Kind::Switch,
            "of a directory: and all below it",
        ),
    ],
    about: "gives something to another user or group",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(chown(cx, args)),
};

#[derive(Serialize)]
struct Given {
    path: String,
    user: Option<String>,
    group: Option<String>,
    entries: u64,
}

async fn chown(cx: Cx, args: Args) -> Outcome {
    let (user, group) = whose(&cx, args.need_text("whose")?)?;
    let path = args.path("path")?;
    let view = cx.view()?;
    let there = view.place(path, Action::View).await;
    let there = there.map_err(|why| refused("path", why))?;
    let vfs = &cx.online()?.vfs;
    let give = async |nodes: &[NodeId]| {
        let given = vfs.give_to(nodes, user.as_deref(), group.as_deref()).await;
        given.map_err(|why| refused("path", why))
    };
    let mut entries = give(&[there.entry.id]).await?;
    if args.said("recursive") && there.entry.kind == vfs::Kind::Dir {
        if !view.sees_all_below(&there.path) {
            return Err(refused("path", ViewError::Denied));
        }
        let mut after = None;
        loop {
            let visited = vfs
                .visit(&there.path, after, AT_ONCE, All(Vec::new()))
                .await;
            let visited = visited.map_err(|why| refused("path", why))?;
            entries += give(&visited.visitor.0).await?;
            after = visited.next;
            if after.is_none() {
                break;
            }
        }
    }
    Answer::of(&Given {
        path: there.path.to_string(),
        user,
        group,
        entries,
    })
}

/// The user and the group that are named; both must be there.
fn whose(cx: &Cx, said: &str) -> Result<(Option<String>, Option<String>), AdminError> {
    let (user, group) = match said.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (said, None),
    };
    let none = |what: &str, name: &str| AdminError {
        code: Code::NotFound,
        ..AdminError::argument("whose", format!("there is no {what} {name}"))
    };
    let found = cx.of.store.read(|sql| {
        let own = "SELECT grp FROM account WHERE name = ?1";
        let own: Option<String> = sql.get(own, [user], |row| row.get(0))?;
        let is_group = match group {
            Some(group) => sql.get("SELECT 1 FROM grp WHERE name = ?1", [group], |_| Ok(()))?,
            None => None,
        };
        Ok::<_, StoreError>((own, is_group.is_some()))
    });
    let (own, is_group) = found.map_err(|why| AdminError::failed(&why))?;
    match (user, own, group) {
        ("", _, None | Some("")) => Err(AdminError::argument("whose", "must name somebody")),
        (_, _, Some(group)) if !is_group => Err(none("group", group)),
        ("", _, Some(group)) => Ok((None, Some(group.to_owned()))),
        (user, None, _) => Err(none("user", user)),
        (user, Some(own), group) => {
            let group = group.map_or(own, str::to_owned);
            Ok((Some(user.to_owned()), Some(group)))
        }
    }
}

/// Every entry's number.
struct All(Vec<NodeId>);

impl Visitor for All {
    fn sees(&mut self, _: &VfsPath) -> bool {
        true
    }

    fn visit(
        &mut self,
        _: &Sql<'_>,
        _: &VfsPath,
        entry: &Entry,
    ) -> Result<ControlFlow<()>, VfsError> {
        self.0.push(entry.id);
        Ok(ControlFlow::Continue(()))
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, group) = (&self.user, &self.group);
        let whose = match (user, group) {
            (Some(user), Some(group)) => format!("{user}:{group}"),
            (None, Some(group)) => format!(":{group}"),
            (user, None) => user.clone().unwrap_or_default(),
        };
        write!(f, "{} is of {whose}: {} entries", self.path, self.entries)
    }
}
