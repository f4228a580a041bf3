//! Disks that are newer than the store, which was restored from a backup; and files in quarantine.

use drftpd_protocol::Generation;

use super::merge::{NONE, file};
use super::*;

/// An identity that a start of another store may have given out, or of this one after the backup: of the second
/// `seconds` behind the time of the test.
fn unknown(seconds: i64) -> FileId {
    let (clock, dice) = (Clock::manual(NOW + seconds), Dice::seeded(3));
    let dir = TempDir::new().unwrap();
    let store = Store::inline(
        dir.path(),
        &StoreConfig::DEFAULT,
        Case::Sensitive,
        &clock,
        &dice,
    );
    FileId {
        node: store.unwrap().ids().node().unwrap(),
        generation: Generation(1),
    }
}

async fn differences(fx: &Fixture) -> Vec<(String, Why)> {
    let mut all: Vec<Difference> = Vec::new();
    loop {
        let after = all
            .last()
            .map(|last| last.spot.to_string().parse().unwrap());
        let page = fx.vfs.differences(after, None, 2).await.unwrap();
        let more = page.len() == 2;
        all.extend(page);
        if !more {
            break;
        }
    }
    let whole = fx.vfs.differences(None, None, 100).await.unwrap();
    assert_eq!(all, whole);
    let count = fx.vfs.count_differences().await.unwrap();
    assert_eq!(all.len() as u64, count);
    let shown = |it: Difference| (String::from_utf8(it.path).unwrap(), it.why);
    all.into_iter().map(shown).collect()
}

async fn walk(fx: &Fixture, found: Vec<drftpd_protocol::wire::WalkEntry>) -> (Merged, Concluded) {
    fx.follow(A).await;
    let began = fx.vfs.walk_begins(A).await.unwrap();
    let merged = fx.page(A, &[], found).await;
    let mut saw = SawAll {
        since: began.since,
        conclude: merged.unknown == 0,
        ..SawAll::default()
    };
    saw.seen.extend(merged.seen.iter().copied());
    let said = fx.vfs.walked(A, &slave("alpha"), saw).await.unwrap();
    (merged, said)
}

#[test]
fn in_recovery_nothing_is_set_aside_or_missing_and_all_is_listed() {
    on_strange_disks(|fx| async {
        let gone = fx.put("/gone", A, 5).await;
        fx.vfs.delete(&path("/gone"), None).await.unwrap();
        fx.put("/not on the disk", A, 5).await;
        let later = unknown(-5);
        let found = || {
            vec![
                file("new", 7, Some(later)),
                file("gone", 5, Some(gone.file())),
            ]
        };
        let (merged, said) = walk(&fx, found()).await;
        assert_eq!((merged.unknown, merged.set_aside, said.missing), (1, 0, 0));
        assert!(fx.ops(A).await.is_empty());
        let expected = [
            ("gone".to_owned(), Why::NotLive),
            ("new".to_owned(), Why::Unknown),
        ];
        assert_eq!(differences(&fx).await, expected);
        // Another root says nothing of that, and is in recovery too.
        fx.page(B, &[], vec![file("gone", 5, Some(gone.file()))])
            .await;
        assert!(fx.ops(B).await.is_empty());
        fx
    });
}

#[test]
fn recovery_is_over_when_a_whole_walk_finds_nothing_unknown_any_more() {
    on_strange_disks(|fx| async {
        let gone = fx.put("/gone", A, 5).await;
        fx.vfs.delete(&path("/gone"), None).await.unwrap();
        walk(&fx, vec![file("new", 7, Some(unknown(-5)))]).await;
        assert!(fx.store.read(recovering).unwrap());
        assert_eq!(walk(&fx, vec![]).await.0.unknown, 0);
        assert!(!fx.store.read(recovering).unwrap() && differences(&fx).await.is_empty());
        let (merged, _) = walk(&fx, vec![file("gone", 5, Some(gone.file()))]).await;
        assert_eq!(merged.set_aside, 1);
        fx
    });
}

