//! `ctl` and `slave`: commands of the operator, by the control socket where a master runs, else on the store itself.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use drftpd_actors::{Blocking, Clock, Dice, block_on};
use drftpd_protocol::VfsPath;
use serde_json::Value;
use tokio::sync::mpsc;

use super::arguments::At;
use super::{Failure, give, say, words};
use crate::accounts::People;
use crate::admin::wire::{Line, Question, SOCKET, SocketPath};
use crate::admin::{self, AdminError, Answer, Args, Caller, Code, Command, Cx, Facilities};
use crate::config::MasterConfig;
use crate::extend::Extensions;
use crate::rights::Rights;
use crate::root::MasterError;
use crate::setup::open_store;
use crate::slaves::{Authority, Enroll};

/// Where a master is looked for when nobody says where.
const DIR: &str = "./drftpd-data";
/// Lines of a long answer that are made ahead.
const AHEAD: usize = 64;

/// `ctl WORD …`.
pub(super) fn ctl(of: &Extensions, at: &At, json: bool, said: &[String]) -> Result<(), Failure> {
    let outcome = ask(of, at, said, &mut io::stdout().lock())?;
    match outcome {
        Ok(answer) if json => give(&pretty(&answer.result)?),
        Ok(answer) if answer.text.is_empty() => Ok(()),
        Ok(answer) => give(&answer.text),
        Err(error) => {
            if json {
                let error = serde_json::json!({ "error": error });
                give(&pretty(&error)?)?;
            }
            Err(error.into())
        }
    }
}

/// `doctor`, `check`: all findings on stdout; it has failed where something is wrong.
pub(super) fn examine(of: &Extensions, at: &At, json: bool, command: &str) -> Result<(), Failure> {
    let answer = ask(of, at, &words(&[command]), &mut io::sink())??;
    give(&match json {
        true => pretty(&answer.result)?,
        false => answer.text,
    })?;
    match answer.result.get("wrong").and_then(Value::as_u64) {
        Some(0) => Ok(()),
        wrong => Err(Failure::failed(format!("{} wrong", wrong.unwrap_or(1)))),
    }
}

fn pretty(value: &Value) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|why| Failure::failed(why.to_string()))
}

/// `slave add NAME`.
pub(super) fn slave_add(of: &Extensions, at: &At, name: &str, again: bool) -> Result<(), Failure> {
    let mut said = words(&["slave", "add", name]);
    if again {
        said.push("again".to_owned());
    }
    secret(of, at, &said)
}

/// A command that makes a token: the token alone on stdout, so that a script can take it.
pub(super) fn secret(of: &Extensions, at: &At, said: &[String]) -> Result<(), Failure> {
    let answer = ask(of, at, said, &mut io::sink())??;
    let token = answer.result.get("token").and_then(Value::as_str);
    let token = token.ok_or_else(|| Failure::failed("no token in the answer"))?;
    give(token)?;
    for line in answer.text.lines().skip(1) {
        say(line);
    }
    Ok(())
}

/// The configuration of the master that is meant.
fn config(of: &Extensions, at: &At) -> Result<MasterConfig, Failure> {
    if let Some(file) = &at.config {
        return Ok(MasterConfig::read_for(of, file, &[])?);
    }
    let dir = folder(at);
    if !dir.is_dir() {
        let why = format!("{}: no such folder (say --dir or --config)", dir.display());
        return Err(Failure::wrong(why));
    }
    let file = dir.join("master.toml");
    if file.exists() {
        return Ok(MasterConfig::read_for(of, &file, &[])?);
    }
    let mut config = MasterConfig {
        extensions: of.clone(),
        ..MasterConfig::default()
    };
    config.master.dir = dir.to_owned();
    Ok(config)
}

fn folder(at: &At) -> &Path {
    at.dir.as_deref().unwrap_or(Path::new(DIR))
}

/// Asks a command; pieces of a long answer go to `out`.
pub(super) fn ask(
    of: &Extensions,
    at: &At,
    said: &[String],
    out: &mut dyn Write,
) -> Result<Result<Answer, AdminError>, Failure> {
    let Some((command, rest)) = of.commands().find(said) else {
        let why = format!("there is no command {:?}; see `ctl help`", said.join(" "));
        return Ok(Err(AdminError::new(Code::UnknownCommand, why)));
    };
    match connect(of, at)? {
        Found::Master(stream) => ask_master(stream, command, rest, out),
        Found::Store(config) => ask_store(&config, command, rest, out),
    }
}

/// Whom there is to ask.
pub(super) enum Found {
    /// A master that runs.
    Master(UnixStream),
    /// The store itself, by its configuration.
    Store(Box<MasterConfig>),
}

