//! Walks: on credit, in order, and with a look into files that stand in each other's place.

use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use drftpd_protocol::wire::{
    ApplyOps, Checksum, ChecksumDone, DirDigest, DirStep, FaultCode, Place, RootOp, StagedEntry,
    WalkCredit, WalkDigests, WalkDone, WalkEntry, WalkNode, WalkPage, WalkRoot, WalkStaged,
    WalkStarted,
};
use drftpd_protocol::{FileId, Generation, Name, NodeId, OpSeq, VfsPath};
use tokio::time::{Instant, sleep};

use crate::slaves::SlavesConfig;
use crate::slaves::testkit::{Rig, ScriptedSlave, Told, root, slave};
use crate::vfs::{Compare, Judged, Merged};

pub(super) async fn rig(credit: u32) -> Rig {
    Rig::with(SlavesConfig {
        walk_credit: credit,
        ..SlavesConfig::default()
    })
    .await
}

pub(super) async fn walk(link: &mut ScriptedSlave) -> WalkRoot {
    let got = link.call::<WalkRoot>().await;
    link.answer(&got, &WalkStarted::default());
    got.call
}

pub(super) fn page(walk: &WalkRoot, entries: usize) -> WalkPage {
    let entry = |at: usize| WalkEntry {
        name: Name::new(format!("f{at}").into_bytes()).unwrap(),
        node: WalkNode::File {
            size: 1,
            file: None,
            crc32: None,
            blake3: None,
            edited: false,
            busy: false,
        },
        modified: 0,
    };
    WalkPage {
        root: walk.root,
        walk: walk.walk,
        dir: vec![DirStep {
            id: NodeId(3),
            name: Name::new(&b"d"[..]).unwrap(),
        }],
        entries: (0..entries).map(entry).collect(),
        looked: Vec::new(),
    }
}

pub(super) fn end(walk: &WalkRoot) -> WalkDone {
    WalkDone {
        root: walk.root,
        walk: walk.walk,
        dirs: 1,
        files: 2,
        problems: Vec::new(),
        complete: true,
        running: Vec::new(),
    }
}

pub(super) fn live(node: u64) -> FileId {
    FileId {
        node: NodeId(node),
        generation: Generation(1),
    }
}

pub(super) fn difference(node: u64, holder: u8) -> Compare {
    Compare {
        live: live(node),
        at: Place {
            dirs: Vec::new(),
            name: Name::new(format!("f{node}").into_bytes()).unwrap(),
        },
        holders: vec![(root(1), OpSeq(1)), (root(holder), OpSeq(4))],
        size: 10,
        modified: 0,
        crc32: None,
    }
}

#[test]
fn a_walk_brings_its_pages_and_staged_files_into_the_list_and_shows_while_it_runs() {
    sim(async {
        let rig = rig(2).await;
        let mut link = rig.slave("a", &[1]).await;
        let order = walk(&mut link).await;
        assert_eq!((order.root, order.credit), (root(1), 2));
        rig.until(|views| views[&slave("a")].remerging).await;
        link.tell(&page(&order, 3));
        link.tell(&page(&order, 1));
        let files = vec![StagedEntry {
            file: live(9),
            size: 1,
            prepared: None,
        }];
        let (root_, number) = (order.root, order.walk);
        link.tell(&WalkStaged {
            root: root_,
            walk: number,
            files,
        });
        link.tell(&end(&order));
        rig.until(|views| !views[&slave("a")].remerging).await;
        let told = rig.files.told();
        let expected = [
            Told::Shown(root(1)),
            Told::Page(root(1), 3),
            Told::Page(root(1), 1),
            Told::Staged(root(1), 1),
            Told::Walked(root(1), 0),
        ];
        assert_eq!(told, expected);
    });
}

#[test]
fn of_directories_that_differ_the_entries_are_wanted_and_of_others_nothing() {
    sim(async {
        let rig = rig(4).await;
        let mut link = rig.slave("a", &[1]).await;
        let order = walk(&mut link).await;
        assert!(order.digests);
        rig.files.will_judge(Judged {
            agreed: vec![NodeId(7)],
            list: vec![2],
            later: 0,
        });
        let dir = |number| DirDigest {
            number,
            dir: NodeId(number + 6),
            above: NodeId::ROOT,
            name: Some(Name::new(format!("d{number}").into_bytes()).unwrap()),
            sum: [1; 16],
            applied: OpSeq::NONE,
        };
        link.tell(&WalkDigests {
            root: order.root,
            walk: order.walk,
            dirs: vec![dir(1), dir(2)],
        });
        let credit = link.notice::<WalkCredit>().await;
        assert_eq!((credit.pages, credit.judged, credit.list), (1, 2, vec![2]));
        link.tell(&page(&order, 3));
        let credit = link.notice::<WalkCredit>().await;
        assert_eq!((credit.pages, credit.judged, credit.list), (1, 0, vec![]));
        link.tell(&end(&order));
        rig.until(|views| !views[&slave("a")].remerging).await;
        let told = rig.files.told();
        let expected = [
            Told::Shown(root(1)),
            Told::Digests(root(1), 2),
            Told::Page(root(1), 3),
            Told::Walked(root(1), 0),
        ];
        assert_eq!(told, expected);
    });
}

