//! A whole slave's data channels under test: over a network in memory with a clock that jumps, and
//! over loopback sockets with real files.

mod between;
mod channels;
mod cut;
mod downloads;
mod ends;
mod growing;
mod handshakes;
mod sealed;
mod secured;
mod sockets;
mod strangers;
mod uploads;

use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::{MemNet, Probe, sim};
use drftpd_actors::{Blocking, BoxIo, ChildDown, Clock, Dice, Net, Place, TokioNet, block_on};
use drftpd_protocol::ids::{FileId, Generation, NodeId, OpSeq, RootId, TransferId};
use drftpd_protocol::path::Name;
use drftpd_protocol::wire;
use drftpd_protocol::wire::{
    AbortTransfer, Base, BeginTransfer, Begun, Blake3Sum, DataPath, Family, Fault, FaultCode, Job,
    OpenData, Outcome, PeerRule, ReceiveJob, SendJob, TransferEnded,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

use super::{Deps, TransferConfig, TransferNotice, Transfers};
use crate::ops::applied::Applied;
use crate::storage::{Fsync, Roots};
use crate::testkit::{one_root, prepare};

const CONNECT: Duration = Duration::from_secs(30);
const STALL: Duration = Duration::from_secs(60);

/// The data channels of one slave with one root in a temporary folder.
struct Rig {
    transfers: Transfers,
    notices: mpsc::Receiver<TransferNotice>,
    net: Arc<dyn Net>,
    blocking: Blocking,
    roots: Roots,
    root: RootId,
    applied: Applied,
    master: watch::Sender<Option<SocketAddr>>,
    last: u64,
    _parent: Probe<ChildDown>,
    _dir: tempfile::TempDir,
}

/// Runs a test over a network in memory; the clock jumps, and the disk is used at once.
fn in_memory<F: Future>(test: impl FnOnce(Rig) -> F) -> F::Output {
    sim(async {
        let net = Arc::new(MemNet::new());
        test(Rig::start(net, Blocking::inline(), config())).await
    })
}

/// Runs a test over loopback sockets and real threads. Where the system can say that a client has everything, the
/// clock must not: a transfer that waited for it would hang.
fn on_loopback<F: Future>(test: impl FnOnce(Rig) -> F) -> F::Output {
    let run = async {
        let mut config = config();
        if crate::sys::NATIVE {
            config.close_wait = Duration::from_secs(3600);
        }
        let rig = Rig::start(Arc::new(TokioNet::new()), Blocking::new(4), config);
        tokio::time::timeout(Duration::from_secs(60), test(rig)).await
    };
    block_on(run).unwrap().expect("hangs")
}

fn config() -> TransferConfig {
    TransferConfig {
        passive_ports: super::PortRange::ANY,
        bind: Some("127.0.0.1".parse().unwrap()),
        ..TransferConfig::default()
    }
}

impl Rig {
    fn start(net: Arc<dyn Net>, blocking: Blocking, config: TransferConfig) -> Self {
        let (dir, roots, root) = one_root(Fsync::Never, &Clock::manual(0));
        let root = root.id();
        let (sender, notices) = mpsc::channel(64);
        let (master, master_now) = watch::channel(None);
        let parent = Probe::start();
        let applied = Applied::default();
        let transfers = Transfers::start(Deps {
            roots: roots.clone(),
            blocking: blocking.clone(),
            net: Arc::clone(&net),
            place: Place::here(),
            master: master_now,
            applied: applied.clone(),
            notices: sender,
            dice: Dice::seeded(1),
            config,
            parent: parent.recipient(),
        });
        Rig {
            transfers,
            notices,
            net,
            blocking,
            roots,
            root,
            applied,
            master,
            last: 0,
            _parent: parent,
            _dir: dir,
        }
    }

    fn open_data(&mut self, path: DataPath) -> OpenData {
        self.last += 1;
        OpenData {
            transfer: TransferId(self.last),
            path,
            connect_timeout_ms: CONNECT.as_millis() as u64,
        }
    }

    async fn listen_for(&mut self, peers: PeerRule) -> (TransferId, SocketAddr) {
        let family = Family::V4;
        let open = self.open_data(DataPath::Listen { family, peers });
        let transfer = open.transfer;
        let opened = self.transfers.open(open).await.unwrap();
        (
            transfer,
            SocketAddr::new(opened.address.unwrap(), opened.port),
        )
    }

    async fn listen(&mut self) -> (TransferId, SocketAddr) {
        self.listen_for(PeerRule::Any).await
    }

    async fn connect(&self, to: SocketAddr) -> BoxIo {
        self.net.connect(None, to).await.unwrap()
    }

    fn order(&self, transfer: TransferId, job: Job) -> BeginTransfer {
        BeginTransfer {
            transfer,
            job,
            after: OpSeq::NONE,
            stall_timeout_ms: STALL.as_millis() as u64,
            max_rate: None,
            tls: None,
        }
    }

    async fn begin(&self, transfer: TransferId, job: Job) -> Result<Begun, Fault> {
        self.transfers.begin(self.order(transfer, job)).await
    }

    async fn abort(&self, transfer: TransferId) {
        let abort = AbortTransfer { transfer };
        self.transfers.abort(abort).await.unwrap();
    }

    /// A complete file that lies in the root, ready to be sent.
    fn store(&self, node: u64, bytes: &[u8]) -> Job {
        let root = self.roots.get(self.root).unwrap();
        prepare(&root, file(node), bytes);
        self.send(node)
    }

    fn send(&self, node: u64) -> Job {
        Job::Send(SendJob {
            root: self.root,
            file: file(node),
            at: place(),
            offset: 0,
            length: None,
        })
    }

    fn receive(&self, node: u64, base: Base) -> Job {
        Job::Receive(ReceiveJob {
            root: self.root,
            file: file(node),
            base,
            expected: 0,
            blake3: true,
            most: None,
        })
    }

    /// What lies in staging under this identity.
    fn staged(&self, node: u64) -> Vec<u8> {
        let root = self.roots.get(self.root).unwrap();
        let stored = root.open_file(Some(file(node)), &place()).unwrap();
        let mut bytes = vec![0; stored.size as usize];
        stored.file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    /// The next end that the master is told.
    async fn ended(&mut self) -> TransferEnded {
        loop {
            match self.notices.recv().await.unwrap() {
                TransferNotice::Ended(ended) => return ended,
                TransferNotice::Progress(_) => {}
            }
        }
    }

    /// Waits until the master is told that a transfer has moved so much.
    async fn moved(&mut self, bytes: usize) {
        loop {
            match self.notices.recv().await.unwrap() {
                TransferNotice::Progress(progress) => {
                    let mut moved = progress.moved.iter();
                    if moved.any(|(_, at)| *at == bytes as u64) {
                        return;
                    }
                }
                TransferNotice::Ended(ended) => panic!("ended: {ended:?}"),
            }
        }
    }

    /// Starts an upload whose client is there.
    async fn upload(&mut self, node: u64, base: Base) -> BoxIo {
        let (transfer, to) = self.listen().await;
        let client = self.connect(to).await;
        let job = self.receive(node, base);
        let begun = self.begin(transfer, job).await;
        assert_eq!(begun.map(|begun| begun.size), Ok(0));
        client
    }

    /// Starts a download whose client is there.
    async fn download(&mut self, job: Job) -> BoxIo {
        let (transfer, to) = self.listen().await;
        let client = self.connect(to).await;
        self.begin(transfer, job).await.unwrap();
        client
    }
}

fn file(node: u64) -> FileId {
    FileId {
        node: NodeId(node),
        generation: Generation(1),
    }
}

fn place() -> wire::Place {
    wire::Place {
        dirs: Vec::new(),
        name: Name::new(&b"somewhere"[..]).unwrap(),
    }
}

/// Bytes that are nowhere the same.
fn pattern(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut bytes = Vec::with_capacity(len + 4);
    while bytes.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

async fn read_all(io: &mut BoxIo) -> Vec<u8> {
    let mut all = Vec::new();
    io.read_to_end(&mut all).await.unwrap();
    all
}

async fn read_some(io: &mut BoxIo, len: usize) -> Vec<u8> {
    let mut some = vec![0; len];
    io.read_exact(&mut some).await.unwrap();
    some
}

async fn write(io: &mut BoxIo, bytes: &[u8]) {
    io.write_all(bytes).await.unwrap();
    io.flush().await.unwrap();
}

/// The reason and the numbers of a transfer that broke.
fn broken(ended: TransferEnded) -> (FaultCode, u64, Option<u64>) {
    match ended.outcome {
        Outcome::Broken { fault, bytes, kept } => (fault.code, bytes, kept),
        other => panic!("did not break: {other:?}"),
    }
}

fn sent(bytes: usize) -> Outcome {
    Outcome::Sent {
        bytes: bytes as u64,
    }
}

fn prepared(bytes: usize, file: &[u8]) -> Outcome {
    Outcome::Prepared {
        bytes: bytes as u64,
        size: file.len() as u64,
        crc32: crc32fast::hash(file),
        blake3: Some(Blake3Sum(*blake3::hash(file).as_bytes())),
    }
}
