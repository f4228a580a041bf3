//! `Acme` owns the plan: when a certificate is ordered, renewed, tried again. Nobody asks it; a reload of the configuration
//! makes it try at once what failed. A restart reads everything again from the folder and loses an order that runs. Whatever
//! fails, the certificate that is there goes on.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, StreamHandler, Supervised,
    WrapFuture,
};
use drftpd_actors::{Blocking, Clock, Dice};
use futures_util::stream;
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use super::config::AcmeConfig;
use super::error::{AcmeError, Failed};
use super::files::Folder;
use super::order::Issuer;
use super::plan::{Held, Next, Plan, Record, Window};
use crate::config::MasterConfig;
use crate::tls::keeper::Look;

/// The clock may be set, and a machine may have slept: nothing is waited for in one piece longer than this.
const LOOK_AT_LEAST: Duration = Duration::from_secs(3600);
/// When the authority is asked again what it suggests, where it did not say when.
const ASK_EVERY: Duration = Duration::from_secs(6 * 3600);
/// A failure within this time of the end is worth waking somebody up.
const URGENT: i64 = 7 * 24 * 3600;

/// What it was given.
#[derive(Clone)]
pub struct Deps {
    /// What is wanted.
    pub config: AcmeConfig,
    /// Where it is kept.
    pub folder: Folder,
    /// Who gives it.
    pub issuer: Arc<dyn Issuer>,
    /// Who shows it.
    pub look: Look,
    /// The time of day.
    pub clock: Clock,
    /// For jitter.
    pub dice: Dice,
    /// For the disk.
    pub blocking: Blocking,
    /// Says when the operator has read the configuration again.
    pub again: Option<watch::Receiver<Arc<MasterConfig>>>,
}

/// Orders certificates.
pub struct Acme {
    deps: Deps,
    state: State,
}

/// A restart begins a new one.
#[derive(Default)]
struct State {
    /// Nothing until the folder was read.
    plan: Option<Plan>,
    /// An order or a question is on its way.
    busy: bool,
    /// Tells a stale tick from the one that counts.
    tick: u64,
}

impl Acme {
    /// One that reads its folder when it starts.
    pub fn new(deps: Deps) -> Self {
        Self {
            deps,
            state: State::default(),
        }
    }
}

impl Actor for Acme {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(again) = self.deps.again.clone() {
            ctx.add_stream(reloads(again));
        }
        let (folder, blocking) = (self.deps.folder.clone(), self.deps.blocking.clone());
        let read = async move { blocking.run(move || read(&folder)).await };
        ctx.spawn(read.into_actor(self).map(|read, act, ctx| {
            let stored = read.unwrap_or_else(|why| {
                error!(%why, "what is stored of certificates was not read");
                (None, Record::default())
            });
            act.begin(stored, ctx);
        }));
    }
}

impl Supervised for Acme {
    fn restarting(&mut self, _: &mut Self::Context) {
        let tick = self.state.tick;
        self.state = State {
            tick,
            ..State::default()
        };
    }
}

/// Looks whether something is due.
#[derive(Message)]
#[rtype(result = "()")]
struct LookTick(u64);

impl Handler<LookTick> for Acme {
    type Result = ();

    fn handle(&mut self, tick: LookTick, ctx: &mut Self::Context) {
        if tick.0 == self.state.tick {
            self.step(ctx);
        }
    }
}

/// The configuration was read again.
struct Reloaded;

impl StreamHandler<Reloaded> for Acme {
    fn handle(&mut self, _: Reloaded, ctx: &mut Self::Context) {
        if let Some(plan) = &mut self.state.plan
            && plan.record().failures > 0
        {
            plan.now();
            self.step(ctx);
        }
    }

    /// Without reloads it goes on.
    fn finished(&mut self, _: &mut Self::Context) {}
}

fn reloads(
    again: watch::Receiver<Arc<MasterConfig>>,
) -> impl futures_util::Stream<Item = Reloaded> + 'static {
    stream::unfold(again, |mut again| async move {
        again.changed().await.ok()?;
        Some((Reloaded, again))
    })
}

/// What the folder has; what cannot be used is as good as not there. Blocks.
fn read(folder: &Folder) -> (Option<Held>, Record) {
    let held = folder.held().unwrap_or_else(|why| {
        error!(%why, "stored certificate is of no use, a new one is ordered");
        None
    });
    let record = folder.record().unwrap_or_else(|why| {
        warn!(%why, "what happened to certificates before is not known");
        Record::default()
    });
    (held, record)
}

impl Acme {
    fn begin(&mut self, stored: (Option<Held>, Record), ctx: &mut Context<Self>) {
        let now = self.deps.clock.unix();
        let before = stored.1.clone();
        let plan = Plan::new(&self.deps.config, stored, now, self.deps.dice.clone());
        if let Some(held) = plan.held() {
            let (until, renewal) = (time(held.until), time(plan.due()));
            info!(names = ?held.names, %until, %renewal, "certificate of an authority is there");
        }
        let changed = *plan.record() != before;
        self.state.plan = Some(plan);
        if changed {
            self.store(ctx);
        }
        self.step(ctx);
    }

