//! Downloads and uploads of a slave's data channels, against bare loops over the same loopback.
//!
//! `cargo bench -p drftpd-slave --bench copy` prints divan's table and then, measured in turns so
//! that both see the same machine, the share of the bare loop's speed that the slave reaches.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::time::{Duration, Instant};

use drftpd_actors::testkit::Probe;
use drftpd_actors::{Blocking, Clock, Dice, Place, TokioNet, block_on};
use drftpd_protocol::ids::{FileId, Generation, NodeId, OpSeq, RootId, TransferId};
use drftpd_protocol::path::Name;
use drftpd_protocol::wire;
use drftpd_protocol::wire::{
    Base, BeginTransfer, DataPath, Family, Job, OpenData, Outcome, PeerRule, ReceiveJob, SendJob,
};
use drftpd_slave::ops::applied::Applied;
use drftpd_slave::storage::{Fsync, RootConfig, Roots, StoragePolicy};
use drftpd_slave::transfer::{Deps, TransferConfig, TransferNotice, Transfers};
use tokio::sync::{mpsc, watch};

const LARGE: u64 = 1 << 30;
const SMALL: u64 = 10 << 10;
const SMALL_FILES: u64 = 500;
const CHUNK: usize = 256 << 10;
const FILE: u64 = 1;

fn main() {
    divan::main();
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let bench = Bench::start();
    ratio(
        "download of 1 GiB / bare sendfile",
        || bench.bare_down(),
        || bench.down(LARGE),
    );
    ratio(
        "upload of 1 GiB / bare sendfile",
        || bench.bare_down(),
        || bench.up(LARGE),
    );
    ratio(
        "upload of 1 GiB / bare recv and write",
        || bench.bare_up(),
        || bench.up(LARGE),
    );
    ratio(
        "4 downloads of 1 GiB / 4 bare sendfiles",
        || four(|| bench.bare_down()),
        || four(|| bench.down(LARGE)),
    );
    ratio(
        "4 uploads of 1 GiB / 4 bare loops",
        || four(|| bench.bare_up()),
        || four(|| bench.up(LARGE)),
    );
    for (what, run) in [("down", Bench::down as fn(&Bench, u64)), ("up", Bench::up)] {
        for clients in [1, 8] {
            let cpu = cpu_seconds();
            let took = seconds(|| {
                thread::scope(|scope| {
                    for _ in 0..clients {
                        scope.spawn(|| (0..SMALL_FILES).for_each(|_| run(&bench, SMALL)));
                    }
                });
            });
            let files = (clients * SMALL_FILES) as f64;
            let cpu = 1e3 * (cpu_seconds() - cpu) / files;
            let rate = files / took;
            println!(
                "files of 10 KiB {what}, {clients} at a time: {rate:.0}/s, {cpu:.3} ms of CPU"
            );
        }
    }
}

/// Processor time of this process: slave, client and bare loops together.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |n: usize| {
        after_name
            .split_ascii_whitespace()
            .nth(n)?
            .parse::<f64>()
            .ok()
    };
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

fn four(run: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(&run);
        }
    });
}

/// Runs both in turns and prints what share of the bare speed ours has: of the medians, of the best.
fn ratio(what: &str, bare: impl Fn(), ours: impl Fn()) {
    let mut times = (Vec::new(), Vec::new());
    let mut cpu = (0.0, 0.0);
    for _ in 0..7 {
        let begun = cpu_seconds();
        times.0.push(seconds(&bare));
        let between = cpu_seconds();
        times.1.push(seconds(&ours));
        cpu.0 += between - begun;
        cpu.1 += cpu_seconds() - between;
    }
    times.0.sort_by(f64::total_cmp);
    times.1.sort_by(f64::total_cmp);
    let (median, best) = (times.0[3] / times.1[3], times.0[0] / times.1[0]);
    let speed = 1024.0 / times.1[3];
    let cpu = (cpu.0 / 7.0, cpu.1 / 7.0);
    println!(
        "{what}: {median:.2} (best {best:.2}), {speed:.0} MiB/s a stream, CPU {:.2} s / {:.2} s",
        cpu.1, cpu.0
    );
}

