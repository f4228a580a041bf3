//! Walks of parts: some entries, or some directories with all below them.

use std::collections::BTreeSet;

use drftpd_protocol::wire::{WalkDone, WalkPart};

use super::walks::lines;
use super::*;
use crate::storage::WalkItem;

/// What a walk of parts told: entries, names that were looked at, and the end.
fn walk(fixture: &Fixture, parts: &[(&str, &[&str])]) -> (Vec<String>, Vec<String>, WalkDone) {
    let part = |(way, names): &(&str, &[&str])| WalkPart {
        way: way
            .split('/')
            .filter(|at| !at.is_empty())
            .map(name)
            .collect(),
        names: names.iter().copied().map(name).collect(),
    };
    let walk = fixture.root.walk(7, BTreeSet::new(), None).expect("begins");
    let (mut entries, mut looked, mut done) = (vec![], vec![], None);
    for item in walk.only(parts.iter().map(part).collect()) {
        match item {
            WalkItem::Page(page) => {
                entries.extend(lines(&page));
                let way: String = page
                    .dir
                    .iter()
                    .map(|step| format!("{}/", step.name))
                    .collect();
                looked.extend(page.looked.iter().map(|name| format!("{way}{name}")));
            }
            WalkItem::Done(end) => done = Some(end),
            other => panic!("of parts only pages are told: {other:?}"),
        }
    }
    entries.sort();
    (entries, looked, done.expect("an end"))
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"hello");
    fixture.publish(id(6, 1), "3:a/g", b"hi");
    fixture.publish(id(7, 1), "8:c/h", b"h");
    fixture.prepare(id(9, 1), b"staged");
    fixture
}

#[test]
fn a_directory_is_walked_with_all_below_it_and_nothing_else() {
    let (entries, looked, done) = walk(&fixture(), &[("a/b", &[]), ("c", &[])]);
    assert_eq!(
        entries,
        [
            "3:a/4:b/f 5 Some(\"5.1\") true",
            "8:c/h 1 Some(\"7.1\") true"
        ]
    );
    assert!(looked.is_empty() && done.complete);
    let (entries, _, _) = walk(&fixture(), &[("a", &[])]);
    assert_eq!(entries.len(), 3, "{entries:?}");
    let (entries, _, _) = walk(&fixture(), &[("", &[])]);
    assert_eq!(entries.len(), 6, "{entries:?}");
}

#[test]
fn entries_are_looked_at_alone_and_told_whether_they_are_there_or_not() {
    let (entries, looked, done) = walk(&fixture(), &[("a", &["b", "gone"]), ("", &["c"])]);
    assert_eq!(entries, ["3:a/b dir Some(4)", "c dir Some(8)"]);
    assert_eq!(looked, ["a/b", "a/gone", "c"]);
    assert!(done.complete);
}

#[test]
fn of_a_directory_that_is_not_there_nothing_is_told_and_its_entries_are_not_there() {
    let parts: &[(&str, &[&str])] = &[("a/x", &[]), ("a/x/y", &["f"]), ("a/g", &[])];
    let (entries, looked, done) = walk(&fixture(), parts);
    assert!(entries.is_empty(), "{entries:?}");
    assert_eq!(looked, ["a/x/y/f"]);
    assert!(done.complete, "{done:?}");
}
