//! The handle to the outbox: whoever changes something writes through it, readers wait at it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::event::Event;
use super::queue;
use crate::store::{Batch, StoreError};

/// Handle to the outbox; cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    keep: u64,
    /// Grows with every batch in which something was written.
    written: Arc<watch::Sender<u64>>,
    readers: Arc<Mutex<BTreeMap<String, ReaderState>>>,
}

/// How the deliveries to a reader go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReaderState {
    /// Failures since the last success.
    pub failures: u32,
    /// Why the last one failed, if it did.
    pub why: Option<String>,
    /// Events that it did not get because too many waited, since the master was started.
    pub dropped: u64,
}

impl Outbox {
    /// Of more than `keep` events that wait the oldest are dropped.
    pub fn new(keep: u64) -> Self {
        Self {
            keep,
            written: Arc::new(watch::Sender::new(0)),
            readers: Arc::default(),
        }
    }

    /// Writes what `event` makes into the open batch, where anybody wants to know of anything.
    ///
    /// # Errors
    /// When the database fails, or `event` does.
    pub fn note<E: From<StoreError>>(
        &self,
        batch: &Batch<'_>,
        now: i64,
        event: impl FnOnce() -> Result<Event, E>,
    ) -> Result<(), E> {
        if !queue::has_readers(batch)? {
            return Ok(());
        }
        queue::add(batch, now, self.keep, &event()?)?;
        let written = Arc::clone(&self.written);
        batch.on_commit(move || written.send_modify(|count| *count += 1));
        Ok(())
    }

    /// Changes when there may be something to read.
    pub fn written(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// How the deliveries to every reader go.
    pub fn readers(&self) -> BTreeMap<String, ReaderState> {
        self.states().clone()
    }

    pub(super) fn reader(&self, name: &str, change: impl FnOnce(&mut ReaderState)) {
        change(self.states().entry(name.to_owned()).or_default());
    }

    fn states(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ReaderState>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
