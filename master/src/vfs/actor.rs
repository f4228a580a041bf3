//! `VfsActor`: every change of the tree goes through it, in the order of its mailbox.
//!
//! It owns the running uploads (pure: [`Uploads`]) and publishes them to readers; all else is in
//! the store. Asked by sessions, slave managers and jobs through `VfsClient`. A restart loses the
//! live sizes of running uploads (their commits go on, the store knows their intents). When its
//! mailbox is full askers wait; when the store's queue is full they are refused.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, ActorResponse, AsyncContext, Context, Handler, MessageResult, Recipient,
    ResponseActFuture, ResponseFuture, Supervised, WrapFuture,
};
use drftpd_actors::{
    Blocking, Budget, ChildDown, ChildSpec, Clock, Ping, Place, panicpoint, supervise,
};
use drftpd_protocol::FileId;
use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

use super::client::{Merged, VfsClient};
use super::commands::{ExpirePartials, MastersGone};
use super::config::VfsConfig;
use super::deletions::Deletions;
use super::error::VfsError;
use super::heads::OpsHeads;
use super::messages::{BeginUpload, Change, CommitUpload, Finish, Merge, Orphan};
use super::pages::Pages;
use super::tree::{Given, InTree, TreeCommand, walk};
use super::types::{Entry, Upload};
use super::uploads::Uploads;
use super::{plan, quota, reads};
use crate::copies::CopiesConfig;
use crate::outbox::Outbox;
use crate::search::Names;
use crate::store::{Pending, Sql, Store};

/// Questions that may wait; askers beyond wait for room.
const MAILBOX: usize = 1024;
/// Partial uploads that one command throws away at most.
const EXPIRE_AT_ONCE: usize = 200;

/// What the file list is given.
#[derive(Clone)]
pub struct Deps {
    /// Where it is kept.
    pub store: Store,
    /// For reads of many rows.
    pub blocking: Blocking,
    /// `[storage]`.
    pub config: VfsConfig,
    /// `[copies]`.
    pub copies: Arc<CopiesConfig>,
    /// For times of files.
    pub clock: Clock,
    /// Is told of what was completed.
    pub outbox: Outbox,
    /// Is told of new names.
    pub names: Names,
}

/// Starts the file list: uploads of a master that is gone are noted as such, then the actor runs.
///
/// # Errors
/// When the store fails.
pub async fn start(
    place: &Place,
    deps: Deps,
    parent: Recipient<ChildDown>,
) -> Result<VfsClient, VfsError> {
    let heads = OpsHeads::default();
    heads.moved(deps.store.read(reads::heads)?);
    let actor = VfsActor {
        config: Arc::new(deps.config),
        copies: deps.copies,
        asked: Arc::default(),
        store: deps.store.clone(),
        clock: deps.clock,
        outbox: deps.outbox,
        names: deps.names,
        heads,
        deletions: Deletions::default(),
        live: watch::Sender::new(Arc::default()),
        uploads: Uploads::default(),
        pages: Pages::default(),
        least_page: watch::Sender::new(u64::MAX),
        expiring: false,
    };
    let orphans = actor.submit(MastersGone)?.answer().await?;
    if orphans > 0 {
        info!(uploads = orphans, "uploads of an earlier run are open");
    }
    let (live, heads) = (actor.live.subscribe(), actor.heads.clone());
    let asked = Arc::clone(&actor.asked);
    let deletions = actor.deletions.clone();
    let spec = ChildSpec::new("vfs", MAILBOX, Budget::CORE, parent);
    let addr = supervise(place, spec, move || actor);
    let told = (live, heads, asked, deletions);
    Ok(VfsClient::new(addr, deps.store, deps.blocking, told))
}

/// Owns the running uploads; hands every change to the store.
pub struct VfsActor {
    config: Arc<VfsConfig>,
    copies: Arc<CopiesConfig>,
    /// Hears when files are to be looked at because of their copies.
    asked: Arc<Notify>,
    store: Store,
    clock: Clock,
    outbox: Outbox,
    names: Names,
    heads: OpsHeads,
    deletions: Deletions,
    live: watch::Sender<Arc<Uploads>>,
    uploads: Uploads, // pure state; a restart begins a new one
    pages: Pages,     // the same
    /// The least page of a walk that is under way.
    least_page: watch::Sender<u64>,
    expiring: bool,
}

