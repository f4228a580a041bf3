//! The store as a whole: one master at a time, commits, failures, and what is there after a crash.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use drftpd_actors::{Clock, Dice};
use rusqlite::params;
use tempfile::TempDir;

use super::*;

fn open_at(folder: &Path, unix: i64) -> Result<Store, StoreError> {
    let (clock, dice) = (Clock::manual(unix), Dice::seeded(1));
    Store::open(
        folder,
        &StoreConfig::DEFAULT,
        Case::Sensitive,
        &clock,
        &dice,
    )
}

const NOW: i64 = 1_800_000_000;

/// Adds an account; then does what the test wants.
struct Add(String, fn());

impl Add {
    fn named(name: impl Into<String>) -> Self {
        Self(name.into(), || ())
    }
}

impl Command for Add {
    type Answer = String;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<String, StoreError> {
        let sql = "INSERT INTO account (name, grp, admin, home, disabled, created)
            VALUES (?1, 'users', 0, x'2f', 0, 0)";
        batch.run(sql, params![self.0])?;
        self.1();
        Ok(self.0)
    }
}

/// Writes, then fails.
struct Halfway;

impl Command for Halfway {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        Add::named("half").apply(batch)?;
        Err(StoreError::Damaged("on purpose".into()))
    }
}

fn names(store: &Store) -> Vec<String> {
    let sql = "SELECT name FROM account ORDER BY name";
    let read = store.read(|sql_| sql_.all(sql, [], |row| row.get(0)));
    read.unwrap_or_else(|why: StoreError| panic!("{why}"))
}

#[test]
fn a_second_master_is_refused_until_the_first_is_gone() {
    let dir = TempDir::new().unwrap();
    let first = open_at(dir.path(), NOW).unwrap();
    assert!(matches!(open_at(dir.path(), NOW), Err(StoreError::Locked)));
    let identity = first.identity();
    drop(first);
    let again = open_at(dir.path(), NOW + 5).unwrap();
    assert_eq!(again.identity(), identity);
    assert_eq!(identity.epoch.0, u64::try_from(NOW).unwrap());
}

#[test]
fn identities_grow_with_every_start_also_when_the_clock_goes_back() {
    let dir = TempDir::new().unwrap();
    let mut last = 0;
    for unix in [NOW, NOW, NOW - 1_000_000, 0, NOW + 9] {
        let store = open_at(dir.path(), unix).unwrap();
        let (node, transfer) = (store.ids().node().unwrap(), store.ids().transfer().unwrap());
        assert!(node.0 > last && transfer.0 > last && node.0 >> 63 == 0);
        last = node.0;
    }
}

#[test]
fn a_store_keeps_its_case() {
    let dir = TempDir::new().unwrap();
    drop(open_at(dir.path(), NOW).unwrap());
    let (clock, dice) = (Clock::manual(NOW), Dice::seeded(1));
    let config = StoreConfig::DEFAULT;
    let other = Store::open(dir.path(), &config, Case::Insensitive, &clock, &dice);
    assert!(matches!(other, Err(StoreError::Unusable(why)) if why.contains("sensitive")));
}

#[tokio::test]
async fn a_change_is_there_when_it_is_answered_and_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let store = open_at(dir.path(), NOW).unwrap();
    assert_eq!(store.change(Add::named("ann")).await.unwrap(), "ann");
    assert_eq!(names(&store), ["ann"]);
    drop(store);
    assert_eq!(names(&open_at(dir.path(), NOW).unwrap()), ["ann"]);
}

#[tokio::test]
async fn a_refused_command_leaves_its_neighbours_alone() {
    let dir = TempDir::new().unwrap();
    let store = open_at(dir.path(), NOW).unwrap();
    let all = ["ann", "bob", "ann", "cid"].map(|name| store.submit(Add::named(name)).unwrap());
    let mut refused = Vec::new();
    for (at, pending) in all.into_iter().enumerate() {
        if pending.answer().await.is_err() {
            refused.push(at);
        }
    }
    assert_eq!(refused, [2]);
    assert_eq!(names(&store), ["ann", "bob", "cid"]);
}

