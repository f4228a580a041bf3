//! Neighbours for an actor under test: a `Probe` collects what it is told, a `Stub` answers what it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message, MessageResult, Recipient};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Messages a probe may hold; in a test nothing needs more.
const MAILBOX: usize = 65_536;
/// Time (simulated under `sim`) after which a message that does not come fails the test.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Collects messages in the order in which they came, and answers each with the default answer.
pub struct Probe<M: Message + Send + 'static>
where
    M::Result: Default + Send + 'static,
{
    addr: Addr<Collector<M>>,
    got: mpsc::UnboundedReceiver<M>,
}

struct Collector<M>(mpsc::UnboundedSender<M>);

impl<M> Probe<M>
where
    M: Message + Send + 'static,
    M::Result: Default + Send + 'static,
{
    /// Starts a probe on this thread.
    pub fn start() -> Self {
        let (tx, got) = mpsc::unbounded_channel();
        let addr = Collector::create(|ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            Collector(tx)
        });
        Self { addr, got }
    }

    /// Where to send to.
    pub fn recipient(&self) -> Recipient<M> {
        self.addr.clone().recipient()
    }

    /// The next message.
    ///
    /// # Panics
    /// When none comes within an hour (simulated under [`super::sim`]).
    pub async fn next(&mut self) -> M {
        match timeout(PATIENCE, self.got.recv()).await {
            Ok(Some(msg)) => msg,
            _ => panic!("no {} came", std::any::type_name::<M>()),
        }
    }

    /// Whether nothing came that was not taken yet. What was sent in this very turn is not seen: await something
    /// first ([`super::settle`]).
    pub fn is_empty(&self) -> bool {
        self.got.is_empty()
    }

    /// Takes everything that came.
    pub fn drain(&mut self) -> Vec<M> {
        std::iter::from_fn(|| self.got.try_recv().ok()).collect()
    }
}

impl<M: 'static> Actor for Collector<M> {
    type Context = Context<Self>;
}

impl<M> Handler<M> for Collector<M>
where
    M: Message + Send + 'static,
    M::Result: Default + Send + 'static,
{
    type Result = MessageResult<M>;

    fn handle(&mut self, msg: M, _: &mut Self::Context) -> Self::Result {
        // The probe may have been dropped while its address is still in use.
        drop(self.0.send(msg));
        MessageResult(M::Result::default())
    }
}

/// Answers messages with a function.
pub struct Stub<M: Message + Send + 'static>
where
    M::Result: Send + 'static,
{
    addr: Addr<Answerer<M>>,
    asked: Arc<AtomicUsize>,
}

struct Answerer<M: Message> {
    answer: Box<dyn FnMut(M) -> M::Result>,
    asked: Arc<AtomicUsize>,
}

impl<M> Stub<M>
where
    M: Message + Send + 'static,
    M::Result: Send + 'static,
{
    /// Starts a stub on this thread.
    pub fn start(answer: impl FnMut(M) -> M::Result + 'static) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let answerer = Answerer {
            answer: Box::new(answer),
            asked: Arc::clone(&asked),
        };
        let addr = Answerer::create(|ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            answerer
        });
        Self { addr, asked }
    }

    /// Where to ask.
    pub fn recipient(&self) -> Recipient<M> {
        self.addr.clone().recipient()
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl<M: Message + 'static> Actor for Answerer<M> {
    type Context = Context<Self>;
}

impl<M> Handler<M> for Answerer<M>
where
    M: Message + Send + 'static,
    M::Result: Send + 'static,
{
    type Result = MessageResult<M>;

    fn handle(&mut self, msg: M, _: &mut Self::Context) -> Self::Result {
        self.asked.fetch_add(1, Ordering::Relaxed);
        MessageResult((self.answer)(msg))
    }
}
