//! Credits: bytes that somebody may still take. Integers only; what would not fit stays at the end of the range.
//!
//! An account with a weekly allotment has that much from each Monday on, whatever was there before. It is not set by a
//! timer: the row says of which week its credits are, and whoever reads them in a later one finds the allotment.

use super::period::Period;
use crate::store::{Batch, Sql, StoreError, params};

/// What somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// Bytes; may be owed.
    pub credits: i64,
    /// Bytes that running downloads may take of them.
    pub held: i64,
}

impl Balance {
    /// What is left for others.
    pub fn free(self) -> i64 {
        self.credits.saturating_sub(self.held)
    }
}

/// The credits of an account whose row says this.
pub fn of_row(credits: i64, allotment: i64, allotted: i64, now: i64) -> i64 {
    match allotment != 0 && allotted < Period::Week.begin(now) {
        true => allotment,
        false => credits,
    }
}

/// What somebody has; nothing where there is no such account.
///
/// # Errors
/// When the database fails.
pub fn balance(sql: &Sql<'_>, name: &str, now: i64) -> Result<Option<Balance>, StoreError> {
    let text = "SELECT credits, allotment, allotted,
        (SELECT coalesce(sum(held), 0) FROM credit_hold WHERE account = name) FROM account WHERE name = ?1";
    sql.get(text, [name], |row| {
        Ok(Balance {
            credits: of_row(row.get(0)?, row.get(1)?, row.get(2)?, now),
            held: row.get(3)?,
        })
    })
}

/// Gives credits, or takes them (below 0 too); answers what is there then, nothing where there is no such account.
///
/// # Errors
/// When the database fails.
pub fn add(batch: &Batch<'_>, name: &str, bytes: i64, now: i64) -> Result<Option<i64>, StoreError> {
    let text = "SELECT credits, allotment, allotted FROM account WHERE name = ?1";
    let found = batch.get(text, [name], |row| {
        Ok(of_row(row.get(0)?, row.get(1)?, row.get(2)?, now))
    })?;
    let Some(credits) = found else {
        return Ok(None);
    };
    let credits = credits.saturating_add(bytes);
    set(batch, name, credits, now)?;
    Ok(Some(credits))
}

/// Sets credits.
///
/// # Errors
/// When the database fails.
pub fn set(batch: &Batch<'_>, name: &str, credits: i64, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE account SET credits = ?2, allotted = ?3 WHERE name = ?1";
    batch.run(sql, params![name, credits, Period::Week.begin(now)])?;
    Ok(())
}

/// Gives credits, or takes them, for another reason than a transfer, and keeps who did it and why: for whatever changes
/// something else in the same batch, too. Answers what is there then, nothing where there is no such account.
///
/// # Errors
/// When the database fails.
pub fn charge(
    batch: &Batch<'_>,
    name: &str,
    bytes: i64,
    (author, why): (&str, &str),
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let then = add(batch, name, bytes, now)?;
    if then.is_some() {
        let sql = "INSERT INTO credit_change (account, at, bytes, author, why) VALUES (?1, ?2, ?3, ?4, ?5)";
        batch.run(sql, params![name, now, bytes, author, why])?;
    }
    Ok(then)
}

/// A change of credits that was no transfer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// When, Unix seconds.
    pub at: i64,
    /// Bytes that were given, or taken.
    pub bytes: i64,
    /// By whom.
    pub author: String,
    /// Why, as far as that was said.
    pub why: String,
}

/// The newest changes of somebody's credits that were no transfers', newest first.
///
/// # Errors
/// When the database fails.
pub fn changes(sql: &Sql<'_>, name: &str, most: u32) -> Result<Vec<Changed>, StoreError> {
    let text = "SELECT at, bytes, author, why FROM credit_change WHERE account = ?1 ORDER BY n DESC LIMIT ?2";
    sql.all(text, params![name, most], |row| {
        Ok(Changed {
            at: row.get(0)?,
            bytes: row.get(1)?,
            author: row.get(2)?,
            why: row.get(3)?,
        })
    })
}
