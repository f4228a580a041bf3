//! The table as `SITE` sees it: every command by its name, and under the names that SITE is used to.

use std::sync::Arc;

use drftpd_protocol::ftp::Reply;
use drftpd_protocol::ftp::args::Words;
use futures_util::future::LocalBoxFuture;

use super::{
    Args, Caller, Code, Command, Commands, Cx, Facilities, NOT_FOR_YOU, Outcome, cx::User,
};
use crate::accounts::Account;
use crate::ftp::{SiteCall, SiteEntry, SiteTable};

/// Names that SITE is used to, of commands with their first arguments said.
pub(crate) static SHORT: &[(&str, &Command, &[&str])] = {
    const RANKING: &Command = &super::commands::stats::RANKING;
    &[
        ("ALDN", RANKING, &["ever", "down", "users"]),
        ("ALUP", RANKING, &["ever", "up", "users"]),
        ("DAYDN", RANKING, &["day", "down", "users"]),
        ("DAYUP", RANKING, &["day", "up", "users"]),
        ("GALDN", RANKING, &["ever", "down", "groups"]),
        ("GALUP", RANKING, &["ever", "up", "groups"]),
        ("GDAYDN", RANKING, &["day", "down", "groups"]),
        ("GDAYUP", RANKING, &["day", "up", "groups"]),
        ("GMONTHDN", RANKING, &["month", "down", "groups"]),
        ("GMONTHUP", RANKING, &["month", "up", "groups"]),
        ("GWKDN", RANKING, &["week", "down", "groups"]),
        ("GWKUP", RANKING, &["week", "up", "groups"]),
        ("MNDN", RANKING, &["month", "down", "users"]),
        ("MNUP", RANKING, &["month", "up", "users"]),
        ("MONTHDN", RANKING, &["month", "down", "users"]),
        ("MONTHUP", RANKING, &["month", "up", "users"]),
        ("WKDN", RANKING, &["week", "down", "users"]),
        ("WKUP", RANKING, &["week", "up", "users"]),
    ]
};

/// The commands, behind `SITE`.
pub struct Site {
    of: Arc<Facilities>,
}

impl Site {
    /// Over what the commands may use.
    pub fn new(of: Arc<Facilities>) -> Self {
        Self { of }
    }
}

impl SiteTable for Site {
    fn commands(&self, who: &Account) -> Vec<SiteEntry> {
        let rules = self.of.rights.rules();
        let commands = self.of.commands();
        let mut entries: Vec<_> = commands
            .iter()
            .filter(|command| command.is_for_user(who, &rules))
            .map(entry)
            .collect();
        let short = SHORT
            .iter()
            .filter(|(_, command, _)| command.is_for_user(who, &rules));
        entries.extend(short.map(|(name, command, said)| {
            SiteEntry {
                name: (*name).to_owned(),
                syntax: command.params[said.len()..]
                    .iter()
                    .map(|param| param.syntax())
                    .collect::<Vec<_>>()
                    .join(" "),
                help: format!("{}: {}", command.about, said.join(" ")),
            }
        }));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    fn run(&self, name: &str, call: SiteCall) -> Option<LocalBoxFuture<'static, Reply>> {
        let words = match words(&call.arg) {
            Ok(words) => words,
            Err(reply) => return Some(Box::pin(std::future::ready(reply))),
        };
        let (command, args) = called(self.of.commands(), name, &words)?;
        let args = Args::from_words(command.params, &args, &call.cwd);
        let caller = Caller::User(User {
            account: call.account,
            session: call.session,
            peer: call.peer,
        });
        let cx = Cx {
            caller,
            of: Arc::clone(&self.of),
            lines: None,
            said: Default::default(),
        };
        Some(Box::pin(async move {
            let outcome = super::run(command, cx, args).await;
            reply(command, &outcome)
        }))
    }
}

fn entry(command: &Command) -> SiteEntry {
    let name = command.site.first().copied();
    SiteEntry {
        name: name.map_or_else(|| command.name.to_ascii_uppercase(), str::to_owned),
        syntax: command.syntax(),
        help: command.about.to_owned(),
    }
}

fn words(arg: &[u8]) -> Result<Vec<Vec<u8>>, Reply> {
    let words: Result<Vec<_>, _> = Words::new(arg).collect();
    match words {
        Ok(words) => Ok(words.into_iter().map(|word| word.into_owned()).collect()),
        Err(error) => Err(error.reply()),
    }
}

/// The command of a SITE line, by its whole name or by an alias, and the words that are its arguments. `USER` is an alias
/// and also how commands begin: `SITE USER bob` shows bob, `SITE USER add bob …` makes him.
fn called(
    commands: &Commands,
    name: &str,
    words: &[Vec<u8>],
) -> Option<(&'static Command, Vec<Vec<u8>>)> {
    let mut all = vec![name.as_bytes().to_vec()];
    all.extend_from_slice(words);
    // SITE HELP is the FTP side's own: it has the same table. A name of one word may be another's alias.
    let named = commands
        .find(&all)
        .filter(|(command, _)| command.name != "help");
    if let Some((command, rest)) = named.filter(|(command, _)| command.name.contains(' ')) {
        return Some((command, rest.to_vec()));
    }
    let by_alias = |command: &&Command| command.site.contains(&name);
    if let Some(command) = commands.iter().find(by_alias) {
        return Some((command, words.to_vec()));
    }
    if let Some((_, command, said)) = SHORT.iter().find(|(short, ..)| *short == name) {
        let said = said.iter().map(|word| word.as_bytes().to_vec());
        return Some((command, said.chain(words.iter().cloned()).collect()));
    }
    named.map(|(command, rest)| (command, rest.to_vec()))
}

fn reply(command: &Command, outcome: &Outcome) -> Reply {
    match outcome {
        Ok(answer) => {
            let lines: Vec<String> = answer.text.lines().map(|line| format!(" {line}")).collect();
            match lines.as_slice() {
                [line] => Reply::new(200, line.trim_start().to_owned()),
                _ => Reply::lines(200, format!("{}:", command.name), lines, "End"),
            }
        }
        Err(error) => match error.code {
            Code::Denied if [NOT_FOR_YOU, ""].contains(&error.message.as_str()) => {
                Reply::permission_denied()
            }
            Code::BadArgument => {
                let syntax = command.syntax();
                Reply::new(501, format!("{error} (SITE {} {syntax})", command.name))
            }
            Code::UnknownCommand => Reply::new(502, error.to_string()),
            Code::Busy | Code::NotRunning => Reply::new(450, error.to_string()),
            Code::Denied | Code::NotFound | Code::Exists | Code::Failed => {
                Reply::new(550, error.to_string())
            }
        },
    }
}
