//! How much somebody may still move: bytes by day, week and month (UTC; weeks begin on Monday).

use super::limits::Limit;
use super::types::Account;
use crate::store::{Batch, Command, Sql, StoreError, params};
use crate::transfer::Direction;

const DAY: i64 = 86_400;

/// A time that quotas are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Day,
    Week,
    Month,
}

const PERIODS: [Period; 3] = [Period::Day, Period::Week, Period::Month];

impl Period {
    fn limit(self, way: Direction) -> Limit {
        match (self, way) {
            (Self::Day, Direction::Upload) => Limit::DayUp,
            (Self::Day, Direction::Download) => Limit::DayDown,
            (Self::Week, Direction::Upload) => Limit::WeekUp,
            (Self::Week, Direction::Download) => Limit::WeekDown,
            (Self::Month, Direction::Upload) => Limit::MonthUp,
            (Self::Month, Direction::Download) => Limit::MonthDown,
        }
    }

    /// Its number in the store.
    fn number(self) -> i64 {
        match self {
            Self::Day => 0,
            Self::Week => 1,
            Self::Month => 2,
        }
    }

    /// When the one began in which a moment lies.
    fn begin(self, unix: i64) -> i64 {
        let day = unix.div_euclid(DAY);
        let first = match self {
            Self::Day => day,
            // The first day of 1970 was a Thursday.
            Self::Week => day - (day + 3).rem_euclid(7),
            Self::Month => day - day_of_month(day),
        };
        first.saturating_mul(DAY)
    }
}

/// Days since the first of the month, of a day since 1970 (in the Gregorian calendar, years counted from March).
fn day_of_month(day: i64) -> i64 {
    let day = day + 719_468;
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5
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
        if let Some(most) = who.tightest(period.limit(way)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &str) -> i64 {
        let at = humantime::parse_rfc3339(text).unwrap();
        let since = at.duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_secs()).unwrap()
    }

    #[test]
    fn periods_begin_at_midnight_on_mondays_and_on_the_first() {
        for (at, day, week, month) in [
            (
                "2027-01-31T23:59:59Z",
                "2027-01-31",
                "2027-01-25",
                "2027-01-01",
            ),
            (
                "2027-02-01T00:00:00Z",
                "2027-02-01",
                "2027-02-01",
                "2027-02-01",
            ),
            (
                "2028-02-29T12:00:00Z",
                "2028-02-29",
                "2028-02-28",
                "2028-02-01",
            ),
            (
                "2028-03-01T12:00:00Z",
                "2028-03-01",
                "2028-02-28",
                "2028-03-01",
            ),
            (
                "1970-01-01T00:00:01Z",
                "1970-01-01",
                "1969-12-29",
                "1970-01-01",
            ),
            (
                "2100-12-31T23:00:00Z",
                "2100-12-31",
                "2100-12-27",
                "2100-12-01",
            ),
        ] {
            let begins = |period: Period| period.begin(unix(at)) / DAY;
            let wanted = |text: &str| match text {
                "1969-12-29" => -3,
                text => unix(&format!("{text}T00:00:00Z")) / DAY,
            };
            assert_eq!(begins(Period::Day), wanted(day), "{at}");
            assert_eq!(begins(Period::Week), wanted(week), "{at}");
            assert_eq!(begins(Period::Month), wanted(month), "{at}");
        }
    }
}
