//! The coordinator over views that the test sets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use drftpd_actors::testkit::{Probe, sim};
use drftpd_protocol::wire::{Look, RootState, RootStatus, SpaceSeen};
use drftpd_protocol::{RootId, SessionId, SlaveId, VfsPath};
use tokio::time::sleep;

use super::*;
use crate::slaves::{SlaveView, Standing};

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const GIB: u64 = 1 << 30;
const NOW: i64 = 1_800_000_000;

struct Rig {
    client: TransfersClient,
    views: watch::Sender<SlaveViews>,
    _down: Probe<ChildDown>,
}

fn rig(config: TransferConfig, slaves: Vec<SlaveView>) -> Rig {
    let views = slaves.into_iter().map(|view| (view.slave.clone(), view));
    let (views, told) = watch::channel(Arc::new(views.collect()));
    let (down, last) = (Probe::start(), AtomicU64::new(0));
    let next = move || Ok(TransferId(last.fetch_add(1, Ordering::Relaxed) + 1));
    let deps = TransferDeps {
        config,
        views: told,
        ids: TransferIds::new(next),
        clock: Clock::manual(NOW),
    };
    let client = start(&Place::here(), deps, down.recipient());
    Rig {
        client,
        views,
        _down: down,
    }
}

fn root(byte: u8, free: u64) -> RootStatus {
    RootStatus {
        root: RootId([byte; 16]),
        path: format!("/disk{byte}"),
        state: RootState::Present,
        total: 1 << 40,
        free,
        filesystem: u64::from(byte),
        look: Look::default(),
    }
}

fn slave(name: &str, roots: Vec<RootStatus>) -> SlaveView {
    SlaveView {
        slave: SlaveId::new(name).unwrap(),
        address: IP,
        roots,
        transfers: 0,
        receiving: 0,
        sending: 0,
        remerging: false,
        held: BTreeSet::new(),
        standing: Standing::default(),
        since: 0,
    }
}

fn want(path: &str, direction: Direction) -> Want {
    Want {
        session: SessionId(1),
        path: VfsPath::absolute(path.as_bytes()).unwrap(),
        direction,
        roots: None,
        bytes: 0,
        client: IP,
        siblings: BTreeMap::new(),
    }
}

fn upload(path: &str, bytes: u64) -> Want {
    Want {
        bytes,
        ..want(path, Direction::Upload)
    }
}

fn download(roots: &[u8]) -> Want {
    Want {
        roots: Some(roots.iter().map(|byte| RootId([*byte; 16])).collect()),
        ..want("/d/f", Direction::Download)
    }
}

fn three() -> Vec<SlaveView> {
    (1..=3)
        .map(|n| slave(&format!("s{n}"), vec![root(n, 100 * GIB)]))
        .collect()
}

