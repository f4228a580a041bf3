//! The worker with a disk that a test breaks and mends.

use std::sync::Mutex;
use std::time::Duration;

use actix::Addr;
use drftpd_actors::testkit::{Probe, settle, sim};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Place, supervise};
use drftpd_protocol::wire::RootOp;
use drftpd_protocol::{FileId, Generation, NodeId};

use super::*;

const ROOT: RootId = RootId([1; 16]);

/// A disk: which files were touched, in order, and which one it refuses.
#[derive(Default)]
struct Disk {
    done: Vec<u64>,
    refuses: Option<u64>,
    panics: Option<u64>,
}

struct Bench {
    disk: Arc<Mutex<Disk>>,
    worker: Addr<RootWorker>,
    applied: Applied,
    _parent: Probe<ChildDown>,
}

impl Bench {
    fn new() -> Self {
        let disk = Arc::new(Mutex::new(Disk::default()));
        let applied = Applied::default();
        let deps = WorkerDeps {
            root: ROOT,
            apply: apply(Arc::clone(&disk)),
            applied: applied.clone(),
            blocking: Blocking::inline(),
        };
        let parent = Probe::start();
        let spec = ChildSpec::new("worker", 8, Budget::CORE, parent.recipient());
        let worker = supervise(&Place::here(), spec, || RootWorker::new(deps));
        Bench {
            disk,
            worker,
            applied,
            _parent: parent,
        }
    }

    fn send(&self, link: u64, seqs: &[u64]) -> oneshot::Receiver<Result<OpsApplied, Fault>> {
        let (answer, done) = oneshot::channel();
        let batch = seqs.iter().map(|seq| (OpSeq(*seq), op(*seq))).collect();
        tell(
            &self.worker,
            Apply {
                link,
                batch,
                answer,
            },
        );
        done
    }

    fn done(&self) -> Vec<u64> {
        self.disk.lock().unwrap().done.clone()
    }
}

fn op(seq: u64) -> RootOp {
    let file = FileId {
        node: NodeId(seq),
        generation: Generation(1),
    };
    RootOp::DiscardStaged { file }
}

fn apply(disk: Arc<Mutex<Disk>>) -> ApplyBatch {
    Arc::new(move |batch| {
        let mut worked = Worked {
            through: None,
            remarks: Vec::new(),
            failed: None,
        };
        for (seq, _) in batch {
            let mut disk = disk.lock().unwrap();
            if disk.refuses == Some(seq.0) {
                worked.failed = Some((*seq, Fault::new(FaultCode::DISK, "the disk is broken")));
                break;
            }
            disk.done.push(seq.0);
            let panics = disk.panics == Some(seq.0);
            drop(disk);
            assert!(!panics, "on purpose");
            worked.through = Some(*seq);
            if seq.0 % 10 == 0 {
                worked.remarks.push((*seq, "was not there".to_owned()));
            }
        }
        worked
    })
}

#[test]
fn operations_are_done_in_order_and_each_is_known_as_applied() {
    sim(async {
        let bench = Bench::new();
        let (first, second) = (bench.send(1, &[9, 10]), bench.send(1, &[11]));
        let told = first.await.unwrap().unwrap();
        assert_eq!(told.through, OpSeq(10));
        assert_eq!(told.remarks, [(OpSeq(10), "was not there".to_owned())]);
        assert_eq!(second.await.unwrap().unwrap().through, OpSeq(11));
        assert_eq!(bench.done(), [9, 10, 11]);
        assert_eq!(bench.applied.of(ROOT), OpSeq(11));
    });
}

#[test]
fn batches_behind_a_failed_operation_wait_until_it_is_sent_again() {
    sim(async {
        let bench = Bench::new();
        bench.disk.lock().unwrap().refuses = Some(2);
        let (first, second) = (bench.send(1, &[1, 2, 3]), bench.send(1, &[4]));
        let told = first.await.unwrap().unwrap();
        assert_eq!((told.through, told.remarks.len()), (OpSeq(1), 1));
        assert_eq!(second.await.unwrap().unwrap_err().code, FaultCode::BUSY);
        let again = bench.send(1, &[2, 3, 4]).await.unwrap();
        assert_eq!(again.unwrap_err().code, FaultCode::DISK);
        assert_eq!(bench.applied.of(ROOT), OpSeq(1));
        bench.disk.lock().unwrap().refuses = None;
        let mended = bench.send(1, &[2, 3, 4]).await.unwrap().unwrap();
        assert_eq!(mended.through, OpSeq(4));
        assert_eq!(bench.done(), [1, 2, 3, 4]);
    });
}

#[test]
fn a_batch_of_a_link_that_was_lost_is_not_begun() {
    sim(async {
        let bench = Bench::new();
        drop(bench.send(1, &[1]));
        let told = bench.send(2, &[1, 2]).await.unwrap().unwrap();
        assert_eq!(told.through, OpSeq(2));
        assert_eq!(bench.done(), [1, 2]);
    });
}

#[test]
fn a_panic_on_the_disk_is_a_fault_and_the_worker_goes_on() {
    sim(async {
        let bench = Bench::new();
        bench.disk.lock().unwrap().panics = Some(1);
        let fault = bench.send(1, &[1]).await.unwrap().unwrap_err();
        assert_eq!(fault.code, FaultCode::FAILED);
        let behind = bench.send(1, &[2]).await.unwrap().unwrap_err();
        assert_eq!(behind.code, FaultCode::BUSY);
        bench.disk.lock().unwrap().panics = None;
        let told = bench.send(1, &[1]).await.unwrap().unwrap();
        assert_eq!(told.through, OpSeq(1));
        tell(&bench.worker, StopWorker);
        settle().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(bench.send(1, &[2]).await.is_err(), "it has stopped");
    });
}