impl Actor for VfsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.config.expire_every, |act, ctx| act.expire(ctx));
    }
}

impl Supervised for VfsActor {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.uploads = Uploads::default();
        self.pages = Pages::default();
        self.least_page.send_replace(self.pages.least());
        self.expiring = false;
        self.publish();
    }
}

impl<C: TreeCommand> Handler<Change<C>> for VfsActor {
    type Result = ResponseFuture<Result<C::Answer, VfsError>>;

    fn handle(&mut self, msg: Change<C>, _: &mut Self::Context) -> Self::Result {
        panicpoint("vfs.change");
        let pending = self.submit(msg.0);
        Box::pin(async move { pending?.answer().await })
    }
}

impl<C: TreeCommand> Handler<Finish<C>> for VfsActor {
    type Result = ResponseActFuture<Self, Result<C::Answer, VfsError>>;

    fn handle(&mut self, msg: Finish<C>, _: &mut Self::Context) -> Self::Result {
        let Finish(file, command) = msg;
        let pending = self.submit(command);
        self.uploads.ends(file, true);
        let answer = async move { pending?.answer().await }.into_actor(self);
        Box::pin(answer.map(move |answer, act, _| {
            match answer {
                Ok(_) | Err(VfsError::NoUpload) => act.ended(file),
                Err(_) => act.uploads.ends(file, false),
            }
            answer
        }))
    }
}

impl Handler<CommitUpload> for VfsActor {
    type Result = ResponseActFuture<Self, Result<Entry, VfsError>>;

    fn handle(
        &mut self,
        CommitUpload(commit): CommitUpload,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.uploads.grew(commit.file, commit.bytes.size);
        if let Err(why) = quota::is_within(&self.store, &self.uploads, commit.file) {
            self.uploads.makes_room(commit.file);
            return Box::pin(actix::fut::ready(Err(why)));
        }
        self.handle(Finish(commit.file, commit), ctx)
    }
}

impl Handler<Orphan> for VfsActor {
    type Result = ResponseActFuture<Self, Result<(), VfsError>>;

    fn handle(&mut self, Orphan(file, end): Orphan, ctx: &mut Self::Context) -> Self::Result {
        if self.uploads.goes_on(file) {
            debug!(%file, "the end of an earlier transfer of an upload that runs again");
            return Box::pin(actix::fut::ready(Ok(())));
        }
        self.handle(Finish(file, end), ctx)
    }
}

impl Handler<Merge> for VfsActor {
    type Result = ResponseActFuture<Self, Result<Merged, VfsError>>;

    fn handle(&mut self, Merge(page): Merge, _: &mut Self::Context) -> Self::Result {
        let number = self.pages.begin(page.dir.clone());
        self.least_page.send_replace(self.pages.least());
        let pending = self.submit(page);
        let answer = async move { pending?.answer().await }.into_actor(self);
        Box::pin(answer.map(move |answer, act, _| {
            act.pages.end(number);
            act.least_page.send_replace(act.pages.least());
            answer
        }))
    }
}

impl Handler<BeginUpload> for VfsActor {
    type Result = ActorResponse<Self, Result<Upload, VfsError>>;

    fn handle(&mut self, msg: BeginUpload, ctx: &mut Self::Context) -> Self::Result {
        let page = match self.page_in_the_way(&msg) {
            Ok(None) => return ActorResponse::reply(self.begin(msg, ctx)),
            Ok(Some(page)) => page,
            Err(why) => return ActorResponse::reply(Err(why)),
        };
        let mut least = self.least_page.subscribe();
        let stored = async move {
            drop(least.wait_for(|least| *least > page).await);
        };
        let begun = stored.into_actor(self).map(move |(), act, ctx| {
            if act.plan(&msg)?.is_onto_file() {
                return Err(VfsError::JustFound(msg.path));
            }
            act.begin(msg, ctx)
        });
        ActorResponse::r#async(begun)
    }
}

impl Handler<Ping> for VfsActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) -> Self::Result {
        // A test may make it panic here; there is nothing to fail.
        panicpoint("actor.vfs");
        MessageResult(ping.answer())
    }
}

