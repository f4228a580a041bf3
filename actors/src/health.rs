//! Is the process alive, and where does it hang? A lag meter on every arbiter, and pings through mailboxes.
//!
//! One slow handler delays everything on its arbiter: the meter sleeps a known time and looks how late it wakes.
//! Nobody can ask an address how full it is, so a `Ping` measures how long a message takes to be handled.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix::{Message, MessageResponse, Recipient};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::ask::ask_recipient;
use crate::place::Place;

/// How often an arbiter is measured.
const EVERY: Duration = Duration::from_millis(100);
/// A lag from here on is warned about.
const LAGS: Duration = Duration::from_millis(50);
/// How often one arbiter's lag is worth a warning.
const WARN_EVERY: Duration = Duration::from_secs(10);
/// The worst lag is remembered for one to two of these.
const WINDOW: Duration = Duration::from_secs(30);

/// Asks an actor how long a message waits in its mailbox. The handler is `Ping::answer`.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "Pong")]
pub struct Ping {
    sent: Instant,
}

/// The answer to a [`Ping`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, MessageResponse)]
pub struct Pong {
    /// How long the ping waited before it was handled.
    pub waited: Duration,
}

impl Ping {
    /// A ping that is sent now.
    pub fn now() -> Self {
        Self {
            sent: Instant::now(),
        }
    }

    /// What every handler of a ping returns.
    pub fn answer(self) -> Pong {
        Pong {
            waited: self.sent.elapsed(),
        }
    }
}

/// Collects what is known about arbiters and actors. Cloning gives another handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    arbiters: BTreeMap<String, Beat>,
    actors: BTreeMap<String, Option<Duration>>,
}

#[derive(Debug)]
struct Beat {
    at: Instant,
    lag: Duration,
    /// The worst lag of this window and of the one before.
    worst: [Duration; 2],
    window_began: Instant,
    warned: Option<Instant>,
}

/// How one arbiter does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArbiterHealth {
    /// The place and the number of the arbiter in it.
    pub name: String,
    /// How late the last measurement was, or how late the next one is by now.
    pub lag: Duration,
    /// The worst lag of the last half minute or more.
    pub worst: Duration,
}

/// How one actor does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorHealth {
    /// The actor's name.
    pub name: String,
    /// How long the last ping waited in its mailbox; nothing if it did not answer in time.
    pub waited: Option<Duration>,
}

/// What a health page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthSnapshot {
    /// Every arbiter that is measured.
    pub arbiters: Vec<ArbiterHealth>,
    /// Every actor that is pinged.
    pub actors: Vec<ActorHealth>,
}

impl HealthSnapshot {
    /// Whether no arbiter is later than `limit` and every pinged actor answered.
    pub fn is_alive(&self, limit: Duration) -> bool {
        self.arbiters.iter().all(|arbiter| arbiter.lag <= limit)
            && self.actors.iter().all(|actor| actor.waited.is_some())
    }
}

impl Health {
    /// Nothing is measured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Measures every arbiter of a place from now on, until this and all its clones are gone.
    pub fn watch(&self, name: &str, place: &Place) {
        let (name, book) = (name.to_owned(), Arc::downgrade(&self.0));
        place.each(move |i| {
            let name = format!("{name}-{i}");
            actix_rt::spawn(measure(name, book));
        });
    }

    /// Pings an actor every `every`, which must answer within `limit`, until the actor is gone; this does not keep
    /// it alive. The task runs where this is called.
    pub fn watch_actor(
        &self,
        name: &str,
        actor: &Recipient<Ping>,
        every: Duration,
        limit: Duration,
    ) {
        let (name, actor) = (name.to_owned(), actor.downgrade());
        let book = Arc::downgrade(&self.0);
        actix_rt::spawn(async move {
            loop {
                let pong = match actor.upgrade().filter(Recipient::connected) {
                    Some(actor) => Some(ask_recipient(&actor, Ping::now(), limit).await.ok()),
                    None => None,
                };
                if !note_actor(&book, &name, pong) || pong.is_none() {
                    return;
                }
                sleep(every).await;
            }
        });
    }

