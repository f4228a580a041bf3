//! Directories, renames, deletes and listings.

use std::time::Duration;

use super::*;

#[test]
fn a_directory_is_made_in_one_that_exists_and_only_once() {
    with_vfs(|fx| async {
        let made = fx.dir("/a").await;
        assert!(is_new(made.id) && made.owner == "ann" && made.kind == Kind::Dir);
        assert_eq!(fx.stat("/a").await.unwrap(), made);
        let again = fx.vfs.make_dir(&path("/a"), ann()).await;
        assert!(matches!(again, Err(VfsError::Exists(_))));
        let root = fx.vfs.make_dir(&path("/"), ann()).await;
        assert!(matches!(root, Err(VfsError::Exists(_))));
        let deep = fx.vfs.make_dir(&path("/x/y"), ann()).await;
        assert!(matches!(deep, Err(VfsError::NotFound(_))));
        fx.put("/a/file", A, 1).await;
        let below_file = fx.vfs.make_dir(&path("/a/file/y"), ann()).await;
        assert!(matches!(below_file, Err(VfsError::NotFound(_))));
        fx
    });
}

#[test]
fn only_an_empty_directory_is_removed_and_its_roots_are_told() {
    with_vfs(|fx| async {
        fx.dir("/a").await;
        fx.put("/a/file", A, 1).await;
        let full = fx.vfs.remove_dir(&path("/a"), None).await;
        assert!(matches!(full, Err(VfsError::NotEmpty(_))));
        let file = fx.vfs.remove_dir(&path("/a/file"), None).await;
        assert!(matches!(file, Err(VfsError::NotADirectory(_))));
        let root = fx.vfs.remove_dir(&path("/"), None).await;
        assert!(matches!(root, Err(VfsError::BadMove(_))));
        fx.vfs.delete(&path("/a/file"), None).await.unwrap();
        fx.vfs.remove_dir(&path("/a"), None).await.unwrap();
        assert!(matches!(fx.stat("/a").await, Err(VfsError::NotFound(_))));
        let ops = short(&fx.ops(A).await);
        assert_eq!(ops, ["publish /a/file", "delete /a/file", "rmdir /a"]);
        assert!(fx.ops(B).await.is_empty());
        fx
    });
}

#[test]
fn renaming_a_directory_is_one_operation_for_each_root_that_has_something_below() {
    with_vfs(|fx| async {
        for dir in ["/a", "/a/b", "/z"] {
            fx.dir(dir).await;
        }
        fx.put("/a/b/one", A, 10).await;
        fx.put("/a/two", A, 20).await;
        let before = fx.ops(A).await.len();
        fx.rename("/a", "/z/c").await.unwrap();
        let ops = fx.ops(A).await;
        assert_eq!(short(&ops[before..]), ["move /a /z/c"]);
        assert!(fx.ops(B).await.is_empty());
        assert_eq!(fx.stat("/z/c/b/one").await.unwrap().size, 10);
        assert_eq!(fx.totals("/z").await, (30, 2));
        // Whoever has something of a moved directory is told of moves above it from now on.
        fx.rename("/z", "/y").await.unwrap();
        assert_eq!(short(&fx.ops(A).await[before + 1..]), ["move /z /y"]);
        fx
    });
}

#[test]
fn a_directory_is_never_moved_below_itself() {
    with_vfs(|fx| async {
        fx.dir("/a").await;
        fx.dir("/a/b").await;
        for to in ["/a/b/c", "/a/c"] {
            let refused = fx.rename("/a", to).await;
            assert!(matches!(refused, Err(VfsError::BadMove(_))), "{to}");
        }
        let root = fx.rename("/", "/a/r").await;
        assert!(matches!(root, Err(VfsError::BadMove(_))));
        fx.rename("/a/b", "/b").await.unwrap();
        fx.rename("/a", "/b/a").await.unwrap();
        assert_eq!(fx.names("/b").await, ["a"]);
        fx
    });
}

