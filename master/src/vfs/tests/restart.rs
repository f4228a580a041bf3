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
        assert!(matches!(resumed, Err(VfsError::Closing { .. })));
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
        let walk = SawAll {
            running: vec![runs.file],
            ..SawAll::default()
        };
        fx.vfs.walked(A, &slave("alpha"), walk).await.unwrap();
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
        fx.vfs.delete(&path("/file"), None).await.unwrap();
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

/// Identities that were given out after those of `old`'s start that were stored: a new file, and new
/// contents of `old`.
fn given_out_after(old: &Entry) -> [FileId; 2] {
    let later = |n: u64| old.id.0 + 1000 + n;
    [
        FileId {
            node: NodeId(later(1)),
            generation: drftpd_protocol::Generation(1),
        },
        FileId {
            node: old.id,
            generation: drftpd_protocol::Generation(later(2)),
        },
    ]
}

fn staged(file: FileId, prepared: bool) -> StagedEntry {
    StagedEntry {
        file,
        size: 5,
        prepared: prepared.then_some(1),
    }
}

#[test]
fn prepared_bytes_whose_intent_was_lost_with_the_master_go_to_the_trash() {
    let dir = TempDir::new().unwrap();
    let old = sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW).await;
        fx.put("/old", A, 9).await
    });
    let [one, two] = given_out_after(&old);
    sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW + 9).await;
        fx.vfs.settle_orphan(one, A, Some(3)).await.unwrap();
        let found = vec![staged(two, true), staged(one, false)];
        fx.vfs.merge_staged(A, found).await.unwrap();
        let ops = short(&fx.ops(A).await);
        let aside = "set aside";
        assert_eq!(ops, ["publish /old", aside, aside, aside]);
        assert_eq!(fx.stat("/old").await.unwrap(), old);
        // Told again, as a slave does until it is acknowledged: nothing is there any more.
        fx.vfs.settle_orphan(one, A, None).await.unwrap();
        assert_eq!(fx.ops(A).await.len(), 4);
        // Of this start nothing is lost: what the file list does not have was refused.
        let begun = fx.begin("/new", UploadMode::Store, A).await.unwrap();
        let [one, _] = given_out_after(&fx.stat("/new").await.unwrap());
        let found = vec![staged(one, true), staged(begun.file, true)];
        fx.vfs.merge_staged(A, found).await.unwrap();
        assert_eq!(short(&fx.ops(A).await)[4..], ["discard"]);
        fx.commit(begun.file, A, 5).await.unwrap();
        invariants::check(&fx.store);
    });
}

#[test]
fn a_restored_store_leaves_prepared_bytes_of_starts_that_it_does_not_know_alone() {
    let (dir, loaded) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (old, dump) = sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW).await;
        let old = fx.put("/old", A, 9).await;
        let mut dump = Vec::new();
        crate::store::dump::dump(&fx.store, &mut dump).unwrap();
        (old, dump)
    });
    let (clock, dice) = (Clock::manual(NOW), Dice::seeded(2));
    let config = StoreConfig::DEFAULT;
    crate::store::dump::load(loaded.path(), &config, &mut dump.as_slice(), &clock, &dice).unwrap();
    sim(async {
        let fx = Fixture::open(loaded.path(), Case::Sensitive, NOW + 99).await;
        // The dumped store went on, and acknowledged these; the last one after another start.
        let [one, two] = given_out_after(&old);
        let three = FileId {
            node: NodeId(old.id.0 + (5 << 31)),
            ..one
        };
        for file in [one, two, three] {
            fx.vfs.settle_orphan(file, A, Some(3)).await.unwrap();
        }
        let all = [one, two, three].map(|file| staged(file, true));
        fx.vfs.merge_staged(A, all.to_vec()).await.unwrap();
        assert_eq!(short(&fx.ops(A).await), ["publish /old"]);
        // What is not complete, or was adopted without a checksum, can be found for a while.
        let part = vec![staged(three, false)];
        fx.vfs.merge_staged(A, part).await.unwrap();
        assert_eq!(short(&fx.ops(A).await)[1..], ["set aside"]);
        invariants::check(&fx.store);
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
