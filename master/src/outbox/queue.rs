//! The queue in the store: rows that are written in the batch of the change they tell of, and how far each reader is.

use super::event::Event;
use crate::store::{Batch, Command, Sql, StoreError, id, number, params};

/// Rows that one command takes out at most.
const AT_ONCE: u64 = 5000;
/// How often it is looked whether more wait than are kept.
const LOOK_EVERY: u64 = 256;

/// An event with its place in the order of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number; later ones are greater.
    pub seq: u64,
    /// When it happened, Unix seconds.
    pub at: i64,
    /// What.
    pub event: Event,
}

/// Some events behind a reader's place.
#[derive(Debug, Default)]
pub struct Waiting {
    /// In their order.
    pub events: Vec<Numbered>,
    /// So many before them were dropped, because too many waited.
    pub dropped: u64,
    /// The place behind what was looked at.
    pub last: u64,
}

/// Where a reader is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub reader: String,
    /// The last event that it has.
    pub after: u64,
    /// How many wait for it.
    pub waiting: u64,
    /// When the oldest of those happened, Unix seconds.
    pub oldest: Option<i64>,
}

/// Whether anybody is to be told of anything.
///
/// # Errors
/// When the database fails.
pub(super) fn has_readers(sql: &Sql<'_>) -> Result<bool, StoreError> {
    let row = sql.get("SELECT 1 FROM outbox_reader LIMIT 1", [], |_| Ok(()))?;
    Ok(row.is_some())
}

/// Adds an event to the open batch. Of more than `keep` that wait the oldest are dropped.
///
/// # Errors
/// When the database fails.
pub(super) fn add(batch: &Batch<'_>, now: i64, keep: u64, event: &Event) -> Result<(), StoreError> {
    let body = serde_json::to_string(event);
    let body = body.map_err(|why| StoreError::Damaged(format!("an event: {why}")))?;
    let seq = newest(batch)? + 1;
    let sql = "INSERT INTO outbox (seq, at, body) VALUES (?1, ?2, ?3)";
    batch.run(sql, params![number(seq), now, body])?;
    if seq.is_multiple_of(LOOK_EVERY) {
        take_out(batch, seq.saturating_sub(keep))?;
    }
    Ok(())
}

/// The number that was given last: also when nobody has events to wait for any more.
fn newest(sql: &Sql<'_>) -> Result<u64, StoreError> {
    let query = "SELECT max(coalesce((SELECT max(seq) FROM outbox), 0),
                            coalesce((SELECT max(after) FROM outbox_reader), 0))";
    Ok(sql.get(query, [], |row| id(row, 0))?.unwrap_or(0))
}

/// Takes out events up to this one, some at a time.
fn take_out(batch: &Batch<'_>, upto: u64) -> Result<(), StoreError> {
    let sql = "DELETE FROM outbox WHERE seq IN
               (SELECT seq FROM outbox WHERE seq <= ?1 ORDER BY seq LIMIT ?2)";
    batch.run(sql, [number(upto), number(AT_ONCE)])?;
    Ok(())
}

/// What waits for a reader, at most so many; `None` when there is no such reader.
///
/// # Errors
/// When the database fails, or holds what cannot be.
pub(super) fn waiting(
    sql: &Sql<'_>,
    reader: &str,
    limit: usize,
) -> Result<Option<Waiting>, StoreError> {
    let query = "SELECT after FROM outbox_reader WHERE name = ?1";
    let Some(after) = sql.get(query, [reader], |row| id(row, 0))? else {
        return Ok(None);
    };
    let query = "SELECT seq, at, body FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = sql.all(query, params![number(after), limit], |row| {
        Ok((id(row, 0)?, row.get(1)?, row.get::<_, String>(2)?))
    })?;
    let mut waiting = Waiting {
        last: after,
        ..Waiting::default()
    };
    for (seq, at, body) in rows {
        // Numbers have no gaps but where events were dropped.
        waiting.dropped += seq - waiting.last - 1;
        waiting.last = seq;
        let event = serde_json::from_str(&body);
        let event = event.map_err(|why| StoreError::Damaged(format!("event {seq}: {why}")))?;
        waiting.events.push(Numbered { seq, at, event });
    }
    Ok(Some(waiting))
}

/// Where every reader is.
///
/// # Errors
/// When the database fails.
pub(super) fn places(sql: &Sql<'_>) -> Result<Vec<Place>, StoreError> {
    let query = "SELECT name, after, (SELECT count(*) FROM outbox WHERE seq > after),
                 (SELECT at FROM outbox WHERE seq > after ORDER BY seq LIMIT 1)
                 FROM outbox_reader ORDER BY name";
    sql.all(query, [], |row| {
        Ok(Place {
            reader: row.get(0)?,
            after: id(row, 1)?,
            waiting: id(row, 2)?,
            oldest: row.get(3)?,
        })
    })
}

/// Makes these the readers: new ones are told what happens from now on, and nothing is kept for others any more.
/// Answers who is not told any more.
#[derive(Debug)]
pub(super) struct SetReaders(pub Vec<String>);

impl Command for SetReaders {
    type Answer = Vec<String>;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<Vec<String>, StoreError> {
        let now = newest(batch)?;
        let there: Vec<String> =
            batch.all("SELECT name FROM outbox_reader", [], |row| row.get(0))?;
        for new in self.0.iter().filter(|name| !there.contains(name)) {
            let sql = "INSERT INTO outbox_reader (name, after) VALUES (?1, ?2)";
            batch.run(sql, params![new, number(now)])?;
        }
        let gone = there.into_iter().filter(|name| !self.0.contains(name));
        let gone: Vec<String> = gone.collect();
        for name in &gone {
            batch.run("DELETE FROM outbox_reader WHERE name = ?1", [name])?;
        }
        if self.0.is_empty() {
            take_out(batch, now)?;
        }
        Ok(gone)
    }
}

/// A reader has everything up to this event. Lost by a power loss it is told some of them again.
#[derive(Debug)]
pub(super) struct Has {
    pub reader: String,
    pub upto: u64,
}

impl Command for Has {
    type Answer = ();
    type Error = StoreError;

    fn is_unheard(&self) -> bool {
        true
    }

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE outbox_reader SET after = ?2 WHERE name = ?1 AND after < ?2";
        batch.run(sql, params![self.reader, number(self.upto)])?;
        let query = "SELECT min(after) FROM outbox_reader";
        let all = batch.get(query, [], |row| row.get::<_, Option<i64>>(0))?;
        match all.flatten() {
            Some(all) => take_out(batch, all.cast_unsigned()),
            None => Ok(()),
        }
    }
}
