//! What fits the books, and what does not.

use super::*;

const C: Content = Content { seed: 1, len: 3 };
const D: Content = Content { seed: 2, len: 4 };
const SPOILT: Content = Content { seed: 9, len: 5 };

fn bytes(content: Content) -> Vec<u8> {
    vec![content.seed as u8; content.len]
}

fn check(ledger: &Ledger, there: &[(&str, Found)]) -> (usize, usize) {
    let found: BTreeMap<_, _> = there
        .iter()
        .map(|(path, found)| ((*path).to_owned(), found.clone()))
        .collect();
    let mut left = found.clone();
    let wrong = ledger.check(&found, bytes, |spoilt| spoilt == SPOILT, &mut left);
    (wrong.len(), left.len())
}

#[test]
fn what_was_acknowledged_must_be_there_and_nothing_else() {
    let mut ledger = Ledger::default();
    let dir = ledger.add_dir("/d", true);
    ledger.uploaded(dir, "a", C, Answer::Stored);
    let (at, whole) = (("/d", Found::Dir), ("/d/a", Found::Whole(bytes(C))));
    assert_eq!(check(&ledger, &[at.clone(), whole.clone()]), (0, 0));
    assert_eq!(check(&ledger, std::slice::from_ref(&at)), (1, 0));
    assert_eq!(
        check(&ledger, &[at.clone(), ("/d/a", Found::Part(1))]),
        (1, 0)
    );
    assert_eq!(
        check(&ledger, &[at.clone(), ("/d/a", Found::Whole(bytes(D)))]),
        (1, 0)
    );
    ledger.deleted(0, true);
    assert_eq!(check(&ledger, &[at.clone(), whole]), (0, 1), "it came back");
    assert_eq!(check(&ledger, &[at]), (0, 0));
}

#[test]
fn a_rename_that_nobody_knows_of_leaves_one_name_of_two() {
    let mut ledger = Ledger::default();
    let dir = ledger.add_dir("/", true);
    ledger.uploaded(dir, "a", C, Answer::Stored);
    ledger.renamed(0, dir, "b", false);
    let (root, whole) = (("/", Found::Dir), Found::Whole(bytes(C)));
    for name in ["/a", "/b"] {
        assert_eq!(
            check(&ledger, &[root.clone(), (name, whole.clone())]),
            (0, 0)
        );
    }
    let both = [root.clone(), ("/a", whole.clone()), ("/b", whole)];
    assert_eq!(check(&ledger, &both), (1, 0));
    assert_eq!(check(&ledger, &[root]), (1, 0));
    assert!(ledger.sure_files().is_empty() && ledger.at(dir, "a").is_none());
}

#[test]
fn an_overwrite_that_nobody_knows_of_leaves_the_old_file_or_the_new_one() {
    let mut ledger = Ledger::default();
    let dir = ledger.add_dir("/", true);
    ledger.uploaded(dir, "a", C, Answer::Stored);
    ledger.uploaded(dir, "a", D, Answer::Unknown);
    let root = ("/", Found::Dir);
    for content in [C, D] {
        let there = [root.clone(), ("/a", Found::Whole(bytes(content)))];
        assert_eq!(check(&ledger, &there), (0, 0));
    }
    assert_eq!(
        check(&ledger, &[root.clone(), ("/a", Found::Part(2))]),
        (1, 0)
    );
    assert_eq!(check(&ledger, &[root]), (1, 0));
}

#[test]
fn only_a_sender_that_broke_off_may_leave_the_beginning_of_a_file() {
    let long = Content { seed: 3, len: 9 };
    let answers = [
        (Answer::Cut(4), 0),
        (Answer::Cut(5), 1),
        (Answer::Broken, 1),
        (Answer::Unknown, 1),
        (Answer::Stored, 1),
    ];
    for (answer, wrong) in answers {
        let mut ledger = Ledger::default();
        let dir = ledger.add_dir("/", true);
        ledger.uploaded(dir, "a", long, answer);
        let beginning = Found::Whole(bytes(Content { len: 4, ..long }));
        let there = [("/", Found::Dir), ("/a", beginning)];
        assert_eq!(check(&ledger, &there), (wrong, 0), "{answer:?}");
    }
}

#[test]
fn a_directory_that_may_have_two_names_takes_its_files_along() {
    let mut ledger = Ledger::default();
    let dir = ledger.add_dir("/old", true);
    ledger.uploaded(dir, "a", C, Answer::Stored);
    ledger.rename_dir(dir, "/new", false);
    let whole = Found::Whole(bytes(C));
    let new = [("/new", Found::Dir), ("/new/a", whole.clone())];
    assert_eq!(check(&ledger, &new), (0, 0));
    let torn = [("/new", Found::Dir), ("/old/a", whole)];
    assert_eq!(check(&ledger, &torn), (1, 1));
}

#[test]
fn what_broke_off_leaves_the_old_file_or_a_part_and_never_the_new_one() {
    let mut ledger = Ledger::default();
    let dir = ledger.add_dir("/", true);
    ledger.uploaded(dir, "a", C, Answer::Stored);
    ledger.uploaded(dir, "a", D, Answer::Broken);
    ledger.uploaded(dir, "b", D, Answer::Broken);
    let (root, old) = (("/", Found::Dir), ("/a", Found::Whole(bytes(C))));
    assert_eq!(check(&ledger, &[root.clone(), old.clone()]), (0, 0));
    let part = [root.clone(), old.clone(), ("/b", Found::Part(3))];
    assert_eq!(check(&ledger, &part), (0, 0));
    let whole = [root.clone(), old, ("/b", Found::Whole(bytes(D)))];
    assert_eq!(check(&ledger, &whole), (1, 0));
    let new = [root, ("/a", Found::Whole(bytes(D)))];
    assert_eq!(check(&ledger, &new), (1, 0));
}

#[test]
fn only_spoilt_bytes_may_be_lost_and_their_entry_may_not() {
    for (content, wrong) in [(SPOILT, 0), (C, 1)] {
        let mut ledger = Ledger::default();
        let dir = ledger.add_dir("/", true);
        ledger.uploaded(dir, "a", content, Answer::Stored);
        let root = ("/", Found::Dir);
        let lost = [root.clone(), ("/a", Found::Lost(content.len as u64))];
        assert_eq!(check(&ledger, &lost), (wrong, 0));
        assert_eq!(check(&ledger, &[root]), (1, 0));
    }
}

#[test]
fn a_directory_that_was_removed_is_gone() {
    let mut ledger = Ledger::default();
    let dir = ledger.add_dir("/d", true);
    assert!(ledger.is_empty(dir));
    ledger.uploaded(dir, "a", C, Answer::Unknown);
    assert!(!ledger.is_empty(dir));
    ledger.deleted(0, true);
    let there = ("/d", Found::Dir);
    ledger.remove_dir(dir, false);
    assert_eq!(check(&ledger, std::slice::from_ref(&there)), (0, 0));
    assert_eq!(check(&ledger, &[]), (0, 0));
    ledger.remove_dir(dir, true);
    assert_eq!(check(&ledger, &[there]), (0, 1));
}
