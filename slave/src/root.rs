//! `SlaveRoot` owns the slave's actors: it starts them in order, hears when one is down, and ends
//! them in reverse when the slave drains.
//!
//! Nobody asks it. It is the top: a panic of its own ends the slave with an error, and so does a
//! child whose restarts are used up, after running transfers had their time. Roots whose disk is
//! mounted later get their actors when they are seen.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Place, supervise, tell};
use drftpd_protocol::RootId;
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};

mod closing;
mod parts;
#[cfg(test)]
mod tests;

pub use parts::Parts;

use crate::config::SlaveConfig;
use crate::link::MasterLink;
use crate::ops::RootActors;
use crate::ops::files::{RootWorker, StopWorker};
use crate::ops::walk::{RootScanner, StopScanner};
use crate::space::{SpaceMeter, StopMeter};
use crate::transfer::Transfers;

/// Questions that may wait for an actor. The link bounds what the master can have under way.
const MAILBOX: usize = 64;
/// How often roots that came later are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How the slave ended; nothing when it drained in peace.
pub(crate) type Outcome = Result<(), &'static str>;

/// Owns the slave's actors.
pub(crate) struct SlaveRoot {
    parts: Parts,
    children: Option<Children>,
    failed: Option<&'static str>,
    closing: bool,
    over: Option<oneshot::Sender<Outcome>>,
}

/// Everything that was started, in the order in which it was.
struct Children {
    transfers: Transfers,
    meter: Addr<SpaceMeter>,
    roots: watch::Sender<BTreeMap<RootId, RootActors>>,
    link: Addr<MasterLink>,
    link_down: watch::Sender<bool>,
}

impl SlaveRoot {
    /// Starts a slave; the receiver hears how it ended, and is closed if this actor panics.
    pub(crate) fn start(parts: Parts) -> oneshot::Receiver<Outcome> {
        let (over, ended) = oneshot::channel();
        SlaveRoot::create(|_| SlaveRoot {
            parts,
            children: None,
            failed: None,
            closing: false,
            over: Some(over),
        });
        ended
    }
}

impl Actor for SlaveRoot {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.start_children(ctx);
        ctx.run_interval(LOOK_EVERY, |act, ctx| act.start_roots(ctx));
        self.await_reload(ctx);
        let draining = self.parts.drain.draining();
        ctx.spawn(draining.into_actor(self).map(|(), act, ctx| act.close(ctx)));
        info!(slave = %self.parts.name, "slave begins");
    }
}

impl Handler<ChildDown> for SlaveRoot {
    type Result = ();

    fn handle(&mut self, down: ChildDown, _: &mut Self::Context) {
        if let Some(children) = self.children.as_ref().filter(|_| down.name == "link") {
            children.link_down.send_replace(true);
        }
        if self.closing {
            return;
        }
        error!(actor = down.name, id = down.id, how = ?down.how, "an actor is down: the slave drains and ends");
        self.failed.get_or_insert(down.name);
        self.parts.drain.begin(self.parts.drain_limit);
    }
}

impl SlaveRoot {
    fn start_children(&mut self, ctx: &mut Context<Self>) {
        let transfers = Transfers::start(self.parts.transfer_deps(ctx.address().recipient()));
        let meter = self.parts.meter_deps();
        let meter = self.child("space meter", ctx, move || SpaceMeter::new(meter));
        let roots = watch::Sender::default();
        let link = self.parts.link_deps(transfers.clone(), roots.subscribe());
        self.children = Some(Children {
            transfers,
            meter,
            roots,
            link: self.child("link", ctx, move || MasterLink::new(link)),
            link_down: watch::Sender::new(false),
        });
        self.start_roots(ctx);
    }

    fn child<A: drftpd_actors::Child>(
        &self,
        name: &'static str,
        ctx: &Context<Self>,
        make: impl FnOnce() -> A + Send + 'static,
    ) -> Addr<A> {
        let parent = ctx.address().recipient();
        let spec = ChildSpec::new(name, MAILBOX, Budget::CORE, parent);
        supervise(&Place::here(), spec, make)
    }

    /// Gives every root that was seen its worker and its scanner.
    fn start_roots(&mut self, ctx: &mut Context<Self>) {
        let Some(children) = self.children.as_ref().filter(|_| !self.closing) else {
            return;
        };
        let seen = self.parts.root_ids();
        let known = children.roots.borrow().clone();
        for root in seen.into_iter().filter(|root| !known.contains_key(root)) {
            let worker = self.parts.worker_deps(root);
            let scanner = self.parts.scanner_deps(root, &children.transfers);
            let actors = RootActors {
                worker: self.child("root worker", ctx, move || RootWorker::new(worker)),
                scanner: self.child("root scanner", ctx, move || RootScanner::new(scanner)),
            };
            children
                .roots
                .send_modify(|roots| drop(roots.insert(root, actors)));
            info!(%root, "root is served");
        }
    }

    /// Takes what can be taken of a newer configuration, and waits for the next one.
    fn await_reload(&mut self, ctx: &mut Context<Self>) {
        let Some(mut reload) = self.parts.reload() else {
            return;
        };
        let changed = async move { reload.changed().await.is_ok().then_some(reload) };
        ctx.spawn(changed.into_actor(self).map(|changed, act, ctx| {
            if let Some(mut reload) = changed {
                let newer = reload.borrow_and_update().clone();
                act.reload(newer);
                act.parts.await_next(reload);
                act.await_reload(ctx);
            }
        }));
    }

    fn reload(&mut self, newer: SlaveConfig) {
        let waiting = self.parts.take(&newer);
        if !waiting.is_empty() {
            warn!(sections = ?waiting, "changes of these sections count after the next start");
        }
        if let Some(children) = &self.children {
            children.transfers.reconfigure(newer.transfer);
        }
        info!("the configuration was reloaded");
    }

    /// Lets transfers end, then stops everything in reverse order.
    fn close(&mut self, ctx: &mut Context<Self>) {
        self.closing = true;
        let Some(children) = self.children.take() else {
            return;
        };
        let closing = closing::Closing {
            transfers: children.transfers.clone(),
            link: children.link.clone(),
            link_down: children.link_down.subscribe(),
            drain: self.parts.drain.clone(),
            view: self.parts.view.subscribe(),
        };
        self.children = Some(children);
        ctx.spawn(
            closing
                .run()
                .into_actor(self)
                .map(|(), act, ctx| act.stop(ctx)),
        );
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        if let Some(children) = self.children.take() {
            for root in children.roots.borrow().values() {
                tell(&root.scanner, StopScanner);
                tell(&root.worker, StopWorker);
            }
            tell(&children.meter, StopMeter);
            children.transfers.stop();
        }
        let outcome = self.failed.map_or(Ok(()), Err);
        info!(slave = %self.parts.name, failed = self.failed, "slave ends");
        if let Some(over) = self.over.take()
            && over.send(outcome).is_err()
        {
            error!("nobody waited for the slave's end");
        }
        actix::ActorContext::stop(ctx);
    }
}
