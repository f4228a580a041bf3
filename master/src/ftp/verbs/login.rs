//! Coming and going: HOST IDNT USER PASS ACCT REIN QUIT.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use drftpd_protocol::ftp::Reply;
use tracing::{info, warn};

use super::{Arg, Change, Done, Feat, Gate, Verb, VerbResult};
use crate::accounts::messages::LogIn;
use crate::accounts::{Account, LoginError};
use crate::events::LoginFailed;
use crate::extend::{Act, Asked};
use crate::ftp::config::FtpConfig;
use crate::ftp::error::FtpError;
use crate::ftp::proxy::Via;
use crate::ftp::services::VerbCx;
use crate::ftp::state::Login;

/// The longest user name that is looked up; nobody has one.
const MAX_NAME: usize = 128;

/// A session of somebody who logs in with `!` is a ghost when nothing has happened in it for so long.
const GHOST: Duration = Duration::from_secs(30);

/// `USER` (RFC 959): names somebody; `!` in front (of glftpd) ends the user's ghosts. Whether TLS must be there
/// first is said before the password is; otherwise the answer is the same for everybody.
pub(super) const USER: Verb = Verb {
    name: "USER",
    syntax: "USER <SP> username",
    gate: Gate::Anyone,
    run: |cx, arg| Box::pin(user(cx, arg)),
    ..Verb::PLAIN
};

async fn user(cx: VerbCx, arg: Arg) -> VerbResult {
    if cx.state.account().is_some() {
        return Err(FtpError::Sequence("Already logged in, REIN begins anew"));
    }
    if arg.is_blank() || arg.len() > MAX_NAME {
        let text = "Missing argument: the user name";
        return Err(FtpError::Said(Reply::new(501, text)));
    }
    let name = String::from_utf8_lossy(&arg).into_owned();
    match cx.may_be_named(split_ghosts(&name).0).await {
        Err(FtpError::Login(why)) => return Ok(Done::ending(why.reply())),
        judged => judged?,
    }
    // The ! of those who want their ghosts ended is looked at when the password was right.
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
    let Login::Named(said) = &cx.state.login else {
        return Err(FtpError::Sequence("Say USER first"));
    };
    let (name, ends_ghosts) = split_ghosts(said);
    let login = LogIn {
        user: name.to_owned(),
        password: arg.to_vec(),
        from: cx.client(),
        ident: cx.via.as_ref().and_then(|via| via.ident.clone()),
        certificate: cx.state.secure.as_ref().and_then(|tls| tls.client),
    };
    let checked = cx.services.accounts.log_in(login).await;
    match checked {
        Ok(account) => enter(&cx, account, ends_ghosts).await,
        Err(why @ LoginError::Incorrect) => {
            let config = &cx.services.config;
            let failed = cx.state.failed_logins;
            warn!(tries = failed + 1, "login failed");
            cx.services.bus.publish(LoginFailed {
                session: cx.session,
                client: cx.client(),
            });
            tokio::time::sleep(delay(config, failed)).await;
            Ok(Done {
                ends: failed + 1 >= config.login_tries,
                ..Done::with(why.reply(), Change::LoginFailed)
            })
        }
        // The password was right; this is no oracle for those who guess.
        Err(why @ LoginError::ShutOut(_)) => {
            info!(user = name, %why, "login refused");
            Ok(Done::with(why.reply(), Change::LoginFailed))
        }
        Err(why) => Ok(Done::ending(why.reply())),
    }
}

/// Lets somebody in whose password is right: if the connection will do, and there are not too many of them.
async fn enter(cx: &VerbCx, account: Account, ends_ghosts: bool) -> VerbResult {
    if let Err(reply) = cx.may_log_in(&account) {
        info!(user = %account.name, "login is not for a connection like this");
        return Err(FtpError::Said(reply));
    }
    if ends_ghosts {
        end_ghosts(cx, &account.name).await;
    }
    let account = Arc::new(account);
    let question = || Asked {
        what: Act::LogIn,
        who: Arc::clone(&account),
        client: Some(cx.client()),
        path: account.home.clone(),
        entry: None,
        from: None,
    };
    let gates = cx.services.plugins.gates();
    if let Err(stopped) = gates.ask(Act::LogIn, question).await {
        return Ok(Done::with(stopped.reply(), Change::LoginFailed));
    }
    let seated = cx.sessions.take_login(cx.session, &account).await;
    let seated = seated.map_err(|_| FtpError::Said(Reply::new(451, "Busy, try again")))?;
    if let Err(full) = seated {
        info!(user = %account.name, why = full, "login refused");
        return Ok(Done::with(Reply::new(530, full), Change::LoginFailed));
    }
    info!(user = %account.name, "logged in");
    let reply = match account.must_change {
        true => Reply::new(230, MUST_CHANGE),
        false => cx.logged_in(&account),
    };
    Ok(Done::with(reply, Change::LoggedIn(account)))
}

/// What somebody hears who must change their password first.
pub(in crate::ftp) const MUST_CHANGE: &str =
    "Set a password of your own first: SITE PASSWD newpassword";

/// The name, and whether its ghosts are to end.
fn split_ghosts(said: &str) -> (&str, bool) {
    match said.strip_prefix('!') {
        Some(name) => (name, true),
        None => (said, false),
    }
}

