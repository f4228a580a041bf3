//! `TransferRegistry`: owns the book of all data channels and of the ends that the master has not
//! acknowledged. The link's handle and the channels ask it; it asks nobody and answers from memory.
//!
//! A restart loses the message it came with, not the book: transfers that run are known and can be
//! aborted, ends are kept until they are acknowledged. When there are too many channels, or too many
//! unacknowledged uploads, new ones are refused with `BUSY`.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::prelude::*;
use drftpd_actors::{Budget, ChildDown, ChildSpec, supervise};
use drftpd_protocol::ids::{FileId, TransferId};
use drftpd_protocol::wire::{Fault, TransferEnded, TransferProgress};
use tokio::sync::mpsc::error::TrySendError;
use tracing::{debug, error};

use super::actor::{ChannelDeps, TransferActor};
use super::book::Book;
use super::env::{Deps, Env};
use super::growing::Follower;
use super::messages::{
    BookJob, Booking, ChannelOver, Configure, EndStored, EnterChannel, FindChannel, FindUpload,
    ListChannels, ListEnds, ListFiles, StopRegistry, TransferNotice,
};
use super::meter::{Meter, Totals};
use super::tls::Certificate;

/// Questions that wait for one channel: it is asked to start, to begin and to abort, once each.
const CHANNEL_MAILBOX: usize = 8;

/// The book of data channels.
pub struct TransferRegistry {
    deps: Deps,
    env: Arc<Env>,
    totals: Arc<Totals>,
    certificate: Certificate,
    state: State,
}

struct State {
    book: Book<Addr<TransferActor>>,
    /// Ends that did not fit into the link's queue yet.
    untold: VecDeque<TransferEnded>,
    /// Whether a future waits for room in that queue.
    telling: bool,
}

impl State {
    fn new(most: u32) -> Self {
        State {
            book: Book::new(most),
            untold: VecDeque::new(),
            telling: false,
        }
    }
}

impl TransferRegistry {
    /// An empty book.
    pub fn new(deps: Deps, totals: Arc<Totals>, certificate: Certificate) -> Self {
        TransferRegistry {
            env: Arc::new(Env::of(&deps, Arc::clone(&totals), certificate.clone())),
            certificate,
            state: State::new(deps.config.max_transfers),
            totals,
            deps,
        }
    }
}

impl Actor for TransferRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.progress_due(ctx);
        if !self.state.untold.is_empty() {
            self.tell_when_there_is_room(ctx);
        }
    }
}

impl Supervised for TransferRegistry {
    fn restarting(&mut self, _: &mut Self::Context) {
        let fresh = State::new(self.deps.config.max_transfers);
        let old = std::mem::replace(&mut self.state, fresh);
        self.state.book.take_over(old.book);
        self.state.untold = old.untold;
        self.totals.set_channels(self.state.book.count());
    }
}

impl Handler<EnterChannel> for TransferRegistry {
    type Result = Result<Addr<TransferActor>, Fault>;

    fn handle(&mut self, msg: EnterChannel, ctx: &mut Self::Context) -> Self::Result {
        drftpd_actors::panicpoint("actor.transfer_registry");
        let transfer = msg.open.transfer;
        self.state.book.admit(transfer)?;
        let meter = Arc::new(Meter::new(Arc::clone(&self.totals)));
        let deps = ChannelDeps {
            env: Arc::clone(&self.env),
            registry: ctx.address(),
            meter: Arc::clone(&meter),
            open: msg.open,
        };
        let parent = ctx.address().recipient();
        let spec = ChildSpec::new("transfer", CHANNEL_MAILBOX, Budget::TEMPORARY, parent);
        let make = move || TransferActor::new(deps);
        let actor = supervise(&self.deps.place, spec.with_id(transfer.0), make);
        self.state.book.enter(transfer, actor.clone(), meter);
        self.totals.set_channels(self.state.book.count());
        Ok(actor)
    }
}

impl Handler<FindChannel> for TransferRegistry {
    type Result = Option<Addr<TransferActor>>;

    fn handle(&mut self, msg: FindChannel, _: &mut Self::Context) -> Self::Result {
        self.state.book.actor(msg.transfer)
    }
}

impl Handler<BookJob> for TransferRegistry {
    type Result = Result<Booking, Fault>;

    fn handle(&mut self, msg: BookJob, _: &mut Self::Context) -> Self::Result {
        let booked = self.state.book.book(msg.transfer, msg.file, msg.receives);
        booked.map(|(channel, growth)| Booking { channel, growth })
    }
}

impl Handler<FindUpload> for TransferRegistry {
    type Result = Option<Follower>;

