//! Files over the data connection: RETR STOR STOU APPE, and what is said before them: REST ALLO.

use drftpd_protocol::ftp::args::{self, OctetRange};
use drftpd_protocol::ftp::reply::{Reply, Text};
use drftpd_protocol::wire::Outcome;
use drftpd_protocol::{FileId, VfsPath};

use super::{Arg, Change, Done, Feat, Keeps, Kind, Verb, VerbResult};
use crate::ftp::data::announce::unique_name;
use crate::ftp::data::channel::Channel;
use crate::ftp::data::credit;
use crate::ftp::data::plans::{self, UploadTo};
use crate::ftp::data::record::{Figures, Record};
use crate::ftp::data::run::{Moving, Part, begin_download, begin_upload};
use crate::ftp::data::slow;
use crate::ftp::data::{DataError, Endpoint};
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::slaves::SlaveError;
use crate::transfer::{Direction, Slot};
use crate::vfs::{PreparedBytes, UploadMode, VfsError};

/// `RETR` (RFC 959): a file to the client, from the byte that REST named.
pub(super) const RETR: Verb = Verb {
    name: "RETR",
    syntax: "RETR <SP> pathname",
    kind: Kind::Data,
    run: |cx, arg| Box::pin(retr(cx, arg)),
    ..Verb::PLAIN
};

async fn retr(mut cx: VerbCx, arg: Arg) -> VerbResult {
    let (endpoint, reach) = (cx.endpoint.take(), cx.reach.clone());
    let slave_listened = matches!(endpoint, Some(Endpoint::Slave(_)));
    let end = fetch(cx, endpoint, arg).await;
    if slave_listened {
        reach.learn(&end);
    }
    end
}

async fn fetch(cx: VerbCx, endpoint: Option<Endpoint>, arg: Arg) -> VerbResult {
    let from = plans::download(&cx, &cx.path(arg.path()?)?).await?;
    let part = Part::of(&cx.state, from.readable.entry.size)?;
    let costs = credit::suffice(&cx, &from.path, part.of_size(from.readable.entry.size))?;
    let mut channel = Channel::of(&cx, endpoint, &from.path, Direction::Download).await?;
    let mut first = true;
    loop {
        let otherwise = channel.otherwise();
        let mut moving = begin_download(&cx, &from, (part, &costs), channel).await?;
        if std::mem::take(&mut first) {
            let left = part.of_size(moving.begun.size);
            cx.say(opening(&from.path, Some(left))).await?;
        }
        let mut record = record(&cx, &from.path, Direction::Download, &moving)?;
        match moving.end(&cx, |bytes| record.moved(bytes)).await {
            Ok(Outcome::Sent { bytes }) => {
                moving.guard.finish();
                return Ok(cx.transferred(&record.complete(bytes)).into());
            }
            Ok(_) => return Err(nonsense(&moving)),
            Err(why) => {
                channel = match otherwise.after(&cx, why) {
                    Ok(channel) => channel,
                    Err(why) => {
                        drop(moving);
                        return slow::over(&cx, why).await;
                    }
                };
                record.forget();
                moving.guard.undo().await;
            }
        }
    }
}

/// `RANG` (draft-bryan-ftp-range): the only bytes that the next RETR or HASH is about, both ends included.
pub(super) const RANG: Verb = Verb {
    name: "RANG",
    syntax: "RANG <SP> first <SP> last",
    feat: Feat::Line("RANG STREAM"),
    keeps: Keeps::Rest,
    run: |_, arg| {
        let done = args::rang(&arg).map(|range| {
            let text = match range {
                Some(OctetRange { start, end }) => {
                    format!(
                        "Next RETR or HASH is of bytes {start} to {}",
                        end.unwrap_or(start)
                    )
                }
                None => "Next RETR or HASH is of all bytes".to_owned(),
            };
            Done::with(Reply::pending(text), Change::Range(range))
        });
        Box::pin(std::future::ready(done.map_err(FtpError::from)))
    },
    ..Verb::PLAIN
};

/// `STOR` (RFC 959): a file from the client; after REST it goes on where that said.
pub(super) const STOR: Verb = Verb {
    name: "STOR",
    syntax: "STOR <SP> pathname",
    kind: Kind::Data,
    run: |cx, arg| Box::pin(stor(cx, arg)),
    ..Verb::PLAIN
};

