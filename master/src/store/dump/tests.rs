//! Dumps that are loaded, and dumps that are not.

use super::*;
use crate::store::{Batch, Command};
use rusqlite::params;
use tempfile::TempDir;

const NOW: i64 = 1_800_000_000;

fn open(folder: &Path, dice: u64) -> Store {
    let (clock, dice) = (Clock::manual(NOW), Dice::seeded(dice));
    let config = StoreConfig::DEFAULT;
    Store::inline(folder, &config, Case::Sensitive, &clock, &dice).unwrap()
}

fn load_text(folder: &Path, text: &str, unix: i64) -> Result<Loaded, StoreError> {
    let (clock, dice) = (Clock::manual(unix), Dice::seeded(99));
    load(
        folder,
        &StoreConfig::DEFAULT,
        &mut text.as_bytes(),
        &clock,
        &dice,
    )
}

fn text_of(store: &Store) -> String {
    let mut out = Vec::new();
    dump(store, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

struct Fill;

impl Command for Fill {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let sql = "INSERT INTO account (name, grp, admin, home, disabled, created)
            VALUES (?1, 'users', 1, ?2, 0, -5)";
        batch.run(sql, params!["ann \"quoted\"\n", &b"/h\xFF"[..]])?;
        let sql = "INSERT INTO slave_token VALUES (?1, 'alpha', 9, NULL)";
        batch.run(sql, params![&b"plain text"[..]])?;
        batch.used(batch.ids().node()?.0);
        Ok(())
    }
}

#[tokio::test]
async fn a_loaded_store_dumps_the_same_rows_and_is_another_of_a_higher_epoch() {
    let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(from.path(), 1);
    store.change(Fill).await.unwrap();
    let text = text_of(&store);
    assert!(text.contains(r#"{"b64":"L2j/"}"#), "{text}");
    let loaded = load_text(to.path(), &text, NOW - 1_000_000).unwrap();
    assert_eq!(loaded.identity.epoch.0, store.identity().epoch.0 + 1);
    assert_ne!(loaded.identity.store, store.identity().store);
    let again = open(to.path(), 2);
    assert_eq!(again.identity(), loaded.identity);
    let rows = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&text_of(&again)), rows(&text));
    assert_eq!(loaded.rows, 4);
    assert!(again.ids().incarnation() > store.ids().incarnation());
}

#[tokio::test]
async fn starts_that_a_dump_brought_along_are_none_of_the_loaded_store() {
    let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(from.path(), 1);
    store.change(Fill).await.unwrap();
    let text = text_of(&store);
    // The dumped store goes on and acknowledges this one.
    let later = store.ids().node().unwrap().0;
    load_text(to.path(), &text, NOW).unwrap();
    drop(store);
    let own = open(to.path(), 2).ids().node().unwrap().0;
    for (folder, expected) in [(&from, true), (&to, false)] {
        let store = open(folder.path(), 3);
        assert_eq!(store.read(|sql| sql.begun(later)).unwrap(), expected);
    }
    let again = open(to.path(), 4);
    assert!(again.read(|sql| sql.begun(own)).unwrap());
}

#[tokio::test]
async fn a_dump_is_only_loaded_where_nothing_is() {
    let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(from.path(), 1);
    let text = text_of(&store);
    drop(open(to.path(), 2));
    load_text(to.path(), &text, NOW + 7).unwrap();
    let full = open(to.path(), 3);
    assert!(full.identity().epoch.0 > u64::try_from(NOW + 7).unwrap());
    let locked = load_text(to.path(), &text, NOW);
    assert!(matches!(locked, Err(StoreError::Locked)));
    full.change(Fill).await.unwrap();
    drop(full);
    let refused = load_text(to.path(), &text, NOW);
    assert!(matches!(refused, Err(StoreError::Unusable(why)) if why.contains("empty")));
}

#[tokio::test]
async fn a_dump_of_an_older_version_gets_what_came_later_and_one_of_a_newer_is_refused() {
    let from = TempDir::new().unwrap();
    let text = text_of(&open(from.path(), 1));
    let now = text.replacen("\"modified\":0", "\"modified\":77", 1);
    let newest = format!("\"version\":{}", MIGRATIONS.len());
    let of = |version: u64, without: &[&str]| {
        let mut text = now.replacen(&newest, &format!("\"version\":{version}"), 1);
        for cell in without {
            assert!(text.contains(cell), "{text}");
            text = text.replacen(cell, "", 1);
        }
        let to = TempDir::new().unwrap();
        load_text(to.path(), &text, NOW).map(|_| text_of(&open(to.path(), 2)))
    };
    let created = "\"created\":0,";
    let two = of(2, &[created]).unwrap();
    assert!(two.contains("\"created\":77"), "{two}");
    let one = of(1, &[created, "\"deep\":128,", "\"long\":4096,"]);
    let one = one.unwrap();
    assert!(
        one.contains("\"deep\":128") && one.contains("\"long\":4096"),
        "{one}"
    );
    // What came later is not of an older dump.
    assert!(matches!(of(2, &[]), Err(StoreError::Unusable(why)) if why.contains("created")));
    for unknown in [0, 9999] {
        assert!(of(unknown, &[]).is_err(), "{unknown}");
    }
}

#[tokio::test]
async fn a_dump_that_is_cut_or_changed_is_refused_by_its_line() {
    let from = TempDir::new().unwrap();
    let store = open(from.path(), 1);
    store.change(Fill).await.unwrap();
    let text = text_of(&store);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.len();
    let cut = lines[..end - 1].join("\n");
    let short = [&lines[..2], &lines[3..]].concat().join("\n");
    let unknown = text.replacen("\"grp\"", "\"gruppe\"", 1);
    let header = lines[1..].join("\n");
    for (text, line) in [
        (cut, end),
        (short, end - 1),
        (unknown, 3),
        (header, 1),
        (text.replace("\"kind\":0", "\"kind\":\"dir\""), 5),
    ] {
        let to = TempDir::new().unwrap();
        let refused = load_text(to.path(), &text, NOW);
        let Err(StoreError::Unusable(why)) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.starts_with(&format!("line {line}: ")), "{why}");
        assert_eq!(text_of(&open(to.path(), 5)).lines().count(), 3);
    }
}