#[tokio::test]
async fn a_command_that_fails_in_its_middle_is_undone_and_the_store_goes_on() {
    let dir = TempDir::new().unwrap();
    let store = open_at(dir.path(), NOW).unwrap();
    let failed = store.change(Halfway).await;
    assert!(matches!(failed, Err(StoreError::Damaged(_))));
    assert!(names(&store).is_empty());
    store.change(Add::named("ann")).await.unwrap();
    assert_eq!(names(&store), ["ann"]);
}

/// Lets the database grow to so many pages, and answers how many it may have.
struct Pages(u32);

impl Command for Pages {
    type Answer = u32;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<u32, StoreError> {
        let sql = format!("PRAGMA max_page_count = {}", self.0);
        let most = batch.get(&sql, [], |row| row.get(0))?;
        Ok(most.unwrap_or(0))
    }
}

#[tokio::test]
async fn a_full_disk_is_told_from_other_failures_and_is_over_with_the_next_commit() {
    let dir = TempDir::new().unwrap();
    let store = open_at(dir.path(), NOW).unwrap();
    let full = store.full();
    // No less than there are.
    store.change(Pages(1)).await.unwrap();
    let mut added = 0;
    let failed = loop {
        let name = format!("{added:0>200}");
        match store.change(Add::named(name)).await {
            Ok(_) => added += 1,
            Err(why) => break why,
        }
        assert!(!*full.borrow(), "not before it is");
        assert!(added < 1000, "it never gets full");
    };
    assert!(failed.is_full(), "{failed:?}");
    assert!(*full.borrow());
    assert_eq!(
        names(&store).len(),
        added,
        "reads go on, and nothing is half done"
    );
    let reply = crate::vfs::VfsError::from(failed).reply();
    assert_eq!(reply.code(), 452);

    store.change(Pages(1 << 20)).await.unwrap();
    assert!(*full.borrow(), "nothing was written yet");
    store.change(Add::named("ann")).await.unwrap();
    assert!(!*full.borrow());
    assert_eq!(names(&store).len(), added + 1);
}

#[tokio::test]
async fn a_panic_in_a_command_ends_the_store_and_says_so() {
    let dir = TempDir::new().unwrap();
    for inline in [false, true] {
        let (clock, dice) = (Clock::manual(NOW), Dice::seeded(1));
        let (config, case) = (StoreConfig::DEFAULT, Case::Sensitive);
        let opened = match inline {
            false => Store::open(dir.path(), &config, case, &clock, &dice),
            true => Store::inline(dir.path(), &config, case, &clock, &dice),
        };
        let store = opened.unwrap();
        let panics = Add("bad".into(), || panic!("on purpose"));
        assert!(matches!(
            store.change(panics).await,
            Err(StoreError::Closed)
        ));
        assert!(store.failure().await.contains("on purpose"));
        let later = store.change(Add::named("ann")).await;
        assert!(matches!(later, Err(StoreError::Closed)));
        let read = store.read(|_| Ok::<_, StoreError>(()));
        assert!(matches!(read, Err(StoreError::Closed)));
        drop(store);
        assert!(names(&open_at(dir.path(), NOW).unwrap()).is_empty());
    }
}

#[tokio::test]
async fn hooks_run_before_the_answer_and_only_for_what_was_kept() {
    struct Hooked(Arc<AtomicUsize>, bool);
    impl Command for Hooked {
        type Answer = ();
        type Error = StoreError;
        fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
            batch.on_commit(move || {
                self.0.fetch_add(1, Ordering::SeqCst);
            });
            if self.1 { Ok(()) } else { Halfway.apply(batch) }
        }
    }
    let dir = TempDir::new().unwrap();
    let store = open_at(dir.path(), NOW).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    assert!(
        store
            .change(Hooked(Arc::clone(&told), false))
            .await
            .is_err()
    );
    assert_eq!(told.load(Ordering::SeqCst), 0);
    store.change(Hooked(Arc::clone(&told), true)).await.unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn numbers_count_as_given_out_once_they_are_stored() {
    struct Use(u64);
    impl Command for Use {
        type Answer = ();
        type Error = StoreError;
        fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
            batch.used(self.0);
            Ok(())
        }
    }
    let dir = TempDir::new().unwrap();
    let store = open_at(dir.path(), NOW).unwrap();
    let (first, second) = (store.ids().node().unwrap(), store.ids().node().unwrap());
    let issued = |n: u64| store.read(|sql| sql.issued(n)).unwrap();
    assert!(!issued(first.0));
    store.change(Use(first.0)).await.unwrap();
    assert!(issued(first.0) && !issued(second.0));
    assert!(!issued(first.0 + (7 << 31)));
}