#[test]
fn credit_comes_back_with_each_page_that_is_committed_and_not_before() {
    sim(async {
        let rig = rig(3).await;
        rig.files.commits.forget_permits(100_000);
        let mut link = rig.slave("a", &[1]).await;
        let order = walk(&mut link).await;
        (0..3).for_each(|_| link.tell(&page(&order, 1)));
        sleep(Duration::from_secs(5)).await;
        assert!(link.is_quiet());
        rig.files.commits.add_permits(2);
        let credit = link.notice::<WalkCredit>().await;
        assert_eq!((credit.walk, credit.pages), (order.walk, 1));
        link.notice::<WalkCredit>().await;
        settle().await;
        assert!(link.is_quiet());
        rig.files.commits.add_permits(1);
        link.notice::<WalkCredit>().await;
    });
}

#[test]
fn a_slave_that_sends_far_more_than_its_credit_is_cut() {
    sim(async {
        let rig = rig(1).await;
        rig.files.commits.forget_permits(100_000);
        let mut link = rig.slave("a", &[1]).await;
        let order = walk(&mut link).await;
        (0..200).for_each(|_| link.tell(&page(&order, 1)));
        link.is_cut().await;
        rig.until(|views| views.is_empty()).await;
    });
}

#[test]
fn a_walk_that_breaks_off_begins_anew_under_another_number() {
    sim(async {
        let rig = rig(4).await;
        let mut link = rig.slave("a", &[1]).await;
        let got = link.call::<WalkRoot>().await;
        link.fault(&got, FaultCode::BUSY);
        let first = walk(&mut link).await;
        rig.files.fail(1);
        link.tell(&page(&first, 1));
        let second = walk(&mut link).await;
        assert_ne!(first.walk, second.walk);
        link.tell(&page(&first, 7)); // of the walk that is over
        link.tell(&page(&second, 2));
        link.notice::<WalkCredit>().await;
        let told = rig.files.told();
        assert!(told.contains(&Told::Page(root(1), 2)) && !told.contains(&Told::Page(root(1), 7)));

        drop(link);
        rig.until(|views| views.is_empty()).await;
        let mut link = rig.slave("a", &[1]).await;
        let third = walk(&mut link).await;
        assert_ne!(second.walk, third.walk);
    });
}

#[test]
fn a_walk_is_repeated_when_an_operator_asks() {
    sim(async {
        let rig = rig(4).await;
        let mut link = rig.slave("a", &[1, 2]).await;
        for _ in 0..2 {
            let order = walk(&mut link).await;
            link.tell(&end(&order));
        }
        sleep(Duration::from_secs(900)).await;
        assert!(link.is_quiet());
        rig.client.walk_again(&slave("a"), Some(root(2))).unwrap();
        assert_eq!(walk(&mut link).await.root, root(2));
        settle().await;
        assert!(link.is_quiet());
        assert!(rig.client.walk_again(&slave("b"), None).is_err());
    });
}

#[test]
fn files_in_each_others_place_are_read_on_both_slaves() {
    sim(async {
        let rig = rig(4).await;
        let mut holder = rig.slave("h", &[9]).await;
        let order = walk(&mut holder).await;
        holder.tell(&end(&order));
        let mut link = rig.slave("a", &[1]).await;
        let order = walk(&mut link).await;
        rig.files.will_find(Merged {
            compare: vec![difference(1, 9), difference(2, 9), difference(3, 8)],
            ..Merged::default()
        });
        link.tell(&page(&order, 3));
        link.notice::<WalkCredit>().await;
        link.tell(&end(&order));
        for (node, equal) in [(1, true), (2, false)] {
            let found = link.call::<Checksum>().await;
            let stands = holder.call::<Checksum>().await;
            assert_eq!((found.call.root, found.call.file), (root(1), None));
            let (at, file) = (stands.call.root, stands.call.file);
            assert_eq!(
                (at, file, stands.call.after),
                (root(9), Some(live(node)), OpSeq(4))
            );
            let sum = |byte| ChecksumDone {
                sum: vec![byte],
                bytes: 10,
            };
            link.answer(&found, &sum(1));
            holder.answer(&stands, &sum(if equal { 1 } else { 2 }));
        }
        sleep(Duration::from_secs(1)).await;
        rig.until(|views| !views[&slave("a")].remerging).await;
        let compared: Vec<_> = rig
            .files
            .told()
            .into_iter()
            .filter_map(|told| match told {
                Told::Compared(of, results) => Some((of, results)),
                _ => None,
            })
            .flat_map(|(of, results)| {
                assert_eq!(of, root(1));
                results
            })
            .collect();
        // The holder of the third is offline: a later walk tries again.
        assert_eq!(compared, [(live(1), true), (live(2), false)]);
    });
}

