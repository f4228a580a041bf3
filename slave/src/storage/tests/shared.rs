//! Roots on which other programs work too: what they wrote to is recognized, and what they own is left to them.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use super::walks::lines;
use super::*;
use crate::storage::WalkItem;

/// What a walk says of the tree.
fn walk(fixture: &Fixture) -> Vec<String> {
    let walk = fixture.root.walk(7, BTreeSet::new(), None).expect("begins");
    let mut told: Vec<_> = walk
        .filter_map(|item| match item {
            WalkItem::Page(page) => Some(lines(&page)),
            _ => None,
        })
        .flatten()
        .collect();
    told.sort();
    told
}

fn written(fixture: &Fixture, below: &str, at: i64) -> std::fs::File {
    let mut file = std::fs::OpenOptions::new();
    let file = file.append(true).create(true).open(fixture.path(below));
    let file = file.expect("opens");
    let at = UNIX_EPOCH + Duration::from_secs(at.cast_unsigned());
    file.set_modified(at).expect("set");
    file
}

/// Writes other bytes of the same number into a file, as an editor in place does.
fn edit(fixture: &Fixture, below: &str, bytes: &[u8]) {
    std::fs::write(fixture.path(below), bytes).expect("written");
    written(fixture, below, NOW - 100);
}

#[test]
fn a_file_that_somebody_wrote_to_is_told_as_edited_and_is_served_to_nobody() {
    let fixture = Fixture::shared();
    fixture.publish(id(5, 1), "f", b"hello");
    fixture.publish(id(6, 1), "g", b"hello");
    assert_eq!(walk(&fixture)[0], "f 5 Some(\"5.1\") true");
    edit(&fixture, "f", b"HELLO");
    assert_eq!(
        walk(&fixture),
        ["f 5 Some(\"5.1\") true edited", "g 5 Some(\"6.1\") true"]
    );
    assert_eq!(fixture.read(id(5, 1), "f"), None);
    assert!(fixture.read(id(6, 1), "g").is_some());

    // It becomes a newer generation; an older one does not come back.
    let identify = |file, size| RootOp::Identify {
        file,
        at: place("f"),
        size,
    };
    fixture.apply(&identify(id(5, 2), 5));
    assert_eq!(fixture.read(id(5, 2), "f").as_deref(), Some(&b"HELLO"[..]));
    assert_eq!(walk(&fixture)[0], "f 5 Some(\"5.2\") false");
    assert!(
        fixture
            .root
            .apply(&identify(id(5, 1), 5))
            .expect("done")
            .is_some()
    );
    assert!(
        fixture
            .root
            .apply(&identify(id(9, 3), 5))
            .expect("done")
            .is_some()
    );
    assert_eq!(walk(&fixture)[0], "f 5 Some(\"5.2\") false");
}

#[test]
fn of_a_file_that_is_deleted_what_somebody_wrote_to_it_is_kept_in_the_trash() {
    let fixture = Fixture::shared();
    for (node, at) in [(5, "f"), (6, "g")] {
        fixture.publish(id(node, 1), at, b"hello");
    }
    edit(&fixture, "f", b"HELLO");
    for (node, at) in [(5, "f"), (6, "g")] {
        fixture.apply(&delete(id(node, 1), at));
    }
    assert_eq!(fixture.visible(), [""; 0]);
    let trash = std::fs::read_dir(fixture.path(".drftpd/trash")).expect("a folder");
    let paths = trash.map(|entry| entry.expect("an entry").path());
    let kept = paths.filter(|path| path.extension().is_none_or(|end| end != "note"));
    let kept: Vec<_> = kept
        .map(|path| std::fs::read_to_string(path).expect("text"))
        .collect();
    assert_eq!(kept, ["HELLO"]);
}

