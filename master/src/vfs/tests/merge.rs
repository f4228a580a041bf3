//! Walks of roots against the file list: the table of what is found and what is done.

use drftpd_protocol::wire::{DirStep, StagedEntry, WalkEntry, WalkNode, WalkPage};
use drftpd_protocol::{DirId, Generation, Name};

use super::*;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes().to_vec()).unwrap()
}

/// A way down; identity 0 where the directory carries none.
fn way(steps: &[(DirId, &str)]) -> Vec<DirStep> {
    let step = |(id, text): &(DirId, &str)| DirStep {
        id: *id,
        name: name(text),
    };
    steps.iter().map(step).collect()
}

pub(super) const NONE: DirId = NodeId(0);

pub(super) fn file(text: &str, size: u64, file: Option<FileId>) -> WalkEntry {
    WalkEntry {
        name: name(text),
        node: WalkNode::File {
            size,
            file,
            crc32: None,
            blake3: None,
            edited: false,
            busy: false,
        },
        modified: 42,
    }
}

fn dir(text: &str) -> WalkEntry {
    WalkEntry {
        name: name(text),
        node: WalkNode::Dir { id: None },
        modified: 43,
    }
}

impl Fixture {
    pub async fn page(&self, root: RootId, at: &[(DirId, &str)], found: Vec<WalkEntry>) -> Merged {
        let name = if root == A { "alpha" } else { "beta" };
        let slave = slave(name);
        let page = WalkPage {
            root,
            walk: 0,
            dir: way(at),
            entries: found,
            looked: Vec::new(),
        };
        let merged = self.vfs.merge_page(&slave, page, None);
        merged.await.unwrap()
    }

    /// The disk has followed its log.
    pub async fn follow(&self, root: RootId) {
        let ops = self.vfs.ops_after(root, OpSeq::NONE, 4096).await.unwrap();
        if let Some((last, _)) = ops.last() {
            self.vfs.ops_done(root, *last).await.unwrap();
        }
    }
}

#[test]
fn what_is_new_is_adopted_in_place_with_its_directories() {
    with_vfs(|fx| async {
        let top = fx.page(A, &[], vec![dir("films"), file("readme", 7, None)]);
        assert_eq!(top.await.adopted, 1);
        let found = vec![file("one.mkv", 100, None), file("two.mkv", 50, None)];
        let page = fx.page(A, &[(NONE, "films"), (NONE, "new")], found).await;
        assert_eq!(page.adopted, 2);
        assert_eq!(fx.totals("/films").await, (150, 2));
        assert_eq!(fx.totals("/").await, (157, 3));
        let one = fx.stat("/films/new/one.mkv").await.unwrap();
        assert_eq!(
            (one.size, one.modified, one.owner.as_str()),
            (100, 42, "drftpd")
        );
        assert_eq!(one.created, 42, "not before it was last changed");
        assert_eq!(fx.stat("/films").await.unwrap().modified, 43);
        assert_eq!(
            short(&fx.ops(A).await),
            [
                "identify /readme 7",
                "identify /films/new/one.mkv 100",
                "identify /films/new/two.mkv 50"
            ]
        );
        let readable = fx.vfs.readable(&path("/films/new/one.mkv")).await.unwrap();
        assert_eq!(readable.holders[0].0, A);
        fx
    });
}

#[test]
fn a_second_walk_of_a_disk_that_has_followed_changes_nothing() {
    with_vfs(|fx| async {
        fx.dir("/d").await;
        let put = fx.put("/d/put", A, 5).await;
        let d = put.parent;
        for round in 0..2 {
            let before = fx.ops(A).await.len();
            let found = vec![file("put", 5, Some(put.file()))];
            let merged = fx.page(A, &[(d, "d")], found).await;
            assert_eq!((merged.good, merged.adopted), (1, 0));
            assert_eq!(fx.ops(A).await.len(), before, "round {round}");
        }
        fx
    });
}

