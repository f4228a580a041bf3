//! `Indexer`: takes what is noted of names into the index, and makes the index where there is none.
//!
//! Nobody asks it anything. A panic or the end of the process loses nothing: how far the index is, and what is to come
//! into it, is in the store. It gathers changes for a moment, and leaves most of the writer's time to others.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Recipient, Supervised, WrapFuture};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Drain, Place, supervise};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Names;
use super::config::SearchConfig;
use super::index::{Forget, Progress, TakeQueue, TakeTree, progress};
use crate::store::{Store, StoreError};

/// Its name in logs.
pub const NAME: &str = "search";
/// Nobody sends it anything.
const MAILBOX: usize = 1;
/// It rests so many times as long as it took of the writer's time.
const REST: u32 = 3;
/// How long it waits after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How often it looks for what nobody woke it for: an index that is to be made anew.
const LOOK: Duration = Duration::from_secs(5);

/// What it is given.
#[derive(Clone)]
pub struct SearchDeps {
    /// `[search]`.
    pub config: SearchConfig,
    /// Where the index is.
    pub store: Store,
    /// Tells when there is something for it.
    pub names: Names,
    /// Nothing more is done once it has begun.
    pub drain: Drain,
}

/// Starts it; where the search is off, it throws an index away that would not follow the tree.
pub fn start(place: &Place, deps: SearchDeps, parent: Recipient<ChildDown>) {
    let spec = ChildSpec::new(NAME, MAILBOX, Budget::PLUGIN, parent);
    supervise(place, spec, move || Indexer { deps });
}

struct Indexer {
    deps: SearchDeps,
}

impl Actor for Indexer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        drftpd_actors::panicpoint("actor.search");
        ctx.spawn(follow(self.deps.clone()).into_actor(self));
    }
}

impl Supervised for Indexer {}

/// Until the master drains.
async fn follow(deps: SearchDeps) {
    loop {
        let pause = match deps.catch_up().await {
            Ok(()) if !deps.config.enabled => return,
            Ok(()) => None,
            Err(why) => {
                warn!(%why, "names were not indexed");
                Some(AFTER_FAILURE)
            }
        };
        tokio::select! {
            () = deps.drain.draining() => return,
            () = sleep(pause.unwrap_or(LOOK)) => {}
            () = deps.names.noted.notified(), if pause.is_none() => {
                sleep(deps.config.delay).await;
            }
        }
        if deps.drain.is_draining() {
            return;
        }
    }
}

impl SearchDeps {
    /// Takes in what there is.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        if !self.config.enabled {
            while self.store.change(Forget).await? {}
            return Ok(());
        }
        loop {
            let (far, waiting) = self.store.read(progress)?;
            let is_whole = far == Progress::Whole;
            if (is_whole && waiting == 0) || self.drain.is_draining() {
                return Ok(());
            }
            let began = Instant::now();
            if waiting > 0 {
                self.store.change(TakeQueue).await?;
            }
            if !is_whole && !self.store.change(TakeTree).await? {
                info!("the index of names has the whole tree");
            }
            sleep(began.elapsed() * REST).await;
        }
    }
}
