//! How directories of days are called, in the letters that DrFTPD has for it. Pure.

use drftpd_protocol::ftp::FtpTime;
use drftpd_protocol::{Name, NameError};
use serde::Deserialize;

const DAY: i64 = 86_400;

/// A pattern like `yyyy-MM-dd`: letters stand for parts of the date, everything else and what is in `'` for itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DatePattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Four digits, or the last two.
    Year(usize),
    Month(usize),
    Day(usize),
    /// Of the year.
    DayOfYear(usize),
    /// Of the year, as ISO 8601 counts them; weeks begin on Monday.
    Week(usize),
}

impl TryFrom<String> for DatePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let (part, length) = match first {
                '\'' => quoted(rest)?,
                'a'..='z' | 'A'..='Z' => letters(rest, first)?,
                _ => (Part::Text(first.to_string()), first.len_utf8()),
            };
            parts.push(part);
            rest = &rest[length..];
        }
        if !parts.iter().any(|part| !matches!(part, Part::Text(_))) {
            return Err("has no part of a date: y, M, d, D or w".to_owned());
        }
        let pattern = Self { text, parts };
        pattern.name(0).map_err(|why| why.to_string())?;
        Ok(pattern)
    }
}

/// What stands in quotes; two of them are one.
fn quoted(rest: &str) -> Result<(Part, usize), String> {
    let inner = &rest[1..];
    let end = inner.find('\'').ok_or("a ' has no end")?;
    let text = match end {
        0 => "'",
        _ => &inner[..end],
    };
    Ok((Part::Text(text.to_owned()), end + 2))
}

fn letters(rest: &str, first: char) -> Result<(Part, usize), String> {
    let count = rest.chars().take_while(|c| *c == first).count();
    let part = match (first, count) {
        ('y', 2 | 4) => Part::Year(count),
        ('M', 1 | 2) => Part::Month(count),
        ('d', 1 | 2) => Part::Day(count),
        ('D', 1..=3) => Part::DayOfYear(count),
        ('w', 1 | 2) => Part::Week(count),
        _ => {
            let letters = &rest[..count];
            return Err(format!(
                "{letters} is no part of a date: yyyy, yy, MM, dd, DDD, ww, or text in '"
            ));
        }
    };
    Ok((part, count))
}

impl DatePattern {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name of the day in which a moment lies (Unix seconds, UTC).
    ///
    /// # Errors
    /// When that is no name.
    pub fn name(&self, unix: i64) -> Result<Name, NameError> {
        let at = FtpTime::from_unix(unix);
        let (year, month, day) = at.date();
        let mut name = String::new();
        for part in &self.parts {
            let (value, wide) = match part {
                Part::Text(text) => {
                    name.push_str(text);
                    continue;
                }
                Part::Year(2) => (year % 100, 2),
                Part::Year(wide) => (year, *wide),
                Part::Month(wide) => (month, *wide),
                Part::Day(wide) => (day, *wide),
                Part::DayOfYear(wide) => (at.day_of_year(), *wide),
                Part::Week(wide) => (week(unix), *wide),
            };
            name.push_str(&format!("{value:0wide$}"));
        }
        Name::new(name.into_bytes())
    }
}

/// The week that has most of its days in a year is of that year: the one with the Thursday.
fn week(unix: i64) -> i64 {
    let day = unix.div_euclid(DAY);
    let monday = day - (day + 3).rem_euclid(7);
    let thursday = FtpTime::from_unix((monday + 3) * DAY);
    (thursday.day_of_year() + 6) / 7
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(pattern: &str, date: &str) -> String {
        let pattern = DatePattern::try_from(pattern.to_owned()).unwrap();
        let at = FtpTime::parse(format!("{date}235959").as_bytes()).unwrap();
        let name = pattern.name(at.unix()).unwrap();
        String::from_utf8(name.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn dates_are_written_as_the_pattern_says() {
        for (pattern, date, name) in [
            ("yyyy-MM-dd", "20240229", "2024-02-29"),
            ("MMdd", "20261130", "1130"),
            ("d.M.yy", "20090105", "5.1.09"),
            ("yyyyDDD", "20241231", "2024366"),
            ("DDD", "20260101", "001"),
            ("'week-'ww", "20270101", "week-53"),
            ("ww", "20241230", "01"),
            ("w", "20260105", "2"),
            ("yyyy''MM", "20260105", "2026'01"),
        ] {
            assert_eq!(named(pattern, date), name, "{pattern} {date}");
        }
    }

    #[test]
    fn what_is_no_date_or_no_name_is_refused() {
        for pattern in ["", "2024", "'yyyy'", "yyy", "hh", "MM/dd", "'MM", "MMM"] {
            assert!(
                DatePattern::try_from(pattern.to_owned()).is_err(),
                "{pattern}"
            );
        }
    }
}
