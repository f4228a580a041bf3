//! Users in a list: `user list`, `user bans`.

use std::fmt;

use serde::Serialize;

use super::super::page::{AFTER, LIMIT};
use super::super::{
    AdminError, Answer, Args, Command, Cx, Kind, Listing, Outcome, Param, Permission,
};
use super::table;
use super::user_show::state;
use crate::accounts::limits::Unit;
use crate::accounts::table::Stored;
use crate::accounts::{table as accounts, who};
use crate::store::StoreError;

/// `user list [WHO]`.
pub(in crate::admin) const LIST: Command = Command {
    name: "user list",
    site: &["USERS"],
    params: &[
        Param::optional(
            "who",
            Kind::Words,
            "of whom: *, -user, =group, ! for the contrary; commas between",
        ),
        LIMIT,
        AFTER,
    ],
    about: "lists users",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(list(cx, args)),
};

#[derive(Serialize)]
struct Listed {
    users: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    user: String,
    group: String,
    ratio: String,
    credits: i64,
    seen: Option<i64>,
    state: Vec<String>,
}

async fn list(cx: Cx, args: Args) -> Outcome {
    let tokens = args.words("who").to_vec();
    if let Some(wrong) = tokens.iter().find(|token| !who::is_token(token)) {
        return Err(AdminError::argument(
            "who",
            format!("{wrong} is none of *, -user, =group"),
        ));
    }
    let now = cx.of.clock.unix();
    let wanted = move |found: &Stored| tokens.is_empty() || who::speaks_of(&tokens, &found.account);
    rows(&cx, &args, move |found| {
        wanted(found).then(|| row(found, now))
    })
    .await
}

/// Every account is looked at, where it holds nobody up.
async fn rows(
    cx: &Cx,
    args: &Args,
    take: impl Fn(&Stored) -> Option<Row> + Send + 'static,
) -> Outcome {
    let store = cx.of.store.clone();
    let found = cx.of.blocking.run(move || store.read(accounts::all)).await;
    let found = found.map_err(|why| AdminError::failed(&why))?;
    let found = found.map_err(|why: StoreError| AdminError::failed(&why))?;
    let users = found.iter().filter_map(take).collect();
    Answer::page(Listed { users }, args)
}

impl Listing for Listed {
    type Entry = Row;
    type Key = String;

    fn entries(&mut self) -> &mut Vec<Row> {
        &mut self.users
    }

    fn key(entry: &Row) -> String {
        entry.user.clone()
    }
}

fn row(found: &Stored, now: i64) -> Row {
    Row {
        user: found.account.name.clone(),
        group: found.account.group.clone(),
        ratio: found.account.ratio.to_string(),
        credits: found.credits,
        seen: found.seen,
        state: state(found, now),
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |row: &Row| {
            [
                row.user.clone(),
                row.group.clone(),
                row.ratio.clone(),
                Unit::show_signed(row.credits),
                row.seen.map_or_else(|| "never".to_owned(), table::moment),
                row.state.join(", "),
            ]
        };
        let rows: Vec<_> = self.users.iter().map(row).collect();
        table::write(
            f,
            ["USER", "GROUP", "RATIO", "CREDITS", "LAST LOGIN", "STATE"],
            &rows,
        )?;
        write!(f, "{} users", rows.len())
    }
}

/// `user bans`.
pub(in crate::admin) const BANS: Command = Command {
    name: "user bans",
    site: &["BANS"],
    params: &[LIMIT, AFTER],
    about: "lists users who are banned for a while",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| {
        Box::pin(async move {
            let now = cx.of.clock.unix();
            let banned =
                move |found: &Stored| found.banned.as_ref().is_some_and(|(until, _)| now < *until);
            rows(&cx, &args, move |found| {
                banned(found).then(|| row(found, now))
            })
            .await
        })
    },
};
