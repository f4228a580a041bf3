//! Which slaves belong to the cluster: `slave add`, `slave list`, `slave remove`.

use std::collections::BTreeMap;
use std::fmt;

use drftpd_protocol::SlaveId;
use serde::Serialize;

use super::super::page::{AFTER, LIMIT};
use super::super::{
    AdminError, Answer, Args, Code, Command, Cx, Kind, Listing, Outcome, Param, Permission,
};
use super::table;
use crate::slaves::{EnrollError, SlaveRow, SlaveView, SlaveViews};

/// `slave add NAME [again]`.
pub(in crate::admin) const ADD: Command = Command {
    name: "slave add",
    site: &["ADDSLAVE"],
    params: &[
        Param::new("name", Kind::Slave, "the new slave's name"),
        Param::optional(
            "again",
            Kind::Switch,
            "also if that slave is there: it may join once more",
        ),
    ],
    about: "makes a token with which one machine may join as a slave",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(add(cx, args)),
};

/// `slave list`.
pub(in crate::admin) const LIST: Command = Command {
    name: "slave list",
    site: &["SLAVES"],
    params: &[LIMIT, AFTER],
    about: "shows all slaves, and what those that are online have",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(list(&cx, &args))),
};

/// `slave remove NAME`.
pub(in crate::admin) const REMOVE: Command = Command {
    name: "slave remove",
    site: &["DELSLAVE"],
    params: &[Param::new("name", Kind::Slave, "the slave's name")],
    about: "takes a slave out of the cluster; its files stay in the file list",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(remove(cx, args)),
};

#[derive(Serialize)]
struct Added {
    name: SlaveId,
    token: String,
    expires: i64,
    master: String,
}

async fn add(cx: Cx, args: Args) -> Outcome {
    let name = args.slave("name")?;
    let rows = cx
        .of
        .enroll
        .list()
        .map_err(|why| AdminError::failed(&why))?;
    // One that was added and never joined is not in anybody's way.
    let waits = rows.iter().any(|row| row.name == *name && row.joined == 0);
    let token = cx.of.enroll.add(name, waits || args.said("again")).await;
    let token = token.map_err(|why| refused("name", &why))?;
    let lifetime = cx.of.config.slaves.token_lifetime.as_secs();
    let expires = cx.of.clock.unix() + i64::try_from(lifetime).unwrap_or(i64::MAX / 2);
    let online = cx.of.online.get();
    let listens = online.map_or(cx.of.config.slaves.listen, |online| online.slaves.address());
    Answer::of(&Added {
        name: name.clone(),
        token: token.to_string(),
        expires,
        master: listens.to_string(),
    })
}

impl Added {
    fn join(&self) -> String {
        format!(
            "drftpd-slave join --master {} --token {} --root DIR --config FILE",
            self.master, self.token
        )
    }
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "token {}", self.token)?;
        writeln!(
            f,
            "One use, until {}. On the new machine:",
            table::moment(self.expires)
        )?;
        write!(f, "{}", self.join())
    }
}

pub(super) fn refused(field: &str, why: &EnrollError) -> AdminError {
    let code = match why {
        EnrollError::Exists(_) => Code::Exists,
        EnrollError::Unknown(_) => Code::NotFound,
        _ => return AdminError::failed(why),
    };
    AdminError {
        code,
        ..AdminError::argument(field, why)
    }
}

#[derive(Serialize)]
struct Removed {
    name: SlaveId,
}

async fn remove(cx: Cx, args: Args) -> Outcome {
    let name = args.slave("name")?;
    let removed = match cx.of.online.get() {
        Some(online) => online.slaves.remove(name).await,
        None => cx.of.enroll.remove(name).await,
    };
    removed.map_err(|why| refused("name", &why))?;
    Answer::of(&Removed { name: name.clone() })
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "slave {} is removed, its certificate is worthless",
            self.name
        )
    }
}

#[derive(Serialize)]
struct Listed {
    slaves: Vec<Slave>,
}

