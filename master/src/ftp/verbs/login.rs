//! Coming and going: USER PASS ACCT REIN QUIT.

use std::time::Duration;

use drftpd_protocol::ftp::Reply;
use tracing::{info, warn};

use super::{Arg, Change, Done, Gate, Verb, VerbResult};
use crate::accounts::LoginError;
use crate::ftp::config::FtpConfig;
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::ftp::state::Login;

/// The longest user name that is looked up; nobody has one.
const MAX_NAME: usize = 128;

/// `USER` (RFC 959): names somebody. The answer is the same for everybody.
pub(super) const USER: Verb = Verb {
    name: "USER",
    syntax: "USER <SP> username",
    gate: Gate::Anyone,
    run: |cx, arg| Box::pin(std::future::ready(user(&cx, &arg))),
    ..Verb::PLAIN
};

fn user(cx: &VerbCx, arg: &Arg) -> VerbResult {
    if cx.state.account().is_some() {
        return Err(FtpError::Sequence("Already logged in, REIN begins anew"));
    }
    if arg.is_blank() || arg.len() > MAX_NAME {
        let text = "Missing argument: the user name";
        return Err(FtpError::Said(Reply::new(501, text)));
    }
    let name = String::from_utf8_lossy(arg).into_owned();
    Ok(Done::with(Reply::need_password(), Change::Named(name)))
}

/// `PASS` (RFC 959). What fails takes time, each time longer, and at the third time ends the connection.
pub(super) const PASS: Verb = Verb {
    name: "PASS",
    syntax: "PASS <SP> password",
    gate: Gate::Anyone,
    run: |cx, arg| Box::pin(pass(cx, arg)),
    ..Verb::PLAIN
};

async fn pass(cx: VerbCx, arg: Arg) -> VerbResult {
    let Login::Named(name) = &cx.state.login else {
        return Err(FtpError::Sequence("Say USER first"));
    };
    let checked = cx.services.accounts.log_in(name, &arg, cx.client()).await;
    match checked {
        Ok(account) => {
            info!(user = %account.name, "logged in");
            let change = Change::LoggedIn(account);
            Ok(Done::with(Reply::logged_in(), change))
        }
        Err(why @ LoginError::Incorrect) => {
            let config = &cx.services.config;
            let failed = cx.state.failed_logins;
            warn!(tries = failed + 1, "login failed");
            tokio::time::sleep(delay(config, failed)).await;
            Ok(Done {
                reply: why.reply(),
                change: Change::LoginFailed,
                ends: failed + 1 >= config.login_tries,
            })
        }
        Err(why) => Ok(Done::ending(why.reply())),
    }
}

/// How long a failed login takes, after so many failed ones.
fn delay(config: &FtpConfig, failed: u32) -> Duration {
    let doubled = 1u32.checked_shl(failed).unwrap_or(u32::MAX);
    let long = config.login_delay.saturating_mul(doubled);
    long.min(FtpConfig::MAX_LOGIN_DELAY)
}

/// `ACCT` (RFC 959): nothing here needs one.
pub(super) const ACCT: Verb = Verb {
    name: "ACCT",
    syntax: "ACCT <SP> account",
    gate: Gate::Anyone,
    run: |_, _| Box::pin(std::future::ready(Ok(Reply::superfluous().into()))),
    ..Verb::PLAIN
};

/// `REIN` (RFC 959): as after the greeting.
pub(super) const REIN: Verb = Verb {
    name: "REIN",
    syntax: "REIN",
    gate: Gate::Anyone,
    run: |_, _| {
        let reply = Reply::greeting("Ready for a new user");
        Box::pin(std::future::ready(Ok(Done::with(
            reply,
            Change::Reinitialised,
        ))))
    },
    ..Verb::PLAIN
};

/// `QUIT` (RFC 959): waits for its turn, so a transfer that runs is finished first.
pub(super) const QUIT: Verb = Verb {
    name: "QUIT",
    syntax: "QUIT",
    gate: Gate::Anyone,
    run: |_, _| Box::pin(std::future::ready(Ok(Done::ending(Reply::goodbye())))),
    ..Verb::PLAIN
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_and_has_an_end() {
        let config = FtpConfig::default();
        let delays: Vec<u64> = [0, 1, 2, 3, 40]
            .map(|failed| delay(&config, failed).as_secs())
            .to_vec();
        assert_eq!(delays, [1, 2, 4, 8, 8]);
    }
}
