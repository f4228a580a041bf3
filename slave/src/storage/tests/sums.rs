//! Walks that tell digests: one for a directory, and entries where there is something to see.

use std::collections::BTreeSet;
use std::sync::Arc;

use drftpd_protocol::digest::digest;
use drftpd_protocol::ids::OpSeq;
use drftpd_protocol::wire::{DirDigest, WalkDone, WalkPage};

use super::*;
use crate::storage::{Walk, WalkItem};

/// All that a walk told.
#[derive(Default)]
struct Told {
    dirs: Vec<DirDigest>,
    pages: Vec<WalkPage>,
    done: Option<WalkDone>,
    /// The most entries that one step read.
    step: usize,
}

fn begin(fixture: &Fixture) -> Walk {
    let applied = Arc::new(|| OpSeq(3));
    let walk = fixture.root.walk(7, BTreeSet::new(), Some(applied));
    walk.expect("begins")
}

/// Walks to the end; digests are judged when the walk waits for that, and these directories are to be listed.
fn walk(fixture: &Fixture, list: &[u64]) -> Told {
    let (mut walk, mut told) = (begin(fixture), Told::default());
    while let Some(item) = walk.next() {
        match item {
            WalkItem::Staged(_) => {}
            WalkItem::Page(page) => told.pages.push(page),
            WalkItem::Digests(digests) => told.dirs.extend(digests.dirs),
            WalkItem::Read(entries) => told.step = told.step.max(entries),
            WalkItem::Waiting => walk.judged(u64::MAX, list),
            WalkItem::Done(done) => told.done = Some(done),
        }
    }
    told
}

fn shown(told: &Told) -> Vec<String> {
    let dir = |dir: &DirDigest| {
        let name = dir.name.as_ref().map(Name::to_string);
        format!("{} {} {} {name:?}", dir.number, dir.dir, dir.above)
    };
    told.dirs.iter().map(dir).collect()
}

#[test]
fn directories_in_which_all_is_known_are_told_by_one_digest() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"hello");
    fixture.publish(id(6, 2), "3:a/g", b"g");
    fixture.publish(id(7, 1), "3:a/h", b"hh");
    let told = walk(&fixture, &[]);
    assert_eq!(
        shown(&told),
        ["1 4 3 Some(\"b\")", "2 3 1 Some(\"a\")", "3 1 1 None"]
    );
    let sum = digest(b"g", id(6, 2), 1).wrapping_add(digest(b"h", id(7, 1), 2));
    assert_eq!(told.dirs[0].sum, digest(b"f", id(5, 1), 5).to_le_bytes());
    assert_eq!(told.dirs[1].sum, sum.to_le_bytes());
    assert_eq!(told.dirs[2].sum, [0; 16]);
    assert!(told.dirs.iter().all(|dir| dir.applied == OpSeq(3)));
    assert!(told.pages.is_empty());
    let done = told.done.expect("an end");
    assert_eq!((done.dirs, done.files, done.complete), (2, 3, true));
}

#[test]
fn what_the_master_wants_to_see_is_told_by_its_entries_and_counted_once() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"hello");
    fixture.publish(id(6, 2), "3:a/g", b"g");
    let told = walk(&fixture, &[2, 3]);
    let page = |page: &WalkPage| {
        let way: Vec<_> = page.dir.iter().map(|step| step.id.0).collect();
        (way, page.entries.len())
    };
    let pages: Vec<_> = told.pages.iter().map(page).collect();
    assert_eq!(pages, [(vec![3], 2), (vec![], 1)]);
    assert_eq!(told.dirs.len(), 3, "what is below is not told again");
    let done = told.done.expect("an end");
    assert_eq!((done.dirs, done.files), (2, 2));
}

#[test]
fn a_directory_with_something_unknown_is_told_by_its_entries_at_once() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"hello");
    std::fs::write(fixture.path("a/by hand"), "x").expect("written");
    std::fs::create_dir(fixture.path("new")).expect("made");
    std::fs::write(fixture.path("new/file"), "x").expect("written");
    let told = walk(&fixture, &[]);
    assert_eq!(shown(&told), ["1 4 3 Some(\"b\")"]);
    let mut entries: Vec<_> = told.pages.iter().map(|page| page.entries.len()).collect();
    entries.sort_unstable();
    assert_eq!(entries, [1, 2, 2], "new, a and the top");
    let done = told.done.expect("an end");
    assert_eq!((done.dirs, done.files), (3, 3));
}

#[test]
fn a_large_directory_is_read_in_steps_and_told_whole_where_something_unknown_comes_late() {
    let fixture = Fixture::new();
    for n in 0..1300 {
        let at = format!("3:a/f{n}");
        fixture.publish(id(n + 10, 1), &at, b"");
    }
    let told = walk(&fixture, &[]);
    assert_eq!((told.dirs.len(), told.pages.len()), (2, 0));
    assert!(told.step <= WalkPage::MAX);
    // Which one is read first is up to the filesystem: wherever it is, all are told.
    std::fs::write(fixture.path("a/zz by hand"), "x").expect("written");
    let told = walk(&fixture, &[]);
    let entries: usize = told.pages.iter().map(|page| page.entries.len()).sum();
    assert_eq!((told.dirs.len(), entries), (1, 1301));
    assert_eq!(told.done.expect("an end").files, 1301);
}

#[test]
fn a_directory_that_is_gone_when_it_is_to_be_listed_is_passed_over() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"hello");
    let mut walk = begin(&fixture);
    let waits = walk.find(|item| *item == WalkItem::Waiting);
    assert!(waits.is_some());
    std::fs::rename(fixture.path("a"), fixture.path("elsewhere")).expect("moved");
    walk.judged(3, &[1, 3]);
    let rest: Vec<_> = walk.collect();
    let [WalkItem::Page(page), WalkItem::Done(done)] = &rest[..] else {
        panic!("{rest:?}");
    };
    assert!(page.dir.is_empty() && done.complete);
}
