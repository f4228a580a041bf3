//! A folder of pages: what is wrong in it, and what is shown.

use std::fs;

use super::*;
use crate::rights::read::lines;
use crate::store::Case;

fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    dir
}

fn read(dir: &tempfile::TempDir, rules: &Rules) -> Result<PagesConfig, Vec<String>> {
    let mut pages = PagesConfig {
        folder: Some(dir.path().to_owned()),
        ..PagesConfig::default()
    };
    let below = format!("{}/", dir.path().display());
    let shown = |why: Vec<ConfigError>| {
        why.iter()
            .map(|it| it.to_string().replace(&below, ""))
            .collect::<Vec<String>>()
    };
    pages.read(rules).map_err(shown)?;
    Ok(pages)
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    let dir = folder(&[
        ("welcome.txt", "Hello ${user}\n${usr} ${user,x\n"),
        ("rules.txt", "${speed}\n"),
        (
            "theme.txt",
            "# ours\n\ntransfer = ${figures}\ndirectory = ${figures}\nwords = x\nnothing\ngoodbye =\n",
        ),
        ("messages/in/.message", "${here}\n"),
        ("messages/in/other", ""),
        ("goodbye.txt", &"x\n".repeat(101)),
    ]);
    let rules = lines("msgpath /x/* missing.txt *\n", Case::Sensitive).unwrap();
    let wrong = read(&dir, &rules).unwrap_err();
    let starts = [
        "welcome.txt: line 2: there is no variable \"usr\"",
        "goodbye.txt: line 101: a page has",
        "rules.txt: line 1: variable \"speed\" is for",
        "theme.txt: line 4: directory: variable \"figures\"",
        "theme.txt: line 5: words: must be one of logged_in",
        "theme.txt: line 6: must be key = text",
        "theme.txt: line 7: goodbye: has no text",
    ];
    for (found, start) in wrong.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}");
    }
    let rest = wrong[starts.len()..].join("\n");
    assert!(
        rest.contains("messages/in/.message: line 1: there is no variable \"here\""),
        "{rest}"
    );
    assert!(rest.contains("messages/in/other: is no folder"), "{rest}");
    assert!(rest.contains("missing.txt: "), "{rest}");
    assert_eq!(wrong.len(), 10);
}

#[test]
fn pages_are_shown_to_those_they_are_for() {
    let dir = folder(&[
        (
            "welcome.txt",
            "Hello ${user} of ${group}\n230 ${credits}, ${ratio}\n",
        ),
        ("messages/in/.message", "in ${path}\n"),
        ("staff.txt", "for the crew\n"),
    ]);
    let rules = lines("msgpath /in/ staff.txt =crew\n", Case::Sensitive).unwrap();
    let pages = read(&dir, &rules).unwrap();
    let shown = |group: &str, which: Which<'_>| {
        let account = Account::new("ann", group);
        let at = path("/in");
        let facts = Facts {
            account: Some(&account),
            client: None,
            now: 0,
            path: &at,
            more: &|| (-1024, "fine".to_owned()),
            moved: None,
        };
        pages.page(which, &facts)
    };
    assert_eq!(
        shown("users", Which::Welcome),
        ["Hello ann of users", "230 -1.0 KiB, 1:0"]
    );
    let at = path("/in");
    assert_eq!(
        shown("crew", Which::Entered(&at, &rules)),
        ["in /in", "for the crew"]
    );
    assert_eq!(shown("users", Which::Entered(&at, &rules)), ["in /in"]);
    let other = path("/in/below");
    assert!(shown("crew", Which::Entered(&other, &rules)).is_empty());
    assert!(shown("crew", Which::Rules).is_empty());
}

#[test]
fn the_lines_without_a_theme_are_sound() {
    for (line, of_transfer) in [(LINE, false), (LINE_OF_TRANSFER, true)] {
        assert!(Template::read(line, of_transfer).is_ok(), "{line}");
    }
    assert!(UserLine::Never < UserLine::Transfers && UserLine::Transfers < UserLine::Always);
}
