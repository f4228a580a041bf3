//! The trash: kept for a time, given up when space is needed.

use super::*;

/// Puts a file with this content into the trash by publishing over it.
fn throw(fixture: &Fixture, node: u64, bytes: &[u8]) {
    fixture.publish(id(node, 1), "f", bytes);
    fixture.apply(&RootOp::SetAside {
        file: id(node, 1),
        at: place("f"),
    });
}

fn notes(fixture: &Fixture) -> usize {
    let entries = std::fs::read_dir(fixture.path(".drftpd/trash")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with(".note"))
        .count()
}

#[test]
fn what_was_set_aside_is_kept_for_its_time_and_then_goes_with_its_note() {
    let fixture = Fixture::new();
    throw(&fixture, 5, b"first");
    fixture.clock.advance(KEEP / 2);
    throw(&fixture, 6, b"second");
    std::fs::write(fixture.path(".drftpd/trash/readme"), "not ours").expect("written");
    assert_eq!(fixture.roots.empty_trash().expect("emptied"), 0);
    assert_eq!(notes(&fixture), 2);
    fixture.clock.advance(KEEP / 2);
    assert_eq!(fixture.roots.empty_trash().expect("emptied"), 1);
    let left = fixture.reserved("trash");
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].ends_with("-f=second[6.1]"), "{left:?}");
    assert_eq!(notes(&fixture), 1);
}

#[test]
fn two_files_of_one_second_with_one_name_are_both_kept() {
    let fixture = Fixture::new();
    throw(&fixture, 5, b"first");
    throw(&fixture, 6, b"second");
    assert_eq!(fixture.reserved("trash").len(), 2);
    // A new process counts from zero again.
    let clock = fixture.clock.clone();
    let Fixture {
        dir, roots, root, ..
    } = fixture;
    drop((roots, root));
    let roots = open_roots(&[dir.path()], Fsync::Always, &clock).expect("opens");
    let root = roots.all().pop().expect("one root");
    let fixture = Fixture {
        dir,
        roots,
        root,
        clock,
    };
    throw(&fixture, 7, b"third");
    assert_eq!(fixture.reserved("trash").len(), 3);
    assert_eq!(notes(&fixture), 3);
}

#[test]
fn the_trash_counts_as_free_and_makes_room_from_its_oldest_end() {
    let fixture = Fixture::new();
    throw(&fixture, 5, &[b'x'; 3000]);
    fixture.clock.advance(Duration::from_secs(1));
    throw(&fixture, 6, &[b'y'; 2000]);
    let live = fixture.root.live().expect("there");
    let bytes = || {
        fixture
            .root
            .0
            .trash_bytes
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    assert_eq!(bytes(), 5000);
    assert_eq!(super::super::trash::measure(&live), 5000);
    assert_eq!(fixture.root.make_room(&live, 1), 3000);
    assert_eq!(bytes(), 2000);
    assert_eq!(fixture.root.make_room(&live, u64::MAX), 2000);
    assert_eq!(fixture.root.make_room(&live, 1), 0);
    assert!(fixture.reserved("trash").is_empty());
    assert_eq!(notes(&fixture), 0);
}

#[test]
fn a_long_name_is_cut_in_the_trash() {
    let fixture = Fixture::new();
    let long = "n".repeat(255);
    fixture.publish(id(5, 1), &long, b"old");
    fixture.publish(id(5, 2), &long, b"new");
    assert_eq!(fixture.reserved("trash").len(), 1);
    assert_eq!(fixture.read(id(5, 2), &long).expect("there"), b"new");
}
