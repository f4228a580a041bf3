//! What a new start of the master makes of uploads that the last one left.

use std::time::Duration;

use drftpd_protocol::wire::StagedEntry;

use super::*;

#[test]
fn an_upload_of_a_master_that_is_gone_is_incomplete_until_its_slave_tells() {
    let dir = TempDir::new().unwrap();
    let (told, replaced, old, over) = sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW).await;
        let told = fx.begin("/told", UploadMode::Store, A).await.unwrap();
        let replaced = fx.begin("/replaced", UploadMode::Store, A).await;
        let old = fx.put("/old", B, 9).await;
        let over = fx.begin("/old", UploadMode::Store, A).await.unwrap();
        (told, replaced.unwrap(), old, over)
    });
    sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW + 9).await;
        let readable = fx.vfs.readable(&path("/told")).await;
        assert!(matches!(readable, Err(VfsError::Incomplete(_))));
        let resumed = fx.begin("/told", UploadMode::Append, A).await;
        assert!(matches!(resumed, Err(VfsError::Incomplete(_))));
        let settled = fx.vfs.settle_orphan(told.file, A, Some(33)).await;
        settled.unwrap();
        let resumed = fx.begin("/told", UploadMode::Append, A).await.unwrap();
        assert_eq!(resumed.file, told.file);
        fx.commit(resumed.file, A, 50).await.unwrap();

        let anew = fx.begin("/replaced", UploadMode::Store, B).await.unwrap();
        assert!(anew.file.generation > replaced.file.generation);
        fx.commit(anew.file, B, 1).await.unwrap();

        fx.vfs.settle_orphan(over.file, A, Some(4)).await.unwrap();
        assert_eq!(fx.stat("/old").await.unwrap(), old);
        let discarded = short(&fx.ops(A).await);
        assert_eq!(discarded, ["publish /told", "discard", "discard"]);
        // Told once more, as a slave does until it is acknowledged.
        fx.vfs.settle_orphan(told.file, A, None).await.unwrap();
        assert_eq!(fx.ops(A).await.len(), 3);
        assert_eq!(fx.stat("/told").await.unwrap().size, 50);
        invariants::check(&fx.store);
    });
}

#[test]
fn a_lost_upload_of_which_a_whole_walk_tells_nothing_is_gone_and_a_running_one_is_not() {
    let dir = TempDir::new().unwrap();
    let (told, runs, old) = sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW).await;
        let told = fx.begin("/told", UploadMode::Store, A).await.unwrap();
        fx.begin("/empty", UploadMode::Store, A).await.unwrap();
        fx.begin("/elsewhere", UploadMode::Store, B).await.unwrap();
        let runs = fx.begin("/runs", UploadMode::Store, A).await.unwrap();
        let old = fx.put("/old", A, 9).await;
        fx.begin("/old", UploadMode::Store, A).await.unwrap();
        (told, runs, old)
    });
    sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW + 9).await;
        let staged = StagedEntry {
            file: told.file,
            size: 7,
            prepared: None,
        };
        fx.vfs.merge_staged(A, vec![staged]).await.unwrap();
        fx.vfs.walked(A, vec![runs.file]).await.unwrap();
        assert_eq!(fx.names("/").await, ["elsewhere", "old", "runs", "told"]);
        assert_eq!(fx.stat("/told").await.unwrap().size, 7);
        assert_eq!(fx.stat("/old").await.unwrap(), old);
        fx.begin("/old", UploadMode::Append, A).await.unwrap();
        fx.vfs.settle_orphan(runs.file, A, Some(5)).await.unwrap();
        fx.begin("/runs", UploadMode::Append, A).await.unwrap();
        invariants::check(&fx.store);
    });
}

#[test]
fn partial_uploads_expire_and_their_bytes_are_thrown_away() {
    with_vfs(|fx| async {
        for name in ["/one", "/two"] {
            let upload = fx.begin(name, UploadMode::Store, A).await.unwrap();
            fx.vfs.break_upload(upload.file, A, Some(5)).await.unwrap();
            fx.clock.advance(Duration::from_secs(3600));
        }
        fx.clock.advance(Duration::from_secs(22 * 3600 + 1800));
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(fx.names("/").await, ["two"]);
        assert_eq!(short(&fx.ops(A).await), ["discard"]);
        let running = fx.begin("/run", UploadMode::Store, A).await.unwrap();
        fx.clock.advance(Duration::from_secs(48 * 3600));
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(fx.names("/").await, ["run"]);
        fx.commit(running.file, A, 1).await.unwrap();
        fx
    });
}

#[test]
fn bytes_that_nobody_knows_are_thrown_away_unless_another_store_may_know_them() {
    with_vfs(|fx| async {
        let gone = fx.put("/file", A, 5).await;
        fx.vfs.delete(&path("/file")).await.unwrap();
        fx.vfs.settle_orphan(gone.file(), B, Some(3)).await.unwrap();
        assert_eq!(short(&fx.ops(B).await), ["discard"]);
        let foreign = FileId {
            node: NodeId(gone.id.0 + (1 << 40)),
            generation: drftpd_protocol::Generation(1),
        };
        fx.vfs.settle_orphan(foreign, B, Some(3)).await.unwrap();
        assert_eq!(fx.ops(B).await.len(), 1);
        fx
    });
}

#[test]
fn a_panic_of_the_actor_leaves_uploads_to_be_committed() {
    with_vfs(|fx| async {
        let upload = fx.begin("/file", UploadMode::Store, A).await.unwrap();
        fx.vfs.panic_for_test().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let again = fx.begin("/file", UploadMode::Store, A).await;
        assert!(matches!(again, Err(VfsError::Busy(_))));
        fx.commit(upload.file, A, 8).await.unwrap();
        assert_eq!(fx.stat("/file").await.unwrap().size, 8);
        assert!(fx.down.is_empty());
        fx
    });
}
