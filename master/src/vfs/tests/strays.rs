//! Walks of disks that people rearranged: what strayed goes back, what was changed is set aside.

use drftpd_protocol::wire::{WalkEntry, WalkNode};

use super::merge::{NONE, file};
use super::*;

#[test]
fn a_file_that_was_moved_on_the_disk_goes_back_to_its_place() {
    on_strange_disks(|fx| async {
        fx.dir("/d").await;
        let put = fx.put("/d/put", A, 5).await;
        let found = vec![file("elsewhere", 5, Some(put.file()))];
        let merged = fx.page(A, &[(NONE, "strange")], found).await;
        assert_eq!((merged.moved, merged.good), (1, 0));
        let ops = fx.ops(A).await;
        assert_eq!(short(&ops)[1..], ["move /strange/elsewhere /d/put"]);
        assert_eq!(fx.names("/").await, ["d"]);
        fx
    });
}

#[test]
fn a_directory_that_was_moved_on_the_disk_goes_back_before_its_new_files_are_adopted() {
    on_strange_disks(|fx| async {
        fx.dir("/d").await;
        let put = fx.put("/d/put", A, 5).await;
        let found = || vec![file("put", 5, Some(put.file())), file("new", 9, None)];
        let merged = fx.page(A, &[(put.parent, "e")], found()).await;
        assert_eq!((merged.moved, merged.good, merged.left), (1, 1, 1));
        assert_eq!(short(&fx.ops(A).await)[1..], ["move /e /d"]);
        fx.follow(A).await;
        let merged = fx.page(A, &[(put.parent, "d")], found()).await;
        assert_eq!((merged.good, merged.adopted), (1, 1));
        assert_eq!(fx.names("/d").await, ["new", "put"]);
        fx
    });
}

#[test]
fn a_good_file_brings_its_directories_the_identities_they_lack() {
    on_strange_disks(|fx| async {
        fx.dir("/d").await;
        let (one, two) = (fx.put("/d/one", A, 5).await, fx.put("/d/two", A, 5).await);
        let found = vec![
            file("one", 5, Some(one.file())),
            file("two", 5, Some(two.file())),
        ];
        let merged = fx.page(A, &[(NONE, "d")], found).await;
        assert_eq!(merged.good, 2);
        assert_eq!(short(&fx.ops(A).await)[2..], ["move /d/one /d/one"]);
        fx
    });
}

#[test]
fn a_copy_with_other_bytes_is_set_aside_and_not_served_until_it_is_good_again() {
    on_strange_disks(|fx| async {
        let put = fx.put("/put", A, 5).await;
        let holders = async || {
            let readable = fx.vfs.readable(&path("/put")).await.unwrap();
            readable.holders.len()
        };
        let merged = fx
            .page(A, &[], vec![file("put", 4, Some(put.file()))])
            .await;
        assert_eq!(merged.set_aside, 1);
        assert_eq!(holders().await, 0);
        assert_eq!(fx.stat("/put").await.unwrap().size, 5);
        let other_sum = WalkEntry {
            node: WalkNode::File {
                size: 5,
                file: Some(put.file()),
                crc32: Some(1),
                blake3: None,
                edited: false,
                busy: false,
            },
            ..file("put", 5, None)
        };
        assert_eq!(fx.page(A, &[], vec![other_sum]).await.set_aside, 1);
        fx.page(A, &[], vec![file("put", 5, Some(put.file()))])
            .await;
        assert_eq!(holders().await, 1);
        fx
    });
}

#[test]
fn a_copy_on_another_root_makes_it_a_holder() {
    on_strange_disks(|fx| async {
        let put = fx.put("/put", A, 5).await;
        let merged = fx
            .page(B, &[], vec![file("put", 5, Some(put.file()))])
            .await;
        assert_eq!(merged.good, 1);
        let readable = fx.vfs.readable(&path("/put")).await.unwrap();
        assert_eq!(readable.holders.len(), 2);
        fx.vfs.delete(&path("/put"), None).await.unwrap();
        assert_eq!(short(&fx.ops(B).await), ["delete /put"]);
        fx
    });
}
