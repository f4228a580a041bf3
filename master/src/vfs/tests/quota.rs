//! Disk quotas: what begins, what may grow, what is committed. That the sums are right is checked after every test.

use super::*;
use crate::accounts::disk::{self, Holder};
use crate::store::{Batch, Command, StoreError};

/// Gives ann and her group limits.
struct Limits(
    &'static [(&'static str, i64)],
    &'static [(&'static str, i64)],
);

impl Command for Limits {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let user = "INSERT OR IGNORE INTO account (name, grp, admin, home, disabled, created)
            VALUES ('ann', 'users', 0, x'2f', 0, 1)";
        let group = "INSERT OR IGNORE INTO grp VALUES ('users', 1, 0, 0, 0, 0)";
        for text in [user, group] {
            batch.run(text, [])?;
        }
        for (what, value) in self.0 {
            let sql = "INSERT OR REPLACE INTO account_limit VALUES ('ann', ?1, ?2)";
            batch.run(sql, (what, value))?;
        }
        for (what, value) in self.1 {
            let sql = "INSERT OR REPLACE INTO grp_limit VALUES ('users', ?1, ?2)";
            batch.run(sql, (what, value))?;
        }
        Ok(())
    }
}

impl Fixture {
    async fn limit(
        &self,
        user: &'static [(&'static str, i64)],
        group: &'static [(&'static str, i64)],
    ) {
        let set = self.store.submit(Limits(user, group)).unwrap();
        set.answer().await.unwrap();
    }

    fn owns(&self, holder: Holder<'_>) -> (u64, u64) {
        let owned = self.store.read(|sql| disk::owned(sql, holder)).unwrap();
        (owned.files, owned.bytes)
    }

    async fn begin_with(
        &self,
        at: &str,
        mode: UploadMode,
        expected: u64,
    ) -> Result<Upload, VfsError> {
        let to = (A, None);
        self.vfs
            .begin_paid(&path(at), mode, ann(), to, expected)
            .await
    }
}