#[tokio::test]
async fn writers_sync_as_durability_says() {
    for (durability, level) in [(Durability::Full, 2), (Durability::Relaxed, 1)] {
        struct Level;
        impl Command for Level {
            type Answer = (i64, String);
            type Error = StoreError;
            fn apply(self, batch: &Batch<'_>) -> Result<(i64, String), StoreError> {
                let level = batch.get("PRAGMA synchronous", [], |row| row.get(0))?;
                let mode = batch.get("PRAGMA journal_mode", [], |row| row.get(0))?;
                Ok((level.unwrap(), mode.unwrap()))
            }
        }
        let dir = TempDir::new().unwrap();
        let (clock, dice) = (Clock::manual(NOW), Dice::seeded(1));
        let config = StoreConfig {
            durability,
            ..StoreConfig::DEFAULT
        };
        let store = Store::open(dir.path(), &config, Case::Sensitive, &clock, &dice).unwrap();
        assert_eq!(store.change(Level).await.unwrap(), (level, "wal".into()));
    }
}

struct Sync<const UNHEARD: bool>;

impl<const UNHEARD: bool> Command for Sync<UNHEARD> {
    type Answer = i64;
    type Error = StoreError;

    fn is_unheard(&self) -> bool {
        UNHEARD
    }

    fn apply(self, batch: &Batch<'_>) -> Result<i64, StoreError> {
        let level = batch.get("PRAGMA synchronous", [], |row| row.get(0))?;
        Ok(level.unwrap_or(-1))
    }
}

#[tokio::test]
async fn only_a_batch_that_nobody_hears_of_is_not_synced() {
    let dir = TempDir::new().unwrap();
    let store = open_at(dir.path(), NOW).unwrap();
    assert_eq!(store.change(Sync::<true>).await.unwrap(), 1);
    assert_eq!(store.change(Sync::<false>).await.unwrap(), 2);
    // However they meet in the queue: whoever is heard of is synced, and all keep their order.
    for round in 0..50 {
        let unheard = store.submit(Sync::<true>).unwrap();
        let heard = store.submit(Sync::<false>).unwrap();
        let added = store.submit(Add::named(format!("{round:02}"))).unwrap();
        assert!((1..=2).contains(&unheard.answer().await.unwrap()));
        assert_eq!(heard.answer().await.unwrap(), 2);
        added.answer().await.unwrap();
    }
    assert_eq!(names(&store).len(), 50);
}

/// Copies the files as they are: what a killed process leaves.
fn copy_files(from: &Path, to: &Path) {
    for name in ["store.db", "store.db-wal"] {
        // Nothing is written back from the log so early, so the two fit together.
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn everything_acknowledged_is_in_a_copy_made_at_any_moment() {
    let seed = drftpd_actors::testkit::seed();
    let dice = Dice::seeded(seed);
    let dir = TempDir::new().unwrap();
    let store = open_at(dir.path(), NOW).unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..20 {
        let count = 1 + dice.below(40);
        let pending: Vec<_> = (0..count)
            .map(|i| {
                store
                    .submit(Add::named(format!("{round:02}-{i:02}")))
                    .unwrap()
            })
            .collect();
        let waited = usize::try_from(dice.below(count + 1)).unwrap();
        for pending in pending.into_iter().take(waited) {
            acknowledged.push(pending.answer().await.unwrap());
        }
        let copy = TempDir::new().unwrap();
        copy_files(dir.path(), copy.path());
        let found = names(&open_at(copy.path(), NOW).unwrap());
        let missing = acknowledged.iter().find(|name| !found.contains(name));
        assert_eq!(missing, None);
    }
}
