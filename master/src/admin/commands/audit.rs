//! Who did what: `audit list`.

use std::fmt;

use drftpd_protocol::VfsPath;
use serde::Serialize;
use serde_json::Value;

use super::super::page::{AFTER, LIMIT};
use super::super::{AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::table;
use crate::accounts::edit::change::moment;
use crate::audit::{self, Act, Wanted};
use crate::rights::View;
use crate::store::StoreError;

/// Acts that are shown where nobody says how many.
const PAGE: u64 = 50;
/// Acts that are shown at once, at most.
const MOST: u64 = 1000;

/// `audit list [WHO] [COMMAND] [DOOR] [SINCE] [UNTIL] [failed]`.
pub(in crate::admin) const LIST: Command = Command {
    name: "audit list",
    site: &["AUDIT"],
    params: &[
        Param::optional("who", Kind::Text, "of that user, of that token, or owner"),
        Param::optional(
            "command",
            Kind::Text,
            "of that command, or of all whose names begin with that word",
        ),
        Param::optional(
            "door",
            Kind::Word(&["socket", "store", "site", "api"]),
            "by that door",
        ),
        Param::optional(
            "since",
            Kind::Text,
            "from that day or moment on, like 2027-01-31",
        ),
        Param::optional("until", Kind::Text, "before that day or moment"),
        Param::optional("failed", Kind::Switch, "those alone that did not end well"),
        LIMIT,
        AFTER,
    ],
    about: "shows who changed what, from where, and how that ended; the newest first",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(list(cx, args)),
};

#[derive(Serialize)]
struct Acts {
    acts: Vec<Act>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

async fn list(cx: Cx, args: Args) -> Outcome {
    let limit = args.number(LIMIT.name).unwrap_or(PAGE);
    if !(1..=MOST).contains(&limit) {
        let why = format!("must be 1 to {MOST}");
        return Err(AdminError::argument(LIMIT.name, why));
    }
    let wanted = wanted(&args)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = cx.of.store.read_on(&cx.of.blocking, move |sql| {
        audit::newest(sql, &wanted, limit + 1)
    });
    let found = found.await;
    let mut acts = found.map_err(|why: StoreError| AdminError::failed(&why))?;
    let more = acts.len() > limit;
    acts.truncate(limit);
    if cx.account().is_some() {
        let view = cx.view()?;
        for act in &mut acts {
            if !shows(&act.args, &view) {
                act.args = Value::Null;
            }
        }
    }
    let last = acts.last().filter(|_| more);
    let next = last.map(|act| act.seq.to_string());
    Answer::of(&Acts { acts, next })
}

/// Whether the paths among arguments may all be seen.
fn shows(args: &Value, view: &View<'_>) -> bool {
    let seen = |text: &str| {
        let path = text
            .starts_with('/')
            .then(|| VfsPath::absolute(text.as_bytes()));
        path.is_none_or(|path| path.is_ok_and(|path| view.sees(&path)))
    };
    match args {
        Value::String(text) => seen(text),
        Value::Array(all) => all.iter().all(|one| shows(one, view)),
        Value::Object(all) => all.values().all(|one| shows(one, view)),
        _ => true,
    }
}

fn wanted(args: &Args) -> Result<Wanted, AdminError> {
    let at = |name: &str| {
        let at = args.text(name).map(moment).transpose();
        at.map_err(|_| AdminError::argument(name, "must be a day like 2027-01-31, or a moment"))
    };
    let before = args.text(AFTER.name).map(str::parse).transpose();
    let before = before.map_err(|_| {
        AdminError::argument(AFTER.name, "must be the number of an act: its `next`")
    })?;
    let text = |name: &str| args.text(name).map(str::to_owned);
    Ok(Wanted {
        who: text("who"),
        command: text("command"),
        door: text("door"),
        since: at("since")?,
        until: at("until")?,
        failed: args.said("failed"),
        before,
    })
}

impl fmt::Display for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |act: &Act| {
            let from = act
                .peer
                .as_ref()
                .map_or_else(String::new, |peer| format!(" {peer}"));
            [
                act.seq.to_string(),
                table::moment(act.at),
                act.who.clone(),
                format!("{}{from}", act.door),
                act.command.clone(),
                act.args.to_string(),
                act.result.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        };
        let rows: Vec<_> = self.acts.iter().map(row).collect();
        let heading = [
            "ACT",
            "WHEN",
            "WHO",
            "FROM",
            "COMMAND",
            "ARGUMENTS",
            "RESULT",
        ];
        table::write(f, heading, &rows)?;
        match &self.next {
            Some(next) => write!(f, "more: after={next}"),
            None => Ok(()),
        }
    }
}
