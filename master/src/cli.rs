//! The command line of `drftpd-master`.
//!
//! Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration. What was asked for goes to stdout,
//! everything else to stderr.

mod arguments;
mod ctl;
mod data;
mod failure;
mod make;
mod profile;
mod serve;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

pub(crate) use arguments::QuickstartOrder;
use arguments::{Arguments, Command, ConfigCommand, SlaveCommand, TokenCommand};
pub(crate) use failure::Failure;
pub(crate) use make::tell as tell_password;
pub(crate) use serve::{Process, absolute, ready_line};

use crate::extend::Extensions;
use crate::quickstart;

/// Reads the arguments and does what they say, with these plugins, commands and filters.
pub fn main(extensions: &Extensions) -> ExitCode {
    match run(extensions, Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.text);
            ExitCode::from(failure.code)
        }
    }
}

fn run(of: &Extensions, command: Command) -> Result<(), Failure> {
    let twice = of.twice();
    if !twice.is_empty() {
        let why = format!("this program has two of these: {}", twice.join(", "));
        return Err(Failure::wrong(why));
    }
    match command {
        Command::Quickstart(order) => quickstart::quickstart(of, &order),
        Command::Init(order) => make::init(of, &order),
        Command::Run { config } => serve::serve(of, &config),
        Command::Config {
            command: ConfigCommand::Check { config },
        } => make::check(of, &config),
        Command::Doctor { at, json } => ctl::examine(of, &at, json, "doctor"),
        Command::Slave { command } => slave(of, command),
        Command::Token { command } => token(of, command),
        Command::Ctl { at, json, words } => ctl::ctl(of, &at, json, &words),
        Command::Dump { at, to } => data::dump(of, &at, to.as_deref()),
        Command::Backup { at, to } => data::backup(of, &at, &to),
        Command::Check { at, json } => ctl::examine(of, &at, json, "check"),
        Command::Import {
            at,
            format,
            from,
            apply,
            json,
        } => data::import(of, &at, (format, &from), apply, json),
        Command::Load { at, from } => data::load(of, &at, from.as_deref()),
    }
}

fn slave(of: &Extensions, command: SlaveCommand) -> Result<(), Failure> {
    match command {
        SlaveCommand::Add { at, name, again } => ctl::slave_add(of, &at, &name, again),
        SlaveCommand::List { at, json } => ctl::ctl(of, &at, json, &words(&["slave", "list"])),
        SlaveCommand::Drain { at, name } => {
            ctl::ctl(of, &at, false, &words(&["slave", "drain", &name]))
        }
        SlaveCommand::Undrain { at, name } => {
            ctl::ctl(of, &at, false, &words(&["slave", "undrain", &name]))
        }
        SlaveCommand::Retire { at, name, force } => {
            let said = ["slave", "retire", &name, "force"];
            let said = if force { &said[..] } else { &said[..3] };
            ctl::ctl(of, &at, false, &words(said))
        }
        SlaveCommand::Remove { at, name } => {
            ctl::ctl(of, &at, false, &words(&["slave", "remove", &name]))
        }
    }
}

fn token(of: &Extensions, command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Create {
            at,
            name,
            scopes,
            expires,
        } => {
            let scopes = scopes.join(",");
            let said = words(&["token", "create", &name, &scopes, &expires]);
            ctl::secret(of, &at, &said)
        }
        TokenCommand::List { at, json } => ctl::ctl(of, &at, json, &words(&["token", "list"])),
        TokenCommand::Revoke { at, name } => {
            ctl::ctl(of, &at, false, &words(&["token", "revoke", &name]))
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Says something that was not asked for.
pub(crate) fn say(text: &str) {
    // Nobody is left to be told when stderr is closed.
    drop(writeln!(io::stderr(), "{text}"));
}

/// Gives what was asked for.
pub(crate) fn give(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|why| Failure::failed(format!("stdout: {why}")))
}
