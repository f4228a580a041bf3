//! The command line of `drftpd-master`.
//!
//! Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration. What was asked for goes to stdout,
//! everything else to stderr.

mod arguments;
mod ctl;
mod data;
mod failure;
mod make;
mod serve;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

pub(crate) use arguments::QuickstartOrder;
use arguments::{Arguments, Command, ConfigCommand, SlaveCommand, TokenCommand};
pub(crate) use failure::Failure;
pub(crate) use make::tell as tell_password;
pub(crate) use serve::{Process, absolute, ready_line};

use crate::quickstart;

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.text);
            ExitCode::from(failure.code)
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Quickstart(order) => quickstart::quickstart(&order),
        Command::Init(order) => make::init(&order),
        Command::Run { config } => serve::serve(&config),
        Command::Config {
            command: ConfigCommand::Check { config },
        } => make::check(&config),
        Command::Doctor { at, json } => ctl::examine(&at, json, "doctor"),
        Command::Slave { command } => slave(command),
        Command::Token { command } => token(command),
        Command::Ctl { at, json, words } => ctl::ctl(&at, json, &words),
        Command::Dump { at, to } => data::dump(&at, to.as_deref()),
        Command::Backup { at, to } => data::backup(&at, &to),
        Command::Check { at, json } => ctl::examine(&at, json, "check"),
        Command::Load { at, from } => data::load(&at, from.as_deref()),
    }
}

fn slave(command: SlaveCommand) -> Result<(), Failure> {
    match command {
        SlaveCommand::Add { at, name, again } => ctl::slave_add(&at, &name, again),
        SlaveCommand::List { at, json } => ctl::ctl(&at, json, &words(&["slave", "list"])),
        SlaveCommand::Drain { at, name } => {
            ctl::ctl(&at, false, &words(&["slave", "drain", &name]))
        }
        SlaveCommand::Undrain { at, name } => {
            ctl::ctl(&at, false, &words(&["slave", "undrain", &name]))
        }
        SlaveCommand::Retire { at, name, force } => {
            let said = ["slave", "retire", &name, "force"];
            let said = if force { &said[..] } else { &said[..3] };
            ctl::ctl(&at, false, &words(said))
        }
        SlaveCommand::Remove { at, name } => {
            ctl::ctl(&at, false, &words(&["slave", "remove", &name]))
        }
    }
}

fn token(command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Create {
            at,
            name,
            scopes,
            expires,
        } => {
            let scopes = scopes.join(",");
            let said = words(&["token", "create", &name, &scopes, &expires]);
            ctl::secret(&at, &said)
        }
        TokenCommand::List { at, json } => ctl::ctl(&at, json, &words(&["token", "list"])),
        TokenCommand::Revoke { at, name } => {
            ctl::ctl(&at, false, &words(&["token", "revoke", &name]))
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
