//! A disk without space for the store: said once, and looked after until there is some again.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info};

use super::command::Command;
use super::engine::Store;
use super::error::StoreError;
use super::sql::{Batch, number};

/// How often a full disk is tried again where nobody changes anything.
const AGAIN: Duration = Duration::from_secs(2);

/// Whether the disk of the store is full, for those who want to know.
#[derive(Clone)]
pub(super) struct Full(watch::Sender<bool>);

impl Full {
    /// It is not, so far.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Follows it.
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// A commit found no space.
    pub fn met(&self, why: &str) {
        if !self.0.send_replace(true) {
            error!(why, "the disk of the store is full, nothing can be changed");
        }
    }

    /// A commit found some.
    pub fn over(&self) {
        if self.0.send_replace(false) {
            info!("the disk of the store has space again");
        }
    }
}

/// Writes what is there already.
struct Touch;

impl Command for Touch {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE incarnation SET issued = issued WHERE n = ?1";
        let incarnation = number(batch.ids().incarnation());
        batch.run(sql, [incarnation]).map(drop)
    }
}

/// Finds out when a full disk has space again, also where nobody changes anything. Goes on for ever.
pub async fn look_for_space(store: Store) {
    let mut full = store.full();
    while full.wait_for(|full| *full).await.is_ok() {
        sleep(AGAIN).await;
        // The writer notes how it went.
        drop(store.change(Touch).await);
    }
}
