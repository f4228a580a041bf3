//! How much somebody may still move: bytes by day, week and month (UTC; weeks begin on Monday).

use super::limits::Limit;
use super::period::Period;
use super::types::Account;
use crate::store::{Batch, Command, Sql, StoreError, params};
use crate::transfer::Direction;

/// Periods that quotas are for.
const PERIODS: [Period; 3] = [Period::Day, Period::Week, Period::Month];

fn limit(period: Period, way: Direction) -> Option<Limit> {
    Some(match (period, way) {
        (Period::Day, Direction::Upload) => Limit::DayUp,
        (Period::Day, Direction::Download) => Limit::DayDown,
        (Period::Week, Direction::Upload) => Limit::WeekUp,
        (Period::Week, Direction::Download) => Limit::WeekDown,
        (Period::Month, Direction::Upload) => Limit::MonthUp,
        (Period::Month, Direction::Download) => Limit::MonthDown,
        (Period::Year | Period::Ever, _) => return None,
    })
}

/// What is left of somebody's quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Bytes that may still be moved; `None`: any number.
    pub left: Option<u64>,
}

/// What is left for one direction; of a group's quota each member has the whole.
///
/// # Errors
/// When the database fails.
pub fn left(sql: &Sql<'_>, who: &Account, way: Direction, now: i64) -> Result<Quota, StoreError> {
    let mut quota = Quota::default();
    for period in PERIODS {
        if let Some(most) = limit(period, way).and_then(|limit| who.tightest(limit)) {
            let left = most.saturating_sub(used(sql, &who.name, period, way, now)?);
            quota.left = Some(quota.left.map_or(left, |other| other.min(left)));
        }
    }
    Ok(quota)
}

fn used(
    sql: &Sql<'_>,
    user: &str,
    period: Period,
    way: Direction,
    now: i64,
) -> Result<u64, StoreError> {
    let text =
        "SELECT up, down FROM account_moved WHERE account = ?1 AND period = ?2 AND since = ?3";
    let key = params![user, period.number(), period.begin(now)];
    let found = sql.get(text, key, |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let (up, down) = found.unwrap_or((0, 0));
    let bytes = if way == Direction::Upload { up } else { down };
    Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// Counts bytes that somebody has moved.
#[derive(Debug)]
pub struct Moved {
    /// Who.
    pub user: String,
    /// Which way.
    pub way: Direction,
    /// How many.
    pub bytes: u64,
    /// When, Unix seconds.
    pub now: i64,
}

impl Command for Moved {
    type Answer = ();
    type Error = StoreError;

    fn is_unheard(&self) -> bool {
        true
    }

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let there = "SELECT 1 FROM account WHERE name = ?1";
        if batch.get(there, [&self.user], |_| Ok(()))?.is_none() {
            return Ok(());
        }
        for period in PERIODS {
            let since = period.begin(self.now);
            let old = "SELECT up, down FROM account_moved WHERE account = ?1 AND period = ?2 AND since = ?3";
            let key = params![self.user, period.number(), since];
            let old = batch.get(old, key, |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?;
            let (mut up, mut down) = old.unwrap_or((0, 0));
            let sum = if self.way == Direction::Upload {
                &mut up
            } else {
                &mut down
            };
            *sum = sum.saturating_add(i64::try_from(self.bytes).unwrap_or(i64::MAX));
            let sql = "INSERT OR REPLACE INTO account_moved (account, period, since, up, down) VALUES (?1, ?2, ?3, ?4, ?5)";
            batch.run(sql, params![self.user, period.number(), since, up, down])?;
        }
        Ok(())
    }
}
