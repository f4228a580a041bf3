//! Events for the master's own logs: lines in files.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use super::deliver::{Refused, Sink};
use super::queue::Numbered;
use crate::logs::LogFile;

/// Events that are written at a time.
const AT_ONCE: usize = 256;

/// Makes the line of an event, where the log has one.
pub type Form = Arc<dyn Fn(&Numbered) -> Option<String> + Send + Sync>;

/// A log that is told what has happened.
#[derive(Clone)]
pub struct LogReader {
    /// By which name the outbox knows it: one that no configuration can give.
    pub name: &'static str,
    file: LogFile,
    form: Form,
}

impl LogReader {
    /// Writes into `file` what `form` makes of events.
    pub fn new(name: &'static str, file: LogFile, form: Form) -> Self {
        Self { name, file, form }
    }
}

impl Sink for LogReader {
    fn give<'s>(&'s mut self, events: &'s [Numbered]) -> LocalBoxFuture<'s, Result<(), Refused>> {
        Box::pin(async move {
            let lines = events.iter().filter_map(|event| (self.form)(event));
            let text: String = lines.collect();
            match text.is_empty() || self.file.written(text).await {
                true => Ok(()),
                false => Err(Refused::because("the log file was not written")),
            }
        })
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }
}
