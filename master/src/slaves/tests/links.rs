//! Calls, heartbeats, and what a broken link or manager means to others.

use std::time::Duration;

use drftpd_actors::tell;
use drftpd_actors::testkit::{settle, sim};
use drftpd_protocol::wire::{
    Algorithm, Alive, Checksum, ChecksumDone, DirStep, FaultCode, Ping, Place, Pong,
};
use drftpd_protocol::{Name, NodeId, OpSeq};
use tokio::time::{Instant, sleep};

use crate::slaves::messages::PanicOnPurpose;
use crate::slaves::testkit::{Rig, root, slave, status};
use crate::slaves::{SlaveError, SlavesConfig};

const LIMIT: Duration = Duration::from_secs(2);

fn checksum() -> Checksum {
    Checksum {
        root: root(1),
        file: None,
        at: Place {
            dirs: vec![DirStep {
                id: NodeId(2),
                name: Name::new(&b"dir"[..]).unwrap(),
            }],
            name: Name::new(&b"file"[..]).unwrap(),
        },
        algorithm: Algorithm::Crc32,
        offset: 0,
        length: None,
        after: OpSeq::NONE,
    }
}

fn done() -> ChecksumDone {
    ChecksumDone {
        sum: vec![1, 2, 3, 4],
        bytes: 9,
    }
}

#[test]
fn calls_are_answered_in_any_order_and_carry_the_epoch() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let (client, name) = (&rig.client, slave("a"));
        let both = async {
            let first = client.call(&name, checksum(), LIMIT);
            let second = client.call(&name, checksum(), LIMIT);
            tokio::join!(first, second)
        };
        let script = async {
            let frame = link.frame().await;
            assert_eq!(frame.epoch, rig.identity.epoch);
            let second = link.call::<Checksum>().await;
            link.fault(&second, FaultCode::NO_SUCH_FILE);
            link.send(frame.call, drftpd_protocol::wire::kinds::ANSWER, &done());
        };
        let ((first, second), ()) = tokio::join!(both, script);
        assert_eq!(first.unwrap(), done());
        let Err(SlaveError::Fault(fault)) = second else {
            panic!("no fault");
        };
        assert_eq!(fault.code, FaultCode::NO_SUCH_FILE);
    });
}

#[test]
fn a_late_answer_costs_its_call_and_not_the_link() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let name = slave("a");
        let begun = Instant::now();
        let late = rig.client.call(&name, checksum(), LIMIT).await;
        assert!(matches!(late, Err(SlaveError::TimedOut(_))));
        assert!(begun.elapsed() < LIMIT + Duration::from_secs(1));
        let got = link.call::<Checksum>().await;
        link.answer(&got, &done());
        sleep(Duration::from_secs(60)).await;
        let next = rig.client.call(&name, checksum(), LIMIT);
        let script = async {
            let got = link.call::<Checksum>().await;
            let other = ChecksumDone {
                sum: vec![9],
                bytes: 1,
            };
            link.answer(&got, &other);
        };
        let (next, ()) = tokio::join!(next, script);
        assert_eq!(next.unwrap().sum, [9], "not the late answer");
    });
}

#[test]
fn a_long_call_lives_as_long_as_it_shows_progress() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let name = slave("a");
        let long = rig.client.call(&name, checksum(), LIMIT);
        let script = async {
            let got = link.call::<Checksum>().await;
            for _ in 0..20 {
                sleep(LIMIT / 2).await;
                link.progress(&got);
            }
            link.answer(&got, &done());
        };
        let (long, ()) = tokio::join!(long, script);
        assert_eq!(long.unwrap(), done());
    });
}

#[test]
fn a_slave_is_dead_after_three_silent_heartbeats_and_its_calls_hear_it() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        link.beats.set(false);
        link.pongs.set(false);
        let begun = Instant::now();
        let name = slave("a");
        let call = rig.client.call(&name, Ping {}, Duration::from_secs(600));
        let lost = call.await;
        assert!(matches!(lost, Err(SlaveError::Offline(_))), "{lost:?}");
        let silent = begun.elapsed();
        assert!(silent >= Duration::from_secs(15) && silent < Duration::from_secs(16));
        link.is_cut().await;
        rig.until(|views| views.is_empty()).await;
        let gone = rig.client.call(&name, Ping {}, LIMIT).await;
        assert!(matches!(gone, Err(SlaveError::Offline(_))));
    });
}

