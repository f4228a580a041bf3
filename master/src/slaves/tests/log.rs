//! A root's log of operations: in order, before everything else, until it is done.

use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use drftpd_protocol::wire::{
    ApplyOps, DirStep, FaultCode, MAX_FRAME, Moved, OpsApplied, Place, RootOp, WalkRoot, encode,
};
use drftpd_protocol::{FileId, Generation, Name, NodeId, OpSeq};
use tokio::time::sleep;

use crate::slaves::SlavesConfig;
use crate::slaves::testkit::{Got, Rig, ScriptedSlave, Told, root};

fn file(node: u64) -> FileId {
    FileId {
        node: NodeId(node),
        generation: Generation(1),
    }
}

fn discard(node: u64) -> RootOp {
    RootOp::DiscardStaged { file: file(node) }
}

fn long_move() -> RootOp {
    let dirs = (0..16).map(|at| DirStep {
        id: NodeId(at),
        name: Name::new(vec![b'x'; 250]).unwrap(),
    });
    let place = Place {
        dirs: dirs.collect(),
        name: Name::new(&b"f"[..]).unwrap(),
    };
    RootOp::Move {
        what: Moved::File(file(1)),
        from: place.clone(),
        to: place,
    }
}

fn seqs(got: &Got<ApplyOps>) -> Vec<u64> {
    got.call.ops.iter().map(|(seq, _)| seq.0).collect()
}

fn applied(link: &ScriptedSlave, got: &Got<ApplyOps>, through: u64) {
    let answer = OpsApplied {
        through: OpSeq(through),
        remarks: vec![(OpSeq(through), "scripted".to_owned())],
    };
    link.answer(got, &answer);
}

#[test]
fn a_returning_slave_does_its_log_before_it_walks() {
    sim(async {
        let rig = Rig::with(SlavesConfig::default()).await;
        for node in 1..=300 {
            rig.files.push(root(1), discard(node));
        }
        let mut link = rig.slave("a", &[1]).await;
        let first = link.call::<ApplyOps>().await;
        assert_eq!(seqs(&first), (1..=256).collect::<Vec<_>>());
        settle().await;
        assert!(link.is_quiet(), "one batch at a time, and no walk yet");
        applied(&link, &first, 256);
        let second = link.call::<ApplyOps>().await;
        assert_eq!(seqs(&second), (257..=300).collect::<Vec<_>>());
        applied(&link, &second, 300);
        link.call::<WalkRoot>().await;
        let told = rig.files.told();
        let (shown, done) = (Told::Shown(root(1)), |seq| Told::Done(root(1), OpSeq(seq)));
        assert_eq!(told, [shown, done(256), done(300)]);
    });
}

#[test]
fn an_operation_is_sent_as_it_comes() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1, 2]).await;
        settle().await;
        for seq in 1..=3 {
            rig.files.push(root(1), discard(seq));
            let got = link.call::<ApplyOps>().await;
            assert_eq!((got.call.root, seqs(&got)), (root(1), vec![seq]));
            applied(&link, &got, seq);
            settle().await;
        }
        rig.files.push(root(3), discard(1));
        settle().await;
        assert!(link.is_quiet(), "a root of another slave");
    });
}

#[test]
fn a_batch_that_fails_or_is_done_in_part_is_sent_again_from_where_it_stands() {
    sim(async {
        let rig = Rig::new().await;
        for node in 1..=4 {
            rig.files.push(root(1), discard(node));
        }
        let mut link = rig.slave("a", &[1]).await;
        let got = link.call::<ApplyOps>().await;
        link.fault(&got, FaultCode::DISK);
        let got = link.call::<ApplyOps>().await;
        assert_eq!(seqs(&got), [1, 2, 3, 4]);
        applied(&link, &got, 2);
        let got = link.call::<ApplyOps>().await;
        assert_eq!(seqs(&got), [3, 4]);
        applied(&link, &got, 0);
        let got = link.call::<ApplyOps>().await;
        assert_eq!(seqs(&got), [3, 4]);
        applied(&link, &got, 999);
        settle().await;
        let last = rig.files.told().pop();
        assert_eq!(
            last,
            Some(Told::Done(root(1), OpSeq(4))),
            "no further than sent"
        );
    });
}

#[test]
fn a_store_that_fails_for_a_while_does_not_stop_the_log() {
    sim(async {
        let rig = Rig::new().await;
        rig.files.fail(3);
        rig.files.push(root(1), discard(1));
        let mut link = rig.slave("a", &[1]).await;
        let got = link.call::<ApplyOps>().await;
        applied(&link, &got, 1);
        settle().await;
        assert_eq!(rig.files.told().len(), 2);
    });
}

#[test]
fn what_was_not_acknowledged_is_sent_again_on_the_next_link() {
    sim(async {
        let rig = Rig::new().await;
        rig.files.push(root(1), discard(1));
        let mut link = rig.slave("a", &[1]).await;
        link.call::<ApplyOps>().await;
        drop(link);
        rig.until(|views| views.is_empty()).await;
        let mut link = rig.slave("a", &[1]).await;
        let got = link.call::<ApplyOps>().await;
        assert_eq!(seqs(&got), [1]);
        applied(&link, &got, 1);
        sleep(Duration::from_secs(300)).await;
        assert!(link.is_quiet());
    });
}

#[test]
fn a_batch_is_never_more_than_a_frame() {
    sim(async {
        let rig = Rig::new().await;
        for _ in 1..=256 {
            rig.files.push(root(1), long_move());
        }
        let mut link = rig.slave("a", &[1]).await;
        let (mut next, mut batches) = (1, 0);
        while next <= 256 {
            let got = link.call::<ApplyOps>().await;
            assert!(encode(&got.call).unwrap().len() < MAX_FRAME);
            let seqs = seqs(&got);
            assert_eq!(seqs[0], next);
            let last = *seqs.last().unwrap();
            applied(&link, &got, last);
            (next, batches) = (last + 1, batches + 1);
        }
        assert!(batches > 1);
    });
}
