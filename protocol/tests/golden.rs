//! Every kind of message against bytes that are committed: to change one is a visible act.
//!
//! `DRFTPD_GOLDEN=write cargo test -p drftpd-protocol --test golden` writes files that are
//! missing; it never changes one.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;

use drftpd_protocol::wire::{
    AbortTransfer, Algorithm, Alive, ApplyOps, Base, BeginTransfer, Begun, Call, Checksum,
    ChecksumDone, DataOpened, DataPath, DataTls, Der, DirStep, EndedSeen, Envelope, Family, Fault,
    FaultCode, FtpCertificate, Goodbye, Hello, Job, Join, Joined, MasterNotice, Moved, Notice,
    OpenData, OpsApplied, Outcome, PeerRule, Ping, Place, Pong, Progress, ReceiveJob, Refused,
    RelayToken, Resumption, RootOp, RootState, RootStatus, SendJob, StagedEntry, TicketKey,
    TlsPeer, TlsSeen, TransferEnded, TransferProgress, WalkCredit, WalkDone, WalkEntry, WalkNode,
    WalkPage, WalkRoot, WalkStaged, WalkStarted, Welcome, decode, encode, kinds,
};
use drftpd_protocol::{
    Epoch, FileId, Generation, Name, NodeId, OpSeq, RootId, SlaveId, StoreId, TransferId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const ROOT: RootId = RootId([0x11; 16]);
const STORE: StoreId = StoreId([0x22; 16]);
const FILE: FileId = FileId {
    node: NodeId(0x1234_5678_9abc),
    generation: Generation(2),
};
const OLD: FileId = FileId {
    node: NodeId(0x1234_5678_9abc),
    generation: Generation(1),
};

fn name(text: &str) -> Name {
    Name::new(text.as_bytes().to_vec()).expect("a name")
}

fn dir() -> DirStep {
    DirStep {
        id: NodeId(77),
        name: name("dir"),
    }
}

fn place() -> Place {
    Place {
        dirs: vec![dir()],
        name: name("a file"),
    }
}

fn root_status() -> RootStatus {
    RootStatus {
        root: ROOT,
        path: "/srv/disk1".into(),
        state: RootState::Present,
        total: 1 << 40,
        free: 1 << 39,
        filesystem: 2049,
    }
}

/// Compares one message with its file, and reads the file back.
fn golden<M: Serialize + DeserializeOwned + PartialEq + Debug>(
    seen: &mut Seen,
    what: &str,
    message: &M,
) {
    let bytes = encode(message).expect("encodes");
    let hex = bytes.chunks(32).fold(String::new(), |mut text, line| {
        line.iter()
            .for_each(|byte| write!(text, "{byte:02x}").expect("writes"));
        text + "\n"
    });
    let file = folder().join(format!("{what}.hex"));
    if !file.exists() && std::env::var_os("DRFTPD_GOLDEN").is_some() {
        std::fs::write(&file, &hex).expect("writes the golden file");
    }
    let kept =
        std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{} is missing", file.display()));
    assert_eq!(
        kept, hex,
        "the bytes of {what} changed: old peers would not understand them"
    );
    assert_eq!(
        decode::<M>(&unhex(&kept)).expect("decodes"),
        *message,
        "{what}"
    );
    seen.files.insert(format!("{what}.hex"));
}

#[derive(Default)]
struct Seen {
    files: BTreeSet<String>,
    kinds: BTreeSet<u16>,
}

impl Seen {
    fn call<C: Call + PartialEq + Debug>(&mut self, what: &str, call: &C, answer: &C::Answer)
    where
        C::Answer: PartialEq + Debug,
    {
        self.kinds.insert(C::KIND);
        golden(self, &format!("call-{what}"), call);
        golden(self, &format!("answer-{what}"), answer);
    }

    fn notice<N: Notice + PartialEq + Debug>(&mut self, what: &str, notice: &N) {
        self.kinds.insert(N::KIND);
        golden(self, &format!("notice-{what}"), notice);
    }

    fn order<N: MasterNotice + PartialEq + Debug>(&mut self, what: &str, notice: &N) {
        self.kinds.insert(N::KIND);
        golden(self, &format!("master-{what}"), notice);
    }

    fn other<M: Serialize + DeserializeOwned + PartialEq + Debug>(
        &mut self,
        kind: u16,
        what: &str,
        message: &M,
    ) {
        self.kinds.insert(kind);
        golden(self, what, message);
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex"))
        .collect()
}

fn handshake(seen: &mut Seen) {
    let slave = SlaveId::new("disk-07").expect("a name");
    seen.other(
        kinds::HELLO,
        "hello",
        &Hello {
            oldest: 1,
            newest: 1,
            features: vec!["x".into()],
            name: slave.clone(),
            build: "0.1.0".into(),
            seen: Some((Epoch(9), STORE)),
            roots: vec![root_status()],
            transfers: vec![TransferId(5)],
        },
    );
    seen.other(
        kinds::WELCOME,
        "welcome",
        &Welcome {
            revision: 1,
            epoch: Epoch(9),
            store: STORE,
            heartbeat_ms: 5000,
            build: "0.1.0".into(),
        },
    );
    seen.other(
        kinds::REFUSED,
        "refused",
        &Refused {
            why: "revoked".into(),
            retry: false,
        },
    );
    seen.other(
        kinds::JOIN,
        "join",
        &Join {
            secret: vec![1, 2, 3],
            request: vec![4, 5],
            build: "0.1.0".into(),
        },
    );
    seen.other(
        kinds::JOINED,
        "joined",
        &Joined {
            name: slave,
            certificate: vec![6],
            authority: vec![7],
        },
    );
    seen.other(
        kinds::FAULT,
        "fault",
        &Fault::new(FaultCode::NO_SPACE, "disk full"),
    );
    seen.other(kinds::PROGRESS, "progress", &Progress { done: 1, total: 2 });
    let envelope = Envelope {
        call: 7,
        kind: kinds::PING,
        epoch: Epoch(9),
        body: vec![0x80],
    };
    seen.other(kinds::ANSWER, "envelope", &envelope);
}

fn calls(seen: &mut Seen) {
    seen.call("ping", &Ping {}, &Pong {});
    seen.call(
        "goodbye",
        &Goodbye {
            why: "restart".into(),
        },
        &(),
    );
    seen.call(
        "ftp-certificate",
        &FtpCertificate {
            chain: vec![Der(vec![1, 2]), Der(vec![3])],
            key: Der(vec![4, 5]),
        },
        &(),
    );
    seen.call(
        "abort-transfer",
        &AbortTransfer {
            transfer: TransferId(5),
        },
        &(),
    );
    seen.call(
        "checksum",
        &Checksum {
            root: ROOT,
            file: Some(FILE),
            at: place(),
            algorithm: Algorithm::Blake3,
            offset: 0,
            length: None,
            after: OpSeq(3),
        },
        &ChecksumDone {
            sum: vec![0xAB; 32],
            bytes: 1000,
        },
    );
    seen.call(
        "walk-root",
        &WalkRoot {
            root: ROOT,
            walk: 2,
            credit: 8,
        },
        &WalkStarted {},
    );
    let open = |path| OpenData {
        transfer: TransferId(5),
        path,
        connect_timeout_ms: 30_000,
    };
    let v4: IpAddr = [192, 0, 2, 1].into();
    let opened = DataOpened {
        address: Some(v4),
        port: 50_000,
    };
    let listen = DataPath::Listen {
        family: Family::V4,
        peers: PeerRule::Only(v4),
    };
    seen.call("open-listen", &open(listen), &opened);
    let anyone = DataPath::Listen {
        family: Family::V6,
        peers: PeerRule::Any,
    };
    seen.call(
        "open-listen-any",
        &open(anyone),
        &DataOpened {
            address: None,
            port: 1024,
        },
    );
    let among = DataPath::Listen {
        family: Family::V4,
        peers: PeerRule::Among {
            client: v4,
            allow: vec!["203.0.113.0/24".parse().expect("a network")],
            deny: vec!["203.0.113.7".parse().expect("a network")],
        },
    };
    seen.call("open-listen-among", &open(among), &opened);
    let dial = DataPath::Dial {
        to: "[2001:db8::1]:2000".parse().expect("an address"),
    };
    seen.call(
        "open-dial",
        &open(dial),
        &DataOpened {
            address: None,
            port: 0,
        },
    );
    let relay = DataPath::Relay {
        token: RelayToken([9; 32]),
    };
    seen.call(
        "open-relay",
        &open(relay),
        &DataOpened {
            address: None,
            port: 0,
        },
    );
}

fn data_tls(resumption: Resumption) -> DataTls {
    DataTls::Server {
        tickets: TicketKey([8; 32]),
        resumption,
    }
}

fn transfers(seen: &mut Seen) {
    let begin = |job| BeginTransfer {
        transfer: TransferId(5),
        job,
        after: OpSeq(3),
        stall_timeout_ms: 60_000,
        max_rate: Some(1_000_000),
        tls: None,
    };
    let send = SendJob {
        root: ROOT,
        file: FILE,
        at: place(),
        offset: 10,
        length: Some(20),
    };
    let plain = begin(Job::Send(send));
    seen.call("begin-send", &plain, &Begun { size: 1000 });
    for (what, tls) in [
        ("server", data_tls(Resumption::Required)),
        ("server-offered", data_tls(Resumption::Offered)),
        ("server-off", data_tls(Resumption::Off)),
        (
            "client",
            DataTls::Client {
                peer: TlsPeer::Cluster,
            },
        ),
        ("client-any", DataTls::Client { peer: TlsPeer::Any }),
        ("server-of-cluster", DataTls::ServerOfCluster),
    ] {
        let secured = BeginTransfer {
            tls: Some(tls),
            ..plain.clone()
        };
        let what = format!("begin-send-tls-{what}");
        seen.call(&what, &secured, &Begun { size: 1000 });
    }
    let bases = [
        ("empty", Base::Empty),
        ("staged", Base::Staged { keep: 5 }),
        (
            "copy",
            Base::Copy {
                file: OLD,
                at: place(),
                keep: 6,
            },
        ),
    ];
    for (what, base) in bases {
        let receive = ReceiveJob {
            root: ROOT,
            file: FILE,
            base,
            expected: 4096,
        };
        seen.call(
            &format!("begin-receive-{what}"),
            &begin(Job::Receive(receive)),
            &Begun { size: 0 },
        );
    }
    let ended = |outcome| TransferEnded {
        transfer: TransferId(5),
        upload: Some((ROOT, FILE)),
        outcome,
        took_ms: 12,
        tls: None,
    };
    let plain = ended(Outcome::Sent { bytes: 3 });
    seen.notice("ended-sent", &plain);
    let tls = Some(TlsSeen {
        version: "TLS 1.3".into(),
        cipher: "TLS_AES_256_GCM_SHA384".into(),
        resumed: true,
    });
    seen.notice("ended-sent-tls", &TransferEnded { tls, ..plain });
    let prepared = Outcome::Prepared {
        bytes: 3,
        size: 5,
        crc32: 0xDEAD_BEEF,
    };
    seen.notice("ended-prepared", &ended(prepared));
    seen.notice(
        "ended-broken",
        &ended(Outcome::Broken {
            fault: Fault::new(FaultCode::STALLED, "no byte for 60 s"),
            bytes: 2,
            kept: Some(2),
        }),
    );
    let progress = TransferProgress {
        moved: vec![(TransferId(5), 100)],
    };
    seen.notice("transfer-progress", &progress);
    seen.order(
        "ended-seen",
        &EndedSeen {
            transfer: TransferId(5),
        },
    );
}

fn operations(seen: &mut Seen) {
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

fn walks(seen: &mut Seen) {
    let entry = |node| WalkEntry {
        name: name("x"),
        node,
        modified: 1_800_000_000,
    };
    let file = WalkNode::File {
        size: 9,
        file: Some(FILE),
        crc32: Some(1),
    };
    let found = WalkNode::File {
        size: 9,
        file: None,
        crc32: None,
    };
    seen.notice(
        "walk-page",
        &WalkPage {
            root: ROOT,
            walk: 2,
            dir: vec![dir()],
            entries: vec![entry(WalkNode::Dir { id: None }), entry(file), entry(found)],
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
        },
    );
}

/// All numbers of `kinds`, read from its source: a kind without a golden file fails the test.
fn all_kinds() -> BTreeSet<u16> {
    include_str!("../src/wire/kinds.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once("= 0x"))
        .map(|(_, number)| u16::from_str_radix(number.trim_end_matches(';'), 16).expect("hex"))
        .collect()
}

#[test]
fn every_kind_is_written_as_its_golden_file_says_and_names_no_user() {
    let mut seen = Seen::default();
    handshake(&mut seen);
    calls(&mut seen);
    transfers(&mut seen);
    operations(&mut seen);
    walks(&mut seen);
    assert_eq!(seen.kinds, all_kinds(), "a kind has no golden file");

    for file in std::fs::read_dir(folder()).expect("the folder") {
        let file = file.expect("an entry");
        let called = file.file_name().into_string().expect("a plain name");
        assert!(
            seen.files.contains(&called),
            "{called} belongs to no message"
        );
        let bytes = unhex(&std::fs::read_to_string(file.path()).expect("reads"));
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for word in ["user", "group", "owner", "permission", "password", "right"] {
            assert!(!text.contains(word), "{called} speaks of a {word}");
        }
    }
}

#[test]
fn a_field_of_a_newer_peer_is_skipped_and_one_of_an_older_peer_filled_in() {
    #[derive(Serialize)]
    struct NewerPing {
        brand_new: u8,
    }
    let bytes = encode(&NewerPing { brand_new: 1 }).expect("encodes");
    assert_eq!(decode::<Ping>(&bytes).expect("decodes"), Ping {});

    #[derive(Serialize)]
    struct OlderEnvelope {
        call: u32,
        kind: u16,
        #[serde(with = "serde_bytes")]
        body: Vec<u8>,
    }
    let older = OlderEnvelope {
        call: 1,
        kind: kinds::HELLO,
        body: vec![],
    };
    let read: Envelope = decode(&encode(&older).expect("encodes")).expect("decodes");
    assert_eq!(read.epoch, Epoch(0));
}