#[test]
fn a_rename_replaces_only_files_and_only_when_asked() {
    with_vfs(|fx| async {
        fx.dir("/d").await;
        let one = fx.put("/one", A, 1).await;
        fx.put("/two", B, 2).await;
        let refused = fx.rename("/one", "/two").await;
        assert!(matches!(refused, Err(VfsError::Exists(_))));
        let onto_dir = fx.rename_onto("/one", "/d").await;
        assert!(matches!(onto_dir, Err(VfsError::Exists(_))));
        let dir_onto = fx.rename_onto("/d", "/two").await;
        assert!(matches!(dir_onto, Err(VfsError::Exists(_))));
        fx.rename_onto("/one", "/two").await.unwrap();
        assert_eq!(fx.stat("/two").await.unwrap().id, one.id);
        assert_eq!(short(&fx.ops(A).await), ["publish /one", "move /one /two"]);
        assert_eq!(short(&fx.ops(B).await), ["publish /two", "delete /two"]);
        assert_eq!(fx.totals("/").await, (1, 1));
        let gone = fx.rename("/one", "/three").await;
        assert!(matches!(gone, Err(VfsError::NotFound(_))));
        fx
    });
}

#[test]
fn renaming_to_the_same_name_changes_nothing() {
    with_vfs(|fx| async {
        fx.put("/one", A, 1).await;
        fx.rename("/one", "/one").await.unwrap();
        assert_eq!(fx.ops(A).await.len(), 1);
        fx
    });
}

#[test]
fn a_delete_goes_to_every_holder_and_into_the_totals() {
    with_vfs(|fx| async {
        fx.dir("/a").await;
        let put = fx.put("/a/file", A, 7).await;
        assert_eq!(fx.totals("/").await, (7, 1));
        let was = fx.vfs.delete(&path("/a/file"), None).await.unwrap();
        assert_eq!((was.id, was.size), (put.id, 7));
        assert_eq!(fx.totals("/").await, (0, 0));
        let dir = fx.vfs.delete(&path("/a"), None).await;
        assert!(matches!(dir, Err(VfsError::IsDirectory(_))));
        fx
    });
}

#[test]
fn pages_follow_each_other_in_the_order_of_names() {
    with_vfs(|fx| async {
        for name in ["/b", "/a", "/\u{e9}", "/B", "/aa"] {
            fx.dir(name).await;
        }
        assert_eq!(fx.names("/").await, ["B", "a", "aa", "b", "\\xc3\\xa9"]);
        let empty = fx.stat("/a").await.unwrap().id;
        let page = fx.vfs.list(empty, None, 10).await.unwrap();
        assert!(page.entries.is_empty() && page.next.is_none());
        let file = fx.put("/file", A, 1).await.id;
        let of_file = fx.vfs.list(file, None, 10).await;
        assert!(matches!(of_file, Err(VfsError::NotFound(_))));
        fx
    });
}

#[test]
fn where_case_does_not_count_the_first_spelling_is_kept() {
    with_case(Case::Insensitive, |fx| async {
        fx.dir("/Films").await;
        fx.put("/FILMS/One.mkv", A, 1).await;
        assert_eq!(fx.names("/films").await, ["One.mkv"]);
        let resolved = fx.vfs.resolve(&path("/films/ONE.MKV")).await.unwrap();
        assert_eq!(resolved, path("/Films/One.mkv"));
        let again = fx.vfs.make_dir(&path("/fILMS"), ann()).await;
        assert!(matches!(again, Err(VfsError::Exists(_))));
        fx.rename("/Films/One.mkv", "/Films/one.MKV").await.unwrap();
        assert_eq!(fx.names("/Films").await, ["one.MKV"]);
        let ops = short(&fx.ops(A).await);
        assert_eq!(ops[1], "move /Films/One.mkv /Films/one.MKV");
        fx
    });
}

