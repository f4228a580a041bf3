//! `rules`: the page of that name.

use std::fmt;

use drftpd_protocol::VfsPath;
use serde::Serialize;

use super::super::{Answer, Caller, Command, Cx, Outcome, Permission};
use crate::pages::{Facts, Which};

/// `rules`.
pub(in crate::admin) const RULES: Command = Command {
    name: "rules",
    site: &["RULES"],
    params: &[],
    about: "shows the rules of the site",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, _| Box::pin(std::future::ready(rules(&cx))),
};

#[derive(Serialize)]
struct Rules {
    lines: Vec<String>,
}

fn rules(cx: &Cx) -> Outcome {
    let user = match &cx.caller {
        Caller::User(user) => Some(user),
        Caller::Owner | Caller::Token(_) => None,
    };
    let more = || {
        let found = user.map(|user| {
            let name = &user.account.name;
            cx.of
                .store
                .read(|sql| crate::accounts::table::find(sql, name))
        });
        match found {
            Some(Ok(Some(found))) => (found.credits, found.tagline),
            _ => Default::default(),
        }
    };
    let lines = cx.config().pages.page(
        Which::Rules,
        &Facts {
            account: user.map(|user| user.account.as_ref()),
            client: user.map(|user| user.peer),
            now: cx.of.clock.unix(),
            path: &VfsPath::root(),
            more: &more,
            moved: None,
        },
    );
    Answer::of(&Rules { lines })
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines.is_empty() {
            true => f.write_str("nothing is written down"),
            false => f.write_str(&self.lines.join("\n")),
        }
    }
}
