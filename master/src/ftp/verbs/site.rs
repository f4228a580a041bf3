//! `SITE`: the door to the table of the operator's commands; HELP is derived from it.

use drftpd_protocol::ftp::{Reply, args};

use super::{Arg, Feat, Verb, VerbResult, own};
use crate::accounts::Account;
use crate::ftp::services::VerbCx;
use crate::ftp::site::{SiteCall, SiteEntry, SiteTable};

/// `SITE` (RFC 959).
pub(super) const SITE: Verb = Verb {
    name: "SITE",
    syntax: "SITE <SP> command [<SP> arguments]",
    feat: Feat::Lines(&["SITE UTIME", "SITE XDUPE"]),
    run: |cx, arg| Box::pin(site(cx, arg)),
    ..Verb::PLAIN
};

async fn site(cx: VerbCx, arg: Arg) -> VerbResult {
    let line = args::site(arg.bytes())?;
    if let Some(own) = own::find(line.verb.as_str()) {
        return (own.run)(cx, Arg::new(line.arg.unwrap_or_default())).await;
    }
    let account = cx.account()?;
    let table = &cx.services.site;
    let call = SiteCall {
        account: account.clone(),
        session: cx.session,
        peer: cx.client(),
        cwd: cx.state.cwd.clone(),
        arg: line.arg.clone().unwrap_or_default(),
    };
    let reply = match table.run(line.verb.as_str(), call) {
        Some(reply) => reply.await,
        None if line.verb == "HELP" => help(table.as_ref(), account, line.arg()),
        None => Reply::new(502, "No such SITE command, see SITE HELP"),
    };
    Ok(reply.into())
}

fn help(table: &dyn SiteTable, who: &Account, name: &[u8]) -> Reply {
    let mut commands = table.commands(who);
    commands.extend(own::OWN.iter().map(|own| SiteEntry {
        name: own.name.to_owned(),
        syntax: own.syntax.to_owned(),
        help: own.help.to_owned(),
    }));
    commands.sort_by(|a, b| a.name.cmp(&b.name));
    let name = name.trim_ascii();
    if name.is_empty() {
        let lines = commands.iter().map(line);
        return Reply::lines(214, "SITE commands:", lines, "End");
    }
    let asked = |command: &&SiteEntry| command.name.as_bytes().eq_ignore_ascii_case(name);
    match commands.iter().find(asked) {
        Some(command) => Reply::lines(
            214,
            format!("Syntax: SITE {} {}", command.name, command.syntax),
            [format!(" {}", command.help)],
            "End",
        ),
        None => Reply::new(502, "No such SITE command, see SITE HELP"),
    }
}

fn line(command: &SiteEntry) -> String {
    format!(" {:<12} {}", command.name, command.help)
}
