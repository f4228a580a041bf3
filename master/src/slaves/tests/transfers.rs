//! Transfers: their ends find whoever waits, also over lost links.

use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use drftpd_protocol::wire::{
    AbortTransfer, BeginTransfer, Begun, EndedSeen, Fault, FaultCode, Hello, Job, Outcome, Place,
    SendJob, TransferEnded, TransferProgress,
};
use drftpd_protocol::{FileId, Generation, Name, NodeId, OpSeq, TransferId};
use tokio::time::{Instant, sleep, timeout};

use crate::slaves::testkit::{Rig, ScriptedSlave, Told, hello, root, slave};
use crate::slaves::{Running, SlaveError};

const T: TransferId = TransferId(77);
const FILE: FileId = FileId {
    node: NodeId(5),
    generation: Generation(1),
};

fn begin() -> BeginTransfer {
    BeginTransfer {
        transfer: T,
        job: Job::Send(SendJob {
            root: root(1),
            file: FILE,
            at: Place {
                dirs: Vec::new(),
                name: Name::new(&b"file"[..]).unwrap(),
            },
            offset: 0,
            length: None,
        }),
        after: OpSeq::NONE,
        stall_timeout_ms: 1000,
        max_rate: None,
        tls: None,
    }
}

fn ended(outcome: Outcome) -> TransferEnded {
    let upload = match outcome {
        Outcome::Sent { .. } => None,
        _ => Some((root(1), FILE)),
    };
    TransferEnded {
        transfer: T,
        upload,
        outcome,
        took_ms: 5,
        tls: None,
        space: None,
    }
}

fn prepared() -> TransferEnded {
    ended(Outcome::Prepared {
        bytes: 9,
        size: 9,
        crc32: 1,
        blake3: None,
    })
}

fn back(transfers: &[TransferId]) -> Hello {
    Hello {
        transfers: transfers.to_vec(),
        ..hello("a", &[1])
    }
}

async fn running(rig: &Rig, link: &mut ScriptedSlave) -> Running {
    let name = slave("a");
    let script = async {
        let got = link.call::<BeginTransfer>().await;
        link.answer(&got, &Begun::of(9));
    };
    let (running, ()) = tokio::join!(rig.client.begin(&name, begin()), script);
    running.unwrap()
}

async fn again(rig: &Rig, transfers: &[TransferId]) -> ScriptedSlave {
    let dialled = rig.dial(back(transfers)).await;
    dialled.unwrap_or_else(|refused| panic!("{}", refused.why))
}

#[test]
fn whoever_began_a_transfer_hears_its_progress_and_its_end() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let mut running = running(&rig, &mut link).await;
        assert_eq!(running.begun.size, 9);
        link.tell(&TransferProgress {
            moved: vec![(T, 4), (TransferId(1), 99)],
        });
        running.progress.changed().await.unwrap();
        assert_eq!(*running.progress.borrow(), 4);
        let sent = ended(Outcome::Sent { bytes: 9 });
        link.tell(&sent);
        assert_eq!(running.ended.await.unwrap(), sent);
        settle().await;
        assert!(link.is_quiet(), "the slave keeps it until it is stored");
        rig.client.seen(&slave("a"), T);
        assert_eq!(link.notice::<EndedSeen>().await.transfer, T);
    });
}

#[test]
fn an_end_that_comes_before_the_answer_to_begin_is_not_lost() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let name = slave("a");
        let script = async {
            let got = link.call::<BeginTransfer>().await;
            link.tell(&ended(Outcome::Sent { bytes: 9 }));
            link.answer(&got, &Begun::of(9));
        };
        let (running, ()) = tokio::join!(rig.client.begin(&name, begin()), script);
        assert!(running.unwrap().ended.await.is_ok());
    });
}

#[test]
fn a_transfer_survives_the_loss_of_its_link() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let running = running(&rig, &mut link).await;
        drop(link);
        rig.until(|views| views.is_empty()).await;
        sleep(Duration::from_secs(12)).await;
        let mut link = again(&rig, &[T]).await;
        sleep(Duration::from_secs(300)).await;
        link.tell(&prepared());
        assert_eq!(running.ended.await.unwrap(), prepared());
        // Told again on yet another link while whoever has it still stores it.
        drop(link);
        rig.until(|views| views.is_empty()).await;
        link = again(&rig, &[T]).await;
        link.tell(&prepared());
        settle().await;
        assert!(link.is_quiet());
        rig.client.seen(&slave("a"), T);
        assert_eq!(link.notice::<EndedSeen>().await.transfer, T);
        assert!(
            !rig.files
                .told()
                .iter()
                .any(|told| matches!(told, Told::Orphan(..)))
        );
    });
}

#[test]
fn a_transfer_is_lost_with_a_slave_that_began_anew_or_stays_away() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let first = running(&rig, &mut link).await;
        drop(link);
        rig.until(|views| views.is_empty()).await;
        let mut link = again(&rig, &[]).await;
        assert!(
            timeout(Duration::from_secs(1), first.ended)
                .await
                .unwrap()
                .is_err()
        );

        let second = running(&rig, &mut link).await;
        drop(link);
        let begun = Instant::now();
        assert!(second.ended.await.is_err());
        let waited = begun.elapsed().as_secs();
        assert!((15..18).contains(&waited), "{waited}");
    });
}

