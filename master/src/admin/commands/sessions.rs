//! Who is there, and out with one of them: `who`, `kick`.

use std::fmt;

use drftpd_protocol::wire::TlsSeen;
use serde::Serialize;

use super::super::page::{AFTER, LIMIT};
use super::super::{
    AdminError, Answer, Args, Code, Command, Cx, Kind, Listing, Outcome, Param, Permission,
};
use super::table;
use crate::ftp::SessionInfo;
use crate::transfer::Direction;

/// `who`.
pub(in crate::admin) const WHO: Command = Command {
    name: "who",
    site: &["WHO"],
    params: &[LIMIT, AFTER],
    about: "shows who is connected, and what they do",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(who(cx, args)),
};

/// `kick SESSION`.
pub(in crate::admin) const KICK: Command = Command {
    name: "kick",
    site: &["KICK"],
    params: &[Param::new(
        "session",
        Kind::Session,
        "the session's number, as who shows it",
    )],
    about: "ends a session, and the transfer it runs",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(kick(cx, args)),
};

#[derive(Serialize)]
struct Who {
    sessions: Vec<Session>,
}

#[derive(Serialize)]
struct Session {
    session: u64,
    user: Option<String>,
    peer: String,
    client: Option<String>,
    since: i64,
    idle_seconds: u64,
    cwd: String,
    verb: Option<&'static str>,
    transfer: Option<Moving>,
    tls: Option<Secure>,
    data_tls: Option<Secure>,
}

/// What a handshake agreed on.
#[derive(Serialize)]
struct Secure {
    version: String,
    cipher: String,
    resumed: bool,
}

impl From<TlsSeen> for Secure {
    fn from(seen: TlsSeen) -> Self {
        let TlsSeen {
            version,
            cipher,
            resumed,
        } = seen;
        Self {
            version,
            cipher,
            resumed,
        }
    }
}

#[derive(Serialize)]
struct Moving {
    direction: &'static str,
    path: String,
    bytes: u64,
    seconds: f64,
    bytes_per_second: u64,
}

async fn who(cx: Cx, args: Args) -> Outcome {
    let listed = cx.online()?.sessions.list().await;
    let listed = listed.map_err(|why| AdminError::failed(&why))?;
    let sessions = listed.into_iter().map(session).collect();
    Answer::page(Who { sessions }, &args)
}

impl Listing for Who {
    type Entry = Session;
    type Key = u64;

    fn entries(&mut self) -> &mut Vec<Session> {
        &mut self.sessions
    }

    fn key(entry: &Session) -> u64 {
        entry.session
    }
}

fn session(info: SessionInfo) -> Session {
    let transfer = info.transfer.as_ref().map(|moving| {
        let seconds = moving.since.elapsed().as_secs_f64();
        let rate = moving.bytes as f64 / seconds.max(0.001);
        Moving {
            direction: way(moving.direction),
            path: moving.path.to_string(),
            bytes: moving.bytes,
            seconds,
            bytes_per_second: rate as u64,
        }
    });
    Session {
        session: info.session.0,
        idle_seconds: info.idle().as_secs(),
        peer: info.peer.to_string(),
        user: info.user,
        client: info.client,
        since: info.since,
        cwd: info.cwd.to_string(),
        verb: info.verb,
        transfer,
        tls: info.tls.map(Secure::from),
        data_tls: info.data_tls.map(Secure::from),
    }
}

impl Session {
    /// TLS of the control connection, and whether the last data connection had it too.
    fn protection(&self) -> String {
        let control = self.tls.as_ref().map_or("-", |tls| &tls.version);
        let data = match &self.data_tls {
            Some(tls) if tls.resumed => ", data resumed",
            Some(_) => ", data",
            None => "",
        };
        format!("{}{data}", control.trim_start_matches("TLS "))
    }
}

/// How a direction is called, here and as an argument.
pub(crate) fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Upload => "up",
        Direction::Download => "down",
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |session: &Session| {
            let does = match (&session.transfer, session.verb) {
                (Some(moving), _) => format!(
                    "{} {} {} ({}/s)",
                    moving.direction,
                    moving.path,
                    table::size(moving.bytes),
                    table::size(moving.bytes_per_second)
                ),
                (None, Some(verb)) => format!("{verb} in {}", session.cwd),
                (None, None) => format!(
                    "idle {} in {}",
                    table::seconds(session.idle_seconds),
                    session.cwd
                ),
            };
            [
                session.session.to_string(),
                session.user.clone().unwrap_or_else(|| "-".to_owned()),
                session.peer.clone(),
                session.protection(),
                does,
            ]
        };
        let rows: Vec<_> = self.sessions.iter().map(row).collect();
        table::write(f, ["SESSION", "USER", "FROM", "TLS", "DOES"], &rows)?;
        write!(f, "{} connected", rows.len())
    }
}

#[derive(Serialize)]
struct Kicked {
    session: u64,
}

async fn kick(cx: Cx, args: Args) -> Outcome {
    let session = args.session("session")?;
    let sessions = &cx.online()?.sessions;
    let kicked = sessions.kick(session, "Ended by an operator").await;
    if !kicked.map_err(|why| AdminError::failed(&why))? {
        let why = format!("there is no session {session}");
        return Err(AdminError {
            code: Code::NotFound,
            ..AdminError::argument("session", why)
        });
    }
    Answer::of(&Kicked { session: session.0 })
}

impl fmt::Display for Kicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {} is ended", self.session)
    }
}
