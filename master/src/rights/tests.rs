//! The language as a whole: both forms, what is wrong with files, what holds without one, and what lines mean.

use super::config::PLAIN;
use super::directive::FORMS;
use super::*;
use crate::accounts::{Account, Action};
use crate::store::Case;
use crate::transfer::Direction;
use drftpd_protocol::VfsPath;

pub(super) const ALL: [Action; 10] = [
    Action::View,
    Action::Download,
    Action::Upload,
    Action::Overwrite,
    Action::Resume,
    Action::Delete,
    Action::MakeDir,
    Action::Rename,
    Action::SetTime,
    Action::Fxp,
];

pub(super) fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

pub(super) fn lines(text: &str) -> Rules {
    read::lines(text, Case::Sensitive).unwrap()
}

pub(super) fn who(name: &str) -> Account {
    let group = if name == "ann" { "staff" } else { "users" };
    Account {
        admin: name == "root",
        overwrite: name == "root",
        ..Account::of_test(name, group)
    }
}

pub(super) fn judge(
    rules: &Rules,
    name: &str,
    what: Action,
    at: &str,
    owner: &str,
) -> Result<(), Refused> {
    let path = path(at);
    let owner = (!owner.is_empty()).then_some(owner);
    let target = Target {
        owner,
        ..Target::at(&path)
    };
    rules.judge(&who(name), what, target)
}

#[test]
fn both_forms_give_the_same_rules() {
    let of_lines = lines(
        "# comment\n\
         upload /in/*  =users !*   # to the end\n\
         privpathex ^/secret -ann\n\
         creditcheck /in/* 0.5 *\n\
         creditlimit * UP DAY 1000 =users\n\
         msgpath /in/ rules.txt *\n\
         \n\
         command kick =siteop =users\n\
         command slave.list *\n",
    );
    let table = r#"
        upload = [ { path = "/in/*", who = "=users !*" } ]
        privpath = [ { regex = "^/secret", who = ["-ann"] } ]
        creditcheck = [ { path = "/in/*", ratio = 0.5, who = "*" } ]
        creditlimit = [ { path = "*", direction = "UP", period = "DAY", bytes = 1000, who = "=users" } ]
        msgpath = [ { path = "/in/", file = "rules.txt", who = "*" } ]
        [commands]
        "SLAVE LIST" = "*"
        kick = ["=siteop", "=users"]
    "#;
    assert_eq!(read::table(table, Case::Sensitive).unwrap(), of_lines);
    assert!(of_lines.command("kick").unwrap().has(&who("bob")));
    assert!(of_lines.command("who").is_none());
    assert_ne!(lines("upload * *"), lines("upload * !*"));
}

#[test]
fn everything_that_is_wrong_is_named_by_its_line() {
    let errors = |read: Result<Rules, Vec<drftpd_actors::ConfigError>>| {
        let errors = read.unwrap_err();
        let shown = errors.iter().map(ToString::to_string);
        shown.collect::<Vec<_>>()
    };
    let text = "upload\n\nuplaod * *\nupload in/* *\nupload * bob\nupload *\nprivpathex ( *\n\
                userrejectinsecure *\ncreditloss /x half *\ncommand dance *\ncommand\n\
                creditlimit * UP YEAR 5 *\n";
    let found = errors(read::lines(text, Case::Sensitive));
    let begins = [
        "line 1: upload: the path is missing",
        "line 3: uplaod: is no kind of line",
        "line 4: a path must begin with /",
        "line 5: upload: \"bob\" is not *",
        "line 6: upload: names nobody",
        "line 7: no regular expression",
        "line 8: userrejectinsecure: is not said here, it is tls.login",
        "line 9: creditloss: ratio must be a number",
        "line 10: dance: is no command",
        "line 11: command: its name is missing",
        "line 12: creditlimit: period must be DAY",
    ];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(begin), "{found}");
    }
    let text = "upload = [\n  { path = \"*\" },\n  { path = \"x\", who = \"*\" },\n  { path = \"*\", regex = \"a\", who = \"*\" },\n\
                \"*\",\n  { path = \"*\", who = 1 },\n { path = \"*\", who = \"*\", ratio = 1 } ]\n\
                privpath = 1\nnothing = []\n[commands]\nkick = \"all\"\nKICK = \"*\"\n\"Kick\" = \"*\"\n";
    let found = errors(read::table(text, Case::Sensitive));
    let begins = [
        "line 2: upload: needs path",
        "line 3: a path must begin",
        "line 4: upload: path and regex exclude",
        "line 5: upload: a line is",
        "line 6: upload: who must be",
        "line 7: upload: ratio is no key",
        "line 8: privpath: must be a list",
        "line 9: nothing: is no kind",
        "line 11: kick: \"all\" is not",
        "line 13: Kick: is there twice",
    ];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(begin), "{found}");
    }
    assert!(!errors(read::table("upload = [", Case::Sensitive)).is_empty());
}