#[test]
fn while_an_identity_is_on_its_way_its_file_is_left_alone() {
    with_vfs(|fx| async {
        fx.page(A, &[], vec![file("new", 5, None)]).await;
        let again = fx.page(A, &[], vec![file("new", 5, None)]).await;
        assert_eq!(
            (again.left, again.adopted, again.kept_beside.len()),
            (1, 0, 0)
        );
        fx
    });
}

#[test]
fn deleted_and_older_files_are_set_aside_and_stay_deleted() {
    with_vfs(|fx| async {
        let gone = fx.put("/gone", A, 5).await;
        fx.vfs.delete(&path("/gone"), None).await.unwrap();
        let old = fx.put("/over", A, 5).await;
        fx.put("/over", B, 6).await;
        let found = vec![
            file("gone", 5, Some(gone.file())),
            file("over", 5, Some(old.file())),
        ];
        let merged = fx.page(A, &[], found).await;
        assert_eq!(merged.set_aside, 2);
        assert_eq!(fx.names("/").await, ["over"]);
        let ops = short(&fx.ops(A).await);
        assert_eq!(ops[ops.len() - 2..], ["aside /gone", "aside /over"]);
        fx
    });
}

#[test]
fn identities_that_this_store_never_gave_out_are_left_and_counted() {
    with_vfs(|fx| async {
        let put = fx.put("/put", A, 5).await;
        let later = FileId {
            node: NodeId(put.id.0 + (9 << 31)),
            generation: Generation(1),
        };
        let newer = FileId {
            node: put.id,
            generation: Generation(later.node.0),
        };
        let unseen = FileId {
            node: NodeId(put.id.0 + 1000),
            generation: Generation(1),
        };
        let before = fx.ops(A).await.len();
        fx.vfs.walk_begins(A).await.unwrap();
        let found = vec![
            file("a", 1, Some(later)),
            file("put", 1, Some(newer)),
            file("c", 1, Some(unseen)),
        ];
        let merged = fx.page(A, &[], found).await;
        assert_eq!((merged.unknown, merged.set_aside), (3, 0));
        assert_eq!(fx.ops(A).await.len(), before);
        assert_eq!(fx.names("/").await, ["put"]);
        fx
    });
}

#[test]
fn two_trees_with_the_same_content_become_one_by_comparing() {
    with_vfs(|fx| async {
        fx.page(
            A,
            &[(NONE, "d")],
            vec![file("same", 5, None), file("other", 6, None)],
        )
        .await;
        let found = || vec![file("same", 5, None), file("other", 6, None)];
        let merged = fx.page(B, &[(NONE, "d")], found()).await;
        assert_eq!((merged.adopted, merged.compare.len()), (0, 2));
        let holders = &merged.compare[0].holders;
        assert_eq!((holders.len(), holders[0].0), (1, A));
        let results = merged.compare.into_iter().zip([true, false]).collect();
        let merged = fx.vfs.merge_compared(B, &slave("beta"), results).await;
        let merged = merged.unwrap();
        assert_eq!((merged.adopted, merged.kept_beside.len()), (1, 1));
        let ops = short(&fx.ops(B).await);
        assert_eq!(
            ops,
            [
                "identify /d/same 5",
                "beside /d/other /d/other.conflict-beta"
            ]
        );
        assert_eq!(fx.totals("/d").await, (17, 3));
        let readable = fx.vfs.readable(&path("/d/same")).await.unwrap();
        assert_eq!(readable.holders.len(), 2);
        // Once more before the disk has followed, and once after: nothing new.
        let early = fx.page(B, &[(NONE, "d")], found()).await;
        assert_eq!((early.left, early.compare.len()), (1, 1));
        let results = early.compare.into_iter().map(|compare| (compare, false));
        let merged = fx
            .vfs
            .merge_compared(B, &slave("beta"), results.collect())
            .await;
        assert_eq!(merged.unwrap().left, 1);
        assert_eq!(fx.names("/d").await.len(), 3);
        fx
    });
}