async fn stor(mut cx: VerbCx, arg: Arg) -> VerbResult {
    let endpoint = cx.endpoint.take();
    let path = cx.path(arg.path()?)?;
    if cx.state.range.is_some() {
        return Err(FtpError::Sequence("RANG is for RETR and HASH, say REST"));
    }
    let mode = plans::store_mode(cx.state.rest);
    let to = plans::upload(&cx, &path, mode).await?;
    store(cx, endpoint, to, Naming::Given).await
}

/// `APPE` (RFC 959): goes on at the end of what is there, or begins a file.
pub(super) const APPE: Verb = Verb {
    name: "APPE",
    syntax: "APPE <SP> pathname",
    kind: Kind::Data,
    run: |cx, arg| Box::pin(appe(cx, arg)),
    ..Verb::PLAIN
};

async fn appe(mut cx: VerbCx, arg: Arg) -> VerbResult {
    let endpoint = cx.endpoint.take();
    let path = cx.path(arg.path()?)?;
    let to = plans::upload(&cx, &path, UploadMode::Append).await?;
    store(cx, endpoint, to, Naming::Given).await
}

/// `STOU` (RFC 959, RFC 1123 4.1.2.9): a new file under a name that nobody has; 150 tells it.
pub(super) const STOU: Verb = Verb {
    name: "STOU",
    syntax: "STOU [<SP> pathname]",
    kind: Kind::Data,
    run: |cx, arg| Box::pin(stou(cx, arg)),
    ..Verb::PLAIN
};

async fn stou(mut cx: VerbCx, arg: Arg) -> VerbResult {
    let endpoint = cx.endpoint.take();
    let path = match &endpoint {
        // The name was made when PRET STOU had its slave chosen.
        Some(Endpoint::Slave(reserved)) if reserved.direction == Direction::Upload => {
            reserved.path.clone()
        }
        _ => unique_name(&cx, &arg)?,
    };
    let to = plans::upload(&cx, &path, UploadMode::Store).await?;
    if let Some(taken) = to.plan.existing {
        return Err(VfsError::Exists(taken.name.map_or(path, |_| to.path)).into());
    }
    store(cx, endpoint, to, Naming::Made).await
}

/// Where a file's name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// From the client.
    Given,
    /// From us, and the client is told.
    Made,
}

async fn store(cx: VerbCx, endpoint: Option<Endpoint>, to: UploadTo, naming: Naming) -> VerbResult {
    let reach = cx.reach.clone();
    let slave_listened = matches!(endpoint, Some(Endpoint::Slave(_)));
    let end = take(cx, endpoint, to, naming).await;
    if slave_listened {
        reach.learn(&end);
    }
    end
}

async fn take(
    cx: VerbCx,
    endpoint: Option<Endpoint>,
    mut to: UploadTo,
    naming: Naming,
) -> VerbResult {
    let mut channel = Channel::of(&cx, endpoint, &to.path, Direction::Upload).await?;
    let mut first = true;
    let (moving, file, outcome, record) = loop {
        let otherwise = channel.otherwise();
        let (mut moving, file) = begin_upload(&cx, &to, channel).await?;
        if std::mem::take(&mut first) {
            cx.say(match naming {
                Naming::Given => opening(&to.path, None),
                Naming::Made => Reply::new(150, file_is(&to.path)),
            })
            .await?;
        }
        let mut record = record(&cx, &to.path, Direction::Upload, &moving)?;
        let end = moving.end(&cx, |bytes| {
            record.moved(bytes);
            cx.services.vfs.upload_grew(file, bytes);
        });
        match end.await {
            Ok(outcome) => break (moving, file, outcome, record),
            Err(why) => {
                channel = match otherwise.after(&cx, why) {
                    Ok(channel) => channel,
                    Err(why) => {
                        drop(moving);
                        return slow::over(&cx, why).await;
                    }
                };
                record.forget();
                moving.guard.undo().await;
                to = plans::upload(&cx, &to.path, to.mode).await?;
            }
        }
    };
    let Some(prepared) = PreparedBytes::of(&outcome) else {
        return Err(nonsense(&moving));
    };
    if prepared.size == 0 && !may_be_empty(&cx, &to.path)? {
        // What was there before stays.
        moving.guard.undo().await;
        let text = "Nothing was received, and empty files are not kept here";
        return Err(FtpError::Said(Reply::new(550, text)));
    }
    let figures = commit(&cx, moving, file, prepared, record).await?;
    match naming {
        Naming::Given => Ok(cx.transferred(&figures).into()),
        Naming::Made => {
            let end = format!(", transfer complete, {figures}");
            let text = Text::concat(&[file_is(&to.path).as_bytes(), end.as_bytes()]);
            Ok(Reply::new(226, text).into())
        }
    }
}

