//! Walks of parts of a root: they say something of those, and nothing of anything else.

use drftpd_protocol::wire::{DirStep, WalkEntry, WalkPage};
use drftpd_protocol::{DirId, Name};

use super::merge::file;
use super::*;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes().to_vec()).unwrap()
}

/// A walk of A that looked at some entries of a directory and found these.
async fn look(
    fx: &Fixture,
    at: &[(DirId, &str)],
    looked: &[&str],
    found: Vec<WalkEntry>,
) -> Merged {
    let dir = at.iter().map(|(id, text)| DirStep {
        id: *id,
        name: name(text),
    });
    let page = WalkPage {
        root: A,
        walk: 0,
        dir: dir.collect(),
        entries: found,
        looked: looked.iter().copied().map(name).collect(),
    };
    fx.vfs
        .merge_page(&slave("alpha"), page, None)
        .await
        .unwrap()
}

/// The end of a walk of A that was of these parts.
async fn ends(fx: &Fixture, below: &[&str], gone: Vec<NodeId>, seen: &[NodeId]) -> Concluded {
    let way = |text: &&str| path(text).names().to_vec();
    let mut saw = SawAll {
        since: fx.vfs.part_walk_begins(A).unwrap().since,
        conclude: true,
        within: Within::Parts {
            below: below.iter().map(way).collect(),
            gone,
        },
        ..SawAll::default()
    };
    saw.seen.extend(seen.iter().copied());
    fx.vfs.walked(A, &slave("alpha"), saw).await.unwrap()
}

#[test]
fn only_what_lies_below_a_walked_directory_is_missing() {
    on_strange_disks(|fx| async {
        for dir in ["/d", "/d/e", "/x"] {
            fx.dir(dir).await;
        }
        let seen = fx.put("/d/seen", A, 1).await;
        for gone in ["/d/gone", "/d/e/gone", "/x/elsewhere", "/elsewhere"] {
            fx.put(gone, A, 1).await;
        }
        fx.follow(A).await;
        let said = ends(&fx, &["/d", "/d/e", "/nothing"], vec![], &[seen.id]).await;
        assert_eq!((said.missing, said.lost, said.unsettled), (2, 2, 0));
        let said = ends(&fx, &["/"], vec![], &[seen.id]).await;
        assert_eq!(said.missing, 2, "of all there is");
        fx
    });
}

#[test]
fn of_entries_that_were_looked_at_those_that_are_not_there_are_missing() {
    on_strange_disks(|fx| async {
        let (d, e) = (fx.dir("/d").await, fx.dir("/d/e").await);
        let there = fx.put("/d/there", A, 1).await;
        for file in ["/d/gone", "/d/not looked at", "/d/e/below"] {
            fx.put(file, A, 1).await;
        }
        fx.follow(A).await;
        let names = ["there", "gone", "e", "of nobody"];
        let found = vec![file("there", 1, Some(there.file()))];
        let merged = look(&fx, &[(d.id, "d")], &names, found).await;
        let gone = [fx.stat("/d/gone").await.unwrap().id, e.id];
        assert_eq!((merged.good, merged.gone.as_slice()), (1, &gone[..]));
        let said = ends(&fx, &[], merged.gone, &merged.seen).await;
        assert_eq!((said.missing, said.unsettled), (2, 0));
        // It comes back with a look at it alone.
        let back = fx.stat("/d/gone").await.unwrap();
        let found = vec![file("gone", 1, Some(back.file()))];
        let merged = look(&fx, &[(d.id, "d")], &["gone"], found).await;
        assert_eq!((merged.good, merged.gone.len()), (1, 0));
        fx
    });
}

#[test]
fn of_a_directory_that_is_not_there_all_that_was_looked_for_is_gone() {
    on_strange_disks(|fx| async {
        fx.dir("/d").await;
        let gone = fx.put("/d/gone", A, 1).await;
        fx.follow(A).await;
        let nobody = (NodeId(0), "d");
        let merged = look(&fx, &[nobody], &["gone"], vec![]).await;
        assert_eq!(merged.gone, [gone.id]);
        // A directory by that name which is another one says nothing of this one.
        let other = fx.dir("/other").await;
        let merged = look(&fx, &[(other.id, "d")], &["gone"], vec![]).await;
        assert_eq!(merged.gone, []);
        fx
    });
}

#[test]
fn what_happened_since_a_walk_of_parts_began_is_for_a_later_one() {
    on_strange_disks(|fx| async {
        let d = fx.dir("/d").await;
        let file = fx.put("/d/f", A, 1).await;
        fx.follow(A).await;
        let merged = look(&fx, &[(d.id, "d")], &["f"], vec![]).await;
        assert_eq!(merged.gone, [file.id]);
        fx.put("/d/new", A, 1).await;
        let said = ends(&fx, &["/d"], merged.gone, &[]).await;
        assert_eq!((said.missing, said.unsettled), (0, 3));
        fx
    });
}

#[test]
fn parts_that_miss_too_much_hold_the_root() {
    on_strange_disks(|fx| async {
        fx.dir("/d").await;
        for n in 0..101 {
            fx.put(&format!("/d/{n}"), A, 1).await;
        }
        fx.follow(A).await;
        let said = ends(&fx, &["/d"], vec![], &[]).await;
        assert!(said.held, "{said:?}");
        assert!(fx.vfs.part_walk_begins(A).unwrap().held);
        fx
    });
}
