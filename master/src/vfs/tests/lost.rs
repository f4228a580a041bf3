//! Uploads whose slave went away in the middle and did not say how they ended.

use drftpd_protocol::wire::{Base, StagedEntry};

use super::*;

fn staged(file: FileId, size: u64) -> StagedEntry {
    StagedEntry {
        file,
        size,
        prepared: None,
    }
}

#[test]
fn a_lost_upload_is_partial_at_once_and_resumed_when_its_slave_has_told_what_it_kept() {
    with_vfs(|fx| async {
        let upload = fx.begin("/file", UploadMode::Store, A).await.unwrap();
        fx.vfs.upload_grew(upload.file, 500);
        fx.vfs.lose_upload(upload.file, A).await.unwrap();
        let entry = fx.stat("/file").await.unwrap();
        assert_eq!((entry.state, entry.size), (FileState::Partial, 500));
        assert_eq!(fx.vfs.running_uploads(), 0);
        let too_early = fx.begin("/file", UploadMode::Append, A).await;
        assert!(matches!(too_early, Err(VfsError::Closing { .. })));
        let told = vec![staged(upload.file, 700)];
        fx.vfs.merge_staged(A, told).await.unwrap();
        let resumed = fx.begin("/file", UploadMode::Append, A).await.unwrap();
        assert_eq!(resumed.base, Base::Staged { keep: 700 });
        fx.commit(resumed.file, A, 900).await.unwrap();
        fx
    });
}

#[test]
fn a_slave_that_is_back_before_its_upload_counts_as_lost_has_told_already() {
    with_vfs(|fx| async {
        let upload = fx.begin("/file", UploadMode::Store, A).await.unwrap();
        let told = vec![staged(upload.file, 700)];
        fx.vfs.merge_staged(A, told).await.unwrap();
        let entry = fx.stat("/file").await.unwrap();
        assert_eq!(entry.state, FileState::Uploading);
        fx.vfs.lose_upload(upload.file, A).await.unwrap();
        let resumed = fx.begin("/file", UploadMode::Append, A).await.unwrap();
        assert_eq!(resumed.base, Base::Staged { keep: 700 });
        fx.commit(resumed.file, A, 900).await.unwrap();
        fx
    });
}

#[test]
fn the_end_of_an_earlier_transfer_leaves_a_resumed_upload_alone() {
    with_vfs(|fx| async {
        let first = fx.begin("/file", UploadMode::Store, A).await.unwrap();
        fx.vfs.break_upload(first.file, A, Some(700)).await.unwrap();
        let again = fx.begin("/file", UploadMode::Append, A).await.unwrap();
        assert_eq!(again.file, first.file);
        // The slave was not heard to have been heard, and tells once more.
        let late = fx.vfs.settle_orphan(first.file, A, Some(700));
        late.await.unwrap();
        let entry = fx.stat("/file").await.unwrap();
        assert_eq!(entry.state, FileState::Uploading);
        fx.commit(again.file, A, 900).await.unwrap();
        assert_eq!(fx.stat("/file").await.unwrap().size, 900);
        // The end of one that is just being lost is what is known of it.
        let lost = fx.begin("/lost", UploadMode::Store, A).await.unwrap();
        let lose = fx.vfs.lose_upload(lost.file, A);
        let told = fx.vfs.settle_orphan(lost.file, A, Some(5));
        let (lose, told) = tokio::join!(lose, told);
        lose.and(told).unwrap();
        let more = fx.begin("/lost", UploadMode::Append, A).await.unwrap();
        assert_eq!(more.base, Base::Staged { keep: 5 });
        fx.commit(more.file, A, 6).await.unwrap();
        fx
    });
}

#[test]
fn a_lost_upload_may_begin_anew_elsewhere_and_its_old_bytes_are_thrown_away() {
    with_vfs(|fx| async {
        let upload = fx.begin("/file", UploadMode::Store, A).await.unwrap();
        fx.vfs.lose_upload(upload.file, A).await.unwrap();
        let anew = fx.begin("/file", UploadMode::Store, B).await.unwrap();
        fx.commit(anew.file, B, 9).await.unwrap();
        assert_eq!(short(&fx.ops(A).await), ["discard"]);
        // It comes back with the end of its transfer.
        let late = fx.vfs.settle_orphan(upload.file, A, Some(500));
        late.await.unwrap();
        assert_eq!(fx.stat("/file").await.unwrap().size, 9);
        fx
    });
}

#[test]
fn a_lost_overwrite_leaves_what_was_there_and_a_told_end_is_no_loss() {
    with_vfs(|fx| async {
        let old = fx.put("/file", A, 10).await;
        let over = fx.begin("/file", UploadMode::Store, B).await.unwrap();
        fx.vfs.lose_upload(over.file, B).await.unwrap();
        assert_eq!(fx.stat("/file").await.unwrap(), old);
        assert_eq!(short(&fx.ops(B).await), ["discard"]);
        let again = fx.begin("/file", UploadMode::Store, B).await.unwrap();
        let new = fx.commit(again.file, B, 20).await.unwrap();
        fx.vfs.lose_upload(again.file, B).await.unwrap();
        assert_eq!(fx.stat("/file").await.unwrap(), new);
        fx
    });
}
