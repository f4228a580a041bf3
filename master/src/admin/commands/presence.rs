//! Who does what now: `idlers`, `uploaders`, `leechers`, `speed`, `bw`.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::super::page::{AFTER, LIMIT};
use super::super::{AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::sessions::show;
use super::table;
use crate::ftp::SessionInfo;
use crate::transfer::Direction;

/// Who has said nothing for so long idles.
const IDLES: Duration = Duration::from_secs(60);

async fn some(cx: Cx, args: Args, wanted: impl Fn(&SessionInfo) -> bool) -> Outcome {
    let listed = cx.online()?.sessions.list().await;
    let mut listed = listed.map_err(|why| AdminError::failed(&why))?;
    listed.retain(wanted);
    show(&cx, listed, &args)
}

fn moves(info: &SessionInfo, way: Direction) -> bool {
    info.transfer
        .as_ref()
        .is_some_and(|moving| moving.direction == way)
}

/// `idlers`.
pub(in crate::admin) const IDLERS: Command = Command {
    name: "idlers",
    site: &["IDLERS"],
    params: &[LIMIT, AFTER],
    about: "shows who is logged in and does nothing",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| {
        Box::pin(some(cx, args, |info| {
            info.user.is_some() && info.idle() >= IDLES
        }))
    },
};

/// `uploaders`.
pub(in crate::admin) const UPLOADERS: Command = Command {
    name: "uploaders",
    site: &["UPLOADERS"],
    params: &[LIMIT, AFTER],
    about: "shows who sends files",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(some(cx, args, |info| moves(info, Direction::Upload))),
};

/// `leechers`.
pub(in crate::admin) const LEECHERS: Command = Command {
    name: "leechers",
    site: &["LEECHERS"],
    params: &[LIMIT, AFTER],
    about: "shows who takes files",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(some(cx, args, |info| moves(info, Direction::Download))),
};

/// `speed USER`.
pub(in crate::admin) const SPEED: Command = Command {
    name: "speed",
    site: &["SPEED"],
    params: &[
        Param::new("user", Kind::Text, "the user's name"),
        LIMIT,
        AFTER,
    ],
    about: "shows the transfers of one user",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(speed(cx, args)),
};

async fn speed(cx: Cx, args: Args) -> Outcome {
    let user = args.need_text("user")?.to_owned();
    some(cx, args, move |info| {
        info.transfer.is_some() && info.user.as_deref() == Some(user.as_str())
    })
    .await
}

/// `bw`.
pub(in crate::admin) const BANDWIDTH: Command = Command {
    name: "bw",
    site: &["BW"],
    params: &[],
    about: "sums up who does what, and how fast",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, _| Box::pin(bandwidth(cx)),
};

/// Transfers one way.
#[derive(Serialize, Default)]
struct Way {
    transfers: usize,
    bytes_per_second: u64,
}

#[derive(Serialize, Default)]
struct Bandwidth {
    up: Way,
    down: Way,
    idle: usize,
    busy: usize,
    sessions: usize,
}

async fn bandwidth(cx: Cx) -> Outcome {
    let listed = cx.online()?.sessions.list().await;
    let listed = listed.map_err(|why| AdminError::failed(&why))?;
    Answer::of(&sum(&super::sessions::seen(&cx, listed)?))
}

fn sum(listed: &[SessionInfo]) -> Bandwidth {
    let mut sum = Bandwidth::default();
    for info in listed.iter().filter(|info| info.user.is_some()) {
        sum.sessions += 1;
        match &info.transfer {
            Some(moving) => {
                let way = match moving.direction {
                    Direction::Upload => &mut sum.up,
                    Direction::Download => &mut sum.down,
                };
                way.transfers += 1;
                let rate = moving.rate();
                way.bytes_per_second = way.bytes_per_second.saturating_add(rate);
            }
            None if info.idle() >= IDLES => sum.idle += 1,
            None => sum.busy += 1,
        }
    }
    sum
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |name: &str, way: &Way| {
            let speed = format!("{}/s", table::size(way.bytes_per_second));
            [name.to_owned(), way.transfers.to_string(), speed]
        };
        let both = Way {
            transfers: self.up.transfers + self.down.transfers,
            bytes_per_second: self
                .up
                .bytes_per_second
                .saturating_add(self.down.bytes_per_second),
        };
        let rows = [
            row("up", &self.up),
            row("down", &self.down),
            row("both", &both),
        ];
        table::write(f, ["WAY", "TRANSFERS", "SPEED"], &rows)?;
        write!(f, "{} logged in, {} idle", self.sessions, self.idle)
    }
}