    /// Does what is due, or waits until something is.
    fn step(&mut self, ctx: &mut Context<Self>) {
        let Some(plan) = &self.state.plan else {
            return;
        };
        if self.state.busy {
            return; // its end steps on
        }
        let now = self.deps.clock.unix();
        match plan.next(now) {
            Next::Order(need) => {
                let directory = &self.deps.config.directory;
                let names = &self.deps.config.domains;
                info!(?need, ?names, directory, "certificate is ordered");
                self.order(plan.replaces(), ctx);
            }
            Next::Ask => self.ask(ctx),
            Next::Wait(until) => {
                let wait = u64::try_from(until - now).unwrap_or(0).max(1);
                let wait = Duration::from_secs(wait).min(LOOK_AT_LEAST);
                self.state.tick += 1;
                ctx.notify_later(LookTick(self.state.tick), wait);
            }
        }
    }

    fn order(&mut self, replaces: Option<Vec<u8>>, ctx: &mut Context<Self>) {
        self.state.busy = true;
        let issuer = Arc::clone(&self.deps.issuer);
        let (folder, blocking) = (self.deps.folder.clone(), self.deps.blocking.clone());
        let names = self.deps.config.names();
        let ordered = async move {
            let pem = issuer.order(replaces).await?;
            let stored = blocking.run(move || folder.replace(&pem, &names));
            let stored = stored.await.map_err(AcmeError::from)?;
            Ok(stored.map_err(AcmeError::from)?)
        };
        ctx.spawn(ordered.into_actor(self).map(|ended, act, ctx| {
            act.state.busy = false;
            act.ended(ended, ctx);
        }));
    }

    fn ended(&mut self, ended: Result<Held, Failed>, ctx: &mut Context<Self>) {
        let now = self.deps.clock.unix();
        let Some(plan) = &mut self.state.plan else {
            return;
        };
        match ended {
            Ok(held) => {
                let until = time(held.until);
                plan.issued(held, now);
                let renewal = time(plan.due());
                info!(%until, %renewal, "certificate issued by the authority");
                self.deps.look.now();
            }
            Err(failed) => {
                plan.failed(failed.why.plain(), failed.wish, now);
            }
        }
        if plan.record().failures > 0 {
            say_failure(plan, now);
        }
        self.store(ctx);
        self.step(ctx);
    }

    fn store(&self, ctx: &mut Context<Self>) {
        let Some(plan) = &self.state.plan else {
            return;
        };
        let (folder, record) = (self.deps.folder.clone(), plan.record().clone());
        let blocking = self.deps.blocking.clone();
        let stored = async move {
            let stored = blocking.run(move || folder.store_record(&record)).await;
            match stored {
                Ok(Ok(())) => {}
                Ok(Err(why)) => error!(%why, "what happened to the certificate is not stored"),
                Err(why) => error!(%why, "what happened to the certificate is not stored"),
            }
        };
        ctx.spawn(stored.into_actor(self));
    }

    fn ask(&mut self, ctx: &mut Context<Self>) {
        let held = self.state.plan.as_ref().and_then(Plan::held);
        let Some(der) = held.map(|held| held.der.clone()) else {
            return;
        };
        self.state.busy = true;
        let issuer = Arc::clone(&self.deps.issuer);
        let asked = async move { issuer.window(der).await };
        ctx.spawn(asked.into_actor(self).map(|asked, act, ctx| {
            act.state.busy = false;
            act.suggested(asked);
            act.step(ctx);
        }));
    }

    fn suggested(&mut self, asked: Result<Option<Window>, Failed>) {
        let now = self.deps.clock.unix();
        let Some(plan) = &mut self.state.plan else {
            return;
        };
        let window = asked.unwrap_or_else(|failed| {
            debug!(why = %failed.why, "the authority was not asked when it would renew");
            None
        });
        let before = plan.due();
        plan.suggested(window, ASK_EVERY, now);
        if plan.due() != before {
            info!(renewal = %time(plan.due()), "the authority wants the certificate renewed earlier");
        }
    }
}

/// Loud where clients are, or soon will be, without a certificate that they believe.
fn say_failure(plan: &Plan, now: i64) {
    let Record {
        failures,
        why,
        next_try,
        ..
    } = plan.record();
    let next_try = time(*next_try);
    let until = plan.held().map(|held| held.until);
    let left = until.map_or(0, |until| until - now);
    let until = until.map(|until| time(until).to_string());
    if left < URGENT {
        error!(failures, why, %next_try, until, "certificate not issued; SIGHUP tries at once");
    } else {
        warn!(failures, why, %next_try, until, "certificate not renewed yet; SIGHUP tries at once");
    }
}

/// For people.
pub(crate) fn time(unix: i64) -> humantime::Rfc3339Timestamp {
    let seconds = u64::try_from(unix).unwrap_or(0).min(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds))
}
