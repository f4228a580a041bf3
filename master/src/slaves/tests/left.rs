//! What walks leave: to another walk, to an operator, to a checksum.

use std::time::Duration;

use drftpd_actors::testkit::sim;
use drftpd_protocol::wire::{Algorithm, Checksum, ChecksumDone, WalkCredit};
use tokio::time::{Instant, sleep};

use super::walks::{difference, end, live, page, rig, walk};
use crate::slaves::SlavesConfig;
use crate::slaves::testkit::{Rig, Told, root, slave};
use crate::vfs::{Compare, Concluded, Merged};

#[test]
fn what_a_walk_leaves_open_is_looked_at_again_soon_and_then_less_and_less_often() {
    sim(async {
        let rig = rig(4).await;
        let mut link = rig.slave("a", &[1]).await;
        let unsettled = Concluded {
            unsettled: 1,
            ..Concluded::default()
        };
        rig.files.will_conclude(unsettled);
        rig.files.will_find(Merged::default());
        rig.files.will_find(Merged {
            left: 1,
            ..Merged::default()
        });
        for at_most in [0, 60, 120] {
            let begun = Instant::now();
            let order = walk(&mut link).await;
            assert!(begun.elapsed() <= Duration::from_secs(at_most));
            link.tell(&page(&order, 1));
            link.notice::<WalkCredit>().await;
            link.tell(&end(&order));
        }
        sleep(Duration::from_secs(7200)).await;
        assert!(link.is_quiet(), "nothing was left by the third");
    });
}

#[test]
fn a_root_that_misses_too_much_shows_as_held_and_is_not_walked_until_that_is_confirmed() {
    sim(async {
        let mut rig = rig(4).await;
        let mut link = rig.slave("a", &[1]).await;
        let order = walk(&mut link).await;
        rig.files.will_conclude(Concluded {
            missing: 500,
            copies: 600,
            held: true,
            ..Concluded::default()
        });
        rig.files.hold(root(1), true);
        link.tell(&end(&order));
        rig.until(|views| views[&slave("a")].held.contains(&root(1)))
            .await;
        let event = rig.held.next().await;
        assert_eq!(
            (event.root, event.missing, event.copies),
            (root(1), 500, 600)
        );
        rig.client.walk_again(&slave("a"), None).unwrap();
        sleep(Duration::from_secs(7200)).await;
        assert!(link.is_quiet());

        rig.files.hold(root(1), false);
        rig.client.walk_again(&slave("a"), None).unwrap();
        let order = walk(&mut link).await;
        rig.until(|views| views[&slave("a")].held.is_empty()).await;
        link.tell(&end(&order));
        rig.until(|views| !views[&slave("a")].remerging).await;
    });
}

#[test]
fn a_root_that_was_held_before_shows_so_when_it_is_back() {
    sim(async {
        for at_start in [true, false] {
            let rig = Rig::with(SlavesConfig {
                remerge_at_start: at_start,
                ..SlavesConfig::default()
            });
            let rig = rig.await;
            rig.files.hold(root(1), true);
            let link = rig.slave("a", &[1]).await;
            rig.until(|views| views[&slave("a")].held.contains(&root(1)))
                .await;
            rig.until(|views| !views[&slave("a")].remerging).await;
            assert!(link.is_quiet());
        }
    });
}

#[test]
fn a_file_of_which_there_is_no_other_copy_is_held_against_its_checksum() {
    sim(async {
        let rig = rig(4).await;
        let mut link = rig.slave("a", &[1]).await;
        let order = walk(&mut link).await;
        let alone = |node| Compare {
            holders: Vec::new(),
            crc32: Some(0xAABB_CCDD),
            ..difference(node, 9)
        };
        rig.files.will_find(Merged {
            compare: vec![alone(1), alone(2)],
            ..Merged::default()
        });
        link.tell(&page(&order, 2));
        link.notice::<WalkCredit>().await;
        link.tell(&end(&order));
        for (node, byte) in [(1, 0xAA), (2, 0xAB)] {
            let found = link.call::<Checksum>().await;
            assert_eq!(found.call.at, difference(node, 9).at);
            assert_eq!(found.call.algorithm, Algorithm::Crc32);
            let sum = vec![byte, 0xBB, 0xCC, 0xDD];
            link.answer(&found, &ChecksumDone { sum, bytes: 10 });
        }
        rig.until(|views| !views[&slave("a")].remerging).await;
        let told = rig.files.told();
        let results = |told: &Told| match told {
            Told::Compared(_, results) => results.clone(),
            _ => Vec::new(),
        };
        let compared: Vec<_> = told.iter().flat_map(results).collect();
        assert_eq!(compared, [(live(1), true), (live(2), false)]);
    });
}