/// Ends the user's other sessions in which nothing has happened lately: those whose client is gone without a word.
async fn end_ghosts(cx: &VerbCx, user: &str) {
    let sessions = match cx.sessions.list().await {
        Ok(sessions) => sessions,
        Err(why) => return warn!(%why, "ghosts not ended"),
    };
    let ghosts = sessions.iter().filter(|row| {
        row.session != cx.session
            && row.user.as_deref() == Some(user)
            && row.active.elapsed() >= GHOST
    });
    for ghost in ghosts {
        let kicked = cx.sessions.kick(ghost.session, "Ended by your new login");
        if let Err(why) = kicked.await {
            warn!(session = %ghost.session, %why, "ghost not ended");
        }
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

/// `REIN` (RFC 959): as after the greeting. TLS of the control connection stays: what RFC 4217 says of REIN would give
/// back a connection in clear, which CCC may not have either.
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
    run: |cx, _| Box::pin(std::future::ready(Ok(Done::ending(cx.goodbye())))),
    ..Verb::PLAIN
};

/// `HOST` (RFC 7151): which of its names the client knows the site by. There is one site behind all of them.
pub(super) const HOST: Verb = Verb {
    name: "HOST",
    syntax: "HOST <SP> hostname",
    feat: Feat::Line("HOST"),
    gate: Gate::Anyone,
    run: |cx, arg| Box::pin(std::future::ready(host(&cx, &arg))),
    ..Verb::PLAIN
};

fn host(cx: &VerbCx, arg: &Arg) -> VerbResult {
    if cx.state.login != Login::Nobody {
        return Err(FtpError::Sequence("HOST comes before USER"));
    }
    let config = &cx.services.config;
    let name = arg.trim_ascii();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    if !is_name {
        return Err(FtpError::Said(Reply::new(
            501,
            "Missing argument: the host name",
        )));
    }
    let mut hosts = config.hosts.iter();
    let known = |host: &String| host.as_bytes().eq_ignore_ascii_case(name);
    match config.hosts.is_empty() || hosts.any(known) {
        true => Ok(Reply::greeting(config.greeting.clone()).into()),
        false => Err(FtpError::Said(Reply::new(504, "No such host here"))),
    }
}

/// `IDNT` (DrFTPD, glftpd): a bouncer of `ftp.bouncers` tells whom it brings, once, before USER, and hears nothing of it.
/// From then on that is the client: for limits, data connections and logs.
pub(super) const IDNT: Verb = Verb {
    name: "IDNT",
    syntax: "IDNT <SP> ident@address:hostname",
    gate: Gate::Anyone,
    run: |cx, arg| Box::pin(idnt(cx, arg)),
    ..Verb::PLAIN
};

async fn idnt(cx: VerbCx, arg: Arg) -> VerbResult {
    let bouncers = &cx.services.config.bouncers;
    let trusted = bouncers.iter().any(|it| it.contains(cx.client()));
    if !trusted || cx.via.is_some() {
        // As for a verb that there is not.
        return Err(FtpError::Said(Reply::not_implemented()));
    }
    if cx.state.login != Login::Nobody {
        return Err(FtpError::Sequence("IDNT comes before USER"));
    }
    let Some((ident, address)) = brought(&arg) else {
        return Err(FtpError::Said(Reply::new(
            501,
            "Malformed: ident@address:hostname",
        )));
    };
    let counted = cx.sessions.client_named(cx.session, address).await;
    let counted = counted.map_err(|_| FtpError::Said(Reply::new(451, "Busy, try again")))?;
    if let Err(full) = counted {
        warn!(bouncer = %cx.peer, client = %address, "connection refused");
        return Ok(Done::ending(Reply::closing(full)));
    }
    info!(bouncer = %cx.peer, client = %address, ident, "client brought by a bouncer");
    let via = Via {
        by: cx.peer,
        reached: None,
        ident: Some(ident.to_owned()).filter(|ident| !ident.is_empty() && ident != "*"),
    };
    let change = Change::BroughtBy(via, (address, cx.peer.port()).into());
    Ok(Done {
        unsaid: true,
        ..Done::with(Reply::ok(), change)
    })
}

/// The ident and the address; an IPv6 address may stand in brackets, a name may be missing.
fn brought(arg: &[u8]) -> Option<(&str, IpAddr)> {
    let text = std::str::from_utf8(arg).ok()?.trim();
    let (ident, place) = text.split_once('@')?;
    let bare = |text: &str| {
        let inner = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        inner.unwrap_or(text).parse::<IpAddr>().ok()
    };
    let address = place
        .rsplit_once(':')
        .and_then(|(address, _)| bare(address));
    let address = bare(place).or(address)?.to_canonical();
    let is_host = !address.is_unspecified() && !address.is_multicast();
    is_host.then_some((ident, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bouncer_names_clients_of_both_protocols() {
        let told = |text: &str| brought(text.as_bytes()).map(|(ident, at)| (ident.to_owned(), at));
        let want = |ident: &str, at: &str| Some((ident.to_owned(), at.parse().unwrap()));
        assert_eq!(told("me@192.0.2.7:a.example"), want("me", "192.0.2.7"));
        assert_eq!(told("@192.0.2.7:"), want("", "192.0.2.7"));
        assert_eq!(told("*@192.0.2.7"), want("*", "192.0.2.7"));
        assert_eq!(
            told("me@[2001:db8::7]:a.example"),
            want("me", "2001:db8::7")
        );
        assert_eq!(told("me@2001:db8::7:a.example"), want("me", "2001:db8::7"));
        assert_eq!(told("me@::ffff:192.0.2.7"), want("me", "192.0.2.7"));
        for bad in [
            "",
            "me",
            "me@",
            "me@host:host",
            "me@0.0.0.0:x",
            "me@224.0.0.1:x",
        ] {
            assert_eq!(told(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_delay_grows_and_has_an_end() {
        let config = FtpConfig::default();
        let delays: Vec<u64> = [0, 1, 2, 3, 40]
            .map(|failed| delay(&config, failed).as_secs())
            .to_vec();
        assert_eq!(delays, [1, 2, 4, 8, 8]);
    }
}
