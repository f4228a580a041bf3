//! Digests that a walk tells: what agrees is settled, what differs is to be shown, what was touched meanwhile comes later.

use drftpd_protocol::digest::digest;
use drftpd_protocol::wire::DirDigest;

use super::*;

/// A directory of A as its disk has it.
fn told(dir: &Entry, files: &[&Entry], applied: u64) -> DirDigest {
    let sum = files.iter().fold(0_u128, |sum, entry| {
        let name = name_of(entry);
        sum.wrapping_add(digest(name.as_bytes(), entry.file(), entry.size))
    });
    DirDigest {
        number: 1,
        dir: dir.id,
        above: dir.parent,
        name: dir.name.clone(),
        sum: sum.to_le_bytes(),
        applied: OpSeq(applied),
    }
}

async fn judge(fx: &Fixture, since: OpSeq, told: DirDigest) -> &'static str {
    let dir = told.dir;
    let judged = fx.vfs.judge_digests(A, since, vec![told]).await.unwrap();
    match (&judged.agreed[..], &judged.list[..], judged.later) {
        ([agreed], [], 0) if *agreed == dir => "agrees",
        ([], [1], 0) => "list",
        ([], [], 1) => "later",
        _ => panic!("{judged:?}"),
    }
}

#[test]
fn a_directory_agrees_when_all_its_copies_are_there_and_nothing_else_is() {
    with_vfs(|fx| async {
        let d = fx.dir("/d").await;
        let (a, b) = (fx.put("/d/a", A, 5).await, fx.put("/d/b", A, 6).await);
        let other = fx.put("/d/other", B, 6).await;
        let since = OpSeq(2);
        assert_eq!(judge(&fx, since, told(&d, &[&a, &b], 0)).await, "agrees");
        assert_eq!(judge(&fx, since, told(&d, &[&a], 0)).await, "list");
        assert_eq!(
            judge(&fx, since, told(&d, &[&a, &b, &other], 0)).await,
            "list"
        );
        let grown = Entry {
            size: 7,
            ..b.clone()
        };
        assert_eq!(judge(&fx, since, told(&d, &[&a, &grown], 0)).await, "list");
        let top = fx.stat("/").await.unwrap();
        assert_eq!(judge(&fx, since, told(&top, &[], 0)).await, "agrees");
        fx
    });
}

#[test]
fn what_was_touched_behind_what_the_disk_had_followed_is_judged_later() {
    with_vfs(|fx| async {
        let d = fx.dir("/d").await;
        let a = fx.put("/d/a", A, 5).await;
        let b = fx.put("/d/b", A, 6).await;
        // Not yet published: what it misses may be on its way.
        assert_eq!(judge(&fx, OpSeq(1), told(&d, &[&a], 0)).await, "later");
        assert_eq!(judge(&fx, OpSeq(1), told(&d, &[&a], 1)).await, "later");
        assert_eq!(judge(&fx, OpSeq(1), told(&d, &[&a], 2)).await, "list");
        assert_eq!(judge(&fx, OpSeq(1), told(&d, &[&a, &b], 0)).await, "agrees");
        fx
    });
}

#[test]
fn a_directory_that_lies_elsewhere_is_to_be_shown_unless_it_is_about_to_move() {
    with_vfs(|fx| async {
        let d = fx.dir("/d").await;
        let a = fx.put("/d/a", A, 5).await;
        let strayed = Entry {
            name: Some(drftpd_protocol::Name::new(&b"e"[..]).unwrap()),
            ..d.clone()
        };
        assert_eq!(judge(&fx, OpSeq(1), told(&strayed, &[&a], 0)).await, "list");
        fx.rename("/d", "/renamed").await.unwrap();
        assert_eq!(judge(&fx, OpSeq(1), told(&d, &[&a], 0)).await, "later");
        assert_eq!(judge(&fx, OpSeq(1), told(&d, &[&a], 2)).await, "list");
        let moved = fx.stat("/renamed").await.unwrap();
        assert_eq!(judge(&fx, OpSeq(1), told(&moved, &[&a], 2)).await, "agrees");
        fx
    });
}

#[test]
fn a_directory_that_the_tree_does_not_know_is_to_be_shown() {
    with_vfs(|fx| async {
        let d = fx.dir("/d").await;
        fx.vfs.remove_dir(&path("/d"), None).await.unwrap();
        assert_eq!(judge(&fx, OpSeq(0), told(&d, &[], 0)).await, "list");
        fx
    });
}

#[test]
fn in_directories_that_agree_nothing_is_missing() {
    on_strange_disks(|fx| async {
        let (d, e) = (fx.dir("/d").await, fx.dir("/e").await);
        fx.put("/d/a", A, 5).await;
        fx.put("/e/b", A, 5).await;
        fx.follow(A).await;
        let mut saw = SawAll {
            since: fx.vfs.walk_begins(A).await.unwrap().since,
            conclude: true,
            ..SawAll::default()
        };
        saw.agreed.extend([d.id]);
        let said = fx.vfs.walked(A, &slave("alpha"), saw).await.unwrap();
        assert_eq!((said.copies, said.missing), (2, 1));
        assert_eq!(fx.vfs.readable(&path("/e/b")).await.unwrap().holders, []);
        assert!(is_new(e.id));
        fx
    });
}
