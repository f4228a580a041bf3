//! The ways to send a message: `ask` a question within a time limit, `tell` a notice that must arrive.
//!
//! Nothing else touches an address (`EventBus::publish` is the third way). A time-out means "unknown", not "no":
//! a question that was not begun is skipped by actix, one that was begun has its effects although nobody waits.

use std::any::type_name;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, MailboxError, Message, Recipient};
use tokio::time::{Instant, timeout};
use tracing::debug;

/// A question that waits longer than this is named in the log.
const SLOW: Duration = Duration::from_secs(1);

static LOST: AtomicU64 = AtomicU64::new(0);

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The actor has ended, or panicked over this very question.
    #[error("the actor is gone")]
    Gone,
    /// No answer within the limit. The question may have been carried out all the same.
    #[error("no answer in time")]
    TimedOut,
}

/// Asks a question and waits for the answer, at most `limit`.
///
/// # Errors
/// See [`AskError`].
pub async fn ask<A, M>(to: &Addr<A>, msg: M, limit: Duration) -> Result<M::Result, AskError>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    limited::<M, _>(to.send(msg), limit).await
}

/// [`ask`], where only the message is known and not the actor.
///
/// # Errors
/// See [`AskError`].
pub async fn ask_recipient<M>(
    to: &Recipient<M>,
    msg: M,
    limit: Duration,
) -> Result<M::Result, AskError>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    limited::<M, _>(to.send(msg), limit).await
}

/// Sends a notice that must arrive: queued also when the mailbox is full. Only where the number of notices is
/// bounded by what the sender owns. To an actor that is gone it is counted ([`lost_tells`]) and logged at debug.
pub fn tell<A, M>(to: &Addr<A>, msg: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    if to.connected() {
        to.do_send(msg);
    } else {
        lost::<M>();
    }
}

/// [`tell`], where only the message is known and not the actor.
pub fn tell_recipient<M>(to: &Recipient<M>, msg: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    if to.connected() {
        to.do_send(msg);
    } else {
        lost::<M>();
    }
}

/// How many notices found their actor gone since the process began; for metrics.
pub fn lost_tells() -> u64 {
    LOST.load(Ordering::Relaxed)
}

fn lost<M>() {
    LOST.fetch_add(1, Ordering::Relaxed);
    debug!(message = type_name::<M>(), "told an actor that is gone");
}

async fn limited<M, F>(request: F, limit: Duration) -> Result<M::Result, AskError>
where
    M: Message,
    F: Future<Output = Result<M::Result, MailboxError>>,
{
    let begun = Instant::now();
    let answer = match timeout(limit, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(MailboxError::Closed)) => Err(AskError::Gone),
        Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::TimedOut),
    };
    let waited = begun.elapsed();
    if waited > SLOW || answer.is_err() {
        debug!(message = type_name::<M>(), ?waited, failed = ?answer.as_ref().err(), "asked");
    }
    answer
}
