//! Watches of shared roots: everything that other programs do is heard of, at the place where it is.
#![cfg(all(target_os = "linux", not(feature = "portable")))]

use std::fs;

use super::*;
use crate::storage::{Change, Watch};

/// All that is heard of now: `way:name`, and `way/` for a directory that came.
fn hear(watch: &mut Watch) -> Vec<String> {
    let mut changes = Vec::new();
    while watch.read(&mut changes).expect("read") {}
    let way = |way: &[Name]| {
        way.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("/")
    };
    let shown = changes.iter().map(|change| match change {
        Change::Entry(dir, name) => format!("{}:{name}", way(dir)),
        Change::Dir(dir) => format!("{}/", way(dir)),
        Change::Anything => "anything".to_owned(),
    });
    let mut shown: Vec<_> = shown.collect();
    shown.dedup();
    shown
}

fn fixture() -> (Fixture, Watch) {
    let fixture = Fixture::shared();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"hello");
    let watch = fixture.root.watch().expect("watches");
    (fixture, watch)
}

#[test]
fn what_is_made_written_renamed_and_removed_is_heard_of_and_reading_is_not() {
    let (fixture, mut watch) = fixture();
    fs::read(fixture.path("a/b/f")).expect("read");
    fixture
        .root
        .walk(1, Default::default(), None)
        .expect("begins")
        .for_each(drop);
    assert_eq!(hear(&mut watch), [""; 0]);
    fs::write(fixture.path("a/new"), "x").expect("written");
    assert_eq!(hear(&mut watch), ["a:new"]);
    fs::rename(fixture.path("a/new"), fixture.path("top")).expect("renamed");
    assert_eq!(hear(&mut watch), ["a:new", ":top"]);
    fs::write(fixture.path("a/b/f"), "HELLO").expect("written");
    fs::remove_file(fixture.path("top")).expect("removed");
    assert_eq!(hear(&mut watch), ["a/b:f", ":top"]);
}

/// Else one that is removed in the wrong moment would have all of the root unwatched.
#[test]
fn a_directory_that_was_removed_since_it_was_opened_is_passed_over() {
    let (fixture, mut watch) = fixture();
    fs::create_dir(fixture.path("brief")).expect("made");
    let opened = fs::File::open(fixture.path("brief")).expect("opened");
    fs::remove_dir(fixture.path("brief")).expect("removed");
    let entered = watch.enter_if_there(None, b"brief".to_vec(), opened.into(), 1);
    entered.expect("passed over");
    fs::write(fixture.path("a/new"), "x").expect("written");
    assert!(hear(&mut watch).contains(&"a:new".to_owned()));
}

#[test]
fn directories_that_come_and_move_are_followed() {
    let (fixture, mut watch) = fixture();
    fs::create_dir_all(fixture.path("new/deep")).expect("made");
    let heard = hear(&mut watch);
    assert!(heard.contains(&"new/".to_owned()), "{heard:?}");
    fs::write(fixture.path("new/deep/x"), "x").expect("written");
    assert_eq!(hear(&mut watch), ["new/deep:x"]);
    fs::rename(fixture.path("a"), fixture.path("new/deep/a")).expect("moved");
    assert_eq!(hear(&mut watch), [":a", "new/deep/a/", "new/deep:a"]);
    fs::write(fixture.path("new/deep/a/b/f"), "moved").expect("written");
    assert_eq!(hear(&mut watch), ["new/deep/a/b:f"]);

    // Out of the root, nothing is heard of it; back again, everything.
    let outside =
        tempfile::tempdir_in(fixture.dir.path().parent().expect("a folder")).expect("made");
    fs::rename(fixture.path("new/deep/a"), outside.path().join("a")).expect("moved");
    assert_eq!(hear(&mut watch), ["new/deep:a"]);
    fs::write(outside.path().join("a/b/f"), "outside").expect("written");
    assert_eq!(hear(&mut watch), [""; 0]);
    fs::rename(outside.path().join("a"), fixture.path("back")).expect("moved");
    assert_eq!(hear(&mut watch), ["back/", ":back"]);
    fs::write(fixture.path("back/b/f"), "back").expect("written");
    assert_eq!(hear(&mut watch), ["back/b:f"]);
    fs::remove_dir_all(fixture.path("new")).expect("removed");
    assert_eq!(hear(&mut watch), ["new/deep:x", "new:deep", ":new"]);
}

#[test]
fn nothing_is_heard_of_the_reserved_folder() {
    let (fixture, mut watch) = fixture();
    fixture.prepare(id(9, 1), b"staged");
    assert_eq!(hear(&mut watch), [""; 0]);
    fixture.apply(&publish(id(9, 1), "3:a/g"));
    assert_eq!(hear(&mut watch), ["a:g"]);
}

#[test]
fn a_root_that_is_absent_is_not_watched() {
    let fixture = Fixture::shared();
    fs::rename(fixture.path(".drftpd/identity"), fixture.path("elsewhere")).expect("moved");
    fixture.roots.statuses();
    assert!(fixture.root.watch().is_err());
}
