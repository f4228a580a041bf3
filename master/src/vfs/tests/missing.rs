//! Walks that saw everything: what they did not see is missing, and too much of it is not believed.

use super::merge::file;
use super::*;

/// Ends a walk of A that began there and saw these files.
async fn ends(fx: &Fixture, began: Begins, seen: &[&Entry]) -> Concluded {
    let mut saw = SawAll {
        since: began.since,
        conclude: true,
        ..SawAll::default()
    };
    saw.seen.extend(seen.iter().map(|entry| entry.id));
    fx.vfs.walked(A, &slave("alpha"), saw).await.unwrap()
}

/// A walk of A of which nothing happens meanwhile.
async fn walk(fx: &Fixture, seen: &[&Entry]) -> Concluded {
    fx.follow(A).await;
    let began = fx.vfs.walk_begins(A).await.unwrap();
    ends(fx, began, seen).await
}

async fn holders(fx: &Fixture, at: &str) -> Vec<RootId> {
    let readable = fx.vfs.readable(&path(at)).await.unwrap();
    readable.holders.into_iter().map(|(root, _)| root).collect()
}

#[test]
fn a_copy_that_was_not_seen_is_missing_its_entry_stays_and_it_may_come_back() {
    on_strange_disks(|fx| async {
        let (a, b) = (fx.put("/a", A, 5).await, fx.put("/b", A, 6).await);
        let said = walk(&fx, &[&a]).await;
        assert_eq!((said.copies, said.missing, said.lost), (2, 1, 1));
        assert_eq!(fx.names("/").await, ["a", "b"]);
        assert_eq!(fx.totals("/").await, (11, 2));
        assert_eq!(
            (holders(&fx, "/a").await, holders(&fx, "/b").await),
            (vec![A], vec![])
        );
        assert_eq!(walk(&fx, &[&a]).await.missing, 0, "said once");
        let found = fx.page(A, &[], vec![file("b", 6, Some(b.file()))]).await;
        assert_eq!((found.good, found.seen), (1, vec![b.id]));
        assert_eq!(holders(&fx, "/b").await, [A]);
        fx
    });
}

#[test]
fn a_file_with_another_copy_is_not_lost_and_a_root_without_it_still_hears_of_its_delete() {
    on_strange_disks(|fx| async {
        let a = fx.put("/a", A, 5).await;
        fx.page(B, &[], vec![file("a", 5, Some(a.file()))]).await;
        let said = walk(&fx, &[]).await;
        assert_eq!((said.missing, said.lost), (1, 0));
        assert_eq!(holders(&fx, "/a").await, [B]);
        fx.vfs.delete(&path("/a"), None).await.unwrap();
        assert_eq!(short(&fx.ops(A).await), ["delete /a"]);
        fx
    });
}

#[test]
fn what_happened_since_the_walk_began_is_for_the_next_walk() {
    on_strange_disks(|fx| async {
        for dir in ["/d", "/d/e", "/d/e/deep", "/x", "/y"] {
            fx.dir(dir).await;
        }
        fx.put("/d/e/deep/moved with its directory", A, 1).await;
        fx.put("/x/moved", A, 1).await;
        fx.put("/x/overwritten", A, 1).await;
        let still = fx.put("/still", A, 1).await;
        fx.follow(A).await;
        let began = fx.vfs.walk_begins(A).await.unwrap();
        fx.rename("/d/e", "/y/e").await.unwrap();
        fx.rename("/x/moved", "/y/moved").await.unwrap();
        fx.put("/x/overwritten", A, 2).await;
        fx.put("/y/new", A, 2).await;
        let said = ends(&fx, began, &[&still]).await;
        assert_eq!((said.missing, said.unsettled), (0, 4));
        // All of it is done; now the same walk would have seen it.
        let said = walk(&fx, &[&still]).await;
        assert_eq!((said.missing, said.unsettled), (4, 0));
        fx
    });
}

#[test]
fn changes_in_directories_above_keep_nothing_from_being_missing() {
    on_strange_disks(|fx| async {
        fx.dir("/d").await;
        fx.put("/d/gone", A, 1).await;
        fx.follow(A).await;
        let began = fx.vfs.walk_begins(A).await.unwrap();
        fx.put("/new", A, 2).await;
        let said = ends(&fx, began, &[]).await;
        assert_eq!((said.missing, said.unsettled), (1, 1));
        fx
    });
}

#[test]
fn nothing_is_missing_when_the_store_is_older_than_the_disk() {
    on_strange_disks(|fx| async {
        fx.put("/a", A, 5).await;
        let said = fx
            .vfs
            .walked(A, &slave("alpha"), SawAll::default())
            .await
            .unwrap();
        assert_eq!(said, Concluded::default());
        assert_eq!(holders(&fx, "/a").await, [A]);
        fx
    });
}

#[test]
fn a_root_that_misses_too_much_is_held_until_that_is_confirmed() {
    on_strange_disks(|fx| async {
        fx.dir("/d").await;
        for n in 0..101 {
            fx.put(&format!("/d/{n}"), A, 1).await;
        }
        let said = walk(&fx, &[]).await;
        assert_eq!((said.missing, said.copies, said.held), (101, 101, true));
        assert!(fx.vfs.walk_begins(A).await.unwrap().held);
        assert_eq!(holders(&fx, "/d/7").await, [A]);
        // Nothing that it says counts.
        let before = fx.ops(A).await;
        let found = fx.page(A, &[], vec![file("new", 5, None)]).await;
        assert_eq!((found.adopted, fx.names("/").await.len()), (0, 1));
        assert_eq!(fx.ops(A).await, before);

        assert_eq!(fx.vfs.confirm_root(A).await.unwrap(), Some(101));
        assert_eq!(fx.vfs.confirm_root(A).await.unwrap(), None);
        let said = walk(&fx, &[]).await;
        assert_eq!((said.missing, said.lost, said.held), (101, 101, false));
        assert_eq!(fx.totals("/d").await, (101, 101));
        // That was for one walk.
        for n in 0..101 {
            fx.put(&format!("/d/again {n}"), A, 1).await;
        }
        assert!(walk(&fx, &[]).await.held);
        fx
    });
}

#[test]
fn a_hundred_missing_copies_are_believed() {
    on_strange_disks(|fx| async {
        for n in 0..100 {
            fx.put(&format!("/{n}"), A, 1).await;
        }
        let said = walk(&fx, &[]).await;
        assert_eq!((said.missing, said.held), (100, false));
        fx
    });
}
