//! Walks: everything is seen once, in pages, whatever lies there.

use std::collections::BTreeSet;

use drftpd_protocol::wire::{WalkDone, WalkNode, WalkPage};

use super::*;
use crate::storage::WalkItem;

/// All that a walk told: paths with what was found, staged files, the end.
struct Told {
    entries: Vec<String>,
    staged: Vec<String>,
    done: WalkDone,
    pages: Vec<usize>,
}

fn walk(fixture: &Fixture, running: BTreeSet<FileId>) -> Told {
    let walk = fixture.root.walk(7, running, None).expect("begins");
    let (mut entries, mut staged, mut pages, mut done) = (vec![], vec![], vec![], None);
    for item in walk {
        assert!(done.is_none(), "nothing comes behind the end");
        match item {
            WalkItem::Staged(some) => {
                assert!(entries.is_empty(), "staging comes first");
                let line = |entry: &drftpd_protocol::wire::StagedEntry| {
                    format!("{} {} {}", entry.file, entry.size, entry.prepared.is_some())
                };
                staged.extend(some.files.iter().map(line));
            }
            WalkItem::Page(page) => {
                assert_eq!((page.walk, page.root), (7, fixture.root.id()));
                pages.push(page.entries.len());
                entries.extend(lines(&page));
            }
            WalkItem::Done(end) => done = Some(end),
            other => panic!("digests that nobody asked for: {other:?}"),
        }
    }
    entries.sort();
    staged.sort();
    Told {
        entries,
        staged,
        done: done.expect("an end"),
        pages,
    }
}

pub(super) fn lines(page: &WalkPage) -> Vec<String> {
    let dir: String = page
        .dir
        .iter()
        .map(|step| format!("{}:{}/", step.id, step.name))
        .collect();
    let entry = |entry: &drftpd_protocol::wire::WalkEntry| match &entry.node {
        WalkNode::Dir { id } => format!("{dir}{} dir {:?}", entry.name, id.map(|id| id.0)),
        WalkNode::File {
            size,
            file,
            crc32,
            edited,
            busy,
            ..
        } => {
            let file = file.map(|file| file.to_string());
            let edited = if *edited { " edited" } else { "" };
            let busy = if *busy { " busy" } else { "" };
            let sum = crc32.is_some();
            format!("{dir}{} {size} {file:?} {sum}{edited}{busy}", entry.name)
        }
    };
    page.entries.iter().map(entry).collect()
}

#[test]
fn a_walk_tells_every_file_and_directory_with_its_identity() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"hello");
    std::fs::create_dir(fixture.path("hand")).expect("made");
    std::fs::write(fixture.path("hand/x"), "xy").expect("written");
    let told = walk(&fixture, BTreeSet::new());
    assert_eq!(
        told.entries,
        [
            "0:hand/x 2 None false",
            "3:a/4:b/f 5 Some(\"5.1\") true",
            "3:a/b dir Some(4)",
            "a dir Some(3)",
            "hand dir None",
        ]
    );
    assert_eq!((told.done.dirs, told.done.files), (3, 2));
    assert!(
        told.done.complete && told.done.problems.is_empty(),
        "{:?}",
        told.done
    );
}

#[test]
fn an_empty_root_has_an_end_and_no_page() {
    let told = walk(&Fixture::new(), BTreeSet::new());
    assert!(told.pages.is_empty() && told.done.complete);
}

#[test]
fn staged_files_are_told_without_those_that_are_running() {
    let fixture = Fixture::new();
    fixture.prepare(id(5, 1), b"done");
    fixture.prepare(id(6, 1), b"done but not told");
    let mut staging = fixture
        .root
        .stage(id(7, 1), &Base::Empty, 0)
        .expect("staged");
    staging.append(b"broke off").expect("written");
    fixture.root.keep(staging).expect("kept");
    let mut running = fixture
        .root
        .stage(id(8, 1), &Base::Empty, 0)
        .expect("staged");
    running.append(b"runs").expect("written");
    std::fs::write(fixture.path(".drftpd/staging/notes"), "by hand").expect("written");
    let told = walk(&fixture, BTreeSet::from([id(6, 1)]));
    assert_eq!(told.staged, ["5.1 4 true", "7.1 9 false"]);
    assert_eq!(told.done.running, [id(6, 1), id(8, 1)]);
}

