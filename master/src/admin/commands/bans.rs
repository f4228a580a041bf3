//! Addresses that may not connect: `ban list`, `ban add`, `ban remove`.

use std::fmt;

use drftpd_protocol::Network;
use serde::Serialize;

use super::super::page::{AFTER, LIMIT};
use super::super::{
    AdminError, Answer, Args, Code, Command, Cx, Kind, Listing, Outcome, Param, Permission,
};
use super::people::{self, Done};
use super::table;
use super::user_bans::span;
use crate::accounts::bans::{self, Ban, ForgetBans, StoreBan};
use crate::accounts::names::check_text;
use crate::store::StoreError;

/// `ban list`.
pub(in crate::admin) const LIST: Command = Command {
    name: "ban list",
    site: &["IPBANS"],
    params: &[LIMIT, AFTER],
    about: "lists addresses and networks that may not connect: those that were banned for failed logins, too",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(list(&cx, &args))),
};

#[derive(Serialize)]
struct Listed {
    bans: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    network: String,
    since: i64,
    until: Option<i64>,
    author: String,
    why: String,
}

fn list(cx: &Cx, args: &Args) -> Outcome {
    let now = cx.of.clock.unix();
    let bans = match cx.of.online.get() {
        Some(_) => cx.of.people.bans.list(now),
        None => {
            let stored = cx.of.store.read(|sql| bans::stored(sql, now));
            stored.map_err(|why: StoreError| AdminError::failed(&why))?
        }
    };
    let row = |ban: Ban| Row {
        network: ban.network.to_string(),
        since: ban.since,
        until: ban.until,
        author: ban.author,
        why: ban.why,
    };
    let bans = bans.into_iter().map(row).collect();
    Answer::page(Listed { bans }, args)
}

impl Listing for Listed {
    type Entry = Row;
    type Key = String;

    fn entries(&mut self) -> &mut Vec<Row> {
        &mut self.bans
    }

    fn key(entry: &Row) -> String {
        entry.network.clone()
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |row: &Row| {
            let by = if row.author.is_empty() {
                "the guard"
            } else {
                &row.author
            };
            [
                row.network.clone(),
                row.until
                    .map_or_else(|| "for ever".to_owned(), table::moment),
                by.to_owned(),
                row.why.clone(),
            ]
        };
        let rows: Vec<_> = self.bans.iter().map(row).collect();
        table::write(f, ["NETWORK", "UNTIL", "BY", "WHY"], &rows)?;
        write!(f, "{} bans", rows.len())
    }
}

/// `ban add NETWORK [TIME] [REASON]`.
pub(in crate::admin) const ADD: Command = Command {
    name: "ban add",
    site: &["BANIP"],
    params: &[
        Param::new(
            "network",
            Kind::Text,
            "an address, or a network like 192.0.2.0/24",
        ),
        Param::optional(
            "time",
            Kind::Text,
            "for how long: minutes, a time like 2h, or ever (also without it)",
        ),
        Param::optional("reason", Kind::Rest, "why"),
    ],
    about: "lets nobody connect from an address or a network; sessions that run go on",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(add(cx, args)),
};

async fn add(cx: Cx, args: Args) -> Outcome {
    let network = network(&args)?;
    let now = cx.of.clock.unix();
    let until = match args.text("time").filter(|time| *time != "ever") {
        None => None,
        Some(time) => {
            let long = span(time);
            let long = long.ok_or_else(|| {
                AdminError::argument("time", "must be minutes, a time like 2h, or ever")
            })?;
            Some(now.saturating_add(long))
        }
    };
    let why = args.text("reason").unwrap_or_default().to_owned();
    check_text(&why).map_err(|why| AdminError::argument("reason", why))?;
    let ban = Ban {
        network,
        since: now,
        until,
        author: people::author(&cx),
        why,
    };
    let stored = cx.of.store.change(StoreBan(ban.clone())).await;
    stored.map_err(|why| AdminError::failed(&why))?;
    cx.of.people.bans.put(ban);
    let until = until.map_or_else(
        || "for ever".to_owned(),
        |at| format!("until {}", table::moment(at)),
    );
    let name = network.to_string();
    Answer::of(&Done::to(&name, format!("{name} is banned {until}")))
}

fn network(args: &Args) -> Result<Network, AdminError> {
    let network = args.need_text("network")?.parse::<Network>();
    network.map_err(|why| AdminError::argument("network", why))
}

/// `ban remove NETWORK`.
pub(in crate::admin) const REMOVE: Command = Command {
    name: "ban remove",
    site: &["UNBANIP"],
    params: &[Param::new(
        "network",
        Kind::Text,
        "an address or a network, as ban list has it",
    )],
    about: "lets an address or a network connect again",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(remove(cx, args)),
};

async fn remove(cx: Cx, args: Args) -> Outcome {
    let network = network(&args)?;
    let now = cx.of.clock.unix();
    let bans = &cx.of.people.bans;
    if cx.of.online.get().is_none() {
        let loaded = cx.of.store.read(|sql| bans.load(sql, now));
        loaded.map_err(|why| AdminError::failed(&why))?;
    }
    let lifted = bans.lift(&network, now);
    if lifted.is_empty() {
        let why = AdminError::argument("network", format!("{network} is not banned"));
        return Err(AdminError {
            code: Code::NotFound,
            ..why
        });
    }
    let name = lifted
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let gone = cx.of.store.change(ForgetBans(lifted)).await;
    gone.map_err(|why| AdminError::failed(&why))?;
    Answer::of(&Done::to(&name, format!("{name} may connect again")))
}
