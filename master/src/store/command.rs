//! Commands: typed changes, queued for the writer and answered after the commit.

use tokio::sync::oneshot;

use super::error::StoreError;
use super::sql::Batch;

/// One change of the store.
///
/// It validates against the batch before its first write: a command that is refused has changed
/// nothing. One that fails after a write undoes the whole batch, the others in it too.
pub trait Command: Send + 'static {
    /// What is answered after the commit.
    type Answer: Send + 'static;
    /// Why it may be refused.
    type Error: From<StoreError> + Send + 'static;

    /// Whether nobody is told of it before a later change is stored: then its commit needs no sync
    /// of its own. Power loss may lose it, but never a later one without it.
    fn is_unheard(&self) -> bool {
        false
    }

    /// Reads and writes in the open batch.
    ///
    /// # Errors
    /// When it is refused, or the database fails.
    fn apply(self, batch: &Batch<'_>) -> Result<Self::Answer, Self::Error>;
}

/// A command in the queue.
pub(super) trait Job: Send {
    /// [`Command::is_unheard`].
    fn is_unheard(&self) -> bool;
    /// Runs it in the batch; what comes back answers it after the commit.
    fn apply(self: Box<Self>, batch: &Batch<'_>) -> Box<dyn Done>;
}

/// A command that has run and waits for the commit.
pub(super) trait Done {
    /// Whether it was refused, or failed.
    fn refused(&self) -> bool;
    /// Answers: as it ran, or with what happened to the batch.
    fn answer(self: Box<Self>, lost: Option<StoreError>);
}

pub(super) struct Queued<C: Command> {
    pub command: C,
    pub asker: oneshot::Sender<Result<C::Answer, C::Error>>,
}

struct Ran<C: Command> {
    result: Result<C::Answer, C::Error>,
    asker: oneshot::Sender<Result<C::Answer, C::Error>>,
}

impl<C: Command> Job for Queued<C> {
    fn is_unheard(&self) -> bool {
        self.command.is_unheard()
    }

    fn apply(self: Box<Self>, batch: &Batch<'_>) -> Box<dyn Done> {
        Box::new(Ran::<C> {
            result: self.command.apply(batch),
            asker: self.asker,
        })
    }
}

impl<C: Command> Done for Ran<C> {
    fn refused(&self) -> bool {
        self.result.is_err()
    }

    fn answer(self: Box<Self>, lost: Option<StoreError>) {
        let answer = match lost {
            // A refusal stays what it is: it told the asker something about an older state.
            Some(why) if self.result.is_ok() => Err(why.into()),
            _ => self.result,
        };
        // The asker may be gone; the change stands all the same.
        drop(self.asker.send(answer));
    }
}
