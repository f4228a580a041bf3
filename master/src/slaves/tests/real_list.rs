//! The real slave over real TLS, with the real file list: what both sides say fits together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{Blocking, Clock, Dice, Drain, EventBus, Net, Place, TokioNet};
use drftpd_protocol::VfsPath;
use drftpd_slave::SlaveConfig;
use drftpd_slave::join::{JoinOrder, join};
use tokio::time::{Instant, sleep, timeout};

use crate::slaves::testkit::slave;
use crate::slaves::{Authority, Enroll, SlavesClient, SlavesConfig, SlavesDeps, start};
use crate::vfs::testkit::TestVfs;

/// A slow machine may take so long; a test that works does not.
const PATIENCE: Duration = Duration::from_secs(60);

struct Cluster {
    files: TestVfs,
    client: SlavesClient,
    net: Arc<dyn Net>,
    dir: tempfile::TempDir,
    parent: drftpd_actors::testkit::Probe<drftpd_actors::ChildDown>,
}

async fn cluster() -> Cluster {
    let (clock, dice) = (Clock::system(), Dice::system());
    let files = TestVfs::start(&clock).await;
    let authority = Arc::new(Authority::in_memory(clock.clone(), dice.clone()).unwrap());
    let (store, lifetime) = (files.store.clone(), Duration::from_secs(600));
    let enroll = Enroll::new(store, authority, clock.clone(), dice.clone(), lifetime);
    let net: Arc<dyn Net> = Arc::new(TokioNet::new());
    let parent = drftpd_actors::testkit::Probe::start();
    let deps = SlavesDeps {
        config: SlavesConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            heartbeat: Duration::from_millis(500),
            ..SlavesConfig::default()
        },
        net: Arc::clone(&net),
        files: Arc::new(files.vfs.clone()),
        enroll,
        certificates: None,
        identity: files.store.identity(),
        clock,
        dice,
        core: Place::here(),
        links: Place::here(),
        bus: EventBus::new(),
        drain: Drain::new(),
        parent: parent.recipient(),
    };
    Cluster {
        client: start(deps).await.unwrap(),
        files,
        net,
        dir: tempfile::tempdir().unwrap(),
        parent,
    }
}

struct Running {
    drain: Drain,
    ended: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.drain.begin(Duration::from_secs(1));
        timeout(PATIENCE, self.ended).await.unwrap().unwrap();
    }
}

impl Cluster {
    /// Joins and runs a slave over a folder with what is in it.
    async fn run_slave(&self, name: &str, root: &Path) -> Running {
        let token = self.client.add(&slave(name), false).await.unwrap();
        let config = self.dir.path().join(format!("{name}.toml"));
        let address = self.client.address().to_string();
        let order = JoinOrder {
            master: address.parse().unwrap(),
            token,
            roots: vec![root.to_owned()],
            config: config.clone(),
        };
        std::fs::create_dir_all(root).unwrap();
        let joined = join(&order, Arc::clone(&self.net), &Dice::system()).await;
        assert_eq!(joined.unwrap(), slave(name));
        self.run(&config)
    }

    fn run(&self, config: &Path) -> Running {
        let config = SlaveConfig::read(config).unwrap();
        let mut deps = drftpd_slave::Deps::real(Arc::clone(&self.net), Place::here(), 2);
        deps.blocking = Blocking::new(2);
        let drain = deps.drain.clone();
        let run = async move { drftpd_slave::run(config, deps).await.unwrap() };
        let ended = tokio::task::spawn_local(run);
        Running { drain, ended }
    }

    async fn online(&self, name: &str, is: bool) {
        let name = slave(name);
        let mut views = self.client.views();
        let seen = views.wait_for(|views| views.contains_key(&name) == is);
        timeout(PATIENCE, seen).await.unwrap().unwrap();
    }

