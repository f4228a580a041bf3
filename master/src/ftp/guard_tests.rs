//! What guards give back when they are dropped, told by a scripted slave and a real file list.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use drftpd_protocol::wire::{
    AbortTransfer, Base, BeginTransfer, Begun, DataOpened, DataPath, EndedSeen, Family, Fault,
    FaultCode, Job, OpenData, Outcome, PeerRule, ReceiveJob, TransferEnded,
};
use drftpd_protocol::{OpSeq, RootId, SessionId, TransferId, VfsPath};
use futures_util::FutureExt;
use tokio::time::Instant;

use super::guard::{Cleanup, TransferGuard, UploadGuard};
use super::services::Services;
use super::testkit::{Site, bob};
use crate::accounts::earned::Earns;
use crate::accounts::ratio::Ratio;
use crate::slaves::testkit::{self, ScriptedSlave};
use crate::transfer::{Direction, Slot, Want};
use crate::vfs::{Entry, FileState, UploadMode, VfsError};

const SECOND: Duration = Duration::from_secs(1);
const ROOT: RootId = RootId([1; 16]);

struct Bench {
    site: Site,
    slave: ScriptedSlave,
    services: Rc<Services>,
    cleanup: Cleanup,
}

impl Bench {
    async fn new() -> Self {
        let site = Site::start(|_| {}).await;
        let mut hello = testkit::hello("a", &[1]);
        (hello.roots[0].total, hello.roots[0].free) = (1 << 40, 1 << 40);
        let slaves = &site.slaves;
        slaves.client.add(&testkit::slave("a"), true).await.unwrap();
        let slave = slaves.dial(hello).await.expect("a welcome");
        site.files.root("a", 1).await;
        Self {
            services: Rc::new(site.services.clone()),
            cleanup: Cleanup::default(),
            site,
            slave,
        }
    }

    fn path(&self) -> VfsPath {
        VfsPath::absolute(b"/f").unwrap()
    }

    async fn slot(&self) -> Slot {
        let want = Want {
            session: SessionId(1),
            path: self.path(),
            direction: Direction::Upload,
            roots: None,
            bytes: 0,
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            siblings: BTreeMap::new(),
        };
        self.services.transfers.hold(want).await.unwrap()
    }

    async fn guard(&self) -> TransferGuard {
        TransferGuard::new(&self.services, &self.cleanup, self.slot().await)
    }

    /// A guard whose channel is open on the slave.
    async fn open(&mut self) -> TransferGuard {
        let mut guard = self.guard().await;
        let path = DataPath::Listen {
            family: Family::V4,
            peers: PeerRule::Any,
        };
        let answers = async {
            let got = self.slave.call::<OpenData>().await;
            let opened = DataOpened {
                address: None,
                port: 4_000,
            };
            self.slave.answer(&got, &opened);
        };
        let (opened, ()) = tokio::join!(guard.open(path, SECOND, SECOND), answers);
        assert_eq!(opened.unwrap().port, 4_000);
        guard
    }

    /// An upload that the file list knows of, and the order for it.
    async fn upload(&self) -> (UploadGuard, Job) {
        let owner = bob();
        let (services, mode) = (&self.services, UploadMode::Store);
        let earns = Earns {
            account: owner.user.clone(),
            ratio: Ratio::LEECH,
            counts: true,
        };
        let to = (ROOT, earns);
        let begun = UploadGuard::begin(services, &self.cleanup, self.path(), mode, owner, to, 0);
        let (upload, guard) = begun.await.unwrap();
        let job = Job::Receive(ReceiveJob {
            root: ROOT,
            file: upload.file,
            base: Base::Empty,
            expected: 0,
            blake3: false,
            most: None,
        });
        (guard, job)
    }

    /// A guard whose upload runs.
    async fn begun(&mut self) -> TransferGuard {
        let mut guard = self.open().await;
        let (upload, job) = self.upload().await;
        let answers = async {
            let got = self.slave.call::<BeginTransfer>().await;
            self.slave.answer(&got, &Begun::of(0));
        };
        let begin = guard.begin((job, None), OpSeq::NONE, (SECOND, None), Some(upload));
        let (begun, ()) = tokio::join!(begin, answers);
        begun.unwrap();
        guard
    }

    /// The slave confirms that a transfer is aborted.
    async fn abort_comes(&mut self) -> TransferId {
        let got = self.slave.call::<AbortTransfer>().await;
        self.slave.answer(&got, &());
        got.call.transfer
    }

    fn tell_end(&self, transfer: TransferId, kept: Option<u64>) {
        self.slave.tell(&TransferEnded {
            transfer,
            upload: None,
            outcome: Outcome::Broken {
                fault: Fault::new(FaultCode::ABORTED, "scripted"),
                bytes: 3,
                kept,
            },
            took_ms: 1,
            tls: None,
            space: None,
        });
    }

