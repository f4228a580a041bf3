//! The scrubber with a slave that the test holds in its hand.

use std::time::Duration;

use drftpd_actors::testkit::{Probe, settle, sim};
use drftpd_actors::{ChildDown, EventBus, Place};
use drftpd_protocol::wire::{Call, FaultCode, Reread, RereadDone, StopReread, WalkRoot};
use drftpd_protocol::{FileId, RootId, VfsPath};

use super::*;
use crate::events::CopyDamaged;
use crate::slaves::testkit::{Got, Rig, ScriptedSlave};
use crate::vfs::scrub::Scope;
use crate::vfs::testkit::TestVfs;
use crate::vfs::{Owner, PreparedBytes, UploadMode};

const SIZE: u64 = 10;
const CRC: u32 = 0xC0FFEE;

/// A master's scrubber, and the one root of slave `a`.
struct Bench {
    rig: Rig,
    files: TestVfs,
    root: RootId,
    scrub: ScrubClient,
    damaged: Probe<CopyDamaged>,
    _down: Probe<ChildDown>,
}

impl Bench {
    async fn new(config: ScrubConfig) -> Self {
        let rig = Rig::new().await;
        let files = TestVfs::start(&rig.clock).await;
        let root = files.root("a", 1).await;
        let (bus, damaged, down) = (EventBus::new(), Probe::start(), Probe::start());
        bus.subscribe::<CopyDamaged>("test", damaged.recipient());
        let deps = ScrubDeps {
            config,
            blake3: false,
            vfs: files.vfs.clone(),
            slaves: rig.client.clone(),
            bus,
            clock: rig.clock.clone(),
            drain: rig.drain.clone(),
        };
        Self {
            scrub: start(&Place::here(), deps, down.recipient()),
            rig,
            files,
            root,
            damaged,
            _down: down,
        }
    }

    async fn put(&self, at: &str) -> FileId {
        let vfs = &self.files.vfs;
        let owner = Owner {
            user: "ann".into(),
            group: "users".into(),
        };
        let at = path(at);
        let begun = vfs.begin_upload(&at, UploadMode::Store, owner, self.root);
        let file = begun.await.unwrap().file;
        let bytes = PreparedBytes {
            size: SIZE,
            crc32: CRC,
            blake3: None,
            received: SIZE,
        };
        vfs.commit_upload(file, self.root, bytes).await.unwrap();
        file
    }

    /// Begins to read everything.
    async fn begin(&self) {
        let vfs = &self.files.vfs;
        vfs.begin_passes(Scope::Everything).await.unwrap();
        self.scrub.look();
    }

    async fn is_good(&self, file: FileId) -> bool {
        let copied = self.files.vfs.copied(file.node).await.unwrap().unwrap();
        !copied.holders.is_empty()
    }

