//! What lies where: LIST NLST MLSD over a data connection, MLST and STAT over the control connection.

use std::sync::Arc;

use bytes::BytesMut;
use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::args::ListArgs;
use drftpd_protocol::ftp::args::TransferType;
use drftpd_protocol::ftp::listing::mlst_reply;
use drftpd_protocol::ftp::reply::{Reply, Text, render_opening, render_page};

use super::{Arg, Feat, Kind, Verb, VerbResult, WhileBusy};
use crate::accounts::Action;
use crate::ftp::data::listing::{self, Listing, Style, Subject};
use crate::ftp::data::{Endpoint, own};
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::rights::{At, Here};
use crate::slaves::shown_roots;
use crate::transfer::Direction;
use crate::vfs::{self, Entry, VfsError};

/// `LIST` (RFC 959), as `ls -l` shows a directory or a file. Options are taken and mean nothing, patterns work in the
/// last name.
pub(super) const LIST: Verb = Verb {
    name: "LIST",
    syntax: "LIST [<SP> pathname]",
    kind: Kind::Data,
    run: |cx, arg| Box::pin(list(cx, arg)),
    ..Verb::PLAIN
};

async fn list(mut cx: VerbCx, arg: Arg) -> VerbResult {
    let endpoint = cx.endpoint.take();
    let found = find(&cx, &arg).await?;
    let now = cx.services.clock.unix();
    over_data(cx, endpoint, found, Style::Long { now }).await
}

/// `NLST` (RFC 959): names alone, so that each can be used in the next verb.
pub(super) const NLST: Verb = Verb {
    name: "NLST",
    syntax: "NLST [<SP> pathname]",
    kind: Kind::Data,
    run: |cx, arg| Box::pin(nlst(cx, arg)),
    ..Verb::PLAIN
};

async fn nlst(mut cx: VerbCx, arg: Arg) -> VerbResult {
    let endpoint = cx.endpoint.take();
    let found = find(&cx, &arg).await?;
    let style = if found.long {
        let now = cx.services.clock.unix();
        Style::Long { now }
    } else {
        let prefix = found.prefix.clone();
        Style::Names { prefix }
    };
    over_data(cx, endpoint, found, style).await
}

/// `MLSD` (RFC 3659, section 7): a directory's entries with their facts.
pub(super) const MLSD: Verb = Verb {
    name: "MLSD",
    syntax: "MLSD [<SP> pathname]",
    kind: Kind::Data,
    run: |cx, arg| Box::pin(mlsd(cx, arg)),
    ..Verb::PLAIN
};

async fn mlsd(mut cx: VerbCx, arg: Arg) -> VerbResult {
    let endpoint = cx.endpoint.take();
    let (path, entry) = look_up(&cx, &arg).await?;
    if entry.kind != vfs::Kind::Dir {
        return Err(FtpError::Said(Reply::new(501, "Not a directory")));
    }
    let found = Found::inside(path, entry);
    let style = Style::Machine(cx.state.facts);
    over_data(cx, endpoint, found, style).await
}

/// `MLST` (RFC 3659, section 7): the facts of one entry.
pub(super) const MLST: Verb = Verb {
    name: "MLST",
    syntax: "MLST [<SP> pathname]",
    feat: Feat::Of(|state| state.facts.feature()),
    run: |cx, arg| Box::pin(mlst(cx, arg)),
    ..Verb::PLAIN
};

async fn mlst(cx: VerbCx, arg: Arg) -> VerbResult {
    let shown = cx.path(&arg)?.to_bytes();
    let (path, entry) = look_up(&cx, &arg).await?;
    let facts = cx.state.facts;
    let name = path.name().map_or(&b"/"[..], |name| name.as_bytes());
    let here = here(&cx, &path.parent().unwrap_or_default())?;
    let entry = listing::shown(&here, &entry, &path, name, facts);
    Ok(mlst_reply(&entry, &shown, facts).into())
}

/// `STAT` (RFC 959): alone, the session and its transfer; with options or a path, a listing over the control
/// connection. Clients that race ask for it many times a second.
pub(super) const STAT: Verb = Verb {
    name: "STAT",
    syntax: "STAT [<SP> pathname]",
    while_busy: WhileBusy::Bare,
    run: |cx, arg| Box::pin(stat(cx, arg)),
    ..Verb::PLAIN
};

async fn stat(cx: VerbCx, arg: Arg) -> VerbResult {
    if arg.is_blank() {
        return Ok(status(&cx).into());
    }
    cx.may_list_here()?;
    let found = find(&cx, &arg).await?;
    let now = cx.services.clock.unix();
    let mut lines = BytesMut::new();
    let title = Text::concat(&[b"Status of ", &found.path.to_bytes()]);
    render_opening(213, title.as_bytes(), &mut lines);
    let mut listing = found.listing(&cx, Style::Long { now })?;
    // The last page goes out together with the end of the reply.
    let mut page = listing.page().await?;
    while let Some(shown) = page {
        render_page(&shown, &mut lines);
        page = match listing.page().await {
            Ok(page) => page,
            // A reply that was begun must be ended in its own way.
            Err(why) => {
                cx.say_bytes(lines.freeze()).await?;
                tracing::warn!(%why, "listing broke off");
                return Ok(Reply::new(213, "Broke off, try again").into());
            }
        };
        if page.is_some() {
            cx.say_bytes(lines.split().freeze()).await?;
        }
    }
    if !lines.is_empty() {
        cx.say_bytes(lines.freeze()).await?;
    }
    Ok(Reply::new(213, "End of status").into())
}

