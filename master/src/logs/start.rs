//! Opens the logs that the configuration names, and has them hear what they write.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix::Recipient;
use drftpd_actors::{Budget, ChildDown, ChildSpec, EventBus, Place, supervise};

use super::LogFile;
use super::events::{self, EventLog};
use super::glftpd::{self, GlftpdLog};
use super::xferlog::XferLog;
use crate::config::MasterConfig;
use crate::deps::Deps;
use crate::events::{DeleteLogged, LoginChanged, TransferLogged};
use crate::outbox::LogReader;
use crate::root::MasterError;
use crate::store::Store;

/// Writes the log of transfers.
const XFERLOG: &str = "xferlog";
/// Writes the log of events.
const EVENTS: &str = "log_events";
/// Writes lines as glftpd does.
const GLFTPD: &str = "log_glftpd";
/// All of them: plugins, without which the master is as good as before.
pub(crate) const NAMES: [&str; 3] = [XFERLOG, EVENTS, GLFTPD];
/// What may wait for one of them before it is dropped.
const MAILBOX: usize = 1024;

/// Begins to write; answers what the outbox has to tell, to whom.
///
/// # Errors
/// When a file cannot be opened.
pub(crate) fn start(
    config: &MasterConfig,
    deps: &Deps,
    (store, bus): (&Store, &EventBus),
    parent: &Recipient<ChildDown>,
) -> Result<Vec<LogReader>, MasterError> {
    let (log, clock) = (&config.log, &deps.clock);
    let mut readers = Vec::new();
    if let Some(path) = &log.xferlog {
        let file = open(XFERLOG, ("log.xferlog", path), deps)?;
        let actor = supervise(&Place::here(), spec(XFERLOG, parent), move || XferLog(file));
        bus.subscribe::<TransferLogged>(XFERLOG, actor.clone().recipient());
        bus.subscribe::<DeleteLogged>(XFERLOG, actor.recipient());
    }
    if let Some(path) = &log.events {
        let file = open(EVENTS, ("log.events", path), deps)?;
        readers.push(LogReader::new(
            "log:events",
            file.clone(),
            Arc::new(events::of_outbox),
        ));
        let log = EventLog {
            file,
            clock: clock.clone(),
        };
        let actor = supervise(&Place::here(), spec(EVENTS, parent), move || log);
        EventLog::hear(EVENTS, bus, &actor);
    }
    if let Some(path) = &log.glftpd {
        let file = open(GLFTPD, ("log.glftpd", path), deps)?;
        let of = store.clone();
        let line = move |numbered: &_| glftpd::of_outbox(&of, numbered);
        readers.push(LogReader::new("log:glftpd", file.clone(), Arc::new(line)));
        let log = GlftpdLog {
            file,
            store: store.clone(),
            clock: clock.clone(),
        };
        let actor = supervise(&Place::here(), spec(GLFTPD, parent), move || log);
        bus.subscribe::<LoginChanged>(GLFTPD, actor.recipient());
    }
    Ok(readers)
}

fn spec(name: &'static str, parent: &Recipient<ChildDown>) -> ChildSpec {
    ChildSpec::new(name, MAILBOX, Budget::PLUGIN, parent.clone())
}

fn open(
    name: &'static str,
    (key, path): (&'static str, &Path),
    deps: &Deps,
) -> Result<LogFile, MasterError> {
    let again = deps.reload.as_ref().map(|reload| reload.current());
    let path: PathBuf = path.to_owned();
    let file = path.display().to_string();
    let opened = LogFile::open(name, path, deps.blocking.clone(), again);
    opened.map_err(|source| MasterError::Log { key, file, source })
}
