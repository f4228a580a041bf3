//! Opening: one master at a time, the tables of this version, a new incarnation.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{Clock, Dice};
use drftpd_protocol::{Epoch, StoreId};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;

use super::config::{Case, Durability, StoreConfig};
use super::error::StoreError;
use super::ids::{BEGIN, Ids};
use super::readers::keep_statements;
use super::schema::migrate;
use super::space::Full;
use super::sql::number;
use super::writer::Writer;

/// Seconds for which starts that stored nothing are remembered: a slave may come back with uploads of
/// them, see [`super::Sql::begun`].
const REMEMBERED: i64 = 30 * 24 * 3600;
/// How many of them at most: a master that cannot live starts very often.
const MOST_REMEMBERED: i64 = 1000;

/// How long a start waits for a second that no start before had; with a clock that was set back it goes on
/// without one.
const OWN_SECOND: Duration = Duration::from_secs(2);

/// Version of the meaning of what is stored, beside that of the tables.
pub const FORMAT: u64 = 1;

/// Which store this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// This instance; a loaded one is another.
    pub store: StoreId,
    /// Grows when a store is loaded, or a standby promoted.
    pub epoch: Epoch,
}

pub(super) struct Opened {
    pub folder: PathBuf,
    pub file: PathBuf,
    pub lock: File,
    pub ids: Arc<Ids>,
    pub case: Case,
    pub identity: Identity,
}

pub(super) fn open(
    folder: &Path,
    config: &StoreConfig,
    case: Case,
    clock: &Clock,
    dice: &Dice,
) -> Result<(Opened, Writer), StoreError> {
    let lock = lock(folder)?;
    let mut conn = connect(folder, config)?;
    let identity = identify(&conn, case, clock, dice)?;
    let ids = Arc::new(Ids::new(begin_incarnation(&mut conn, clock)?));
    File::open(folder)?.sync_all()?;
    let synchronous = match config.durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    let opened = Opened {
        folder: folder.to_owned(),
        file: file(folder),
        lock,
        ids: Arc::clone(&ids),
        case,
        identity,
    };
    let writer = Writer {
        conn,
        case,
        ids,
        limit: config.batch.max(1),
        durability: config.durability,
        synced: true,
        held: None,
        marked: 0,
        failed: watch::Sender::new(None),
        full: Full::new(),
    };
    Ok((opened, writer))
}

pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join("store.db")
}

/// Makes the folder and takes its lock, which ends with the process.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    fs::create_dir_all(folder)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("store.lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
        Err(TryLockError::Error(why)) => Err(why.into()),
    }
}

/// The writer's connection, every commit synced for now.
pub(super) fn connect(folder: &Path, config: &StoreConfig) -> Result<Connection, StoreError> {
    let mut conn = Connection::open(file(folder))?;
    keep_statements(&conn)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    let cache = u64::from(config.cache_mib) * 1024;
    conn.pragma_update(None, "cache_size", format!("-{cache}"))?;
    // 16 MiB of log before it is written back; a log that grew under a long read shrinks again.
    conn.pragma_update(None, "wal_autocheckpoint", 4096)?;
    conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    migrate(&mut conn)?;
    Ok(conn)
}

/// Reads which store it is; a new one gets its facts now.
fn identify(
    conn: &Connection,
    case: Case,
    clock: &Clock,
    dice: &Dice,
) -> Result<Identity, StoreError> {
    if fact(conn, "store")?.is_none() {
        let epoch = u64::try_from(clock.unix()).unwrap_or(0);
        write_facts(conn, case, epoch, dice)?;
    }
    let unusable = |what: &str| StoreError::Unusable(format!("its {what} cannot be read"));
    let noted = fact(conn, "case")?.and_then(|text| Case::from_text(&text));
    let noted = noted.ok_or_else(|| unusable("names.case"))?;
    if noted != case {
        let why = format!("it was made with names.case = \"{}\"", noted.as_str());
        return Err(StoreError::Unusable(why));
    }
    let format = fact(conn, "format")?.and_then(|text| text.parse::<u64>().ok());
    if format != Some(FORMAT) {
        return Err(unusable("format"));
    }
    let store = fact(conn, "store")?.and_then(|text| text.parse().ok());
    let epoch = fact(conn, "epoch")?.and_then(|text| text.parse().ok());
    Ok(Identity {
        store: store.ok_or_else(|| unusable("identity"))?,
        epoch: Epoch(epoch.ok_or_else(|| unusable("epoch"))?),
    })
}

