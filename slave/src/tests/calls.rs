//! Calls: those that make no sense, operations in order, walks.

use std::path::Path;

use drftpd_protocol::wire::{
    ApplyOps, Envelope, Fault, FaultCode, Ping, Place, Pong, RootOp, WalkCredit, WalkDone,
    WalkPage, WalkRoot, WalkStarted, kinds,
};
use drftpd_protocol::{FileId, Generation, Name, NodeId, OpSeq, RootId};

use super::with_slave;
use crate::testkit::{EPOCH, Talk};

fn file(number: u64) -> FileId {
    FileId {
        node: NodeId(number),
        generation: Generation(1),
    }
}

fn at(name: &str) -> Place {
    Place {
        dirs: Vec::new(),
        name: Name::new(name.as_bytes().to_vec()).expect("a name"),
    }
}

/// Gives a file that lies there its identity.
fn identify(number: u64, name: &str, size: u64) -> RootOp {
    RootOp::Identify {
        file: file(number),
        at: at(name),
        size,
    }
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join("root-0").join(name), bytes).expect("writes");
}

async fn fault_of(talk: &mut Talk, call: u32) -> Fault {
    let frame = talk.answer_of(call).await;
    assert_eq!(frame.kind, kinds::FAULT);
    frame.open().expect("a fault")
}

#[test]
fn an_unknown_kind_and_a_bad_body_are_refused_and_the_link_lives() {
    with_slave(1, |master, slave| async move {
        slave.start();
        let (mut talk, _) = master.welcome().await;
        let unknown = Envelope::new(1001, 0x01F7, &Ping {}).unwrap();
        talk.send(unknown.of(EPOCH)).await;
        let fault = fault_of(&mut talk, 1001).await;
        assert_eq!(fault.code, FaultCode::UNKNOWN_KIND);
        let bad = Envelope::new(1002, kinds::APPLY_OPS, &"a text").unwrap();
        talk.send(bad.of(EPOCH)).await;
        let fault = fault_of(&mut talk, 1002).await;
        assert_eq!(fault.code, FaultCode::BAD_REQUEST);
        assert_eq!(talk.call(&Ping {}).await, Ok(Pong {}));
    });
}

#[test]
fn a_root_that_is_not_here_is_said_so() {
    with_slave(1, |master, slave| async move {
        slave.start();
        let (mut talk, _) = master.welcome().await;
        let root = RootId([9; 16]);
        let ops = ApplyOps { root, ops: vec![] };
        let fault = talk.call(&ops).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::NO_SUCH_ROOT);
    });
}

#[test]
fn operations_are_done_in_order_also_when_they_are_sent_at_once() {
    with_slave(1, |master, slave| async move {
        put(slave.folder(), "a", b"hello");
        slave.start();
        let (mut talk, hello) = master.welcome().await;
        let root = hello.roots[0].root;
        let batch = |seq: u64, op| ApplyOps {
            root,
            ops: vec![(OpSeq(seq), op)],
        };
        let move_to = |from: &str, to: &str| RootOp::Move {
            what: drftpd_protocol::wire::Moved::File(file(1)),
            from: at(from),
            to: at(to),
        };
        let calls = [
            talk.begin(&batch(1, identify(1, "a", 5))).await,
            talk.begin(&batch(2, move_to("a", "b"))).await,
            talk.begin(&batch(3, move_to("b", "c"))).await,
        ];
        for (call, through) in calls.into_iter().zip(1..) {
            let done = talk.answer::<ApplyOps>(call).await.expect("is done");
            assert_eq!((done.through, done.remarks), (OpSeq(through), vec![]));
        }
        let moved = std::fs::read(slave.folder().join("root-0/c")).expect("it is there");
        assert_eq!(moved, b"hello");
    });
}

#[test]
fn a_root_is_walked_on_credit_and_its_end_is_told() {
    with_slave(1, |master, slave| async move {
        for dir in ["one", "two", "three"] {
            std::fs::create_dir(slave.folder().join("root-0").join(dir)).expect("makes");
            put(slave.folder(), &format!("{dir}/file"), b"x");
        }
        slave.start();
        let (mut talk, hello) = master.welcome().await;
        let root = hello.roots[0].root;
        let walk = WalkRoot {
            root,
            walk: 1,
            credit: 1,
            digests: false,
            parts: Vec::new(),
        };
        assert_eq!(talk.call(&walk).await, Ok(WalkStarted::default()));
        let top: WalkPage = talk.notice().await;
        assert_eq!(top.entries.len(), 3);
        let mut files = 0;
        for _ in 0..3 {
            talk.notify(&WalkCredit::of_pages(root, 1, 1)).await;
            let page: WalkPage = talk.notice().await;
            files += page.entries.len();
        }
        talk.notify(&WalkCredit::of_pages(root, 1, 1)).await;
        let done: WalkDone = talk.notice().await;
        assert_eq!(
            (files, done.dirs, done.files, done.complete),
            (3, 3, 3, true)
        );
    });
}