fn why(refused: Result<Slot, TransferError>) -> String {
    match refused {
        Err(TransferError::NoSlave { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

/// `s1` and `s2`, of which an operator has decided something about `s1`.
fn two(standing: Standing) -> Vec<SlaveView> {
    let mut slaves = three();
    slaves.truncate(2);
    slaves[0].standing = standing;
    slaves
}

#[test]
fn a_drained_slave_takes_nothing_new_and_serves_and_finishes_what_it_has() {
    sim(async {
        let standing = Standing {
            drained: true,
            ..Standing::default()
        };
        let rig = rig(TransferConfig::default(), two(standing));
        for n in 0..4 {
            let slot = rig.client.hold(upload(&format!("/d{n}/f"), 0)).await;
            assert_eq!(slot.unwrap().slave.as_str(), "s2");
        }
        let slot = rig.client.hold(download(&[1])).await.unwrap();
        assert_eq!(slot.slave.as_str(), "s1");
        let mut resumed = upload("/d/f", 0);
        resumed.roots = Some(vec![RootId([1; 16])]);
        let slot = rig.client.hold(resumed).await.unwrap();
        assert_eq!(slot.slave.as_str(), "s1");
        let judged = rig.client.dry_run(upload("/d/f", 0)).await.unwrap();
        let of = judged
            .iter()
            .find(|row| row.slave.as_str() == "s1")
            .unwrap();
        assert_eq!(of.verdict, Err("drained: it takes no new files".to_owned()));
    });
}

#[test]
fn a_slave_that_is_worked_on_serves_nobody_and_is_named_as_the_reason() {
    sim(async {
        let standing = Standing {
            maintenance: true,
            ..Standing::default()
        };
        let rig = rig(TransferConfig::default(), two(standing));
        for n in 0..4 {
            let slot = rig.client.hold(upload(&format!("/d{n}/f"), 0)).await;
            assert_eq!(slot.unwrap().slave.as_str(), "s2");
        }
        let refused = why(rig.client.hold(download(&[1])).await);
        assert_eq!(refused, "s1 /disk1: in maintenance");
    });
}

#[test]
fn a_burst_of_uploads_is_spread_before_any_slave_tells_of_it() {
    sim(async {
        let rig = rig(TransferConfig::default(), three());
        let mut counts = std::collections::BTreeMap::new();
        for n in 0..12 {
            let mut want = upload(&format!("/d{n}/f"), 0);
            want.session = SessionId(n);
            let slot = rig.client.hold(want).await.unwrap();
            *counts.entry(slot.slave).or_insert(0) += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [4, 4, 4]);
    });
}

#[test]
fn a_download_goes_to_a_holder_that_is_there() {
    sim(async {
        let mut slaves = three();
        slaves[1].sending = 1_000_000_000;
        slaves[2].roots[0].state = RootState::ReadOnly;
        let rig = rig(TransferConfig::default(), slaves);
        let slot = rig.client.hold(download(&[2, 3])).await.unwrap();
        assert_eq!((slot.slave.as_str(), slot.root), ("s3", RootId([3; 16])));
        let nobody = why(rig.client.hold(download(&[9])).await);
        assert!(nobody.contains("present"), "{nobody}");
        assert!(why(rig.client.hold(download(&[])).await).contains("nobody holds it"));
    });
}

#[test]
fn an_upload_needs_a_root_that_can_be_written_and_has_room() {
    sim(async {
        let mut slaves = three();
        slaves[0].roots[0].state = RootState::ReadOnly;
        slaves[1].roots[0].free = GIB / 1000;
        slaves[2].roots[0].free = 50 * GIB;
        let rig = rig(TransferConfig::default(), slaves);
        let slot = rig.client.hold(upload("/d/f", GIB)).await.unwrap();
        assert_eq!(slot.slave.as_str(), "s3");
        let full = why(rig.client.hold(upload("/d/g", 60 * GIB)).await);
        assert!(
            full.contains("s2 /disk2") && full.contains("s3 /disk3"),
            "{full}"
        );
        rig.views.send_replace(Arc::default());
        let gone = why(rig.client.hold(upload("/d/g", 1)).await);
        assert!(gone.contains("online"), "{gone}");
    });
}

#[test]
fn a_root_that_is_held_serves_what_it_has_and_takes_nothing() {
    sim(async {
        let mut slaves = three();
        for view in &mut slaves[..2] {
            view.held.insert(view.roots[0].root);
        }
        let rig = rig(TransferConfig::default(), slaves);
        let slot = rig.client.hold(upload("/d/f", 1)).await.unwrap();
        assert_eq!(slot.slave.as_str(), "s3");
        let slot = rig.client.hold(download(&[2])).await.unwrap();
        assert_eq!(slot.slave.as_str(), "s2");
    });
}

#[test]
fn reserved_bytes_count_until_the_slot_is_free_or_runs_out() {
    sim(async {
        let only = vec![slave("a", vec![root(1, 10 * GIB)])];
        let rig = rig(TransferConfig::default(), only);
        let first = rig.client.hold(upload("/d/f", 8 * GIB)).await.unwrap();
        assert!(rig.client.hold(upload("/d/g", 8 * GIB)).await.is_err());
        rig.client.free(first.transfer, None);
        let second = rig.client.hold(upload("/d/g", 8 * GIB)).await.unwrap();
        assert_ne!(first.transfer, second.transfer);
        sleep(Duration::from_secs(62)).await;
        let third = rig.client.hold(upload("/d/h", 8 * GIB)).await.unwrap();
        rig.client.begun(third.transfer, None);
        sleep(Duration::from_secs(9)).await;
        assert!(rig.client.hold(upload("/d/i", 8 * GIB)).await.is_err());
        sleep(Duration::from_secs(2)).await; // from here on the slave tells of it
        assert!(rig.client.hold(upload("/d/i", 8 * GIB)).await.is_ok());
    });
}

#[test]
fn many_quick_uploads_do_not_pass_what_is_to_stay_free() {
    sim(async {
        let config = TransferConfig::default();
        let only = vec![slave("a", vec![root(1, GIB)])];
        let rig = rig(config, only);
        // No heartbeat comes meanwhile: the slave's word from the beginning is all that is told.
        let (mut free, mut taken) = (GIB, 0);
        let least = 16 << 20;
        let size = 30 << 20;
        while let Ok(slot) = rig.client.hold(upload("/d/f", size)).await {
            free -= size;
            for (at, number) in [
                (slot.transfer, 2 * taken + 1),
                (slot.transfer, 2 * taken + 2),
            ] {
                let look = Look { run: 0, number };
                let space = Some(SpaceSeen {
                    look,
                    free: vec![(slot.root, free)],
                });
                match number % 2 {
                    1 => rig.client.begun(at, space),
                    _ => rig.client.free(at, space),
                }
            }
            taken += 1;
        }
        assert!(free >= least && free < least + size, "{free} after {taken}");
    });
}

#[test]
fn roots_on_one_filesystem_share_their_room() {
    sim(async {
        let mut twin = root(2, 10 * GIB);
        twin.filesystem = 1;
        let only = vec![slave("a", vec![root(1, 10 * GIB), twin])];
        let rig = rig(TransferConfig::default(), only);
        rig.client.hold(upload("/d/f", 8 * GIB)).await.unwrap();
        assert!(rig.client.hold(upload("/e/g", 8 * GIB)).await.is_err());
    });
}

#[test]
fn a_directory_stays_on_one_root_as_long_as_it_fits() {
    sim(async {
        let roots = vec![root(1, 100 * GIB), root(2, 90 * GIB), root(3, 95 * GIB)];
        let rig = rig(TransferConfig::default(), vec![slave("a", roots)]);
        let of = async |path: &str, bytes| {
            let slot = rig.client.hold(upload(path, bytes)).await.unwrap();
            slot.root.0[0]
        };
        assert_eq!(of("/d/1", 20 * GIB).await, 1, "the most room");
        assert_eq!(of("/e/1", 10 * GIB).await, 3, "what is reserved counts");
        assert_eq!(of("/d/2", GIB).await, 1, "together");
        assert_eq!(of("/d/3", 88 * GIB).await, 2, "where it fits");
    });
}

#[test]
fn a_session_that_ends_frees_what_it_held_and_cannot_hold_without_end() {
    sim(async {
        let config = TransferConfig {
            max_slots: 5,
            max_slots_per_session: 3,
            ..TransferConfig::default()
        };
        let rig = rig(config, three());
        for n in 0..3 {
            rig.client.hold(upload(&format!("/{n}"), 0)).await.unwrap();
        }
        let more = rig.client.hold(upload("/more", 0)).await;
        assert!(matches!(more, Err(TransferError::Full)));
        let mut other = upload("/x", 0);
        other.session = SessionId(2);
        for _ in 0..2 {
            rig.client.hold(other.clone()).await.unwrap();
        }
        other.session = SessionId(3);
        assert!(rig.client.hold(other.clone()).await.is_err());
        rig.client.session_ended(SessionId(1));
        assert!(rig.client.hold(other).await.is_ok());
    });
}

#[test]
fn a_dry_run_shows_every_root_with_what_each_filter_said_and_holds_nothing() {
    sim(async {
        let mut slaves = three();
        slaves[0].receiving = 5_000;
        slaves[1].roots[0].free = 0;
        let rig = rig(TransferConfig::default(), slaves);
        for _ in 0..50 {
            let table = rig.client.dry_run(upload("/d/f", 0)).await.unwrap();
            assert_eq!(table.len(), 3);
            assert_eq!(table[0].verdict, Ok(-5_000));
            assert!(table[1].verdict.is_err());
            let names: BTreeSet<_> = table[1].steps.iter().map(|(name, _)| name).collect();
            assert_eq!(names, BTreeSet::from([&"minfreespace".to_owned()]));
            assert_eq!(
                (&table[2].verdict, table[2].root.as_str()),
                (&Ok(1), "/disk3")
            );
        }
    });
}

#[test]
fn copies_have_chains_of_their_own() {
    sim(async {
        let rig = rig(TransferConfig::default(), three()[..1].to_vec());
        for _ in 0..2 {
            rig.client.hold_copy(upload("/d/f", 0)).await.unwrap();
        }
        let third = why(rig.client.hold_copy(upload("/d/f", 0)).await);
        assert!(third.contains("2 of 2 transfers"), "{third}");
        assert!(rig.client.hold(upload("/d/f", 0)).await.is_ok());
    });
}

#[test]
fn new_filters_apply_at_once() {
    sim(async {
        let rig = rig(TransferConfig::default(), three());
        let text = r#"filter = [{ name = "matchdir", match = "/*", assign = ["s2+1"], assume_remove = true }]"#;
        rig.client.reconfigure(TransferConfig {
            upload: toml::from_str(text).unwrap(),
            ..TransferConfig::default()
        });
        for n in 0..5 {
            let slot = rig.client.hold(upload(&format!("/d/{n}"), 0)).await;
            assert_eq!(slot.unwrap().slave.as_str(), "s2");
        }
    });
}

#[test]
fn what_filters_want_to_know_of_the_directory_is_asked_for_and_counts() {
    let stripes = TransferConfig {
        upload: toml::from_str(r#"filter = [{ name = "stripefiles" }, { name = "cycle" }]"#)
            .unwrap(),
        ..TransferConfig::default()
    };
    sim(async {
        let rig = rig(TransferConfig::default(), three());
        assert!(!rig.client.wants_siblings(Direction::Upload));
        rig.client.reconfigure(stripes);
        // Behind the new configuration in the mailbox.
        drop(rig.client.dry_run(upload("/d/f", 1)).await);
        assert!(rig.client.wants_siblings(Direction::Upload));
        assert!(!rig.client.wants_siblings(Direction::Download));
        assert!(!rig.client.copy_wants_siblings(Direction::Upload));
        let want = Want {
            siblings: [(RootId([1; 16]), 4), (RootId([3; 16]), 1)].into(),
            ..upload("/d/f", 1)
        };
        let slot = rig.client.hold(want).await.unwrap();
        assert_eq!(slot.slave.to_string(), "s2");
    });
}

#[test]
fn who_just_came_online_is_left_out_by_mintimeonline() {
    let settled = TransferConfig {
        upload: toml::from_str(r#"filter = [{ name = "mintimeonline", min = "1m" }]"#).unwrap(),
        ..TransferConfig::default()
    };
    sim(async {
        let mut slaves = three();
        for (slave, age) in slaves.iter_mut().zip([59, 60, 0]) {
            slave.since = NOW - age;
        }
        let rig = rig(settled, slaves);
        let judged = rig.client.dry_run(upload("/d/f", 1)).await.unwrap();
        let is_in: Vec<bool> = judged.iter().map(|row| row.verdict.is_ok()).collect();
        assert_eq!(is_in, [false, true, false]);
    });
}
