//! What commands and reads may do with the tables. A second engine implements these few methods.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::config::Case;
use super::error::StoreError;
use super::ids::{Ids, Issued};

/// A number as a column has it.
pub fn number(value: u64) -> i64 {
    value.cast_signed()
}

/// A column that holds an identity, a size or a count.
///
/// # Errors
/// When it holds something else.
pub fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// Reads of one snapshot, or of the open batch.
pub struct Sql<'c> {
    conn: &'c Connection,
    case: Case,
}

impl<'c> Sql<'c> {
    pub(super) fn new(conn: &'c Connection, case: Case) -> Self {
        Self { conn, case }
    }

    /// For what copies the whole of it.
    pub(super) fn conn(&self) -> &'c Connection {
        self.conn
    }

    /// The first row there is.
    ///
    /// # Errors
    /// When the database fails.
    pub fn get<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        Ok(statement.query_row(params, read).optional()?)
    }

    /// All rows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Hands every row to `take`, which may end it by an error.
    ///
    /// # Errors
    /// When the database fails, or `take` does.
    pub fn each<E: From<StoreError>>(
        &self,
        sql: &str,
        params: impl Params,
        mut take: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.conn.prepare_cached(sql).map_err(StoreError::from)?;
        let mut rows = statement.query(params).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            take(row)?;
        }
        Ok(())
    }

    /// What names must have in common to be the same.
    pub fn case(&self) -> Case {
        self.case
    }

    /// Whether this store gave out a number (of a node, or of a generation).
    ///
    /// # Errors
    /// When the database fails.
    pub fn issued(&self, number_: u64) -> Result<bool, StoreError> {
        let of = Issued::of(number_);
        let sql = "SELECT issued FROM incarnation WHERE n = ?1";
        let most = self.get(sql, [number(of.incarnation)], |row| id(row, 0))?;
        Ok(most.is_some_and(|most| of.counter <= most))
    }

    /// Whether a start of this very store may have given out a number, stored or not. Starts that a
    /// dump brought along are none of its own: the store that was dumped may have gone on.
    ///
    /// # Errors
    /// When the database fails.
    pub fn begun(&self, number_: u64) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM incarnation WHERE n = ?1 AND n > coalesce(
                   (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'loaded'), -1)";
        let of = Issued::of(number_);
        let row = self.get(sql, [number(of.incarnation)], |_| Ok(()))?;
        Ok(row.is_some())
    }
}

/// The open batch: what a command reads and writes.
pub struct Batch<'c> {
    sql: Sql<'c>,
    ids: &'c Ids,
    /// The greatest counter that commands of this batch have used.
    used: Cell<u64>,
    hooks: RefCell<Vec<Box<dyn FnOnce() + Send>>>,
    /// A command met a full disk.
    full: Cell<bool>,
}

impl<'c> std::ops::Deref for Batch<'c> {
    type Target = Sql<'c>;

    fn deref(&self) -> &Sql<'c> {
        &self.sql
    }
}

impl<'c> Batch<'c> {
    pub(super) fn new(conn: &'c Connection, case: Case, ids: &'c Arc<Ids>) -> Self {
        Self {
            sql: Sql::new(conn, case),
            ids,
            used: Cell::new(0),
            hooks: RefCell::new(Vec::new()),
            full: Cell::new(false),
        }
    }

    /// Changes rows; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub fn run(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        let prepared = self.sql.conn.prepare_cached(sql);
        let ran = prepared.and_then(|mut statement| statement.execute(params));
        ran.map_err(|why| {
            let why = StoreError::from(why);
            self.full.set(self.full.get() || why.is_full());
            why
        })
    }

    /// Whether a command found no space.
    pub(super) fn met_full(&self) -> bool {
        self.full.get()
    }

    /// New identities.
    pub fn ids(&self) -> &Ids {
        self.ids
    }

    /// Notes that the command stores an identity: after the commit it counts as given out.
    pub fn used(&self, number: u64) {
        let of = Issued::of(number);
        if of.incarnation == self.ids.incarnation() {
            self.used.set(self.used.get().max(of.counter));
        }
    }

    /// Runs when the batch is committed, before its commands are answered; not at all when it is
    /// not. It must be short and must not use the store.
    pub fn on_commit(&self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.borrow_mut().push(Box::new(hook));
    }

    pub(super) fn greatest_used(&self) -> u64 {
        self.used.get()
    }

    pub(super) fn changes(&self) -> u64 {
        self.sql.conn.total_changes()
    }

    pub(super) fn into_hooks(self) -> Vec<Box<dyn FnOnce() + Send>> {
        self.hooks.into_inner()
    }
}
