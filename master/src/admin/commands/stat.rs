//! `stat`: how the cluster does, on one page.

use std::fmt;

use drftpd_protocol::NodeId;
use drftpd_protocol::wire::RootState;
use serde::Serialize;

use super::super::{AdminError, Answer, Command, Cx, Online, Outcome, Permission};
use super::{roots, table};
use crate::config::MasterConfig;
use crate::store::{Durability, Sql, StoreError};
use crate::transfer::Direction;
use crate::vfs::{damaged, recovering};

/// `stat`.
pub(crate) const STAT: Command = Command {
    name: "stat",
    site: &["STAT"],
    params: &[],
    about: "shows how the cluster does: sessions, transfers, slaves, the store, weak settings",
    permission: Permission::Operator,
    changes: false,
    run: |cx, _| Box::pin(stat(cx)),
};

#[derive(Serialize)]
struct Stat {
    version: &'static str,
    running: Option<Running>,
    tree: Tree,
    store: StoreStat,
    roots_known: usize,
    operations_waiting: u64,
    recovery: bool,
    damaged_copies: u64,
    damaged_files: u64,
    slaves_known: usize,
    weak_settings: Vec<String>,
}

/// What only a running master knows.
#[derive(Serialize)]
struct Running {
    uptime_seconds: u64,
    draining: bool,
    ftp: Vec<String>,
    slave_port: String,
    sessions: usize,
    logged_in: usize,
    uploads: usize,
    downloads: usize,
    slaves_online: usize,
    roots_present: usize,
    receiving: u64,
    sending: u64,
    relays: usize,
    relays_most: usize,
    relayed_to_clients: u64,
    relayed_to_slaves: u64,
    late_arbiters: Vec<String>,
    silent_actors: Vec<String>,
    events_dropped: u64,
}

#[derive(Serialize)]
struct Tree {
    files: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct StoreStat {
    id: String,
    epoch: u64,
    durability: &'static str,
    file_bytes: u64,
}

async fn stat(cx: Cx) -> Outcome {
    let failed = |why: StoreError| AdminError::failed(&why);
    let store = &cx.of.store;
    let roots = store.read(roots::rows).map_err(failed)?;
    let slaves = cx.of.enroll.list().map_err(failed)?;
    let running = match cx.of.online.get() {
        Some(online) => Some(running(online, &cx.of.config).await?),
        None => None,
    };
    let (damaged_copies, damaged_files) = store.read(damaged).map_err(failed)?;
    let identity = store.identity();
    Answer::of(&Stat {
        version: env!("CARGO_PKG_VERSION"),
        running,
        tree: store.read(tree).map_err(failed)?,
        store: StoreStat {
            id: identity.store.to_string(),
            epoch: identity.epoch.0,
            durability: durability(&cx.of.config),
            file_bytes: file_bytes(store.folder()),
        },
        roots_known: roots.len(),
        operations_waiting: roots.iter().map(|root| root.waiting).sum(),
        recovery: store.read(recovering).map_err(failed)?,
        damaged_copies,
        damaged_files,
        slaves_known: slaves.iter().filter(|row| row.revoked.is_none()).count(),
        weak_settings: cx.of.weak_settings(),
    })
}

/// The totals of the whole tree, which every change keeps up to date.
fn tree(sql: &Sql<'_>) -> Result<Tree, StoreError> {
    let text = "SELECT files, size FROM node WHERE id = ?1";
    let root = crate::store::number(NodeId::ROOT.0);
    let found = sql.get(text, [root], |row| {
        Ok(Tree {
            files: crate::store::id(row, 0)?,
            bytes: crate::store::id(row, 1)?,
        })
    })?;
    Ok(found.unwrap_or(Tree { files: 0, bytes: 0 }))
}

fn durability(config: &MasterConfig) -> &'static str {
    match config.store.durability {
        Durability::Full => "full",
        Durability::Relaxed => "relaxed",
    }
}

/// Bytes of the store's files.
fn file_bytes(folder: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|meta| meta.len())
        .sum()
}

