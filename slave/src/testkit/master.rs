//! A scripted master: it listens in memory, and the test decides every frame.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use drftpd_actors::testkit::MemNet;
use drftpd_actors::{BoxIo, Listener, Net};
use drftpd_protocol::wire::{
    Call, Envelope, Fault, FrameCodec, Hello, MasterNotice, Notice, Refused, Welcome, kinds,
};
use drftpd_protocol::{Epoch, StoreId};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use tokio::time::timeout;
use tokio_util::codec::Framed;

pub(crate) const EPOCH: Epoch = Epoch(5);
pub(crate) const STORE: StoreId = StoreId([0x5; 16]);
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(9);
/// Simulated time after which a slave that does not do what it should fails the test.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Listens for slaves.
pub(crate) struct ScriptedMaster {
    listener: Box<dyn Listener>,
}

/// One link, seen from the master.
pub(crate) struct Talk {
    frames: Framed<BoxIo, FrameCodec>,
    epoch: Epoch,
    next_call: u32,
    /// Notices that came while an answer was waited for.
    passed_over: VecDeque<Envelope>,
}

impl ScriptedMaster {
    /// Listens on a free port.
    pub(crate) async fn new(net: &MemNet) -> Self {
        let any = "127.0.0.1:0".parse().expect("an address");
        ScriptedMaster {
            listener: net.bind(any).await.expect("listens"),
        }
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.listener.local_addr().expect("listens")
    }

    /// The next connection, with the slave's first words.
    pub(crate) async fn accept(&self) -> (Talk, Hello) {
        let incoming = timeout(PATIENCE, self.listener.accept()).await;
        let incoming = incoming.expect("a slave dials").expect("accepts");
        let mut talk = Talk {
            frames: Framed::new(incoming.adopt().expect("adopts"), FrameCodec),
            epoch: EPOCH,
            next_call: 1,
            passed_over: VecDeque::new(),
        };
        let hello = talk.next().await.expect("says hello");
        assert_eq!(hello.kind, kinds::HELLO);
        let hello = hello.open().expect("decodes");
        (talk, hello)
    }

    /// The next slave, welcomed.
    pub(crate) async fn welcome(&self) -> (Talk, Hello) {
        self.welcome_as(EPOCH, STORE).await
    }

    /// The next slave, welcomed by a master of that epoch and store.
    pub(crate) async fn welcome_as(&self, epoch: Epoch, store: StoreId) -> (Talk, Hello) {
        let (mut talk, hello) = self.accept().await;
        talk.epoch = epoch;
        talk.say(
            kinds::WELCOME,
            &Welcome {
                revision: 1,
                epoch,
                store,
                heartbeat_ms: HEARTBEAT.as_millis() as u64,
                build: "scripted".into(),
            },
        )
        .await;
        (talk, hello)
    }

    /// The next slave, refused.
    pub(crate) async fn refuse(&self, retry: bool) {
        let (mut talk, _) = self.accept().await;
        let why = "not today".to_owned();
        talk.say(kinds::REFUSED, &Refused { why, retry }).await;
    }
}

impl Talk {
    /// Sends a message that belongs to no call.
    pub(crate) async fn say<M: Serialize>(&mut self, kind: u16, message: &M) {
        let frame = Envelope::new(0, kind, message).expect("encodes");
        self.send(frame.of(self.epoch)).await;
    }

    pub(crate) async fn notify<M: MasterNotice>(&mut self, notice: &M) {
        self.say(M::KIND, notice).await;
    }

    /// Sends a frame as it is.
    pub(crate) async fn send(&mut self, frame: Envelope) {
        self.frames.send(frame).await.expect("the link is there");
    }

    /// The next frame; `None` when the slave hung up.
    pub(crate) async fn next(&mut self) -> Option<Envelope> {
        let next = timeout(PATIENCE, self.frames.next()).await;
        next.expect("the slave says something")?.ok()
    }

    /// The next notice of a kind, of those that came meanwhile too; others are passed over.
    pub(crate) async fn notice<N: Notice>(&mut self) -> N {
        loop {
            let frame = match self.passed_over.pop_front() {
                Some(frame) => frame,
                None => self.next().await.expect("the link is there"),
            };
            if frame.kind == N::KIND {
                return frame.open().expect("decodes");
            }
        }
    }

    /// Begins a call.
    pub(crate) async fn begin<C: Call>(&mut self, call: &C) -> u32 {
        let number = self.next_call;
        self.next_call += 1;
        let frame = Envelope::new(number, C::KIND, call).expect("encodes");
        self.send(frame.of(self.epoch)).await;
        number
    }

    /// The answer of a call; other answers are passed over.
    pub(crate) async fn answer<C: Call>(&mut self, call: u32) -> Result<C::Answer, Fault> {
        let frame = self.answer_of(call).await;
        match frame.kind {
            kinds::ANSWER => Ok(frame.open().expect("decodes")),
            _ => Err(frame.open().expect("a fault")),
        }
    }

    /// The frame that answers a call.
    pub(crate) async fn answer_of(&mut self, call: u32) -> Envelope {
        loop {
            let frame = self.next().await.expect("the link is there");
            if frame.call == call && matches!(frame.kind, kinds::ANSWER | kinds::FAULT) {
                return frame;
            }
            if frame.call == 0 && frame.kind != kinds::ALIVE {
                self.passed_over.push_back(frame);
            }
        }
    }

    /// Calls, and waits for the answer.
    pub(crate) async fn call<C: Call>(&mut self, call: &C) -> Result<C::Answer, Fault> {
        let number = self.begin(call).await;
        self.answer::<C>(number).await
    }

    /// Waits until the slave hangs up; what it says before is passed over.
    pub(crate) async fn hung_up(&mut self) {
        while self.next().await.is_some() {}
    }
}