#[derive(Serialize)]
struct Slave {
    name: SlaveId,
    state: &'static str,
    address: Option<String>,
    roots: usize,
    total: u64,
    free: u64,
    transfers: u32,
    receiving: u64,
    sending: u64,
    joined: Option<i64>,
    since: Option<i64>,
    drained: Option<i64>,
    evacuated: Option<i64>,
    maintenance: Option<i64>,
}

fn list(cx: &Cx, args: &Args) -> Outcome {
    let rows = cx
        .of
        .enroll
        .list()
        .map_err(|why| AdminError::failed(&why))?;
    let online = cx.of.online.get();
    let views: Option<SlaveViews> = online.map(|online| online.slaves.views().borrow().clone());
    let views = views.unwrap_or_default();
    let known = rows.into_iter().filter(|row| row.revoked.is_none());
    let slaves = known.map(|row| slave(row, &views, online.is_some()));
    let slaves = slaves.collect();
    Answer::page(Listed { slaves }, args)
}

impl Listing for Listed {
    type Entry = Slave;
    type Key = String;

    fn entries(&mut self) -> &mut Vec<Slave> {
        &mut self.slaves
    }

    fn key(entry: &Slave) -> String {
        entry.name.to_string()
    }
}

fn slave(row: SlaveRow, views: &BTreeMap<SlaveId, SlaveView>, running: bool) -> Slave {
    let view = views.get(&row.name);
    let state = match view {
        Some(view) if !view.held.is_empty() => "held",
        Some(view) if view.remerging => "remerging",
        Some(_) => "online",
        None if row.joined == 0 => "invited",
        None if running => "offline",
        None => "unknown",
    };
    let (total, free) = view.map_or((0, 0), space);
    Slave {
        state,
        address: view.map(|view| view.address.to_string()),
        roots: view.map_or(0, |view| view.roots.len()),
        total,
        free,
        transfers: view.map_or(0, |view| view.transfers),
        receiving: view.map_or(0, |view| view.receiving),
        sending: view.map_or(0, |view| view.sending),
        joined: (row.joined != 0).then_some(row.joined),
        since: view.map(|view| view.since),
        drained: row.drained,
        evacuated: row.evacuated,
        maintenance: row.maintenance,
        name: row.name,
    }
}

impl Slave {
    /// Its state, with what was decided about it: one that is worked on is neither up nor down.
    fn stands(&self) -> String {
        let state = self.maintenance.map_or(self.state, |_| "maintenance");
        match (self.evacuated, self.drained) {
            (Some(_), _) => format!("{state}, evacuated"),
            (None, Some(_)) => format!("{state}, drained"),
            (None, None) => state.to_owned(),
        }
    }
}

/// All and free space, roots of one filesystem counted once.
fn space(view: &SlaveView) -> (u64, u64) {
    let disks: BTreeMap<u64, (u64, u64)> = view
        .roots
        .iter()
        .map(|root| (root.filesystem, (root.total, root.free)))
        .collect();
    let add = |sum: (u64, u64), disk: &(u64, u64)| (sum.0 + disk.0, sum.1 + disk.1);
    disks.values().fold((0, 0), add)
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |slave: &Slave| {
            [
                slave.name.to_string(),
                slave.stands(),
                slave.address.clone().unwrap_or_else(|| "-".to_owned()),
                slave.roots.to_string(),
                format!(
                    "{} of {}",
                    table::size(slave.free),
                    table::size(slave.total)
                ),
                slave.transfers.to_string(),
                format!("{}/s", table::size(slave.receiving)),
                format!("{}/s", table::size(slave.sending)),
            ]
        };
        let rows: Vec<_> = self.slaves.iter().map(row).collect();
        let heading = [
            "SLAVE",
            "STATE",
            "FROM",
            "ROOTS",
            "FREE",
            "TRANSFERS",
            "IN",
            "OUT",
        ];
        table::write(f, heading, &rows)?;
        write!(f, "{} slaves", rows.len())
    }
}