#[test]
fn a_comparison_whose_file_went_elsewhere_is_left_to_the_next_walk() {
    with_vfs(|fx| async {
        fx.put("/one", A, 5).await;
        let merged = fx.page(B, &[], vec![file("one", 5, None)]).await;
        fx.rename("/one", "/two").await.unwrap();
        for equal in [true, false] {
            let results = merged.compare.iter().cloned().map(|c| (c, equal)).collect();
            let merged = fx.vfs.merge_compared(B, &slave("beta"), results).await;
            assert_eq!(merged.unwrap().left, 1);
        }
        assert!(fx.ops(B).await.is_empty());
        fx
    });
}

#[test]
fn a_file_of_another_size_is_kept_beside_under_a_name_of_its_own() {
    with_vfs(|fx| async {
        fx.put("/one", A, 5).await;
        fx.dir("/two").await;
        fx.put("/one.conflict-beta", A, 1).await;
        let found = vec![file("one", 6, None), file("two", 7, None)];
        let merged = fx.page(B, &[], found).await;
        assert_eq!(merged.kept_beside.len(), 2);
        let names = fx.names("/").await;
        assert!(names.contains(&"one.conflict-beta.2".into()), "{names:?}");
        assert!(names.contains(&"two.conflict-beta".into()), "{names:?}");
        assert_eq!(fx.totals("/").await, (5 + 1 + 6 + 7, 4));
        fx
    });
}

#[test]
fn a_file_whose_identity_was_lost_gets_it_again_when_it_adds_up_to_what_it_should() {
    with_vfs(|fx| async {
        let put = fx.put("/put", A, 5).await;
        set_done(&fx, A, 1).await;
        let merged = fx.page(A, &[], vec![file("put", 5, None)]).await;
        let compare = merged.compare[0].clone();
        assert_eq!((compare.holders.len(), compare.crc32), (0, Some(0xC0FFEE)));
        let results = vec![(compare, true)];
        let merged = fx.vfs.merge_compared(A, &slave("alpha"), results).await;
        assert_eq!(merged.unwrap().adopted, 1);
        let ops = fx.vfs.ops_after(A, OpSeq(1), 10).await.unwrap();
        let RootOp::Identify { file: again, .. } = &ops[0].1 else {
            panic!("{ops:?}");
        };
        assert_eq!(*again, put.file());
        // Another root's file has somebody to be compared with.
        let other = fx.page(B, &[], vec![file("put", 5, None)]).await;
        assert_eq!(other.compare.len(), 1);
        set_done(&fx, A, 0).await;
        fx
    });
}

#[test]
fn a_file_whose_identity_and_bytes_nobody_else_knows_gets_its_identity_again() {
    with_vfs(|fx| async {
        fx.page(A, &[], vec![file("found", 5, None)]).await;
        set_done(&fx, A, 1).await;
        let merged = fx.page(A, &[], vec![file("found", 5, None)]).await;
        assert_eq!((merged.good, merged.seen.len()), (1, 1));
        assert_eq!(short(&fx.ops(A).await)[1..], ["identify /found 5"]);
        set_done(&fx, A, 0).await;
        fx
    });
}

#[test]
fn other_bytes_of_the_same_size_are_kept_beside_and_are_no_copy() {
    on_strange_disks(|fx| async {
        fx.put("/put", A, 5).await;
        fx.follow(A).await;
        let merged = fx.page(A, &[], vec![file("put", 5, None)]).await;
        assert_eq!((merged.compare.len(), merged.seen.len()), (1, 0));
        let results = vec![(merged.compare[0].clone(), false)];
        let merged = fx.vfs.merge_compared(A, &slave("alpha"), results).await;
        assert_eq!(merged.unwrap().kept_beside, [path("/put.conflict-alpha")]);
        fx
    });
}

/// Notes how far a log is followed without taking it away, for the model of the disk reads it.
async fn set_done(fx: &Fixture, root: RootId, done: i64) {
    struct Done(RootId, i64);
    impl crate::store::Command for Done {
        type Answer = ();
        type Error = crate::store::StoreError;
        fn apply(self, batch: &crate::store::Batch<'_>) -> Result<(), Self::Error> {
            let sql = "UPDATE root SET done = ?2 WHERE id = ?1";
            batch.run(sql, crate::store::params![&self.0.0[..], self.1])?;
            Ok(())
        }
    }
    fx.store.change(Done(root, done)).await.unwrap();
}

