//! What happened in a run, line by line with times: every call, every reply, every fault. Equal for equal seeds in the
//! simulation, and shown when a run fails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Lines that all parts of one run write to. Cloning gives another handle to the same lines.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    /// Notes what happened at a time of the run.
    pub fn note(&self, at: Duration, who: &str, what: impl AsRef<str>) {
        let line = format!("{:>8.3} {who}: {}", at.as_secs_f64(), what.as_ref());
        self.all().push(line);
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.all().clone()
    }

    /// The last lines, for failures.
    pub fn tail(&self, lines: usize) -> String {
        let all = self.all();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
