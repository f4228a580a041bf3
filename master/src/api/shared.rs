//! What all requests share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use drftpd_actors::Drain;
use tokio::sync::{self, Semaphore};
use tokio::time::Instant;

use super::config::ApiConfig;
use super::events::Told;
use super::gate::Gate;
use super::health::Vital;
use super::requests::COMMANDS_AT_ONCE;
use crate::admin::Facilities;
use crate::tls::Current;

/// What requests get; one for all listeners, so that limits count for all of them together.
pub struct Shared {
    pub(super) of: Arc<Facilities>,
    pub(super) vital: Vital,
    pub(super) drain: Drain,
    pub(super) told: Told,
    /// The last numbers, and when they were counted.
    pub(super) counted: sync::Mutex<Option<(Instant, String)>>,
    pub(super) commands: Arc<Semaphore>,
    current: Current,
    gate: Mutex<Gate>,
    /// Answers by the first digit of their status, 1 to 5.
    answered: [AtomicU64; 5],
}

impl Shared {
    /// Over what the commands may use, and the configuration that counts.
    pub fn new(
        of: Arc<Facilities>,
        vital: Vital,
        (drain, told): (Drain, Told),
        current: Current,
    ) -> Self {
        Self {
            of,
            vital,
            drain,
            told,
            counted: sync::Mutex::new(None),
            commands: Arc::new(Semaphore::new(COMMANDS_AT_ONCE)),
            current,
            gate: Mutex::default(),
            answered: Default::default(),
        }
    }

    /// Reads the limits that count now.
    pub(super) fn limits<T>(&self, read: impl FnOnce(&ApiConfig) -> T) -> T {
        read(&self.current.borrow().api)
    }

    /// Asks the gate, by the limits that count now.
    pub(super) fn gated<T>(&self, ask: impl FnOnce(&mut Gate, &ApiConfig) -> T) -> T {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.limits(|limits| ask(&mut gate, limits))
    }

    /// Counts an answer.
    pub(super) fn answer(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100);
        if let Some(count) = class.checked_sub(1).and_then(|at| self.answered.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many answers there were, by the first digit of their status.
    pub(super) fn answered(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let counts = self.answered.iter().map(|it| it.load(Ordering::Relaxed));
        counts.enumerate().map(|(at, count)| (at + 1, count))
    }
}