impl VfsActor {
    fn submit<C: TreeCommand>(&self, command: C) -> Result<Pending<InTree<C>>, VfsError> {
        let given = Given {
            now: self.clock.unix(),
            heads: self.heads.clone(),
            deletions: self.deletions.clone(),
            config: Arc::clone(&self.config),
            copies: Arc::clone(&self.copies),
            asked: Arc::clone(&self.asked),
            outbox: self.outbox.clone(),
            names: self.names.clone(),
        };
        Ok(self.store.submit(InTree { command, given })?)
    }

    fn begin(&mut self, msg: BeginUpload, ctx: &mut Context<Self>) -> Result<Upload, VfsError> {
        let mut begun = self.plan(&msg)?;
        begun.upload.blake3 = self.config.blake3;
        let file = begun.upload.file;
        let wanted = begun.keep.saturating_add(msg.expected.max(1));
        let room = |sql: &Sql<'_>| quota::room(sql, &self.uploads, file, &begun.owner);
        begun.upload.room = self.store.read(room)?;
        if let Some(room) = &begun.upload.room {
            room.takes(wanted)?;
        }
        let pending = self.submit(begun.intent)?;
        self.uploads
            .begin(file, begun.upload.root, begun.keep, begun.unstored);
        if begun.upload.room.is_some() {
            self.uploads.claims(file, begun.owner, wanted);
        }
        self.publish();
        let stored = pending.answer().into_actor(self);
        ctx.spawn(stored.map(move |answer, act, _| act.intent_answered(file, answer)));
        Ok(begun.upload)
    }

    fn plan(&self, msg: &BeginUpload) -> Result<plan::Begun, VfsError> {
        let (now, ids) = (self.clock.unix(), self.store.ids());
        self.store.read(|sql| {
            let plan = plan::plan(sql, &self.uploads, &msg.path, msg.mode)?;
            let to = (msg.root, msg.earns.clone());
            plan::begin(sql, ids, now, plan, msg.owner.clone(), to)
        })
    }

    /// The page of a walk that may adopt a file just now where a new one is about to come.
    fn page_in_the_way(&self, msg: &BeginUpload) -> Result<Option<u64>, VfsError> {
        if self.pages.is_empty() {
            return Ok(None);
        }
        self.store.read(|sql| {
            let plan = plan::plan(sql, &self.uploads, &msg.path, msg.mode)?;
            if plan.existing.is_some() {
                return Ok(None);
            }
            let way = walk::steps(sql, plan.parent)?;
            Ok(self.pages.newest_of(plan.parent, &way))
        })
    }

    fn intent_answered(&mut self, file: FileId, answer: Result<(), VfsError>) {
        match answer {
            Ok(()) => self.uploads.stored(file),
            Err(why) => {
                debug!(%file, %why, "an upload's intent was refused");
                self.uploads.end(file);
            }
        }
        self.publish();
    }

    fn ended(&mut self, file: FileId) {
        self.uploads.end(file);
        self.publish();
    }

    fn publish(&self) {
        self.live.send_replace(Arc::new(self.uploads.clone()));
    }

    /// Throws away partial uploads whose time is over; goes on soon when there are more.
    fn expire(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.expiring, true) {
            return;
        }
        let keep = i64::try_from(self.config.keep_partial.as_secs()).unwrap_or(i64::MAX);
        let expired = self.submit(ExpirePartials {
            before: self.clock.unix().saturating_sub(keep),
            limit: EXPIRE_AT_ONCE,
        });
        let answer = async move { expired?.answer().await }.into_actor(self);
        ctx.spawn(answer.map(|answer, act, ctx| {
            act.expiring = false;
            match answer {
                Ok(0) => {}
                Ok(count) => {
                    info!(count, "partial uploads expired");
                    if count == EXPIRE_AT_ONCE {
                        ctx.run_later(Duration::from_secs(1), |act, ctx| act.expire(ctx));
                    }
                }
                Err(why) => warn!(%why, "partial uploads did not expire"),
            }
        }));
    }
}

/// Makes the actor panic, for the test of its restart.
#[cfg(test)]
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct PanicDue;

#[cfg(test)]
impl Handler<PanicDue> for VfsActor {
    type Result = ();

    fn handle(&mut self, _: PanicDue, _: &mut Self::Context) {
        panic!("on purpose");
    }
}
