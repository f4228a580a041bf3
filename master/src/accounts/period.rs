//! Days, weeks, months and years, UTC; weeks begin on Monday. Pure.
//!
//! Nothing is ever reset: what is counted in a period is kept with its begin, and whoever reads it at another time sees that
//! it is of an earlier one. So nothing is missed while no master runs.

use drftpd_protocol::ftp::FtpTime;

const DAY: i64 = 86_400;

/// A time in which something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
    /// From the first of January.
    Year,
    /// All time.
    Ever,
}

impl Period {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Year, Self::Ever];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
            Self::Ever => "ever",
        }
    }

    /// Its number in the store.
    pub fn number(self) -> i64 {
        self as i64
    }

    /// When the one began in which a moment lies, Unix seconds.
    pub fn begin(self, unix: i64) -> i64 {
        let (at, day) = (FtpTime::from_unix(unix), unix.div_euclid(DAY));
        let first = match self {
            Self::Day => day,
            // The first day of 1970 was a Thursday.
            Self::Week => day - (day + 3).rem_euclid(7),
            Self::Month => day - (at.date().2 - 1),
            Self::Year => day - (at.day_of_year() - 1),
            Self::Ever => 0,
        };
        first.saturating_mul(DAY)
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
        for (at, day, week, month, year) in [
            (
                "2027-01-31T23:59:59Z",
                "2027-01-31",
                "2027-01-25",
                "2027-01-01",
                "2027-01-01",
            ),
            (
                "2027-02-01T00:00:00Z",
                "2027-02-01",
                "2027-02-01",
                "2027-02-01",
                "2027-01-01",
            ),
            (
                "2028-02-29T12:00:00Z",
                "2028-02-29",
                "2028-02-28",
                "2028-02-01",
                "2028-01-01",
            ),
            (
                "2028-03-01T12:00:00Z",
                "2028-03-01",
                "2028-02-28",
                "2028-03-01",
                "2028-01-01",
            ),
            (
                "1970-01-01T00:00:01Z",
                "1970-01-01",
                "1969-12-29",
                "1970-01-01",
                "1970-01-01",
            ),
            (
                "2100-12-31T23:00:00Z",
                "2100-12-31",
                "2100-12-27",
                "2100-12-01",
                "2100-01-01",
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
            assert_eq!(begins(Period::Year), wanted(year), "{at}");
            assert_eq!(begins(Period::Ever), 0, "{at}");
        }
    }
}