#[test]
fn pages_are_bounded_and_a_large_directory_is_told_whole() {
    let fixture = Fixture::new();
    for n in 0..1300 {
        std::fs::write(fixture.path(&format!("f{n}")), "").expect("written");
    }
    for n in 0..700 {
        std::fs::create_dir(fixture.path(&format!("d{n}"))).expect("made");
        std::fs::write(fixture.path(&format!("d{n}/x")), "").expect("written");
    }
    let told = walk(&fixture, BTreeSet::new());
    assert!(told.pages.iter().all(|&entries| entries <= WalkPage::MAX));
    assert_eq!((told.done.dirs, told.done.files), (700, 2000));
    let different: BTreeSet<_> = told.entries.iter().collect();
    assert_eq!((told.entries.len(), different.len()), (2700, 2700));
}

#[test]
fn links_and_special_files_and_names_of_nobody_are_noted_and_passed_over() {
    let fixture = Fixture::new();
    std::os::unix::fs::symlink("/", fixture.path("link")).expect("a link");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        fixture.path("pipe"),
        rustix::fs::Mode::RWXU,
    )
    .expect("a pipe");
    std::fs::write(fixture.path("a\nb"), "x").expect("written");
    std::fs::create_dir_all(fixture.path("d/.drftpd-x")).expect("made");
    std::fs::create_dir(fixture.path("lost+found")).expect("made");
    std::fs::write(fixture.path("f"), "x").expect("written");
    let told = walk(&fixture, BTreeSet::new());
    assert_eq!(told.entries, ["d dir None", "f 1 None false"]);
    assert_eq!(told.done.problems.len(), 4, "{:?}", told.done.problems);
    assert!(told.done.complete, "no copy of ours can be behind those");
}

#[test]
fn problems_are_counted_and_not_all_told() {
    let fixture = Fixture::new();
    for n in 0..80 {
        std::os::unix::fs::symlink("/", fixture.path(&format!("link{n}"))).expect("a link");
    }
    let told = walk(&fixture, BTreeSet::new());
    assert_eq!(told.done.problems.len(), 51);
    assert_eq!(told.done.problems[50], "30 more");
}

#[test]
fn a_walk_is_not_whole_if_something_may_be_hidden() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "f", b"x");
    let file = std::fs::File::open(fixture.path("f")).expect("opens");
    crate::sys::attribute::write(file.as_fd(), "user.drftpd", b"\x09newer").expect("written");
    let told = walk(&fixture, BTreeSet::new());
    assert!(!told.done.complete && told.entries.is_empty());
}

#[test]
fn a_walk_whose_root_goes_away_is_not_whole() {
    let outer = tempfile::tempdir().expect("a folder");
    let (mount, away) = (outer.path().join("mount"), outer.path().join("away"));
    let clock = Clock::manual(NOW);
    let roots = open_roots(&[&mount], Fsync::Never, &clock).expect("opens");
    let mut walk = roots.all()[0]
        .walk(1, BTreeSet::new(), None)
        .expect("begins");
    assert!(matches!(walk.next(), Some(WalkItem::Staged(_))));
    std::fs::rename(&mount, &away).expect("unmounted");
    let Some(WalkItem::Done(done)) = walk.last() else {
        panic!("no end");
    };
    assert!(!done.complete);
}

#[test]
fn a_tree_that_is_too_deep_is_told_as_far_as_paths_go() {
    let fixture = Fixture::new();
    let mut path = fixture.dir.path().to_path_buf();
    for _ in 0..130 {
        path.push("d");
    }
    std::fs::create_dir_all(&path).expect("made");
    let told = walk(&fixture, BTreeSet::new());
    assert_eq!(told.done.dirs, 128);
    assert!(!told.done.complete);
}
