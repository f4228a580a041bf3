//! `Deliverer`: one for each reader. Takes what waits for it out of the store, gives it to the sink, and moves the
//! reader's place when that took it.
//!
//! Nobody asks it anything. A panic or the end of the process loses nothing: what was not taken is given again. A
//! reader that fails is tried again, later each time; others are not held up by it.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Recipient, Supervised, WrapFuture};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Clock, Drain, Net, Place, supervise};
use futures_util::future::LocalBoxFuture;
use tokio::time::sleep;
use tracing::{info, warn};

use super::config::{EventsConfig, Wanted};
use super::handle::Outbox;
use super::log::LogReader;
use super::program::Program;
use super::queue::{self, Has, Numbered, SetReaders};
use super::webhook::Webhook;
use crate::extend::ToActor;
use crate::store::{Store, StoreError};

/// Its name in logs.
pub const NAME: &str = "outbox";
/// Nobody sends it anything.
const MAILBOX: usize = 1;
/// Events that are read at a time.
const PAGE: usize = 256;

/// What readers are told through.
pub(crate) trait Sink: 'static {
    /// Gives these events, all or none; those that were given before its failure are given again.
    fn give<'s>(&'s mut self, events: &'s [Numbered]) -> LocalBoxFuture<'s, Result<(), Refused>>;

    /// Events that it takes at a time.
    fn at_once(&self) -> usize;
}

/// A reader did not take events.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Refused {
    pub why: String,
    /// How long it wants to be left alone.
    pub wait: Option<Duration>,
}

impl Refused {
    pub fn because(why: impl ToString) -> Self {
        Self {
            why: why.to_string(),
            wait: None,
        }
    }
}

/// What the outbox is given.
#[derive(Clone)]
pub struct OutboxDeps {
    /// `[events]`.
    pub config: Arc<EventsConfig>,
    /// Where events wait.
    pub store: Store,
    /// Tells when there are some.
    pub outbox: Outbox,
    /// The network.
    pub net: Arc<dyn Net>,
    /// The time of day.
    pub clock: Clock,
    /// Nothing more is given once it has begun.
    pub drain: Drain,
}

/// Starts a deliverer for each reader of the configuration, for each of the master's logs, and for the plugins that want
/// events.
///
/// # Errors
/// When the store fails, or a secret or authority cannot be read.
pub(crate) async fn start(
    place: &Place,
    deps: OutboxDeps,
    (plugins, logs): (Vec<ToActor>, Vec<LogReader>),
    parent: &Recipient<ChildDown>,
) -> Result<(), CannotTell> {
    let mut readers = deps.config.readers();
    readers.extend(plugins.iter().map(|plugin| plugin.name.clone()));
    readers.extend(logs.iter().map(|log| log.name.to_owned()));
    let gone = deps.store.change(SetReaders(readers)).await?;
    if !gone.is_empty() {
        info!(
            readers = gone.join(" "),
            "events are kept for these no longer"
        );
    }
    for log in logs {
        begin(
            place,
            deps.clone(),
            (log.name, Wanted::default()),
            log,
            parent,
        );
    }
    let config = Arc::clone(&deps.config);
    for webhook in &config.webhooks {
        let sink = Webhook::new(webhook, Arc::clone(&deps.net), deps.clock.clone())?;
        begin(
            place,
            deps.clone(),
            (&webhook.name, webhook.wanted()),
            sink,
            parent,
        );
    }
    for sink in plugins {
        let (name, wanted) = (sink.name.clone(), sink.wanted.clone());
        begin(place, deps.clone(), (&name, wanted), sink, parent);
    }
    for program in &config.programs {
        let sink = Program::new(program.clone());
        begin(
            place,
            deps.clone(),
            (&program.name, program.wanted()),
            sink,
            parent,
        );
    }
    Ok(())
}

