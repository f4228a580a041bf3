//! The command `tally show`: by SITE TALLY, `ctl tally show` and `POST /api/v1/tally/show`.

use std::fmt;

use drftpd_master::admin::{
    AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission,
};
use drftpd_master::extend::Shelf;
use serde::Serialize;

use crate::tally::{NAME, Sent};

/// Its line in the table.
pub static SHOW: Command = Command {
    name: "tally show",
    site: &["TALLY"],
    params: &[Param::new("user", Kind::Text, "whose")],
    about: "shows what somebody has sent",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(show(&cx, &args))),
};

#[derive(Serialize)]
struct Shown {
    user: String,
    files: u64,
    bytes: u64,
}

fn show(cx: &Cx, args: &Args) -> Outcome {
    let shelf = cx.plugin::<Shelf>(NAME)?;
    let user = args.text("user").unwrap_or_default().to_owned();
    let sent = shelf.get::<Sent>(&user);
    let sent = sent
        .map_err(|why| AdminError::failed(&why))?
        .unwrap_or_default();
    Answer::of(&Shown {
        user,
        files: sent.files,
        bytes: sent.bytes,
    })
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, files, bytes } = self;
        write!(f, "{user} has sent {files} files, {bytes} bytes")
    }
}
