//! Reading copies again: `scrub start`, `scrub status`, `scrub report`, `scrub pause`, `scrub resume`.

use std::fmt;

use drftpd_protocol::{NodeId, RootId, VfsPath};
use serde::Serialize;

use super::super::page::{AFTER, LIMIT, Wanted};
use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use super::table;
use super::vfs::refused;
use crate::accounts::Action;
use crate::scrub::Now;
use crate::vfs::VfsError;
use crate::vfs::scrub::{Finding, Found, Pass, Scope};

/// Findings that are shown, where nobody says how many.
const USUAL: u64 = 200;
/// Stands for a path that the caller does not see.
const HIDDEN: &str = "-";

/// `scrub start`.
pub(in crate::admin) const START: Command = Command {
    name: "scrub start",
    site: &["SCRUBSTART"],
    params: &[Param::optional(
        "what",
        Kind::Rest,
        "a root's identity, or the path of a file or directory; without it everything",
    )],
    about: "reads copies again and holds them against the file list, in the background",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(start(cx, args)),
};

/// `scrub status`.
pub(in crate::admin) const STATUS: Command = Command {
    name: "scrub status",
    site: &["SCRUBSTATUS"],
    params: &[],
    about: "shows how far each root is read again, and when that was last done",
    permission: Permission::Operator,
    changes: false,
    run: |cx, _| Box::pin(status(cx)),
};

/// `scrub report`.
pub(in crate::admin) const REPORT: Command = Command {
    name: "scrub report",
    site: &["SCRUBREPORT"],
    params: &[LIMIT, AFTER],
    about: "shows the copies that were found to be damaged, and what has become of them",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(report(cx, args)),
};

/// `scrub pause`.
pub(in crate::admin) const PAUSE: Command = Command {
    name: "scrub pause",
    site: &["SCRUBPAUSE"],
    params: &[],
    about: "stops reading copies again until scrub resume, also over a restart",
    permission: Permission::Operator,
    changes: true,
    run: |cx, _| Box::pin(pause(cx, true)),
};

/// `scrub resume`.
pub(in crate::admin) const RESUME: Command = Command {
    name: "scrub resume",
    site: &["SCRUBRESUME"],
    params: &[],
    about: "goes on reading copies again where scrub pause stopped it",
    permission: Permission::Operator,
    changes: true,
    run: |cx, _| Box::pin(pause(cx, false)),
};

fn failed(why: VfsError) -> AdminError {
    AdminError::failed(&why)
}

#[derive(Serialize)]
struct Started {
    /// Roots that are read, or will be as soon as they are there.
    roots: usize,
    paused: bool,
}

async fn start(cx: Cx, args: Args) -> Outcome {
    let online = cx.online()?;
    let scope = scope(args.text("what"))?;
    if let Scope::Below(path) = &scope {
        let seen = cx.view()?.target(path, Action::View).await;
        seen.map_err(|why| refused("what", why))?;
    }
    let roots = online.vfs.begin_passes(scope).await;
    let roots = roots.map_err(|why| match why {
        VfsError::UnknownRoot(_) | VfsError::NotFound(_) => AdminError {
            code: Code::NotFound,
            ..AdminError::argument("what", &why)
        },
        why => failed(why),
    })?;
    online.scrub.look();
    let (_, paused) = online.vfs.passes().await.map_err(failed)?;
    Answer::of(&Started { roots, paused })
}

fn scope(what: Option<&str>) -> Result<Scope, AdminError> {
    let Some(text) = what else {
        return Ok(Scope::Everything);
    };
    if text.starts_with('/') {
        let path = VfsPath::absolute(text.as_bytes());
        let path = path.map_err(|why| AdminError::argument("what", why))?;
        return Ok(match path.is_root() {
            true => Scope::Everything,
            false => Scope::Below(path),
        });
    }
    let root = text.parse::<RootId>();
    let why = "must be a root's identity, as root list shows it, or a path that begins with /";
    root.map(Scope::Root)
        .map_err(|_| AdminError::argument("what", why))
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paused = if self.paused {
            ", as soon as scrub resume is said"
        } else {
            ""
        };
        write!(f, "{} roots are read again{paused}", self.roots)
    }
}

#[derive(Serialize)]
struct Status {
    automatic: bool,
    every_seconds: u64,
    paused: bool,
    passes: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    root: RootId,
    /// What it is about, where it is not the whole root.
    path: Option<String>,
    runs: bool,
    began: i64,
    ended: Option<i64>,
    files: u64,
    bytes: u64,
    damaged: u64,
    /// What is read now.
    reading: Option<String>,
    /// Why it does not go on now.
    waits: Option<String>,
}

async fn status(cx: Cx) -> Outcome {
    let online = cx.online()?;
    let (passes, paused) = online.vfs.passes().await.map_err(failed)?;
    let now = online.scrub.now();
    let view = cx.view()?;
    let mut shown = Vec::with_capacity(passes.len());
    for pass in passes {
        let path = match pass.below {
            NodeId::ROOT => None,
            below => online.vfs.path_of(below).await.ok(),
        };
        let now = now.get(&pass.root).filter(|_| pass.runs);
        let mut pass = show(pass, path.as_ref(), now);
        if path.is_some_and(|path| !view.sees(&path)) {
            pass.path = Some(HIDDEN.to_owned());
        }
        if matches!(now, Some(Now::Reads(path)) if !view.sees(path)) {
            pass.reading = Some(HIDDEN.to_owned());
        }
        shown.push(pass);
    }
    let config = &cx.of.config.scrub;
    Answer::of(&Status {
        automatic: config.automatic,
        every_seconds: config.every.as_secs(),
        paused,
        passes: shown,
    })
}