#[test]
fn what_only_the_disk_knows_comes_into_the_tree_when_an_operator_says_so() {
    on_strange_disks(|fx| async {
        let old = fx.put("/old", A, 5).await;
        fx.put("/taken", A, 5).await;
        let newer = FileId {
            node: old.id,
            generation: Generation(unknown(-4).node.0),
        };
        let (new, beside) = (unknown(-5), unknown(-6));
        let found = || {
            vec![
                file("new", 7, Some(new)),
                file("old", 9, Some(newer)),
                file("taken", 3, Some(beside)),
            ]
        };
        assert!(
            !fx.vfs.decide_recovery(Decision::Adopt).await.unwrap(),
            "there is none"
        );
        assert_eq!(walk(&fx, found()).await.0.unknown, 3);
        assert!(fx.vfs.decide_recovery(Decision::Adopt).await.unwrap());
        let (merged, said) = walk(&fx, found()).await;
        assert_eq!((merged.unknown, merged.adopted, merged.good), (0, 2, 1));
        assert_eq!(said.missing, 0, "/taken is younger than the walk");
        assert_eq!(
            fx.names("/").await,
            ["new", "old", "taken", "taken.conflict-alpha"]
        );
        assert_eq!(fx.totals("/").await, (7 + 9 + 5 + 3, 4));
        assert_eq!(fx.stat("/new").await.unwrap().file(), new);
        assert_eq!(fx.stat("/old").await.unwrap().file(), newer);
        let readable = fx.vfs.readable(&path("/old")).await.unwrap();
        assert_eq!((readable.entry.size, readable.holders.len()), (9, 1));
        let ops = short(&fx.ops(A).await);
        assert_eq!(ops, ["delete /old", "move /taken /taken.conflict-alpha"]);
        // Once more it is what the tree has.
        let (merged, _) = walk(&fx, vec![file("new", 7, Some(new))]).await;
        assert_eq!(merged.good, 1);
        fx
    });
}

#[test]
fn one_that_was_taken_in_does_not_make_its_neighbours_deleted_files() {
    on_strange_disks(|fx| async {
        let first = unknown(-5);
        let later = FileId {
            node: NodeId(first.node.0 + 4),
            ..first
        };
        walk(&fx, vec![file("later", 7, Some(later))]).await;
        assert!(fx.vfs.decide_recovery(Decision::Adopt).await.unwrap());
        walk(&fx, vec![file("later", 7, Some(later))]).await;
        // Its slave was away when the others were taken in.
        let found = vec![file("first", 7, Some(first)), file("later", 7, Some(later))];
        let (merged, _) = walk(&fx, found).await;
        assert_eq!((merged.adopted, merged.good, merged.set_aside), (1, 1, 0));
        assert_eq!(fx.names("/").await, ["first", "later"]);
        fx
    });
}

#[test]
fn what_the_store_does_not_know_goes_to_the_trash_when_an_operator_says_so_but_not_what_is_later_still()
 {
    on_strange_disks(|fx| async {
        let new = unknown(-5);
        walk(&fx, vec![file("new", 7, Some(new))]).await;
        assert!(fx.vfs.decide_recovery(Decision::SetAside).await.unwrap());
        let later = unknown(50);
        let found = vec![file("new", 7, Some(new)), file("later", 7, Some(later))];
        let (merged, _) = walk(&fx, found).await;
        assert_eq!((merged.set_aside, merged.unknown), (1, 1));
        assert_eq!(short(&fx.ops(A).await), ["aside /new"]);
        fx
    });
}

#[test]
fn files_in_quarantine_are_listed_for_the_operator_and_for_nobody_else() {
    let dir = TempDir::new().unwrap();
    sim(async {
        let (clock, dice) = (Clock::manual(NOW), Dice::seeded(1));
        let config = StoreConfig::DEFAULT;
        let store = Store::inline(dir.path(), &config, Case::Sensitive, &clock, &dice).unwrap();
        let config = VfsConfig {
            foreign: Foreign::Quarantine,
            ..VfsConfig::default()
        };
        let fx = Fixture::with_config(store, clock, config).await;
        let found = || vec![file("by hand", 7, None)];
        let (merged, _) = walk(&fx, found()).await;
        assert_eq!((merged.quarantined, merged.adopted), (1, 0));
        assert!(fx.names("/").await.is_empty() && fx.ops(A).await.is_empty());
        let merged = fx.page(A, &[(NONE, "dir")], found()).await;
        assert_eq!(merged.quarantined, 1);
        assert!(fx.names("/").await.is_empty());
        let listed = [
            ("by hand".to_owned(), Why::Quarantined),
            ("dir/by hand".to_owned(), Why::Quarantined),
        ];
        assert_eq!(differences(&fx).await, listed);
        assert!(!fx.store.read(recovering).unwrap());
        walk(&fx, vec![]).await;
        assert!(differences(&fx).await.is_empty());
        invariants::check(&fx.store);
    });
}
