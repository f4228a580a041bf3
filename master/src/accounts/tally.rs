//! Statistics: files, bytes and time that somebody has moved, by day, week, month, year and ever.
//!
//! One row for each account and period. It says of which day (week, …) it is: what is counted in a later one begins it
//! anew, and what is read in a later one is nothing. A group has what the accounts have whose primary one it is.

use super::period::Period;
use crate::store::{Batch, Row, Sql, StoreError, params};
use crate::transfer::Direction;

/// More is not counted: two of them still fit into a column.
const MOST: i64 = (1 << 62) - 1;

/// Of a clock that went back what is counted goes to what had begun.
const ADD: &str = "INSERT INTO tally
    SELECT ?1, of.column1, of.column2, ?7, ?8, ?9, ?10, ?11, ?12
    FROM (VALUES (0, ?2), (1, ?3), (2, ?4), (3, ?5), (4, ?6)) AS of WHERE EXISTS (SELECT 1 FROM account WHERE name = ?1)
    ON CONFLICT DO UPDATE SET
        up_files = CASE WHEN since >= excluded.since THEN min(up_files + excluded.up_files, 4611686018427387903) ELSE excluded.up_files END,
        up_bytes = CASE WHEN since >= excluded.since THEN min(up_bytes + excluded.up_bytes, 4611686018427387903) ELSE excluded.up_bytes END,
        up_ms = CASE WHEN since >= excluded.since THEN min(up_ms + excluded.up_ms, 4611686018427387903) ELSE excluded.up_ms END,
        down_files = CASE WHEN since >= excluded.since THEN min(down_files + excluded.down_files, 4611686018427387903) ELSE excluded.down_files END,
        down_bytes = CASE WHEN since >= excluded.since THEN min(down_bytes + excluded.down_bytes, 4611686018427387903) ELSE excluded.down_bytes END,
        down_ms = CASE WHEN since >= excluded.since THEN min(down_ms + excluded.down_ms, 4611686018427387903) ELSE excluded.down_ms END,
        since = max(since, excluded.since)";

/// What was moved one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Files that came to their end.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
    /// Milliseconds.
    pub ms: u64,
}

/// What was moved both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// To here.
    pub up: Figures,
    /// From here.
    pub down: Figures,
}

impl Tally {
    /// One way of it.
    pub fn way(&self, way: Direction) -> Figures {
        match way {
            Direction::Upload => self.up,
            Direction::Download => self.down,
        }
    }
}

impl Tally {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            up: self.up.and(other.up),
            down: self.down.and(other.down),
        }
    }
}

impl Figures {
    fn and(self, other: Self) -> Self {
        Self {
            files: self.files.saturating_add(other.files),
            bytes: self.bytes.saturating_add(other.bytes),
            ms: self.ms.saturating_add(other.ms),
        }
    }
}

/// Whose statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Each user's.
    Users,
    /// Each group's.
    Groups,
}

/// Somebody's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// User, or group.
    pub name: String,
    /// Users: one, or as many as the group has.
    pub users: u64,
    /// What they moved.
    pub tally: Tally,
}

/// Counts what somebody has moved, if there is such an account.
///
/// # Errors
/// When the database fails.
pub fn add(
    batch: &Batch<'_>,
    name: &str,
    way: Direction,
    moved: Figures,
    now: i64,
) -> Result<(), StoreError> {
    let clamped = |value: u64| i64::try_from(value).map_or(MOST, |value| value.min(MOST));
    let moved = [moved.files, moved.bytes, moved.ms].map(clamped);
    let (up, down) = match way {
        Direction::Upload => (moved, [0; 3]),
        Direction::Download => ([0; 3], moved),
    };
    let [day, week, month, year, ever] = Period::ALL.map(|period| period.begin(now));
    let [up_files, up_bytes, up_ms] = up;
    let [down_files, down_bytes, down_ms] = down;
    batch.run(
        ADD,
        params![
            name, day, week, month, year, ever, up_files, up_bytes, up_ms, down_files, down_bytes,
            down_ms
        ],
    )?;
    Ok(())
}

/// Takes back an upload that was counted then, from what still is of that time.
///
/// # Errors
/// When the database fails.
pub fn take_back(
    batch: &Batch<'_>,
    name: &str,
    (files, bytes): (i64, i64),
    then: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE tally SET up_files = max(up_files - ?7, 0), up_bytes = max(up_bytes - ?8, 0) WHERE account = ?1
        AND since = CASE period WHEN 0 THEN ?2 WHEN 1 THEN ?3 WHEN 2 THEN ?4 WHEN 3 THEN ?5 ELSE ?6 END";
    let [day, week, month, year, ever] = Period::ALL.map(|period| period.begin(then));
    batch.run(
        sql,
        params![name, day, week, month, year, ever, files, bytes],
    )?;
    Ok(())
}

/// What a row says, from this column on.
fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Tally> {
    let figures = |at: usize| {
        let value = |at| {
            row.get::<_, i64>(at)
                .map(|it| u64::try_from(it).unwrap_or(0))
        };
        Ok::<_, rusqlite::Error>(Figures {
            files: value(at)?,
            bytes: value(at + 1)?,
            ms: value(at + 2)?,
        })
    };
    Ok(Tally {
        up: figures(at)?,
        down: figures(at + 3)?,
    })
}

/// What somebody has moved in a period.
///
/// # Errors
/// When the database fails.
pub fn of(sql: &Sql<'_>, name: &str, period: Period, now: i64) -> Result<Tally, StoreError> {
    let text = "SELECT up_files, up_bytes, up_ms, down_files, down_bytes, down_ms FROM tally
        WHERE account = ?1 AND period = ?2 AND since = ?3";
    let key = params![name, period.number(), period.begin(now)];
    Ok(sql.get(text, key, |row| read(row, 0))?.unwrap_or_default())
}

/// What everybody has moved in a period, by name; accounts that are deleted aside.
///
/// # Errors
/// When the database fails.
pub fn all(sql: &Sql<'_>, whose: Of, period: Period, now: i64) -> Result<Vec<Placed>, StoreError> {
    let name = match whose {
        Of::Users => "account.name",
        Of::Groups => "account.grp",
    };
    let text = format!(
        "SELECT {name}, count(*), sum(up_files), sum(up_bytes), sum(up_ms), sum(down_files), sum(down_bytes), sum(down_ms)
         FROM account JOIN tally ON tally.account = account.name
         WHERE period = ?1 AND since = ?2 AND deleted IS NULL GROUP BY 1 ORDER BY 1"
    );
    sql.all(&text, params![period.number(), period.begin(now)], |row| {
        let users: i64 = row.get(1)?;
        Ok(Placed {
            name: row.get(0)?,
            users: u64::try_from(users).unwrap_or(0),
            tally: read(row, 2)?,
        })
    })
}
