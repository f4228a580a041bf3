//! The file list over the store of production, whose writer is a thread: what is seen while a
//! change is on its way.

use std::sync::mpsc;

use drftpd_actors::block_on;

use super::*;
use crate::store::{Batch, Command, StoreError};

/// Holds the writer until the test lets it go.
struct Held(mpsc::Receiver<()>);

impl Command for Held {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, _: &Batch<'_>) -> Result<(), StoreError> {
        self.0.recv().unwrap_or_default();
        Ok(())
    }
}

async fn open(dir: &Path) -> Fixture {
    let (clock, dice) = (Clock::manual(NOW), Dice::seeded(1));
    let store = Store::open(dir, &StoreConfig::DEFAULT, Case::Sensitive, &clock, &dice);
    Fixture::over(store.unwrap(), clock).await
}

#[test]
fn an_upload_is_seen_before_its_intent_is_stored() {
    let dir = TempDir::new().unwrap();
    block_on(async {
        let fx = open(dir.path()).await;
        fx.dir("/d").await;
        for name in ["/d/a", "/d/c"] {
            fx.put(name, A, 1).await;
        }
        let (go, held) = mpsc::channel();
        let held = fx.store.submit(Held(held)).unwrap();
        let upload = fx.begin("/d/b", UploadMode::Store, A).await.unwrap();
        fx.vfs.upload_grew(upload.file, 9);
        let entry = fx.stat("/d/b").await.unwrap();
        assert_eq!((entry.state, entry.size), (FileState::Uploading, 9));
        assert_eq!(fx.names("/d").await, ["a", "b", "c"]);
        let readable = fx.vfs.readable(&path("/d/b")).await.unwrap();
        assert_eq!(readable.holders, [(A, OpSeq(2))]);
        let again = fx.begin("/d/b", UploadMode::Store, A).await;
        assert!(matches!(again, Err(VfsError::Busy(_))));
        go.send(()).unwrap();
        held.answer().await.unwrap();
        fx.commit(upload.file, A, 10).await.unwrap();
        assert_eq!(fx.names("/d").await, ["a", "b", "c"]);
        assert_eq!(fx.vfs.running_uploads(), 0);
        invariants::check(&fx.store);
    })
    .unwrap();
}

#[test]
fn a_commit_after_a_refused_intent_fails_cleanly() {
    let dir = TempDir::new().unwrap();
    block_on(async {
        let fx = open(dir.path()).await;
        let (go, held) = mpsc::channel();
        let held = fx.store.submit(Held(held)).unwrap();
        // The directory is queued first and takes the place.
        let (taken, owner) = (path("/x"), ann());
        let made = fx.vfs.make_dir(&taken, owner);
        let begun = async {
            let upload = fx.begin("/x", UploadMode::Store, A).await.unwrap();
            go.send(()).unwrap();
            upload
        };
        let (made, upload) = tokio::join!(made, begun);
        made.unwrap();
        held.answer().await.unwrap();
        let commit = fx.commit(upload.file, A, 5).await;
        assert!(matches!(commit, Err(VfsError::NoUpload)));
        assert_eq!(fx.stat("/x").await.unwrap().kind, Kind::Dir);
        fx.vfs.break_upload(upload.file, A, Some(5)).await.unwrap();
        assert_eq!(short(&fx.ops(A).await), ["discard"]);
        assert_eq!(fx.vfs.running_uploads(), 0);
    })
    .unwrap();
}

#[test]
fn an_upload_waits_for_a_page_that_may_adopt_a_file_at_its_place() {
    let dir = TempDir::new().unwrap();
    block_on(async {
        let fx = open(dir.path()).await;
        let d = fx.dir("/d").await;
        let (go, held) = mpsc::channel();
        let held = fx.store.submit(Held(held)).unwrap();
        // The page is queued first.
        let at = [(d.id, "d")];
        let page = fx.page(A, &at, vec![merge::file("x", 9, None)]);
        let upload = async {
            let beside = fx.begin("/d/y", UploadMode::Store, A);
            let taken = fx.begin("/d/x", UploadMode::Store, A);
            // Another directory has nothing to do with it: that one is begun at once, after these two.
            let elsewhere = async {
                let begun = fx.begin("/x", UploadMode::Store, A).await;
                go.send(()).unwrap();
                begun.unwrap()
            };
            let (taken, beside, elsewhere) = tokio::join!(taken, beside, elsewhere);
            assert!(matches!(taken, Err(VfsError::JustFound(_))), "{taken:?}");
            for upload in [elsewhere, beside.unwrap()] {
                fx.commit(upload.file, A, 5).await.unwrap();
            }
        };
        let (merged, ()) = tokio::join!(page, upload);
        assert_eq!(merged.adopted, 1);
        held.answer().await.unwrap();
        // Now it is a file like any other.
        let over = fx.begin("/d/x", UploadMode::Store, A).await.unwrap();
        fx.commit(over.file, A, 7).await.unwrap();
        assert_eq!(fx.totals("/").await, (17, 3));
        invariants::check(&fx.store);
    })
    .unwrap();
}

#[test]
fn many_uploads_at_once_are_all_committed() {
    let dir = TempDir::new().unwrap();
    block_on(async {
        let fx = open(dir.path()).await;
        let one = |n: u64| {
            let fx = &fx;
            async move {
                fx.put(
                    &format!("/file-{n}"),
                    if n.is_multiple_of(2) { A } else { B },
                    n,
                )
                .await
            }
        };
        futures_util::future::join_all((0..200).map(one)).await;
        assert_eq!(fx.totals("/").await, ((0..200).sum(), 200));
        invariants::check(&fx.store);
    })
    .unwrap();
}
