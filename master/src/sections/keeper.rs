//! `SectionKeeper`: makes the directory of each day in dated sections, and moves their links.
//!
//! Nobody asks it anything. It looks at the clock once a minute, and at the configuration when that changes, so a day
//! that began while the master was down begins with its start. What was done today is not done again: a link or a
//! directory that somebody took away stays away until the next day.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Recipient, Supervised, WrapFuture};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Clock, Drain, Place, supervise};
use drftpd_protocol::VfsPath;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use super::config::Section;
use crate::config::MasterConfig;
use crate::vfs::{Kept, Owner, VfsClient, VfsError};

/// Its name in logs.
pub const NAME: &str = "sections";
/// Nobody sends it anything.
const MAILBOX: usize = 1;
/// How often it looks whether another day has begun: clocks may be set.
const LOOK: Duration = Duration::from_secs(60);

/// What it is given.
#[derive(Clone)]
pub struct KeeperDeps {
    /// The configuration that counts.
    pub config: watch::Receiver<Arc<MasterConfig>>,
    /// The file list.
    pub vfs: VfsClient,
    /// The time of day.
    pub clock: Clock,
    /// Nothing more is made once it has begun.
    pub drain: Drain,
}

/// Starts it.
pub fn start(place: &Place, deps: KeeperDeps, parent: Recipient<ChildDown>) {
    let spec = ChildSpec::new(NAME, MAILBOX, Budget::PLUGIN, parent);
    supervise(place, spec, move || SectionKeeper { deps });
}

struct SectionKeeper {
    deps: KeeperDeps,
}

impl Actor for SectionKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        drftpd_actors::panicpoint("actor.sections");
        ctx.spawn(keep(Keeper::new(self.deps.clone())).into_actor(self));
    }
}

impl Supervised for SectionKeeper {}

/// Until the master drains.
async fn keep(mut keeper: Keeper) {
    let drain = keeper.deps.drain.clone();
    let mut config = keeper.deps.config.clone();
    loop {
        config.mark_unchanged();
        keeper.look().await;
        let dated = keeper.is_needed();
        let stays = tokio::select! {
            () = drain.draining() => return,
            () = sleep(LOOK), if dated => false,
            changed = config.changed() => changed.is_err(),
        };
        if stays {
            // Nobody reads it again: only days change.
            tokio::select! {
                () = drain.draining() => return,
                () = sleep(LOOK), if dated => {}
            }
        }
    }
}

/// What was done, by the section's directory: the day's directory and the link.
type Done = BTreeMap<VfsPath, (VfsPath, Option<VfsPath>)>;

/// Looks what is to be made.
pub(super) struct Keeper {
    pub deps: KeeperDeps,
    done: Done,
}

impl Keeper {
    pub fn new(deps: KeeperDeps) -> Self {
        Self {
            deps,
            done: Done::new(),
        }
    }

    fn is_needed(&self) -> bool {
        let config = self.deps.config.borrow();
        config.sections.list.iter().any(|it| it.dated.is_some())
    }

    /// Makes what the day needs and is not done yet.
    pub async fn look(&mut self) {
        let config = Arc::clone(&self.deps.config.borrow());
        let owner = Owner {
            user: config.sections.owner.clone(),
            group: config.sections.group.clone(),
        };
        let now = self.deps.clock.unix();
        for section in &config.sections.list {
            let Some(today) = section.of_day(now) else {
                continue;
            };
            let wanted = (today, section.today.clone());
            if self.done.get(&section.path) == Some(&wanted) {
                continue;
            }
            let (today, link) = &wanted;
            let kept = self
                .deps
                .vfs
                .keep_dated(today, link.as_ref(), owner.clone());
            match kept.await {
                Ok(kept) => told(section, today, kept),
                Err(why) => {
                    warn!(section = section.name, %today, %why, "the day's directory was not made");
                    if matches!(why, VfsError::Store(_) | VfsError::Ask(_)) {
                        continue; // in a minute again; what stands in the way is told once a day
                    }
                }
            }
            self.done.insert(section.path.clone(), wanted);
        }
    }
}

fn told(section: &Section, today: &VfsPath, kept: Kept) {
    if kept.made || kept.moved {
        let Kept { made, moved } = kept;
        info!(section = section.name, %today, made, link = moved, "another day");
    }
}
