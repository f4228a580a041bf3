//! A slave's data channels as in production, and the orders that the bench gives them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use drftpd_actors::testkit::Probe;
use drftpd_actors::{Blocking, Clock, Dice, Place, TokioNet};
use drftpd_protocol::ids::{FileId, Generation, NodeId, OpSeq, RootId, TransferId};
use drftpd_protocol::path::Name;
use drftpd_protocol::wire;
use drftpd_protocol::wire::{
    Base, BeginTransfer, DataPath, DataTls, Family, FtpCertificate, Job, OpenData, Outcome,
    PeerRule, ReceiveJob, Resumption, SendJob, TicketKey,
};
use drftpd_slave::ops::applied::Applied;
use drftpd_slave::storage::{Fsync, RootConfig, Roots, StoragePolicy};
use drftpd_slave::transfer::{Deps, TransferConfig, TransferNotice, Transfers};
use tokio::sync::{mpsc, watch};

use crate::{LARGE, SMALL};

const FILE: u64 = 1;
/// The key of the bench's one control session.
pub const TICKETS: [u8; 32] = [7; 32];

/// A transfer that a client wants: it is told where to connect, and then that it is over.
pub struct Order {
    pub up: bool,
    pub tls: bool,
    pub size: u64,
    pub at: std_mpsc::Sender<SocketAddr>,
    pub over: std_mpsc::Sender<Outcome>,
}

/// A slave's data channels, as in production: two arbiters for channels, a pool for the disk.
pub async fn serve(
    root: PathBuf,
    certificate: FtpCertificate,
    mut queue: mpsc::Receiver<Order>,
    ready: std_mpsc::Sender<()>,
) {
    let dice = Dice::system();
    let id = Roots::create(&root, &dice).unwrap();
    let policy = StoragePolicy {
        fsync: Fsync::Never,
        trash_keep: Duration::ZERO,
        pretended_space: None,
    };
    let configured = [RootConfig::existing(&root)];
    let roots = Roots::open(&configured, policy, Clock::system(), dice.clone()).unwrap();
    store(&roots, id, FILE, LARGE);
    store(&roots, id, FILE + 1, SMALL);
    let place = Place::pool("data", 2).unwrap();
    let (notices, mut told) = mpsc::channel(1024);
    let (_master, master) = watch::channel(None);
    let parent = Probe::start();
    let transfers = Transfers::start(Deps {
        roots,
        blocking: Blocking::new(16),
        net: Arc::new(TokioNet::new()),
        place: place.clone(),
        master,
        applied: Applied::default(),
        notices,
        dice,
        config: TransferConfig {
            bind: Some("127.0.0.1".parse().unwrap()),
            ..TransferConfig::default()
        },
        parent: parent.recipient(),
    });
    transfers.set_certificate(certificate).unwrap();
    ready.send(()).unwrap();
    let mut last = 0;
    let mut waiting = BTreeMap::new();
    loop {
        tokio::select! {
            order = queue.recv() => {
                let Some(order) = order else { break };
                last += 1;
                waiting.insert(TransferId(last), order.over.clone());
                tokio::task::spawn_local(one(transfers.clone(), id, last, order));
            }
            notice = told.recv() => if let Some(TransferNotice::Ended(ended)) = notice {
                transfers.ended_seen(ended.transfer);
                let over = waiting.remove(&ended.transfer).unwrap();
                over.send(ended.outcome).unwrap();
            }
        }
    }
    place.stop();
}

async fn one(transfers: Transfers, root: RootId, number: u64, order: Order) {
    let transfer = TransferId(number);
    let path = DataPath::Listen {
        family: Family::V4,
        peers: PeerRule::Only("127.0.0.1".parse().unwrap()),
    };
    let open = OpenData {
        transfer,
        path,
        connect_timeout_ms: 10_000,
    };
    let opened = transfers.open(open).await.unwrap();
    let at = SocketAddr::new(opened.address.unwrap(), opened.port);
    order.at.send(at).unwrap();
    let job = match order.up {
        true => Job::Receive(ReceiveJob {
            root,
            // A few names, used again and again, so that the memory is too.
            file: file(match order.size {
                LARGE => 100 + number % 4,
                _ => 200 + number % 64,
            }),
            base: Base::Empty,
            expected: 0,
            blake3: false,
            most: None,
        }),
        false => Job::Send(SendJob {
            root,
            file: file(if order.size == LARGE { FILE } else { FILE + 1 }),
            at: place(),
            offset: 0,
            length: None,
        }),
    };
    let begin = BeginTransfer {
        transfer,
        job,
        after: OpSeq::NONE,
        stall_timeout_ms: 10_000,
        max_rate: None,
        tls: order.tls.then_some(DataTls::Server {
            tickets: TicketKey(TICKETS),
            resumption: Resumption::Offered,
        }),
    };
    transfers.begin(begin).await.unwrap();
}

fn store(roots: &Roots, root: RootId, node: u64, size: u64) {
    let root = roots.get(root).unwrap();
    let mut staging = root.stage(file(node), &Base::Empty, 0).unwrap();
    let piece = vec![7; 1 << 20];
    let mut left = size;
    while left > 0 {
        let take = left.min(piece.len() as u64);
        staging.append(&piece[..take as usize]).unwrap();
        left -= take;
    }
    let crc32 = staging.crc32();
    root.prepare(staging, crc32).unwrap();
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
