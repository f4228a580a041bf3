//! Events for a program: one line of JSON each on its standard input.
//!
//! The program runs as long as the master does and is started again when it ends. It has an event when it has read it:
//! what still stands in the pipe when it ends is given to its next start.

use std::process::Stdio;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use rustix::io::ioctl_fionread;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};
use tracing::info;

use super::config::ProgramConfig;
use super::deliver::{Refused, Sink};
use super::queue::Numbered;

/// Events that are in the pipe at a time, at most.
const AT_ONCE: usize = 100;
/// The first pause before it is looked again whether the program has read; each is twice as long.
const LOOK_FROM: Duration = Duration::from_millis(1);
/// The longest.
const LOOK_TO: Duration = Duration::from_millis(100);

/// A program, and its run if it has one.
pub(super) struct Program {
    config: ProgramConfig,
    run: Option<Run>,
}

/// A run. Dropped, its input ends, and with that the program; one that failed is killed.
struct Run {
    child: Child,
    stdin: ChildStdin,
}

impl Clone for Program {
    /// Not running.
    fn clone(&self) -> Self {
        Self::new(self.config.clone())
    }
}

impl Program {
    /// Not running yet.
    pub fn new(config: ProgramConfig) -> Self {
        Self { config, run: None }
    }

    fn start(&self) -> Result<Run, Refused> {
        let program = self.config.command.first();
        let program = program.ok_or_else(|| Refused::because("no program is named"))?;
        let child = Command::new(program)
            .args(&self.config.command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        let mut child = child.map_err(|why| Refused::because(format!("{program}: {why}")))?;
        let stdin = child.stdin.take();
        let stdin = stdin.ok_or_else(|| Refused::because(format!("{program}: no input")))?;
        info!(
            reader = self.config.name,
            program,
            pid = child.id(),
            "program reads events"
        );
        Ok(Run { child, stdin })
    }

    async fn write(&mut self, lines: &[u8]) -> Result<(), Refused> {
        let mut run = match self.run.take() {
            Some(run) => run,
            None => self.start()?,
        };
        let limit = self.config.timeout;
        let late = || format!("not read within {}", humantime::format_duration(limit));
        let read = timeout(limit, run.read(lines)).await;
        let read = read.unwrap_or_else(|_| Err(Refused::because(late())));
        match read {
            Ok(()) => self.run = Some(run),
            // Not used again: its pipe may hold a piece of a line.
            Err(_) => drop(run.child.start_kill()),
        }
        read
    }
}

impl Run {
    /// Writes, and waits until all is read.
    async fn read(&mut self, lines: &[u8]) -> Result<(), Refused> {
        let written = self.stdin.write_all(lines).await;
        let written = match written {
            Ok(()) => self.stdin.flush().await,
            failed => failed,
        };
        let mut pause = LOOK_FROM;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Refused::because(format!("the program ended: {status}")));
            }
            if let Err(why) = &written {
                return Err(Refused::because(format!(
                    "the program does not read: {why}"
                )));
            }
            if ioctl_fionread(&self.stdin).map_err(Refused::because)? == 0 {
                return Ok(());
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOK_TO);
        }
    }
}

impl Sink for Program {
    fn give<'s>(&'s mut self, events: &'s [Numbered]) -> LocalBoxFuture<'s, Result<(), Refused>> {
        Box::pin(async move {
            let mut lines = Vec::new();
            for event in events {
                lines.extend_from_slice(shown(event)?.to_string().as_bytes());
                lines.push(b'\n');
            }
            self.write(&lines).await
        })
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }
}

/// An event as others read it: `seq`, `at` (RFC 3339), and what the event has.
pub(super) fn shown(numbered: &Numbered) -> Result<serde_json::Value, Refused> {
    let mut value = serde_json::to_value(&numbered.event).map_err(Refused::because)?;
    value["seq"] = numbered.seq.into();
    let at = std::time::Duration::from_secs(u64::try_from(numbered.at).unwrap_or(0));
    let at = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + at);
    value["at"] = at.to_string().into();
    Ok(value)
}
