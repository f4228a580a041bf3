//! How fast the file list is: whole uploads (intent and commit) alone and 64 at once, a listing,
//! and the adoption of a tree; with `NO_INDEX` set without the index of names. `cargo bench -p drftpd-master --bench store`; the folder for the
//! store is `TMPDIR`, which should be on a disk and not in memory.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use divan::Bencher;
use divan::counter::ItemsCount;
use drftpd_actors::testkit::Probe;
use drftpd_actors::{Blocking, ChildDown, Clock, Dice, Drain, Place, block_on};
use drftpd_master::outbox::Outbox;
use drftpd_master::search::{Names, SearchConfig, SearchDeps};
use drftpd_master::store::{Case, Durability, Store, StoreConfig};
use drftpd_master::vfs::{Deps, Owner, PreparedBytes, UploadMode, VfsClient, VfsConfig, start};
use drftpd_protocol::wire::{DirStep, WalkEntry, WalkNode, WalkPage};
use drftpd_protocol::{Name, NodeId, RootId, SlaveId, VfsPath};
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

const ROOT: RootId = RootId([1; 16]);

fn main() {
    divan::main();
}

async fn open(folder: &Path, durability: Durability) -> (VfsClient, Probe<ChildDown>) {
    let (clock, dice) = (Clock::system(), Dice::system());
    let config = StoreConfig {
        durability,
        ..StoreConfig::DEFAULT
    };
    let store = Store::open(folder, &config, Case::Sensitive, &clock, &dice).unwrap();
    let index = SearchDeps {
        config: SearchConfig {
            enabled: std::env::var_os("NO_INDEX").is_none(),
            ..SearchConfig::default()
        },
        store: store.clone(),
        names: Names::new(std::env::var_os("NO_INDEX").is_none()),
        drain: Drain::new(),
    };
    let deps = Deps {
        copies: Default::default(),
        store,
        blocking: Blocking::new(4),
        config: VfsConfig::default(),
        clock,
        outbox: Outbox::new(1),
        names: index.names.clone(),
    };
    let down = Probe::start();
    drftpd_master::search::start(&Place::here(), index, down.recipient());
    let vfs = start(&Place::here(), deps, down.recipient()).await.unwrap();
    vfs.root_shown(ROOT, &slave()).await.unwrap();
    let dir = VfsPath::absolute(b"/incoming").unwrap();
    vfs.make_dir(&dir, owner()).await.unwrap();
    (vfs, down)
}

fn slave() -> SlaveId {
    SlaveId::new("bench").unwrap()
}

fn owner() -> Owner {
    Owner {
        user: "bench".into(),
        group: "users".into(),
    }
}

async fn upload(vfs: &VfsClient, n: u64) {
    let path = VfsPath::absolute(format!("/incoming/file-{n:09}.mkv").as_bytes()).unwrap();
    let upload = vfs.begin_upload(&path, UploadMode::Store, owner(), ROOT);
    let bytes = PreparedBytes {
        size: 1000,
        crc32: 1,
        blake3: None,
        received: 1000,
    };
    let upload = upload.await.unwrap();
    vfs.commit_upload(upload.file, ROOT, bytes).await.unwrap();
}

#[divan::bench(args = [(Durability::Full, 1), (Durability::Full, 64), (Durability::Relaxed, 1),
    (Durability::Relaxed, 64)], sample_count = 8, sample_size = 1)]
fn uploads(bencher: Bencher<'_, '_>, (durability, at_once): (Durability, u64)) {
    const ALL: u64 = 2048;
    let folder = TempDir::new().unwrap();
    let next = AtomicU64::new(0);
    bencher.counter(ItemsCount::new(ALL)).bench_local(|| {
        let store = folder.path().join(next.load(Ordering::Relaxed).to_string());
        block_on(async {
            let (vfs, _down) = open(&store, durability).await;
            let worker = || async {
                for _ in 0..ALL / at_once {
                    upload(&vfs, next.fetch_add(1, Ordering::Relaxed)).await;
                }
            };
            join_all((0..at_once).map(|_| worker())).await;
        })
        .unwrap();
    });
}

fn page(from: usize, entries: usize) -> Vec<WalkEntry> {
    let entry = |n: usize| WalkEntry {
        name: Name::new(format!("release.{n:08}.part.rar").into_bytes()).unwrap(),
        node: WalkNode::File {
            size: 15_000_000,
            file: None,
            crc32: None,
            blake3: None,
            edited: false,
            busy: false,
        },
        modified: 1_800_000_000,
    };
    (from..from + entries).map(entry).collect()
}

async fn adopt(vfs: &VfsClient, dir: &str, files: usize) {
    let name = Name::new(dir.as_bytes().to_vec()).unwrap();
    let way = vec![DirStep {
        id: NodeId(0),
        name,
    }];
    for from in (0..files).step_by(512) {
        let entries = page(from, 512.min(files - from));
        let slave = slave();
        let page = WalkPage {
            root: ROOT,
            walk: 0,
            dir: way.clone(),
            entries,
            looked: Vec::new(),
        };
        let merged = vfs.merge_page(&slave, page, None);
        merged.await.unwrap();
    }
}

#[divan::bench(args = [Durability::Full, Durability::Relaxed], sample_count = 3, sample_size = 1)]
fn adopt_100_000(bencher: Bencher<'_, '_>, durability: Durability) {
    bencher
        .with_inputs(|| TempDir::new().unwrap())
        .counter(ItemsCount::new(100_000_u64))
        .bench_local_values(|folder| {
            block_on(async {
                let (vfs, _down) = open(folder.path(), durability).await;
                for dir in 0..100 {
                    adopt(&vfs, &format!("dir-{dir}"), 1000).await;
                }
            })
            .unwrap();
            folder
        });
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn list_20_000(bencher: Bencher<'_, '_>) {
    let folder = TempDir::new().unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let local = LocalSet::new();
    let (vfs, dir, _down) = local.block_on(&runtime, async {
        let (vfs, down) = open(folder.path(), Durability::Relaxed).await;
        adopt(&vfs, "big", 20_000).await;
        let big = VfsPath::absolute(b"/big").unwrap();
        let dir = vfs.stat(&big).await.unwrap().id;
        (vfs, dir, down)
    });
    let list = || async {
        let (mut after, mut seen) = (None, 0);
        loop {
            let page = vfs.list(dir, after, 500).await.unwrap();
            seen += page.entries.len();
            after = page.next;
            if after.is_none() {
                return seen;
            }
        }
    };
    bencher
        .counter(ItemsCount::new(20_000_u64))
        .bench_local(|| assert_eq!(local.block_on(&runtime, list()), 20_000));
}