fn seconds(run: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    run();
    begun.elapsed().as_secs_f64()
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn download_1_gib(bencher: divan::Bencher) {
    let bench = Bench::start();
    bencher.bench_local(|| bench.down(LARGE));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn upload_1_gib(bencher: divan::Bencher) {
    let bench = Bench::start();
    bencher.bench_local(|| bench.up(LARGE));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn bare_sendfile_1_gib(bencher: divan::Bencher) {
    let bench = Bench::start();
    bencher.bench_local(|| bench.bare_down());
}

/// A slave's data channels on threads of their own, and a folder with files.
struct Bench {
    orders: mpsc::Sender<Order>,
    dir: PathBuf,
    _tempdir: tempfile::TempDir,
}

/// A transfer that a client wants: it is told where to connect, and then that it is over.
struct Order {
    up: bool,
    size: u64,
    at: std_mpsc::Sender<SocketAddr>,
    over: std_mpsc::Sender<Outcome>,
}

impl Bench {
    fn start() -> Self {
        let shared = Path::new("/dev/shm");
        let tempdir = match shared.is_dir() {
            true => tempfile::tempdir_in(shared).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let dir = tempdir.path().to_owned();
        let (orders, queue) = mpsc::channel(64);
        let root = dir.join("root");
        let (ready, is_ready) = std_mpsc::channel();
        thread::spawn(move || block_on(serve(root, queue, ready)).unwrap());
        is_ready.recv().unwrap();
        let bare = File::create(dir.join("bare")).unwrap();
        fill(&bare, LARGE);
        Bench {
            orders,
            dir,
            _tempdir: tempdir,
        }
    }

    fn order(&self, up: bool, size: u64) -> (SocketAddr, std_mpsc::Receiver<Outcome>) {
        let (at, where_) = std_mpsc::channel();
        let (over, is_over) = std_mpsc::channel();
        let order = Order { up, size, at, over };
        self.orders.blocking_send(order).unwrap();
        (where_.recv().unwrap(), is_over)
    }

    fn down(&self, size: u64) {
        let (at, over) = self.order(false, size);
        assert_eq!(drain(TcpStream::connect(at).unwrap()), size);
        assert_eq!(over.recv().unwrap(), Outcome::Sent { bytes: size });
    }

    fn up(&self, size: u64) {
        let (at, over) = self.order(true, size);
        pour(TcpStream::connect(at).unwrap(), size);
        let outcome = over.recv().unwrap();
        assert!(matches!(outcome, Outcome::Prepared { size: all, .. } if all == size));
    }

    fn bare_down(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let path = self.dir.join("bare");
        let server = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let file = File::open(path).unwrap();
            let mut offset = 0;
            while offset < LARGE {
                rustix::fs::sendfile(&socket, &file, Some(&mut offset), 1 << 30).unwrap();
            }
        });
        assert_eq!(drain(TcpStream::connect(at).unwrap()), LARGE);
        server.join().unwrap();
    }

    fn bare_up(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let dir = self.dir.clone();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let file = tempfile::tempfile_in(dir).unwrap();
            let (mut buffer, mut len) = (vec![0; CHUNK], 0);
            loop {
                match socket.read(&mut buffer).unwrap() {
                    0 => break,
                    read => {
                        file.write_all_at(&buffer[..read], len).unwrap();
                        len += read as u64;
                    }
                }
            }
        });
        pour(TcpStream::connect(at).unwrap(), LARGE);
        server.join().unwrap();
    }
}

fn drain(mut socket: TcpStream) -> u64 {
    let (mut buffer, mut all) = (vec![0; CHUNK], 0);
    loop {
        match socket.read(&mut buffer).unwrap() {
            0 => return all,
            read => all += read as u64,
        }
    }
}

fn pour(mut socket: TcpStream, size: u64) {
    let buffer = vec![7; CHUNK];
    let mut left = size;
    while left > 0 {
        let piece = left.min(CHUNK as u64);
        socket.write_all(&buffer[..piece as usize]).unwrap();
        left -= piece;
    }
}

fn fill(file: &File, size: u64) {
    let buffer = vec![7; 1 << 20];
    for at in (0..size).step_by(buffer.len()) {
        let piece = (size - at).min(buffer.len() as u64);
        file.write_all_at(&buffer[..piece as usize], at).unwrap();
    }
}

/// A slave's data channels, as in production: two arbiters for channels, a pool for the disk.
async fn serve(root: PathBuf, mut queue: mpsc::Receiver<Order>, ready: std_mpsc::Sender<()>) {
    let dice = Dice::system();
    let id = Roots::create(&root, &dice).unwrap();
    let policy = StoragePolicy {
        fsync: Fsync::Never,
        trash_keep: Duration::ZERO,
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
    ready.send(()).unwrap();
    let mut last = 0;
    let mut waiting = std::collections::BTreeMap::new();
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
        tls: None,
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
