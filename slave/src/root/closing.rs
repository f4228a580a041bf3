//! The end of a slave, step by step: transfers may finish, their ends are told and acknowledged,
//! then the link closes. Each step says what it waits for, and has its limit.

use std::time::Duration;

use actix::Addr;
use drftpd_actors::{Drain, tell};
use drftpd_protocol::wire::AbortTransfer;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{info, warn};

use crate::link::{CloseLink, LinkView, MasterLink};
use crate::transfer::Transfers;

/// How often it is looked whether something has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often a wait says what it waits for.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// How long ends may take to be told and acknowledged, and the link to close.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What is needed to end in order.
pub(super) struct Closing {
    pub transfers: Transfers,
    pub link: Addr<MasterLink>,
    pub link_down: watch::Receiver<bool>,
    pub drain: Drain,
    pub view: watch::Receiver<LinkView>,
}

impl Closing {
    /// Ends everything that has to end in order.
    pub(super) async fn run(mut self) {
        let deadline = self.drain.deadline().unwrap_or_else(Instant::now);
        if timeout_at(deadline, self.transfers_end()).await.is_err() {
            self.abort().await;
        }
        if timeout(LAST_WORDS, self.acknowledged()).await.is_err() {
            warn!("the master has not acknowledged how all transfers ended");
        }
        tell(&self.link, CloseLink);
        let down = self.link_down.wait_for(|down| *down);
        if timeout(LAST_WORDS, down).await.is_err() {
            warn!("the link did not close in time");
        }
    }

    /// Waits until no data channel is open.
    async fn transfers_end(&self) {
        let mut say = Instant::now();
        loop {
            let channels = self.transfers.load().transfers;
            if channels == 0 {
                return;
            }
            if Instant::now() >= say {
                info!(channels, "draining: waits for transfers");
                say = Instant::now() + SAY_EVERY;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Time is up: what still runs is broken off, and reported as such.
    async fn abort(&self) {
        let running = self.transfers.running().await;
        warn!(
            transfers = running.len(),
            "draining: time is up, transfers are broken off"
        );
        for transfer in running {
            if let Err(fault) = self.transfers.abort(AbortTransfer { transfer }).await {
                warn!(%transfer, %fault, "a transfer could not be broken off");
            }
        }
        if timeout(LAST_WORDS, self.transfers_end()).await.is_err() {
            warn!("transfers did not end in time");
        }
    }

    /// Waits until the master knows how all transfers ended; not without a link.
    async fn acknowledged(&self) {
        while self.view.borrow().is_up() && !self.transfers.unacknowledged().await.is_empty() {
            sleep(LOOK_EVERY).await;
        }
    }
}
