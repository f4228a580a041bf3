//! Transfers from their order to their end.

use drftpd_protocol::wire::{
    Base, BeginTransfer, Begun, Blake3Sum, DataTls, EndedSeen, Fault, FaultCode, Job, Outcome,
    ReceiveJob, Resumption, SendJob, TicketKey, TlsPeer, TlsSeen, TransferEnded, TransferProgress,
};
use drftpd_protocol::{OpSeq, TransferId};

use super::Seen;
use super::samples::{FILE, OLD, ROOT, place, space_seen};

fn data_tls(resumption: Resumption) -> DataTls {
    DataTls::Server {
        tickets: TicketKey([8; 32]),
        resumption,
    }
}

pub fn transfers(seen: &mut Seen) {
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
    seen.call("begin-send", &plain, &Begun::of(1000));
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
        seen.call(&what, &secured, &Begun::of(1000));
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
            blake3: false,
            most: None,
        };
        seen.call(
            &format!("begin-receive-{what}"),
            &begin(Job::Receive(receive)),
            &Begun {
                size: 0,
                space: Some(space_seen()),
            },
        );
    }
    let receive = ReceiveJob {
        root: ROOT,
        file: FILE,
        base: Base::Empty,
        expected: 4096,
        blake3: true,
        most: None,
    };
    let begun = Begun {
        size: 0,
        space: Some(space_seen()),
    };
    let limited = ReceiveJob {
        blake3: false,
        most: Some(8192),
        ..receive.clone()
    };
    seen.call("begin-receive-most", &begin(Job::Receive(limited)), &begun);
    let receive = begin(Job::Receive(receive));
    seen.call("begin-receive-blake3", &receive, &begun);
    let ended = |outcome| TransferEnded {
        transfer: TransferId(5),
        upload: Some((ROOT, FILE)),
        outcome,
        took_ms: 12,
        tls: None,
        space: None,
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
        blake3: None,
    };
    let summed = Outcome::Prepared {
        bytes: 3,
        size: 5,
        crc32: 0xDEAD_BEEF,
        blake3: Some(Blake3Sum([7; 32])),
    };
    seen.notice("ended-prepared-blake3", &ended(summed));
    let space = Some(space_seen());
    let prepared = ended(prepared);
    seen.notice("ended-prepared", &prepared);
    seen.notice("ended-prepared-space", &TransferEnded { space, ..prepared });
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