#[test]
fn a_time_that_is_set_goes_to_the_copies() {
    with_vfs(|fx| async {
        fx.dir("/d").await;
        fx.put("/d/file", A, 1).await;
        fx.vfs
            .set_times(&path("/d/file"), Times::modified(77))
            .await
            .unwrap();
        fx.vfs
            .set_times(&path("/d"), Times::modified(78))
            .await
            .unwrap();
        assert_eq!(fx.stat("/d/file").await.unwrap().modified, 77);
        assert_eq!(fx.stat("/d").await.unwrap().modified, 78);
        assert_eq!(short(&fx.ops(A).await)[1..], ["time /d/file 77"]);
        fx
    });
}

#[test]
fn a_time_of_creation_is_the_file_lists_alone_and_outlives_what_is_done_to_its_file() {
    with_vfs(|fx| async {
        fx.put("/file", A, 1).await;
        let made = fx.stat("/file").await.unwrap();
        assert_eq!(made.created, made.modified);
        fx.clock.advance(Duration::from_secs(10));
        fx.put("/file", A, 2).await;
        fx.rename("/file", "/other").await.unwrap();
        let again = fx.stat("/other").await.unwrap();
        assert_eq!(
            (again.created, again.modified),
            (made.created, made.created + 10)
        );
        let before = fx.ops(A).await.len();
        let times = Times {
            created: Some(7),
            modified: None,
        };
        fx.vfs.set_times(&path("/other"), times).await.unwrap();
        let set = fx.stat("/other").await.unwrap();
        assert_eq!((set.created, set.modified), (7, again.modified));
        assert_eq!(fx.ops(A).await.len(), before, "no copy has it");
        fx.dir("/made").await;
        assert_eq!(fx.stat("/made").await.unwrap().created, again.modified);
        fx
    });
}

#[test]
fn the_path_of_a_node_follows_its_renames() {
    with_vfs(|fx| async {
        fx.dir("/a").await;
        let file = fx.put("/a/file", A, 1).await;
        fx.rename("/a", "/b").await.unwrap();
        let at = fx.vfs.path_of(file.id).await.unwrap();
        assert_eq!(at, path("/b/file"));
        assert_eq!(fx.vfs.path_of(NodeId::ROOT).await.unwrap(), path("/"));
        let gone = fx.vfs.path_of(NodeId(99)).await;
        assert!(matches!(gone, Err(VfsError::NotFound(_))));
        fx
    });
}

#[test]
fn what_was_judged_is_changed_and_not_what_came_to_its_path_since() {
    with_vfs(|fx| async {
        fx.dir("/d").await;
        let judged = Meant::judged(&path("/d/file"), &fx.put("/d/file", A, 1).await);
        let dir = Meant::judged(&path("/e"), &fx.dir("/e").await);
        fx.vfs.delete(&judged.path, None).await.unwrap();
        fx.rename("/e", "/was e").await.unwrap();
        fx.dir("/e").await;
        let other = fx.put("/d/file", A, 2).await;
        let modified = Times::modified(5);
        let refused = [
            fx.vfs.delete(judged.clone(), None).await.map(drop),
            fx.vfs.rename(judged.clone(), &path("/f"), None, None).await,
            fx.vfs.set_times(judged.clone(), modified).await,
            fx.vfs.remove_dir(dir.clone(), None).await,
            fx.vfs.wipe(&dir, None).await.map(drop),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(VfsError::NotFound(_))), "{refused:?}");
        }
        let third = fx.put("/third", A, 3).await;
        let onto = (&judged.path, judged.node);
        let onto_another = fx.vfs.rename(&path("/third"), onto.0, onto.1, None).await;
        assert!(matches!(onto_another, Err(VfsError::Exists(_))));
        assert_eq!(fx.stat("/d/file").await.unwrap(), other);
        assert_eq!(fx.stat("/third").await.unwrap(), third);
        assert!(fx.stat("/e").await.is_ok());
        fx
    });
}
