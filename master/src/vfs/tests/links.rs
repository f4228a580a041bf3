//! Links: a name for another path of the tree, never a way out of it.

use super::*;

async fn link(fx: &Fixture, at: &str, target: &str) -> Entry {
    let made = fx.vfs.make_link(&path(at), target.as_bytes(), ann()).await;
    made.unwrap()
}

#[test]
fn links_are_followed_relative_to_where_they_stand() {
    with_vfs(|fx| async {
        fx.dir("/a").await;
        fx.dir("/a/b").await;
        let file = fx.put("/a/b/file", A, 3).await;
        link(&fx, "/a/near", "b").await;
        link(&fx, "/far", "/a/near/file").await;
        link(&fx, "/a/b/up", "../../../../a").await;
        for at in ["/a/near/file", "/far", "/a/b/up/near/file"] {
            assert_eq!(fx.stat(at).await.unwrap().id, file.id, "{at}");
            let resolved = fx.vfs.resolve(&path(at)).await.unwrap();
            assert_eq!(resolved, path("/a/b/file"), "{at}");
        }
        let itself = fx.vfs.stat_link(&path("/far")).await.unwrap();
        assert_eq!(itself.target.as_deref(), Some(&b"/a/near/file"[..]));
        let new = fx.vfs.resolve(&path("/a/near/new")).await.unwrap();
        assert_eq!(new, path("/a/b/new"));
        fx
    });
}

#[test]
fn links_in_a_circle_end() {
    with_vfs(|fx| async {
        link(&fx, "/a", "b").await;
        link(&fx, "/b", "a").await;
        let circle = fx.stat("/a").await;
        assert!(matches!(circle, Err(VfsError::TooManyLinks(_))));
        link(&fx, "/nowhere", "/x/y").await;
        let dangling = fx.stat("/nowhere").await;
        assert!(matches!(dangling, Err(VfsError::NotFound(_))));
        fx
    });
}

#[test]
fn deleting_a_link_leaves_its_target_and_an_upload_goes_through_it() {
    with_vfs(|fx| async {
        fx.dir("/d").await;
        link(&fx, "/here", "/d/file").await;
        fx.put("/here", A, 5).await;
        assert_eq!(fx.stat("/d/file").await.unwrap().size, 5);
        fx.vfs.delete(&path("/here"), None).await.unwrap();
        assert_eq!(fx.names("/").await, ["d"]);
        assert_eq!(fx.stat("/d/file").await.unwrap().size, 5);
        fx
    });
}