fn show(pass: Pass, path: Option<&VfsPath>, now: Option<&Now>) -> Shown {
    let (reading, waits) = match now {
        Some(Now::Reads(path)) => (Some(path.to_string()), None),
        Some(Now::Waits(why)) => (None, Some(why.clone())),
        None => (None, None),
    };
    Shown {
        root: pass.root,
        path: path.map(ToString::to_string),
        runs: pass.runs,
        began: pass.began,
        ended: pass.ended,
        files: pass.files,
        bytes: pass.bytes,
        damaged: pass.damaged,
        reading,
        waits,
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |pass: &Shown| {
            let state = match (pass.runs, &pass.waits, &pass.reading) {
                (false, ..) => "done".to_owned(),
                (true, ..) if self.paused => "paused".to_owned(),
                (true, Some(why), _) => format!("waits: {why}"),
                (true, None, Some(path)) => format!("reads {path}"),
                (true, None, None) => "waits for its slave".to_owned(),
            };
            let state = match (pass.runs, pass.ended) {
                (false, None) => "not yet".to_owned(),
                _ => state,
            };
            [
                pass.root.to_string(),
                pass.path.clone().unwrap_or_else(|| "/".to_owned()),
                table::moment(pass.began),
                pass.ended.map_or_else(|| "-".to_owned(), table::moment),
                pass.files.to_string(),
                table::size(pass.bytes),
                pass.damaged.to_string(),
                state,
            ]
        };
        let rows: Vec<_> = self.passes.iter().map(row).collect();
        let heading = [
            "ROOT", "BELOW", "SINCE", "ENDED", "FILES", "READ", "DAMAGED", "STATE",
        ];
        table::write(f, heading, &rows)?;
        let every = table::seconds(self.every_seconds);
        match (self.paused, self.automatic) {
            (true, _) => write!(f, "paused: scrub resume goes on"),
            (false, true) => write!(f, "every root is read again every {every}"),
            (false, false) => write!(f, "scrub.automatic is off: scrub start begins"),
        }
    }
}

#[derive(Serialize)]
struct Report {
    /// How many there are; not all are shown.
    found: u64,
    findings: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    path: String,
    slave: String,
    root: RootId,
    since: i64,
    why: String,
    /// `damaged`, `repairing`, `repaired` or `gone`.
    state: &'static str,
}

async fn report(cx: Cx, args: Args) -> Outcome {
    let page: Wanted<u64> = Wanted::of(&args, USUAL)?;
    let online = cx.online()?;
    let findings = online.vfs.scrub_findings(page.after, page.reads()).await;
    let mut findings = findings.map_err(failed)?;
    let next = page.cut(&mut findings, |finding| finding.id);
    let found = online.vfs.count_scrub_findings().await.map_err(failed)?;
    let view = cx.view()?;
    let mut told = Vec::with_capacity(findings.len());
    for finding in findings {
        // Where the file is now, if it is there.
        let now = online.vfs.path_of(finding.file.node).await;
        let was = || VfsPath::absolute(finding.path.as_bytes()).ok();
        let seen = now.as_ref().ok().cloned().or_else(was);
        if cx.account().is_some() && seen.is_none_or(|path| !view.sees(&path)) {
            continue;
        }
        let path = now.map_or(finding.path.clone(), |path| path.to_string());
        told.push(tell(path, finding));
    }
    let findings = told;
    Answer::before(&Report { found, findings }, next)
}

fn tell(path: String, finding: Finding) -> Told {
    let state = match finding.now {
        Found::Damaged => "damaged",
        Found::Repairing => "repairing",
        Found::Repaired => "repaired",
        Found::Gone => "gone",
    };
    Told {
        path,
        slave: finding.slave,
        root: finding.root,
        since: finding.since,
        why: finding.why,
        state,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |told: &Told| {
            [
                told.state.to_owned(),
                told.path.clone(),
                told.slave.clone(),
                told.root.to_string(),
                table::moment(told.since),
                told.why.clone(),
            ]
        };
        let rows: Vec<_> = self.findings.iter().map(row).collect();
        let heading = ["STATE", "FILE", "SLAVE", "ROOT", "FOUND", "WHAT"];
        table::write(f, heading, &rows)?;
        write!(f, "{} copies were found to be damaged", self.found)
    }
}

#[derive(Serialize)]
struct Paused {
    paused: bool,
}

async fn pause(cx: Cx, paused: bool) -> Outcome {
    let online = cx.online()?;
    online.vfs.pause_scrub(paused).await.map_err(failed)?;
    online.scrub.look();
    Answer::of(&Paused { paused })
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.paused {
            true => write!(f, "nothing is read again until scrub resume"),
            false => write!(f, "copies are read again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_read_is_everything_a_root_or_a_path() {
        let path = VfsPath::absolute(b"/a/b").unwrap();
        let root = RootId([0xAB; 16]);
        for (text, is) in [
            (None, Scope::Everything),
            (Some("/"), Scope::Everything),
            (Some("/a/b"), Scope::Below(path)),
            (Some(root.to_string().as_str()), Scope::Root(root)),
        ] {
            assert_eq!(scope(text).unwrap(), is);
        }
        assert!(scope(Some("a/b")).is_err());
    }
}
