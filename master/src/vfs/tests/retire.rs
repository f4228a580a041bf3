//! Roots that are given up: what is lost with them is told before, and nothing of them is left behind.

use super::merge::file;
use super::*;
use crate::store::{StoreError, id};

async fn holders(fx: &Fixture, at: &str) -> Vec<RootId> {
    let readable = fx.vfs.readable(&path(at)).await.unwrap();
    readable.holders.into_iter().map(|(root, _)| root).collect()
}

/// Rows of the store that still name a root.
fn rows(fx: &Fixture, of: RootId) -> u64 {
    let query = "SELECT (SELECT count(*) FROM copy WHERE copy.root = root.key)
        + (SELECT count(*) FROM root_dir WHERE root_dir.root = root.key)
        + (SELECT count(*) FROM root_log WHERE root_log.root = root.key)
        + (SELECT count(*) FROM upload WHERE upload.root = root.key)
        FROM root WHERE id = ?1";
    let counted: Result<_, StoreError> = fx
        .store
        .read(|sql| sql.get(query, [&of.0[..]], |row| id(row, 0)));
    counted.unwrap().unwrap()
}

/// `/both` has a second copy on B; `/d/last` and `/d/lost` are on A alone, where an upload broke off, too.
async fn some(fx: &Fixture) -> Upload {
    fx.dir("/d").await;
    let both = fx.put("/both", A, 5).await;
    fx.page(B, &[], vec![file("both", 5, Some(both.file()))])
        .await;
    fx.put("/d/last", A, 6).await;
    fx.put("/d/lost", A, 7).await;
    fx.put("/other", B, 8).await;
    let half = fx.begin("/half", UploadMode::Store, A).await.unwrap();
    fx.vfs.break_upload(half.file, A, Some(3)).await.unwrap();
    half
}

#[test]
fn what_would_be_lost_with_a_root_or_a_slave_is_counted_and_named() {
    on_strange_disks(|fx| async {
        some(&fx).await;
        let one = fx.vfs.loss(Leaving::Root(A)).await.unwrap();
        assert_eq!((one.copies, one.last, one.uploads), (3, 2, 1));
        assert_eq!(one.paths, [path("/d/last"), path("/d/lost")]);
        let all = fx.vfs.loss(Leaving::Slave(slave("alpha"))).await.unwrap();
        assert_eq!(all, one);
        let other = fx.vfs.loss(Leaving::Root(B)).await.unwrap();
        assert_eq!((other.copies, other.last), (2, 1));
        // Both disks of one slave: neither is another place than the other.
        fx.vfs.root_shown(B, &slave("alpha")).await.unwrap();
        let both = fx.vfs.loss(Leaving::Slave(slave("alpha"))).await.unwrap();
        assert_eq!((both.roots.len(), both.copies, both.last), (2, 5, 4));
        fx
    });
}

#[test]
fn entries_stay_and_nothing_else_is_left_of_a_retired_root() {
    on_strange_disks(|fx| async {
        some(&fx).await;
        fx.vfs.retire_root(A).await.unwrap();
        assert_eq!(rows(&fx, A), 0);
        assert_eq!(holders(&fx, "/both").await, [B]);
        assert_eq!(holders(&fx, "/d/last").await, []);
        assert_eq!(fx.names("/d").await, ["last", "lost"]);
        assert_eq!(fx.totals("/").await, (26, 4));
        let half = fx.stat("/half").await;
        assert!(
            matches!(half, Err(VfsError::NotFound(_))),
            "it can be sent anew"
        );
        // What happens to them later on is nobody's to do.
        fx.rename("/d", "/e").await.unwrap();
        fx.rename("/e/last", "/e/least").await.unwrap();
        fx.vfs.delete(&path("/e/lost"), None).await.unwrap();
        fx.put("/e/least", B, 9).await;
        assert_eq!((rows(&fx, A), holders(&fx, "/e/least").await), (0, vec![B]));
        fx
    });
}

#[test]
fn a_retired_root_is_not_taken_any_more() {
    on_strange_disks(|fx| async {
        some(&fx).await;
        fx.vfs.retire_root(A).await.unwrap();
        fx.vfs.retire_root(A).await.unwrap();
        let shown = fx.vfs.root_shown(A, &slave("alpha")).await;
        assert!(matches!(shown, Err(VfsError::RetiredRoot(A))));
        let begun = fx.begin("/new", UploadMode::Store, A).await;
        assert!(matches!(begun, Err(VfsError::UnknownRoot(A))));
        let nobody = fx.vfs.retire_root(RootId([9; 16])).await;
        assert!(matches!(nobody, Err(VfsError::UnknownRoot(_))));
        fx
    });
}

#[test]
fn a_root_that_uploads_run_to_is_not_retired() {
    on_strange_disks(|fx| async {
        let upload = fx.begin("/up", UploadMode::Store, A).await.unwrap();
        let refused = fx.vfs.retire_root(A).await;
        assert!(matches!(
            refused,
            Err(VfsError::RootInUse { uploads: 1, .. })
        ));
        fx.commit(upload.file, A, 4).await.unwrap();
        fx.vfs.retire_root(A).await.unwrap();
        assert_eq!(holders(&fx, "/up").await, []);
        fx
    });
}

#[test]
fn giving_up_a_root_of_many_files_goes_in_pages_with_the_changes_of_others_between() {
    on_strange_disks(|fx| async {
        fx.dir("/d").await;
        for n in 0..2500 {
            fx.put(&format!("/d/{n}"), if n % 5 == 0 { B } else { A }, 1)
                .await;
        }
        let client = fx.vfs.clone();
        let (retired, changed) = tokio::join!(client.retire_root(A), async {
            for n in 0..20 {
                fx.rename(&format!("/d/{n}"), &format!("/moved {n}"))
                    .await?;
                fx.vfs.delete(&path(&format!("/moved {n}")), None).await?;
            }
            Ok::<_, VfsError>(())
        });
        retired.unwrap();
        changed.unwrap();
        assert_eq!(rows(&fx, A), 0);
        let loss = fx.vfs.loss(Leaving::Root(B)).await.unwrap();
        assert_eq!(loss.copies, 500 - 4);
        assert_eq!(fx.totals("/d").await, (2480, 2480));
        fx
    });
}
