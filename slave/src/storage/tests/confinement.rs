//! Nothing leads out of a root: links that were planted before, and directories that are swapped.

use std::os::unix::fs::symlink;

use drftpd_protocol::wire::FaultCode;

use super::*;

/// A root, and a folder outside of it with a file that must never be touched or read.
fn with_outside() -> (Fixture, tempfile::TempDir) {
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("f"), "secret").expect("written");
    mark_by_hand(&outside.path().join("f"), file_mark(id(5, 1), 6));
    mark_by_hand(outside.path(), Mark::Dir(NodeId(3)));
    (Fixture::with(Fsync::Never), outside)
}

fn untouched(outside: &tempfile::TempDir) {
    let names: Vec<_> = std::fs::read_dir(outside.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["f"]);
    let read = std::fs::read_to_string(outside.path().join("f"));
    assert_eq!(read.expect("there"), "secret");
}

#[test]
fn a_link_to_a_directory_or_a_file_is_never_read_through() {
    let (fixture, outside) = with_outside();
    symlink(outside.path(), fixture.path("a")).expect("a link");
    symlink(outside.path().join("f"), fixture.path("l")).expect("a link");
    let code = |file, at: &str| {
        let opened = fixture.root.open_file(file, &place(at));
        opened.expect_err("not opened").fault().code
    };
    for file in [Some(id(5, 1)), None] {
        assert_eq!(code(file, "3:a/f"), FaultCode::BAD_PLACE);
        assert_eq!(code(file, "l"), FaultCode::BAD_PLACE);
    }
}

#[test]
fn no_operation_goes_through_a_link() {
    for planted in ["a", "l"] {
        let (fixture, outside) = with_outside();
        match planted {
            "a" => symlink(outside.path(), fixture.path("a")).expect("a link"),
            _ => symlink(outside.path().join("f"), fixture.path("l")).expect("a link"),
        }
        let at = if planted == "a" { "3:a/f" } else { "l" };
        for op in [
            delete(id(5, 1), at),
            move_file(id(5, 1), at, "g"),
            move_dir(3, "a", "b"),
            RootOp::RemoveDir {
                dir: NodeId(3),
                at: place("a"),
            },
            RootOp::SetTime {
                file: id(5, 1),
                at: place(at),
                modified: 1,
            },
            RootOp::SetAside {
                file: id(5, 1),
                at: place(at),
            },
            RootOp::Identify {
                file: id(6, 1),
                at: place(at),
                size: 6,
            },
        ] {
            let before = fixture.tree();
            fixture.apply(&op);
            assert_eq!(fixture.tree(), before, "{op:?}");
        }
        fixture.publish(id(7, 1), at, b"ours");
        assert_eq!(fixture.read(id(7, 1), at).expect("there"), b"ours");
        untouched(&outside);
    }
}

#[test]
fn a_link_in_staging_is_neither_written_nor_read_through() {
    let (fixture, outside) = with_outside();
    symlink(
        outside.path().join("f"),
        fixture.path(".drftpd/staging/5.1"),
    )
    .expect("a link");
    assert!(fixture.root.open_file(Some(id(5, 1)), &place("g")).is_err());
    assert!(
        fixture
            .root
            .stage(id(5, 1), &Base::Staged { keep: 3 }, 0)
            .is_err()
    );
    fixture.prepare(id(5, 1), b"ours");
    assert_eq!(fixture.read(id(5, 1), "g").expect("there"), b"ours");
    untouched(&outside);
}

#[test]
fn a_link_in_place_of_the_reserved_folder_is_no_root() {
    let (fixture, outside) = with_outside();
    let Fixture {
        dir,
        roots,
        root,
        clock,
    } = fixture;
    drop((roots, root));
    let away = outside.path().join("../away-of-the-test");
    let away = away
        .parent()
        .expect("a folder")
        .join(format!("r{}", std::process::id()));
    std::fs::rename(dir.path().join(".drftpd"), &away).expect("moved");
    symlink(&away, dir.path().join(".drftpd")).expect("a link");
    let opened = open_roots(&[dir.path()], Fsync::Never, &clock);
    std::fs::remove_dir_all(&away).expect("removed");
    assert!(opened.is_err());
}

#[test]
fn somebody_who_swaps_a_directory_for_a_link_all_the_time_gains_nothing() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (fixture, outside) = with_outside();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (dir, link, away) = (
                fixture.path("a"),
                fixture.path("link"),
                fixture.path("away"),
            );
            symlink(outside.path(), &link).expect("a link");
            while !done.load(Ordering::Relaxed) {
                // Each step may fail when an operation is in between: then the next one is tried.
                let _swapped = std::fs::rename(&dir, &away).and_then(|()| {
                    std::fs::rename(&link, &dir)?;
                    std::fs::rename(&dir, &link)?;
                    std::fs::rename(&away, &dir)
                });
                if std::fs::symlink_metadata(&link).is_err() {
                    let _planted = symlink(outside.path(), &link);
                }
            }
        });
        for round in 0..300 {
            let file = id(1000 + round, 1);
            fixture.prepare(file, b"ours");
            // Under a swap an operation may find that there is no way; it must not go outside.
            let _published = fixture.root.apply(&publish(file, "3:a/g"));
            let _deleted = fixture.root.apply(&delete(id(5, 1), "3:a/f"));
            let opened = fixture.root.open_file(Some(id(5, 1)), &place("3:a/f"));
            assert!(opened.is_err(), "read from outside");
        }
        done.store(true, Ordering::Relaxed);
    });
    untouched(&outside);
}
