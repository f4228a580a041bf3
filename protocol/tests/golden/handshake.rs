//! How a link begins, and what frames carry besides calls and notices.

use drftpd_protocol::wire::{
    Envelope, Fault, FaultCode, Hello, Join, Joined, Progress, Refused, Welcome, kinds,
};
use drftpd_protocol::{Epoch, SlaveId, TransferId};

use super::Seen;
use super::samples::{STORE, root_status};

pub fn handshake(seen: &mut Seen) {
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
