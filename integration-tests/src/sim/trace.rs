//! What happened in a run, line by line with simulated times: equal for equal seeds, and shown when a run fails.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Lines that all parts of one run write to. Cloning gives another handle to the same lines.
#[derive(Clone, Default)]
pub struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    /// Notes what happened at a time of the simulation.
    pub fn note(&self, at: Duration, who: &str, what: impl AsRef<str>) {
        let line = format!("{:>8.3} {who}: {}", at.as_secs_f64(), what.as_ref());
        self.0.borrow_mut().push(line);
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// The last lines, for failures.
    pub fn tail(&self, lines: usize) -> String {
        let all = self.0.borrow();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}