async fn running(online: &Online, config: &MasterConfig) -> Result<Running, AdminError> {
    let sessions = online.sessions.list().await;
    let sessions = sessions.map_err(|why| AdminError::failed(&why))?;
    let moving = |way: Direction| {
        let of = sessions.iter().filter_map(|s| s.transfer.as_ref());
        of.filter(|moving| moving.direction == way).count()
    };
    let relays = online.data.relays.counts();
    let views = online.slaves.views().borrow().clone();
    let here = views.values().flat_map(|view| &view.roots);
    let health = online.health.snapshot();
    let late = |lag: std::time::Duration| lag > config.admin.alive_within;
    let arbiters = health.arbiters.into_iter().filter(|a| late(a.lag));
    let silent = health.actors.into_iter().filter(|a| a.waited.is_none());
    Ok(Running {
        uptime_seconds: online.since.elapsed().as_secs(),
        draining: online.drain.is_draining(),
        ftp: online.ftp.iter().map(ToString::to_string).collect(),
        slave_port: online.slaves.address().to_string(),
        sessions: sessions.len(),
        logged_in: sessions.iter().filter(|s| s.user.is_some()).count(),
        uploads: moving(Direction::Upload),
        downloads: moving(Direction::Download),
        slaves_online: views.len(),
        roots_present: here.filter(|root| root.state != RootState::Absent).count(),
        receiving: views.values().map(|view| view.receiving).sum(),
        sending: views.values().map(|view| view.sending).sum(),
        relays: relays.running,
        relays_most: online.data.passive.relay_max,
        relayed_to_clients: relays.to_client,
        relayed_to_slaves: relays.to_slave,
        late_arbiters: arbiters.map(|arbiter| arbiter.name).collect(),
        silent_actors: silent.map(|actor| actor.name).collect(),
        events_dropped: online.bus.drops().iter().map(|drop| drop.dropped).sum(),
    })
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "drftpd-master {}", self.version)?;
        match &self.running {
            Some(running) => running.fmt(f)?,
            None => writeln!(f, "not running")?,
        }
        writeln!(
            f,
            "slaves: {} known, roots: {} known, operations waiting for roots: {}",
            self.slaves_known, self.roots_known, self.operations_waiting
        )?;
        if self.recovery {
            writeln!(
                f,
                "RECOVERY: disks have files that this store never knew; see root differences, then recovery end"
            )?;
        }
        if self.damaged_copies > 0 {
            let (copies, files) = (self.damaged_copies, self.damaged_files);
            writeln!(
                f,
                "DAMAGED: {copies} copies; of {files} files there is no good one; see scrub report"
            )?;
        }
        writeln!(
            f,
            "tree: {} files, {}",
            self.tree.files,
            table::size(self.tree.bytes)
        )?;
        writeln!(
            f,
            "store: {} of epoch {}, durability {}, {} on disk",
            self.store.id,
            self.store.epoch,
            self.store.durability,
            table::size(self.store.file_bytes)
        )?;
        for weak in &self.weak_settings {
            writeln!(f, "weak: {weak}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drains = if self.draining { ", draining" } else { "" };
        writeln!(f, "up {}{drains}", table::seconds(self.uptime_seconds))?;
        writeln!(
            f,
            "ftp at {}, slaves at {}",
            self.ftp.join(" "),
            self.slave_port
        )?;
        writeln!(
            f,
            "sessions: {} ({} logged in), uploads: {} ({}/s), downloads: {} ({}/s)",
            self.sessions,
            self.logged_in,
            self.uploads,
            table::size(self.receiving),
            self.downloads,
            table::size(self.sending)
        )?;
        writeln!(
            f,
            "online: {} slaves with {} roots",
            self.slaves_online, self.roots_present
        )?;
        writeln!(
            f,
            "relays: {} of {}, forwarded to clients: {}, to slaves: {}",
            self.relays,
            self.relays_most,
            table::size(self.relayed_to_clients),
            table::size(self.relayed_to_slaves)
        )?;
        for (what, names) in [
            ("late arbiters", &self.late_arbiters),
            ("silent actors", &self.silent_actors),
        ] {
            if !names.is_empty() {
                writeln!(f, "{what}: {}", names.join(" "))?;
            }
        }
        if self.events_dropped > 0 {
            writeln!(f, "events dropped: {}", self.events_dropped)?;
        }
        Ok(())
    }
}
