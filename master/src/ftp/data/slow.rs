//! What becomes of a transfer that was too slow, and of its user.

use std::time::Duration;

use drftpd_protocol::ftp::Reply;
use tracing::{info, warn};

use super::error::DataError;
use super::traffic::{Then, TooSlow};
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::ftp::verbs::{Done, VerbResult};

/// What those hear who are sent away.
const WHY: &str = "Your transfer was too slow";

/// Ends a verb whose transfer broke off: where that was slow, perhaps the session too.
pub async fn over(cx: &VerbCx, why: FtpError) -> VerbResult {
    let FtpError::Data(DataError::TooSlow(TooSlow { then, ban, .. })) = why else {
        return Err(why);
    };
    if then == Then::End {
        return Err(why);
    }
    cx.say(why.reply()).await?;
    if then == Then::Ban {
        keep_out(cx, ban).await?;
    }
    Ok(Done::ending(Reply::closing(WHY)))
}

/// Bans the user for a while and ends all their sessions: this one among them, so that it is not cut with its verb.
async fn keep_out(cx: &VerbCx, time: Duration) -> Result<(), FtpError> {
    let user = cx.account()?.name.clone();
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let until = cx.services.clock.unix().saturating_add(seconds);
    let (services, sessions) = (cx.services.clone(), cx.sessions.clone());
    let out = async move {
        match services.accounts.ban(&user, until, WHY).await {
            Ok(()) => info!(user, until, "banned for a transfer that was too slow"),
            // The last operator of the site, say.
            Err(why) => warn!(user, %why, "not banned for a transfer that was too slow"),
        }
        let users = std::slice::from_ref(&user);
        if let Err(why) = sessions.kick_users(users, WHY).await {
            warn!(user, %why, "sessions not ended");
        }
    };
    cx.cleanup.uncut(out).await;
    Ok(())
}
