//! Who is there, and out with one of them: `who`, `kick`.

use std::collections::BTreeMap;
use std::fmt;

use drftpd_protocol::VfsPath;
use drftpd_protocol::wire::TlsSeen;
use serde::Serialize;

use super::super::page::{AFTER, LIMIT};
use super::super::{
    AdminError, Answer, Args, Caller, Code, Command, Cx, Kind, Listing, Outcome, Param, Permission,
};
use super::{people, table};
use crate::accounts::Action;
use crate::ftp::SessionInfo;
use crate::rights::Target;
use crate::transfer::Direction;

/// `who`.
pub(in crate::admin) const WHO: Command = Command {
    name: "who",
    site: &["WHO", "SWHO"],
    params: &[LIMIT, AFTER],
    about: "shows who is connected, and what they do",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(who(cx, args)),
};

/// `kick SESSION|USER [WHY]`.
pub(in crate::admin) const KICK: Command = Command {
    name: "kick",
    site: &["KICK", "KILL"],
    params: &[
        Param::new(
            "session",
            Kind::Text,
            "the session's number, as who shows it, or a user, whose sessions all end",
        ),
        Param::optional("why", Kind::Rest, "what the client hears"),
    ],
    about: "ends a session, or all of a user, and the transfers they run",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(kick(cx, args)),
};

/// `kick-all [WHY]`.
pub(in crate::admin) const KICK_ALL: Command = Command {
    name: "kick-all",
    site: &["KICKALL"],
    params: &[Param::optional("why", Kind::Rest, "what the clients hear")],
    about: "ends all sessions but those of whoever says it",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(kick_all(cx, args)),
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
    show(&cx, listed.map_err(|why| AdminError::failed(&why))?, &args)
}

/// The sessions that a caller is shown: of others, operators aside, nobody who is where the permissions hide them.
pub(super) fn seen(cx: &Cx, mut listed: Vec<SessionInfo>) -> Result<Vec<SessionInfo>, AdminError> {
    let rules = cx.of.rights.rules();
    let Caller::User(caller) = &cx.caller else {
        return Ok(listed);
    };
    if caller.account.admin || !rules.hides_anybody() {
        return Ok(listed);
    }
    let mut accounts = BTreeMap::new();
    for info in &listed {
        if let Some(user) = info
            .user
            .as_ref()
            .filter(|user| !accounts.contains_key(*user))
        {
            accounts.insert(user.clone(), people::account(cx, user)?);
        }
    }
    listed.retain(|info| {
        let account = info.user.as_ref().and_then(|user| accounts.get(user));
        let hidden = account.is_some_and(|account| rules.hides_in_who(account, &info.cwd));
        info.session == caller.session || !hidden
    });
    Ok(listed)
}

/// Sessions as `who` shows them: of paths only those that the caller sees.
pub(super) fn show(cx: &Cx, listed: Vec<SessionInfo>, args: &Args) -> Outcome {
    let rules = cx.of.rights.rules();
    let listed = seen(cx, listed)?;
    // `sent`: it is what somebody else sends, and may be hidden for as long.
    let shown = |path: &VfsPath, sent: bool| {
        let seen = match &cx.caller {
            Caller::Owner | Caller::Token(_) => true,
            Caller::User(user) => {
                let judged = rules.judge(&user.account, Action::View, Target::at(path));
                judged.is_ok() && !(sent && rules.hides_uploads(&user.account, path))
            }
        };
        match seen {
            true => path.to_string(),
            false => "-".to_owned(),
        }
    };
    let me = match &cx.caller {
        Caller::User(user) => Some(user.account.name.clone()),
        Caller::Owner | Caller::Token(_) => None,
    };
    let row = |info| session(info, me.as_deref(), &shown);
    let sessions = listed.into_iter().map(row).collect();
    Answer::page(Who { sessions }, args)
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

/// A session as it is shown to somebody, who may not see every path.
fn session(
    info: SessionInfo,
    to: Option<&str>,
    shown: &dyn Fn(&VfsPath, bool) -> String,
) -> Session {
    let others = info.user.as_deref() != to;
    let transfer = info.transfer.as_ref().map(|moving| Moving {
        direction: way(moving.direction),
        path: shown(
            &moving.path,
            others && moving.direction == Direction::Upload,
        ),
        bytes: moving.bytes,
        seconds: moving.since.elapsed().as_secs_f64(),
        bytes_per_second: moving.rate(),
    });
    Session {
        session: info.session.0,
        idle_seconds: info.idle().as_secs(),
        peer: info.peer.to_string(),
        user: info.user,
        client: info.client,
        since: info.since,
        cwd: shown(&info.cwd, false),
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
    sessions: Vec<u64>,
}

/// What a kicked client hears where nothing else is said.
const WHY: &str = "Ended by an operator";

async fn kick(cx: Cx, args: Args) -> Outcome {
    let whom = args.need_text("session")?;
    let number = whom.parse::<u64>().ok();
    let is_theirs = |info: &SessionInfo| info.user.as_deref() == Some(whom);
    let wanted = |info: &SessionInfo| match number {
        Some(number) => info.session.0 == number,
        None => is_theirs(info),
    };
    let kicked = end(&cx, args.text("why"), wanted).await?;
    if kicked.is_empty() {
        let why = match number {
            Some(number) => format!("there is no session {number}"),
            None => format!("there is no session of {whom}"),
        };
        return Err(AdminError {
            code: Code::NotFound,
            ..AdminError::argument("session", why)
        });
    }
    Answer::of(&Kicked { sessions: kicked })
}

async fn kick_all(cx: Cx, args: Args) -> Outcome {
    let own = match &cx.caller {
        Caller::User(user) => Some(user.account.name.clone()),
        Caller::Owner | Caller::Token(_) => None,
    };
    let others = |info: &SessionInfo| info.user.is_none() || info.user != own;
    let sessions = end(&cx, args.text("why"), others).await?;
    Answer::of(&Kicked { sessions })
}

async fn end(
    cx: &Cx,
    why: Option<&str>,
    wanted: impl Fn(&SessionInfo) -> bool,
) -> Result<Vec<u64>, AdminError> {
    let sessions = &cx.online()?.sessions;
    let listed = sessions.list().await;
    let listed = listed.map_err(|why| AdminError::failed(&why))?;
    let mut ended = Vec::new();
    for info in listed.iter().filter(|info| wanted(info)) {
        let kicked = sessions.kick(info.session, why.unwrap_or(WHY)).await;
        if kicked.map_err(|why| AdminError::failed(&why))? {
            ended.push(info.session.0);
        }
    }
    Ok(ended)
}

impl fmt::Display for Kicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sessions.as_slice() {
            [one] => write!(f, "session {one} is ended"),
            many => write!(f, "{} sessions are ended", many.len()),
        }
    }
}
