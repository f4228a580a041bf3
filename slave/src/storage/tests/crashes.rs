//! Crashes: half of an operation was done by hand, then the operation comes.

use super::*;

/// A root with one published file, and what its tree is when an operation is done in one go.
fn both(
    prepare: impl Fn(&Fixture),
    half: impl Fn(&Fixture),
    op: &RootOp,
) -> (Vec<String>, Vec<String>) {
    let whole = Fixture::new();
    prepare(&whole);
    whole.apply(op);
    let crashed = Fixture::new();
    prepare(&crashed);
    half(&crashed);
    crashed.apply(op);
    (crashed.visible(), whole.visible())
}

#[test]
fn a_publish_goes_on_after_its_directories_were_made_with_and_without_identity() {
    let op = publish(id(5, 1), "3:a/4:b/f");
    for marked in [false, true] {
        let (crashed, whole) = both(
            |fixture| fixture.prepare(id(5, 1), b"x"),
            |fixture| {
                std::fs::create_dir_all(fixture.path("a/b")).expect("made");
                if marked {
                    mark_by_hand(&fixture.path("a"), Mark::Dir(NodeId(3)));
                }
            },
            &op,
        );
        assert_eq!(crashed, whole);
    }
}

#[test]
fn a_publish_goes_on_after_the_old_file_was_set_aside() {
    let (crashed, whole) = both(
        |fixture| {
            fixture.publish(id(5, 1), "f", b"old");
            fixture.prepare(id(5, 2), b"new");
        },
        |fixture| {
            let to = fixture.path(".drftpd/trash/1-0-f");
            std::fs::rename(fixture.path("f"), to).expect("moved");
        },
        &publish(id(5, 2), "f"),
    );
    assert_eq!(crashed, whole);
}

#[test]
fn a_move_goes_on_before_and_after_its_rename_and_prunes_what_is_left() {
    let op = move_file(id(5, 1), "3:a/f", "4:b/g");
    let start = |fixture: &Fixture| fixture.publish(id(5, 1), "3:a/f", b"x");
    let (crashed, whole) = both(
        start,
        |fixture| std::fs::create_dir(fixture.path("b")).expect("made"),
        &op,
    );
    assert_eq!(crashed, whole);
    let (crashed, _) = both(
        start,
        |fixture| {
            std::fs::create_dir(fixture.path("b")).expect("made");
            mark_by_hand(&fixture.path("b"), Mark::Dir(NodeId(4)));
            std::fs::rename(fixture.path("a/f"), fixture.path("b/g")).expect("moved");
        },
        &op,
    );
    // The empty directory is seen by the next walk; nothing of ours is in it.
    assert!(crashed.contains(&"b/g=x[5.1]".to_owned()), "{crashed:?}");
}

#[test]
fn a_delete_goes_on_after_the_file_went() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"x");
    std::fs::remove_file(fixture.path("a/f")).expect("removed");
    fixture.apply(&delete(id(5, 1), "3:a/f"));
    assert!(!fixture.visible().contains(&"a/f=x[5.1]".to_owned()));
}

#[test]
fn a_log_that_is_done_again_from_its_beginning_ends_where_it_ended() {
    let fixture = Fixture::new();
    fixture.prepare(id(5, 1), b"five");
    fixture.prepare(id(6, 1), b"six");
    fixture.prepare(id(7, 1), b"seven");
    let log = [
        publish(id(5, 1), "3:a/f"),
        move_dir(3, "a", "b"),
        move_dir(3, "b", "a"),
        publish(id(6, 1), "4:b/g"),
        move_file(id(5, 1), "3:a/f", "4:b/f"),
        move_file(id(5, 1), "4:b/f", "3:a/f"),
        publish(id(7, 1), "4:b/f"),
    ];
    for op in &log {
        fixture.root.apply(op).expect("applied");
    }
    let end = fixture.visible();
    assert_eq!(end.len(), 5, "{end:?}");
    for from in 0..log.len() {
        for op in &log[from..] {
            fixture.root.apply(op).expect("applied again");
        }
        assert_eq!(fixture.visible(), end, "again from {from}");
        assert!(fixture.reserved("staging").is_empty());
        assert!(fixture.reserved("trash").is_empty());
    }
}

#[test]
fn a_staged_file_whose_end_was_lost_with_the_power_is_not_prepared() {
    let fixture = Fixture::new();
    fixture.prepare(id(5, 1), b"hello");
    let staged = std::fs::OpenOptions::new()
        .write(true)
        .open(fixture.path(".drftpd/staging/5.1"));
    staged.and_then(|file| file.set_len(3)).expect("cut");
    assert!(fixture.apply(&publish(id(5, 1), "f")).is_some());
    assert!(fixture.visible().is_empty());
}

#[test]
fn a_directory_that_an_older_part_of_the_log_makes_again_becomes_one_with_the_real_one() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "f", b"five");
    fixture.publish(id(6, 1), "3:a/g", b"six");
    let log = [
        move_file(id(5, 1), "f", "3:a/f"),
        move_dir(3, "a", "b"),
        move_dir(3, "b", "9:c/d"),
        move_file(id(5, 1), "9:c/3:d/f", "f"),
    ];
    for op in &log {
        fixture.root.apply(op).expect("applied");
    }
    let end = ["c=dir[9]", "c/d=dir[3]", "c/d/g=six[6.1]", "f=five[5.1]"];
    assert_eq!(fixture.visible(), end);
    for op in &log {
        fixture.root.apply(op).expect("applied again");
    }
    assert_eq!(fixture.visible(), end);
}