fn status(cx: &VerbCx) -> Reply {
    let row = cx.live.row();
    let user = row.user.as_deref().unwrap_or("nobody");
    let kind = match cx.state.transfer_type {
        TransferType::Ascii => "ASCII (bytes are not changed)",
        TransferType::Image => "binary",
    };
    let mut lines = vec![
        Text::from(format!(" Connected from {}", cx.client())),
        Text::from(format!(" Logged in as {user}")),
        Text::concat(&[b" Directory ", &row.cwd.to_bytes()]),
        Text::from(format!(" Type {kind}, structure file, mode stream")),
    ];
    match &row.transfer {
        None => lines.push(Text::from(" No data connection")),
        Some(moving) => {
            let what = match moving.direction {
                Direction::Upload => "Receiving",
                Direction::Download => "Sending",
            };
            let figures = format!(
                ": {} bytes in {} s",
                moving.bytes,
                moving.since.elapsed().as_secs()
            );
            let path = moving.path.to_bytes();
            let line = [b" ", what.as_bytes(), b" ", &path, figures.as_bytes()];
            lines.push(Text::concat(&line));
        }
    }
    Reply::lines(211, "Status of this session", lines, "End of status")
}

/// What an argument means.
struct Found {
    path: VfsPath,
    subject: Subject,
    /// What NLST puts before names.
    prefix: Vec<u8>,
    /// `-l` was asked for.
    long: bool,
}

impl Found {
    fn inside(path: VfsPath, dir: Entry) -> Self {
        Self {
            subject: Subject::Inside {
                dir,
                path: path.clone(),
                only: None,
            },
            path,
            prefix: Vec::new(),
            long: false,
        }
    }

    fn listing(self, cx: &VerbCx, style: Style) -> Result<Listing, FtpError> {
        let here = match &self.subject {
            Subject::Inside { path, .. } => here(cx, path)?,
            Subject::Itself { path, .. } => here(cx, &path.parent().unwrap_or_default())?,
        };
        let vfs = cx.services.vfs.clone();
        let listing = Listing::new(vfs, here, style, self.subject);
        let present = || shown_roots(&cx.services.slaves.views().borrow());
        Ok(listing.marking(cx.services.config.offline, present))
    }
}

/// What the user sees and may in a directory.
fn here(cx: &VerbCx, directory: &VfsPath) -> Result<Here, FtpError> {
    let rules = cx.services.rights.rules();
    Ok(Here::new(rules, Arc::clone(cx.account()?), directory))
}

/// The entry that an argument names literally, links followed.
async fn look_up(cx: &VerbCx, arg: &[u8]) -> Result<(VfsPath, Entry), FtpError> {
    let At { path, entry } = cx.target(&cx.path(arg)?, Action::View).await?;
    Ok((path, entry))
}

/// What LIST, NLST and STAT are about: the whole argument as a name, else what is behind options, else a pattern.
async fn find(cx: &VerbCx, arg: &[u8]) -> Result<Found, FtpError> {
    let args = ListArgs::parse(arg);
    if !arg.is_empty() && args.path != arg {
        match named(cx, arg, &ListArgs::default()).await {
            Err(FtpError::Vfs(VfsError::NotFound(_)) | FtpError::Path(_)) => {}
            found => return found,
        }
    }
    match (named(cx, args.path, &args).await, args.pattern()) {
        (
            Err(FtpError::Vfs(VfsError::NotFound(_)) | FtpError::Path(_)),
            Some((directory, glob)),
        ) => {
            let (path, dir) = look_up(cx, directory).await?;
            if dir.kind != vfs::Kind::Dir {
                return Err(VfsError::NotADirectory(path).into());
            }
            Ok(Found {
                subject: Subject::Inside {
                    dir,
                    path: path.clone(),
                    only: Some(glob),
                },
                path,
                prefix: directory.to_vec(),
                long: args.long,
            })
        }
        (found, _) => found,
    }
}

async fn named(cx: &VerbCx, name: &[u8], args: &ListArgs<'_>) -> Result<Found, FtpError> {
    let (path, entry) = look_up(cx, name).await?;
    if entry.kind == vfs::Kind::Dir && !args.itself {
        let mut prefix = name.to_vec();
        if !matches!(prefix.last(), None | Some(b'/')) {
            prefix.push(b'/');
        }
        return Ok(Found {
            prefix,
            long: args.long,
            ..Found::inside(path, entry)
        });
    }
    let slash = name.iter().rposition(|byte| *byte == b'/');
    let (prefix, last) = name.split_at(slash.map_or(0, |at| at + 1));
    let last = if last.is_empty() { b"." } else { last };
    Ok(Found {
        subject: Subject::Itself {
            entry,
            path: path.clone(),
            name: last.to_vec(),
        },
        path,
        prefix: prefix.to_vec(),
        long: args.long,
    })
}

/// Sends a listing over the data connection, which the master always has itself.
async fn over_data(
    cx: VerbCx,
    endpoint: Option<Endpoint>,
    found: Found,
    style: Style,
) -> VerbResult {
    let endpoint = own::for_listing(&cx, endpoint, &found.path)?;
    let path = found.path.clone();
    let mut listing = found.listing(&cx, style)?;
    cx.say(Reply::opening_data()).await?;
    let (mut io, taken) = own::open(&cx, endpoint, &path).await?;
    let stall = cx.services.data.limits.stall_timeout;
    listing::send(&mut io, &mut listing, stall, &taken).await?;
    Ok(cx.listed().into())
}