    async fn entry(&self) -> Result<Entry, VfsError> {
        self.site.files.vfs.stat(&self.path()).await
    }

    async fn settled(&self) -> bool {
        self.cleanup.settled(60 * SECOND).await
    }
}

#[test]
fn a_slot_that_was_not_used_is_freed() {
    sim(async {
        let bench = Bench::new().await;
        // A session may have far fewer slots at once.
        for _ in 0..50 {
            drop(bench.guard().await);
            assert!(bench.settled().await);
        }
        assert!(bench.slave.is_quiet());
    });
}

#[test]
fn an_open_channel_is_closed_on_the_slave() {
    sim(async {
        let mut bench = Bench::new().await;
        let guard = bench.open().await;
        let transfer = guard.slot().unwrap().transfer;
        drop(guard);
        assert_eq!(bench.abort_comes().await, transfer);
        assert!(bench.settled().await);
    });
}

#[test]
fn a_running_upload_is_aborted_and_what_is_there_kept_for_a_resume() {
    sim(async {
        let mut bench = Bench::new().await;
        let guard = bench.begun().await;
        assert_eq!(bench.entry().await.unwrap().state, FileState::Uploading);
        drop(guard);
        let transfer = bench.abort_comes().await;
        bench.tell_end(transfer, Some(3));
        assert_eq!(bench.slave.notice::<EndedSeen>().await.transfer, transfer);
        assert!(bench.settled().await);
        let entry = bench.entry().await.unwrap();
        assert_eq!((entry.state, entry.size), (FileState::Partial, 3));
    });
}

#[test]
fn an_upload_of_which_nothing_came_is_no_entry() {
    sim(async {
        let mut bench = Bench::new().await;
        let guard = bench.begun().await;
        drop(guard);
        let transfer = bench.abort_comes().await;
        bench.tell_end(transfer, None);
        assert!(bench.settled().await);
        assert!(matches!(bench.entry().await, Err(VfsError::NotFound(_))));
    });
}

#[test]
fn an_order_that_is_cut_on_its_way_is_undone_when_it_has_been_carried_out() {
    sim(async {
        let mut bench = Bench::new().await;
        let mut guard = bench.open().await;
        let (upload, job) = bench.upload().await;
        let mut begin =
            Box::pin(guard.begin((job, None), OpSeq::NONE, (SECOND, None), Some(upload)));
        assert!((&mut begin).now_or_never().is_none());
        let got = bench.slave.call::<BeginTransfer>().await;
        drop(begin);
        drop(guard);
        settle().await;
        assert!(bench.slave.is_quiet());
        bench.slave.answer(&got, &Begun::of(0));
        let transfer = bench.abort_comes().await;
        bench.tell_end(transfer, None);
        assert!(bench.settled().await);
        assert!(matches!(bench.entry().await, Err(VfsError::NotFound(_))));
    });
}

#[test]
fn an_upload_that_the_slave_refuses_is_no_entry() {
    sim(async {
        let mut bench = Bench::new().await;
        let mut guard = bench.open().await;
        let (upload, job) = bench.upload().await;
        let answers = async {
            let got = bench.slave.call::<BeginTransfer>().await;
            bench.slave.fault(&got, FaultCode::NO_SPACE);
        };
        let begin = guard.begin((job, None), OpSeq::NONE, (SECOND, None), Some(upload));
        let (begun, ()) = tokio::join!(begin, answers);
        assert_eq!(begun.unwrap_err().reply().code(), 452);
        drop(guard);
        bench.abort_comes().await;
        assert!(bench.settled().await);
        assert!(matches!(bench.entry().await, Err(VfsError::NotFound(_))));
    });
}

#[test]
fn a_slave_that_says_nothing_is_not_waited_for_for_ever() {
    sim(async {
        let mut bench = Bench::new().await;
        let guard = bench.begun().await;
        let before = Instant::now();
        guard.undo().await;
        let limit = bench.services.config.abort_timeout;
        assert!(before.elapsed() <= 2 * limit, "{:?}", before.elapsed());
        bench.slave.call::<AbortTransfer>().await;
    });
}

#[test]
fn what_was_finished_is_left_alone() {
    sim(async {
        let mut bench = Bench::new().await;
        let mut guard = bench.begun().await;
        let transfer = guard.slot().unwrap().transfer;
        bench.tell_end(transfer, Some(3));
        guard.ended().await.unwrap();
        guard.finish();
        assert_eq!(bench.slave.notice::<EndedSeen>().await.transfer, transfer);
        assert!(bench.settled().await);
        assert!(bench.slave.is_quiet());
        // Whoever finishes has told the file list: nothing was settled here.
        assert_eq!(bench.entry().await.unwrap().state, FileState::Uploading);
    });
}
