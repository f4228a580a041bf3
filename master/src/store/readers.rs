//! Reader connections, each read on one committed snapshot.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::config::{Case, StoreConfig};
use super::error::StoreError;
use super::sql::Sql;

/// Statements that a connection keeps prepared.
pub(super) const STATEMENTS: usize = 256;

/// Idle connections. There are never more in use than threads that read; of those that come back,
/// as many are kept as the configuration says.
pub(super) struct Readers {
    path: PathBuf,
    case: Case,
    keep: usize,
    cache_kib: u64,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path, case: Case, config: &StoreConfig) -> Self {
        Self {
            path: path.to_owned(),
            case,
            keep: config.readers.max(1),
            cache_kib: u64::from(config.cache_mib) * 1024 / 8,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Reads in one snapshot. A connection over which the reading panicked is thrown away.
    pub(super) fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Sql<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let conn = self.take()?;
        execute(&conn, "BEGIN")?;
        let found = read(&Sql::new(&conn, self.case));
        execute(&conn, "COMMIT")?;
        self.give_back(conn);
        found
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.lock().pop();
        match idle {
            Some(conn) => Ok(conn),
            None => self.open(),
        }
    }

    fn give_back(&self, conn: Connection) {
        let mut idle = self.lock();
        if idle.len() < self.keep {
            idle.push(conn);
        }
    }

    pub(super) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.path, flags)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        conn.busy_timeout(std::time::Duration::from_secs(5))?;
        conn.pragma_update(None, "cache_size", format!("-{}", self.cache_kib))?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(conn)
    }
}

fn execute(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