#[test]
fn a_slave_whose_heart_beats_is_alive_although_it_answers_nothing() {
    sim(async {
        let rig = Rig::new().await;
        let link = rig.slave("a", &[1]).await;
        link.pongs.set(false);
        sleep(Duration::from_secs(600)).await;
        assert!(rig.client.views().borrow().contains_key(&slave("a")));
    });
}

#[test]
fn unknown_kinds_and_notices_that_cannot_be_read_leave_the_link_alone() {
    sim(async {
        let rig = Rig::new().await;
        let link = rig.slave("a", &[1]).await;
        link.send(0, 0x02FF, &"from the future");
        link.send(0, drftpd_protocol::wire::kinds::ALIVE, &"no heartbeat");
        link.send(99, drftpd_protocol::wire::kinds::ANSWER, &done());
        settle().await;
        let pong = rig.client.call(&slave("a"), Ping {}, LIMIT).await;
        assert_eq!(pong.unwrap(), Pong {});
    });
}

#[test]
fn an_answer_of_another_type_is_nonsense() {
    sim(async {
        let rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let name = slave("a");
        let call = rig.client.call(&name, checksum(), LIMIT);
        let script = async {
            let got = link.call::<Checksum>().await;
            link.send(got.number, drftpd_protocol::wire::kinds::ANSWER, &7_u8);
        };
        let (answer, ()) = tokio::join!(call, script);
        assert!(matches!(answer, Err(SlaveError::Nonsense(_))));
    });
}

#[test]
fn more_calls_than_a_slave_may_have_are_refused_as_busy() {
    sim(async {
        let rig = Rig::with(SlavesConfig {
            max_calls: 2,
            remerge_at_start: false,
            ..SlavesConfig::default()
        })
        .await;
        let link = rig.slave("a", &[1]).await;
        let name = slave("a");
        let call = || rig.client.call(&name, checksum(), LIMIT);
        let (first, second, third) = tokio::join!(call(), call(), call());
        assert!(matches!(first, Err(SlaveError::TimedOut(_))));
        assert!(matches!(second, Err(SlaveError::TimedOut(_))));
        let Err(SlaveError::Fault(fault)) = third else {
            panic!("no fault");
        };
        assert_eq!(fault.code, FaultCode::BUSY);
        drop(link);
    });
}

#[test]
fn a_manager_that_panics_loses_its_link_and_no_other() {
    sim(async {
        let mut rig = Rig::new().await;
        let mut link = rig.slave("a", &[1]).await;
        let _other = rig.slave("b", &[2]).await;
        let name = slave("a");
        let call = rig.client.call(&name, checksum(), Duration::from_secs(600));
        let script = async {
            link.frame().await;
            let manager = rig.client.links.borrow()[&name].manager.clone();
            tell(&manager, PanicOnPurpose);
        };
        let (call, ()) = tokio::join!(call, script);
        assert!(matches!(call, Err(SlaveError::Offline(_))));
        link.is_cut().await;
        rig.until(|views| !views.contains_key(&slave("a"))).await;
        let pong = rig.client.call(&slave("b"), Ping {}, LIMIT).await;
        assert_eq!(pong.unwrap(), Pong {});
        assert!(rig.parent.drain().is_empty());
        let _back = rig.slave("a", &[1]).await;
    });
}

#[test]
fn what_a_slave_tells_reaches_the_views_within_moments() {
    sim(async {
        let rig = Rig::new().await;
        let link = rig.slave("a", &[1]).await;
        sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        for free in [400_000, 300_000] {
            let mut disk = status(1);
            disk.free = free;
            link.tell(&Alive {
                roots: vec![disk],
                transfers: 4,
                receiving: 5,
                sending: 6,
            });
            sleep(Duration::from_millis(50)).await;
        }
        rig.until(|views| views[&slave("a")].roots[0].free == 300_000)
            .await;
        assert!(begun.elapsed() < Duration::from_millis(300));
        let views = rig.client.views().borrow().clone();
        let view = &views[&slave("a")];
        assert_eq!((view.transfers, view.receiving, view.sending), (4, 5, 6));
    });
}
