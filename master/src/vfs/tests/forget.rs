//! Files of which no copy is left: listed, and forgotten when an operator says so; never by themselves.

use super::merge::file;
use super::*;

/// A walk of A that saw nothing.
async fn misses_all(fx: &Fixture) {
    fx.follow(A).await;
    let saw = SawAll {
        since: fx.vfs.walk_begins(A).await.unwrap().since,
        conclude: true,
        ..SawAll::default()
    };
    fx.vfs.walked(A, &slave("alpha"), saw).await.unwrap();
}

async fn lost(fx: &Fixture, at: &str, before: i64) -> Vec<String> {
    let lost = fx.vfs.lost(&path(at), before).await.unwrap();
    lost.paths.iter().map(ToString::to_string).collect()
}

#[test]
fn only_files_without_a_copy_are_lost_and_only_those_are_forgotten() {
    on_strange_disks(|fx| async {
        fx.dir("/d").await;
        let both = fx.put("/d/both", A, 5).await;
        fx.put("/d/missing", A, 6).await;
        fx.put("/missing", A, 7).await;
        fx.put("/elsewhere", B, 8).await;
        fx.page(
            B,
            &[(NodeId(0), "d")],
            vec![file("both", 5, Some(both.file()))],
        )
        .await;
        assert_eq!(lost(&fx, "/", NOW).await, [""; 0]);
        misses_all(&fx).await;
        assert_eq!(lost(&fx, "/", NOW).await, ["/missing", "/d/missing"]);
        assert_eq!(lost(&fx, "/d", NOW).await, ["/d/missing"]);
        assert_eq!(lost(&fx, "/missing", NOW).await, ["/missing"]);
        assert_eq!(lost(&fx, "/d/both", NOW).await, [""; 0]);

        let listed = fx.vfs.lost(&path("/d"), NOW).await.unwrap();
        assert_eq!((listed.bytes, listed.nodes.len()), (6, 1));
        assert_eq!(fx.vfs.forget_lost(&listed, NOW).await.unwrap(), 1);
        assert_eq!(fx.names("/d").await, ["both"]);
        assert_eq!(fx.totals("/").await, (20, 3));
        // One that comes back between the list and the act stays.
        let listed = fx.vfs.lost(&path("/"), NOW).await.unwrap();
        let back = fx.stat("/missing").await.unwrap();
        fx.page(A, &[], vec![file("missing", 7, Some(back.file()))])
            .await;
        assert_eq!(fx.vfs.forget_lost(&listed, NOW).await.unwrap(), 0);
        fx
    });
}

#[test]
fn files_that_are_lost_since_lately_may_be_left_out_and_those_of_retired_roots_are_not() {
    on_strange_disks(|fx| async {
        fx.put("/missing", A, 7).await;
        fx.put("/retired", B, 8).await;
        misses_all(&fx).await;
        fx.vfs.retire_root(B).await.unwrap();
        assert_eq!(lost(&fx, "/", NOW - 1).await, ["/retired"]);
        assert_eq!(lost(&fx, "/", NOW).await, ["/missing", "/retired"]);
        let listed = fx.vfs.lost(&path("/"), NOW).await.unwrap();
        assert_eq!(fx.vfs.forget_lost(&listed, NOW - 1).await.unwrap(), 1);
        assert_eq!(fx.names("/").await, ["missing"]);
        fx
    });
}
