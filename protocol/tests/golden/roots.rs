//! What roots are told and what they tell: operations, walks, being alive.

use drftpd_protocol::wire::{
    Alive, ApplyOps, DirDigest, Moved, OpsApplied, RootChanged, RootOp, StagedEntry, WalkCredit,
    WalkDigests, WalkDone, WalkEntry, WalkNode, WalkPage, WalkPart, WalkStaged,
};
use drftpd_protocol::{NodeId, OpSeq};

use super::Seen;
use super::samples::{FILE, ROOT, dir, name, place, root_status};

pub fn operations(seen: &mut Seen) {
    let ops = vec![
        RootOp::Publish {
            file: FILE,
            at: place(),
        },
        RootOp::Delete {
            file: FILE,
            at: place(),
        },
        RootOp::Move {
            what: Moved::File(FILE),
            from: place(),
            to: place(),
        },
        RootOp::Move {
            what: Moved::Dir(NodeId(77)),
            from: place(),
            to: place(),
        },
        RootOp::RemoveDir {
            dir: NodeId(77),
            at: place(),
        },
        RootOp::SetTime {
            file: FILE,
            at: place(),
            modified: -1,
        },
        RootOp::Identify {
            file: FILE,
            at: place(),
            size: 9,
        },
        RootOp::KeepBeside {
            file: FILE,
            from: place(),
            to: place(),
            size: 9,
        },
        RootOp::SetAside {
            file: FILE,
            at: place(),
        },
        RootOp::DiscardStaged { file: FILE },
        RootOp::SetAsideStaged { file: FILE },
    ];
    let ops = ops
        .into_iter()
        .zip(1..)
        .map(|(op, seq)| (OpSeq(seq), op))
        .collect();
    seen.call(
        "apply-ops",
        &ApplyOps { root: ROOT, ops },
        &OpsApplied {
            through: OpSeq(10),
            remarks: vec![(OpSeq(2), "was gone".into())],
        },
    );
}

/// Operations that only shared roots are told.
pub fn shared_operations(seen: &mut Seen) {
    let (what, at) = (Moved::File(FILE), place());
    let ops = vec![(OpSeq(1), RootOp::Disown { what, at })];
    seen.call(
        "apply-ops-shared",
        &ApplyOps { root: ROOT, ops },
        &OpsApplied {
            through: OpSeq(1),
            remarks: Vec::new(),
        },
    );
}

pub fn walks(seen: &mut Seen) {
    let entry = |node| WalkEntry {
        name: name("x"),
        node,
        modified: 1_800_000_000,
    };
    let file = WalkNode::File {
        size: 9,
        file: Some(FILE),
        crc32: Some(1),
        blake3: None,
        edited: false,
        busy: false,
    };
    let found = WalkNode::File {
        size: 9,
        file: None,
        crc32: None,
        blake3: None,
        edited: false,
        busy: false,
    };
    seen.notice(
        "walk-page",
        &WalkPage {
            root: ROOT,
            walk: 2,
            dir: vec![dir()],
            entries: vec![
                entry(WalkNode::Dir { id: None }),
                entry(file.clone()),
                entry(found),
            ],
            looked: Vec::new(),
        },
    );
    seen.notice(
        "walk-page-looked",
        &WalkPage {
            root: ROOT,
            walk: 2,
            dir: vec![dir()],
            entries: vec![entry(file)],
            looked: vec![name("x"), name("gone")],
        },
    );
    let shared = WalkNode::File {
        size: 9,
        file: Some(FILE),
        crc32: None,
        blake3: None,
        edited: true,
        busy: true,
    };
    seen.notice(
        "walk-page-shared",
        &WalkPage {
            root: ROOT,
            walk: 2,
            dir: Vec::new(),
            entries: vec![entry(shared)],
            looked: Vec::new(),
        },
    );
    seen.notice(
        "root-changed",
        &RootChanged {
            root: ROOT,
            parts: vec![WalkPart {
                way: vec![name("dir")],
                names: vec![name("x")],
            }],
        },
    );
    seen.notice(
        "walk-staged",
        &WalkStaged {
            root: ROOT,
            walk: 2,
            files: vec![StagedEntry {
                file: FILE,
                size: 9,
                prepared: Some(1),
            }],
        },
    );
    seen.notice(
        "walk-done",
        &WalkDone {
            root: ROOT,
            walk: 2,
            dirs: 1,
            files: 2,
            problems: vec!["a fifo".into()],
            complete: true,
            running: vec![FILE],
        },
    );
    seen.notice(
        "alive",
        &Alive {
            roots: vec![root_status()],
            transfers: 1,
            receiving: 2,
            sending: 3,
        },
    );
    seen.order(
        "walk-credit",
        &WalkCredit {
            root: ROOT,
            walk: 2,
            pages: 4,
            judged: 0,
            list: Vec::new(),
        },
    );
    seen.order(
        "walk-credit-judged",
        &WalkCredit {
            root: ROOT,
            walk: 2,
            pages: 1,
            judged: 9,
            list: vec![7, 9],
        },
    );
    seen.notice(
        "walk-digests",
        &WalkDigests {
            root: ROOT,
            walk: 2,
            dirs: vec![
                DirDigest {
                    number: 8,
                    dir: NodeId(77),
                    above: NodeId::ROOT,
                    name: Some(name("x")),
                    sum: [0xAB; 16],
                    applied: OpSeq(3),
                },
                DirDigest {
                    number: 9,
                    dir: NodeId::ROOT,
                    above: NodeId::ROOT,
                    name: None,
                    sum: [0; 16],
                    applied: OpSeq(3),
                },
            ],
        },
    );
}
