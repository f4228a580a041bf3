//! Transfers and the link: they outlive it, and their ends are told until they are acknowledged.

use std::net::SocketAddr;

use drftpd_actors::testkit::{MemNet, sim};
use drftpd_actors::{BoxIo, Net};
use drftpd_protocol::wire::{
    Base, BeginTransfer, DataPath, DataTls, Der, EndedSeen, Family, FaultCode, FtpCertificate, Job,
    OpenData, Outcome, PeerRule, Ping, Pong, ReceiveJob, Resumption, TicketKey, TransferEnded,
    WalkRoot, WalkStaged,
};
use drftpd_protocol::{FileId, Generation, NodeId, OpSeq, RootId, TransferId};
use tokio::io::AsyncWriteExt;

use crate::testkit::{ScriptedMaster, Talk, TestSlave};

const TRANSFER: TransferId = TransferId(41);
const FILE: FileId = FileId {
    node: NodeId(7),
    generation: Generation(1),
};

/// Opens a channel; gives its port.
async fn open(talk: &mut Talk) -> u16 {
    let open = OpenData {
        transfer: TRANSFER,
        path: DataPath::Listen {
            family: Family::V4,
            peers: PeerRule::Any,
        },
        connect_timeout_ms: 10_000,
    };
    talk.call(&open).await.expect("is open").port
}

fn order(root: RootId, tls: Option<DataTls>) -> BeginTransfer {
    BeginTransfer {
        transfer: TRANSFER,
        job: Job::Receive(ReceiveJob {
            root,
            file: FILE,
            base: Base::Empty,
            expected: 0,
            blake3: false,
            most: None,
        }),
        after: OpSeq::NONE,
        stall_timeout_ms: 60_000,
        max_rate: None,
        tls,
    }
}

/// Begins an upload and gives the client's end of its data connection.
async fn upload(net: &MemNet, talk: &mut Talk, root: RootId) -> BoxIo {
    let port = open(talk).await;
    let begin = order(root, None);
    talk.call(&begin).await.expect("has begun");
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    net.connect(None, at).await.expect("connects")
}

#[test]
fn a_transfer_outlives_the_link_and_its_end_is_told_until_it_is_acknowledged() {
    sim(async {
        let net = MemNet::new();
        let master = ScriptedMaster::new(&net).await;
        let slave = TestSlave::new(&net, &master, 1);
        slave.start();
        let (mut talk, hello) = master.welcome().await;
        let mut client = upload(&net, &mut talk, hello.roots[0].root).await;
        client.write_all(b"first ").await.unwrap();
        drop(talk);

        let (talk, hello) = master.welcome().await;
        assert_eq!(hello.transfers, [TRANSFER], "it runs on");
        client.write_all(b"second").await.unwrap();
        client.shutdown().await.unwrap();
        let mut talk = talk;
        let ended: TransferEnded = talk.notice().await;
        let Outcome::Prepared { size, crc32, .. } = ended.outcome else {
            panic!("not prepared: {ended:?}");
        };
        assert_eq!((size, crc32), (12, crc32fast::hash(b"first second")));
        drop(talk);

        let (mut talk, hello) = master.welcome().await;
        assert_eq!(hello.transfers, [TRANSFER], "it is not acknowledged");
        let again: TransferEnded = talk.notice().await;
        assert_eq!(again, ended);
        talk.notify(&EndedSeen { transfer: TRANSFER }).await;
        assert_eq!(talk.call(&Ping {}).await, Ok(Pong {}));
        drop(talk);

        let (_talk, hello) = master.welcome().await;
        assert_eq!(hello.transfers, []);
    });
}

#[test]
fn the_ftp_certificate_comes_over_the_link_and_outlives_it() {
    sim(async {
        let net = MemNet::new();
        let master = ScriptedMaster::new(&net).await;
        let slave = TestSlave::new(&net, &master, 1);
        slave.start();
        let (mut talk, hello) = master.welcome().await;
        let secured = DataTls::Server {
            tickets: TicketKey([7; 32]),
            resumption: Resumption::Offered,
        };
        let begin = order(hello.roots[0].root, Some(secured));
        open(&mut talk).await;
        let none = talk.call(&begin).await.expect_err("has no certificate");
        assert_eq!(none.code, FaultCode::NO_CERTIFICATE);

        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let good = FtpCertificate {
            chain: vec![Der(made.cert.der().to_vec())],
            key: Der(made.signing_key.serialize_der()),
        };
        let bad = FtpCertificate {
            key: Der(vec![1]),
            ..good.clone()
        };
        let refused = talk.call(&bad).await.expect_err("is no key");
        assert_eq!(refused.code, FaultCode::BAD_REQUEST);
        assert_eq!(talk.call(&good).await, Ok(()));
        drop(talk);

        let (mut talk, _) = master.welcome().await;
        open(&mut talk).await;
        talk.call(&begin).await.expect("has begun");
    });
}

#[test]
fn an_upload_that_runs_is_left_out_of_a_walk() {
    sim(async {
        let net = MemNet::new();
        let master = ScriptedMaster::new(&net).await;
        let slave = TestSlave::new(&net, &master, 1);
        slave.start();
        let (mut talk, hello) = master.welcome().await;
        let root = hello.roots[0].root;
        let mut client = upload(&net, &mut talk, root).await;
        client.write_all(b"half").await.unwrap();
        let walk = |walk| WalkRoot {
            root,
            walk,
            credit: 9,
            digests: false,
            parts: Vec::new(),
        };
        talk.call(&walk(1)).await.expect("begins");
        let done: drftpd_protocol::wire::WalkDone = talk.notice().await;
        assert_eq!((done.walk, done.complete), (1, true));
        client.shutdown().await.unwrap();
        let _ended: TransferEnded = talk.notice().await;
        talk.call(&walk(2)).await.expect("begins");
        let staged: WalkStaged = talk.notice().await;
        let files: Vec<_> = staged
            .files
            .iter()
            .map(|entry| (entry.file, entry.size))
            .collect();
        assert_eq!((staged.walk, files), (2, vec![(FILE, 4)]));
    });
}

#[test]
fn a_slave_that_must_end_breaks_off_what_still_runs_and_says_so() {
    sim(async {
        let net = MemNet::new();
        let master = ScriptedMaster::new(&net).await;
        let slave = TestSlave::new(&net, &master, 1);
        let running = slave.start();
        let (mut talk, hello) = master.welcome().await;
        let mut client = upload(&net, &mut talk, hello.roots[0].root).await;
        client.write_all(b"half").await.unwrap();
        assert_eq!(talk.call(&Ping {}).await, Ok(Pong {}));
        slave.deps.drain.begin(std::time::Duration::from_secs(20));
        let ended: TransferEnded = talk.notice().await;
        assert!(
            matches!(ended.outcome, Outcome::Broken { kept: Some(4), .. }),
            "{ended:?}"
        );
        talk.notify(&EndedSeen { transfer: TRANSFER }).await;
        talk.hung_up().await;
        assert!(running.await.expect("ends").is_ok());
    });
}
