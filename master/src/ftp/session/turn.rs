//! Whose turn it is: from a line that waits to the verb that runs, and what its end changes.

use std::net::SocketAddr;
use std::rc::Rc;

use actix::prelude::*;
use drftpd_actors::Hold;
use drftpd_protocol::ftp::{Line, LineFault, Reply};
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{Instrument, debug, info_span, trace};

use super::{FtpSession, Phase, Running};
use crate::accounts::Standing;
use crate::ftp::DRAIN_TRANSFERS;
use crate::ftp::around;
use crate::ftp::error::FtpError;
use crate::ftp::proxy::Via;
use crate::ftp::queue::is_http;
use crate::ftp::running::{Outcome, Way, carry_out};
use crate::ftp::services::{Opened, VerbCx};
use crate::ftp::state::{Change, Login};
use crate::ftp::verbs::{self, Arg, Gate, Kind, MUST_CHANGE, Verb, VerbResult};

impl FtpSession {
    /// Begins what waits, if nothing runs.
    pub(super) fn next(&mut self, ctx: &mut Context<Self>) {
        if self.phase == Phase::Closing || self.running.is_some() {
            return;
        }
        if self.services.drain.is_draining() {
            self.close(Reply::closing("Shutting down"), ctx);
            return;
        }
        match self.queue.pop() {
            None if self.phase == Phase::HalfClosed => ctx.stop(),
            None => {}
            Some(line) => {
                self.tap.close(self.queue.is_full());
                match line {
                    Ok(line) => self.begin(line, ctx),
                    Err(LineFault::TooLong) => self.close(LineFault::TooLong.reply(), ctx),
                    Err(fault) => self.answer(fault.reply(), ctx),
                }
            }
        }
    }

    /// What has become of the account since the last command; false when that was the end.
    fn looks_again(&mut self, ctx: &mut Context<Self>) -> bool {
        let Some(account) = self.state.account() else {
            return true;
        };
        let standing = self
            .services
            .accounts
            .standing(account, &mut self.account_seen);
        match standing {
            Standing::Same => true,
            Standing::Changed(account) => {
                debug!("the account was changed");
                Rc::make_mut(&mut self.state).login = Login::In(account);
                true
            }
            Standing::Over(why) => {
                self.close(Reply::closing(why), ctx);
                false
            }
        }
    }

    /// Whether a verb has to wait until its user has a password of their own.
    fn must_wait(&self, verb: &Verb, line: &Line) -> bool {
        let must_change = self.state.account().is_some_and(|it| it.must_change);
        let first = line
            .arg()
            .split(|byte| *byte == b' ')
            .next()
            .unwrap_or_default();
        let changes = verb.name == "SITE" && first.eq_ignore_ascii_case(b"PASSWD");
        must_change && verb.gate == Gate::LoggedIn && !changes
    }

    fn begin(&mut self, line: Line, ctx: &mut Context<Self>) {
        debug!(?line, "command");
        if !self.looks_again(ctx) {
            return;
        }
        let logged_in = self.state.account().is_some();
        match verbs::find(line.verb.as_str()) {
            None if !logged_in && is_http(line.verb.as_str()) => {
                self.close(Reply::closing("This is FTP"), ctx);
            }
            None => self.answer(Reply::not_implemented(), ctx),
            Some(verb) if verb.gate == Gate::LoggedIn && !logged_in => {
                self.answer(Reply::not_logged_in(), ctx);
            }
            Some(verb) if self.must_wait(verb, &line) => {
                self.answer(Reply::new(530, MUST_CHANGE), ctx);
            }
            Some(verb) if verb.kind == Kind::Data && self.phase == Phase::HalfClosed => {
                self.answer(Reply::no_data_connection(), ctx);
            }
            Some(verb) if verb.kind == Kind::Alone && !self.stands_alone() => {
                let text = "Nothing may be sent behind AUTH before its reply";
                self.close(Reply::closing(text), ctx);
            }
            Some(verb) => self.run(verb, Arg::new(line.arg.unwrap_or_default()), ctx),
        }
    }

    fn run(&mut self, verb: &'static Verb, arg: Arg, ctx: &mut Context<Self>) {
        let uses_data = verb.kind == Kind::Data;
        let Some(mut cx) = self.context() else {
            return ctx.stop();
        };
        if uses_data {
            cx.endpoint = self.endpoint.take();
            self.reach.goes_on();
        }
        if verb.kind == Kind::Alone {
            // What comes next may be a handshake.
            self.tap.close(true);
        }
        if self.state.forgets(verb.keeps, uses_data) {
            Rc::make_mut(&mut self.state).began(verb.keeps, uses_data);
        }
        let unfinished = uses_data.then(|| {
            let what = format!("session {}: {}", self.id, verb.name);
            self.services.drain.hold_in(DRAIN_TRANSFERS, what)
        });
        self.live.edit(|row| row.verb = Some(verb.name));
        let opened = Rc::clone(&cx.opened);
        self.start(
            verb.name,
            (verb.kind, opened),
            around::run(verb, cx, arg),
            unfinished,
            ctx,
        );
    }

    /// Says something in its turn, as if a verb had.
    fn answer(&mut self, reply: Reply, ctx: &mut Context<Self>) {
        let said = Box::pin(std::future::ready(Ok(reply.into())));
        self.start("-", (Kind::Quick, Rc::default()), said, None, ctx);
    }

