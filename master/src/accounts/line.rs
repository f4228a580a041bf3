//! The line of strangers: of those from whose address nobody has logged in lately only a few have their password checked
//! at a time, the others wait behind each other. However many guess, whoever is known waits for those few alone.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The line. Clones are the same.
#[derive(Clone)]
pub(super) struct Line {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// Somebody's turn, over when it is dropped.
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

impl Line {
    /// `turns` at a time, and `places` in all.
    pub fn new(places: usize, turns: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            turns: Arc::new(Semaphore::new(turns)),
        }
    }

    /// Waits for a turn, behind those who came before; `None` when too many wait.
    pub async fn turn(&self) -> Option<Turn> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        Some(Turn {
            _place: place,
            _turn: turn,
        })
    }
}
