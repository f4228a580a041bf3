//! That the table is sound, and how words find their command.

use std::collections::BTreeSet;

use super::*;

#[test]
fn the_table_is_sound() {
    let mut names = BTreeSet::new();
    let mut site = BTreeSet::new();
    for command in COMMANDS {
        assert!(
            names.insert(command.name),
            "{} is there twice",
            command.name
        );
        let plain = |c: char| c.is_ascii_lowercase() || c == ' ' || c == '-';
        assert!(command.name.chars().all(plain), "{}", command.name);
        assert!(command.name.split(' ').count() <= 2, "{}", command.name);
        assert!(
            command.about.len() > 10 && !command.about.ends_with('.'),
            "{}",
            command.name
        );
        for name in command.site {
            assert!(site.insert(*name), "SITE {name} is there twice");
            assert!(name.chars().all(|c| c.is_ascii_uppercase()), "{name}");
        }
        sound_params(command);
    }
    assert!(COMMANDS.is_sorted_by_key(|command| command.name));
}

fn sound_params(command: &Command) {
    let mut names = BTreeSet::new();
    let mut optional = false;
    for (at, param) in command.params.iter().enumerate() {
        assert!(
            names.insert(param.name),
            "{}: {} twice",
            command.name,
            param.name
        );
        assert!(!param.about.is_empty(), "{}: {}", command.name, param.name);
        assert!(
            !optional || param.optional,
            "{}: optional ones come last",
            command.name
        );
        optional = param.optional;
        let mut behind = command.params.iter().skip(at + 1);
        let last = behind.all(|param| param.named);
        assert!(
            param.kind != Kind::Rest || last,
            "{}: the rest is not last",
            command.name
        );
    }
}

#[test]
fn words_find_the_longest_name_and_leave_the_arguments() {
    let found = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let commands = Commands::and([]);
        let found = commands.find(&words);
        found.map(|(command, rest)| (command.name, rest.len()))
    };
    assert_eq!(found("slave add s1"), Some(("slave add", 1)));
    assert_eq!(found("Slave ADD"), Some(("slave add", 0)));
    assert_eq!(found("who"), Some(("who", 0)));
    for nothing in ["slave", "slaves", "add slave", ""] {
        assert_eq!(found(nothing), None, "{nothing}");
    }
}

#[test]
fn operators_commands_are_for_operators() {
    let user = |admin| {
        Caller::User(cx::User {
            account: std::sync::Arc::new(crate::accounts::Account {
                admin,
                ..crate::accounts::Account::of_test("u", "g")
            }),
            session: drftpd_protocol::SessionId(1),
            peer: [127, 0, 0, 1].into(),
        })
    };
    let rules = Rules::nothing(crate::store::Case::Sensitive);
    let open: Vec<_> = COMMANDS
        .iter()
        .filter(|command| command.is_for(&user(false), &rules))
        .collect();
    let open: Vec<_> = open.iter().map(|command| command.name).collect();
    assert_eq!(
        open,
        [
            "bw",
            "credits show",
            "help",
            "message clear",
            "message list",
            "message send",
            "new",
            "passwd",
            "rules",
            "sections",
            "seen",
            "stats ranking",
            "stats show",
            "stats traffic",
            "tagline",
            "user show",
            "vfs dupe",
            "vfs search",
        ]
    );
    assert!(
        COMMANDS
            .iter()
            .all(|command| command.is_for(&user(true), &rules))
    );
    assert!(
        COMMANDS
            .iter()
            .all(|command| command.is_for(&Caller::Owner, &rules))
    );
}
