//! Reader connections, each read on one committed snapshot.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::config::{Case, StoreConfig};
use super::error::StoreError;
use super::sql::Sql;

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 256;

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
        keep_statements(&conn)?;
        conn.busy_timeout(std::time::Duration::from_secs(5))?;
        conn.pragma_update(None, "cache_size", format!("-{}", self.cache_kib))?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(conn)
    }
}

/// Statements stay prepared, and with the plan they have: SQLite would else make another plan for other values, at
/// each step of a statement that compares ranges.
pub(super) fn keep_statements(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn execute(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::super::schema::migrate;
    use super::*;

    #[test]
    fn a_statement_is_planned_once_whatever_it_is_asked_for() {
        let mut conn = Connection::open_in_memory().unwrap();
        keep_statements(&conn).unwrap();
        migrate(&mut conn).unwrap();
        // With partial indexes about, SQLite looks whether this very value makes one of use.
        let sql = "SELECT count(*) FROM copy JOIN root ON root.key = copy.root
                   WHERE copy.node = ?1 AND copy.state = 0 AND root.state < 2";
        let mut statement = conn.prepare(sql).unwrap();
        for node in 0..20_i64 {
            let count: i64 = statement.query_row([node], |row| row.get(0)).unwrap();
            assert_eq!(count, 0);
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
