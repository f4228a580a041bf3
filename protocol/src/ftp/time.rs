//! Times as FTP writes them: `YYYYMMDDHHMMSS[.sss]`, UTC (RFC 3659, section 2.3), and the calendar behind them.
//!
//! The calendar is proleptic Gregorian. Times outside the years 0 to 9999, which have no such form, are shown as the
//! nearest that has one.

use std::fmt;

use super::args::ArgError;

const DAY: i64 = 86_400;
/// 0000-01-01T00:00:00, the first time that has the form.
const FIRST: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59, the last.
const LAST: i64 = 253_402_300_799;
/// Days in 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// A moment, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FtpTime {
    seconds: i64,
    millis: u16,
}

impl FtpTime {
    /// The moment so many seconds after 1970-01-01 UTC.
    pub fn from_unix(seconds: i64) -> Self {
        Self { seconds, millis: 0 }
    }

    /// Seconds since 1970-01-01 UTC, rounded down.
    pub fn unix(self) -> i64 {
        self.seconds
    }

    /// Milliseconds within the second, 0 to 999.
    pub fn millis(self) -> u16 {
        self.millis
    }

    /// Year, month and day, UTC.
    pub fn date(self) -> (i64, i64, i64) {
        let at = Civil::from_unix(self.seconds);
        (at.year, at.month, at.day)
    }

    /// Which day of its year that is, UTC, from 1 on.
    pub fn day_of_year(self) -> i64 {
        let (year, month, day) = self.date();
        day_number(year, month, day) - day_number(year, 1, 1) + 1
    }

    /// Reads `YYYYMMDDHHMMSS` and an optional fraction, of which milliseconds are kept.
    ///
    /// A leap second (60) is the second after 59.
    pub fn parse(text: &[u8]) -> Result<Self, ArgError> {
        const ERROR: ArgError = ArgError::Malformed {
            what: "the time",
            want: "YYYYMMDDHHMMSS in UTC",
        };
        let (whole, fraction) = match text.split_at_checked(14) {
            Some((whole, [])) => (whole, None),
            Some((whole, [b'.', fraction @ ..])) if !fraction.is_empty() => (whole, Some(fraction)),
            _ => return Err(ERROR),
        };
        let millis = fraction.map_or(Some(0), thousandths).ok_or(ERROR)?;
        let field = |from: usize, to: usize| whole.get(from..to).and_then(digits).ok_or(ERROR);
        let civil = Civil {
            year: field(0, 4)?,
            month: field(4, 6)?,
            day: field(6, 8)?,
            hour: field(8, 10)?,
            minute: field(10, 12)?,
            second: field(12, 14)?,
        };
        let seconds = civil.to_unix().ok_or(ERROR)?;
        Ok(Self { seconds, millis })
    }
}

impl fmt::Display for FtpTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = digits_of(self.seconds);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())?;
        match self.millis {
            0 => Ok(()),
            millis => write!(f, ".{millis:03}"),
        }
    }
}

/// A date and a time of day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl Civil {
    /// The date and time of a moment, moved into the years 0 to 9999.
    pub fn from_unix(seconds: i64) -> Self {
        let seconds = seconds.clamp(FIRST, LAST);
        let (year, month, day) = date_of(seconds.div_euclid(DAY));
        let rest = seconds.rem_euclid(DAY);
        Self {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    /// The moment, or `None` if there is no such date or time.
    fn to_unix(self) -> Option<i64> {
        let valid = (0..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..=60).contains(&self.second);
        let days = day_number(self.year, self.month, self.day);
        valid.then_some(days * DAY + self.hour * 3600 + self.minute * 60 + self.second)
    }
}

/// The fourteen digits of a moment.
pub(crate) fn digits_of(seconds: i64) -> [u8; 14] {
    let at = Civil::from_unix(seconds);
    let (mut text, mut to) = ([b'0'; 14], 0);
    for value in [
        at.year / 100,
        at.year % 100,
        at.month,
        at.day,
        at.hour,
        at.minute,
        at.second,
    ] {
        text[to..to + 2].copy_from_slice(&two_digits(value));
        to += 2;
    }
    text
}

/// A number from 0 to 99 as two digits.
pub(crate) fn two_digits(value: i64) -> [u8; 2] {
    let value = u8::try_from(value.clamp(0, 99)).unwrap_or_default();
    [b'0' + value / 10, b'0' + value % 10]
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn thousandths(fraction: &[u8]) -> Option<u16> {
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| fraction.get(at).map_or(0, |byte| u16::from(byte - b'0'));
    Some(digit(0) * 100 + digit(1) * 10 + digit(2))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date. Years are counted from March, so that the leap day is the last day of a year and
/// month lengths follow one line of 153 days in five months.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * DAYS_PER_ERA + year * 365 + year / 4 - year / 100 + day_of_year - EPOCH
}

/// The date so many days after 1970-01-01: the reverse of [`day_number`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    // Leap days before `day` of the era taken out, every year has 365.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + i64::from(month >= 10);
    (year, (month + 2) % 12 + 1, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_read_and_written() {
        for (text, seconds) in [
            ("19700101000000", 0),
            ("20000229235959", 951_868_799),
            ("19691231235959", -1),
            ("00000101000000", FIRST),
            ("99991231235959", LAST),
            ("20260131120000", 1_769_860_800),
        ] {
            assert_eq!(
                FtpTime::parse(text.as_bytes()).unwrap().unix(),
                seconds,
                "{text}"
            );
            assert_eq!(FtpTime::from_unix(seconds).to_string(), text);
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut expected = (1600, 3, 1);
        let first = day_number(1600, 3, 1);
        for days in first..first + DAYS_PER_ERA {
            assert_eq!(date_of(days), expected);
            assert_eq!(day_number(expected.0, expected.1, expected.2), days);
            let (year, month, day) = expected;
            expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == days_in(year, month) => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn fractions_are_kept_to_the_millisecond() {
        let time = FtpTime::parse(b"20261122104533.4839").unwrap();
        assert_eq!(
            (time.millis(), time.to_string()),
            (483, "20261122104533.483".to_owned())
        );
        assert_eq!(FtpTime::parse(b"20261122104533.5").unwrap().millis(), 500);
    }

    #[test]
    fn impossible_times_are_refused() {
        for text in [
            "",
            "2026",
            "20260229000000",
            "20261301000000",
            "20260100000000",
            "20260101240000",
            "20260101006000",
            "20260101000061",
            "2026010100000x",
            "20260101000000.",
            "20260101000000.x",
            "202601010000000",
            "-0260101000000",
        ] {
            assert!(FtpTime::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn times_far_outside_are_shown_as_the_nearest_that_has_a_form() {
        assert_eq!(FtpTime::from_unix(i64::MAX).to_string(), "99991231235959");
        assert_eq!(FtpTime::from_unix(i64::MIN).to_string(), "00000101000000");
    }
}