#[test]
fn a_file_is_read_in_the_form_that_its_name_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let conf = file("perms.conf", "upload * *\n");
    let toml = file("p.toml", "upload = [{ path = \"*\", who = \"*\" }]\n");
    let read = |file| read::file(file, Case::Sensitive, &crate::admin::Commands::and([]));
    assert_eq!(read(&conf).unwrap(), read(&toml).unwrap());
    let wrong = file("wrong.conf", "upload\n");
    let error = read(&wrong).unwrap_err()[0].to_string();
    assert!(error.contains("wrong.conf: line 1: upload"), "{error}");
    let gone = dir.path().join("gone.toml");
    assert_eq!(read(&gone).unwrap_err()[0].file, Some(gone));
}

#[test]
fn without_a_file_people_have_what_is_their_own_and_operators_everything() {
    let rules = read::table(PLAIN, Case::Sensitive).unwrap();
    assert_eq!(*RightsConfig::default().rules, rules);
    for what in ALL {
        let is = |name, owner| judge(&rules, name, what, "/a/b", owner).is_ok();
        let foreign = match what {
            Action::View | Action::Download | Action::Upload | Action::MakeDir => true,
            Action::Fxp => false,
            _ => is("bob", "bob"),
        };
        assert_eq!(is("root", "bob"), what != Action::Fxp, "{what:?}");
        assert_eq!(is("bob", "bob"), what != Action::Fxp, "{what:?}");
        let others = [
            Action::View,
            Action::Download,
            Action::Upload,
            Action::MakeDir,
        ];
        assert_eq!(
            is("bob", "ann"),
            others.contains(&what) && foreign,
            "{what:?}"
        );
    }
    // `[accounts]` speaks for administrators where the file does not.
    let admin = Account {
        overwrite: false,
        fxp: true,
        ..who("root")
    };
    let at = path("/a");
    let own = Target {
        owner: Some("root"),
        ..Target::at(&at)
    };
    assert_eq!(
        rules.judge(&admin, Action::Overwrite, own),
        Err(Refused::Denied)
    );
    assert_eq!(rules.judge(&admin, Action::Fxp, own), Ok(()));
}

#[test]
fn without_a_line_nobody_may_anything_and_the_root_stays_whatever_is_said() {
    let nothing = Rules::nothing(Case::Sensitive);
    let allowed = |rules: &Rules, name, at| -> Vec<Action> {
        let may = |what: &Action| judge(rules, name, *what, at, name).is_ok();
        ALL.into_iter().filter(|what| may(what)).collect()
    };
    assert_eq!(allowed(&nothing, "bob", "/a"), [Action::View]);
    let admins = [Action::View, Action::Overwrite];
    assert_eq!(allowed(&nothing, "root", "/a"), admins);
    let all: String = FORMS
        .iter()
        .filter(|form| form.arguments.is_empty() && !form.name.starts_with("deny"))
        .map(|form| format!("{} * *\n", form.name))
        .collect();
    let all = lines(&all);
    assert_eq!(allowed(&all, "bob", "/a"), ALL);
    let root = allowed(&all, "bob", "/");
    for gone in [Action::Delete, Action::Rename, Action::Overwrite] {
        assert!(!root.contains(&gone), "{gone:?}");
    }
}

#[test]
fn the_first_line_that_fits_decides_and_expressions_come_first() {
    let rules = lines(
        "upload /in/open/* *\nupload /in/* =staff\nupload /in/staff/* *\nuploadex \\.exe$ !*\n\
         resumeown /in/* -bob\n",
    );
    for (name, what, at, want) in [
        ("bob", Action::Upload, "/in/open/x", Ok(())),
        ("bob", Action::Upload, "/in/x", Err(Refused::Denied)),
        ("ann", Action::Upload, "/in/x", Ok(())),
        // The line above has decided.
        ("bob", Action::Upload, "/in/staff/x", Err(Refused::Denied)),
        (
            "ann",
            Action::Upload,
            "/in/open/X.EXE",
            Err(Refused::Denied),
        ),
        ("ann", Action::Upload, "/out", Err(Refused::Denied)),
        ("bob", Action::Resume, "/in/x", Ok(())),
        ("bob", Action::Resume, "/out", Err(Refused::Denied)),
        // As `upload`, as long as no line speaks of it.
        ("bob", Action::SetTime, "/in/open/x", Ok(())),
        ("bob", Action::SetTime, "/in/x", Err(Refused::Denied)),
    ] {
        assert_eq!(
            judge(&rules, name, what, at, name),
            want,
            "{name} {what:?} {at}"
        );
    }
    let foreign = judge(&rules, "bob", Action::Resume, "/in/x", "ann");
    assert_eq!(foreign, Err(Refused::Denied));
}

