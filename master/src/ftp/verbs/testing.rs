//! Verbs that only tests have: what a session does with a verb, without the areas behind the real ones. And what tests
//! of data connections read out of replies.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::Reply;
use tokio::time::sleep;

use super::{Arg, Change, Done, Gate, Kind, Verb, VerbResult};
use crate::ftp::guard::Cleanup;
use crate::ftp::services::VerbCx;
use crate::transfer::Direction;

/// Panics.
pub(super) const XTESTPANIC: Verb = Verb {
    name: "XTESTPANIC",
    syntax: "XTESTPANIC",
    gate: Gate::Anyone,
    run: |_, _| Box::pin(async { panic!("as the test wants it") }),
    ..Verb::PLAIN
};

/// REST, which belongs to another family.
pub(super) const XTESTREST: Verb = Verb {
    name: "XTESTREST",
    syntax: "XTESTREST <SP> offset",
    run: |_, arg| {
        let offset = String::from_utf8_lossy(&arg).parse().unwrap();
        let done = Done::with(Reply::pending("Go on"), Change::Rest(offset));
        Box::pin(std::future::ready(Ok(done)))
    },
    ..Verb::PLAIN
};

/// Shows what the next transfer would see of REST, RNFR and PRET.
pub(super) const XTESTSTATE: Verb = Verb {
    name: "XTESTSTATE",
    syntax: "XTESTSTATE",
    run: |cx, _| {
        let state = &cx.state;
        let text = format!("{:?} {:?}", state.rest, state.rename_from);
        Box::pin(std::future::ready(Ok(Reply::new(200, text).into())))
    },
    ..Verb::PLAIN
};

/// Says more than any socket holds.
pub(super) const XTESTTALK: Verb = Verb {
    name: "XTESTTALK",
    syntax: "XTESTTALK",
    run: |cx, _| Box::pin(talk(cx)),
    ..Verb::PLAIN
};

async fn talk(cx: VerbCx) -> VerbResult {
    let page = Bytes::from(b"200-talk\r\n".repeat(1_000));
    for _ in 0..1_000 {
        cx.say_bytes(page.clone()).await?;
    }
    Ok(Reply::ok().into())
}

/// Runs like a transfer for so many seconds, and takes one more to give back what it holds.
pub(super) const XTESTWAIT: Verb = Verb {
    name: "XTESTWAIT",
    syntax: "XTESTWAIT <SP> seconds",
    kind: Kind::Data,
    run: |cx, arg| Box::pin(wait(cx, arg)),
    ..Verb::PLAIN
};

async fn wait(cx: VerbCx, arg: Arg) -> VerbResult {
    let _held = Held(cx.cleanup.clone());
    let seconds = String::from_utf8_lossy(&arg).parse().unwrap();
    cx.live.transfer_began(VfsPath::root(), Direction::Download);
    cx.live.transfer_moved(42);
    cx.say(Reply::opening_data()).await?;
    sleep(Duration::from_secs(seconds)).await;
    Ok(Reply::transfer_complete().into())
}

/// What a slave holds for a transfer.
struct Held(Cleanup);

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.uncut(sleep(Duration::from_secs(1))));
    }
}

/// The address in a 227.
pub(crate) fn address(reply: &str) -> SocketAddr {
    let numbers = reply.split(['(', ')']).nth(1).unwrap();
    let at = drftpd_protocol::ftp::args::port(numbers.as_bytes());
    at.unwrap_or_else(|why| panic!("{reply}: {why}")).into()
}

/// The port in a 229.
pub(crate) fn port(reply: &str) -> u16 {
    let fields = reply.split(['(', ')']).nth(1).unwrap();
    let port = fields.split('|').nth(3).unwrap();
    port.parse().unwrap_or_else(|why| panic!("{reply}: {why}"))
}
