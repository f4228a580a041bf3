//! What walks of a shared root do not believe: too much at once, and what became of bytes that are known to be bad.

use super::merge::file;
use super::shared::{Walk, dir, edited, holders};
use super::*;
use crate::vfs::scrub::{Reading, Scope};

#[test]
fn too_much_at_once_is_not_believed_and_renames_do_not_count() {
    on_strange_disks(|fx| async {
        let d = fx.dir("/d").await;
        let mut files = Vec::new();
        for n in 0..101 {
            files.push(fx.put(&format!("/d/{n}"), A, 1).await);
        }
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["d"], vec![]).await;
        let found = |n: usize| file(&n.to_string(), 1, Some(files[n].file()));
        walk.look(&[], &["new"], vec![dir("new", d.id)]).await;
        walk.look(&[(d.id, "new")], &[], (0..101).map(found).collect())
            .await;
        let said = walk.end().await;
        assert_eq!((said.renamed, said.held), (1, false));
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["new"], vec![]).await;
        let said = walk.end().await;
        assert_eq!((said.held, said.removed, said.missing), (true, 0, 101));
        assert_eq!(fx.totals("/").await, (101, 101));
        assert_eq!(fx.vfs.confirm_root(A).await.unwrap(), Some(101));
        let mut walk = Walk::begin(&fx).await;
        walk.whole = true;
        assert_eq!(walk.end().await.removed, 101);
        fx
    });
}

#[test]
fn what_is_removed_slowly_is_too_much_too() {
    on_strange_disks(|fx| async {
        for n in 0..80 {
            fx.put(&format!("/{n}"), A, 1).await;
        }
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["1", "2"], vec![]).await;
        if let Some(shared) = &mut walk.saw.shared {
            shared.lately = 99;
        }
        let said = walk.end().await;
        assert!(said.held && said.missing == 2, "{said:?}");
        fx
    });
}

/// A file on A, and perhaps on B, of which reading it again has found the copy on A to be damaged.
async fn damaged(fx: &Fixture, at: &str, good_on: &[RootId]) -> Entry {
    let entry = fx.put(at, A, 5).await;
    for root in good_on {
        assert!(
            fx.vfs
                .add_copy(entry.file(), *root, bytes(5))
                .await
                .unwrap()
        );
    }
    fx.vfs.begin_passes(Scope::Root(A)).await.unwrap();
    let pass = fx.vfs.next_pass(A).await.unwrap().unwrap();
    let reading = Reading::Unreadable("bad bytes".into());
    let told = fx
        .vfs
        .take_readings(&pass, vec![(entry.file(), reading)], entry.id);
    assert_eq!(told.await.unwrap().len(), 1);
    entry
}

#[test]
fn an_edit_of_bad_bytes_is_no_truth_while_others_have_good_ones() {
    on_strange_disks(|fx| async {
        let entry = damaged(&fx, "/f", &[B]).await;
        let mut walk = Walk::begin(&fx).await;
        let found = edited(file("f", 5, Some(entry.file())));
        let merged = walk.look(&[], &["f"], vec![found]).await;
        assert_eq!((merged.edited, walk.again), (0, 1));
        assert_eq!(walk.end().await.removed, 0);
        assert_eq!(short(&fx.ops(A).await).last().unwrap(), "disown /f");
        // Of the same size it may be that somebody has brought the bytes back.
        let mut walk = Walk::begin(&fx).await;
        let mut merged = walk.look(&[], &["f"], vec![file("f", 5, None)]).await;
        let compare = merged.compare.pop().unwrap();
        assert_eq!((compare.live, merged.edited), (entry.file(), 0));
        let of = async |equal| {
            let compared = vec![(compare.clone(), equal)];
            fx.vfs
                .merge_compared(A, &slave("alpha"), compared)
                .await
                .unwrap()
        };
        assert_eq!(of(false).await.kept_beside, [path("/f.conflict-alpha")]);
        assert_eq!(
            (holders(&fx, "/f").await, walk.end().await.removed),
            (vec![B], 0)
        );
        fx.follow(A).await;
        assert_eq!(of(true).await.adopted, 1);
        assert_eq!(holders(&fx, "/f").await, [A, B]);
        assert_eq!(fx.stat("/f").await.unwrap().file(), entry.file());
        fx
    });
}

#[test]
fn what_was_put_in_the_place_of_bad_bytes_is_kept_beside() {
    on_strange_disks(|fx| async {
        let entry = damaged(&fx, "/f", &[B]).await;
        let mut walk = Walk::begin(&fx).await;
        let merged = walk.look(&[], &["f"], vec![file("f", 9, None)]).await;
        assert_eq!(merged.kept_beside, [path("/f.conflict-alpha")]);
        assert_eq!(walk.end().await.removed, 0);
        assert_eq!(fx.stat("/f").await.unwrap().file(), entry.file());
        assert_eq!(holders(&fx, "/f").await, [B]);
        fx
    });
}

#[test]
fn where_nobody_has_good_bytes_others_are_believed_as_ever() {
    on_strange_disks(|fx| async {
        let old = damaged(&fx, "/edited", &[]).await;
        damaged(&fx, "/removed", &[]).await;
        let mut walk = Walk::begin(&fx).await;
        let found = edited(file("edited", 7, Some(old.file())));
        assert_eq!(walk.look(&[], &["edited"], vec![found]).await.edited, 1);
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["removed"], vec![]).await;
        assert_eq!(walk.end().await.removed, 1);
        assert_eq!(fx.names("/").await, ["edited"]);
        assert!(fx.stat("/edited").await.unwrap().generation > old.generation);
        assert_eq!(holders(&fx, "/edited").await, [A]);
        assert_eq!(fx.totals("/").await, (7, 1));
        fx
    });
}

#[test]
fn bad_bytes_that_others_removed_are_brought_back_from_good_ones() {
    on_strange_disks(|fx| async {
        let entry = damaged(&fx, "/f", &[B]).await;
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["f"], vec![]).await;
        let said = walk.end().await;
        assert_eq!((said.removed, said.unsettled), (0, 1));
        assert!(fx.vfs.add_copy(entry.file(), A, bytes(5)).await.unwrap());
        assert_eq!(holders(&fx, "/f").await, [A, B]);
        fx
    });
}

#[test]
fn bad_bytes_that_others_moved_are_bad_there_too() {
    on_strange_disks(|fx| async {
        let d = fx.dir("/d").await;
        fx.put("/d/there", A, 1).await;
        let entry = damaged(&fx, "/d/f", &[B]).await;
        let mut walk = Walk::begin(&fx).await;
        walk.whole = true;
        // The digest of where it lay is that of the good copies alone.
        walk.saw.agreed.extend([d.id]);
        walk.look(
            &[],
            &[],
            vec![dir("d", d.id), file("moved", 5, Some(entry.file()))],
        )
        .await;
        let said = walk.end().await;
        assert_eq!((said.renamed, said.removed), (1, 0));
        assert_eq!(fx.stat("/moved").await.unwrap().file(), entry.file());
        assert_eq!(holders(&fx, "/moved").await, [B]);
        fx
    });
}