/// Why readers are not told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotTell {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the configuration.
    #[error("events.webhooks {name:?}: {why}")]
    Webhook {
        /// Of which reader.
        name: String,
        /// What is wrong.
        why: String,
    },
}

fn begin<S: Sink + Clone + Unpin + Send>(
    place: &Place,
    deps: OutboxDeps,
    (name, wanted): (&str, Wanted),
    sink: S,
    parent: &Recipient<ChildDown>,
) {
    let spec = ChildSpec::new(NAME, MAILBOX, Budget::PLUGIN, parent.clone());
    let reader = Reader {
        name: name.to_owned(),
        wanted,
        deps,
    };
    supervise(place, spec, move || Deliverer { reader, sink });
}

struct Deliverer<S> {
    reader: Reader,
    sink: S,
}

impl<S: Sink + Clone + Unpin> Actor for Deliverer<S> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        drftpd_actors::panicpoint("actor.outbox");
        let work = deliver(self.reader.clone(), self.sink.clone());
        ctx.spawn(work.into_actor(self));
    }
}

impl<S: Sink + Clone + Unpin> Supervised for Deliverer<S> {}

/// A reader, and what is needed to tell it something.
#[derive(Clone)]
pub(super) struct Reader {
    pub name: String,
    pub wanted: Wanted,
    pub deps: OutboxDeps,
}

/// Until the master drains.
async fn deliver(reader: Reader, mut sink: impl Sink) {
    let mut written = reader.deps.outbox.written();
    let drain = reader.deps.drain.clone();
    loop {
        written.mark_unchanged();
        let pause = match reader.step(&mut sink).await {
            Ok(true) => continue,
            Ok(false) => None,
            Err(pause) => Some(pause),
        };
        tokio::select! {
            () = drain.draining() => return,
            () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            changed = written.changed(), if pause.is_none() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

impl Reader {
    /// Gives some of what waits; whether there was any. Otherwise: how long to wait before the next try.
    pub(super) async fn step(&self, sink: &mut impl Sink) -> Result<bool, Duration> {
        let waiting = self
            .deps
            .store
            .read(|sql| queue::waiting(sql, &self.name, PAGE));
        let waiting = waiting.map_err(|why| self.failed(Refused::because(why)))?;
        let Some(waiting) = waiting.filter(|waiting| !waiting.events.is_empty()) else {
            return Ok(false);
        };
        let mut wanted = waiting.events;
        wanted.retain(|numbered| self.wanted.has(&numbered.event));
        for events in wanted.chunks(sink.at_once()) {
            sink.give(events).await.map_err(|why| self.failed(why))?;
            if let Some(given) = events.last() {
                self.has(given.seq).await?;
            }
        }
        self.has(waiting.last).await?;
        self.deps.outbox.reader(&self.name, |state| {
            (state.failures, state.why) = (0, None);
            state.dropped += waiting.dropped;
        });
        if waiting.dropped > 0 {
            let (reader, dropped) = (&self.name, waiting.dropped);
            warn!(reader, dropped, "events were dropped: too many waited");
        }
        Ok(true)
    }

    async fn has(&self, upto: u64) -> Result<(), Duration> {
        let reader = self.name.clone();
        let has = self.deps.store.change(Has { reader, upto }).await;
        has.map_err(|why| self.failed(Refused::because(why)))
    }

    /// Counts a failure; says how long to wait.
    fn failed(&self, refused: Refused) -> Duration {
        let mut failures = 0;
        self.deps.outbox.reader(&self.name, |state| {
            state.failures = state.failures.saturating_add(1);
            state.why = Some(refused.why.clone());
            failures = state.failures;
        });
        let config = &self.deps.config;
        let pause = config.retry_after(failures);
        let pause = pause.max(refused.wait.unwrap_or_default().min(config.retry_to));
        if failures.is_power_of_two() {
            let again = humantime::format_duration(pause);
            warn!(reader = self.name, why = %refused, failures, %again, "events were not taken");
        }
        pause
    }
}
