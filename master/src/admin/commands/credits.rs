//! Credits: `credits show`, `credits give`, `credits take`, `credits swap`.

use std::fmt;

use serde::Serialize;

use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use super::user_show::may_see;
use super::{people, table};
use crate::accounts::Account;
use crate::accounts::credits::{self, Balance, Changed};
use crate::accounts::edit::gifts::{self, Gift};
use crate::accounts::limits::Unit;
use crate::accounts::table as accounts;
use crate::store::{Sql, StoreError};

const USER: Param = Param::new("user", Kind::Text, "the user's name");
const BYTES: Param = Param::new("bytes", Kind::Text, "how many, like 10GB");
const REASON: Param = Param::optional("reason", Kind::Rest, "why");
/// Changes that are shown.
const NEWEST: u32 = 10;

/// `credits show [USER]`.
pub(in crate::admin) const SHOW: Command = Command {
    name: "credits show",
    site: &["CREDITS"],
    params: &[Param::optional(
        "user",
        Kind::Text,
        "the user's name, * for everybody; without it, whoever says it",
    )],
    about: "shows credits, and who gave or took some",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(show(&cx, &args))),
};

#[derive(Serialize)]
struct Shown {
    credits: Vec<Row>,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct Row {
    user: String,
    ratio: String,
    credits: i64,
    held: i64,
}

#[derive(Serialize)]
struct Change {
    at: i64,
    bytes: i64,
    by: String,
    why: String,
}

fn show(cx: &Cx, args: &Args) -> Outcome {
    let (sought, now) = (args.text("user"), cx.of.clock.unix());
    let name = match sought {
        None => people::oneself(cx)?.name.clone(),
        Some(name) => name.to_owned(),
    };
    let rows: Vec<Row> = cx.read(|sql| {
        let found = match sought {
            Some("*") => accounts::all(sql)?,
            _ => accounts::find(sql, &name)?.into_iter().collect(),
        };
        let seen = found.into_iter().filter(|stored| may_see(cx, stored));
        seen.map(|stored| row(sql, stored.account, now)).collect()
    })?;
    let changes = match (sought, rows.as_slice()) {
        (Some("*"), _) => Vec::new(),
        (_, [_]) => cx.read(|sql| credits::changes(sql, &name, NEWEST))?,
        _ => {
            let why = format!("there is no user {name:?} whose credits you may see");
            return Err(AdminError {
                code: Code::NotFound,
                ..AdminError::argument("user", why)
            });
        }
    };
    let changes = changes.into_iter().map(Change::from).collect();
    Answer::of(&Shown {
        credits: rows,
        changes,
    })
}

fn row(sql: &Sql<'_>, account: Account, now: i64) -> Result<Row, StoreError> {
    let Balance { credits, held } = credits::balance(sql, &account.name, now)?.unwrap_or_default();
    Ok(Row {
        ratio: account.ratio.to_string(),
        user: account.name,
        credits,
        held,
    })
}

impl From<Changed> for Change {
    fn from(of: Changed) -> Self {
        Self {
            at: of.at,
            bytes: of.bytes,
            by: of.author,
            why: of.why,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |row: &Row| {
            let held = match row.held {
                0 => String::new(),
                held => format!("{} held by downloads", Unit::show_signed(held)),
            };
            [
                row.user.clone(),
                row.ratio.clone(),
                Unit::show_signed(row.credits),
                held,
            ]
        };
        let rows: Vec<_> = self.credits.iter().map(row).collect();
        table::write(f, ["USER", "RATIO", "CREDITS", ""], &rows)?;
        for change in &self.changes {
            let by = if change.by.is_empty() {
                "owner"
            } else {
                &change.by
            };
            let (at, size) = (table::moment(change.at), Unit::show_signed(change.bytes));
            let gap = if change.why.is_empty() { "" } else { ": " };
            writeln!(f, "{at} {size} by {by}{gap}{}", change.why)?;
        }
        Ok(())
    }
}

/// `credits give USER BYTES [REASON]`.
pub(in crate::admin) const GIVE: Command = Command {
    name: "credits give",
    site: &["GIVE"],
    params: &[USER, BYTES, REASON],
    about: "gives credits; whoever is allowed to and is no operator gives of their own",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(give(cx, args)),
};

async fn give(cx: Cx, args: Args) -> Outcome {
    let (name, gift) = (args.need_text("user")?.to_owned(), gift(&cx, &args)?);
    let (by, to) = (people::by(&cx), name.clone());
    let then = people::edit(&cx, move |batch| gifts::give(batch, &by, &to, &gift)).await?;
    done(&name, then)
}

/// `credits take USER BYTES [REASON]`.
pub(in crate::admin) const TAKE: Command = Command {
    name: "credits take",
    site: &["TAKE"],
    params: &[USER, BYTES, REASON],
    about: "takes credits away",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(take(cx, args)),
};

async fn take(cx: Cx, args: Args) -> Outcome {
    let (name, gift) = (args.need_text("user")?.to_owned(), gift(&cx, &args)?);
    let (by, from) = (people::by(&cx), name.clone());
    let then = people::edit(&cx, move |batch| gifts::take(batch, &by, &from, &gift)).await?;
    done(&name, then)
}

/// `credits swap FROM TO BYTES [REASON]`.
pub(in crate::admin) const SWAP: Command = Command {
    name: "credits swap",
    site: &["SWAP"],
    params: &[
        Param::new("from", Kind::Text, "who has them"),
        Param::new("to", Kind::Text, "who gets them"),
        BYTES,
        REASON,
    ],
    about: "moves credits from one user to another",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(swap(cx, args)),
};

async fn swap(cx: Cx, args: Args) -> Outcome {
    let from = args.need_text("from")?.to_owned();
    let (name, gift) = (args.need_text("to")?.to_owned(), gift(&cx, &args)?);
    let (by, to) = (people::by(&cx), name.clone());
    let work = move |batch: &crate::store::Batch<'_>| gifts::swap(batch, &by, (&from, &to), &gift);
    let then = people::edit(&cx, work).await?;
    done(&name, then)
}

fn gift(cx: &Cx, args: &Args) -> Result<Gift, AdminError> {
    let bytes = Unit::read_signed(args.need_text("bytes")?);
    let wrong = || AdminError::argument("bytes", "must be a number of bytes, like 10GB");
    let bytes = bytes.ok_or_else(wrong)?;
    Ok(Gift {
        bytes,
        why: args.text("reason").unwrap_or_default().to_owned(),
        now: cx.of.clock.unix(),
    })
}

#[derive(Serialize)]
struct Done {
    user: String,
    credits: i64,
}

fn done(name: &str, credits: i64) -> Outcome {
    let user = name.to_owned();
    Answer::of(&Done { user, credits })
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has {} of credits",
            self.user,
            Unit::show_signed(self.credits)
        )
    }
}
