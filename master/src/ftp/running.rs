//! One verb from its future to its last reply: cut by ABOR, safe against panics, and over only when everything it
//! held is given back and its reply is on its way.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use drftpd_protocol::ftp::Reply;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;
use tracing::{debug, error, warn};

use super::error::FtpError;
use super::guard::Cleanup;
use super::state::Change;
use super::verbs::{Done, VerbResult};
use super::writer::Outbox;

/// How a verb ended.
pub(super) enum Outcome {
    /// With this code, which has been sent.
    Replied {
        /// The code.
        code: u16,
        /// What it wants changed.
        change: Change,
    },
    /// With a reply, not yet sent, after which the connection ends.
    Ends {
        /// The reply.
        reply: Reply,
        /// What it wants changed.
        change: Change,
    },
    /// ABOR cut it; 426 and 226 have been sent.
    Cut,
    /// It panicked; nothing was said.
    Panicked,
    /// Nobody takes replies any more.
    ClientGone,
}

/// What a verb needs on its way.
pub(super) struct Way {
    pub name: &'static str,
    pub out: Outbox,
    pub cleanup: Cleanup,
    /// How long to wait for what is given back.
    pub limit: Duration,
}

/// Carries a verb to its end.
pub(super) async fn carry_out(
    work: LocalBoxFuture<'static, VerbResult>,
    cut: oneshot::Receiver<()>,
    way: Way,
) -> Outcome {
    let mut work = AssertUnwindSafe(work).catch_unwind();
    let done = tokio::select! {
        biased;
        done = &mut work => Some(done),
        Ok(()) = cut => None,
    };
    // What the verb holds is given back by guards, before the client hears that it is over.
    drop(work);
    if !way.cleanup.settled(way.limit).await {
        warn!(verb = way.name, "not everything was given back in time");
    }
    let sent = match done {
        None => return say_cut(&way).await,
        Some(Err(panic)) => {
            let cause = text_of(&*panic);
            error!(verb = way.name, cause, "verb panicked");
            return Outcome::Panicked;
        }
        Some(Ok(Ok(Done {
            reply,
            change,
            ends: true,
            ..
        }))) => return Outcome::Ends { reply, change },
        Some(Ok(Ok(Done {
            reply,
            change,
            unsaid: true,
            ..
        }))) => {
            let code = reply.code();
            return Outcome::Replied { code, change };
        }
        Some(Ok(Ok(Done { reply, change, .. }))) => (reply, change),
        Some(Ok(Err(FtpError::ClientGone))) => return Outcome::ClientGone,
        Some(Ok(Err(why))) => (refused(way.name, &why), Change::Nothing),
    };
    let (reply, change) = sent;
    match way.out.send(reply.to_bytes()).await {
        Ok(()) => Outcome::Replied {
            code: reply.code(),
            change,
        },
        Err(_) => Outcome::ClientGone,
    }
}

async fn say_cut(way: &Way) -> Outcome {
    debug!(verb = way.name, "aborted by the client");
    for reply in [Reply::transfer_broken(), Reply::aborted()] {
        if way.out.send(reply.to_bytes()).await.is_err() {
            return Outcome::ClientGone;
        }
    }
    Outcome::Cut
}

/// The reply to an error, which is logged: at warn where something of ours failed.
fn refused(verb: &str, why: &FtpError) -> Reply {
    let reply = why.reply();
    let (code, cause) = (reply.code(), std::error::Error::source(why));
    if code == 451 {
        warn!(verb, code, %why, cause = cause.map(tracing::field::display), "verb failed");
    } else {
        debug!(verb, code, %why, "verb refused");
    }
    reply
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
