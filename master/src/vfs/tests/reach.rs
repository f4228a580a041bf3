//! Paths stay within their limits, whatever is moved where.

use std::collections::BTreeMap;

use drftpd_protocol::PathError;
use drftpd_protocol::path::{MAX_DEPTH, MAX_PATH};

use super::*;

fn long(letter: &str) -> String {
    format!("/{}", letter.repeat(255))
}

async fn dirs(fx: &Fixture, at: &str) {
    let names = at.split('/').skip(1);
    let mut path = String::new();
    for name in names {
        path += &format!("/{name}");
        fx.dir(&path).await;
    }
}

#[test]
fn a_directory_is_not_moved_where_something_below_it_would_be_too_deep() {
    with_vfs(|fx| async {
        let tree = "/d".repeat(100);
        dirs(&fx, &tree).await;
        fx.put(&format!("{tree}/file"), A, 1).await;
        dirs(&fx, &"/e".repeat(28)).await;
        let before = fx.ops(A).await.len();
        let refused = fx.rename("/d", &format!("{}/d", "/e".repeat(28))).await;
        assert!(matches!(refused, Err(VfsError::Path(PathError::TooLong))));
        assert_eq!(fx.ops(A).await.len(), before);
        assert_eq!(fx.names("/").await, ["d", "e"]);
        let deepest = format!("{}/d", "/e".repeat(27));
        fx.rename("/d", &deepest).await.unwrap();
        let file = format!("{}{tree}/file", "/e".repeat(27));
        assert_eq!(path(&file).names().len(), MAX_DEPTH);
        assert_eq!(fx.stat(&file).await.unwrap().size, 1);
        // To a place that is not deeper it always goes.
        fx.rename(&deepest, &format!("{}/x", "/e".repeat(27)))
            .await
            .unwrap();
        fx
    });
}

#[test]
fn a_directory_is_not_moved_where_a_path_below_it_would_be_too_long() {
    with_vfs(|fx| async {
        let tree = long("d").repeat(8);
        dirs(&fx, &format!("/top{tree}")).await;
        fx.put(&format!("/top{tree}/{}", "f".repeat(200)), A, 1)
            .await;
        let deep = long("e").repeat(7);
        dirs(&fx, &deep).await;
        // 7 + 8 names of 256 bytes each, 201 for the file: 55 are left.
        let too_long = format!("{deep}/{}", "t".repeat(55));
        let refused = fx.rename("/top", &too_long);
        assert!(matches!(
            refused.await,
            Err(VfsError::Path(PathError::TooLong))
        ));
        let fits = format!("{deep}/{}", "t".repeat(54));
        fx.rename("/top", &fits).await.unwrap();
        let file = format!("{fits}{tree}/{}", "f".repeat(200));
        assert_eq!(file.len(), MAX_PATH);
        let file = fx.stat(&file).await.unwrap();
        assert!(fx.rename(&fits, &too_long).await.is_err());
        fx.vfs
            .delete(&fx.vfs.path_of(file.id).await.unwrap(), None)
            .await
            .unwrap();
        // The file was in the way; the directories reach to 4096 bytes with a name of 255.
        let longer = format!("{deep}/{}", "t".repeat(255));
        fx.rename(&fits, &longer).await.unwrap();
        fx
    });
}

#[test]
fn random_moves_are_refused_exactly_when_a_path_would_be_too_long() {
    let seed = drftpd_actors::testkit::seed();
    let dice = Dice::seeded(seed);
    with_vfs(|fx| async {
        // What is there: every path, and whether it is a directory.
        let mut all: BTreeMap<String, bool> = BTreeMap::new();
        for letter in ["a", "b"] {
            dirs(&fx, &long(letter).repeat(7)).await;
            all.extend((1..8).map(|n| (long(letter).repeat(n), true)));
        }
        let (mut moved, mut refused) = (0, 0);
        for n in 0..300 {
            let dirs: Vec<String> = std::iter::once(String::new())
                .chain(
                    all.iter()
                        .filter(|(_, dir)| **dir)
                        .map(|(at, _)| at.clone()),
                )
                .collect();
            let any = || &dirs[dice.below(dirs.len() as u64) as usize];
            let name = format!("{n}-{}", "x".repeat([1, 20, 250][dice.below(3) as usize]));
            // Long ones more often, and those with much below them.
            let parent = [any(), any(), any()].into_iter().max_by_key(|at| at.len());
            let to = format!("{}/{name}", parent.unwrap());
            if to.len() > MAX_PATH {
                continue;
            }
            match dice.below(5) {
                0 | 1 => {
                    fx.dir(&to).await;
                    all.insert(to, true);
                }
                2 => {
                    fx.put(&to, A, 1).await;
                    all.insert(to, false);
                }
                _ => {
                    let from = [any(), any()]
                        .into_iter()
                        .min_by_key(|at| at.len())
                        .unwrap();
                    if from.is_empty() || format!("{to}/").starts_with(&format!("{from}/")) {
                        continue;
                    }
                    let below = format!("{from}/");
                    let is_moved = |at: &str| at == from.as_str() || at.starts_with(&below);
                    let new = |at: &str| format!("{to}{}", &at[from.len()..]);
                    let fits = all
                        .keys()
                        .all(|at| !is_moved(at) || new(at).len() <= MAX_PATH);
                    let done = fx.rename(from, &to).await;
                    assert_eq!(done.is_ok(), fits, "{done:?}");
                    if fits {
                        moved += 1;
                        all = all
                            .into_iter()
                            .map(|(at, dir)| {
                                if is_moved(&at) {
                                    (new(&at), dir)
                                } else {
                                    (at, dir)
                                }
                            })
                            .collect();
                    } else {
                        refused += 1;
                    }
                }
            }
        }
        assert!(moved + refused > 9, "{moved} moved, {refused} refused");
        fx
    });
}
