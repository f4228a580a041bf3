//! Random rules, held against a second opinion.

use std::sync::Arc;

use proptest::prelude::*;

use super::second::{self, Text};
use super::tests::{ALL, judge, lines, path, who};
use super::*;
use crate::accounts::Action;

const KINDS: [&str; 16] = [
    "privpath",
    "privpath",
    "upload",
    "resume",
    "resumeown",
    "download",
    "overwrite",
    "overwriteown",
    "delete",
    "deleteown",
    "rename",
    "renameown",
    "makedir",
    "settimeown",
    "fxp",
    "denyname",
];
const PEOPLE: [&str; 8] = [
    "*",
    "!*",
    "=staff",
    "-bob !*",
    "!-bob *",
    "=siteop",
    "!=users *",
    "%",
];
const NAMES: [&str; 4] = ["a", "b", "ab", "c"];

fn some_path() -> impl Strategy<Value = String> {
    let names = prop::collection::vec(prop::sample::select(&NAMES[..]), 1..4);
    names.prop_map(|names| format!("/{}", names.join("/")))
}

fn some_pattern() -> impl Strategy<Value = String> {
    const PARTS: [&str; 10] = ["*", "/*", "/", "?", "/a", "/b", "a", "b/", "/a/*", "/ab"];
    let parts = prop::collection::vec(prop::sample::select(&PARTS[..]), 1..4);
    parts.prop_map(|parts| {
        let text = parts.concat();
        if text.starts_with(['/', '*', '?']) {
            text
        } else {
            format!("/{text}")
        }
    })
}

fn some_lines() -> impl Strategy<Value = Text> {
    let line = (
        prop::sample::select(&KINDS[..]),
        some_pattern(),
        prop::sample::select(&PEOPLE[..]),
    );
    prop::collection::vec(line, 0..14)
}

fn compiled(text: &Text) -> Rules {
    lines(&second::written(text))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_second_reader_comes_to_the_same_verdicts(text in some_lines(), at in some_path()) {
        let rules = compiled(&text);
        for name in ["bob", "ann", "root"] {
            for what in ALL {
                for owner in [name, "nobody"] {
                    let want = second::verdict(&text, what, &at, owner == name, &who(name));
                    let found = judge(&rules, name, what, &at, owner);
                    prop_assert_eq!(found, want, "{} {:?} {} of {}", name, what, at, owner);
                }
            }
        }
    }

    #[test]
    fn entries_of_a_listing_are_judged_as_everything_is(text in some_lines(), at in some_path()) {
        let rules = Arc::new(compiled(&text));
        let dir = path(&at);
        for name in ["bob", "ann", "root"] {
            let account = Arc::new(who(name));
            if judge(&rules, name, Action::View, &at, "").is_err() {
                continue;
            }
            let here = Here::new(Arc::clone(&rules), Arc::clone(&account), &dir);
            for entry in NAMES {
                let inside = path(&format!("{at}/{entry}"));
                let sees = second::sees(&text, &format!("{at}/{entry}"), &account);
                prop_assert_eq!(here.sees(&inside), sees);
                for what in ALL.into_iter().filter(|_| sees) {
                    let may = second::may(&text, what, &format!("{at}/{entry}"), true, &account);
                    prop_assert_eq!(here.may(what, &inside, name), may, "{:?}", what);
                }
                // Where sums are shown, nothing deeper is hidden.
                for deeper in NAMES.iter().filter(|_| sees && here.shows_sums(&inside)) {
                    let deeper = format!("{at}/{entry}/{deeper}");
                    prop_assert!(second::sees(&text, &deeper, &account), "{}", deeper);
                }
            }
        }
    }

    #[test]
    fn nothing_is_moved_to_or_from_where_it_is_judged_otherwise(
        text in some_lines(), from in some_path(), to in some_path(), below in some_path()
    ) {
        let rules = compiled(&text);
        for name in ["bob", "ann", "root"] {
            let who = who(name);
            if rules.may_move_all(&who, &path(&from), &path(&to)).is_err() {
                continue;
            }
            let (old, new) = (format!("{from}{below}"), format!("{to}{below}"));
            if judge(&rules, name, Action::View, &from, "").is_ok() {
                prop_assert!(second::sees(&text, &old, &who), "{} {}", name, old);
            }
            for what in [Action::Upload, Action::MakeDir] {
                prop_assert!(second::may(&text, what, &new, false, &who), "{} {}", name, new);
            }
        }
    }
}
