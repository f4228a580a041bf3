//! A verb with what plugins do before and after it.

use std::sync::Arc;

use bytes::Bytes;
use drftpd_protocol::ftp::Reply;
use futures_util::future::LocalBoxFuture;

use super::error::FtpError;
use super::services::VerbCx;
use super::verbs::{Arg, Verb, VerbResult};
use crate::extend::{Called, NO_ANSWER, Plugins};

/// Verbs whose argument is a secret.
const SECRET: [&str; 2] = ["PASS", "ACCT"];

/// Carries a verb out; where no plugin wants to know of it, as it is.
pub(super) fn run(
    verb: &'static Verb,
    cx: VerbCx,
    arg: Arg,
) -> LocalBoxFuture<'static, VerbResult> {
    if cx.services.plugins.hooks().around(verb.name).is_none() {
        return (verb.run)(cx, arg);
    }
    let called = Arc::new(called(verb, &cx, &arg));
    Box::pin(hooked(verb, cx, arg, called))
}

async fn hooked(verb: &'static Verb, cx: VerbCx, arg: Arg, called: Arc<Called>) -> VerbResult {
    let plugins: Plugins = cx.services.plugins.clone();
    let Some(around) = plugins.hooks().around(verb.name) else {
        return (verb.run)(cx, arg).await;
    };
    if let Err(why) = around.begin(&called).await {
        let code = if why == NO_ANSWER { 450 } else { 550 };
        return Err(FtpError::Said(Reply::new(code, why)));
    }
    let mut done = (verb.run)(cx, arg).await;
    let code = match &done {
        Ok(done) => done.reply.code(),
        Err(FtpError::ClientGone) => return done,
        Err(why) => why.reply().code(),
    };
    let lines = around.end(&called, code < 400, code).await;
    if let Ok(done) = &mut done
        && !lines.is_empty()
    {
        done.reply = done.reply.clone().comments(lines);
    }
    done
}

fn called(verb: &Verb, cx: &VerbCx, arg: &Arg) -> Called {
    let arg = match verb.name {
        name if SECRET.contains(&name) => Bytes::new(),
        "SITE" => {
            let first = arg.split(|byte| *byte == b' ').next().unwrap_or_default();
            Bytes::copy_from_slice(first)
        }
        _ => arg.bytes().clone(),
    };
    Called {
        name: verb.name,
        arg,
        who: cx.state.account().cloned(),
        client: Some(cx.client()),
        cwd: cx.state.cwd.clone(),
    }
}
