//! Uploads: seen while they run, committed, broken off, resumed, replaced.

use drftpd_protocol::wire::Base;

use super::*;

#[test]
fn a_first_upload_is_seen_growing_and_readable_at_once() {
    with_vfs(|fx| async {
        let upload = fx.begin("/file", UploadMode::Store, A).await.unwrap();
        assert_eq!((upload.root, &upload.base), (A, &Base::Empty));
        fx.vfs.upload_grew(upload.file, 500);
        let entry = fx.stat("/file").await.unwrap();
        assert_eq!((entry.state, entry.size), (FileState::Uploading, 500));
        assert_eq!(fx.names("/").await, ["file"]);
        assert_eq!(fx.totals("/").await, (0, 0));
        let readable = fx.vfs.readable(&path("/file")).await.unwrap();
        assert_eq!(readable.file, upload.file);
        assert_eq!(readable.holders, [(A, OpSeq(0))]);
        let done = fx.commit(upload.file, A, 1000).await.unwrap();
        assert_eq!((done.state, done.size), (FileState::Complete, 1000));
        assert_eq!(done.crc32, Some(0xC0FFEE));
        assert_eq!(fx.stat("/file").await.unwrap(), done);
        let readable = fx.vfs.readable(&path("/file")).await.unwrap();
        assert_eq!(readable.holders, [(A, OpSeq(1))]);
        assert_eq!(shown(&readable.at), "/file");
        fx
    });
}

#[test]
fn a_delete_ends_an_upload_and_whoever_follows_it_hears_so() {
    with_vfs(|fx| async {
        let first = fx.begin("/new", UploadMode::Store, A).await.unwrap();
        let mut followed = fx.vfs.follow(first.file).unwrap().unwrap();
        fx.rename("/new", "/renamed").await.unwrap();
        assert!(!followed.is_deleted());
        fx.vfs.delete(&path("/renamed"), None).await.unwrap();
        followed.deleted().await;
        assert!(fx.vfs.follow(first.file).unwrap().is_none());
        let late = fx.commit(first.file, A, 9).await;
        assert!(matches!(late, Err(VfsError::NoUpload)));
        fx.vfs.break_upload(first.file, A, Some(9)).await.unwrap();
        let anew = fx.begin("/new", UploadMode::Store, A).await.unwrap();
        fx.commit(anew.file, A, 3).await.unwrap();
        assert_eq!(
            short(&fx.ops(A).await),
            ["discard", "discard", "publish /new"]
        );

        // An overwrite: what was there goes, too.
        let over = fx.begin("/new", UploadMode::Store, B).await.unwrap();
        let followed = fx.vfs.follow(over.file).unwrap().unwrap();
        fx.vfs.delete(&path("/new"), None).await.unwrap();
        assert!(followed.is_deleted());
        fx.vfs.break_upload(over.file, B, None).await.unwrap();
        assert_eq!(
            (fx.names("/").await.len(), fx.vfs.running_uploads()),
            (0, 0)
        );
        assert_eq!(short(&fx.ops(B).await), ["discard"]);
        assert_eq!(short(&fx.ops(A).await)[3..], ["delete /new"]);
        fx
    });
}

#[test]
fn a_second_upload_to_the_same_path_is_refused_while_the_first_runs() {
    with_vfs(|fx| async {
        let first = fx.begin("/file", UploadMode::Store, A).await.unwrap();
        let second = fx.begin("/file", UploadMode::Store, B).await;
        assert!(matches!(second, Err(VfsError::Busy(_))));
        fx.commit(first.file, A, 1).await.unwrap();
        let over = fx.begin("/file", UploadMode::Store, B).await.unwrap();
        assert!(over.file.generation > first.file.generation);
        let third = fx.begin("/file", UploadMode::Append, A).await;
        assert!(matches!(third, Err(VfsError::Busy(_))));
        let twice = fx.commit(first.file, A, 1).await;
        assert!(matches!(twice, Err(VfsError::NoUpload)));
        fx.commit(over.file, B, 2).await.unwrap();
        fx
    });
}

#[test]
fn the_old_bytes_are_read_until_an_overwrite_is_committed() {
    with_vfs(|fx| async {
        let old = fx.put("/file", A, 10).await;
        let over = fx.begin("/file", UploadMode::Store, B).await.unwrap();
        fx.vfs.upload_grew(over.file, 5);
        let readable = fx.vfs.readable(&path("/file")).await.unwrap();
        assert_eq!(readable.file, old.file());
        assert_eq!((readable.entry.size, readable.holders[0].0), (10, A));
        let new = fx.commit(over.file, B, 30).await.unwrap();
        assert_eq!((new.id, new.size), (old.id, 30));
        let readable = fx.vfs.readable(&path("/file")).await.unwrap();
        assert_eq!(readable.file, over.file);
        assert_eq!(readable.holders, [(B, OpSeq(1))]);
        assert_eq!(short(&fx.ops(A).await), ["publish /file", "delete /file"]);
        assert_eq!(fx.totals("/").await, (30, 1));
        fx
    });
}

