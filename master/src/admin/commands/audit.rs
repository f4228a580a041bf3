//! Who did what: `audit list`.

use std::fmt;

use drftpd_protocol::VfsPath;
use serde::Serialize;
use serde_json::Value;

use super::super::page::{AFTER, LIMIT, Wanted as Page};
use super::super::{AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::table;
use crate::accounts::edit::change::moment;
use crate::audit::{self, Act, Wanted};
use crate::rights::View;
use crate::store::StoreError;

/// Acts that are shown where nobody says how many.
const PAGE: u64 = 50;

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
}

async fn list(cx: Cx, args: Args) -> Outcome {
    let page = Page::of(&args, PAGE)?;
    let (wanted, most) = (wanted(&args, page.after)?, page.reads());
    let found = cx.of.store.read_on(&cx.of.blocking, move |sql| {
        audit::newest(sql, &wanted, most)
    });
    let found = found.await;
    let mut acts = found.map_err(|why: StoreError| AdminError::failed(&why))?;
    let next = page.cut(&mut acts, |act| act.seq);
    if cx.account().is_some() {
        let view = cx.view()?;
        for act in &mut acts {
            if !shows(&act.args, &view) {
                act.args = Value::Null;
            }
        }
    }
    Answer::before(&Acts { acts }, next)
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

fn wanted(args: &Args, before: Option<u64>) -> Result<Wanted, AdminError> {
    let at = |name: &str| {
        let at = args.text(name).map(moment).transpose();
        at.map_err(|_| AdminError::argument(name, "must be a day like 2027-01-31, or a moment"))
    };
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
        table::write(f, heading, &rows)
    }
}