    fn start(
        &mut self,
        name: &'static str,
        (kind, opened): (Kind, Opened),
        work: LocalBoxFuture<'static, VerbResult>,
        unfinished: Option<Hold>,
        ctx: &mut Context<Self>,
    ) {
        let Some(way) = self.way(name) else {
            return ctx.stop();
        };
        let (cut, is_cut) = oneshot::channel();
        self.running = Some(Running {
            kind,
            cut: Some(cut),
            abort_asked: false,
            opened: opened.subscribe(),
            _unfinished: unfinished,
        });
        let verb = async move {
            let outcome = carry_out(work, is_cut, way).await;
            // Not before its last words: who waits for the first ones goes on now.
            drop(opened);
            outcome
        };
        let verb = verb.instrument(self.span.clone());
        ctx.spawn(verb.into_actor(self).map(|outcome, act, ctx| {
            let _entered = act.span.clone().entered();
            act.ended(outcome, ctx);
        }));
    }

    fn ended(&mut self, outcome: Outcome, ctx: &mut Context<Self>) {
        let running = self.running.take();
        self.active = Instant::now();
        let active = self.active;
        self.live.edit(|row| {
            row.verb = None;
            row.transfer = None;
            row.active = active;
        });
        if self.phase == Phase::Closing {
            return;
        }
        if running
            .as_ref()
            .is_some_and(|running| running.kind == Kind::Alone)
        {
            self.tap.close(self.queue.is_full());
        }
        let late_abort = running.is_some_and(|running| running.abort_asked);
        match outcome {
            Outcome::Replied {
                change: Change::Secure,
                ..
            } => return self.shake_hands(ctx),
            Outcome::Replied { code, change } => {
                self.apply(change);
                if self.state.expected.is_some() {
                    Rc::make_mut(&mut self.state).refused(code);
                }
                self.count_error(code);
                if late_abort {
                    return self.answer(Reply::aborted(), ctx);
                }
            }
            Outcome::Ends { reply, change } => {
                self.apply(change);
                return self.close(reply, ctx);
            }
            Outcome::Cut => {}
            Outcome::Panicked => {
                return self.close(Reply::closing("Something failed here"), ctx);
            }
            Outcome::ClientGone => return ctx.stop(),
        }
        if self.errors_before_login >= self.services.config.max_errors_before_login {
            return self.close(Reply::closing("Too many errors"), ctx);
        }
        self.next(ctx);
    }

    fn count_error(&mut self, code: u16) {
        if code >= 400 && self.state.account().is_none() {
            self.errors_before_login += 1;
        }
    }

    pub(super) fn apply(&mut self, change: Change) {
        if matches!(change, Change::Nothing) {
            return;
        }
        let change = match change {
            Change::BroughtBy(via, client) => return self.brought(via, client),
            change => change,
        };
        let was_in = self.state.account().is_some();
        if let Some(endpoint) = Rc::make_mut(&mut self.state).apply(change) {
            self.endpoint = endpoint;
        }
        let account = self.state.account();
        let is_in = account.is_some();
        if is_in != was_in {
            self.account_seen = None;
            self.tap.logged_in(is_in);
            self.sessions.login_changed(self.id, is_in);
            self.errors_before_login = 0;
            self.nobody_since = Instant::now();
        }
        self.live.edit(|row| {
            row.user = account.map(|account| account.name.clone());
            row.client.clone_from(&self.state.client);
            row.cwd.clone_from(&self.state.cwd);
        });
        self.tell_login();
    }

    /// A bouncer has told whom it brings: from now on that is the client.
    fn brought(&mut self, via: Via, client: SocketAddr) {
        self.via = Some(via);
        self.peer = client;
        self.span = info_span!(parent: None, "session", session = %self.id, peer = %client);
        self.live.edit(|row| row.peer = client);
    }

    /// ABOR while something runs.
    pub(super) fn cut(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        if running.abort_asked {
            return self.queue.push(abor());
        }
        running.abort_asked = true;
        if let Some(cut) = running.cut.take() {
            // Where the verb has just ended, it is not cut any more, and `ended` answers the ABOR.
            cut.send(()).ok();
        }
    }

    /// Carries out a short verb beside the one that runs. A transfer's first reply comes first, or a client that sends
    /// several lines at once would take ours for that.
    pub(super) fn overtake(&mut self, verb: &'static Verb, ctx: &mut Context<Self>) {
        let (Some(cx), Some(way)) = (self.context(), self.way(verb.name)) else {
            return ctx.stop();
        };
        self.beside = true;
        let transfer = self.running.as_ref().filter(|it| it.kind == Kind::Data);
        let opened = transfer.map(|transfer| transfer.opened.clone());
        let beside = async move {
            if let Some(mut opened) = opened
                && opened.wait_for(|opened| *opened).await.is_err()
            {
                trace!("over without a first reply");
            }
            let done = around::run(verb, cx, Arg::default()).await;
            let reply = done.map_or_else(|why| why.reply(), |done| done.reply);
            way.out.send(reply.to_bytes()).await
        };
        let beside = beside.instrument(self.span.clone());
        ctx.spawn(beside.into_actor(self).map(|sent, act, ctx| {
            act.beside = false;
            if matches!(sent, Err(FtpError::ClientGone)) {
                ctx.stop();
            }
        }));
    }

    fn context(&self) -> Option<VerbCx> {
        Some(VerbCx {
            session: self.id,
            peer: self.peer,
            local: self.local,
            via: self.via.clone(),
            state: Rc::clone(&self.state),
            endpoint: None,
            services: Rc::clone(&self.services),
            reach: self.reach.clone(),
            cleanup: self.cleanup.clone(),
            live: self.live.clone(),
            sessions: self.sessions.clone(),
            out: self.out.clone()?,
            opened: Rc::default(),
        })
    }

    fn way(&self, name: &'static str) -> Option<Way> {
        Some(Way {
            name,
            out: self.out.clone()?,
            cleanup: self.cleanup.clone(),
            limit: self.services.config.abort_timeout,
        })
    }
}

fn abor() -> Result<Line, LineFault> {
    Line::parse("ABOR")
}
