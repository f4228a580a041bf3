//! Events for the actor of a plugin: one at a time, in their order, again until it has taken them.

use std::time::Duration;

use actix::{Message, Recipient};
use drftpd_actors::ask_recipient;
use futures_util::future::LocalBoxFuture;

use crate::outbox::{Numbered, Refused, Sink, Wanted};

/// Events that are given before the place is noted: so many come again after a crash.
const AT_ONCE: usize = 32;
/// How long a plugin may take for one event.
const LIMIT: Duration = Duration::from_secs(30);

/// Something has happened; at least once, in the order of the events. An error, or no answer within half a minute, and it
/// comes again, later each time; those behind it wait.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Result<(), String>")]
pub struct Happened(pub Numbered);

/// An actor that wants events.
#[derive(Clone)]
pub(crate) struct ToActor {
    /// The reader's name.
    pub name: String,
    /// Which.
    pub wanted: Wanted,
    /// The actor.
    pub to: Recipient<Happened>,
}

impl Sink for ToActor {
    fn give<'s>(&'s mut self, events: &'s [Numbered]) -> LocalBoxFuture<'s, Result<(), Refused>> {
        Box::pin(async move {
            for event in events {
                let taken = ask_recipient(&self.to, Happened(event.clone()), LIMIT).await;
                taken.map_err(Refused::because)?.map_err(Refused::because)?;
            }
            Ok(())
        })
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }
}
