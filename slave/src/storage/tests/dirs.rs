//! Operations on directories: moved with all that is in them, removed, in the way.

use super::*;

#[test]
fn a_moved_directory_takes_along_what_is_in_it_and_leaves_no_empty_one_behind() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"x");
    std::fs::write(fixture.path("a/b/hand"), "h").expect("written");
    assert_eq!(fixture.apply(&move_dir(4, "3:a/b", "7:c/d")), None);
    assert_eq!(
        fixture.visible(),
        ["c=dir[7]", "c/d=dir[4]", "c/d/f=x[5.1]", "c/d/hand=h"]
    );
}

#[test]
fn a_directory_is_moved_by_its_identity_only() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"x");
    std::fs::create_dir(fixture.path("hand")).expect("made");
    assert!(fixture.apply(&move_dir(9, "a", "b")).is_some());
    assert!(fixture.apply(&move_dir(9, "hand", "b")).is_some());
    assert_eq!(fixture.visible(), ["a=dir[3]", "a/f=x[5.1]", "hand=dir"]);
}

#[test]
fn a_directory_does_not_go_into_itself() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"x");
    fixture.publish(id(6, 1), "3:a/4:b/g", b"y");
    let before = fixture.visible();
    assert!(fixture.apply(&move_dir(3, "a", "3:a/4:b/c")).is_some());
    assert_eq!(fixture.visible(), before);
}

#[test]
fn a_directory_that_stands_in_the_way_stays_beside_and_comes_back_when_it_is_looked_for() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"x");
    fixture.publish(id(6, 1), "4:b/g", b"y");
    fixture.apply(&move_dir(3, "a", "b"));
    let beside = [
        "b=dir[3]",
        "b.aside-4=dir[4]",
        "b.aside-4/g=y[6.1]",
        "b/f=x[5.1]",
    ];
    assert_eq!(fixture.visible(), beside);
    fixture.apply(&move_dir(4, "b", "c"));
    let both = ["b=dir[3]", "b/f=x[5.1]", "c=dir[4]", "c/g=y[6.1]"];
    assert_eq!(fixture.visible(), both);
}

#[test]
fn a_directory_that_was_set_beside_is_used_again_when_its_name_is_free() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/f", b"x");
    fixture.publish(id(6, 1), "4:b/g", b"y");
    fixture.apply(&move_dir(3, "a", "b"));
    fixture.apply(&move_dir(3, "b", "a"));
    fixture.publish(id(7, 1), "4:b/h", b"z");
    let back = [
        "a=dir[3]",
        "a/f=x[5.1]",
        "b=dir[4]",
        "b/g=y[6.1]",
        "b/h=z[7.1]",
    ];
    assert_eq!(fixture.visible(), back);
}

#[test]
fn a_directory_without_identity_is_taken_over_and_one_with_another_is_set_beside() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path("a")).expect("made");
    std::fs::write(fixture.path("a/hand"), "h").expect("written");
    fixture.publish(id(5, 1), "3:a/f", b"x");
    assert_eq!(fixture.visible(), ["a=dir[3]", "a/f=x[5.1]", "a/hand=h"]);
    fixture.publish(id(6, 1), "9:a/g", b"y");
    assert_eq!(
        fixture.visible(),
        [
            "a=dir[9]",
            "a.aside-3=dir[3]",
            "a.aside-3/f=x[5.1]",
            "a.aside-3/hand=h",
            "a/g=y[6.1]",
        ]
    );
}

#[test]
fn a_file_in_the_way_of_a_directory_is_moved_aside() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("a"), "by hand").expect("written");
    fixture.publish(id(5, 1), "3:a/f", b"x");
    assert_eq!(fixture.visible(), ["a=dir[3]", "a/f=x[5.1]"]);
    assert_eq!(fixture.reserved("trash").len(), 1);
    fixture.publish(id(6, 1), "b", b"y");
    fixture.apply(&move_dir(3, "a", "b"));
    assert_eq!(fixture.visible(), ["b=dir[3]", "b/f=x[5.1]"]);
    assert_eq!(fixture.reserved("staging"), ["6.1=y[6.1]"]);
}

#[test]
fn a_removed_directory_goes_if_it_is_empty_and_loses_its_identity_if_not() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:a/4:b/f", b"x");
    std::fs::write(fixture.path("a/b/hand"), "h").expect("written");
    let remove = |dir, at| RootOp::RemoveDir {
        dir: NodeId(dir),
        at: place(at),
    };
    fixture.apply(&delete(id(5, 1), "3:a/4:b/f"));
    assert!(fixture.apply(&remove(4, "3:a/b")).is_some());
    assert_eq!(fixture.visible(), ["a=dir[3]", "a/b=dir", "a/b/hand=h"]);

    std::fs::create_dir(fixture.path("c")).expect("made");
    mark_by_hand(&fixture.path("c"), Mark::Dir(NodeId(8)));
    assert_eq!(fixture.apply(&remove(9, "c")), None);
    assert_eq!(fixture.visible().len(), 4);
    assert_eq!(fixture.apply(&remove(8, "c")), None);
    assert_eq!(fixture.apply(&remove(8, "no")), None);
    assert_eq!(fixture.visible().len(), 3);
}