pub(super) fn write_facts(
    conn: &Connection,
    case: Case,
    epoch: u64,
    dice: &Dice,
) -> Result<StoreId, StoreError> {
    let mut store = StoreId([0; 16]);
    dice.fill(&mut store.0);
    let facts = [
        ("format", FORMAT.to_string()),
        ("case", case.as_str().to_owned()),
        ("epoch", epoch.to_string()),
        ("store", store.to_string()),
    ];
    let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
    for (key, value) in facts {
        conn.execute(sql, params![key, value])?;
    }
    Ok(store)
}

pub(super) fn fact(conn: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    Ok(conn.query_row(sql, [key], |row| row.get(0)).optional()?)
}

/// Notes a new incarnation, greater than every one before, and syncs it.
fn begin_incarnation(conn: &mut Connection, clock: &Clock) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(max(n), 0) FROM incarnation";
    let last: i64 = conn.query_row(sql, [], |row| row.get(0))?;
    // No more starts than seconds: what an older copy of this store begins later never has a number of one of ours.
    clock.wait_past(BEGIN.saturating_add(last), OWN_SECOND);
    let now = u64::try_from(clock.unix() - BEGIN).unwrap_or(0);
    let incarnation = now.max(last.cast_unsigned() + 1);
    if incarnation > u64::from(u32::MAX) {
        return Err(StoreError::Unusable(
            "the clock is beyond the year 2162".into(),
        ));
    }
    conn.execute(
        "DELETE FROM incarnation WHERE issued = 0 AND n < ?1 AND (n < ?2 OR n NOT IN
         (SELECT n FROM incarnation WHERE issued = 0 ORDER BY n DESC LIMIT ?3))",
        [last, last.saturating_sub(REMEMBERED), MOST_REMEMBERED],
    )?;
    let sql = "INSERT INTO incarnation (n, issued) VALUES (?1, 0)";
    conn.execute(sql, [number(incarnation)])?;
    Ok(incarnation)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::store::Store;

    const NOW: i64 = 1_800_000_000;

    fn open_at(dir: &TempDir, unix: i64) -> Store {
        let (clock, dice) = (Clock::manual(unix), Dice::seeded(1));
        let config = StoreConfig::DEFAULT;
        Store::inline(dir.path(), &config, Case::Sensitive, &clock, &dice).unwrap()
    }

    #[test]
    fn starts_that_stored_nothing_are_remembered_for_a_month_and_not_more_than_a_thousand() {
        let dir = TempDir::new().unwrap();
        let old = open_at(&dir, NOW).ids().node().unwrap();
        let begun = |store: &Store, n: u64| store.read(|sql| sql.begun(n)).unwrap();
        let day = 24 * 3600;
        let store = open_at(&dir, NOW + 30 * day);
        assert!(begun(&store, old.0) && !begun(&store, old.0 + (7 << 31)));
        drop(store);
        drop(open_at(&dir, NOW + 31 * day));
        // Only the last start is looked back from.
        let store = open_at(&dir, NOW + 31 * day + 1);
        assert!(!begun(&store, old.0));
        drop(store);
        // A master that cannot live, once in every second.
        let conn = Connection::open(dir.path().join("store.db")).unwrap();
        let loop_ = "INSERT INTO incarnation SELECT max(n) + 1, 0 FROM incarnation";
        conn.execute_batch("BEGIN").unwrap();
        for _ in 0..5000 {
            conn.execute(loop_, []).unwrap();
        }
        conn.execute_batch("COMMIT").unwrap();
        let last = open_at(&dir, NOW).ids().node().unwrap();
        let store = open_at(&dir, NOW);
        assert!(begun(&store, last.0), "the last start is always remembered");
        let sql = "SELECT count(*) FROM incarnation";
        let count: i64 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
        assert!((1000..=1002).contains(&count), "{count}");
    }
}
