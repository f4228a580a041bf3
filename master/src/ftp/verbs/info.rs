//! What the server is and can, and settings that change next to nothing:
//! ABOR CLNT FEAT HELP MODE NOOP OPTS STRU SYST TYPE.

use drftpd_protocol::ftp::args::TransferType;
use drftpd_protocol::ftp::{ArgError, Facts, Reply, args, feat};

use super::{Arg, Change, Done, Feat, Gate, Keeps, Kind, VERBS, Verb, VerbResult, WhileBusy, hash};
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::ftp::state::State;

/// Names in one line of HELP.
const NAMES_A_LINE: usize = 8;
/// What is remembered of a CLNT.
const MAX_CLIENT: usize = 64;

/// `ABOR` (RFC 959): the session cuts what runs and says 426 first; here nothing runs, and a data connection that was
/// agreed on is given up.
pub(super) const ABOR: Verb = Verb {
    name: "ABOR",
    syntax: "ABOR",
    while_busy: WhileBusy::Runs,
    kind: Kind::Abort,
    run: |_, _| {
        let done = Done::with(Reply::aborted(), Change::Pret(None));
        Box::pin(std::future::ready(Ok(done)))
    },
    ..Verb::PLAIN
};

/// `CLNT`: what the client calls itself, for `SITE WHO`.
pub(super) const CLNT: Verb = Verb {
    name: "CLNT",
    syntax: "CLNT <SP> name",
    feat: Feat::Line("CLNT"),
    gate: Gate::Anyone,
    run: |_, arg| {
        let name = String::from_utf8_lossy(&arg);
        let name = name.trim().chars().take(MAX_CLIENT).collect();
        let done = Done::with(Reply::new(200, "Noted"), Change::Client(name));
        Box::pin(std::future::ready(Ok(done)))
    },
    ..Verb::PLAIN
};

/// `FEAT` (RFC 2389), from the table.
pub(super) const FEAT: Verb = Verb {
    name: "FEAT",
    syntax: "FEAT",
    gate: Gate::Anyone,
    run: |cx, _| {
        let secure = cx.state.secure.is_some() || cx.may_secure().is_ok();
        answer(feat::features(features(&cx.state, secure)))
    },
    ..Verb::PLAIN
};

fn features(state: &State, secure: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for verb in VERBS {
        match verb.feat {
            Feat::Nothing => {}
            Feat::Line(line) => lines.push(line.to_owned()),
            Feat::Secure(_) if !secure => {}
            Feat::Lines(more) | Feat::Secure(more) => {
                lines.extend(more.iter().map(|line| (*line).to_owned()))
            }
            Feat::Of(line) => lines.push(line(state)),
        }
    }
    lines
}

/// `HELP` (RFC 959), from the table.
pub(super) const HELP: Verb = Verb {
    name: "HELP",
    syntax: "HELP [<SP> verb]",
    gate: Gate::Anyone,
    run: |_, arg| answer(help(&arg)),
    ..Verb::PLAIN
};

fn help(arg: &Arg) -> Reply {
    if arg.is_blank() {
        let lines = VERBS.chunks(NAMES_A_LINE).map(|verbs| {
            let names = verbs.iter().map(|verb| format!(" {:<8}", verb.name));
            names.collect::<String>().trim_end().to_owned()
        });
        return Reply::lines(214, "Commands:", lines, "End");
    }
    let name = arg.trim_ascii().to_ascii_uppercase();
    match std::str::from_utf8(&name).ok().and_then(super::find) {
        Some(verb) => Reply::new(214, format!("Syntax: {}", verb.syntax)),
        None => Reply::not_implemented(),
    }
}

/// `MODE` (RFC 959): stream.
pub(super) const MODE: Verb = Verb {
    name: "MODE",
    syntax: "MODE <SP> S",
    keeps: Keeps::Rest,
    run: |_, arg| answer_or(args::transfer_mode(&arg).map(|()| Reply::ok())),
    ..Verb::PLAIN
};

/// `NOOP` (RFC 959).
pub(super) const NOOP: Verb = Verb {
    name: "NOOP",
    syntax: "NOOP",
    gate: Gate::Anyone,
    while_busy: WhileBusy::Runs,
    keeps: Keeps::Rest,
    run: |_, _| answer(Reply::ok()),
    ..Verb::PLAIN
};

