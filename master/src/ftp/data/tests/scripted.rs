//! What slaves are asked in a transfer, and in which order: with slaves that the test holds in its hand.

use drftpd_actors::testkit::sim;
use drftpd_protocol::wire::{
    AbortTransfer, BeginTransfer, Begun, DataOpened, DataPath, EndedSeen, Fault, FaultCode, Job,
    OpenData, Outcome, TransferEnded, WalkEntry, WalkNode, WalkPage,
};
use drftpd_protocol::{Name, SlaveId};

use super::cluster::vfs_path;
use crate::ftp::data::reach::ActiveBy;
use crate::ftp::data::{ClientsConfig, DataSide};
use crate::ftp::testkit::Site;
use crate::slaves::testkit::ScriptedSlave;
use crate::vfs::{Owner, PreparedBytes, UploadMode};

/// A site with `/x` of 5 bytes, on the first root and, by a walk that found it, on the second.
async fn site() -> Site {
    // What slaves say in the script is the end: nobody else dials.
    let clients = ClientsConfig {
        active: ActiveBy::Slave,
        ..ClientsConfig::default()
    };
    let site = Site::with_data(DataSide::default().for_clients(clients)).await;
    let vfs = &site.files.vfs;
    let (first, second) = (site.files.root("a", 1).await, site.files.root("b", 2).await);
    let owner = Owner {
        user: "bob".to_owned(),
        group: "users".to_owned(),
    };
    let at = vfs_path("/x");
    let begun = vfs.begin_upload(&at, UploadMode::Store, owner, first).await;
    let bytes = PreparedBytes {
        size: 5,
        crc32: 1,
        blake3: None,
        received: 5,
    };
    let file = begun.unwrap().file;
    vfs.commit_upload(file, first, bytes).await.unwrap();
    let found = WalkEntry {
        name: Name::new(b"x".to_vec()).unwrap(),
        node: WalkNode::File {
            size: 5,
            file: None,
            crc32: None,
            blake3: None,
            edited: false,
            busy: false,
        },
        modified: 0,
    };
    let b = SlaveId::new("b").unwrap();
    let page = WalkPage {
        root: second,
        walk: 0,
        dir: Vec::new(),
        entries: vec![found],
        looked: Vec::new(),
    };
    let merged = vfs.merge_page(&b, page, None).await.unwrap();
    let equal = merged
        .compare
        .into_iter()
        .map(|same| (same, true))
        .collect();
    vfs.merge_compared(second, &b, equal).await.unwrap();
    assert_eq!(vfs.readable(&at).await.unwrap().holders.len(), 2);
    site
}

fn opened() -> DataOpened {
    DataOpened {
        address: None,
        port: 0,
    }
}

/// Opens a channel and gets its order.
async fn ordered(slave: &mut ScriptedSlave) -> crate::slaves::testkit::Got<BeginTransfer> {
    let open = slave.call::<OpenData>().await;
    assert!(matches!(open.call.path, DataPath::Dial { .. }));
    slave.answer(&open, &opened());
    let begin = slave.call::<BeginTransfer>().await;
    assert_eq!(begin.call.transfer, open.call.transfer);
    begin
}

/// A channel that was refused its order is closed.
async fn gives_up(slave: &mut ScriptedSlave) {
    let abort = slave.call::<AbortTransfer>().await;
    slave.answer(&abort, &());
}