#[test]
fn an_upload_that_nobody_waits_for_is_settled_with_the_file_list_and_then_forgotten() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        link.tell(&prepared());
        assert_eq!(link.notice::<EndedSeen>().await.transfer, T);
        let broken = ended(Outcome::Broken {
            fault: Fault::new(FaultCode::STALLED, "x"),
            bytes: 3,
            kept: None,
        });
        link.tell(&broken);
        link.notice::<EndedSeen>().await;
        link.tell(&ended(Outcome::Sent { bytes: 1 }));
        link.notice::<EndedSeen>().await;
        let told = rig.files.told();
        let orphans = [
            Told::Orphan(FILE, root(1), Some(9)),
            Told::Orphan(FILE, root(1), None),
            Told::Download(T, 1),
        ];
        assert_eq!(told[1..], orphans);
    });
}

#[test]
fn an_orphan_that_cannot_be_stored_is_kept_by_its_slave() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        settle().await;
        rig.files.fail(1);
        link.tell(&prepared());
        settle().await;
        assert!(link.is_quiet());
        link.tell(&prepared());
        link.notice::<EndedSeen>().await;
    });
}

#[test]
fn a_slave_speaks_only_of_roots_that_it_shows() {
    sim(async {
        let rig = Rig::new().await;
        let _owner = rig.slave("a", &[1]).await;
        let link = rig.slave("b", &[2]).await;
        link.tell(&prepared());
        settle().await;
        assert!(
            !rig.files
                .told()
                .iter()
                .any(|told| matches!(told, Told::Orphan(..)))
        );
        assert!(link.is_quiet());
    });
}

#[test]
fn a_transfer_that_nobody_waits_for_is_ended_when_its_slave_comes_back() {
    sim(async {
        let rig = Rig::new().await;
        drop(rig.slave("a", &[1]).await);
        rig.until(|views| views.is_empty()).await;
        let mut link = again(&rig, &[TransferId(5)]).await;
        let got = link.call::<AbortTransfer>().await;
        assert_eq!(got.call.transfer, TransferId(5));
        link.answer(&got, &());
    });
}

#[test]
fn a_channel_of_this_master_gets_its_time_before_it_is_ended() {
    sim(async {
        let rig = Rig::new().await;
        let new = TransferId(rig.client.enroll().first_transfer().0 + 5);
        drop(rig.slave("a", &[1]).await);
        rig.until(|views| views.is_empty()).await;
        let mut link = again(&rig, &[new]).await;
        sleep(Duration::from_secs(14)).await;
        assert!(link.is_quiet());
        assert_eq!(link.call::<AbortTransfer>().await.call.transfer, new);

        drop(link);
        rig.until(|views| views.is_empty()).await;
        let mut link = again(&rig, &[T, new]).await;
        assert_eq!(link.call::<AbortTransfer>().await.call.transfer, T);
        let begin = BeginTransfer {
            transfer: new,
            ..begin()
        };
        let name = slave("a");
        let script = async {
            let got = link.call::<BeginTransfer>().await;
            link.answer(&got, &Begun::of(9));
        };
        let (begun, ()) = tokio::join!(rig.client.begin(&name, begin), script);
        let _running = begun.unwrap();
        sleep(Duration::from_secs(120)).await;
        assert!(link.is_quiet());
    });
}

#[test]
fn what_was_given_up_while_a_slave_was_away_is_ended_as_soon_as_it_is_back() {
    sim(async {
        // Nobody heard of it for too long, or whoever waited went away meanwhile.
        for goes in [false, true] {
            let rig = Rig::new().await;
            let mut link = rig.slave("a", &[1]).await;
            // One of this master, which else gets its time.
            let transfer = TransferId(rig.client.enroll().first_transfer().0 + 5);
            let begin = BeginTransfer {
                transfer,
                ..begin()
            };
            let name = slave("a");
            let script = async {
                let got = link.call::<BeginTransfer>().await;
                link.answer(&got, &Begun::of(9));
            };
            let (running, ()) = tokio::join!(rig.client.begin(&name, begin), script);
            let running = running.unwrap();
            drop(link);
            rig.until(|views| views.is_empty()).await;
            if goes {
                drop(running);
                rig.client.give_up(&name, transfer);
            } else {
                assert!(running.ended.await.is_err());
            }
            let mut link = again(&rig, &[transfer]).await;
            let back = Instant::now();
            let ended = link.call::<AbortTransfer>().await.call.transfer;
            assert_eq!(ended, transfer);
            assert!(back.elapsed() < Duration::from_millis(100), "{goes}");
        }
    });
}

#[test]
fn a_refused_begin_leaves_nobody_waiting_and_a_dropped_one_is_ended() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let name = slave("a");
        let script = async {
            let got = link.call::<BeginTransfer>().await;
            link.fault(&got, FaultCode::NO_SUCH_FILE);
        };
        let (refused, ()) = tokio::join!(rig.client.begin(&name, begin()), script);
        assert!(matches!(refused, Err(SlaveError::Fault(_))));
        assert_eq!(link.call::<AbortTransfer>().await.call.transfer, T);

        let dropped = timeout(Duration::from_secs(1), rig.client.begin(&name, begin()));
        assert!(dropped.await.is_err());
        link.call::<BeginTransfer>().await;
        assert_eq!(link.call::<AbortTransfer>().await.call.transfer, T);
    });
}

#[test]
fn an_end_whose_taker_went_away_is_settled_after_a_while() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let running = running(&rig, &mut link).await;
        link.tell(&prepared());
        settle().await;
        drop(running);
        sleep(Duration::from_secs(590)).await;
        assert!(link.is_quiet());
        link.notice::<EndedSeen>().await;
        assert!(
            rig.files
                .told()
                .contains(&Told::Orphan(FILE, root(1), Some(9)))
        );
    });
}
