use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use drftpd_actors::{Clock, Dice, block_on};
use rusqlite::params;
use tempfile::TempDir;

use super::super::{Batch, Case, Command, StoreConfig};
use super::*;

/// Writes pairs of rows that are never without each other, big enough that many make many pages.
struct Pairs(std::ops::Range<i64>);

impl Command for Pairs {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        for n in self.0 {
            let sql = "INSERT INTO root_log VALUES (1, ?1, zeroblob(2000))";
            batch.run(sql, params![n])?;
            let sql = "INSERT INTO slave_token VALUES (?1, 's', 0, NULL)";
            batch.run(sql, params![&n.to_be_bytes()[..]])?;
        }
        Ok(())
    }
}

fn open(dir: &Path) -> Store {
    let (clock, dice) = (Clock::manual(1_800_000_000), Dice::seeded(1));
    Store::open(dir, &StoreConfig::DEFAULT, Case::Sensitive, &clock, &dice).unwrap()
}

fn count(file: &Path, table: &str) -> i64 {
    let conn = Connection::open(file).unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    conn.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_backup_while_changes_go_on_is_one_moment_of_the_store_and_holds_up_none() {
    let (dir, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(dir.path());
    // More than a thousand pages, so that it takes several steps.
    let many = block_on(store.change(Pairs(0..3000)));
    many.unwrap().unwrap();
    let stop = AtomicBool::new(false);
    let file = to.path().join("copy.db");
    let changed = std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            let mut n = 3000;
            block_on(async {
                while !stop.load(Ordering::Relaxed) {
                    store.change(Pairs(n..n + 1)).await.unwrap();
                    n += 1;
                }
            })
            .unwrap();
            n
        });
        // As many backups as it takes for changes to come between.
        let mut made = 0;
        while !changing.is_finished() {
            drop(fs::remove_file(&file));
            let size = backup(&store, &file).unwrap();
            assert_eq!(size, file.metadata().unwrap().len());
            let pairs = count(&file, "root_log");
            assert_eq!(pairs, count(&file, "slave_token"));
            made += 1;
            if pairs > 3000 && made > 2 {
                stop.store(true, Ordering::Relaxed);
            }
        }
        changing.join().unwrap()
    });
    assert!(count(&file, "root_log") <= changed);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!beside(&file).exists());

    let restored = TempDir::new().unwrap();
    fs::copy(&file, restored.path().join("store.db")).unwrap();
    assert_eq!(open(restored.path()).identity(), store.identity());
}

#[test]
fn a_backup_overwrites_nothing_and_leaves_nothing_when_it_fails() {
    let (dir, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(dir.path());
    let (file, other) = (to.path().join("there"), to.path().join("other"));
    fs::write(&file, "mine").unwrap();
    let is_there = |done: Result<u64, StoreError>| match done {
        Err(StoreError::Io(why)) => assert_eq!(why.kind(), io::ErrorKind::AlreadyExists),
        other => panic!("{other:?}"),
    };
    is_there(backup(&store, &file));
    // Another one runs, or broke off.
    fs::write(beside(&other), "half").unwrap();
    is_there(backup(&store, &other));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(fs::read_to_string(beside(&other)).unwrap(), "half");
    let nowhere = to.path().join("no/such/folder");
    assert!(matches!(backup(&store, &nowhere), Err(StoreError::Io(_))));
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 2);
}