fn refused<T: std::fmt::Debug>(answer: Result<T, VfsError>) -> String {
    match answer {
        Err(why @ VfsError::OverQuota(_)) => {
            let mut said = ::bytes::BytesMut::new();
            why.reply().render(&mut said);
            String::from_utf8(said.to_vec()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_upload_that_cannot_fit_does_not_begin_and_what_goes_makes_room() {
    with_vfs(|fx| async {
        fx.limit(&[("disk", 100)], &[]).await;
        fx.put("/a", A, 60).await;
        let said = refused(fx.begin_with("/b", UploadMode::Store, 41).await);
        assert_eq!(
            said.trim_end(),
            "552 Disk quota exceeded: files of user ann may take 100 B"
        );
        assert_eq!(fx.names("/").await, ["a"], "nothing has begun");
        let fits = fx.begin_with("/b", UploadMode::Store, 40).await.unwrap();
        assert_eq!(fits.room.unwrap().bytes, 40);
        // What was said by ALLO is taken already.
        refused(fx.begin_with("/c", UploadMode::Store, 1).await);
        fx.commit(fits.file, A, 40).await.unwrap();
        refused(fx.begin_with("/c", UploadMode::Store, 0).await);
        // An overwrite has the room of what it replaces.
        let over = fx.begin_with("/a", UploadMode::Store, 60).await.unwrap();
        fx.commit(over.file, A, 10).await.unwrap();
        assert_eq!(fx.owns(Holder::User("ann")), (2, 50));
        fx.vfs.delete(&path("/b"), None).await.unwrap();
        let rest = fx.begin_with("/a", UploadMode::Append, 90).await.unwrap();
        assert_eq!(rest.room.unwrap().bytes, 100);
        fx.commit(rest.file, A, 100).await.unwrap();
        assert_eq!(fx.owns(Holder::User("ann")), (1, 100));
        fx
    });
}

#[test]
fn uploads_that_run_share_what_is_left() {
    with_vfs(|fx| async {
        fx.limit(&[("disk", 100)], &[]).await;
        let [a, b] = [
            fx.begin_with("/a", UploadMode::Store, 0).await.unwrap(),
            fx.begin_with("/b", UploadMode::Store, 0).await.unwrap(),
        ];
        fx.vfs.upload_grew(a.file, 60);
        fx.vfs.upload_grew(b.file, 40);
        fx.vfs.is_within_quota(b.file).unwrap();
        fx.vfs.upload_grew(b.file, 41);
        refused(fx.vfs.is_within_quota(b.file));
        // Nobody has told how large it has become; then the commit is the first to see.
        refused(fx.commit(b.file, A, 41).await);
        fx.commit(a.file, A, 60).await.unwrap();
        fx.vfs.break_upload(b.file, A, Some(0)).await.unwrap();
        assert_eq!(
            (fx.names("/").await, fx.owns(Holder::User("ann"))),
            (vec!["a".to_owned()], (1, 60))
        );
        fx
    });
}

#[test]
fn what_is_kept_of_a_broken_upload_counts_until_it_is_gone() {
    with_vfs(|fx| async {
        fx.limit(&[("disk", 100)], &[]).await;
        let a = fx.begin_with("/a", UploadMode::Store, 0).await.unwrap();
        fx.vfs.break_upload(a.file, A, Some(70)).await.unwrap();
        assert_eq!(fx.owns(Holder::User("ann")), (1, 70));
        refused(fx.begin_with("/b", UploadMode::Store, 31).await);
        let resume = UploadMode::Resume { offset: 70 };
        refused(fx.begin_with("/a", resume, 31).await);
        let rest = fx.begin_with("/a", resume, 30).await.unwrap();
        fx.commit(rest.file, A, 100).await.unwrap();
        assert_eq!(fx.owns(Holder::User("ann")), (1, 100));
        fx
    });
}

#[test]
fn a_group_has_a_quota_of_its_own_and_files_are_counted_too() {
    with_vfs(|fx| async {
        fx.put("/a", A, 5).await;
        fx.limit(&[("disk", 100), ("disk_files", 2)], &[("disk", 20)])
            .await;
        let said = refused(fx.begin_with("/b", UploadMode::Store, 16).await);
        assert!(said.contains("group users may take 20 B"), "{said}");
        let b = fx.begin_with("/b", UploadMode::Store, 15).await.unwrap();
        let said = refused(fx.begin_with("/c", UploadMode::Store, 0).await);
        assert!(said.contains("user ann may have 2 files"), "{said}");
        fx.commit(b.file, A, 15).await.unwrap();
        assert_eq!(fx.owns(Holder::Group("users")), (2, 20));
        // Given to somebody else, it is not hers any more.
        let node = [fx.stat("/b").await.unwrap().id];
        let given = fx.vfs.give_to(&node, Some("bob"), Some("staff"));
        assert_eq!(given.await.unwrap(), 1);
        assert_eq!(fx.owns(Holder::User("bob")), (1, 15));
        assert_eq!(fx.owns(Holder::Group("users")), (1, 5));
        fx.begin_with("/c", UploadMode::Store, 15).await.unwrap();
        fx
    });
}

#[test]
fn sums_that_are_wrong_are_found_and_counted_again() {
    with_vfs(|fx| async {
        fx.put("/a", A, 5).await;
        struct Spoil;
        impl Command for Spoil {
            type Answer = ();
            type Error = StoreError;

            fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
                batch.run("UPDATE owned SET bytes = 9 WHERE whose = 0", [])?;
                batch.run("DELETE FROM owned WHERE whose = 1", [])?;
                Ok(())
            }
        }
        fx.store.submit(Spoil).unwrap().answer().await.unwrap();
        let found = fx.vfs.check().await.unwrap();
        let told: Vec<_> = found.findings.iter().map(|it| it.what.as_str()).collect();
        assert_eq!(
            told,
            [
                "user \"ann\" is said to have 1 files of 9 bytes and has 1 of 5",
                "group \"users\" is said to have 0 files of 0 bytes and has 1 of 5"
            ]
        );
        assert_eq!(fx.vfs.fix_owned().await.unwrap(), 2);
        assert_eq!(fx.vfs.fix_owned().await.unwrap(), 0);
        fx
    });
}