/// Looks for a master, first in the folder itself: its configuration may have errors meanwhile.
pub(super) fn connect(of: &Extensions, at: &At) -> Result<Found, Failure> {
    if at.config.is_none()
        && let Some(stream) = master_of(folder(at))?
    {
        return Ok(Found::Master(stream));
    }
    let config = config(of, at)?;
    match master_of(&config.master.dir)? {
        Some(stream) => Ok(Found::Master(stream)),
        None => Ok(Found::Store(Box::new(config))),
    }
}

/// The master of a folder, if one runs.
fn master_of(folder: &Path) -> Result<Option<UnixStream>, Failure> {
    let failed =
        |why: io::Error| Failure::failed(format!("{}: {why}", folder.join(SOCKET).display()));
    let socket = match SocketPath::of(folder, SOCKET) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        socket => socket.map_err(failed)?,
    };
    match UnixStream::connect(socket.path()) {
        Ok(stream) => Ok(Some(stream)),
        Err(why)
            if matches!(
                why.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(why) => Err(failed(why)),
    }
}

fn ask_master(
    stream: UnixStream,
    command: &Command,
    rest: &[String],
    out: &mut dyn Write,
) -> Result<Result<Answer, AdminError>, Failure> {
    let broken = |why: io::Error| Failure::failed(format!("the master does not answer: {why}"));
    let question = Question {
        command: command.name.to_owned(),
        args: None,
        words: Some(rest.to_vec()),
    };
    let mut line = serde_json::to_vec(&question).map_err(|why| broken(why.into()))?;
    line.push(b'\n');
    (&stream).write_all(&line).map_err(broken)?;
    for line in BufReader::new(&stream).lines() {
        let line = line.map_err(broken)?;
        match serde_json::from_str(&line).map_err(|why| broken(why.into()))? {
            Line::Piece { line } => writeln!(out, "{line}").map_err(stdout)?,
            Line::Done(answer) => return Ok(Ok(answer)),
            Line::Error { error } => return Ok(Err(error)),
        }
    }
    Err(broken(ErrorKind::UnexpectedEof.into()))
}

fn stdout(why: io::Error) -> Failure {
    Failure::failed(format!("the answer cannot be written: {why}"))
}

/// Works on the store itself. None is made: a wrong folder must not become a cluster.
fn ask_store(
    config: &MasterConfig,
    command: &'static Command,
    rest: &[String],
    out: &mut dyn Write,
) -> Result<Result<Answer, AdminError>, Failure> {
    let root = VfsPath::root();
    let args = match Args::from_words(command.params, rest, &root) {
        Ok(args) => args,
        Err(error) => return Ok(Err(error)),
    };
    there_is_a_cluster(config)?;
    if command.name == admin::commands::store::CHECK.name {
        return Ok(admin::commands::store::check_stopped(config));
    }
    let of = Arc::new(offline(config)?);
    let answered = block_on(async {
        let (lines, mut pieces) = mpsc::channel(AHEAD);
        let cx = Cx {
            caller: Caller::Owner,
            of,
            lines: Some(lines),
            said: Default::default(),
        };
        let write = async {
            while let Some(line) = pieces.recv().await {
                out.write_all(&line)?;
                out.write_all(b"\n")?;
            }
            io::Result::Ok(())
        };
        let (outcome, written) = tokio::join!(admin::run(command, cx, Ok(args)), write);
        written.map_err(stdout)?;
        Ok(outcome)
    });
    answered.map_err(|why| Failure::failed(why.to_string()))?
}

/// A wrong folder must not become one.
fn there_is_a_cluster(config: &MasterConfig) -> Result<(), Failure> {
    if config.master.store().is_dir() {
        return Ok(());
    }
    let why = format!("{}: there is no cluster here", config.master.dir.display());
    Err(Failure::failed(why))
}

/// What commands may use when no master runs.
fn offline(config: &MasterConfig) -> Result<Facilities, Failure> {
    let (clock, dice) = (Clock::system(), Dice::system());
    let store = open_store(config, &clock, &dice)?;
    let authority = Authority::open(&config.master.authority(), clock.clone(), dice.clone());
    let authority = Arc::new(authority.map_err(MasterError::from)?);
    let lifetime = config.slaves.token_lifetime;
    let people = People::new(&config.accounts, &dice).map_err(MasterError::from)?;
    let config = Arc::new(config.clone());
    Ok(Facilities {
        people,
        enroll: Enroll::new(
            store.clone(),
            authority,
            clock.clone(),
            dice.clone(),
            lifetime,
        ),
        store,
        clock,
        dice,
        blocking: Blocking::new(1),
        rights: Rights::fixed(Arc::clone(&config)),
        config,
        weak: Vec::new(),
        online: OnceLock::new(),
    })
}