    fn handle(&mut self, msg: FindUpload, _: &mut Self::Context) -> Self::Result {
        self.state.book.upload(msg.file)
    }
}

impl Handler<ChannelOver> for TransferRegistry {
    type Result = ();

    fn handle(&mut self, msg: ChannelOver, ctx: &mut Self::Context) {
        debug!(transfer = %msg.transfer, ended = ?msg.ended, "data channel is over");
        self.state.book.over(msg.transfer, msg.ended.clone());
        self.totals.set_channels(self.state.book.count());
        if let Some(ended) = msg.ended {
            self.tell_end(ended, ctx);
        }
    }
}

impl Handler<EndStored> for TransferRegistry {
    type Result = ();

    fn handle(&mut self, msg: EndStored, _: &mut Self::Context) {
        self.state.book.seen(msg.transfer);
    }
}

impl Handler<ListChannels> for TransferRegistry {
    type Result = Vec<TransferId>;

    fn handle(&mut self, _: ListChannels, _: &mut Self::Context) -> Self::Result {
        self.state.book.unfinished()
    }
}

impl Handler<ListEnds> for TransferRegistry {
    type Result = Vec<TransferEnded>;

    fn handle(&mut self, _: ListEnds, _: &mut Self::Context) -> Self::Result {
        self.state.book.ends()
    }
}

impl Handler<ListFiles> for TransferRegistry {
    type Result = Vec<FileId>;

    fn handle(&mut self, _: ListFiles, _: &mut Self::Context) -> Self::Result {
        self.state.book.files()
    }
}

impl Handler<Configure> for TransferRegistry {
    type Result = ();

    fn handle(&mut self, msg: Configure, _: &mut Self::Context) {
        self.deps.config = msg.0;
        self.state.book.set_most(self.deps.config.max_transfers);
        let (totals, certificate) = (Arc::clone(&self.totals), self.certificate.clone());
        self.env = Arc::new(Env::of(&self.deps, totals, certificate));
    }
}

impl Handler<StopRegistry> for TransferRegistry {
    type Result = ();

    fn handle(&mut self, _: StopRegistry, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<ChildDown> for TransferRegistry {
    type Result = ();

    fn handle(&mut self, down: ChildDown, ctx: &mut Self::Context) {
        let transfer = TransferId(down.id);
        let failed = self.state.book.failed(transfer);
        self.totals.set_channels(self.state.book.count());
        if let Some(ended) = failed {
            error!(%transfer, how = ?down.how, "data channel failed");
            self.tell_end(ended, ctx);
        }
    }
}

#[cfg(test)]
impl Handler<super::messages::PanicOnPurpose> for TransferRegistry {
    type Result = ();

    fn handle(&mut self, _: super::messages::PanicOnPurpose, _: &mut Self::Context) {
        panic!("on purpose");
    }
}

impl TransferRegistry {
    /// Comes again after the time that is configured then.
    fn progress_due(&mut self, ctx: &mut Context<Self>) {
        self.tell_progress();
        self.env.shelf.sweep();
        ctx.run_later(self.deps.config.progress_every, |act, ctx| {
            act.progress_due(ctx);
        });
    }

    fn tell_progress(&mut self) {
        let moved = self.state.book.moved();
        if moved.is_empty() {
            return;
        }
        let told = moved.clone();
        let notice = TransferNotice::Progress(TransferProgress { moved });
        if self.deps.notices.try_send(notice).is_ok() {
            self.state.book.told(&told);
        }
    }

    /// Tells an end in its turn. What does not fit now follows when there is room.
    fn tell_end(&mut self, ended: TransferEnded, ctx: &mut Context<Self>) {
        if !self.state.untold.is_empty() {
            self.state.untold.push_back(ended);
            return;
        }
        match self.deps.notices.try_send(TransferNotice::Ended(ended)) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(TransferNotice::Ended(ended))) => {
                self.state.untold.push_back(ended);
                self.tell_when_there_is_room(ctx);
            }
            Err(TrySendError::Full(TransferNotice::Progress(_))) => {}
        }
    }

    fn tell_when_there_is_room(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.state.telling, true) {
            return;
        }
        let room = self.deps.notices.clone().reserve_owned();
        ctx.spawn(room.into_actor(self).map(|room, act, ctx| {
            act.state.telling = false;
            let Ok(room) = room else {
                // Nobody listens any more; a new link asks for all ends.
                act.state.untold.clear();
                return;
            };
            if let Some(ended) = act.state.untold.pop_front() {
                room.send(TransferNotice::Ended(ended));
            }
            if !act.state.untold.is_empty() {
                act.tell_when_there_is_room(ctx);
            }
        }));
    }
}
