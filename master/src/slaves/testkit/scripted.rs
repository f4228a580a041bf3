//! A slave that the test holds in its hand: every call waits until the test answers it. Its
//! heart beats by itself, and it answers pings, unless the test says otherwise.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use drftpd_actors::BoxIo;
use drftpd_protocol::wire::{
    Alive, Call, Envelope, Fault, FaultCode, FrameCodec, Hello, MasterNotice, Notice, Pong,
    Progress, Refused, Welcome, kinds,
};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::codec::Framed;
use tokio_util::task::AbortOnDropHandle;

/// Simulated time after which something that does not come fails the test.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A fake slave with a link that is up.
pub(crate) struct ScriptedSlave {
    pub welcome: Welcome,
    out: mpsc::UnboundedSender<Envelope>,
    got: mpsc::UnboundedReceiver<Envelope>,
    /// Whether it sends heartbeats.
    pub beats: Rc<Cell<bool>>,
    /// Whether it answers pings.
    pub pongs: Rc<Cell<bool>>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

/// A call that came, to be answered.
#[derive(Debug)]
pub(crate) struct Got<C> {
    pub number: u32,
    pub call: C,
}

impl ScriptedSlave {
    /// Says hello over a connection that is as secure as it gets.
    pub async fn hello(io: BoxIo, hello: Hello) -> Result<Self, Refused> {
        let roots = hello.roots.clone();
        let mut io = Framed::new(io, FrameCodec);
        let frame = Envelope::new(0, kinds::HELLO, &hello).unwrap();
        io.send(frame).await.unwrap();
        let answer = io.next().await.expect("an answer to hello").unwrap();
        match answer.kind {
            kinds::WELCOME => Ok(Self::run(io, answer.open().unwrap(), roots)),
            kinds::REFUSED => Err(answer.open().unwrap()),
            kind => panic!("answered with kind {kind:#06x}"),
        }
    }

    fn run(
        io: Framed<BoxIo, FrameCodec>,
        welcome: Welcome,
        roots: Vec<drftpd_protocol::wire::RootStatus>,
    ) -> Self {
        let (mut sink, mut stream) = io.split();
        let (out, mut to_send) = mpsc::unbounded_channel::<Envelope>();
        let (got_tx, got) = mpsc::unbounded_channel();
        let (beats, pongs) = (Rc::new(Cell::new(true)), Rc::new(Cell::new(true)));
        let write = async move {
            while let Some(frame) = to_send.recv().await {
                if sink.send(frame).await.is_err() {
                    return;
                }
            }
            drop(sink.close().await);
        };
        let (answering, pong_out) = (pongs.clone(), out.clone());
        let read = async move {
            while let Some(Ok(frame)) = stream.next().await {
                if frame.kind == kinds::PING {
                    let pong = Envelope::new(frame.call, kinds::ANSWER, &Pong {}).unwrap();
                    if answering.get() {
                        drop(pong_out.send(pong));
                    }
                } else if got_tx.send(frame).is_err() {
                    return;
                }
            }
        };
        let (beating, beat_out) = (beats.clone(), out.clone());
        let every = Duration::from_millis(welcome.heartbeat_ms);
        let beat = async move {
            let alive = Alive {
                roots,
                transfers: 0,
                receiving: 0,
                sending: 0,
            };
            loop {
                sleep(every).await;
                let frame = Envelope::new(0, kinds::ALIVE, &alive).unwrap();
                if beating.get() && beat_out.send(frame).is_err() {
                    return;
                }
            }
        };
        let spawn = tokio::task::spawn_local::<_>;
        let tasks = vec![
            AbortOnDropHandle::new(spawn(Box::pin(write) as LocalTask)),
            AbortOnDropHandle::new(spawn(Box::pin(read) as LocalTask)),
            AbortOnDropHandle::new(spawn(Box::pin(beat) as LocalTask)),
        ];
        Self {
            welcome,
            out,
            got,
            beats,
            pongs,
            _tasks: tasks,
        }
    }

    /// The next frame that is not a ping.
    pub async fn frame(&mut self) -> Envelope {
        let frame = timeout(PATIENCE, self.got.recv()).await;
        frame.expect("nothing came").expect("the link is down")
    }

    /// Whether nothing came that was not taken.
    pub fn is_quiet(&self) -> bool {
        self.got.is_empty()
    }

    /// Waits until the master ends the link.
    pub async fn is_cut(&mut self) {
        while timeout(PATIENCE, self.got.recv())
            .await
            .expect("the link lives on")
            .is_some()
        {}
    }

    /// The next call, which must be a `C`.
    pub async fn call<C: Call>(&mut self) -> Got<C> {
        let frame = self.frame().await;
        assert_eq!(frame.kind, C::KIND, "another kind came: {frame:?}");
        let (number, call) = (frame.call, frame.open().unwrap());
        Got { number, call }
    }

    /// The next notice, which must be an `N`.
    pub async fn notice<N: MasterNotice>(&mut self) -> N {
        let frame = self.frame().await;
        assert_eq!(frame.kind, N::KIND, "another kind came: {frame:?}");
        assert_eq!(frame.call, 0);
        frame.open().unwrap()
    }

    pub fn answer<C: Call>(&self, got: &Got<C>, answer: &C::Answer) {
        self.send(got.number, kinds::ANSWER, answer);
    }

    pub fn fault<C>(&self, got: &Got<C>, code: FaultCode) {
        self.send(got.number, kinds::FAULT, &Fault::new(code, "scripted"));
    }

    pub fn progress<C>(&self, got: &Got<C>) {
        let progress = Progress { done: 1, total: 0 };
        self.send(got.number, kinds::PROGRESS, &progress);
    }

    pub fn tell<N: Notice>(&self, notice: &N) {
        self.send(0, N::KIND, notice);
    }

    /// Sends whatever it is told.
    pub fn send<M: Serialize>(&self, call: u32, kind: u16, message: &M) {
        let frame = Envelope::new(call, kind, message).unwrap();
        drop(self.out.send(frame));
    }
}

type LocalTask = std::pin::Pin<Box<dyn Future<Output = ()>>>;
