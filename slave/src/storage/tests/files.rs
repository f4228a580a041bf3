//! Operations on files: published, moved, deleted, set aside, their time set.

use super::*;

#[test]
fn a_published_file_is_a_plain_file_at_its_path_with_marked_directories() {
    let fixture = Fixture::new();
    fixture.prepare(id(5, 1), b"hello");
    assert_eq!(fixture.apply(&publish(id(5, 1), "3:a/4:b/f")), None);
    assert_eq!(
        fixture.visible(),
        ["a=dir[3]", "a/b=dir[4]", "a/b/f=hello[5.1]"]
    );
    assert!(fixture.reserved("staging").is_empty());
    let stored = fixture
        .root
        .open_file(Some(id(5, 1)), &place("3:a/4:b/f"))
        .expect("opens");
    assert_eq!((stored.size, stored.staged), (5, false));
    assert_eq!(stored.crc32, Some(crc32fast::hash(b"hello")));
}

#[test]
fn a_publish_of_nothing_makes_no_directories_and_is_remarked() {
    let fixture = Fixture::new();
    let remark = fixture.apply(&publish(id(5, 1), "3:a/f"));
    assert!(remark.expect("a remark").contains("5.1"));
    assert!(fixture.visible().is_empty());
}

#[test]
fn a_new_generation_takes_the_place_and_the_old_one_goes_to_the_trash() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"old");
    let old = fixture
        .root
        .open_file(Some(id(5, 1)), &place("3:a/f"))
        .expect("opens");
    fixture.publish(id(5, 2), "3:a/f", b"new");
    assert_eq!(fixture.visible(), ["a=dir[3]", "a/f=new[5.2]"]);
    let trash = fixture.reserved("trash");
    assert_eq!(trash.len(), 1);
    assert!(trash[0].ends_with("-f=old[5.1]"), "{trash:?}");
    // Who was reading it reads on.
    let mut bytes = [0; 3];
    std::os::unix::fs::FileExt::read_exact_at(&old.file, &mut bytes, 0).expect("read");
    assert_eq!(&bytes, b"old");
    assert!(fixture.apply(&delete(id(5, 1), "3:a/f")).is_some());
    assert_eq!(fixture.visible(), ["a=dir[3]", "a/f=new[5.2]"]);
}

#[test]
fn another_file_in_the_way_of_a_publish_goes_back_to_staging_and_can_be_published_again() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "f", b"five");
    fixture.publish(id(6, 1), "f", b"six");
    assert_eq!(fixture.visible(), ["f=six[6.1]"]);
    assert_eq!(fixture.reserved("staging"), ["5.1=five[5.1]"]);
    fixture.apply(&publish(id(5, 1), "g"));
    assert_eq!(fixture.visible(), ["f=six[6.1]", "g=five[5.1]"]);
}

#[test]
fn what_was_put_in_the_way_by_hand_is_set_aside_and_never_overwritten() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("f"), "by hand").expect("written");
    std::os::unix::fs::symlink("/etc/passwd", fixture.path("l")).expect("a link");
    fixture.publish(id(5, 1), "f", b"ours");
    fixture.publish(id(6, 1), "l", b"ours too");
    assert_eq!(fixture.visible(), ["f=ours[5.1]", "l=ours too[6.1]"]);
    let trash = fixture.reserved("trash");
    assert!(trash[0].ends_with("-f=by hand"), "{trash:?}");
    assert!(trash[1].ends_with("-l=other"), "{trash:?}");
}

#[test]
fn a_directory_in_the_way_of_a_file_stays_beside_it_with_what_is_in_it() {
    let fixture = Fixture::new();
    std::fs::create_dir_all(fixture.path("empty")).expect("made");
    std::fs::create_dir_all(fixture.path("full")).expect("made");
    std::fs::write(fixture.path("full/x"), "x").expect("written");
    fixture.publish(id(5, 1), "empty", b"a");
    fixture.publish(id(6, 1), "full", b"b");
    let visible = [
        "empty=a[5.1]",
        "full=b[6.1]",
        "full.aside-0=dir",
        "full.aside-0/x=x",
    ];
    assert_eq!(fixture.visible(), visible);
}

#[test]
fn a_deleted_file_is_gone_and_its_empty_directories_too_but_not_those_made_by_hand() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path("hand")).expect("made");
    fixture.publish(id(5, 1), "3:a/4:b/f", b"x");
    fixture.publish(id(6, 1), "3:a/g", b"y");
    fixture.apply(&delete(id(5, 1), "3:a/4:b/f"));
    assert_eq!(fixture.visible(), ["a=dir[3]", "a/g=y[6.1]", "hand=dir"]);
    fixture.apply(&delete(id(6, 1), "3:a/g"));
    assert_eq!(fixture.visible(), ["hand=dir"]);
    assert!(fixture.reserved("trash").is_empty());
}

#[test]
fn a_delete_names_an_identity_and_leaves_everything_else_alone() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 2), "f", b"newer");
    std::fs::write(fixture.path("g"), "by hand").expect("written");
    for (file, at) in [(id(5, 1), "f"), (id(9, 1), "f"), (id(9, 1), "g")] {
        let remark = fixture.apply(&delete(file, at));
        assert!(remark.expect("a remark").contains("something else"));
    }
    assert_eq!(fixture.apply(&delete(id(9, 1), "3:no/way")), None);
    assert_eq!(fixture.visible(), ["f=newer[5.2]", "g=by hand"]);
}

#[test]
fn a_delete_finds_the_file_in_staging_too() {
    let fixture = Fixture::new();
    fixture.prepare(id(5, 1), b"x");
    fixture.apply(&delete(id(5, 1), "3:a/f"));
    assert!(fixture.reserved("staging").is_empty());
}

