//! The outbox: what has happened is told to whoever wants to know it, at least once and in its order.
//!
//! An event is a row of the store, written in the batch of the change that it tells of: neither is there without the
//! other, whatever is killed when. Each reader (a webhook, a program) has its place in the queue; an actor of its own
//! takes the next events there, gives them to its [`Sink`], and moves the place when they are taken. Where there is no
//! reader nothing is written.
//!
//! For what may be lost, and for what is told to parts of the master itself, there is the bus (`crate::events`).

mod config;
mod deliver;
mod event;
mod handle;
mod log;
mod program;
mod queue;
mod webhook;

#[cfg(test)]
mod tests;

pub use config::{EventsConfig, ProgramConfig, Wanted, WebhookConfig};
pub use deliver::{CannotTell, NAME, OutboxDeps};
pub(crate) use deliver::{Refused, Sink, start};
pub use event::{At, Event, KINDS};
pub use handle::{Outbox, ReaderState};
pub use log::LogReader;
pub use queue::{Numbered, Place};

use crate::store::{Store, StoreError};
use drftpd_actors::Blocking;

/// Where every reader is.
///
/// # Errors
/// When the store fails.
pub async fn places(store: &Store, blocking: &Blocking) -> Result<Vec<Place>, StoreError> {
    store.read_on(blocking, queue::places).await
}