#[test]
fn what_is_hidden_is_hidden_with_all_that_it_holds() {
    let rules =
        lines("privpath /s/open/* *\nprivpath /s =staff\nupload * *\ndelete * *\nmakedir /m/* *\n");
    let hidden = Err(Refused::Hidden);
    for (name, what, at, want) in [
        ("ann", Action::Delete, "/s/a", Ok(())),
        ("bob", Action::View, "/s", hidden),
        ("bob", Action::View, "/s/a", hidden),
        // What lies in it is not seen either, whatever is said of it.
        ("bob", Action::View, "/s/open/x", hidden),
        ("bob", Action::Delete, "/s/open/x", hidden),
        ("bob", Action::Upload, "/s/open/x", hidden),
        ("bob", Action::View, "/sx", Ok(())),
        // Its name can be given to nothing, by who may send files there at all.
        ("bob", Action::Upload, "/s", Err(Refused::Name)),
        ("bob", Action::MakeDir, "/s", Err(Refused::Denied)),
        ("root", Action::View, "/s", hidden),
    ] {
        assert_eq!(
            judge(&rules, name, what, at, "ann"),
            want,
            "{name} {what:?} {at}"
        );
    }
    let all_hidden = lines("privpath * !*\nupload * *\n");
    assert_eq!(judge(&all_hidden, "bob", Action::View, "/", ""), hidden);
    assert_eq!(judge(&all_hidden, "bob", Action::Upload, "/", ""), hidden);
}

#[test]
fn names_other_hosts_and_growing_files_may_be_forbidden() {
    let rules = lines(
        "upload * *\nmakedir * *\nfxp * *\ndenyname *.exe !=siteop *\ndeny_upfxp /in/* *\n\
         deny_dnfxp /out/* -bob\ndenydownload /in/* =users\n",
    );
    let name = Err(Refused::Name);
    assert_eq!(judge(&rules, "bob", Action::Upload, "/a.exe", ""), name);
    assert_eq!(judge(&rules, "bob", Action::MakeDir, "/a.exe", ""), name);
    assert_eq!(judge(&rules, "root", Action::Upload, "/a.exe", ""), Ok(()));
    let fxp = |name, at, way| rules.denies_fxp(&who(name), &path(at), way);
    assert!(fxp("ann", "/in/x", Direction::Upload) && !fxp("ann", "/in/x", Direction::Download));
    assert!(
        fxp("bob", "/out/x", Direction::Download) && !fxp("ann", "/out/x", Direction::Download)
    );
    assert!(rules.waits_for_uploads(&who("bob"), &path("/in/x")));
    assert!(!rules.waits_for_uploads(&who("ann"), &path("/in/x")));
    assert!(!rules.waits_for_uploads(&who("bob"), &path("/out")));
}

#[test]
fn a_directory_is_moved_only_where_no_line_tells_what_it_holds_from_itself() {
    let rules = lines(
        "privpath /rel/secret/* =staff\nprivpath /priv/* =staff\nupload /rel/x/no/* !*\nupload * *\nmakedir * *\n",
    );
    for (name, from, to, may) in [
        ("bob", "/a", "/b", true),
        // Something that is hidden would come along.
        ("bob", "/rel", "/b", false),
        ("ann", "/rel", "/b", true),
        // It would come to where it is hidden, or must not be sent.
        ("bob", "/a", "/rel", false),
        ("bob", "/a", "/priv/a", false),
        ("ann", "/a", "/rel/x", false),
        ("ann", "/a", "/priv/a", true),
        ("ann", "/a", "/rel/y", true),
    ] {
        let moved = rules.may_move_all(&who(name), &path(from), &path(to));
        assert_eq!(moved.is_ok(), may, "{name} {from} {to}");
    }
}