#[test]
fn a_moved_file_is_at_its_new_place_only() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"x");
    assert_eq!(fixture.apply(&move_file(id(5, 1), "3:a/f", "4:b/g")), None);
    assert_eq!(fixture.visible(), ["b=dir[4]", "b/g=x[5.1]"]);
    let again = fixture.root.apply(&move_file(id(5, 1), "3:a/f", "4:b/g"));
    assert_eq!(again.expect("done before"), None);
}

#[test]
fn a_move_of_a_file_that_is_nowhere_is_remarked() {
    let fixture = Fixture::new();
    let remark = fixture.apply(&move_file(id(5, 1), "3:a/f", "4:b/g"));
    assert!(remark.expect("a remark").contains("not there"));
    assert!(fixture.visible().is_empty());
}

#[test]
fn a_file_that_is_at_both_places_stays_at_the_new_one() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "g", b"x");
    std::fs::write(fixture.path("f"), "x").expect("written");
    mark_by_hand(&fixture.path("f"), file_mark(id(5, 1), 1));
    fixture.apply(&move_file(id(5, 1), "f", "g"));
    assert_eq!(fixture.visible(), ["g=x[5.1]"]);
    assert_eq!(fixture.reserved("trash").len(), 1);
}

#[test]
fn a_move_between_equal_paths_gives_directories_their_identities_and_keeps_the_file() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"x");
    fixture.apply(&move_file(id(5, 1), "3:a/f", "9:a/f"));
    assert_eq!(fixture.visible(), ["a=dir[9]", "a/f=x[5.1]"]);
    assert!(fixture.reserved("trash").is_empty());
}

#[test]
fn a_file_is_set_aside_with_a_note_and_only_with_its_identity() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"x");
    let other = RootOp::SetAside {
        file: id(5, 9),
        at: place("3:a/f"),
    };
    assert!(fixture.apply(&other).is_some());
    assert_eq!(fixture.visible(), ["a=dir[3]", "a/f=x[5.1]"]);
    fixture.apply(&RootOp::SetAside {
        file: id(5, 1),
        at: place("3:a/f"),
    });
    assert!(fixture.visible().is_empty());
    let trash = fixture.reserved("trash");
    assert_eq!(trash.len(), 1);
    let stem: Vec<&str> = trash[0].splitn(3, '-').collect();
    let note = fixture.path(&format!(".drftpd/trash/{}-{}.note", stem[0], stem[1]));
    let note = std::fs::read_to_string(note).expect("a note");
    assert!(
        note.contains("was: /a/f\n") && note.contains("is: 5.1\n"),
        "{note}"
    );
}

#[test]
fn a_time_is_set_at_the_place_or_in_staging() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "f", b"x");
    fixture.prepare(id(6, 1), b"y");
    let set = |node, at| RootOp::SetTime {
        file: id(node, 1),
        at: place(at),
        modified: 1_000_000_000,
    };
    fixture.apply(&set(5, "f"));
    fixture.apply(&set(6, "g"));
    assert!(fixture.apply(&set(7, "h")).is_some());
    for path in ["f", ".drftpd/staging/6.1"] {
        let seen = std::fs::metadata(fixture.path(path)).expect("there");
        assert_eq!(std::os::unix::fs::MetadataExt::mtime(&seen), 1_000_000_000);
    }
}

#[test]
fn a_file_that_was_altered_or_is_another_one_is_not_opened() {
    use drftpd_protocol::wire::FaultCode;
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"hello");
    let code = |file: Option<FileId>, at: &str| {
        let opened = fixture.root.open_file(file, &place(at));
        opened.expect_err("not opened").fault().code
    };
    assert_eq!(code(Some(id(5, 2)), "3:a/f"), FaultCode::OTHER_IDENTITY);
    assert_eq!(code(None, "3:a/f"), FaultCode::OTHER_IDENTITY);
    assert_eq!(code(Some(id(5, 1)), "3:a/g"), FaultCode::NO_SUCH_FILE);
    assert_eq!(code(Some(id(5, 1)), "3:a/4:f/g"), FaultCode::BAD_PLACE);
    assert_eq!(code(Some(id(3, 1)), "a"), FaultCode::OTHER_IDENTITY);
    std::fs::write(fixture.path("a/f"), "hello world").expect("altered");
    assert_eq!(code(Some(id(5, 1)), "3:a/f"), FaultCode::OTHER_IDENTITY);
    std::fs::write(fixture.path("a/g"), "by hand").expect("written");
    assert_eq!(code(Some(id(5, 1)), "3:a/g"), FaultCode::OTHER_IDENTITY);
    assert!(fixture.root.open_file(None, &place("3:a/g")).is_ok());
}

#[test]
fn operations_are_applied_in_order_up_to_the_first_that_fails() {
    use drftpd_protocol::ids::OpSeq;
    let fixture = Fixture::with(Fsync::Never);
    fixture.prepare(id(5, 1), b"x");
    let deep: String = (0..200).map(|n| format!("{}:d/", n + 10)).collect();
    let applied = fixture.root.apply_all(&[
        (OpSeq(7), publish(id(5, 1), "f")),
        (OpSeq(8), publish(id(6, 1), "g")),
        (OpSeq(9), move_file(id(5, 1), "f", &format!("{deep}f"))),
        (OpSeq(10), delete(id(5, 1), "f")),
    ]);
    assert_eq!(applied.through, Some(OpSeq(8)));
    assert_eq!(applied.remarks.len(), 1);
    assert_eq!(applied.remarks[0].0, OpSeq(8));
    assert!(applied.error.is_some());
    assert_eq!(fixture.visible(), ["f=x[5.1]"]);
}
