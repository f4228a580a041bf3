//! Arguments as words and as JSON.

use super::*;
use serde_json::json;

static PARAMS: &[Param] = &[
    Param::new("name", Kind::Slave, ""),
    Param::new("path", Kind::Path, ""),
    Param::new("way", Kind::Word(&["up", "down"]), ""),
    Param::optional("session", Kind::Session, ""),
    Param::optional("again", Kind::Switch, ""),
    Param::optional("limit", Kind::Number, ""),
    Param::optional("tags", Kind::Words, ""),
];

fn words(line: &str) -> Result<Args, AdminError> {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    Args::from_words(PARAMS, &words, &VfsPath::absolute(b"/home").unwrap())
}

fn json(value: Json) -> Result<Args, AdminError> {
    Args::from_json(PARAMS, value.as_object().unwrap(), &VfsPath::root())
}

#[test]
fn words_and_json_say_the_same() {
    let by_words = words("s1 /a up 7 again").unwrap();
    assert_eq!(
        words("way=UP path=/a again=again s1 session=7").unwrap(),
        by_words
    );
    let by_words = words("s1 /a up 7 again 5 x,y").unwrap();
    let object = json!({"name": "s1", "path": "/a", "way": "up", "session": 7, "again": true,
        "limit": 5, "tags": ["x", "y"]});
    assert_eq!(json(object).unwrap(), by_words);
    assert_eq!(
        Json::Object(by_words.shown()),
        json!({"again": true, "limit": 5, "name": "s1", "path": "/a", "session": 7, "tags": "x,y", "way": "up"})
    );
    assert_eq!(by_words.number("limit"), Some(5));
    assert_eq!(by_words.words("tags"), ["x", "y"]);
    assert!(by_words.said("again") && by_words.session("session").unwrap().0 == 7);
}

#[test]
fn relative_paths_begin_where_the_caller_stands_and_need_not_be_utf_8() {
    let args = words("s1 b/../c up").unwrap();
    assert_eq!(args.path("path").unwrap().to_bytes(), b"/home/c");
    let object = json!({"name": "s1", "path": {"b64": "L/8="}, "way": "down"});
    assert_eq!(
        json(object).unwrap().path("path").unwrap().to_bytes(),
        b"/\xFF"
    );
}

#[test]
fn what_is_wrong_is_named_by_its_field() {
    for (line, field) in [
        ("", "name"),
        ("s1", "path"),
        ("s1 /a", "way"),
        ("bad/name /a up", "name"),
        ("s1 /a sideways", "way"),
        ("s1 /a up x", "session"),
        ("s1 /a up 1 maybe", "again"),
        ("s1 /a up 1 again x", "limit"),
        ("s1 /a up 1 again 1 x more", "more"),
        ("s1 /a up name=s2", "way"),
        ("name=s1 name=s2 /a up", "name"),
    ] {
        let error = words(line).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{line}: {error}");
    }
    for (object, field) in [
        (json!({"nam": "s1"}), "nam"),
        (json!({"name": 1}), "name"),
        (
            json!({"name": "s1", "path": {"b64": "%"}, "way": "up"}),
            "path",
        ),
        (json!({"name": "a\u{7}"}), "name"),
        (json!({"limit": -1}), "limit"),
        (json!({"tags": ["a,b"]}), "tags"),
        (json!({"tags": [1]}), "tags"),
    ] {
        let error = json(object).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
    }
}

#[test]
fn what_must_be_named_takes_no_place_of_others() {
    static PARAMS: &[Param] = &[
        Param::new("words", Kind::Rest, ""),
        Param::named("kind", Kind::Word(&["dir", "file"]), ""),
        Param::named("recursive", Kind::Switch, ""),
    ];
    let said = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        Args::from_words(PARAMS, &words, &VfsPath::root()).map(|args| args.to_string())
    };
    assert_eq!(said("dir file").unwrap(), "words=\"dir file\"");
    let all = "kind=\"dir\" recursive words=\"a b\"";
    for line in [
        "a b kind=dir recursive",
        "-r a -kind dir b",
        "-recursive kind=DIR a b",
        "recursive -Kind dir a b",
    ] {
        assert_eq!(said(line).unwrap(), all, "{line}");
    }
    for (line, field) in [
        ("a -kind", "kind"),
        ("-r", "words"),
        ("a -r -r", "recursive"),
    ] {
        let error = said(line).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{line}");
    }
    let shown: Vec<_> = PARAMS.iter().map(Param::syntax).collect();
    assert_eq!(shown, ["WORDS", "[kind=dir|file]", "[-r]"]);
}