fn may_be_empty(cx: &VerbCx, path: &VfsPath) -> Result<bool, FtpError> {
    let rules = cx.services.rights.rules();
    Ok(rules.allows_empty(cx.account()?, path))
}

/// Makes a prepared file a part of the tree, as soon as it has its second copy if it must have one. The commit is not cut:
/// the client has sent everything, and may be gone.
async fn commit(
    cx: &VerbCx,
    mut moving: Moving,
    file: FileId,
    prepared: PreparedBytes,
    record: Record,
) -> Result<Figures, FtpError> {
    let services = cx.services.clone();
    let root = slot(&moving)?.root;
    let (mut second, mut also) = (moving.second.take(), None);
    if let Some(second) = &mut second {
        also = second.there(prepared, &mut moving.followed).await?;
    }
    let commit = async move {
        drftpd_actors::failpoint("commit.before").map_err(failed)?;
        let (roots, ms) = ((root, also), moving.guard.took_ms());
        let committed = services.vfs.commit_copies(file, roots, prepared, ms).await;
        if matches!(committed, Err(VfsError::OverQuota(_))) {
            moving.guard.keep_nothing();
        }
        if committed.is_err() && moving.followed.is_deleted() {
            return Err(DataError::Deleted.into());
        }
        committed?;
        if let Some(second) = second {
            second.committed();
        }
        drftpd_actors::failpoint("commit.after").map_err(failed)?;
        moving.guard.finish();
        Ok(record.complete(prepared.received))
    };
    let committed = cx.cleanup.uncut(commit).await;
    committed.unwrap_or(Err(VfsError::NoUpload.into()))
}

fn failed(why: std::io::Error) -> FtpError {
    tracing::warn!(%why, "commit failed");
    FtpError::Said(Reply::new(451, "Upload could not be committed"))
}

fn record(
    cx: &VerbCx,
    path: &VfsPath,
    direction: Direction,
    moving: &Moving,
) -> Result<Record, FtpError> {
    let slave = slot(moving)?.slave.clone();
    Ok(Record::begin(cx, path, direction, slave))
}

fn slot(moving: &Moving) -> Result<&Slot, DataError> {
    moving.guard.slot().ok_or(DataError::NobodyConnected)
}

fn nonsense(moving: &Moving) -> FtpError {
    match slot(moving) {
        Ok(slot) => SlaveError::Nonsense(slot.slave.clone()).into(),
        Err(why) => why.into(),
    }
}

/// 150, with the name and the bytes that will come, where that is known.
fn opening(path: &VfsPath, bytes: Option<u64>) -> Reply {
    let name = path.name().map_or(&b"/"[..], |name| name.as_bytes());
    let size = bytes.map_or_else(String::new, |bytes| format!(" ({bytes} bytes)"));
    let text = Text::concat(&[b"Opening data connection for ", name, size.as_bytes()]);
    Reply::new(150, text)
}

/// The words of RFC 1123 for a name that was made.
fn file_is(path: &VfsPath) -> Text {
    let name = path.name().map_or(&b"/"[..], |name| name.as_bytes());
    Text::concat(&[b"FILE: ", name])
}

/// `REST` (RFC 3659, section 5): the byte at which the next transfer begins.
pub(super) const REST: Verb = Verb {
    name: "REST",
    syntax: "REST <SP> offset",
    feat: Feat::Line("REST STREAM"),
    keeps: Keeps::Rest,
    run: |_, arg| {
        let done = args::offset(&arg, "the offset").map(|offset| {
            let reply = Reply::pending(format!("Next transfer begins at byte {offset}"));
            Done::with(reply, Change::Rest(offset))
        });
        Box::pin(std::future::ready(done.map_err(FtpError::from)))
    },
    ..Verb::PLAIN
};

/// `ALLO` (RFC 959): bytes that the next upload will have; a slave with room for them is chosen.
pub(super) const ALLO: Verb = Verb {
    name: "ALLO",
    syntax: "ALLO <SP> bytes [<SP> R <SP> bytes]",
    keeps: Keeps::Rest,
    run: |_, arg| {
        let done = args::allo(&arg).map(|allo| {
            let reply = Reply::new(200, "Noted for the next upload");
            Done::with(reply, Change::Expected(allo.size))
        });
        Box::pin(std::future::ready(done.map_err(FtpError::from)))
    },
    ..Verb::PLAIN
};