#[test]
fn a_time_that_the_file_list_sets_is_no_edit_and_hides_none() {
    let fixture = Fixture::shared();
    for (node, at) in [(5, "f"), (6, "g")] {
        fixture.publish(id(node, 1), at, b"hello");
    }
    edit(&fixture, "g", b"HELLO");
    for (node, at) in [(5, "f"), (6, "g")] {
        fixture.apply(&RootOp::SetTime {
            file: id(node, 1),
            at: place(at),
            modified: NOW - 7,
        });
    }
    assert_eq!(
        walk(&fixture),
        ["f 5 Some(\"5.1\") true", "g 5 Some(\"6.1\") true edited"]
    );
}

#[test]
fn a_file_is_busy_until_it_was_quiet_for_long_enough() {
    let fixture = Fixture::shared();
    written(&fixture, "f", NOW)
        .write_all(b"x")
        .expect("written");
    written(&fixture, "f", NOW);
    assert_eq!(walk(&fixture), ["f 1 None false busy"]);
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(walk(&fixture), ["f 1 None false"]);
    // One from the future is not waited for.
    written(&fixture, "f", NOW + 3600);
    assert_eq!(walk(&fixture), ["f 1 None false"]);
}

#[test]
fn directories_stay_when_they_are_empty() {
    let fixture = Fixture::shared();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"hello");
    fixture.apply(&delete(id(5, 1), "3:a/4:b/f"));
    assert_eq!(fixture.visible(), ["a=dir[3]", "a/b=dir[4]"]);
    let remove = RootOp::RemoveDir {
        dir: NodeId(4),
        at: place("3:a/b"),
    };
    fixture.apply(&remove);
    assert_eq!(fixture.visible(), ["a=dir[3]"]);
}

#[test]
fn a_copy_with_all_its_attributes_is_nobodys_when_it_was_told_so() {
    let fixture = Fixture::shared();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"hello");
    let copied = std::process::Command::new("cp")
        .args(["-a", "a", "c"])
        .current_dir(fixture.path(""))
        .status();
    assert!(copied.expect("runs").success());
    let disown = |what, at| RootOp::Disown {
        what,
        at: place(at),
    };
    let other = disown(Moved::Dir(NodeId(9)), "c");
    assert!(fixture.root.apply(&other).expect("done").is_some());
    fixture.apply(&disown(Moved::Dir(NodeId(3)), "c"));
    let before = ["a=dir[3]", "a/b=dir[4]", "a/b/f=hello[5.1]"];
    let copies = ["c=dir", "c/b=dir", "c/b/f=hello"];
    assert_eq!(fixture.visible(), [before, copies].concat());
    fixture.apply(&disown(Moved::File(id(5, 1)), "3:a/4:b/f"));
    assert_eq!(fixture.visible()[2], "a/b/f=hello");
}

#[test]
fn a_file_that_was_opened_knows_whether_somebody_wrote_to_it_since() {
    let fixture = Fixture::shared();
    fixture.publish(id(5, 1), "f", b"hello");
    let stored = fixture
        .root
        .open_file(Some(id(5, 1)), &place("f"))
        .expect("opens");
    let stamp = stored.stamp.expect("on a shared root");
    assert!(stamp.holds(&stored.file).expect("looked"));
    edit(&fixture, "f", b"HELLO");
    assert!(!stamp.holds(&stored.file).expect("looked"));
}

#[test]
fn of_entries_of_a_directory_that_is_not_there_nothing_is_told() {
    let fixture = Fixture::shared();
    fixture.publish(id(5, 1), "3:d/f", b"hello");
    let name = |text: &[u8]| drftpd_protocol::path::Name::new(text.to_vec()).expect("a name");
    let looked = || {
        let part = drftpd_protocol::wire::WalkPart {
            way: vec![name(b"d")],
            names: vec![name(b"f"), name(b"g")],
        };
        let walk = fixture.root.walk(7, BTreeSet::new(), None).expect("begins");
        let pages = walk.only(vec![part]).filter_map(|item| match item {
            WalkItem::Page(page) => Some((page.entries.len(), page.looked.len())),
            _ => None,
        });
        pages.collect::<Vec<_>>()
    };
    assert_eq!(looked(), [(1, 2)]);
    std::fs::rename(fixture.path("d"), fixture.path("e")).expect("moved");
    assert_eq!(looked(), []);
}