#[test]
fn an_overwrite_on_the_same_root_deletes_before_it_publishes() {
    with_vfs(|fx| async {
        fx.put("/file", A, 10).await;
        fx.put("/file", A, 20).await;
        let ops = short(&fx.ops(A).await);
        assert_eq!(ops, ["publish /file", "delete /file", "publish /file"]);
        fx
    });
}

#[test]
fn an_overwrite_that_broke_off_leaves_what_was_there() {
    with_vfs(|fx| async {
        let old = fx.put("/file", A, 10).await;
        let over = fx.begin("/file", UploadMode::Store, B).await.unwrap();
        let broken = fx.vfs.break_upload(over.file, B, Some(5)).await;
        broken.unwrap();
        assert_eq!(fx.stat("/file").await.unwrap(), old);
        assert_eq!(short(&fx.ops(B).await), ["discard"]);
        let again = fx.begin("/file", UploadMode::Store, B).await.unwrap();
        assert!(again.file.generation > over.file.generation);
        fx.vfs.break_upload(again.file, B, None).await.unwrap();
        assert_eq!(fx.ops(B).await.len(), 1);
        fx
    });
}

#[test]
fn a_first_upload_that_broke_off_is_partial_and_resumed_where_its_bytes_are() {
    with_vfs(|fx| async {
        let upload = fx.begin("/file", UploadMode::Store, A).await.unwrap();
        fx.vfs.break_upload(upload.file, A, Some(60)).await.unwrap();
        let entry = fx.stat("/file").await.unwrap();
        assert_eq!((entry.state, entry.size), (FileState::Partial, 60));
        let readable = fx.vfs.readable(&path("/file")).await;
        assert!(matches!(readable, Err(VfsError::Incomplete(_))));
        let at = path("/file");
        let plan = |mode| fx.vfs.plan_upload(&at, mode);
        let append = plan_of(plan(UploadMode::Append).await.unwrap());
        assert_eq!(append, (Some(vec![A]), 60));
        let offset = UploadMode::Resume { offset: 40 };
        assert_eq!(plan_of(plan(offset).await.unwrap()), (Some(vec![A]), 40));
        let anew = plan_of(plan(UploadMode::Store).await.unwrap());
        assert_eq!(anew, (None, 0));
        let beyond = plan(UploadMode::Resume { offset: 61 }).await;
        assert!(matches!(beyond, Err(VfsError::BadOffset { size: 60, .. })));
        let elsewhere = fx.begin("/file", offset, B).await;
        assert!(matches!(elsewhere, Err(VfsError::NoUpload)));
        let resumed = fx.begin("/file", offset, A).await.unwrap();
        assert_eq!(resumed.file, upload.file);
        assert_eq!(resumed.base, Base::Staged { keep: 40 });
        assert_eq!(fx.stat("/file").await.unwrap().size, 40);
        fx.commit(resumed.file, A, 100).await.unwrap();
        assert_eq!(short(&fx.ops(A).await), ["publish /file"]);
        fx
    });
}

fn plan_of(plan: UploadPlan) -> (Option<Vec<RootId>>, u64) {
    (plan.only_roots, plan.offset)
}

#[test]
fn a_new_upload_replaces_a_partial_one_and_throws_its_bytes_away() {
    with_vfs(|fx| async {
        let first = fx.begin("/file", UploadMode::Store, A).await.unwrap();
        fx.vfs.break_upload(first.file, A, Some(60)).await.unwrap();
        let second = fx.begin("/file", UploadMode::Store, B).await.unwrap();
        assert_eq!(second.file.node, first.file.node);
        assert!(second.file.generation > first.file.generation);
        assert_eq!(
            fx.ops(A).await,
            [RootOp::DiscardStaged { file: first.file }]
        );
        let late = fx.commit(first.file, A, 60).await;
        assert!(matches!(late, Err(VfsError::NoUpload)));
        fx.commit(second.file, B, 10).await.unwrap();
        fx
    });
}

#[test]
fn a_first_upload_of_which_nothing_is_kept_is_gone() {
    with_vfs(|fx| async {
        for kept in [None, Some(0)] {
            let upload = fx.begin("/file", UploadMode::Store, A).await.unwrap();
            fx.vfs.break_upload(upload.file, A, kept).await.unwrap();
            assert!(fx.names("/").await.is_empty());
        }
        assert_eq!(short(&fx.ops(A).await), ["discard"]);
        fx
    });
}

