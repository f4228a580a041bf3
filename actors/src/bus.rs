//! The event bus: whoever publishes knows nobody, whoever listens may be slow or dead without harm.
//!
//! A handle, not an actor. A listener whose mailbox is full loses the event (counted, warned once a minute), one
//! that is gone is forgotten. The bus keeps one handle per listener, because actix counts capacity per handle.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::dev::SendError;
use actix::{Message, Recipient};
use tokio::time::Instant;
use tracing::{debug, warn};

/// How often one listener's losses are worth a warning.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What can be published: a message without an answer that can be copied to each listener.
pub trait Event: Message<Result = ()> + Clone + Send + 'static {}

impl<E: Message<Result = ()> + Clone + Send + 'static> Event for E {}

/// How many events one listener lost since it subscribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drops {
    /// The listener's name.
    pub listener: &'static str,
    /// The event's type name.
    pub event: &'static str,
    /// How many were dropped.
    pub dropped: u64,
}

/// Publishes events to whoever listens. Cloning gives another handle to the same bus.
#[derive(Clone, Default)]
pub struct EventBus {
    topics: Arc<Mutex<HashMap<TypeId, Topic>>>,
}

/// The listeners of one event type.
struct Topic {
    event: &'static str,
    listeners: Box<dyn Any + Send>, // Vec<Listener<E>>
    drops: fn(&Topic) -> Vec<Drops>,
}

struct Listener<E: Event> {
    name: &'static str,
    to: Recipient<E>,
    dropped: u64,
    warned: Option<Instant>,
}

impl EventBus {
    /// A bus that nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a listener for events of type `E`; `name` is for logs and counts. The bus keeps the listener alive: it ends
    /// by a stop, not with its last address.
    pub fn subscribe<E: Event>(&self, name: &'static str, to: Recipient<E>) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = topics
            .entry(TypeId::of::<E>())
            .or_insert_with(Topic::new::<E>);
        topic.listeners::<E>().push(Listener {
            name,
            to,
            dropped: 0,
            warned: None,
        });
    }

    /// Gives every listener a copy. Never waits.
    pub fn publish<E: Event>(&self, event: E) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics.get_mut(&TypeId::of::<E>()) {
            topic
                .listeners::<E>()
                .retain_mut(|listener| listener.give(event.clone()));
        }
    }

    /// Whether anybody listens to events of type `E`; for events that are dear to make.
    pub fn has_listeners<E: Event>(&self) -> bool {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics
            .get_mut(&TypeId::of::<E>())
            .is_some_and(|topic| !topic.listeners::<E>().is_empty())
    }

    /// What each present listener lost, by listener and event; for metrics.
    pub fn drops(&self) -> Vec<Drops> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut drops: Vec<_> = topics
            .values()
            .flat_map(|topic| (topic.drops)(topic))
            .collect();
        drops.sort_by_key(|drop| (drop.listener, drop.event));
        drops
    }
}

impl Topic {
    fn new<E: Event>() -> Self {
        Self {
            event: type_name::<E>(),
            listeners: Box::new(Vec::<Listener<E>>::new()),
            drops: Self::count::<E>,
        }
    }

    fn listeners<E: Event>(&mut self) -> &mut Vec<Listener<E>> {
        match self.listeners.downcast_mut() {
            Some(listeners) => listeners,
            None => unreachable!("a topic is kept under the type of its event"),
        }
    }

    fn count<E: Event>(topic: &Topic) -> Vec<Drops> {
        let listeners = topic
            .listeners
            .downcast_ref::<Vec<Listener<E>>>()
            .into_iter()
            .flatten();
        listeners
            .map(|l| Drops {
                listener: l.name,
                event: topic.event,
                dropped: l.dropped,
            })
            .collect()
    }
}

impl<E: Event> Listener<E> {
    /// Gives the event; false when the listener is gone.
    fn give(&mut self, event: E) -> bool {
        match self.to.try_send(event) {
            Ok(()) => true,
            Err(SendError::Full(_)) => {
                self.lose();
                true
            }
            Err(SendError::Closed(_)) => {
                debug!(
                    listener = self.name,
                    event = type_name::<E>(),
                    "listener is gone"
                );
                false
            }
        }
    }

    fn lose(&mut self) {
        self.dropped += 1;
        let now = Instant::now();
        if self
            .warned
            .is_none_or(|at| now.duration_since(at) >= WARN_EVERY)
        {
            self.warned = Some(now);
            warn!(
                listener = self.name,
                event = type_name::<E>(),
                dropped = self.dropped,
                "listener is too slow, events dropped"
            );
        }
    }
}
