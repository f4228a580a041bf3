//! Files that were found without identity: adopted, or kept beside.

use super::*;

fn identify(node: u64, at: &str, size: u64) -> RootOp {
    RootOp::Identify {
        file: id(node, 1),
        at: place(at),
        size,
    }
}

fn beside(node: u64, from: &str, to: &str, size: u64) -> RootOp {
    RootOp::KeepBeside {
        file: id(node, 1),
        from: place(from),
        to: place(to),
        size,
    }
}

#[test]
fn a_found_file_gets_its_identity_in_place_and_its_directories_too() {
    let fixture = Fixture::new();
    std::fs::create_dir_all(fixture.path("a/b")).expect("made");
    std::fs::write(fixture.path("a/b/f"), "found").expect("written");
    assert_eq!(fixture.apply(&identify(5, "3:a/4:b/f", 5)), None);
    assert_eq!(
        fixture.visible(),
        ["a=dir[3]", "a/b=dir[4]", "a/b/f=found[5.1]"]
    );
    let stored = fixture
        .root
        .open_file(Some(id(5, 1)), &place("3:a/4:b/f"))
        .expect("opens");
    assert_eq!((stored.size, stored.crc32), (5, None));
}

#[test]
fn a_file_that_changed_or_has_an_identity_is_not_adopted() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path("a")).expect("made");
    std::fs::write(fixture.path("a/f"), "found").expect("written");
    fixture.publish(id(6, 1), "g", b"ours");
    assert!(fixture.apply(&identify(5, "3:a/f", 4)).is_some());
    assert!(fixture.apply(&identify(5, "g", 4)).is_some());
    assert!(fixture.apply(&identify(5, "3:a/no", 4)).is_some());
    assert!(fixture.apply(&identify(5, "3:no/f", 4)).is_some());
    assert_eq!(fixture.visible(), ["a=dir", "a/f=found", "g=ours[6.1]"]);
}

#[test]
fn a_directory_that_was_copied_by_hand_gets_an_identity_of_its_own() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"x");
    std::fs::create_dir(fixture.path("copy")).expect("made");
    mark_by_hand(&fixture.path("copy"), Mark::Dir(NodeId(3)));
    std::fs::write(fixture.path("copy/g"), "g").expect("written");
    fixture.apply(&identify(6, "8:copy/g", 1));
    assert_eq!(
        fixture.visible(),
        ["a=dir[3]", "a/f=x[5.1]", "copy=dir[8]", "copy/g=g[6.1]"]
    );
}

#[test]
fn a_file_with_two_names_becomes_two_files_with_two_identities() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("f"), "same").expect("written");
    std::fs::hard_link(fixture.path("f"), fixture.path("g")).expect("linked");
    std::fs::File::open(fixture.path("f"))
        .and_then(|file| file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(99)))
        .expect("set");
    assert!(fixture.apply(&identify(5, "f", 4)).is_some());
    assert_eq!(fixture.apply(&identify(6, "g", 4)), None);
    assert_eq!(fixture.visible(), ["f=same[5.1]", "g=same[6.1]"]);
    assert!(fixture.reserved("staging").is_empty());
    let seen = std::fs::metadata(fixture.path("f")).expect("there");
    assert_eq!(std::os::unix::fs::MetadataExt::mtime(&seen), 99);
}

#[test]
fn a_file_whose_place_is_taken_is_kept_beside_it_in_its_directory() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path("a")).expect("made");
    std::fs::write(fixture.path("a/f"), "mine").expect("written");
    std::fs::write(fixture.path("a/g"), "other").expect("written");
    let op = beside(5, "3:a/f", "3:a/f.conflict-s1", 4);
    assert_eq!(fixture.apply(&op), None);
    assert_eq!(
        fixture.visible(),
        ["a=dir[3]", "a/f.conflict-s1=mine[5.1]", "a/g=other"]
    );
    let op = beside(6, "3:a/g", "3:a/g.conflict-s1", 99);
    assert!(fixture.apply(&op).is_some());
    assert_eq!(fixture.visible().len(), 3);
}

#[test]
fn a_crash_between_the_identity_and_the_move_is_gone_on_with() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("f"), "mine").expect("written");
    mark_by_hand(&fixture.path("f"), file_mark(id(5, 1), 4));
    fixture.apply(&beside(5, "f", "f.conflict-s1", 4));
    assert_eq!(fixture.visible(), ["f.conflict-s1=mine[5.1]"]);
}

#[test]
fn more_files_than_are_made_durable_one_by_one_are_adopted_in_one_batch() {
    use drftpd_protocol::ids::OpSeq;
    let fixture = Fixture::with(Fsync::Always);
    let ops: Vec<_> = (1..=300)
        .map(|n| {
            let name = format!("f{n}");
            std::fs::write(fixture.path(&name), "x").expect("written");
            (OpSeq(n), identify(n + 10, &name, 1))
        })
        .collect();
    let applied = fixture.root.apply_all(&ops);
    assert_eq!(
        (applied.through, applied.remarks.len()),
        (Some(OpSeq(300)), 0)
    );
    assert!(applied.error.is_none());
    assert_eq!(
        fixture
            .visible()
            .iter()
            .filter(|seen| seen.contains("=x["))
            .count(),
        300
    );
}