/// `OPTS` (RFC 2389): UTF8 (names are bytes anyway), MLST, HASH.
pub(super) const OPTS: Verb = Verb {
    name: "OPTS",
    syntax: "OPTS <SP> verb [<SP> options]",
    feat: Feat::Line("UTF8"),
    gate: Gate::Anyone,
    run: |cx, arg| Box::pin(std::future::ready(opts(&cx, &arg))),
    ..Verb::PLAIN
};

fn opts(cx: &VerbCx, arg: &Arg) -> VerbResult {
    let line = args::opts(arg.bytes())?;
    let options = line.arg().trim_ascii();
    let (reply, change) = match line.verb.as_str() {
        "UTF8" => {
            let on = options.is_empty() || args::switch(options)?;
            (Reply::ok(), Change::Utf8(on))
        }
        "MLST" => {
            let facts = Facts::parse(options);
            (facts.opts_reply(), Change::Facts(facts))
        }
        "HASH" if options.is_empty() => {
            let name = hash::name_of(cx.state.hash);
            (Reply::new(200, name), Change::Nothing)
        }
        "HASH" => {
            let unknown = || FtpError::Said(Reply::new(501, "Unknown algorithm"));
            let algorithm = hash::named(options).ok_or_else(unknown)?;
            let name = hash::name_of(algorithm);
            (Reply::new(200, name), Change::Hash(algorithm))
        }
        _ => (Reply::new(501, "No such options"), Change::Nothing),
    };
    Ok(Done::with(reply, change))
}

/// `STRU` (RFC 959): files.
pub(super) const STRU: Verb = Verb {
    name: "STRU",
    syntax: "STRU <SP> F",
    keeps: Keeps::Rest,
    run: |_, arg| answer_or(args::file_structure(&arg).map(|()| Reply::ok())),
    ..Verb::PLAIN
};

/// `SYST` (RFC 959).
pub(super) const SYST: Verb = Verb {
    name: "SYST",
    syntax: "SYST",
    gate: Gate::Anyone,
    run: |_, _| answer(Reply::system()),
    ..Verb::PLAIN
};

/// `TYPE` (RFC 959): both are taken, and no byte is ever changed.
pub(super) const TYPE: Verb = Verb {
    name: "TYPE",
    syntax: "TYPE <SP> type",
    keeps: Keeps::Rest,
    run: |_, arg| {
        let done = args::transfer_type(&arg).map(|kind| {
            let text = match kind {
                TransferType::Ascii => "Type is A, nothing is translated",
                TransferType::Image => "Type is I",
            };
            Done::with(Reply::new(200, text), Change::Type(kind))
        });
        Box::pin(std::future::ready(done.map_err(FtpError::from)))
    },
    ..Verb::PLAIN
};

fn answer(reply: Reply) -> futures_util::future::LocalBoxFuture<'static, VerbResult> {
    Box::pin(std::future::ready(Ok(reply.into())))
}

fn answer_or(
    reply: Result<Reply, ArgError>,
) -> futures_util::future::LocalBoxFuture<'static, VerbResult> {
    let done = reply.map(Done::from).map_err(FtpError::from);
    Box::pin(std::future::ready(done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feat_is_what_the_table_says_and_promises_tls_where_it_may_be_had() {
        let secure = features(&State::default(), true);
        for want in ["AUTH TLS", "PBSZ", "PROT", "CPSV", "SSCN"] {
            assert!(secure.iter().any(|line| line == want), "{want}");
        }
        let lines = features(&State::default(), false);
        for want in [
            "SIZE", "MDTM", "MFMT", "UTF8", "TVFS", "CLNT", "XCRC", "XSHA1",
        ] {
            assert!(lines.iter().any(|line| line == want), "{want}");
        }
        assert_eq!(lines.len() + 5, secure.len());
        let mut once = secure.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), secure.len());
    }

    #[test]
    fn help_names_every_verb_and_its_syntax() {
        let all = String::from_utf8(help(&Arg::default()).to_bytes().to_vec()).unwrap();
        for verb in VERBS {
            assert!(
                all.split_whitespace().any(|word| word == verb.name),
                "{}",
                verb.name
            );
            let one = help(&Arg::new(verb.name.to_ascii_lowercase()));
            assert!(one.text().as_bytes().ends_with(verb.syntax.as_bytes()));
        }
        assert_eq!(help(&Arg::new("<script>")).code(), 502);
    }
}