    /// Waits until nothing is under way.
    async fn is_over(&self) {
        let vfs = &self.files.vfs;
        while vfs.next_pass(self.root).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

fn by_hand() -> ScrubConfig {
    ScrubConfig {
        automatic: false,
        ..ScrubConfig::default()
    }
}

fn read(slave: &ScriptedSlave, got: &Got<Reread>, crc32: u32) {
    let done = RereadDone {
        size: SIZE,
        crc32,
        blake3: None,
    };
    slave.answer(got, &done);
}

#[test]
fn what_is_read_wrong_is_read_twice_before_it_counts() {
    sim(async {
        let mut bench = Bench::new(by_hand()).await;
        let (first, second) = (bench.put("/first").await, bench.put("/second").await);
        let mut slave = bench.rig.slave("a", &[1]).await;
        bench.begin().await;
        for (file, sums) in [(first, [1, CRC]), (second, [1, 2])] {
            for crc32 in sums {
                let got = slave.call::<Reread>().await;
                assert_eq!((got.call.root, got.call.file), (bench.root, file));
                assert_eq!((got.call.max_rate, got.call.busy_rate), (16 << 20, 1 << 20));
                read(&slave, &got, crc32);
            }
        }
        let told = bench.damaged.next().await;
        assert_eq!((told.path, told.good_elsewhere), (path("/second"), false));
        bench.is_over().await;
        assert!(bench.is_good(first).await && !bench.is_good(second).await);
        assert!(bench.damaged.is_empty() && slave.is_quiet());
    });
}

#[test]
fn a_disk_that_cannot_be_read_at_all_damages_no_file() {
    sim(async {
        let bench = Bench::new(by_hand()).await;
        let mut files = Vec::new();
        for n in 0..20 {
            files.push(bench.put(&format!("/{n}")).await);
        }
        let mut slave = bench.rig.slave("a", &[1]).await;
        bench.begin().await;
        let got = slave.call::<Reread>().await;
        read(&slave, &got, CRC);
        for n in 0..2 * 16 {
            let got = slave.call::<Reread>().await;
            assert_eq!(got.call.file, files[1 + n / 2]);
            slave.fault(&got, FaultCode::DISK);
        }
        settle().await;
        let now = bench.scrub.now();
        let waits = now.get(&bench.root);
        assert!(matches!(waits, Some(Now::Waits(why)) if why.contains("16 files")));
        for file in &files {
            assert!(bench.is_good(*file).await);
        }
        // It is tried again where it was, and one bad file is one.
        let bad = slave.call::<Reread>().await;
        assert_eq!(bad.call.file, files[1]);
        slave.fault(&bad, FaultCode::DISK);
        let bad = slave.call::<Reread>().await;
        slave.fault(&bad, FaultCode::DISK);
        for _ in 2..20 {
            let got = slave.call::<Reread>().await;
            read(&slave, &got, CRC);
        }
        bench.is_over().await;
        assert!(!bench.is_good(files[1]).await && bench.is_good(files[2]).await);
    });
}

#[test]
fn a_pause_stops_the_slave_and_what_was_being_read_is_read_again() {
    sim(async {
        let bench = Bench::new(by_hand()).await;
        let file = bench.put("/file").await;
        let mut slave = bench.rig.slave("a", &[1]).await;
        bench.begin().await;
        let got = slave.call::<Reread>().await;
        assert_eq!(
            bench.scrub.now().get(&bench.root),
            Some(&Now::Reads(path("/file")))
        );
        bench.files.vfs.pause_scrub(true).await.unwrap();
        bench.scrub.look();
        let stop = slave.call::<StopReread>().await;
        assert_eq!(stop.call.root, bench.root);
        slave.answer(&stop, &());
        slave.fault(&got, FaultCode::ABORTED);
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert!(slave.is_quiet() && bench.scrub.now().is_empty());
        bench.files.vfs.pause_scrub(false).await.unwrap();
        bench.scrub.look();
        let got = slave.call::<Reread>().await;
        assert_eq!(got.call.file, file);
        read(&slave, &got, CRC);
        bench.is_over().await;
    });
}

#[test]
fn a_copy_that_is_not_where_it_should_be_is_left_to_one_walk() {
    sim(async {
        let bench = Bench::new(by_hand()).await;
        let files = [bench.put("/1").await, bench.put("/2").await];
        let mut slave = bench.rig.slave("a", &[1]).await;
        bench.begin().await;
        let (mut reads, mut walks) = (Vec::new(), 0);
        while reads.len() < 4 || walks < 1 {
            let frame = slave.frame().await;
            if frame.kind == WalkRoot::KIND {
                walks += 1;
                continue;
            }
            assert_eq!(frame.kind, Reread::KIND);
            let call: Reread = frame.open().unwrap();
            reads.push(call.file);
            let code = match reads.len() {
                1 | 2 => FaultCode::NO_SUCH_FILE,
                3 => FaultCode::OTHER_IDENTITY,
                _ => FaultCode::BAD_PLACE,
            };
            let number = frame.call;
            slave.fault(&Got { number, call }, code);
        }
        assert_eq!(reads, [files[0], files[0], files[1], files[1]]);
        bench.is_over().await;
        assert!(slave.is_quiet());
        assert!(bench.is_good(files[0]).await && bench.is_good(files[1]).await);
    });
}

#[test]
fn a_root_is_read_by_itself_when_its_time_has_come_and_its_slave_is_there() {
    sim(async {
        let bench = Bench::new(ScrubConfig::default()).await;
        let file = bench.put("/file").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        bench.rig.clock.advance(Duration::from_secs(29 * 86_400));
        let mut slave = bench.rig.slave("a", &[1]).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(slave.is_quiet());
        bench.rig.clock.advance(Duration::from_secs(86_400));
        let got = slave.call::<Reread>().await;
        assert_eq!(got.call.file, file);
        drop(slave);
        let mut slave = bench.rig.slave("a", &[1]).await;
        let got = slave.call::<Reread>().await;
        read(&slave, &got, CRC);
        bench.is_over().await;
    });
}