    /// Waits until the whole tree has so many files.
    async fn has_files(&self, files: u64) {
        let begun = Instant::now();
        while self.files.vfs.stat(&VfsPath::root()).await.unwrap().files != files {
            assert!(begun.elapsed() < PATIENCE, "never {files} files");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn has_holders(&self, path: &str, holders: usize) {
        let begun = Instant::now();
        while self
            .files
            .vfs
            .readable(&at(path))
            .await
            .unwrap()
            .holders
            .len()
            != holders
        {
            assert!(begun.elapsed() < PATIENCE, "never {holders} holders");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stands(&self, path: &str) -> bool {
        self.files.vfs.stat(&at(path)).await.is_ok()
    }
}

fn at(path: &str) -> VfsPath {
    VfsPath::absolute(path.as_bytes()).unwrap()
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_slave_joins_its_files_are_adopted_and_its_disk_follows_the_list() {
    let test = async {
        let mut cluster = cluster().await;
        let root = cluster.dir.path().join("disk");
        write(&root, "music/one.mp3", b"one");
        write(&root, "music/two.mp3", b"two");
        write(&root, "readme", b"hello");
        let running = cluster.run_slave("a", &root).await;
        cluster.has_files(3).await;
        for path in ["/music/one.mp3", "/music/two.mp3", "/readme"] {
            assert!(cluster.stands(path).await, "{path}");
        }

        let vfs = &cluster.files.vfs;
        vfs.rename(&at("/music"), &at("/songs"), None, None)
            .await
            .unwrap();
        vfs.delete(&at("/readme"), None).await.unwrap();
        until("the disk follows", || {
            root.join("songs/one.mp3").exists() && !root.join("readme").exists()
        })
        .await;
        assert!(!root.join("music").exists());

        // What is decided while it is away is done before anything else when it is back.
        running.stop().await;
        cluster.online("a", false).await;
        vfs.delete(&at("/songs/one.mp3"), None).await.unwrap();
        let _running = cluster.run(&cluster.dir.path().join("a.toml"));
        until("the disk follows", || !root.join("songs/one.mp3").exists()).await;
        cluster.online("a", true).await;
        assert!(
            !cluster.stands("/songs/one.mp3").await,
            "deleted stays deleted"
        );
        assert!(cluster.stands("/songs/two.mp3").await);
        assert!(cluster.parent.drain().is_empty());
    };
    drftpd_actors::block_on(test).unwrap();
}

#[test]
fn two_disks_with_the_same_content_become_one_tree_and_different_files_are_kept() {
    let test = async {
        let cluster = cluster().await;
        let (one, two) = (cluster.dir.path().join("1"), cluster.dir.path().join("2"));
        for root in [&one, &two] {
            write(root, "d/same", b"equal bytes");
        }
        write(&one, "d/differs", b"AAAA");
        write(&two, "d/differs", b"BBBB");
        let _a = cluster.run_slave("a", &one).await;
        cluster.has_files(2).await;
        let _b = cluster.run_slave("b", &two).await;
        cluster.has_files(3).await;
        cluster.has_holders("/d/same", 2).await;
        let readable = cluster.files.vfs.readable(&at("/d/differs")).await.unwrap();
        assert_eq!(readable.holders.len(), 1);
        assert!(cluster.stands("/d/differs.conflict-b").await);
        until("the other one is kept beside", || {
            two.join("d/differs.conflict-b").exists()
        })
        .await;
    };
    drftpd_actors::block_on(test).unwrap();
}

/// How long a hundred thousand files take: `cargo test -- --ignored --nocapture hundred`.
#[test]
#[ignore = "a measurement"]
fn a_hundred_thousand_files_are_merged_in_fifteen_seconds() {
    let test = async {
        let cluster = cluster().await;
        let root = cluster.dir.path().join("disk");
        for n in 0..100_000 {
            write(&root, &format!("d{}/f{n}", n / 1000), b"");
        }
        let begun = Instant::now();
        let _running = cluster.run_slave("a", &root).await;
        cluster.has_files(100_000).await;
        let first = begun.elapsed();
        let heads = cluster.files.vfs.ops_heads().all();
        let (root_id, head) = heads.iter().next().unwrap();
        while cluster
            .files
            .vfs
            .root_shown(*root_id, &slave("a"))
            .await
            .unwrap()
            < *head
        {
            sleep(Duration::from_millis(50)).await;
        }
        println!("identified after {:?}", begun.elapsed());
        cluster.client.walk_again(&slave("a"), None).unwrap();
        let begun = Instant::now();
        let mut views = cluster.client.views();
        for runs in [true, false] {
            let seen = views.wait_for(|views| views[&slave("a")].remerging == runs);
            timeout(PATIENCE, seen).await.unwrap().unwrap();
        }
        println!("first walk {first:?}, second {:?}", begun.elapsed());
        assert!(cluster.stands("/d99/f99999").await);
        let limit = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 15 });
        assert!(first < limit && begun.elapsed() < limit);
    };
    drftpd_actors::block_on(test).unwrap();
}