#[test]
fn a_file_that_changed_while_it_was_read_is_left_to_a_later_walk() {
    sim(async {
        let rig = rig(4).await;
        let mut link = rig.slave("a", &[1, 9]).await;
        for _ in 0..2 {
            let order = walk(&mut link).await;
            if order.root == root(9) {
                link.tell(&end(&order));
                continue;
            }
            let compare = vec![difference(1, 9)];
            rig.files.will_find(Merged {
                compare,
                ..Merged::default()
            });
            link.tell(&page(&order, 1));
            link.tell(&end(&order));
        }
        let mut asked = 0;
        while asked < 2 {
            let frame = link.frame().await;
            if frame.kind == drftpd_protocol::wire::kinds::CHECKSUM {
                asked += 1;
                let answer = ChecksumDone {
                    sum: vec![1],
                    bytes: 11,
                };
                link.send(frame.call, drftpd_protocol::wire::kinds::ANSWER, &answer);
            }
        }
        sleep(Duration::from_secs(1)).await;
        rig.until(|views| !views[&slave("a")].remerging).await;
        let told = rig.files.told();
        assert!(!told.iter().any(|told| matches!(told, Told::Compared(..))));
    });
}

#[test]
fn a_walk_that_falls_silent_is_given_up_and_begun_anew() {
    sim(async {
        let rig = rig(4).await;
        let mut link = rig.slave("a", &[1]).await;
        let first = walk(&mut link).await;
        let begun = Instant::now();
        let second = walk(&mut link).await;
        assert_ne!(first.walk, second.walk);
        assert!(begun.elapsed() >= Duration::from_secs(600));
    });
}

#[test]
fn a_walk_that_panics_begins_anew_and_the_roots_log_goes_on() {
    sim(async {
        let rig = rig(4).await;
        let mut link = rig.slave("a", &[1]).await;
        let first = walk(&mut link).await;
        rig.files.panic();
        link.tell(&page(&first, 1));
        let second = walk(&mut link).await;
        assert_ne!(first.walk, second.walk);
        rig.files
            .push(root(1), RootOp::DiscardStaged { file: live(1) });
        assert_eq!(link.call::<ApplyOps>().await.call.ops.len(), 1);
    });
}

#[test]
fn parts_are_walked_alone_after_the_walk_that_runs_and_once_for_all_that_asked() {
    sim(async {
        let rig = rig(2).await;
        let mut link = rig.slave("a", &[1]).await;
        let whole = walk(&mut link).await;
        assert!(whole.parts.is_empty());
        let path = |text: &str| VfsPath::absolute(text.as_bytes()).unwrap();
        for text in ["/d/e", "/d/e", "/x"] {
            assert_eq!(rig.client.rescan(&path(text)), [root(1)]);
        }
        settle().await;
        link.tell(&end(&whole));
        let order = walk(&mut link).await;
        let parts = order.parts.iter().map(|part| {
            let names = |names: &[Name]| names.iter().map(ToString::to_string).collect();
            let (way, names): (Vec<_>, Vec<_>) = (names(&part.way), names(&part.names));
            format!("{}:{}", way.join("/"), names.join(" "))
        });
        assert_eq!(parts.collect::<Vec<_>>(), ["d:e", "d/e:", ":x", "x:"]);
        link.tell(&end(&order));
        let last = Told::PartsWalked(root(1), 2);
        while rig.files.told().last() != Some(&last) {
            sleep(Duration::from_millis(10)).await;
        }
        // A whole walk takes what is asked for meanwhile with it.
        rig.client.rescan(&path("/x"));
        rig.client.rescan(&path("/"));
        assert!(walk(&mut link).await.parts.is_empty());
    });
}

#[test]
fn parts_that_were_left_open_are_walked_again_and_nothing_else() {
    sim(async {
        let rig = rig(2).await;
        let mut link = rig.slave("a", &[1]).await;
        let whole = walk(&mut link).await;
        link.tell(&end(&whole));
        rig.client.rescan(&VfsPath::absolute(b"/d").unwrap());
        let first = walk(&mut link).await;
        rig.files.will_find(Merged {
            left: 1,
            ..Merged::default()
        });
        link.tell(&page(&first, 1));
        link.notice::<WalkCredit>().await;
        link.tell(&end(&first));
        let begun = Instant::now();
        let again = walk(&mut link).await;
        assert_eq!(again.parts, first.parts);
        assert!(begun.elapsed() > Duration::from_secs(10));
    });
}