#[test]
fn going_on_with_a_complete_file_is_its_next_generation_on_a_holder() {
    with_vfs(|fx| async {
        let old = fx.put("/file", A, 100).await;
        let at = path("/file");
        let plan = fx.vfs.plan_upload(&at, UploadMode::Append).await;
        assert_eq!(plan_of(plan.unwrap()), (Some(vec![A]), 100));
        let offset = UploadMode::Resume { offset: 70 };
        let upload = fx.begin("/file", offset, A).await.unwrap();
        let Base::Copy { file, at, keep } = &upload.base else {
            panic!("{:?}", upload.base);
        };
        assert_eq!(
            (*file, shown(at).as_str(), *keep),
            (old.file(), "/file", 70)
        );
        let elsewhere = fx.begin("/other", offset, A).await;
        assert!(matches!(elsewhere, Err(VfsError::BadOffset { .. })));
        fx.commit(upload.file, A, 120).await.unwrap();
        assert_eq!(fx.totals("/").await, (120, 1));
        fx
    });
}

#[test]
fn an_overwrite_gives_the_file_to_the_uploader_and_an_append_does_not() {
    with_vfs(|fx| async {
        fx.put("/file", A, 10).await;
        let bob = Owner {
            user: "bob".into(),
            group: "staff".into(),
        };
        let at = path("/file");
        for (mode, owner) in [(UploadMode::Append, "ann"), (UploadMode::Store, "bob")] {
            let upload = fx.vfs.begin_upload(&at, mode, bob.clone(), A).await;
            let done = fx.commit(upload.unwrap().file, A, 20).await.unwrap();
            assert_eq!(done.owner, owner);
        }
        fx
    });
}

#[test]
fn an_upload_follows_the_renames_of_what_is_above_it() {
    with_vfs(|fx| async {
        fx.dir("/a").await;
        let upload = fx.begin("/a/file", UploadMode::Store, A).await.unwrap();
        assert_eq!(shown(&upload.at), "/a/file");
        fx.rename("/a", "/b").await.unwrap();
        fx.rename("/b/file", "/b/other").await.unwrap();
        fx.vfs.upload_grew(upload.file, 7);
        assert_eq!(fx.stat("/b/other").await.unwrap().size, 7);
        fx.commit(upload.file, A, 9).await.unwrap();
        assert_eq!(short(&fx.ops(A).await), ["publish /b/other"]);
        assert_eq!(fx.totals("/b").await, (9, 1));
        fx
    });
}

#[test]
fn an_upload_onto_a_directory_or_to_an_unknown_root_is_refused() {
    with_vfs(|fx| async {
        fx.dir("/a").await;
        let onto = fx.begin("/a", UploadMode::Store, A).await;
        assert!(matches!(onto, Err(VfsError::IsDirectory(_))));
        let top = fx.begin("/", UploadMode::Store, A).await;
        assert!(matches!(top, Err(VfsError::IsDirectory(_))));
        let nowhere = fx.begin("/x/file", UploadMode::Store, A).await;
        assert!(matches!(nowhere, Err(VfsError::NotFound(_))));
        let unknown = RootId([9; 16]);
        let root = fx.begin("/file", UploadMode::Store, unknown).await;
        assert!(matches!(root, Err(VfsError::UnknownRoot(_))));
        fx
    });
}

#[test]
fn every_commit_tells_how_far_the_logs_reach() {
    with_vfs(|fx| async {
        let heads = fx.vfs.ops_heads();
        let of = |root| heads.all().get(&root).copied();
        assert_eq!((of(A), of(B)), (Some(OpSeq(0)), Some(OpSeq(0))));
        fx.put("/file", A, 1).await;
        assert_eq!((of(A), of(B)), (Some(OpSeq(1)), Some(OpSeq(0))));
        fx.vfs
            .set_times(&path("/file"), Times::modified(5))
            .await
            .unwrap();
        assert_eq!(of(A), Some(OpSeq(2)));
        let behind = fx.vfs.ops_after(A, OpSeq(1), 10).await.unwrap();
        assert_eq!(behind[0].0, OpSeq(2));
        fx
    });
}

#[test]
fn what_a_disk_has_followed_leaves_the_log_and_is_not_sent_again() {
    sim(async {
        let dir = TempDir::new().unwrap();
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW).await;
        fx.put("/one", A, 1).await;
        fx.put("/two", A, 1).await;
        fx.vfs.ops_done(A, OpSeq(1)).await.unwrap();
        assert_eq!(short(&fx.ops(A).await), ["publish /two"]);
        assert_eq!(
            fx.vfs.root_shown(A, &slave("alpha")).await.unwrap(),
            OpSeq(1)
        );
        // A disk that is further than a restored store: the next position is behind both.
        fx.vfs.ops_done(A, OpSeq(10)).await.unwrap();
        fx.put("/three", A, 1).await;
        let ops = fx.vfs.ops_after(A, OpSeq(10), 10).await.unwrap();
        assert_eq!((ops.len(), ops[0].0), (1, OpSeq(11)));
    });
}