    /// How everything does at this moment. Cheap, never waits; may be read from any thread.
    pub fn snapshot(&self) -> HealthSnapshot {
        let now = Instant::now();
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let arbiters = book
            .arbiters
            .iter()
            .map(|(name, beat)| beat.health(name, now))
            .collect();
        let actors = book.actors.iter();
        let actors = actors
            .map(|(name, waited)| ActorHealth {
                name: name.clone(),
                waited: *waited,
            })
            .collect();
        HealthSnapshot { arbiters, actors }
    }
}

async fn measure(name: String, book: Weak<Mutex<Book>>) {
    loop {
        let begun = Instant::now();
        sleep(EVERY).await;
        let now = Instant::now();
        let lag = now.duration_since(begun).saturating_sub(EVERY);
        let Some(book) = book.upgrade() else { return };
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        let beat = book
            .arbiters
            .entry(name.clone())
            .or_insert_with(|| Beat::new(now));
        if beat.note(now, lag) {
            warn!(arbiter = name, ?lag, "arbiter lags");
        }
    }
}

/// Takes the outcome of a ping: an answer, none in time, or no actor any more. False when nobody keeps the book.
fn note_actor(book: &Weak<Mutex<Book>>, name: &str, pong: Option<Option<Pong>>) -> bool {
    let Some(book) = book.upgrade() else {
        return false;
    };
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    match pong {
        Some(pong) => book
            .actors
            .insert(name.to_owned(), pong.map(|pong| pong.waited)),
        None => book.actors.remove(name),
    };
    true
}

impl Beat {
    fn new(now: Instant) -> Self {
        Self {
            at: now,
            lag: Duration::ZERO,
            worst: [Duration::ZERO; 2],
            window_began: now,
            warned: None,
        }
    }

    /// Takes a measurement; tells whether to warn.
    fn note(&mut self, now: Instant, lag: Duration) -> bool {
        if now.duration_since(self.window_began) >= WINDOW {
            self.window_began = now;
            self.worst = [Duration::ZERO, self.worst[0]];
        }
        (self.at, self.lag) = (now, lag);
        self.worst[0] = self.worst[0].max(lag);
        let warn = lag >= LAGS
            && self
                .warned
                .is_none_or(|at| now.duration_since(at) >= WARN_EVERY);
        if warn {
            self.warned = Some(now);
        }
        warn
    }

    fn health(&self, name: &str, now: Instant) -> ArbiterHealth {
        // An arbiter that hangs does not measure: its missing beat is the lag.
        let missing = now.saturating_duration_since(self.at).saturating_sub(EVERY);
        let lag = self.lag.max(missing);
        ArbiterHealth {
            name: name.to_owned(),
            lag,
            worst: lag.max(self.worst[0]).max(self.worst[1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn a_lag_is_warned_about_once_in_a_while_and_remembered_for_a_while() {
        let begin = Instant::now();
        let mut beat = Beat::new(begin);
        assert!(!beat.note(begin + 100 * MS, 49 * MS));
        assert!(beat.note(begin + 200 * MS, 60 * MS));
        assert!(!beat.note(begin + 300 * MS, 70 * MS));
        assert!(beat.note(begin + 11_000 * MS, 50 * MS));
        assert_eq!(beat.health("x", begin + 11_000 * MS).worst, 70 * MS);
        beat.note(begin + 31_000 * MS, Duration::ZERO);
        assert_eq!(beat.health("x", begin + 31_000 * MS).worst, 70 * MS);
        beat.note(begin + 62_000 * MS, Duration::ZERO);
        assert_eq!(beat.health("x", begin + 62_000 * MS).worst, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_arbiter_that_stopped_beating_shows_as_late() {
        let begin = Instant::now();
        let mut beat = Beat::new(begin);
        beat.note(begin, Duration::ZERO);
        assert_eq!(beat.health("x", begin + 5_100 * MS).lag, 5_000 * MS);
        let arbiters = vec![beat.health("x", begin + 5_100 * MS)];
        let snapshot = HealthSnapshot {
            arbiters,
            actors: Vec::new(),
        };
        assert!(!snapshot.is_alive(1_000 * MS));
        assert!(snapshot.is_alive(5_000 * MS));
    }
}