#[test]
fn a_file_whose_place_an_upload_has_is_left_for_the_next_walk() {
    with_vfs(|fx| async {
        let upload = fx.begin("/new", UploadMode::Store, A).await.unwrap();
        let merged = fx.page(B, &[], vec![file("new", 5, None)]).await;
        assert_eq!((merged.left, merged.kept_beside.len()), (1, 0));
        fx.commit(upload.file, A, 6).await.unwrap();
        let merged = fx.page(B, &[], vec![file("new", 5, None)]).await;
        assert_eq!(merged.kept_beside, [path("/new.conflict-beta")]);
        fx
    });
}

#[test]
fn what_is_in_a_directory_where_the_tree_has_a_file_is_kept_in_one_beside() {
    with_vfs(|fx| async {
        fx.put("/one", A, 5).await;
        let way = [(NONE, "one")];
        let merged = fx.page(B, &way, vec![file("x", 1, None)]).await;
        assert_eq!(merged.kept_beside, [path("/one.conflict-beta/x")]);
        let again = fx.page(B, &way, vec![file("x", 1, None)]).await;
        assert_eq!((again.left, again.kept_beside.len()), (1, 0));
        let way = [(NONE, "one"), (NONE, "sub")];
        let merged = fx.page(B, &way, vec![file("y", 2, None)]).await;
        assert_eq!(merged.kept_beside, [path("/one.conflict-beta/sub/y")]);
        assert_eq!(
            short(&fx.ops(B).await),
            [
                "beside /one/x /one.conflict-beta/x",
                "beside /one/sub/y /one.conflict-beta/sub/y"
            ]
        );
        assert_eq!(fx.totals("/one.conflict-beta").await, (3, 2));
        fx
    });
}

#[test]
fn what_has_no_place_in_the_list_is_counted_and_left_for_good() {
    with_vfs(|fx| async {
        let merged = fx.page(B, &[], vec![file("huge", u64::MAX, None)]).await;
        assert_eq!((merged.refused, merged.left, merged.adopted), (1, 0, 0));
        fx
    });
}

#[test]
fn staged_files_are_published_kept_or_thrown_away() {
    with_vfs(|fx| async {
        let partial = fx.begin("/partial", UploadMode::Store, A).await.unwrap();
        fx.vfs.break_upload(partial.file, A, Some(5)).await.unwrap();
        let running = fx.begin("/running", UploadMode::Store, A).await.unwrap();
        let done = fx.put("/done", B, 9).await;
        let gone = fx.put("/gone", A, 9).await;
        fx.vfs.delete(&path("/gone"), None).await.unwrap();
        let before = fx.ops(A).await.len();
        let staged = |file: FileId, size, prepared| StagedEntry {
            file,
            size,
            prepared,
        };
        let later = FileId {
            node: NodeId(done.id.0 + (9 << 31)),
            generation: Generation(1),
        };
        let files = vec![
            staged(partial.file, 7, None),
            staged(running.file, 3, None),
            staged(done.file(), 9, Some(0xC0FFEE)),
            staged(gone.file(), 9, None),
            staged(later, 9, Some(1)),
        ];
        fx.vfs.merge_staged(A, files).await.unwrap();
        assert_eq!(fx.stat("/partial").await.unwrap().size, 7);
        let ops = fx.ops(A).await;
        assert_eq!(short(&ops)[before..], ["publish /done", "discard"]);
        assert_eq!(
            ops[ops.len() - 1],
            RootOp::DiscardStaged { file: gone.file() }
        );
        let readable = fx.vfs.readable(&path("/done")).await.unwrap();
        assert_eq!(readable.holders.len(), 2);
        fx.commit(running.file, A, 3).await.unwrap();
        fx
    });
}