#[test]
fn a_copy_that_is_not_there_is_fetched_from_the_next_slave() {
    sim(async {
        let site = site().await;
        let mut first = site.slaves.slave("a", &[1]).await;
        let mut second = site.slaves.slave("b", &[2]).await;
        let mut bob = site.user().await;
        bob.ask("PORT 127,0,0,1,19,136", 200).await;
        bob.send("RETR x\r\n").await;
        // Which of them is asked first is the coordinator's choice.
        let (lacks, has, begin) = tokio::select! {
            begin = ordered(&mut first) => (&mut first, &mut second, begin),
            begin = ordered(&mut second) => (&mut second, &mut first, begin),
        };
        lacks.fault(&begin, FaultCode::NO_SUCH_FILE);
        gives_up(lacks).await;
        let begin = ordered(has).await;
        let Job::Send(job) = &begin.call.job else {
            panic!("not a download");
        };
        assert_eq!((job.offset, job.length), (0, None));
        assert!(bob.seen().is_empty(), "150 before the file is open");
        has.answer(&begin, &Begun::of(5));
        assert!(bob.expect(150).await.contains("x (5 bytes)"));
        let transfer = begin.call.transfer;
        has.tell(&TransferEnded {
            transfer,
            upload: None,
            outcome: Outcome::Sent { bytes: 5 },
            took_ms: 1,
            tls: None,
            space: None,
        });
        assert!(bob.expect(226).await.contains("5 bytes"));
        assert_eq!(has.notice::<EndedSeen>().await.transfer, transfer);
    });
}

#[test]
fn where_nobody_has_the_file_the_second_no_is_the_answer() {
    sim(async {
        let site = site().await;
        let mut first = site.slaves.slave("a", &[1]).await;
        let mut second = site.slaves.slave("b", &[2]).await;
        let mut bob = site.user().await;
        bob.ask("PORT 127,0,0,1,19,136", 200).await;
        bob.send("RETR x\r\n").await;
        let (lacks, other, begin) = tokio::select! {
            begin = ordered(&mut first) => (&mut first, &mut second, begin),
            begin = ordered(&mut second) => (&mut second, &mut first, begin),
        };
        lacks.fault(&begin, FaultCode::NO_SUCH_FILE);
        gives_up(lacks).await;
        let begin = ordered(other).await;
        other.fault(&begin, FaultCode::NO_SUCH_FILE);
        gives_up(other).await;
        bob.expect(450).await;
    });
}

#[test]
fn a_transfer_that_breaks_on_the_slave_is_what_the_slave_says() {
    sim(async {
        for (code, reply) in [
            (FaultCode::CONNECTION_BROKEN, 426),
            (FaultCode::STALLED, 426),
            (FaultCode::NO_CONNECTION, 425),
            (FaultCode::PEER_REFUSED, 425),
            (FaultCode::DISK, 451),
            (FaultCode(9999), 451),
        ] {
            let site = site().await;
            let mut slave = site.slaves.slave("a", &[1]).await;
            let mut bob = site.user().await;
            bob.ask("PORT 127,0,0,1,19,136", 200).await;
            bob.send("RETR x\r\n").await;
            let begin = ordered(&mut slave).await;
            slave.answer(&begin, &Begun::of(5));
            bob.expect(150).await;
            slave.tell(&TransferEnded {
                transfer: begin.call.transfer,
                upload: None,
                outcome: Outcome::Broken {
                    fault: Fault::new(code, "scripted"),
                    bytes: 1,
                    kept: None,
                },
                took_ms: 1,
                tls: None,
                space: None,
            });
            bob.expect(reply).await;
            slave.notice::<EndedSeen>().await;
        }
    });
}

#[test]
fn an_abort_waits_for_the_slaves_word_that_it_is_over() {
    sim(async {
        let site = site().await;
        let mut slave = site.slaves.slave("a", &[1]).await;
        let mut bob = site.user().await;
        bob.ask("PORT 127,0,0,1,19,136", 200).await;
        bob.send("RETR x\r\n").await;
        let begin = ordered(&mut slave).await;
        slave.answer(&begin, &Begun::of(5));
        bob.expect(150).await;
        bob.send("ABOR\r\n").await;
        let abort = slave.call::<AbortTransfer>().await;
        assert_eq!(abort.call.transfer, begin.call.transfer);
        slave.answer(&abort, &());
        drftpd_actors::testkit::settle().await;
        assert!(bob.seen().is_empty());
        slave.tell(&TransferEnded {
            transfer: begin.call.transfer,
            upload: None,
            outcome: Outcome::Broken {
                fault: Fault::new(FaultCode::ABORTED, "scripted"),
                bytes: 1,
                kept: None,
            },
            took_ms: 1,
            tls: None,
            space: None,
        });
        bob.expect(426).await;
        bob.expect(226).await;
        slave.notice::<EndedSeen>().await;
    });
}
