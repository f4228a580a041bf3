//! Calls of the master that are not about a running transfer.

use std::net::IpAddr;

use drftpd_protocol::wire::{
    AbortTransfer, Algorithm, Blake3Sum, Checksum, ChecksumDone, DataOpened, DataPath, Der, Family,
    FtpCertificate, Goodbye, OpenData, PeerRule, Ping, Pong, RelayToken, Reread, RereadDone,
    SetRate, StopReread, WalkPart, WalkRoot, WalkStarted,
};
use drftpd_protocol::{OpSeq, TransferId};

use super::Seen;
use super::samples::{FILE, ROOT, name, place};

pub fn calls(seen: &mut Seen) {
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
        "set-rate",
        &SetRate {
            transfer: TransferId(5),
            max_rate: Some(1_000_000),
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
        "reread",
        &Reread {
            root: ROOT,
            file: FILE,
            at: place(),
            after: OpSeq(3),
            max_rate: 16 << 20,
            busy_rate: 1 << 20,
            blake3: false,
        },
        &RereadDone {
            size: 1000,
            crc32: 0xCBF4_3926,
            blake3: None,
        },
    );
    seen.call(
        "reread-blake3",
        &Reread {
            root: ROOT,
            file: FILE,
            at: place(),
            after: OpSeq(3),
            max_rate: 0,
            busy_rate: 0,
            blake3: true,
        },
        &RereadDone {
            size: 1000,
            crc32: 0xCBF4_3926,
            blake3: Some(Blake3Sum([7; 32])),
        },
    );
    seen.call("stop-reread", &StopReread { root: ROOT }, &());
    seen.call(
        "walk-root",
        &WalkRoot {
            root: ROOT,
            walk: 2,
            credit: 8,
            digests: false,
            parts: Vec::new(),
        },
        &WalkStarted::default(),
    );
    seen.call(
        "walk-root-digests",
        &WalkRoot {
            root: ROOT,
            walk: 2,
            credit: 8,
            digests: true,
            parts: Vec::new(),
        },
        &WalkStarted::default(),
    );
    seen.call(
        "walk-root-parts",
        &WalkRoot {
            root: ROOT,
            walk: 2,
            credit: 8,
            digests: true,
            parts: vec![
                WalkPart {
                    way: vec![name("dir")],
                    names: vec![name("x"), name("y")],
                },
                WalkPart {
                    way: vec![name("dir"), name("x")],
                    names: Vec::new(),
                },
            ],
        },
        &WalkStarted::default(),
    );
    seen.call(
        "walk-root-shared",
        &WalkRoot {
            root: ROOT,
            walk: 2,
            credit: 8,
            digests: true,
            parts: Vec::new(),
        },
        &WalkStarted { shared: true },
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
